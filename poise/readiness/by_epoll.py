"""epoll(7): the kernel keeps the list, and a wait costs what is ready, not what is watched.

Two facts of the kernel shape this file:

* An interest belongs to the *open file*, not to the number. Close a number whose file lives on under another
  (``dup``, a forked child) and the events go on, now without any number by which ``epoll_ctl`` could
  stop them. ``unregister`` meets that as EBADF, or as ENOENT or EPERM when the number is in use again; then
  the whole set is made anew before the next wait. ``dup2`` puts the fresh set under the old descriptor, so
  whoever holds ``fileno()`` holds it still; but another epoll that watched it watches the old set, and has to
  be told: ``remade`` counts.
* A wait with ``maxevents`` takes from the front of a queue and puts what stays ready at its end: batches rotate
  without help.
"""

from __future__ import annotations

import errno
import os
import select

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.readiness.levelling import Events, Levelled, Poll, waiting_time


class ByEpoll(Levelled):
    """The poller of Linux. ``poll`` is the kernel's bare method unless files are registered."""

    name = "epoll"
    poll: Poll

    def __init__(self, limits: LoopLimits | None = None) -> None:
        super().__init__(limits or LoopLimits())
        if not hasattr(select, "epoll"):
            raise MachineFault(errno.ENOSYS, "this system has no epoll")
        self._kernel = select.epoll()
        self._orphaned = False
        self.poll = self._kernel.poll

    def fileno(self) -> int:
        return self._kernel.fileno()

    def close(self) -> None:
        super().close()
        self._kernel.close()
        self.poll = self._kernel.poll

    def _watch(self, fd: int, mask: int) -> None:
        try:
            self._kernel.register(fd, mask)
        except PermissionError:
            self._set_file(fd, mask)
            self._route()
        except FileExistsError:
            # Closed too early, and back under its number before the set was made anew.
            self._kernel.modify(fd, mask)

    def _change(self, fd: int, mask: int) -> None:
        if fd in self._files:
            self._set_file(fd, mask)
            return
        try:
            self._kernel.modify(fd, mask)
        except (FileNotFoundError, PermissionError):
            # The number was closed and is another file now: what the caller means is this one.
            self._orphaned = True
            self._route()
            self._watch(fd, mask)

    def _forget(self, fd: int) -> None:
        if self._files.pop(fd, None) is not None:
            self._route()
            return
        try:
            self._kernel.unregister(fd)
        except OSError:
            self._orphaned = True
            self._route()

    def _ask(self, timeout: float | None, most: int) -> Events:
        return self._kernel.poll(timeout, most)

    def _route(self) -> None:
        self.poll = self._poll_with_care if self._files or self._orphaned else self._kernel.poll

    def _poll_with_care(self, timeout: float | None = None, maxevents: int = -1, /) -> Events:
        if self._orphaned:
            self._make_anew()
        return self._beside_files(waiting_time(timeout, self._limits.longest_wait), self._most(maxevents))

    def _make_anew(self) -> None:
        try:
            fresh = select.epoll()
        except OSError:
            return  # out of descriptors: the old set serves on, and the next wait tries again
        with fresh:
            os.dup2(fresh.fileno(), self._kernel.fileno(), inheritable=False)
        self._orphaned = False
        self.remade += 1
        for fd, mask in self._interests.items():
            if mask and fd not in self._files:
                try:
                    self._watch(fd, mask)
                except OSError as error:
                    if error.errno != errno.EBADF:
                        raise
        self._route()
