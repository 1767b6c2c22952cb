"""The observed turn: what a reactor does, written down while it does it.

It is the turn of ``reactor.py`` line by line, with readings of one clock in between; the tests of the reactor run on both.
What it costs is the point of its shape:

* **One clock reading for each call.** A call begins when the one before it has ended, so the sum of all is the time that the
  loop was held, with nothing left out.
* **Sums in the seat, four items on a page** (``pages.py``). Nothing is formatted, looked up or sent on the loop.
* **Who runs right now costs nothing.** A reader in another thread finds it in the frame of the loop that runs the calls, in the
  variables named at ``RUNNING``, and looks there only when the phase has lasted long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from poise.errors import ProgramFault
from poise.loop.notes import HANDLE, NOBODY, POSTS, TIMERS, WAIT, Notes
from poise.loop.reactor import Handler
from poise.loop.seat import (
    BY_CALLER,
    BY_DESCRIPTOR,
    BY_POST,
    BY_SIGNAL,
    BY_TIMER,
    BY_WAKEUP,
    CALL,
    POSTED,
    TIMER,
    Seat,
    name_of,
)
from poise.loop.timers import Deadline, TimerHandle
from poise.readiness.interest import show

RUNNING: Final = ("_observe_calls", "_observe_due", "_observe_posted", "_observe_handle")
"""The functions whose frame has ``began`` (nanoseconds) and, of the call that runs, ``seat``, ``callback`` or ``name``."""


class Inspected:
    """The handlers by descriptor, some of them with one who looks before and after: in the few turns that have such."""

    __slots__ = ("_handlers", "_looks")

    def __init__(
        self, handlers: dict[int, Handler], looks: dict[int, Callable[[Handler, int], None]]
    ) -> None:
        self._handlers = handlers
        self._looks = looks

    def __getitem__(self, fd: int) -> Handler:
        handler = self._handlers[fd]
        look = self._looks.get(fd)
        return handler if look is None else partial(look, handler)


class Observed(Notes):
    """The turn, and what it writes down. Not used itself: the base of Probe."""

    __slots__ = ()

    def _turn(self, longest: float = math.inf) -> None:
        """Reactor.turn, observed."""
        reactor, clock = self.reactor, self.nanoseconds
        if reactor._in_turn or reactor._closed:
            reactor._check_usable()
        reactor._in_turn = True
        self.turn_n += 1
        self._held_ns = 0
        try:
            if reactor._changed:
                reactor._changed.clear()
            asked = reactor._wait_time(longest)
            self.turn_began_ns = self.phase_began_ns = began = clock()
            events = reactor.poller.poll(asked, reactor.limits.events)
            reactor.now = now = reactor.clock.monotonic()
            posted = len(reactor._posted)
            self.phase_began_ns = self.woken_ns = woken = ended = clock()
            self.phase = HANDLE
            why = BY_DESCRIPTOR
            if not events or events[0][0] == self._waker:
                why = self._why(asked, events, now)
            if events:
                ended = self._observe_calls(events, woken)
            handled = timed = ended
            if now >= reactor.timers.next_due or now >= reactor.deadlines.next_due:
                self.phase_began_ns = handled
                self.phase = TIMERS
                timed = ended = self._observe_due(now, handled)
            if posted:
                self.phase_began_ns = timed
                self.phase = POSTS
                ended = self._observe_posted(posted, timed)
        finally:
            reactor._in_turn = False
            if reactor._retired:
                reactor._close_retired()
            self.phase = WAIT
        self.wait_ns += woken - began
        self.handle_ns += handled - woken
        self.callbacks += len(events)
        if ended != handled:
            self.timers_ns += timed - handled
            self.posted_ns += ended - timed
        if self.turns:
            self.written += len(events)
            self._turned(asked, len(events), why, began, woken, handled, timed, ended)
        else:
            self.items.clear()

    def _why(self, asked: float | None, events: list[tuple[int, int]], now: float) -> int:
        """Why the wait has ended, when it was for none of the program's descriptors first."""
        reactor = self.reactor
        if events:
            if len(events) > 1:
                return BY_DESCRIPTOR
            signals = reactor._signals
            return BY_SIGNAL if signals is not None and signals._pending else BY_WAKEUP
        if now >= reactor.timers.next_due or now >= reactor.deadlines.next_due:
            return BY_TIMER
        return BY_POST if asked == 0 and reactor._posted else BY_CALLER

    def _observe_calls(self, events: list[tuple[int, int]], began: int) -> int:
        """Reactor._dispatch, observed; when the last call ended."""
        reactor, clock = self.reactor, self.nanoseconds
        seats, changed = self.seats, reactor._changed
        handlers = Inspected(reactor._handlers, self.inspected) if self.inspected else reactor._handlers
        longest, holder = 0, NOBODY
        page = self.items
        page.append(began)
        batch = iter(events)
        fd, seat = -1, NOBODY
        while True:
            try:
                for fd, mask in batch:
                    if changed and fd in changed:
                        mask = reactor._cut(fd, mask)
                        if not mask:
                            self._uncalled()
                            continue
                    try:
                        handler = handlers[fd]
                    except KeyError:
                        raise ProgramFault(f"{show(mask)} for unregistered descriptor {fd}") from None
                    try:
                        seat = seats[fd]
                    except KeyError:
                        seat = self._seat(fd, handler)
                    wanted = seat.wanted
                    handler(mask)
                    now = clock()
                    took = now - began
                    seat.events += 1
                    seat.held_ns += took
                    seat.returned = mask
                    seat.last_ns = now
                    if took > seat.longest_ns:
                        seat.longest_ns = took
                    if took > longest:
                        longest, holder = took, seat
                    page += (seat, mask, wanted, now)
                    began = now
                if longest > self._held_ns:
                    self._held_ns, self._holder = longest, holder
                return began
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the loop
                reactor._handler_failed(fd, error)
                began = self._failed(fd, seat, began)

    def _failed(self, fd: int, seat: Seat, began: int) -> int:
        """The same for a call that raised, with the time that it took to report it; unless there was nobody to call."""
        now = self.nanoseconds()
        if seat.fd == fd:
            took = now - began
            seat.events += 1
            seat.held_ns += took
            seat.longest_ns = max(seat.longest_ns, took)
            seat.last_ns = now
            self._hold(took, seat)
            self.items.append((CALL, began, took, seat, seat.returned, seat.wanted))
        else:
            self._uncalled()
        self.items.append(now)
        return now

    def _uncalled(self) -> None:
        """One of the batch, which is counted as a whole, was not called."""
        self.callbacks -= 1
        if self.pages:
            self.written -= 1

    def _observe_due(self, now: float, began: int) -> int:
        """Reactor._run_due, observed."""
        reactor = self.reactor
        for take in (reactor.timers.pop_due, reactor.deadlines.expire):
            due: Iterator[TimerHandle | Deadline] = iter(take(now))
            try:
                for timer in due:
                    callback = timer.callback
                    if callback is not None:
                        when = timer.when if isinstance(timer, TimerHandle) else timer.since + timer.duration
                        late = int((now - when) * 1e9) + began - self.woken_ns
                        reactor._call(callback, timer.args)
                        name = name_of(callback)
                        self.lags.append((began, late, name))
                        began = self._called(name, began, (TIMER, late))
            finally:
                reactor._posted.extend(due)
        return began

    def _observe_posted(self, count: int, began: int) -> int:
        """Reactor._run_posted, observed."""
        reactor = self.reactor
        for _ in range(count):
            handle = reactor._posted.popleft()
            callback = handle.callback
            if callback is not None:
                reactor._call(callback, handle.args)
                began = self._called(name_of(callback), began, (POSTED,))
        return began
