"""A program in a terminal of its own: what a person would see, and what they would type."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.program import PATIENCE, ROOT

# The terminal becomes that of the new session, so that Ctrl-C is a signal and a shell has its jobs.
LOGIN = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """The near end of a pseudoterminal in which ``process`` runs. ``seen`` is all that it has shown until now."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.seen = ""
        self._master = master
        self._data = b""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, text: str, *, patience: float = PATIENCE) -> str:
        """All that was shown, once ``text`` is in it; fails when that does not come."""
        end = time.monotonic() + patience
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            if not ready or not self._read():
                raise AssertionError(f"{text!r} does not come: {self.seen!r}")
        return self.seen

    def end(self) -> str:
        """All that was shown when the program has ended by itself."""
        while self._read():
            pass
        assert self.process.wait(PATIENCE) is not None
        return self.seen

    def forget(self) -> None:
        self._data, self.seen = b"", ""

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has it open any more
            return False
        self._data += data
        self.seen = self._data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


@contextmanager
def terminal(
    command: Sequence[str],
    *,
    size: tuple[int, int] = (80, 40),
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run ``command`` in a terminal of ``size`` columns and lines; whatever happens, the process is gone at the end."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("POISE_", "LC_")) and name not in {"NO_COLOR", "COLORFGBG", "BROWSER"}
    }
    given = inherited | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | dict(environment or {})
    master, slave = os.openpty()
    termios.tcsetwinsize(master, (size[1], size[0]))
    try:
        with subprocess.Popen(
            [sys.executable, "-c", LOGIN, *command],
            cwd=cwd,
            env=given,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            try:
                yield Terminal(process, master)
            finally:
                if process.poll() is None:
                    process.kill()
    finally:
        os.close(master)
