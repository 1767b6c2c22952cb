"""kqueue(2): macOS and the BSDs. Reading and writing are two filters, each with events of its own.

The two are merged into one (descriptor, mask) here. The end of the input is READ (and PEER_CLOSED when that was
asked for), as a half-closed connection may still be written to; the end of the output is a HANGUP. Regular
files count as ready only before their end there, so they are always ready by our own account. Urgent data
has no filter on most of these systems: PRIORITY is accepted and never reported.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import Any

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.readiness.interest import ERROR, HANGUP, INVALID, PEER_CLOSED, READ, WRITE
from poise.readiness.levelling import Events, Levelled, waiting_time


class ByKqueue(Levelled):
    """The poller of macOS and BSD. ``kernel`` is what gives kqueue(), kevent() and the KQ_ constants."""

    name = "kqueue"

    def __init__(self, limits: LoopLimits | None = None, kernel: Any = select) -> None:
        super().__init__(limits or LoopLimits())
        if not hasattr(kernel, "kqueue"):
            raise MachineFault(errno.ENOSYS, "this system has no kqueue")
        self._names = kernel
        self._kernel = kernel.kqueue()

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> Events:
        """Who is ready, waiting for at most ``timeout`` seconds (None: for ever)."""
        self._check_open()
        most = self._most(maxevents)
        seconds = waiting_time(timeout, self._limits.longest_wait)
        return self._beside_files(seconds, most)

    def fileno(self) -> int:
        return int(self._kernel.fileno())

    def close(self) -> None:
        super().close()
        self._kernel.close()

    def _ask(self, timeout: float | None, most: int) -> Events:
        masks: dict[int, int] = {}
        # Asking for 0 events would not wait at all; ``most`` is at least 1.
        for event in self._kernel.control(None, most, timeout):
            masks[event.ident] = masks.get(event.ident, 0) | self._mask(event)
        return list(masks.items())

    def _mask(self, event: Any) -> int:
        names = self._names
        if event.flags & names.KQ_EV_ERROR:
            return INVALID if event.data == errno.EBADF else ERROR
        reads = event.filter == names.KQ_FILTER_READ
        mask = READ if reads else WRITE
        if event.flags & names.KQ_EV_EOF:
            mask |= self._interests.get(event.ident, 0) & PEER_CLOSED if reads else HANGUP
            if event.fflags:  # the socket's pending error
                mask |= ERROR
        return mask

    def _watch(self, fd: int, mask: int) -> None:
        mode = os.fstat(fd).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            self._set_file(fd, mask)
        else:
            self._change(fd, mask)

    def _change(self, fd: int, mask: int) -> None:
        if fd in self._files:
            self._set_file(fd, mask)
            return
        names = self._names
        wanted, had = self._filters(mask), self._filters(self._interests.get(fd, 0))
        added = [names.kevent(fd, which, names.KQ_EV_ADD) for which in wanted if which not in had]
        if added:
            try:
                self._kernel.control(added, 0, 0)
            except OSError:
                # The first may be in and the second refused: none is what the caller believes.
                self._drop(fd, [which for which in wanted if which not in had])
                raise
        self._drop(fd, [which for which in had if which not in wanted])

    def _forget(self, fd: int) -> None:
        if self._files.pop(fd, None) is None:
            self._drop(fd, self._filters(self._interests[fd]))

    def _drop(self, fd: int, filters: list[int]) -> None:
        for which in filters:
            try:
                self._kernel.control([self._names.kevent(fd, which, self._names.KQ_EV_DELETE)], 0, 0)
            except OSError as error:
                # A descriptor that was closed too early took its filters along.
                if error.errno not in (errno.EBADF, errno.ENOENT):
                    raise

    def _filters(self, mask: int) -> list[int]:
        names = self._names
        pairs = ((READ | PEER_CLOSED, names.KQ_FILTER_READ), (WRITE, names.KQ_FILTER_WRITE))
        return [which for bits, which in pairs if mask & bits]
