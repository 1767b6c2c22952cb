"""What is asked for: one entry per question that a measurement answers.

A scenario knows its client, the same one for every server, and what a right answer is.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.asking import Unequal, fetch, fetch_raw, send_and_return
from bench.load import Load, parse_echo, parse_wrk

KIB = 1024
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Scenario:
    """The same thing again and again, over connections that are kept open."""

    name: str
    about: str
    size: int  # bytes of the content
    connections: int = 64

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

    def plain_reply(self) -> bytes:
        """What a server that only repeats one reply may send when there is none to imitate; empty when it needs none."""
        return b""

    def reply(self, port: int) -> bytes:  # noqa: ARG002 - for those that need one
        """One reply as it comes from a server; empty when nobody needs it."""
        return b""


@dataclass(frozen=True, slots=True)
class Get(Scenario):
    """GET of one file."""

    unit: ClassVar[str] = "request"
    needs: ClassVar[tuple[str, ...]] = ("wrk",)

    @property
    def path(self) -> str:
        return f"/{self.name}.bin"

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        (folder / "site" / f"{self.name}.bin").write_bytes(self.content())

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:  # noqa: ARG002 - it is installed
        command = ["wrk", "--threads", "1", "--connections", str(self.connections)]
        return [*command, "--duration", f"{seconds}s", f"http://127.0.0.1:{port}{self.path}"]

    def parse(self, text: str) -> Load:
        return parse_wrk(text)

    def check(self, port: int) -> None:
        status, body = fetch(port, self.path)
        if (status, body) != (200, self.content()):
            raise Unequal(
                f"answered {status} with {len(body)} bytes, not 200 with the {self.size} of the file"
            )

    def plain_reply(self) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.size + self.content()

    def reply(self, port: int) -> bytes:
        return fetch_raw(port, self.path)


@dataclass(frozen=True, slots=True)
class Echo(Scenario):
    """A message there and back, ``depth`` of them in flight on each connection."""

    depth: int = 1
    unit: ClassVar[str] = "message"
    needs: ClassVar[tuple[str, ...]] = ("cc",)

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        source = ROOT / "bench" / "echo_load.c"
        subprocess.run(["cc", "-O2", "-o", str(folder / "echo_load"), str(source)], check=True)

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:
        numbers = (port, self.connections, self.size, seconds, self.depth)
        return [str(folder / "echo_load"), *map(str, numbers)]

    def parse(self, text: str) -> Load:
        return parse_echo(text)

    def check(self, port: int) -> None:
        returned = send_and_return(port, self.content())
        if returned != self.content():
            raise Unequal(f"returned {len(returned)} bytes, not the {self.size} that were sent")


GET = (Get("small", "GET of a 1 KiB file, keep-alive, 64 connections", size=1 * KIB),)
ECHO = (
    Echo("1KiB", "echo of 1 KiB messages, 64 connections, one message in flight on each", size=1 * KIB),
    Echo("64KiB", "echo of 64 KiB messages, 64 connections, one message in flight on each", size=64 * KIB),
    Echo(
        "64KiBx4", "echo of 64 KiB messages, 64 connections, four in flight on each", size=64 * KIB, depth=4
    ),
)
