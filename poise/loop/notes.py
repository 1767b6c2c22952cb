"""What is known of a loop that is observed: who is registered, what each call has cost, what the present turn is at.

Everything here is written by the loop's thread and read by another. No lock is needed: what is read is one integer or one
tuple at a time, and a sum that is one call old is no error.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from poise.limits.seeing import SeeingLimits
from poise.loop.clock import cpu_nanoseconds, nanoseconds
from poise.loop.pages import Pages
from poise.loop.reactor import Handler, Reactor
from poise.loop.seat import TURN, Level, Phase, Record, Seat, Tally, name_of

Clock = Callable[[], int]

NOBODY: Final = Seat(-1, 0, "", 0, 0)
# An attribute of an enum is a call in Python 3.11, and these are needed in each turn.
WAIT, HANDLE, TIMERS, POSTS = Phase.WAIT, Phase.HANDLE, Phase.TIMERS, Phase.POSTED


class Notes(Pages):
    """The base of whoever observes a loop, and writes down here what it does."""

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
        self._parting: Seat | None = None  # is being retired, not only unregistered
        self._held_ns = 0  # by the longest call of the present turn
        self._holder: Seat | str = NOBODY
        self._empty()

    def _empty(self) -> None:
        for kept in (self.seats, self.left, self.tallies, self.lags, self.slow, self.inspected):
            kept.clear()
        super().__init__()
        self._generations: dict[int, int] = {}
        self.turns: list[Record | None] = []
        """Turns alone, each at its ``turn_n`` modulo their number: what a reader looks at all the time."""
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

    def _begin(self, level: Level, stop: Callable[[], None]) -> bool:
        """Write down from now on, or at another level; True when it begins. Raises ProgramFault on a closed reactor."""
        begins = self.level is Level.OFF
        if begins:
            self.reactor.check_open()
            self._empty()
            self._read_cpu()  # and whose thread it is
            self.reactor.at_close.append(stop)
        if level < Level.RECORDER:
            self._let_go()
            self.turns = []
        elif not self.pages:
            self._keep(self.limits.records, self.limits.page, self.nanoseconds())
            self.turns = [None] * self.limits.turns
        self.level = level
        return begins

    def _end(self, stop: Callable[[], None]) -> None:
        """Write down nothing more, and let go of what was written."""
        if stop in self.reactor.at_close:  # unless it is from there that it is called
            self.reactor.at_close.remove(stop)
        self._empty()

    def _seat(self, fd: int, handler: Handler) -> Seat:
        gen = self._generations[fd] = self._generations.get(fd, 0) + 1
        interest = self.reactor.poller.interest(fd)
        seat = self.seats[fd] = Seat(fd, gen, name_of(handler), interest, self.nanoseconds())
        return seat

    # -- what was done ---------------------------------------------------------------------------

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
        if handled - woken >= self.limits.note and ready > 1 and 2 * held > handled - woken:
            self.slow.append(record)
        self.turns[self.turn_n % len(self.turns)] = record
        self.items.append(record)
        self.written += 1
        if self.written >= self._full_at:
            self._turn_page(ended)

    def _read_cpu(self) -> int:
        """Processor time since the last reading; -1 when that was in another thread, as the first one is."""
        used = self._cpu_nanoseconds()
        before, self._cpu_ns = self._cpu_ns, used
        thread_id = threading.get_ident()
        if thread_id == self.thread_id:
            return used - before
        self.thread_id, self.native_id = thread_id, threading.get_native_id()
        return -1
