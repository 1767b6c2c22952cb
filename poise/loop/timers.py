"""What is due, and when is the next thing due?

Two kinds of waiting, because their costs differ:

* :class:`Timers` is for the general case: a heap. Cancelling only marks, which is quick; marked handles are swept
  out when they are many, so that a million set and cancelled timers leave nothing behind.
* :class:`Deadlines` is for the timeouts that *every connection* has, which are restarted with every byte that
  arrives and almost never happen. Restarting is ``deadline.since = now``: one store, no call. The entry that was
  made at the start stays where it is; when it comes due and the deadline was restarted meanwhile, it
  is put in again for the real time. So a busy connection costs one look per duration, not one per byte.

The facts behind the queues of Deadlines: deadlines of the same duration come due in the order in which they
were made, so for each duration a first-in-first-out queue is always sorted, and adding to it costs no
comparison. What would break the order (put in again, changed) goes into a small heap instead. Durations beyond
LoopLimits.durations go there as well, so that a program that makes up new ones does not make queues without end.

All times are seconds of one monotonic clock. Nothing here reads a clock: ``now`` is handed in, once per turn, and
so is the cut-off: what is made while a turn runs its due timers is due in the next turn at the earliest.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar

from poise.limits import LoopLimits

Callback = Callable[..., object]
_NEVER = math.inf
_OVER = -math.inf


class TimerHandle:
    """One call in the future. ``callback`` is None once it was cancelled: look before you call it."""

    __slots__ = ("_timers", "args", "callback", "when")

    def __init__(self, timers: Timers, when: float, callback: Callback, args: tuple[Any, ...]) -> None:
        self._timers: Timers | None = timers
        self.when = when
        """When it is due, in seconds of the reactor's monotonic clock."""
        self.callback: Callback | None = callback
        self.args = args

    @property
    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self.callback is None

    def cancel(self) -> None:
        """Never call it, and let go of the callback now. May be repeated, also after the call."""
        self.callback = None
        self.args = ()
        timers, self._timers = self._timers, None
        if timers is not None:
            timers._was_cancelled()

    def __repr__(self) -> str:
        return f"<TimerHandle {'cancelled' if self.cancelled else f'when={self.when:g} {self.callback!r}'}>"


class Timers:
    """Timers in the order of their time; those of the same time in the order in which they were made."""

    __slots__ = ("_cancelled", "_heap", "_limits", "_made", "next_due", "on_sooner")

    def __init__(self, limits: LoopLimits | None = None) -> None:
        self._limits = limits or LoopLimits()
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._made = 0
        self._cancelled = 0
        self.next_due = _NEVER
        """When the next timer is due; infinity when there is none."""
        self.on_sooner: Callback | None = None
        """Called when ``next_due`` becomes earlier, for whoever waits by what it was."""

    def __len__(self) -> int:
        """How many wait to be called."""
        return len(self._heap) - self._cancelled

    def call_at(self, when: float, callback: Callback, args: tuple[Any, ...] = ()) -> TimerHandle:
        """Have ``callback(*args)`` called at ``when``; in the past is due at once. ValueError for NaN."""
        if when != when:  # true of NaN alone
            raise ValueError("a timer cannot be due at NaN")
        handle = TimerHandle(self, when, callback, args)
        self._made += 1
        heappush(self._heap, (when, self._made, handle))
        if when < self.next_due:
            self.next_due = when
            if self.on_sooner is not None:
                self.on_sooner()
        return handle

    def pop_due(self, now: float) -> list[TimerHandle]:
        """Take out what is due at ``now``, at most LoopLimits.timers; the rest stays due.

        A handle of the list may be cancelled by the call of an earlier one.
        """
        heap = self._heap
        due: list[TimerHandle] = []
        most = self._limits.timers
        while heap and heap[0][0] <= now and len(due) < most:
            handle = heappop(heap)[2]
            if handle.callback is None:
                self._cancelled -= 1
            else:
                handle._timers = None
                due.append(handle)
        self._skip_cancelled()
        return due

    def _was_cancelled(self) -> None:
        self._cancelled += 1
        heap = self._heap
        if 2 * self._cancelled > len(heap) and self._cancelled > self._limits.cancelled:
            self._heap = [entry for entry in heap if entry[2].callback is not None]
            heapify(self._heap)
            self._cancelled = 0
        elif heap[0][2].callback is not None:
            return  # it was not the next one
        self._skip_cancelled()

    def _skip_cancelled(self) -> None:
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
            self._cancelled -= 1
        self.next_due = heap[0][0] if heap else _NEVER


class Deadline:
    """One timeout that is restarted again and again: by storing the time of now in ``since``.

    ``since`` must never go back. Once ``expire`` has handed the deadline out, or it was cancelled, it is over for good.
    """

    __slots__ = ("_deadlines", "_queued", "callback", "duration", "since")

    args: ClassVar[tuple[()]] = ()  # as every call that waits for its turn has
    # Filled in by Deadlines.start: a constructor of its own would cost every connection one call more.
    since: float
    duration: float
    callback: Callback | None
    _deadlines: Deadlines
    _queued: float
    # The earliest time for which an entry is queued: infinity for none, minus infinity once it is over (so that
    # nothing is ever earlier). An entry of another time is stale.

    def change(self, duration: float, now: float) -> None:
        """Restart with another duration, for another phase. ValueError when it is negative or NaN."""
        if not duration >= 0:
            raise ValueError(f"a duration must be at least 0 seconds, not {duration}")
        self.since = now
        self.duration = duration
        due = now + duration
        if due < self._queued:
            if self._queued != _NEVER:
                self._deadlines._became_stale()
            self._deadlines._put(self, due)

    def cancel(self) -> None:
        """Never call it, and let go of the callback now. May be repeated, also after it expired."""
        self.callback = None
        queued = self._queued
        if queued != _OVER:
            self._queued = _OVER
            deadlines = self._deadlines
            deadlines._live -= 1
            if queued != _NEVER:
                deadlines._became_stale()

    def __lt__(self, other: Deadline) -> bool:
        return False  # entries of the same time have no order; this only keeps the heap from asking for one


