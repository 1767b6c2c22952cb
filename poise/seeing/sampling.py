"""What is known of each descriptor and each handler over time: the table of rows, the rates, who held the loop.

Runs in the watching thread and reads what the loop writes. Everything that grows with the number of descriptors is done in
portions, one for each look (``step``), because this thread and the loop share the interpreter: whatever is done here in one piece
is a time in which the loop stands still.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import nlargest
from operator import attrgetter
from typing import Any, Final

from poise.loop.notes import WAIT
from poise.loop.probe import Probe
from poise.loop.seat import Seat
from poise.readiness.interest import READ, WRITE
from poise.seeing.levels import UNKNOWN, Levels, levels
from poise.seeing.naming import about_seat, short

SECOND: Final = 1_000_000_000
last_used = attrgetter("last_ns")

Row = dict[str, Any]


class Sample:
    """What was seen of one seat, this time and before."""

    __slots__ = (
        "at",
        "calls_marked",
        "events",
        "events_before",
        "flat_since",
        "held_marked",
        "levels",
        "longest_ns",
        "rate_events",
        "rate_in",
        "rate_out",
        "seat",
        "silent",
        "turn_n",
    )

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.at = 0
        self.levels = UNKNOWN
        self.events = self.events_before = seat.events
        self.rate_in = self.rate_out = self.rate_events = 0
        self.longest_ns = 0
        self.flat_since = 0
        """Since when the kernel holds something for the peer, and the peer takes nothing of it; 0 when it does."""
        self.silent = 0
        """In how many looks the same bytes waited to be read, and the loop went on without an event for them."""
        self.turn_n = 0
        self.calls_marked = self.held_marked = 0

    def look(self, found: Levels, probe: Probe) -> None:
        """Another look at where its bytes are."""
        now, seat = probe.nanoseconds(), self.seat
        before, self.levels = self.levels, found
        self.events_before, self.events = self.events, seat.events
        turns, self.turn_n = probe.turn_n - self.turn_n, probe.turn_n
        asleep = probe.phase is WAIT and probe.phase_began_ns < self.at
        quiet = self.events == self.events_before and (turns > 1 or asleep)
        waits = bool(found.received) and found.received == before.received and seat.wanted & READ
        self.silent = self.silent + 1 if quiet and waits else 0
        since, self.at = now - self.at if self.at else 0, now
        self.rate_in = rate(before.total_in, found.total_in, since)
        self.rate_out = rate(before.total_out, found.total_out, since)
        self.rate_events = rate(self.events_before, self.events, since)
        stands = bool(found.unsent) and found.unsent == before.unsent and found.total_out == before.total_out
        if not stands:
            self.flat_since = 0
        elif not self.flat_since:
            self.flat_since = now

    def state(self, running: Seat | None, loop_held: bool) -> str:
        """One word."""
        seat = self.seat
        if seat.closed_ns:
            return "closed"
        if seat is running:
            return "busy"
        if loop_held and self.levels.received and seat.wanted & READ:
            return "held"
        if self.levels.queued or seat.wanted & WRITE:
            return "writing"
        if not seat.wanted:
            return "paused"
        return "reading" if self.events != self.events_before else "waiting"


def rate(before: int | None, now: int | None, since: int) -> int:
    """By how much it has grown in a second."""
    if before is None or now is None or since <= 0:
        return 0
    return max(0, (now - before) * SECOND // since)


class Share:
    """What the calls of one name have cost in one second, or in the last minute."""

    __slots__ = ("calls", "longest_ns", "total_ns")

    def __init__(self) -> None:
        self.calls = self.total_ns = self.longest_ns = 0

    def add(self, calls: int, total_ns: int, longest_ns: int) -> None:
        self.calls += calls
        self.total_ns += total_ns
        self.longest_ns = max(self.longest_ns, longest_ns)


class Sampler:
    """``step()`` does the next portion; ``rows``, ``gone`` and ``holders`` are what came of the last whole round."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._limits = probe.limits
        self.samples: dict[Seat, Sample] = {}
        self.listed: list[Sample] = []
        """Those that are shown, most recently used first."""
        self.looked_at: list[Sample] = []
        """Those that were looked at in the last round: the listed ones and, in turns, some of the others."""
        self.total = 0
        self.highest = -1
        """The highest number of a descriptor."""
        self._others = 0
        self._odd = 0
        self._round: Iterator[None] = iter(())
        self._seconds: deque[dict[str, Share]] = deque(maxlen=self._limits.window)
        self._second: dict[str, Share] = {}
        self._tallied: dict[str, tuple[int, int]] = {}
        self._active_since = 0

    def step(self) -> bool:
        """The next portion; True when a round was finished by it."""
        try:
            next(self._round)
        except StopIteration:
            self._round = self._rounds()
            return True
        return False

    def _rounds(self) -> Iterator[None]:
        probe, limits = self._probe, self._limits
        self._charge_all()
        yield
        seats = list(probe.seats.values())
        self.total = len(seats)
        self.highest = max(probe.seats.copy(), default=-1)
        yield
        listed = nlargest(limits.rows, seats, key=last_used)
        yield
        others: list[Seat] = []
        if len(seats) > limits.rows:
            self._others = (self._others + limits.rows) % len(seats)
            shown = set(listed)
            others = [each for each in seats[self._others : self._others + limits.rows] if each not in shown]
        due = listed
        if len(listed) > limits.portion:  # of many, every other one: each question gives the interpreter away
            self._odd ^= 1
            due = listed[self._odd :: 2]
        looked_at = []
        for number, seat in enumerate(due + others, 1):
            if not seat.closed_ns:  # it may have gone since, and what was kept of it with it
                looked_at.append(self._look(seat))
            if number % limits.portion == 0:
                yield
        self.looked_at = looked_at
        there = [seat for seat in listed if not seat.closed_ns]
        for seat in there:
            about_seat(seat, probe.reactor)
        self.listed = [self.sample(seat) for seat in there]

    def _look(self, seat: Seat) -> Sample:
        sample = self.sample(seat)
        about_seat(seat, self._probe.reactor)
        sample.look(levels(seat, self._probe.reactor), self._probe)
        return sample

    def sample(self, seat: Seat) -> Sample:
        """What is kept of ``seat``."""
        found = self.samples.get(seat)
        if found is None:
            found = self.samples[seat] = Sample(seat)
        return found

    # -- who held the loop -----------------------------------------------------------------------

    def end_second(self) -> None:
        """What comes from now on belongs to the next second."""
        self._charge_all()
        self._seconds.append(self._second)
        self._second = {}
        if len(self.samples) > len(self._probe.seats):  # more have left at once than are kept for us
            self.samples = {seat: kept for seat, kept in self.samples.items() if not seat.closed_ns}

    def _charge_all(self) -> None:
        """Sum up what has cost how much since the last time."""
        probe = self._probe
        since, self._active_since = self._active_since, probe.nanoseconds()
        self._collect_left()
        for seat in [each for each in list(probe.seats.values()) if each.last_ns > since]:
            about_seat(seat, probe.reactor)
            self._charge(self.sample(seat))
        for name, tally in list(probe.tallies.items()):
            calls, held = self._tallied.get(name, (0, 0))
            if tally.calls != calls:
                self._tallied[name] = tally.calls, tally.held_ns
                longest, tally.longest_ns = tally.longest_ns, 0
                self._share(short(name)).add(tally.calls - calls, tally.held_ns - held, longest)

    def _collect_left(self) -> None:
        left = self._probe.left
        while left:
            sample = self.sample(left.popleft())
            self._charge(sample)
            del self.samples[sample.seat]

    def _charge(self, sample: Sample) -> None:
        seat = sample.seat
        events, held = seat.events, seat.held_ns
        longest, seat.longest_ns = seat.longest_ns, 0
        sample.longest_ns = max(sample.longest_ns, longest)
        name = seat.about.what if seat.about is not None else short(seat.handler)
        self._share(name).add(events - sample.calls_marked, held - sample.held_marked, longest)
        sample.calls_marked, sample.held_marked = events, held

    def _share(self, name: str) -> Share:
        found = self._second.get(name)
        if found is None:
            found = self._second[name] = Share()
        return found

    def holders(self) -> list[tuple[str, Share]]:
        """Who held the loop in the last minute, the longest in total first."""
        sums: dict[str, Share] = {}
        for second in [*self._seconds, self._second]:
            for name, share in list(second.items()):
                found = sums.setdefault(name, Share())
                found.add(share.calls, share.total_ns, share.longest_ns)
        return sorted(sums.items(), key=lambda item: -item[1].total_ns)


def row(sample: Sample, running: Seat | None, loop_held: bool, page: bool) -> Row:
    """A line of the table, as the page and the terminal show it."""
    seat, found = sample.seat, sample.levels
    what = seat.about
    return {
        "fd": seat.fd,
        "gen": seat.gen,
        "kind": what.kind if what is not None else "other",
        "what": what.what if what is not None else short(seat.handler),
        "peer": what.peer if what is not None else "",
        "state": sample.state(running, loop_held),
        "wanted": seat.wanted,
        "returned": seat.returned,
        "in": found.received,
        "queue": found.queued,
        "out": found.unsent,
        "rate_in": sample.rate_in,
        "rate_out": sample.rate_out,
        "events": seat.events,
        "held_ns": seat.held_ns,
        "longest_ns": max(sample.longest_ns, seat.longest_ns),
        "last_ns": seat.last_ns,
        "page": page,
    }
