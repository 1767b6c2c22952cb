"""The real program in a process of its own: started, heard, ended, and its last words read."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0  # seconds; a machine under load is slow, a hung program is not
URL = re.compile(r"https?(?:\+unix:(?P<path>.+)|://(?P<host>\[[^\]/]+\]|[^:/\[\]]+):(?P<port>[0-9]+)/)")
TRACEBACK = "Traceback (most recent call last)"


class Served:
    """A running ``poise serve``. ``stderr`` is what it has said there until now."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        self.process = process
        self.lines: list[str] = []  # of stdout, as far as they were waited for
        self._unfinished = b""
        self._stderr = stderr

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return self.lines[-1]

    @property
    def port(self) -> int:
        return int(self._address("port"))

    @property
    def path(self) -> str:
        """Of its unix socket."""
        return self._address("path")

    def _address(self, part: str) -> str:
        found = URL.fullmatch(self.url)
        assert found, f"no address: {self.lines}"
        assert found[part] is not None, f"no {part}: {self.url}"
        return found[part]

    @property
    def stderr(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "replace")

    def line(self, patience: float = PATIENCE) -> str:
        """The next line of stdout; fails when it does not come in time or the program has ended."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        end = time.monotonic() + patience
        while b"\n" not in self._unfinished:
            ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
            data = os.read(fd, 65536) if ready else b""
            if not data:
                what = "ended" if ready else f"said nothing for {patience} s"
                raise AssertionError(f"the program {what}: {self.lines} {self.stderr}")
            self._unfinished += data
        line, _, self._unfinished = self._unfinished.partition(b"\n")
        self.lines.append(line.decode())
        return self.lines[-1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def serve_command(folder: str | os.PathLike[str], *options: str) -> list[str]:
    return [sys.executable, "-m", "poise", "serve", os.fspath(folder), *options]


@contextmanager
def program(
    command: Sequence[str], *, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run ``command``; whatever happens, the process is gone at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POISE_")}
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=clean | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        try:
            yield Served(process, stderr)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def serving(
    folder: str | os.PathLike[str],
    *options: str,
    command: Sequence[str] | None = None,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """``poise serve FOLDER --port 0 OPTIONS``, listening; ended by SIGTERM, which must go quietly.

    ``command`` replaces ``python -m poise serve FOLDER`` and its options altogether.
    """
    with program(
        command or serve_command(folder, "--port", "0", *options), cwd=cwd, environment=environment
    ) as served:
        served.line()
        yield served
        code = served.stop()
        assert TRACEBACK not in served.stderr, served.stderr
        assert code == 0, f"exit code {code}: {served.stderr}"
