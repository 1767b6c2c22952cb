"""A look at the stacks that needs no interpreter: for code that does not let go of it.

A regular expression that backtracks, or a sum over a large range, is one call of C that keeps the interpreter for as long as it
takes: no Python thread can run and look. ``faulthandler.dump_traceback_later`` has a thread of C's own that can. It is told to
write unless it is told otherwise in time, again and again, by the watching thread; so it writes exactly when that thread could
not run.

Facts: there is one such timer in a process, and whoever sets it takes it from whoever had it. Setting it costs some 40 µs, so it
is not done in every turn. A forked child has no such thread, and waiting for its end there would be for ever: it is called
off before a fork and set again afterwards, in the parent.
"""

from __future__ import annotations

import faulthandler
import os
import tempfile
import threading
import weakref
from typing import IO


class Deadman:
    """Writes the stacks into a file of its own when ``arm`` was not called again within ``patience`` seconds."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._file = _file()
        self._armed = False
        _all.add(self)

    def arm(self) -> None:
        """Begin to wait anew."""
        with _forking:
            if not self._file.closed:
                faulthandler.dump_traceback_later(self.patience, file=self._file)
                self._armed = True

    def disarm(self) -> None:
        """Write nothing until ``arm`` is called."""
        if self._armed:
            self._armed = False
            faulthandler.cancel_dump_traceback_later()

    def taken(self) -> str:
        """What was written since the last time, usually nothing. Call it disarmed, or right after arming."""
        fd = self._file.fileno()
        size = os.fstat(fd).st_size
        if not size:
            return ""
        text = os.pread(fd, size, 0).decode("utf-8", "replace")
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        return text

    def close(self) -> None:
        """Call it off, and close the file. Twice is no error."""
        with _forking:  # a fork would set it again, for a file that is none any more
            self.disarm()
            _all.discard(self)
            self._file.close()


def _file() -> IO[bytes]:
    """A file of nobody else's; in memory where there is such a thing, so that a full disk does not matter."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("poise stacks"), "r+b", buffering=0)
    return tempfile.TemporaryFile()  # pragma: no cover - not on Linux


_all: weakref.WeakSet[Deadman] = weakref.WeakSet()
_forking = threading.Lock()  # held while nobody may arm
_called_off: list[Deadman] = []


def _before_fork() -> None:
    _forking.acquire()
    for deadman in list(_all):
        if deadman._armed:
            deadman.disarm()
            _called_off.append(deadman)


def _in_parent() -> None:
    again = _called_off.copy()
    _called_off.clear()
    _forking.release()
    for deadman in again:
        deadman.arm()


def _in_child() -> None:  # pragma: no cover - a forked child ends before it could report what it ran
    _called_off.clear()
    _all.clear()
    _forking.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch - absent only on Windows, which cannot fork
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
