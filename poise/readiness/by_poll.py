"""poll(2): the whole list goes to the kernel with each call, and it may be as long as you like.

The kernel reports every descriptor that is ready, always in the order of registration, so a batch is cut and
rotated here. A descriptor that was closed too early comes back as POLLNVAL, which is INVALID.
"""

from __future__ import annotations

import errno
import math
import select

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.readiness.levelling import Events, Levelled, waiting_time


class ByPoll(Levelled):
    """The poller of any POSIX system."""

    name = "poll"

    def __init__(self, limits: LoopLimits | None = None) -> None:
        super().__init__(limits or LoopLimits())
        if not hasattr(select, "poll"):
            raise MachineFault(errno.ENOSYS, "this system has no poll")
        self._kernel = select.poll()

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> Events:
        """Who is ready, waiting for at most ``timeout`` seconds (None: for ever)."""
        self._check_open()
        most = self._most(maxevents)
        seconds = waiting_time(timeout, self._limits.longest_wait)
        milliseconds = None if seconds is None else math.ceil(seconds * 1000)
        return self._rotated(self._kernel.poll(milliseconds), most)

    def _watch(self, fd: int, mask: int) -> None:
        self._probe(fd)  # poll itself takes any number and complains for ever afterwards
        self._kernel.register(fd, mask)

    def _change(self, fd: int, mask: int) -> None:
        self._watch(fd, mask)

    def _forget(self, fd: int) -> None:
        self._kernel.unregister(fd)
