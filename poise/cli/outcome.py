"""The file that a command was asked to write, known to be writable before the work begins, and there when all of it is.

What is written stands beside it under another name until it is whole, and takes its place then: whoever interrupts the work, or
runs out of room, still has what was there before, and nothing else. What cannot be replaced is written where it is: ``-``, which
is stdout, a pipe, a device, a file in a folder in which one may make none.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType

from poise.cli import standard
from poise.errors import MachineFault

STDOUT = "-"
PRIVATE = 0o600
SUFFIX = ".part"


class Outcome:
    """``with Outcome(path) as outcome: … outcome.write(data)``. Raises MachineFault, in words for people, as soon as it can be known."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._target = os.path.realpath(path)  # a link stays one
        self._beside = ""
        self._fd = -1

    def __enter__(self) -> Outcome:
        if self._path == STDOUT:
            self._fd = os.dup(standard.OUTPUT)
            return self
        try:
            self._open()
        except OSError as error:
            raise self._fault(error) from error
        return self

    def write(self, text: str) -> None:
        """All of it, and it is there. ASCII. Raises MachineFault when it cannot be."""
        data = memoryview(text.encode("ascii"))
        try:
            if not self._beside and stat.S_ISREG(os.fstat(self._fd).st_mode) and self._path != STDOUT:
                os.ftruncate(self._fd, 0)
            while data:
                data = data[os.write(self._fd, data) :]
            if self._beside:
                os.replace(self._beside, self._target)
                self._beside = ""
        except OSError as error:
            raise self._fault(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if self._beside:
            os.unlink(self._beside)

    def _open(self) -> None:
        try:
            found = os.stat(self._target).st_mode
        except FileNotFoundError:
            if self._path.endswith(os.sep):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            self._open_beside()
            return
        if not stat.S_ISREG(found):
            self._fd = os.open(self._target, os.O_WRONLY)
            return
        os.close(os.open(self._target, os.O_WRONLY))  # one that is not to be written is not to be replaced
        try:
            self._open_beside()
        except PermissionError:
            self._fd = os.open(self._target, os.O_WRONLY)

    def _open_beside(self) -> None:
        folder = os.path.dirname(self._target)
        beside = os.path.join(folder, f".poise-{os.urandom(8).hex()}{SUFFIX}")
        self._fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        self._beside = beside

    def _fault(self, error: OSError) -> MachineFault:
        return MachineFault(error.errno, f"cannot write {self._path}: {error.strerror}")
