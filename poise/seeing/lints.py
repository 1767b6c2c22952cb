"""What is wrong with the loop's use, in one sentence each: which descriptor, why, and what to do about it.

A lint is no guess from one number. Each looks for a fault that has one explanation, and waits until a coincidence is out of the
question; a busy and clean server has none. The texts are ``lint.<id>`` and ``lint.<id>.fix``.

==================  ==================================================================================================
``unused``          ready again and again, and its handler does nothing about it: the loop spins
``write_idle``      watched for WRITE although nothing waits to be sent: a writable socket is always ready
``not_drained``     bytes wait, and no event comes: an edge was missed
``short_dropped``   send() took less than all, and the rest was forgotten
``hog``             one descriptor takes more than half of slow turns in which others were ready too
``peer_not_reading``  the peer has taken nothing of what waits for it, for some time
``descriptors``     the limit of open descriptors is near
``select_limit``    select(2) cannot name descriptors from 1024 on, and they are near
``storm``           connections come faster than a server usually wants
==================  ==================================================================================================
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from poise.loop.probe import Probe
from poise.loop.seat import Record, Seat
from poise.seeing.figures import duration, size
from poise.seeing.inspecting import NO_SPIN, Inspection
from poise.seeing.naming import about_seat
from poise.seeing.sampling import Sample, Sampler
from poise.seeing.series import SECOND, Series
from poise.seeing.shorts import Shorts
from poise.seeing.stalls import Stalls

if sys.platform != "win32":
    import resource

DRAINED: Final = frozenset({"connection", "tls", "pipe", "datagram", "other"})
"""Kinds of which the kernel says how much waits to be read."""
MOST: Final = 0.9  # of the turns
CPU, HELD, HOLDER = 9, -2, -1  # in a TURN: processor time, the longest call, and whose it was


class Lint(NamedTuple):
    """One sentence of one descriptor; ``args`` are strings ready to be put into it."""

    id: str
    fd: int | None
    gen: int | None
    peer: str
    args: dict[str, str]
    since: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self._asdict()


class Lints:
    """``round()`` is called after each round over the descriptors, ``end_second()`` once a second; ``found`` is what holds now."""

    def __init__(
        self, probe: Probe, sampler: Sampler, series: Series, stalls: Stalls, shorts: Shorts
    ) -> None:
        self._probe = probe
        self._limits = probe.limits
        self._sampler = sampler
        self._series = series
        self._stalls = stalls
        self._shorts = shorts
        self._inspections: list[Inspection] = []
        self._turn_n = probe.turn_n
        self._storms = 0
        self._hogs: deque[Record] = deque(maxlen=self._limits.turns)
        self._ready_ns = stalls.ready_ns()
        self._found: dict[tuple[str, Seat | None], tuple[Lint, int]] = {}

    @property
    def found(self) -> list[Lint]:
        """What was seen in the last moments, the oldest first."""
        return [lint for lint, _ in self._found.values()]

    def has(self, *ids: str) -> Lint | None:
        """The first that holds of those called so."""
        return next((lint for lint in self.found if lint.id in ids), None)

    def round(self) -> None:
        """Look at what the sampler has found."""
        now, turns = self._probe.nanoseconds(), self._probe.turn_n - self._turn_n
        self._turn_n += turns
        said = [*self._spins(), *self._dropped(), *self._hog(now)]
        self._inspect(turns)
        for sample in self._sampler.looked_at:
            said += self._stands_still(sample, now)
        for id, seat, args in said:  # noqa: A001 - as in the State
            self._say(id, seat, now, args)
        self._forget(now)

    def end_second(self) -> None:
        """Look at what goes by the second."""
        now = self._probe.nanoseconds()
        for id, seat, args in [*self._near_limits(), *self._storm()]:  # noqa: A001 - as in the State
            self._say(id, seat, now, args)

    def _forget(self, now: int) -> None:
        for key, (_, seen) in list(self._found.items()):
            if now - seen > self._limits.kept * SECOND:
                del self._found[key]

    def _say(self, id: str, seat: Seat | None, now: int, args: dict[str, str]) -> None:  # noqa: A002 - as in the State
        before = self._found.get((id, seat))
        since = now if before is None else before[0].since
        if seat is None:
            lint = Lint(id, None, None, "", args, since)
        else:
            about = about_seat(seat, self._probe.reactor)
            known = {"fd": f"{seat.fd}.{seat.gen}", "name": about.what, "peer": about.peer or about.kind}
            lint = Lint(id, seat.fd, seat.gen, about.peer, {**known, **args}, since)
        self._found[id, seat] = lint, now

    # -- spinning --------------------------------------------------------------------------------

    def _inspect(self, turns: int) -> None:
        """Have the calls looked at of those who are ready in nearly each turn."""
        limits = self._limits
        if turns < limits.often:
            return
        suspects = [
            each
            for each in self._sampler.looked_at
            if each.events - each.events_before >= max(limits.often, MOST * turns)
            and about_seat(each.seat, self._probe.reactor).kind not in NO_SPIN
        ]
        suspects.sort(key=lambda each: each.events_before - each.events)
        self._inspections = [Inspection(self._probe, each.seat) for each in suspects[: limits.suspects]]
        for inspection in self._inspections:
            self._probe.reactor.call_soon_threadsafe(inspection.begin)

    def _spins(self) -> Iterator[tuple[str, Seat, dict[str, str]]]:
        """What came of it since the last round."""
        inspections, self._inspections = self._inspections, []
        for inspection in inspections:
            if inspection.verdict:
                sample = self._sampler.samples.get(inspection.seat)
                rate = 0 if sample is None else sample.rate_events
                yield inspection.verdict, inspection.seat, {"rate": f"{rate:,}"}
            elif not inspection.done:
                self._probe.reactor.call_soon_threadsafe(inspection.end)

    # -- where bytes stand still -----------------------------------------------------------------

    def _stands_still(self, sample: Sample, now: int) -> Iterator[tuple[str, Seat, dict[str, str]]]:
        seat, found = sample.seat, sample.levels
        if sample.silent >= self._limits.silent and about_seat(seat, self._probe.reactor).kind in DRAINED:
            yield "not_drained", seat, {"waiting": size(found.received or 0)}
        if sample.flat_since and now - sample.flat_since >= self._limits.unread:
            waiting = (found.unsent or 0) + (found.queued or 0)
            yield (
                "peer_not_reading",
                seat,
                {"waiting": size(waiting), "time": duration(now - sample.flat_since)},
            )

    def _dropped(self) -> Iterator[tuple[str, Seat, dict[str, str]]]:
        for short in self._shorts.over():
            args = {"asked": size(short.asked), "taken": size(short.taken), "where": short.where}
            yield "short_dropped", short.seat, args

    # -- who takes too much ----------------------------------------------------------------------

    def _hog(self, now: int) -> Iterator[tuple[str, Seat, dict[str, str]]]:
        """A habit of one descriptor, and not of a machine that ran others meanwhile.

        Nor of another thread that kept the interpreter: the kernel takes that for sleep, and it makes anybody's call long. So what
        was not computed counts when it happens more often, and more often to this one than to all others.
        """
        slow = list(self._probe.slow)
        self._probe.slow.clear()
        ready_ns, self._ready_ns = self._ready_ns, self._stalls.ready_ns()
        held = sum(turn[HELD] for turn in slow)
        if held and 2 * (self._ready_ns - ready_ns) < held:
            self._hogs.extend(slow)
        since = now - self._limits.recent * SECOND
        recent = [turn for turn in self._hogs if turn[1] >= since]
        turns: dict[Seat, list[Record]] = {}
        for turn in recent:
            turns.setdefault(turn[HOLDER], []).append(turn)
        enough = self._limits.slow_turns
        for seat, each in turns.items():
            computed = sum(2 * turn[CPU] >= turn[HELD] for turn in each)
            if computed >= enough or (len(each) >= 2 * enough and 2 * len(each) > len(recent)):
                longest = max(turn[HELD] for turn in each)
                yield "hog", seat, {"times": str(len(each)), "longest": duration(longest)}

    # -- limits ----------------------------------------------------------------------------------

    def _near_limits(self) -> Iterator[tuple[str, Seat | None, dict[str, str]]]:
        highest = self._sampler.highest
        seat = self._probe.seats.get(highest)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if sys.platform != "win32" else -1
        if most > 0 and highest + 1 >= self._limits.full * most:
            yield "descriptors", seat, {"highest": f"{highest:,}", "limit": f"{most:,}"}
        if self._probe.reactor.poller.name == "select" and highest >= self._limits.near_select:
            yield "select_limit", seat, {"highest": f"{highest:,}"}

    def _storm(self) -> Iterator[tuple[str, Seat | None, dict[str, str]]]:
        opened = self._series.per_second("opened")
        self._storms = self._storms + 1 if opened >= self._limits.storm else 0
        if self._storms >= 2:
            listeners = [each for each in self._sampler.listed if self._is_listener(each.seat)]
            busiest = max(listeners, default=None, key=lambda each: each.events - each.events_before)
            seat = None if busiest is None else busiest.seat
            yield "storm", seat, {"rate": f"{opened:,.0f}", "open": f"{self._sampler.total:,}"}

    def _is_listener(self, seat: Seat) -> bool:
        return about_seat(seat, self._probe.reactor).kind == "listener"
