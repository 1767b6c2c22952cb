"""Does the peer still take what waits for it?

The question cannot be answered from our side of the socket alone: the kernel's send buffer holds megabytes and
becomes writable again only when a good part of it is free, so a reader at a few KiB a second looks dead for minutes.
Several times within the allowed time the kernel is asked how much the peer has yet to acknowledge;
any change is progress.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from poise.loop.reactor import Reactor
from poise.net.kernel import unacknowledged

CHECKS = 4  # looks within the allowed time
UNKNOWN = -2  # no look yet; -1 is what a system without that look answers


class Stall:
    """Calls ``stalled()`` once when ``allowed`` seconds pass without progress on the socket ``fd``."""

    __slots__ = ("_allowed", "_deadline", "_fd", "_mark", "_reactor", "_stalled", "_unchanged")

    def __init__(self, reactor: Reactor, fd: int, allowed: float, stalled: Callable[[], object]) -> None:
        self._reactor = reactor
        self._fd = fd
        self._allowed = allowed
        self._stalled = stalled
        self._mark = UNKNOWN
        self._unchanged = 0
        self._deadline = reactor.deadline(allowed / CHECKS, self._look)

    def progress(self) -> None:
        """The kernel took something: that is progress too."""
        self._deadline.since = self._reactor.now
        self._mark = UNKNOWN
        self._unchanged = 0

    def cancel(self) -> None:
        self._deadline.cancel()

    def _look(self) -> None:
        waiting = unacknowledged(self._fd)
        if waiting == self._mark or waiting < 0:
            self._unchanged += 1
        else:
            self._unchanged = 0
            self._mark = waiting
        # The first look has nothing to compare with, but a quarter of the time had passed before it.
        if self._unchanged >= CHECKS - (self._mark != UNKNOWN):
            self._stalled()
        else:
            self._deadline = self._reactor.deadline(self._allowed / CHECKS, self._look)


class Lingering(Stall):
    """As long as the peer takes what the kernel still holds for it, it has time; ``taken`` bytes were read away."""

    __slots__ = ("taken",)
    cause: ClassVar[None] = None

    def __init__(self, reactor: Reactor, fd: int, allowed: float, over: Callable[[], object]) -> None:
        super().__init__(reactor, fd, allowed, over)
        self.taken = 0