class _Queue:
    """Entries of one duration, earliest first. Two deques and no tuples: each entry costs 16 bytes, not 64."""

    __slots__ = ("deadlines", "dues")

    def __init__(self) -> None:
        self.dues: deque[float] = deque()
        self.deadlines: deque[Deadline] = deque()


class Deadlines:
    """Every connection's timeouts."""

    __slots__ = ("_entries", "_heap", "_limits", "_live", "_queues", "_stale", "next_due", "on_sooner")

    def __init__(self, limits: LoopLimits | None = None) -> None:
        self._limits = limits or LoopLimits()
        self._queues: dict[float, _Queue] = {}
        self._heap: list[tuple[float, Deadline]] = []
        self._live = 0
        self._entries = 0
        self._stale = 0
        self.next_due = _NEVER
        """When the next look is worth it; infinity for never. What is due is never due earlier than this."""
        self.on_sooner: Callback | None = None
        """Called when ``next_due`` becomes earlier, for whoever waits by what it was."""

    def __len__(self) -> int:
        """How many are neither cancelled nor expired."""
        return self._live

    @property
    def entries(self) -> int:
        """How many entries are queued, stale ones included: bounded by the number of deadlines, not of restarts."""
        return self._entries

    def start(self, duration: float, callback: Callback, now: float) -> Deadline:
        """A deadline that is due ``duration`` seconds after ``now``. ValueError for a negative or NaN duration."""
        if not duration >= 0:
            raise ValueError(f"a duration must be at least 0 seconds, not {duration}")
        deadline = Deadline()
        deadline.since = now
        deadline.duration = duration
        deadline.callback = callback
        deadline._deadlines = self
        self._live += 1
        due = now + duration
        queue = self._queues.get(duration)
        if queue is not None and queue.dues and queue.dues[-1] <= due != _NEVER:
            # What _put does for all but the first of its duration, without the call.
            deadline._queued = due
            self._entries += 1
            queue.dues.append(due)
            queue.deadlines.append(deadline)
        else:
            self._put(deadline, due)
        return deadline

    def expire(self, now: float, limit: int | None = None) -> list[Deadline]:
        """Take out what is due at ``now``, looking at no more than ``limit`` entries (LoopLimits.timers).

        What was not looked at stays due, and ``next_due`` says so. Call each one's ``callback`` unless it is
        None by then: an earlier one may have cancelled it.
        """
        looks = self._limits.timers if limit is None else limit
        expired: list[Deadline] = []
        for duration in list(self._queues):
            queue = self._queues[duration]
            dues = queue.dues
            while looks and dues and dues[0] <= now:
                looks -= 1
                self._look(dues.popleft(), queue.deadlines.popleft(), now, expired)
            if not dues:
                del self._queues[duration]
        heap = self._heap
        while looks and heap and heap[0][0] <= now:
            looks -= 1
            self._look(*heappop(heap), now, expired)
        self._find_next()
        return expired

    def _look(self, queued: float, deadline: Deadline, now: float, expired: list[Deadline]) -> None:
        self._entries -= 1
        if queued != deadline._queued:
            self._stale -= 1
            return
        due = deadline.since + deadline.duration
        if due <= now:
            deadline._queued = _OVER
            self._live -= 1
            expired.append(deadline)
        else:
            self._put(deadline, due)

    def _put(self, deadline: Deadline, due: float) -> None:
        """Queue an entry, the only one of ``deadline`` that counts; none for what is never due."""
        deadline._queued = due
        if due == _NEVER:
            return
        self._entries += 1
        queue = self._queues.get(deadline.duration)
        if queue is None and len(self._queues) < self._limits.durations:
            queue = self._queues[deadline.duration] = _Queue()
        if queue is None or (queue.dues and due < queue.dues[-1]):
            heappush(self._heap, (due, deadline))
        else:
            queue.dues.append(due)
            queue.deadlines.append(deadline)
        if due < self.next_due:
            self.next_due = due
            if self.on_sooner is not None:
                self.on_sooner()

    def _became_stale(self) -> None:
        self._stale += 1
        if 2 * self._stale > self._entries and self._stale > self._limits.cancelled:
            self._sweep()

    def _sweep(self) -> None:
        """Drop the stale entries. Taking some out of a sorted queue leaves it sorted."""
        for duration, queue in list(self._queues.items()):
            entries = zip(queue.dues, queue.deadlines, strict=True)
            kept = [deadline for due, deadline in entries if due == deadline._queued]
            queue.dues = deque([deadline._queued for deadline in kept])
            queue.deadlines = deque(kept)
            if not kept:
                del self._queues[duration]
        self._heap = [entry for entry in self._heap if entry[0] == entry[1]._queued]
        heapify(self._heap)
        self._entries = len(self._heap) + sum(len(queue.dues) for queue in self._queues.values())
        self._stale = 0
        self._find_next()

    def _find_next(self) -> None:
        next_due = self._heap[0][0] if self._heap else _NEVER
        for queue in self._queues.values():
            if queue.dues and queue.dues[0] < next_due:
                next_due = queue.dues[0]
        self.next_due = next_due
