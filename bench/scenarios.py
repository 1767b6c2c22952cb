"""What is asked for: a scenario is one question that a measurement answers.

It knows its client, the same one for every server, what a right answer is, and under which conditions the servers run.
Those of HTTP are in ``http_scenarios.py``, the echo's are here.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from bench.asking import Unequal, send_and_return
from bench.load import Load, parse_echo

KIB = 1024
MIB = 1024 * KIB
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the servers of a scenario run, beside what they always do; a peer says which of these it can."""

    log: bool = False  # one line for each request, in the combined format, to a file
    tls: bool = False
    two_workers: bool = False  # two processes that accept, on all cores that there are; else one, on one core
    deferred: bool = (
        False  # a connection is shown to the server when its request is there (TCP_DEFER_ACCEPT, tcp(7))
    )
    crowd: int = 0  # connections that stay open and idle beside those that ask

    def named(self) -> list[str]:
        """The names of those that differ from the default."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]


PLAIN = Conditions()


@dataclass(frozen=True, slots=True)
class Scenario:
    """The same thing again and again, over connections that are kept open unless the scenario says otherwise."""

    name: str
    about: str
    size: int = 0  # bytes of the content
    connections: int = 64
    conditions: Conditions = PLAIN
    peers: tuple[str, ...] = ()  # who is measured unless others are named; empty for all
    least_rounds: int = 1
    warm_ups: int = 1  # more where a server must have seen many things to be as it will be

    unit: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]  # programs that the client needs on the PATH

    def content(self) -> bytes:
        """The same bytes in every run, and not compressible."""
        return random.Random(self.name).randbytes(self.size)

    def prepare(self, folder: Path) -> None:
        """Make in ``folder`` what the client and the servers need; the servers' files go to ``folder/site``."""
        (folder / "site").mkdir(mode=0o755)

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:
        """The command that loads the server for ``seconds`` and then says how it was."""
        raise NotImplementedError

    def parse(self, text: str) -> Load:
        """What the client has said. Raises ValueError when it is something else."""
        raise NotImplementedError

    def check(self, port: int) -> None:
        """Raises Unequal when the server does not answer as it should."""
        raise NotImplementedError

    def heads(self, port: int) -> list[str]:  # noqa: ARG002 - for those that send any
        """The heads of the requests that the client sends, each once; what differs in each is ``NUMBER`` in them."""
        return []

    def plain_reply(self) -> bytes:
        """What a server that only repeats one reply may send when there is none to imitate; empty when it needs none."""
        return b""

    def reply(self, port: int) -> bytes:  # noqa: ARG002 - for those that need one
        """One reply as it comes from a server; empty when nobody needs it."""
        return b""


def compile_client(name: str, folder: Path) -> Path:
    """One of the bench's own clients, made from ``bench/NAME.c``."""
    program = folder / name
    subprocess.run(["cc", "-O2", "-o", str(program), str(ROOT / "bench" / f"{name}.c")], check=True)
    return program


# --- echo -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Echo(Scenario):
    """A message there and back, ``depth`` of them in flight on each connection."""

    depth: int = 1
    unit: ClassVar[str] = "message"
    needs: ClassVar[tuple[str, ...]] = ("cc",)

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        compile_client("echo_load", folder)

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:
        numbers = (port, self.connections, self.size, seconds, self.depth)
        return [str(folder / "echo_load"), *map(str, numbers)]

    def parse(self, text: str) -> Load:
        return parse_echo(text)

    def check(self, port: int) -> None:
        returned = send_and_return(port, self.content())
        if returned != self.content():
            raise Unequal(f"returned {len(returned)} bytes, not the {self.size} that were sent")


ECHO = (
    Echo("1KiB", "echo of 1 KiB messages, 64 connections, one message in flight on each", size=1 * KIB),
    Echo("64KiB", "echo of 64 KiB messages, 64 connections, one message in flight on each", size=64 * KIB),
    Echo(
        "64KiBx4", "echo of 64 KiB messages, 64 connections, four in flight on each", size=64 * KIB, depth=4
    ),
)
