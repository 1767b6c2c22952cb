"""The loop in numbers, second by second: how busy, how late, how much, and what the watching itself costs."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

from poise.loop.probe import Probe
from poise.loop.seat import Phase, Seat

SECOND: Final = 1_000_000_000
ENOUGH: Final = SECOND // 4
"""Nanoseconds: of less than that nobody can say how busy the loop was in them."""


class Point(NamedTuple):
    """Sums at one moment, since the watching began."""

    at: int
    busy_ns: int
    turns: int
    calls: int
    records: int
    opened: int
    spent_ns: int
    sent: int


class Hold(NamedTuple):
    """A call that was the longest of its second."""

    ns: int
    ended: int
    holder: Seat | str


class Series:
    """``end_second()`` is called once a second by the watching thread."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        limits = probe.limits
        self.numbered = 0
        """How many points there were ever; the last of them are in ``at``, ``busy``, ``lag`` and ``calls``."""
        self.at: deque[int] = deque(maxlen=limits.points)
        self.busy: deque[float] = deque(maxlen=limits.points)
        self.lag: deque[int | None] = deque(maxlen=limits.points)
        self.calls: deque[int] = deque(maxlen=limits.points)
        self._holds: deque[Hold] = deque(maxlen=limits.window)
        self._points: deque[Point] = deque(maxlen=limits.recent + 1)

    def end_second(self, spent_ns: int, sent: int) -> None:
        """A second is over; ``spent_ns`` of processor time and ``sent`` bytes went into the watching until now."""
        probe = self._probe
        now = probe.nanoseconds()
        self._points.append(
            Point(
                at=now,
                busy_ns=busy_ns(probe, now),
                turns=probe.turn_n,
                calls=probe.callbacks,
                records=probe.written,
                opened=probe.opened,
                spent_ns=spent_ns,
                sent=sent,
            )
        )
        (ns, ended, holder), probe.longest = probe.longest, (0, 0, None)
        if holder is not None:
            self._holds.append(Hold(ns, ended, holder))
        if len(self._points) < 2:
            return
        before, last = self._points[-2], self._points[-1]
        self.numbered += 1
        self.at.append(now)
        self.busy.append(round(share(before, last), 4))
        self.calls.append((last.calls - before.calls) * SECOND // max(1, last.at - before.at))
        self.lag.append(percentile(self._late(before.at), 0.99))

    def busy_share(self) -> float | None:
        """0 to 1: the part of the last seconds in which the loop did not wait; None until there is something to go by."""
        if not self._points:
            return None
        first, last = self._points[0], self._points[-1]
        if first is last:  # the first second is not over
            now = self._probe.nanoseconds()
            if now - first.at < ENOUGH:
                return None
            last = first._replace(at=now, busy_ns=busy_ns(self._probe, now))
        return share(first, last)

    def per_second(self, what: str) -> float:
        """By how much a field of Point grew in the last second."""
        if len(self._points) < 2:
            return 0.0
        before, last = self._points[-2], self._points[-1]
        grown: int = getattr(last, what) - getattr(before, what)
        return grown * SECOND / max(1, last.at - before.at)

    def longest(self) -> Hold | None:
        """The longest call of the last minute."""
        since = self._probe.nanoseconds() - self._probe.limits.window * SECOND
        ns, ended, holder = self._probe.longest
        held = [each for each in self._holds if each.ended >= since]
        if holder is not None:
            held.append(Hold(ns, ended, holder))
        return max(held, default=None, key=lambda each: each.ns)

    def lags(self) -> dict[str, int | None]:
        """How late the timers of the last minute were, in nanoseconds."""
        late = self._late(self._probe.nanoseconds() - self._probe.limits.window * SECOND)
        return {
            "p50": percentile(late, 0.5),
            "p99": percentile(late, 0.99),
            "max": late[-1] if late else None,
        }

    def since(self, number: int) -> dict[str, list[Any]]:
        """The points after the first ``number`` ones."""
        new = min(self.numbered - number, len(self.at))
        kept = (("at", self.at), ("busy", self.busy), ("lag", self.lag), ("calls", self.calls))
        return {name: list(values)[len(values) - new :] for name, values in kept}

    def _late(self, since: int) -> list[int]:
        """How late each timer was from ``since`` on, the least first."""
        return sorted(lag for when, lag, _ in self._probe.lags.copy() if when >= since)


def busy_ns(probe: Probe, now: int) -> int:
    """How long the loop was held, ever; what it is at now is counted as far as it has come."""
    held = probe.handle_ns + probe.timers_ns + probe.posted_ns
    return held if probe.phase is Phase.WAIT else held + max(0, now - probe.woken_ns)


def share(before: Point, last: Point) -> float:
    span = last.at - before.at
    return min(1.0, max(0.0, (last.busy_ns - before.busy_ns) / span)) if span > 0 else 0.0


def percentile(ordered: list[int], part: float) -> int | None:
    """Of a sorted list, the value that ``part`` of it do not exceed; None of an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None
