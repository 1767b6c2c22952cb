"""What a client says about one round, and what follows from it together with the server's processor time."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What the client says about one round."""

    requests: int  # those that were answered whole; of an echo, its messages
    seconds: float
    errors: int = 0  # connect, read, write and timeout together
    refused: int = 0  # replies that are neither 2xx nor 3xx

    @property
    def clean(self) -> bool:
        return self.requests > 0 and not self.errors and not self.refused


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one server."""

    load: Load
    cpu_ns: int  # nanoseconds that all processes of the server ran, in user and system mode
    wall_ns: int  # nanoseconds that passed meanwhile

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.load.requests / self.load.seconds

    @property
    def cost(self) -> float:
        """Microseconds of processor time per request."""
        return self.cpu_ns / 1000 / self.load.requests

    @property
    def busy(self) -> float:
        """The share of one core that the server used; near 1 when it was at its capacity."""
        return self.cpu_ns / self.wall_ns


def parse_wrk(text: str) -> Load:
    """The summary that ``wrk`` prints. Raises ValueError when it is not one."""
    total = re.search(r"^ *(\d+) requests in ([\d.]+)(us|ms|s|m),", text, re.MULTILINE)
    if total is None:
        raise ValueError(f"not a summary of wrk: {text[-200:]!r}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[total[3]]
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Load(
        requests=int(total[1]),
        seconds=float(total[2]) * unit,
        errors=sum(map(int, sockets.groups())) if sockets else 0,
        refused=int(refused[1]) if refused else 0,
    )


def parse_echo(text: str) -> Load:
    """The line that ``echo_load`` prints. Raises ValueError when it is not one."""
    said = re.fullmatch(r"(\d+) messages in ([\d.]+) s, (\d+) errors\n", text)
    if said is None:
        raise ValueError(f"not a summary of echo_load: {text[-200:]!r}")
    return Load(requests=int(said[1]), seconds=float(said[2]), errors=int(said[3]))
