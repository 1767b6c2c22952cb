"""A log in a file that may be slow: on a busy disk, in a network, on a disk that is full.

A regular file is always "ready", so no poller can tell that a write to it will take a second (pitfall 10). It is written
in a thread, one piece at a time, while the next lines wait here; the loop only hands over.

Whoever rotates the log renames the file, which changes nothing for a program that has it open, and then says so by a
signal. A write that is under way ends in the old file; everything else, what was waiting too, goes to a new one. So
the old file is at rest as soon as that one write is over, and no line is lost or cut in two.

A file that takes nothing more is tried again until it does, from the very byte at which it stopped. What had to wait too
long is dropped, whole lines at a time, counted, and said on standard error.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from poise.cli.standard import say
from poise.errors import MachineFault, ProgramFault
from poise.limits import LogLimits
from poise.loop.offload import offload
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle

MODE = 0o640  # who has read what is not for every user of the machine


def open_log(path: str) -> int:
    """Open ``path`` for appending, made when it is not there; a FIFO that nobody reads is an error, and no wait.

    Raises OSError (open(2)).
    """
    return os.open(
        path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, MODE
    )


class LogFile:
    """Appends whole lines to ``path``, which is open as ``fd`` and will be closed together with ``reactor``."""

    def __init__(self, reactor: Reactor, fd: int, path: str, limits: LogLimits | None = None) -> None:
        self.lost = 0
        """Lines that were dropped because the file did not take them in time."""
        self._reactor = reactor
        self._fd = fd
        self._path = path
        self._limits = limits if limits is not None else LogLimits()
        self._waiting: list[bytes] = []
        self._piece = b""  # what is being written, from _at on
        self._at = 0
        self._size = 0  # of all that is not in the file yet
        self._working = False  # a thread has the file
        self._retry: TimerHandle | None = None  # there while the file takes nothing
        self._reopening = False
        self._troubled = False
        self._unsaid = 0
        reactor.at_close.append(self._close)

    def write(self, text: str) -> None:
        """Queue ``text``, whole lines, to be written beside the loop."""
        data = text.encode("utf-8", "backslashreplace")
        if self._size + len(data) > self._limits.waiting:
            lines = text.count("\n")
            self.lost += lines
            self._unsaid += lines
            return
        self._waiting.append(data)
        self._size += len(data)
        self._go_on()

    def reopen(self) -> None:
        """What is not being written at this moment goes to a file newly opened by the same name."""
        self._reopening = True
        if self._retry is not None:  # it may well be for a full disk that the log is rotated
            self._retry.cancel()
            self._retry = None
        self._go_on()

    def finish(self, seconds: float) -> None:
        """Turn the loop until everything is written, but no longer than ``seconds``."""
        end = self._reactor.clock.monotonic() + seconds
        while self._working and (left := end - self._reactor.clock.monotonic()) > 0:
            self._reactor.turn(left)
        lost = self._unsaid + self._piece.count(b"\n", self._at) + sum(b.count(b"\n") for b in self._waiting)
        if lost:
            say(f"{lost} lines of the log {self._path} were lost: it did not take them in time")

    def _go_on(self) -> None:
        if self._working or self._retry is not None:
            return
        if self._reopening:
            self._reopening = False  # a signal that comes meanwhile is about the file that is being opened
            self._offload(_open_again, self._path, self._fd, done=self._opened)
        elif self._piece or self._waiting:
            if not self._piece:
                self._piece = b"".join(self._waiting)
                self._waiting.clear()
            self._offload(_append, self._fd, self._piece, self._at, done=self._wrote)

    def _offload(self, function: Callable[..., Any], *args: Any, done: Callable[..., None]) -> None:
        try:
            offload(self._reactor, function, *args).on_done(done)
        except MachineFault as error:  # every thread is busy with something slow, and as much waits for one
            self._later(error)
        else:
            self._working = True

    def _opened(self, fd: int | None, error: Exception | None) -> None:
        if isinstance(error, ProgramFault):  # the reactor was closed; a thread may still be at it
            return
        self._working = False
        if fd is None:
            say(f"cannot open the log {self._path} anew: {_words(error)}; going on with the old file")
        else:
            self._fd = fd
            begun = self._at - (self._piece.rfind(b"\n", 0, self._at) + 1)
            self._at -= begun  # a line that was cut short begins again
            self._size += begun
        self._go_on()

    def _wrote(self, outcome: tuple[int, OSError | None] | None, _: Exception | None) -> None:
        if outcome is None:  # the reactor was closed; a thread may still be at it
            return
        self._working = False
        end, trouble = outcome
        self._size -= end - self._at
        self._at = end
        if trouble is not None:
            self._later(trouble)
            return
        self._piece, self._at = b"", 0
        if not self._waiting:
            self._well()
        self._go_on()

    def _later(self, error: Exception) -> None:
        """Try again in a while; said once, until it goes well."""
        if not self._troubled:
            self._troubled = True
            say(f"cannot write to the log {self._path}: {_words(error)}; trying again")
        self._retry = self._reactor.call_later(self._limits.retry, self._again)

    def _again(self) -> None:
        self._retry = None
        self._go_on()

    def _well(self) -> None:
        lost, self._unsaid = self._unsaid, 0
        if lost:
            say(f"{lost} lines of the log {self._path} were lost: it did not take them in time")
        if self._troubled:
            self._troubled = False
            say(f"the log {self._path} is written again")

    def _close(self) -> None:
        if not self._working:  # else a thread has the file, for as long as this process lasts
            os.close(self._fd)


def _append(fd: int, data: bytes, at: int) -> tuple[int, OSError | None]:
    """In a thread: write ``data`` from ``at`` on; how far it came, and what was in the way."""
    view = memoryview(data)
    try:
        while at < len(data):
            at += os.write(fd, view[at:])
    except OSError as error:
        return at, error
    return at, None


def _open_again(path: str, old: int) -> int:
    """In a thread: the new file, and the old one closed. Raises OSError; then the old one is still open."""
    fd = open_log(path)
    try:
        os.close(old)
    except OSError:  # what it could not write was reported by the write, or by nobody
        pass
    return fd


def _words(error: Exception | None) -> str:
    return str(getattr(error, "strerror", None) or error)
