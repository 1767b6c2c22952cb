"""Observe an asyncio loop that has never heard of Poise, and stop it again, while it runs.

Two things of the loop are swapped, and put back: its selector, for one that notes when a wait begins and ends and what it has
found; and ``Handle._run``, through which every call goes that an asyncio loop makes (both are plain Python in CPython's
asyncio). A turn goes from one wait to the next: within it the loop calls, in one queue, what is ready, what is due and what was
posted, so the three are told apart by the kind of the handle.

What is written down is what a reactor writes (``poise.loop.seat``).
"""

from __future__ import annotations

import asyncio
from asyncio import events
from typing import Any, Final, cast

from poise.apps.asyncio_loop import AsyncioLoop, Ear, mask_of, name_of_call
from poise.limits.seeing import SeeingLimits
from poise.loop.notes import HANDLE, POSTS, TIMERS, WAIT, Notes
from poise.loop.reactor import Reactor
from poise.loop.seat import (
    BY_DESCRIPTOR,
    BY_POST,
    BY_TIMER,
    BY_WAKEUP,
    CALL,
    LIFE,
    POSTED,
    TIMER,
    Level,
    Seat,
)

original: Final = events.Handle._run


class Seen:
    """The selector of a loop while it is observed; all that is not looked at is its own."""

    def __init__(self, selector: Any, probe: AsyncioProbe) -> None:
        self.own = selector
        self._probe = probe
        for name in ("get_map", "get_key"):
            setattr(self, name, getattr(selector, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def select(self, timeout: float | None = None) -> Any:
        """As the selector does; a turn ends before it, and another one begins."""
        self._probe._waits(timeout)
        ready = self.own.select(timeout)
        self._probe._woke(timeout, ready)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        key = self.own.register(fileobj, events, data)
        self._probe._opened(key)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> Any:
        key = self.own.modify(fileobj, events, data)
        self._probe._changed(key)
        return key

    def unregister(self, fileobj: Any) -> Any:
        key = self.own.unregister(fileobj)
        self._probe._left(key)
        return key


class AsyncioProbe(Notes):
    """What is written down of an asyncio loop. ``start`` and ``stop`` are for its thread."""

    def __init__(self, loop: AsyncioLoop, limits: SeeingLimits | None = None) -> None:
        self._loop = loop.loop
        self._ready: dict[int, tuple[Seat, int]] = {}  # by the identity of the handle that is to run
        self._asked: float | None = None
        self._cause = BY_DESCRIPTOR
        self._found = 0
        self._mark = self._until = 0  # when the last call ended; when the present turn's wait did
        self._sums = [0, 0, 0]
        super().__init__(cast("Reactor", loop), limits)  # all of a reactor that an observer asks for

    # -- on and off ------------------------------------------------------------------------------

    def start(self, level: Level = Level.RECORDER) -> None:
        """Observe the loop from now on, or at another level. OFF is ``stop()``."""
        if level is Level.OFF:
            self.stop()
            return
        if self._begin(level, self.stop):
            self._loop._selector = Seen(self._loop._selector, self)
            observers[self._loop] = self
            events.Handle._run = observed  # type: ignore[method-assign, assignment]  # the one place that all calls go through
            self._mark = self._until = self.turn_began_ns
            for key in list(self._loop._selector.get_map().values())[: self.limits.seated]:
                self._opened(key)  # the others when they are heard of

    def stop(self) -> None:
        """Leave no trace: the loop has its own selector again. Twice is no error."""
        if self.level is Level.OFF:
            return
        self.level = Level.OFF
        if isinstance(self._loop._selector, Seen):
            self._loop._selector = self._loop._selector.own
        observers.pop(self._loop, None)
        if not observers and events.Handle._run is observed:  # and nobody else's
            events.Handle._run = original  # type: ignore[method-assign]
        self._ready.clear()
        self._end(self.stop)

    # -- the turn --------------------------------------------------------------------------------

    def _waits(self, asked: float | None) -> None:
        """The calls of a turn are over, and the loop is about to wait."""
        now = self.nanoseconds()
        if self.turn_n:
            handled, timed, posted = self._sums
            self.handle_ns += handled
            self.timers_ns += timed
            self.posted_ns += posted
            woken = self._until
            if self.turns:
                ends = (woken + handled, woken + handled + timed, max(now, woken + handled + timed + posted))
                self._turned(self._asked, self._found, self._cause, self.turn_began_ns, woken, *ends)
        self.turn_n += 1
        self._sums = [0, 0, 0]
        self._held_ns = 0
        self._asked = asked
        self.turn_began_ns = self.phase_began_ns = now
        self.phase = WAIT

    def _woke(self, asked: float | None, ready: list[tuple[Any, int]]) -> None:
        now = self._mark = self._until = self.phase_began_ns = self.woken_ns = self.nanoseconds()
        self.wait_ns += now - self.turn_began_ns
        self.phase = HANDLE
        self._found = len(ready)
        self._ready.clear()  # who was cancelled before it ran: another handle may have its identity by now
        self._cause = BY_POST if asked == 0 else BY_TIMER
        for key, events_ in ready:
            seat = self.seats.get(key.fd) or self._opened(key)
            mask = mask_of(events_)
            self._cause = BY_WAKEUP if key.fd == self._waker and len(ready) == 1 else BY_DESCRIPTOR
            for handle in key.data or ():
                if handle is not None:
                    self._ready[id(handle)] = seat, mask

    def _opened(self, key: Any) -> Seat:
        handle = next((each for each in key.data or () if each is not None), None)
        seat = self._seat(
            key.fd, cast("Any", Ear(handle._callback if handle is not None else type(key.fileobj)))
        )
        self.opened += 1
        self.write((LIFE, seat.opened_ns, seat, "open"))
        return seat

    def _changed(self, key: Any) -> None:
        seat = self.seats.get(key.fd)
        if seat is not None:
            seat.wanted = mask_of(key.events)

    def _left(self, key: Any) -> None:
        seat = self.seats.pop(key.fd, None)
        if seat is not None:
            if seat.about is None and self.describe is not None:
                handle = next((each for each in key.data or () if each is not None), None)
                if handle is not None and handle._callback is not None:
                    self.describe(seat, cast("Any", Ear(handle._callback)))
            seat.closed_ns = self.nanoseconds()
            self.left.append(seat)
            self.write((LIFE, seat.closed_ns, seat, "unregister"))

    # -- one call --------------------------------------------------------------------------------

    def _observe_handle(self, handle: Any) -> None:
        """Handle._run, observed. ``began``, ``seat`` and ``name`` are read from its frame while it runs."""
        seat, mask = self._ready.pop(id(handle), (None, 0))
        began = self._mark
        name = "" if seat is not None else name_of_call(handle._callback)
        timer = isinstance(handle, asyncio.TimerHandle)
        self.phase = HANDLE if seat is not None else TIMERS if timer else POSTS
        try:
            if seat is not None and seat.fd in self.inspected:
                self.inspected[seat.fd](cast("Any", Once(handle)), mask)
            else:
                original(handle)
        finally:
            if self.level is not Level.OFF:
                self._mark = self._ran(handle, seat, name, began, mask)

    def _ran(self, handle: Any, seat: Seat | None, name: str, began: int, mask: int) -> int:
        """Write down a call that is over; when it was."""
        if seat is None:
            if isinstance(handle, asyncio.TimerHandle):
                over = self._loop.time() - handle.when()
                late = max(0, int(over * 1e9) - (self.nanoseconds() - began))
                self.lags.append((began, late, name))
                ended = self._called(name, began, (TIMER, late))
                self._sums[1] += ended - began
            else:
                ended = self._called(name, began, (POSTED,))
                self._sums[2] += ended - began
            return ended
        now = self.nanoseconds()
        took = now - began
        seat.events += 1
        seat.held_ns += took
        seat.returned = mask
        seat.last_ns = now
        seat.longest_ns = max(seat.longest_ns, took)
        self._hold(took, seat)
        self.callbacks += 1
        self._sums[0] += took
        self.write((CALL, began, took, seat, mask, seat.wanted))
        return now


class Once:
    """The call of one handle, for whoever looks before and after it."""

    __slots__ = ("__self__", "_handle")

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.__self__ = getattr(handle._callback, "__self__", None)

    def __call__(self, mask: int) -> None:
        """Run it."""
        del mask
        original(self._handle)


observers: dict[Any, AsyncioProbe] = {}
"""The loops that are observed now."""


def observed(handle: Any) -> None:
    """In place of ``Handle._run``, for all loops of the process."""
    probe = observers.get(handle._loop)
    if probe is None:
        original(handle)
    else:
        probe._observe_handle(handle)
