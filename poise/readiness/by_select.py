"""select(2): the oldest call, the only one on every system, Windows included.

Three sets of descriptors go in and what is ready of them comes out. On POSIX a set is a bitmap of FD_SETSIZE bits:
a descriptor of 1024 or above cannot be in it, and asking fails as a whole; so it is refused when it is
registered and the others are served on. On Windows a set is a list of 512 sockets of any number.

The third set reports urgent data; on Windows it is also the only place where a failed connect shows. A fault is
reported as READ and WRITE, as far as they were asked for.
"""

from __future__ import annotations

import errno
import select
import sys

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.readiness.interest import INVALID, PRIORITY, READ, WRITE
from poise.readiness.levelling import Events, Levelled, waiting_time


class BySelect(Levelled):
    """The poller of last resort, and the simplest one to read."""

    name = "select"
    windows = sys.platform == "win32"
    set_size = 512 if windows else 1024  # FD_SETSIZE as CPython is built: descriptors there, bits here

    def __init__(self, limits: LoopLimits | None = None) -> None:
        super().__init__(limits or LoopLimits())
        self._readers: set[int] = set()
        self._writers: set[int] = set()
        self._urgent: set[int] = set()

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> Events:
        """Who is ready, waiting for at most ``timeout`` seconds (None: for ever)."""
        self._check_open()
        most = self._most(maxevents)
        seconds = waiting_time(timeout, self._limits.longest_wait)
        try:
            ready = self._select(self._readers, self._writers, self._urgent, seconds)
        except OSError:
            invalid = {fd for fd, mask in self._interests.items() if mask and not self._is_open(fd)}
            if not invalid:  # it came from a signal's handler
                raise
            ready = self._select_without(invalid)
        return self._rotated(ready, most)

    def close(self) -> None:
        super().close()
        for watched in (self._readers, self._writers, self._urgent):
            watched.clear()

    def _select(
        self, readers: set[int], writers: set[int], urgent: set[int], seconds: float | None
    ) -> Events:
        readable, writable, exceptional = select.select(readers, writers, urgent, seconds)
        masks = dict.fromkeys(readable, READ)
        for fd in writable:
            masks[fd] = masks.get(fd, 0) | WRITE
        for fd in exceptional:
            fault = READ | WRITE if self.windows else 0
            masks[fd] = masks.get(fd, 0) | self._interests[fd] & (PRIORITY | fault)
        return list(masks.items())

    def _select_without(self, invalid: set[int]) -> Events:
        """One closed descriptor fails the whole call: report it, and ask for the others without waiting."""
        ready = self._select(self._readers - invalid, self._writers - invalid, self._urgent - invalid, 0)
        return [(fd, INVALID) for fd in invalid] + ready

    def _is_open(self, fd: int) -> bool:
        try:
            select.select([fd], [], [], 0)
        except OSError:
            return False
        return True

    def _probe(self, fd: int) -> None:
        full = len(self._interests) >= self.set_size if self.windows else fd >= self.set_size
        if full:
            raise MachineFault(
                errno.EMFILE,
                f"select cannot watch descriptor {fd}: its sets hold {self.set_size}; another poller can",
            )
        select.select([fd], [], [], 0)  # EBADF; fstat would know no socket of Windows

    def _watch(self, fd: int, mask: int) -> None:
        self._probe(fd)
        self._change(fd, mask)

    def _change(self, fd: int, mask: int) -> None:
        self._forget(fd)
        if mask & READ:
            self._readers.add(fd)
        if mask & WRITE:
            self._writers.add(fd)
        if mask & PRIORITY or (self.windows and mask & WRITE):
            self._urgent.add(fd)

    def _forget(self, fd: int) -> None:
        for watched in (self._readers, self._writers, self._urgent):
            watched.discard(fd)
