"""What a client says about one round, and what follows from it together with the server's processor time."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What the client says about one round."""

    requests: int  # those that were answered whole; of an echo, its messages; of a download, its MiB
    seconds: float
    errors: int = 0  # connect, read, write and timeout together
    refused: int = 0  # replies that are not what was asked for
    bytes: int = 0  # that came back, heads included; 0 where the client does not count them

    @property
    def clean(self) -> bool:
        return self.requests > 0 and not self.errors and not self.refused


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one server."""

    load: Load
    cpu_ns: int  # nanoseconds that all processes of the server ran, in user and system mode
    wall_ns: int  # nanoseconds that passed meanwhile
    private_bytes: int = 0  # memory that belongs to the server alone, after the round; 0 where nobody knows
    logged: int | None = None  # lines in its access log; None when it keeps none

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.load.requests / self.load.seconds

    @property
    def cost(self) -> float:
        """Microseconds of processor time per request."""
        return self.cpu_ns / 1000 / self.load.requests

    @property
    def time(self) -> float:
        """Milliseconds that passed for each request."""
        return self.load.seconds * 1000 / self.load.requests

    @property
    def busy(self) -> float:
        """The share of one core that the server used; near 1 when it was at its capacity."""
        return self.cpu_ns / self.wall_ns

    @property
    def clean(self) -> bool:
        """No errors; and who keeps a log has written it, up to what may still wait in a buffer."""
        return self.load.clean and (self.logged is None or self.logged >= 0.9 * self.load.requests)


def parse_echo(text: str) -> Load:
    """The line that ``echo_load`` prints. Raises ValueError when it is not one."""
    said = re.fullmatch(r"(\d+) messages in ([\d.]+) s, (\d+) errors\n", text)
    if said is None:
        raise ValueError(f"not a summary of echo_load: {text[-200:]!r}")
    return Load(requests=int(said[1]), seconds=float(said[2]), errors=int(said[3]))
