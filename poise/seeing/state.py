"""The State: what a viewer is told four times a second, as plain values for JSON.

Each viewer has a cursor: what it has been told already is not told again. What the loop is at in this moment is read when the
state is made, not when the watching thread last looked: so a stall is seen to grow.
"""

from __future__ import annotations

from typing import Any, Final

from poise.loop.probe import Probe
from poise.loop.seat import Seat, name_of
from poise.loop.timers import Deadlines, Timers
from poise.seeing import recorder
from poise.seeing.looking import Looking
from poise.seeing.naming import short
from poise.seeing.sampling import Row, row
from poise.seeing.series import SECOND
from poise.seeing.stalls import Stall
from poise.seeing.verdict import verdict

Value = dict[str, Any]

IN_HEAP: Final = 1023  # entries: the ten smallest of a heap are among its first ten levels


class Cursor:
    """What one viewer has been told."""

    __slots__ = ("looking", "point", "rows", "stall", "turn")

    def __init__(self) -> None:
        self.looking: Looking | None = None
        self.turn = self.point = self.stall = 0
        self.rows: dict[tuple[int, int], Row] = {}

    def of(self, looking: Looking) -> None:
        """Begin anew when it is another watching."""
        if self.looking is not looking:
            self.__init__()  # type: ignore[misc]  # all of it begins anew
            self.looking = looking


def state(looking: Looking, cursor: Cursor, own: frozenset[int], viewers: int) -> Value:
    """What there is to say now, and what ``cursor`` was not told yet. ``own`` are the descriptors of the watching itself."""
    probe = looking.probe
    with looking.lock:
        cursor.of(looking)
        now = probe.nanoseconds()
        stuck = looking.stalls.stuck()
        return {
            "at": now,
            "wall": probe.reactor.clock.wall(),
            "level": probe.level.name.lower(),
            "verdict": verdict(looking, stuck, now),
            "numbers": numbers(looking, stuck, now),
            "cost": cost(looking, viewers),
            "turn": turn(probe, stuck, now),
            "strip": strip(probe, cursor),
            "series": series(looking, cursor),
            **rows(looking, cursor, own),
            "holders": holders(looking),
            "stalls": stalls(looking, cursor),
            **timers(probe),
            "lags": looking.series.lags(),
            "lints": [lint.as_dict() for lint in looking.lints.found],
            "recorder": recorder.held(probe),
        }


def numbers(looking: Looking, stuck: Stall | None, now: int) -> Value:
    series = looking.series
    busy = series.busy_share()
    return {
        "busy": None if busy is None else round(busy, 4),
        "longest": longest(looking, stuck, now),
        "lag_p99_ns": series.lags()["p99"],
        "turns_per_s": round(series.per_second("turns"), 1),
        "callbacks_per_s": round(series.per_second("calls"), 1),
        "open": max(0, len(looking.probe.seats)),
    }


def longest(looking: Looking, stuck: Stall | None, now: int) -> Value | None:
    """The longest hold of the last minute; the one that goes on, when that is it."""
    hold = looking.series.longest()
    if stuck is not None and (hold is None or stuck.ns > hold.ns):
        return {
            "ns": stuck.ns,
            "name": stuck.name,
            "fd": stuck.fd,
            "gen": stuck.gen,
            "ago_ns": 0,
            "kind": stuck.kind,
        }
    if hold is None:
        return None
    name, seat = recorder.name_of_holder(hold.holder, looking.probe), hold.holder
    known = looking.stalls.worst.get(name)
    return {
        "ns": hold.ns,
        "name": name,
        "fd": seat.fd if isinstance(seat, Seat) else None,
        "gen": seat.gen if isinstance(seat, Seat) else None,
        "ago_ns": now - hold.ended,
        "kind": known.kind if known is not None and known.ns == hold.ns else None,
    }


