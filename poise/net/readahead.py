"""Is a part of a file in memory, and if it is not, who fetches it?

To select, poll and epoll a regular file is always ready: readiness says nothing about a disk, and a read of what is not in the
page cache holds the loop until it is. So a stream that sends a file looks before it reads, a window at a time:

1. The kernel is asked for the window's first and last byte, and told not to wait for them (preadv2(2), RWF_NOWAIT).
2. What is not there is fetched by a thread (:mod:`poise.loop.offload`), the next window while this one is being sent.
3. What the kernel cannot tell (a file system over a network, a system without RWF_NOWAIT) is fetched in the same way.

The kernel's own read-ahead is switched off for a file that is larger than one window (posix_fadvise(2), RANDOM): it is done inside of
the read that runs into it, and where somebody has set it to megabytes, one slice in dozens takes as long as all of them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.errors import MachineFault
from poise.loop.reactor import Reactor

if TYPE_CHECKING:
    from poise.loop.offload import Offloaded

NOWAIT = getattr(os, "RWF_NOWAIT", 0)  # Linux
WAITS = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})  # or may: it cannot be told
SCRATCH = 64 * 1024  # bytes: where a thread reads to, again and again
_byte = [bytearray(1)]  # what is read while looking, and by nobody


def in_memory(fd: int, offset: int) -> bool:
    """Whether the byte at ``offset``, or the end of the file, can be read without waiting; False also when nobody knows."""
    if not NOWAIT:
        return False
    try:
        os.preadv(fd, _byte, offset, NOWAIT)
    except OSError:
        return False
    return True


def read_now(fd: int, count: int) -> bytes:
    """The first ``count`` bytes, as far as they can be read without waiting; nothing also when nobody knows. Raises OSError."""
    if not NOWAIT:
        return b""
    data = bytearray(count)
    try:
        done = os.preadv(fd, [data], 0, NOWAIT)
    except OSError as error:
        if error.errno in WAITS:
            return b""
        raise
    return bytes(memoryview(data)[:done])


def fetch(fd: int, offset: int, count: int) -> None:
    """In a thread: wait until ``count`` bytes from ``offset`` have been read once. Raises OSError."""
    scratch = bytearray(min(count, SCRATCH))
    # The same memory many times over: one call for all of it, for each return takes the interpreter from the loop.
    os.preadv(fd, [scratch] * (-(-count // SCRATCH)), offset)


class ReadAhead:
    """What is known of the open file ``fd`` from ``offset`` to ``end``. It does not own the descriptor until ``close``."""

    __slots__ = ("_cold", "_end", "_fd", "_job", "_known", "_reactor", "_then", "_window")

    def __init__(self, reactor: Reactor, fd: int, offset: int, end: int, window: int) -> None:
        self._reactor = reactor
        self._fd = fd
        self._known = offset  # up to here it is in memory, or was a moment ago
        self._end = end
        self._window = window
        self._cold = False  # the window before had to be fetched
        self._job: Offloaded[None] | None = None
        self._then: Callable[[], object] | None = None
        if NOWAIT and os.fstat(fd).st_size > window:
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
            except OSError:  # advice is all it is
                pass

    def has(self, offset: int, count: int, then: Callable[[], object]) -> bool:
        """Whether ``count`` bytes from ``offset`` can be read now; if not, ``then()`` is called once they can."""
        needed = min(offset + count, self._end)
        while self._known < needed and self._job is None:
            self._extend()
        if needed > self._known:
            self._then = then
            return False
        if self._cold and self._job is None and offset + self._window > self._known:
            self._extend()
        return True

    def _extend(self) -> None:
        """One window more: it is there, or somebody goes to fetch it."""
        begin, end = self._known, min(self._known + self._window, self._end)
        self._cold = end > begin and not (in_memory(self._fd, begin) and in_memory(self._fd, end - 1))
        if self._cold:
            from poise.loop.offload import offload  # most of what is served is in memory

            try:
                self._job = offload(self._reactor, fetch, self._fd, begin, end - begin)
            except MachineFault:
                pass  # too much is under way already, and the loop waits for this one itself
            else:
                self._job.on_done(
                    lambda _none, _error: self._fetched(end)
                )  # the next read meets the error by itself
                return
        self._known = end

    def _fetched(self, end: int) -> None:
        self._job = None
        self._known = end
        then, self._then = self._then, None
        if then is not None:
            then()

    def close(self) -> None:
        """Tell nobody any more, and close the file: now, or when no thread reads from it."""
        self._then = None
        if self._job is None:
            close(self._fd)
        else:
            self._job.on_done(lambda _none, _error: close(self._fd))


def close(fd: int) -> None:
    """Close ``fd``, which somebody may have closed behind our back: what ends must end all the same."""
    try:
        os.close(fd)
    except OSError:
        pass
