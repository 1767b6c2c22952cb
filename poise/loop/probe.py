"""Observe a reactor, and stop it again, while it runs.

``start()`` swaps the reactor's turn, and the calls that begin, change or end a registration, for observed ones; ``stop()`` takes
them away again. They are attributes of that one reactor, so an unwatched one runs the very code that it ran before, and
pays nothing.
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Final

from poise.loop.observed import Observed
from poise.loop.reactor import Closable, Handler, Reactor
from poise.loop.seat import INTEREST, LIFE, Level

OBSERVED: Final = ("turn", "register", "unregister", "retire", "modify")
PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep


class Probe(Observed):
    """What is written down of ``reactor``. ``start`` and ``stop`` are for the reactor's thread, in a turn or between two."""

    __slots__ = ()

    # -- on and off ------------------------------------------------------------------------------

    def start(self, level: Level = Level.RECORDER) -> None:
        """Observe the reactor from its next turn on, or at another level. OFF is ``stop()``."""
        if level is Level.OFF:
            self.stop()
            return
        if self._begin(level, self.stop):
            self._unseated = list(self.reactor._handlers)
        # Who changes what is wanted costs a walk up the stack: only those pay for it who have asked.
        modify = self._modify_noted if level is Level.FULL else self._modify
        ours = (self._turn, self._register, self._unregister, self._retire, modify)
        for name, method in zip(OBSERVED, ours, strict=True):
            setattr(self.reactor, name, method)
        self._seat_some()

    def stop(self) -> None:
        """Leave no trace: the reactor runs its own code again, and what was recorded is let go. Twice is no error."""
        if self.level is Level.OFF:
            return
        self.level = Level.OFF
        for name in OBSERVED:
            # Not by way of ``__dict__``: once it was asked for, CPython finds the attributes by a longer way.
            if (
                getattr(getattr(self.reactor, name), "__self__", None) is self
            ):  # a closed one has put others there
                delattr(self.reactor, name)
        self._end(self.stop)

    def _seat_some(self) -> None:
        """Give a seat to some of those who were there before us, and post the rest: ten thousand at once would hold the loop."""
        waiting, handlers = self._unseated, self.reactor._handlers
        for _ in range(min(self.limits.seated, len(waiting))):
            fd = waiting.pop()
            if fd in handlers and fd not in self.seats:
                self._seat(fd, handlers[fd])
        if waiting:
            self.reactor.call_soon(self._seat_some)

    # -- in place of the reactor's own -----------------------------------------------------------

    def _register(self, fd: int, mask: int, handler: Handler) -> None:
        Reactor.register(self.reactor, fd, mask, handler)
        seat = self._seat(fd, handler)
        self.opened += 1
        self.write((LIFE, seat.opened_ns, seat, "open"))

    def _modify(self, fd: int, mask: int) -> None:
        Reactor.modify(self.reactor, fd, mask)
        seat = self.seats.get(fd)
        if seat is not None:
            seat.wanted = mask

    def _modify_noted(self, fd: int, mask: int) -> None:
        before = self.reactor.poller.interest(fd)
        self._modify(fd, mask)
        seat = self.seats.get(fd) or self._seat(fd, self.reactor._handlers[fd])
        self.write((INTEREST, self.nanoseconds(), seat, before, mask, place(sys._getframe(1))))

    def _unregister(self, fd: int) -> None:
        seat = self.seats.get(fd)
        handler = self.reactor._handlers.get(fd)
        if seat is not None and handler is not None and self.describe is not None:
            self.describe(seat, handler)
        try:
            Reactor.unregister(self.reactor, fd)
        finally:
            if self.seats.pop(fd, None) is not None and seat is not None:
                seat.closed_ns = self.nanoseconds()
                self.left.append(seat)
                self.write((LIFE, seat.closed_ns, seat, "retire" if seat is self._parting else "unregister"))

    def _retire(self, owned: Closable) -> None:
        self._parting = self.seats.get(owned.fileno())
        try:
            Reactor.retire(self.reactor, owned)
        finally:
            self._parting = None


def place(frame: FrameType) -> str:
    """``file:line`` of the first caller outside of Poise, or of the nearest one when there is none."""
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_filename.startswith((PACKAGE, "<frozen")):
        outer = outer.f_back
    found = outer or frame
    return f"{found.f_code.co_filename}:{found.f_lineno}"