def cost(looking: Looking, viewers: int) -> Value:
    """What the watching takes from the program: its threads, and the loop's own writing down."""
    series, limits = looking.series, looking.probe.limits
    recording = series.per_second("records") * limits.record_cost
    return {
        "cpu": round((series.per_second("spent_ns") + recording) / SECOND, 5),
        "bytes_per_s": round(series.per_second("sent")),
        "viewers": viewers,
        "records_per_s": round(series.per_second("records")),
    }


def turn(probe: Probe, stuck: Stall | None, now: int) -> Value:
    phase, began = probe.phase, probe.phase_began_ns
    told = None
    if stuck is not None:
        told = {name: value for name, value in stuck.as_dict().items() if name not in {"id", "at", "runq_ns"}}
    return {"n": probe.turn_n, "phase": phase.name.lower(), "phase_ns": max(0, now - began), "stuck": told}


def strip(probe: Probe, cursor: Cursor) -> Value:
    most = probe.limits.strip_more if cursor.turn else probe.limits.strip
    turns = recorder.strip(probe, cursor.turn, most)
    if turns:
        cursor.turn = turns[-1][0]
    return {"first": turns[0][0] if turns else cursor.turn, "turns": turns}


def series(looking: Looking, cursor: Cursor) -> Value:
    points = looking.series.since(cursor.point)
    cursor.point = looking.series.numbered
    return points


def rows(looking: Looking, cursor: Cursor, own: frozenset[int]) -> Value:
    """The lines of the table that are new or have changed, and those that are not there any more."""
    probe, sampler = looking.probe, looking.sampler
    held = looking.stalls.held
    running = held.running.seat if held is not None else None
    now: dict[tuple[int, int], Row] = {}
    for sample in sampler.listed:
        now[sample.seat.fd, sample.seat.gen] = row(sample, running, held is not None, sample.seat.fd in own)
    before, cursor.rows = cursor.rows, now
    changed = [line for key, line in now.items() if before.get(key) != line]
    gone = [list(key) for key in before if key not in now]
    return {"rows": changed, "gone": gone, "rows_total": len(probe.seats)}


def holders(looking: Looking) -> list[Value]:
    found = looking.sampler.holders()
    total = sum(share.total_ns for _, share in found) or 1
    told = []
    for name, share in found[: looking.probe.limits.holders]:
        worst = looking.stalls.worst.get(name)
        told.append(
            {
                "name": name,
                "calls": share.calls,
                "total_ns": share.total_ns,
                "longest_ns": share.longest_ns,
                "share": round(share.total_ns / total, 4),
                "worst": None if worst is None else worst.as_dict(),
            }
        )
    return told


def stalls(looking: Looking, cursor: Cursor) -> list[Value]:
    new = [stall for stall in looking.stalls.found if stall.id > cursor.stall]
    if new:
        cursor.stall = new[-1].id
    return [stall.as_dict() for stall in new]


def timers(probe: Probe) -> Value:
    """The next ones, by when they are due, and how many there are. Of deadlines, which are many, the first of each duration."""
    reactor = probe.reactor
    now = reactor.clock.monotonic()
    due = next_timers(reactor.timers) + next_deadlines(reactor.deadlines)
    due.sort(key=lambda item: item[0])
    told = [
        {"name": name, "due_in_ns": int((when - now) * SECOND), "every": every}
        for when, name, every in due[: probe.limits.timers]
    ]
    return {"timers": told, "timers_total": len(reactor.timers) + len(reactor.deadlines)}


def next_timers(timers: Timers) -> list[tuple[float, str, float | None]]:
    found: list[tuple[float, str, float | None]] = []
    for when, _, handle in timers._heap[:IN_HEAP]:
        callback = handle.callback
        if callback is not None:
            found.append((when, short(name_of(callback)), None))
    return found


def next_deadlines(deadlines: Deadlines) -> list[tuple[float, str, float | None]]:
    found: list[tuple[float, str, float | None]] = []
    for duration, queue in deadlines._queues.copy().items():
        first = next(iter(queue.deadlines.copy()), None) if len(queue.deadlines) < IN_HEAP else None
        callback = None if first is None else first.callback
        if first is not None and callback is not None:
            found.append((first.since + duration, short(name_of(callback)), duration))
    return found
