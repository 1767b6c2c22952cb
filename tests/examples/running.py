"""A small program in a process of its own, with its keyboard in our hands."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO

from tests.support.program import PATIENCE, ROOT, TRACEBACK, Served

PORT = re.compile(r"(?::|port )(\d+)/?$")


class Example(Served):
    """A running program; ``type`` writes to its standard input."""

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def until(self, wanted: str) -> str:
        """The next line that contains ``wanted``."""
        while wanted not in self.line():
            pass
        return self.lines[-1]

    def listening(self) -> int:
        """The port that its next line names."""
        found = PORT.search(self.line())
        assert found, self.lines
        return int(found[1])

    def interrupt(self) -> None:
        """Ctrl-C: it ends, quietly."""
        code = self.stop(signal.SIGINT)
        assert (code, self.stderr) == (0, ""), self.stderr

    def ends(self) -> int:
        """Wait for its own end; the exit code."""
        return self.process.wait(PATIENCE)


@contextmanager
def running(command: Sequence[str]) -> Iterator[Example]:
    """Run ``python COMMAND``; whatever happens, it is gone at the end and has printed no traceback."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POISE_")}
    stderr: IO[bytes]
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            [sys.executable, "-u", *command],
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        example = Example(process, stderr)
        try:
            yield example
        finally:
            if process.poll() is None:
                process.kill()
        assert TRACEBACK not in example.stderr, example.stderr


def example(name: str, *arguments: object) -> AbstractContextManager[Example]:
    return running(["-m", f"examples.{name}", *map(str, arguments)])


class Peer:
    """A blocking client: what it says and what it gets."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), PATIENCE)
        self._got = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> str:
        return self.until(b"\n").decode().removesuffix("\n")

    def until(self, end: bytes) -> bytes:
        """Everything up to and with ``end``."""
        while end not in self._got:
            data = self.socket.recv(65536)
            assert data, f"the connection has ended: {self._got!r}"
            self._got += data
        data, _, self._got = self._got.partition(end)
        return data + end

    def rest(self) -> bytes:
        """Everything until the end of the connection."""
        got, self._got = self._got, b""
        while data := self.socket.recv(65536):
            got += data
        return got

    def finish(self) -> None:
        """Say that no more comes."""
        self.socket.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()


def talk_past_a_sleeper(talker: Peer, name: str, listener: Peer) -> None:
    """Say some 14 MB, more than the kernels' buffers hold, at a pace that ``listener`` keeps up with."""
    for number in range(500):
        talker.send((b"x" * 900 + b"\n") * 30 + b"%d\n" % number)
        listener.until(b"%b: %d\n" % (name.encode(), number))
