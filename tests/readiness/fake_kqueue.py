"""A kqueue for machines that have none, backed by a real poll(2).

It keeps (descriptor, filter) pairs as kqueue(2) does, answers changes with the same errors (EBADF, ENOENT), returns
one event per filter, sets EV_EOF, and returns at once when asked for 0 events. Like the real one it lets filters of a
closed descriptor vanish, and it moves what it reported to the end of its list.
"""

from __future__ import annotations

import errno
import math
import os
import select
import stat
from dataclasses import dataclass, field

KQ_FILTER_READ = -1
KQ_FILTER_WRITE = -2
KQ_EV_ADD = 0x1
KQ_EV_DELETE = 0x2
KQ_EV_ERROR = 0x4000
KQ_EV_EOF = 0x8000


@dataclass
class kevent:  # noqa: N801 - the name in the select module
    ident: int
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0


@dataclass
class kqueue:  # noqa: N801 - the name in the select module
    closed: bool = False
    pairs: dict[tuple[int, int], None] = field(default_factory=dict)
    injected: list[kevent] = field(default_factory=list)
    refuse_write_filter: bool = False

    def fileno(self) -> int:
        return 12345

    def close(self) -> None:
        self.closed = True

    def control(self, changes: list[kevent] | None, most: int, timeout: float | None = None) -> list[kevent]:
        for change in changes or ():
            self._apply(change)
        if most == 0:
            return []
        if self.injected:
            given, self.injected = self.injected[:most], self.injected[most:]
            return given
        return self._wait(most, timeout)

    def _apply(self, change: kevent) -> None:
        pair = (change.ident, change.filter)
        mode = os.fstat(change.ident).st_mode  # EBADF
        if change.flags & KQ_EV_DELETE:
            if pair not in self.pairs:
                raise OSError(errno.ENOENT, "no such filter")
            del self.pairs[pair]
            return
        if change.filter == KQ_FILTER_WRITE and self.refuse_write_filter:
            raise OSError(errno.EPIPE, "the other end is gone")
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            raise AssertionError("a file would be reported only before its end")
        self.pairs.setdefault(pair)

    def _wait(self, most: int, timeout: float | None) -> list[kevent]:
        self.pairs = {pair: None for pair in self.pairs if _is_open(pair[0])}
        kernel = select.poll()
        wanted: dict[int, int] = {}
        for fd, which in self.pairs:
            bits = select.POLLIN | select.POLLRDHUP if which == KQ_FILTER_READ else select.POLLOUT
            wanted[fd] = wanted.get(fd, 0) | bits
        for fd, bits in wanted.items():
            kernel.register(fd, bits)
        ready = dict(kernel.poll(None if timeout is None else math.ceil(timeout * 1000)))
        events = [event for pair in self.pairs for event in self._event(pair, ready.get(pair[0], 0))][:most]
        for event in events:  # to the end of the list
            pair = (event.ident, event.filter)
            del self.pairs[pair]
            self.pairs[pair] = None
        return events

    def _event(self, pair: tuple[int, int], ready: int) -> list[kevent]:
        fd, which = pair
        gone = ready & (select.POLLHUP | select.POLLERR)
        if which == KQ_FILTER_READ and ready & (select.POLLIN | select.POLLRDHUP) | gone:
            return [
                kevent(fd, which, KQ_EV_EOF if ready & select.POLLRDHUP or gone else 0, _error(fd, ready))
            ]
        if which == KQ_FILTER_WRITE and ready & select.POLLOUT | gone:
            return [kevent(fd, which, KQ_EV_EOF if gone else 0, _error(fd, ready))]
        return []


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _error(fd: int, ready: int) -> int:
    """The real one gives the socket's pending error and leaves it pending; that there is one is enough here."""
    return errno.ECONNRESET if ready & select.POLLERR and stat.S_ISSOCK(os.fstat(fd).st_mode) else 0
