"""The observed turn: what a reactor does, written down while it does it.

It is the turn of ``reactor.py`` line by line, with readings of one clock in between; the tests of the reactor run on both.
What it costs is the point of its shape:

* **One clock reading for each call.** A call begins when the one before it has ended, so the sum of all is the time that the
  loop was held, with nothing left out.
* **Sums in the seat, one tuple in a ring** that was there before. Nothing is formatted, looked up or sent on the loop.
* **Who runs right now costs nothing.** A reader in another thread finds it in the frame of the loop that runs the calls, in the
  variables named at ``RUNNING``, and looks there only when the phase has lasted long.

Everything here is written by the loop's thread and read by another. No lock is needed: what is read is one integer or one
tuple at a time, and a sum that is one call old is no error.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from poise.errors import ProgramFault
from poise.limits.seeing import SeeingLimits
from poise.loop.clock import cpu_nanoseconds, nanoseconds
from poise.loop.reactor import Handler, Reactor
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
    TURN,
    Level,
    Phase,
    Record,
    Seat,
    Tally,
    name_of,
)
from poise.loop.timers import Deadline, TimerHandle
from poise.readiness.interest import show

Clock = Callable[[], int]

RUNNING: Final = ("_observe_calls", "_observe_due", "_observe_posted", "_observe_handle")
"""The functions whose frame has ``began`` (nanoseconds) and, of the call that runs, ``seat``, ``callback`` or ``name``."""

NOBODY: Final = Seat(-1, 0, "", 0, 0)
# An attribute of an enum is a call in Python 3.11, and these are needed in each turn.
WAIT, HANDLE, TIMERS, POSTS = Phase.WAIT, Phase.HANDLE, Phase.TIMERS, Phase.POSTED


class Observed:
    """The turn, and what it writes down. Not used itself: the base of Probe."""

    # An object with more attributes than 30 finds each of them by a longer way, unless they have slots (CPython).
    __slots__ = (
        "_cpu_due_ns",
        "_cpu_nanoseconds",
        "_cpu_ns",
        "_generations",
        "_held_ns",
        "_holder",
        "_parting",
        "_unseated",
        "_waker",
        "callbacks",
        "describe",
        "handle_ns",
        "inspected",
        "lags",
        "left",
        "level",
        "limits",
        "longest",
        "nanoseconds",
        "native_id",
        "opened",
        "phase",
        "phase_began_ns",
        "posted_ns",
        "reactor",
        "ring",
        "seats",
        "slow",
        "tallies",
        "thread_id",
        "timers_ns",
        "turn_began_ns",
        "turn_n",
        "turns",
        "wait_ns",
        "woken_ns",
        "written",
    )

    def __init__(
        self,
        reactor: Reactor,
        limits: SeeingLimits | None = None,
        *,
        nanoseconds: Clock = nanoseconds,
        cpu_nanoseconds: Clock = cpu_nanoseconds,
    ) -> None:
        self.reactor = reactor
        self.limits = limits if limits is not None else SeeingLimits()
        self.nanoseconds = nanoseconds
        self._cpu_nanoseconds = cpu_nanoseconds
        self.level = Level.OFF
        self.seats: dict[int, Seat] = {}
        """Who is registered now, as far as it was seen yet."""
        self.left: deque[Seat] = deque(maxlen=self.limits.left)
        """Who has gone and was not collected by a reader."""
        self.tallies: dict[str, Tally] = {}
        """What timers and posted calls have cost, by name."""
        self.lags: deque[tuple[int, int, str]] = deque(maxlen=self.limits.lags)
        """How late timers were: ``(when, nanoseconds late, name)``."""
        self.slow: deque[Record] = deque(maxlen=self.limits.left)
        """Turns that handled several descriptors for long, most of it one of them; until a reader takes them."""
        self.inspected: dict[int, Callable[[Handler, int], None]] = {}
        """Descriptors whose calls go through somebody who looks before and after: ``look(handler, mask)`` makes the call."""
        self.describe: Callable[[Seat, Handler], None] | None = None
        """Called with each seat that leaves, while its handler is still known."""
        self._generations: dict[int, int] = {}
        self._parting: Seat | None = None  # is being retired, not only unregistered
        self._held_ns = 0  # by the longest call of the present turn
        self._holder: Seat | str = NOBODY
        self._empty()

    def _empty(self) -> None:
        for kept in (self.seats, self.left, self.tallies, self.lags, self.slow, self.inspected):
            kept.clear()
        self.ring: list[Record | None] = []
        self.written = 0
        """How many records were ever written; the last of them are in ``ring``, each at its number modulo the size."""
        self.turns: list[Record | None] = []
        """The same for turns alone, by ``turn_n``: what a reader looks at all the time."""
        self.turn_n = 0
        self.turn_began_ns = self.phase_began_ns = self.nanoseconds()
        self.woken_ns = self.turn_began_ns
        """When the wait of the present turn ended."""
        self.phase = WAIT
        self.thread_id = self.native_id = 0
        """Of the loop's thread: for ``sys._current_frames``, and for the kernel."""
        self.wait_ns = self.handle_ns = self.timers_ns = self.posted_ns = 0
        self.callbacks = 0
        self.opened = 0
        self.longest: tuple[int, int, Seat | str | None] = (0, 0, None)
        """The longest call since a reader put it back to zeros: ``(nanoseconds, when it ended, seat or name)``."""
        self._cpu_ns = self._cpu_due_ns = 0
        self._waker = self.reactor._wakeup.fileno()
        self._unseated: list[int] = []

    def _seat(self, fd: int, handler: Handler) -> Seat:
        gen = self._generations[fd] = self._generations.get(fd, 0) + 1
        interest = self.reactor.poller.interest(fd)
        seat = self.seats[fd] = Seat(fd, gen, name_of(handler), interest, self.nanoseconds())
        return seat

    def write(self, record: Record) -> None:
        """Add a record to the ring, if there is one. For the loop's thread."""
        ring = self.ring
        if ring:
            ring[self.written % len(ring)] = record
            self.written += 1

    # -- the turn --------------------------------------------------------------------------------

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
            self._turned(asked, len(events), why, began, woken, handled, timed, ended)

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
        handlers, changed = reactor._handlers, reactor._changed
        seats, inspected = self.seats, self.inspected
        ring, size = self.ring, len(self.ring)
        longest, holder = 0, NOBODY
        batch = iter(events)
        fd, seat = -1, NOBODY
        while True:
            try:
                for fd, mask in batch:
                    if changed and fd in changed:
                        mask = reactor._cut(fd, mask)
                        if not mask:
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
                    if inspected and fd in inspected:
                        inspected[fd](handler, mask)
                    else:
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
                    if ring:
                        written = self.written
                        ring[written % size] = (CALL, began, took, seat, mask, wanted)
                        self.written = written + 1
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
            self.write((CALL, began, took, seat, seat.returned, seat.wanted))
        return now

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

    def _called(self, name: str, began: int, kind: tuple[int, ...]) -> int:
        now = self.nanoseconds()
        took = now - began
        tally = self.tallies.get(name)
        if tally is None:
            tally = Tally()
            if len(self.tallies) < self.limits.names:
                self.tallies[name] = tally
        tally.calls += 1
        tally.held_ns += took
        tally.longest_ns = max(tally.longest_ns, took)
        self._hold(took, name)
        self.callbacks += 1
        self.write((kind[0], began, took, name, *kind[1:]))
        return now

    def _hold(self, took: int, holder: Seat | str) -> None:
        if took > self._held_ns:
            self._held_ns, self._holder = took, holder

    def _turned(
        self,
        asked: float | None,
        ready: int,
        why: int,
        began: int,
        woken: int,
        handled: int,
        timed: int,
        ended: int,
    ) -> None:
        """Write down the turn that is over."""
        held, holder = self._held_ns, self._holder if self._held_ns else None
        if held > self.longest[0]:
            self.longest = held, ended, holder
        cpu = -1
        if ended >= self._cpu_due_ns:
            self._cpu_due_ns = ended + self.limits.cpu_every
            cpu = self._read_cpu()
        record = (
            TURN,
            began,
            self.turn_n,
            -1 if asked is None else int(asked * 1e9),
            woken - began,
            handled - woken,
            timed - handled,
            ended - timed,
            ready,
            cpu,
            why,
            held,
            holder,
        )
        if ready > 1 and handled - woken >= self.limits.note and 2 * held > handled - woken:
            self.slow.append(record)
        self.turns[self.turn_n % len(self.turns)] = record
        self.ring[self.written % len(self.ring)] = record
        self.written += 1

    def _read_cpu(self) -> int:
        """Processor time since the last reading; -1 when that was in another thread, as the first one is."""
        used = self._cpu_nanoseconds()
        before, self._cpu_ns = self._cpu_ns, used
        thread_id = threading.get_ident()
        if thread_id == self.thread_id:
            return used - before
        self.thread_id, self.native_id = thread_id, threading.get_native_id()
        return -1
