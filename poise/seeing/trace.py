"""A recording as a Chrome trace: what Perfetto (https://ui.perfetto.dev) and chrome://tracing open.

The format is the Trace Event Format (https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU). What
becomes what:

* the loop is one thread of **slices** (``X``), strictly nested: a turn, in it wait, handle, timers and posted calls, in those
  the calls. Slices are complete: a beginning without an end, as a ring leaves it, cannot happen;
* a connection's life is an **asynchronous** span (``b``, ``e``), because many last at once; one that was there before the
  recording begins with it, one that still is ends with it. The requests that came by it are spans within it: the viewer nests
  those that have its category and number. One that is not answered yet ends with the recording;
* how many were ready, how many descriptors are open and how busy the loop was are **counters** (``C``);
* an arrow (``s``, ``f``) leads from the moment at which a descriptor was found ready to that at which its turn came;
* stalls, interest and short writes are **instants** (``i``), a stall with its stack.

The recording itself goes along in ``otherData``, which viewers ignore, so that a trace can be replayed on the page.

Times are microseconds from the first record on. Perfetto multiplies them by 1000 and cuts off what is behind the point, so each
is written such that this gives the nanosecond that was meant: siblings that only touch would overlap otherwise.

Converting takes about a second for a whole ring. Do it anywhere but in the process that is watched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from poise.loop.seat import CALL, INTEREST, LIFE, POSTED, REQUEST, SHORT, TIMER, TURN, WHY
from poise.readiness.interest import show
from poise.seeing.recorder import FORMAT

Event = dict[str, Any]
Row = list[Any]

OTHER = "poise"
LOOP = 1  # the number of the loop's thread in the trace
BUSY_NS = 100_000_000  # between two points of the busy counter
UNCONNECTED = frozenset(("file", "files", "listener", "process", "signal", "terminal", "timer", "wakeup"))
"""Kinds of descriptors that nobody connects by: they are there all the time."""


class Seat(NamedTuple):
    """One life of a descriptor number."""

    fd: int
    gen: int
    kind: str
    what: str
    peer: str | None

    @property
    def id(self) -> str:
        return f"{self.fd}.{self.gen}"


class Asked(NamedTuple):
    """A request, or that one is under way."""

    begin: int
    end: int
    seat: int
    name: str
    status: int | None
    sent: int | None


def trace(records: dict[str, Any]) -> dict[str, Any]:
    """The trace of a recording."""
    return {
        "traceEvents": list(events(records)),
        "displayTimeUnit": "ns",
        "otherData": {OTHER: records},
    }


def recording(trace: object) -> dict[str, Any] | None:
    """The recording that goes along with a trace, or that it is itself; None when there is none."""
    if not isinstance(trace, dict):
        return None
    other = trace.get("otherData")
    found = other.get(OTHER) if isinstance(other, dict) else trace
    if (
        not isinstance(found, dict)
        or found.get("format") != FORMAT
        or not isinstance(found.get("hello"), dict)
    ):
        return None
    lists = all(isinstance(found.get(name), list) for name in ("seats", "rows", "stalls"))
    return found if lists else None


def events(records: dict[str, Any]) -> Iterator[Event]:
    """Every event of the trace, those of the loop in the order of their time."""
    return _Conversion(records).events()


def microseconds(ns: int) -> float:
    """``ns`` such that a thousandfold, cut off, is ``ns`` again."""
    value = ns / 1000
    while int(value * 1000) < ns:
        value = math.nextafter(value, math.inf)
    return value


class _Conversion:
    def __init__(self, records: dict[str, Any]) -> None:
        self._records = records
        self._pid = records["hello"]["pid"]
        self._seats = [Seat(*each[:5]) for each in records["seats"]]
        self._rows: list[Row] = records["rows"]
        turns = [row for row in self._rows if row[0] == TURN]
        self._first = min(map(began, self._rows), default=0)
        self._last = max((row[1] for row in self._rows), default=0)
        if turns:
            self._last = max(self._last, *(end_of(row) for row in turns[-1:]))
        self._end = 0  # of the slices that are written already
        self._flows = 0

    def events(self) -> Iterator[Event]:
        yield from self._names()
        calls: list[Row] = []
        for row in self._rows:
            if row[0] == TURN:
                yield from self._turn(row, calls)
                calls = []
            elif row[0] in (CALL, TIMER, POSTED):
                calls.append(row)
            elif row[0] == INTEREST:
                yield self._interest(row)
            elif row[0] == SHORT:
                yield self._short(row)
        for row in calls:  # of a turn that had not ended
            yield from self._call(row, math.inf)
        yield from self._lives()
        yield from self._busy()
        yield from map(self._stall, self._records["stalls"])

    # -- one event -------------------------------------------------------------------------------

    def _event(self, phase: str, name: str, at: int, **others: Any) -> Event:
        return {
            "ph": phase,
            "name": name,
            "pid": self._pid,
            "tid": LOOP,
            "ts": microseconds(max(0, at - self._first)),
        } | others

    def _slice(self, name: str, begin: int, end: int, category: str, **args: Any) -> Event:
        dur = microseconds(end - begin)
        return self._event("X", name, begin, dur=dur, cat=category, args=args)

    def _names(self) -> Iterator[Event]:
        hello = self._records["hello"]
        about = {
            "process_name": str(hello.get("program", "poise")),
            "thread_name": f"loop ({hello.get('poller', '?')})",
        }
        for name, value in about.items():
            yield {"ph": "M", "name": name, "pid": self._pid, "tid": LOOP, "ts": 0, "args": {"name": value}}

    # -- the loop --------------------------------------------------------------------------------

    def _turn(self, row: Row, calls: list[Row]) -> Iterator[Event]:
        _, began, n, asked, wait, handle, timers, posted, ready, cpu, why = row[:11]
        began = max(began, self._end)
        ended = max(began, end_of(row))
        woken = min(ended, began + wait)
        args = {"turn": n, "asked_ns": asked, "ready": ready, "cpu_ns": cpu, "why": _origin(why)}
        yield self._slice(f"turn {n}", began, ended, "turn", **args)
        yield self._event("C", "ready", woken, args={"ready": ready})
        if wait:
            yield self._slice("wait", began, woken, "phase")
        at = woken
        left = iter([*calls, None])
        call = next(left)
        for name, kind, length in (
            ("handle", CALL, handle),
            ("timers", TIMER, timers),
            ("posted", POSTED, posted),
        ):
            end = min(ended, at + length)
            if length:
                yield self._slice(name, at, end, "phase")
            self._end = at
            while call is not None and call[0] == kind:
                if kind == CALL and wait:
                    yield from self._flow(call, woken - 1, end)
                yield from self._call(call, end)
                call = next(left)
            at = end
        self._end = ended

    def _flow(self, row: Row, ready: int, end: int) -> Iterator[Event]:
        """From the wait that found it ready to its call."""
        self._flows += 1
        common = {"cat": "ready", "id": self._flows}
        yield self._event("s", "ready", ready, **common)
        yield self._event("f", "ready", min(max(row[1], self._end), end), bp="e", **common)

    def _call(self, row: Row, latest: float) -> Iterator[Event]:
        """A call, after the one before it and not beyond the phase that it belongs to: readings of a clock can be a little off."""
        begin = int(min(max(row[1], self._end), latest))
        end = int(min(max(begin, row[1] + row[2]), latest))
        self._end = end
        if row[0] == CALL:
            seat = self._seats[row[3]]
            about = {
                "fd": seat.id,
                "kind": seat.kind,
                "peer": seat.peer,
                "returned": show(row[4]),
                "wanted": show(row[5]),
            }
            yield self._slice(seat.what, begin, end, "call", **about)
        elif row[0] == TIMER:
            yield self._slice(str(row[3]), begin, end, "timer", lag_ns=row[4])
        else:
            yield self._slice(str(row[3]), begin, end, "posted")

    def _interest(self, row: Row) -> Event:
        seat = self._seats[row[2]]
        args = {"fd": seat.id, "before": show(row[3]), "after": show(row[4]), "where": row[5]}
        return self._event("i", f"interest {seat.id}", row[1], s="t", cat="interest", args=args)

    def _short(self, row: Row) -> Event:
        seat = self._seats[row[2]]
        args = {"fd": seat.id, "asked": row[3], "taken": row[4], "where": row[5]}
        return self._event("i", f"short write {seat.id}", row[1], s="t", cat="short", args=args)

    def _stall(self, stall: dict[str, Any]) -> Event:
        stack = [f"{file}:{line} {function}" for file, line, function in stall.get("stack") or ()]
        args = {**{name: value for name, value in stall.items() if name != "id"}, "stack": stack}
        return self._event("i", f"stall: {stall.get('name')}", stall["at"], s="t", cat="stall", args=args)

    # -- what lasts ------------------------------------------------------------------------------

    def _lives(self) -> Iterator[Event]:
        """The span of each connection, and how many are open."""
        opened: dict[int, int] = {}
        ended: dict[int, int] = {}
        for row in self._rows:
            if row[0] == LIFE:
                (opened if row[3] == "open" else ended)[row[2]] = row[1]
        spans = []
        for place, seat in enumerate(self._seats):
            if seat.kind not in UNCONNECTED:
                begin = opened.get(place, self._first)
                spans.append((begin, max(begin, ended.get(place, self._last)), place))
        changes: list[tuple[int, int]] = []
        asked = self._asked()
        for begin, end, place in spans:
            seat = self._seats[place]
            common = {"cat": "connection", "id": seat.id}
            name = f"{seat.kind} {seat.id}"
            yield self._event("b", name, begin, args={"what": seat.what, "peer": seat.peer}, **common)
            yield from self._requests(asked.pop(place, []), begin, end, common)
            yield self._event("e", name, end, **common)
            changes += [(begin, 1), (end, -1)]
        for place, each in asked.items():  # of newcomers, who were answered before they became anything else
            common = {"cat": "request", "id": self._seats[place].id}
            yield from self._requests(each, self._first, self._last, common)
        count = 0
        for at, change in sorted(changes):
            count += change
            yield self._event("C", "open", at, args={"open": count})

    def _asked(self) -> dict[int, list[Asked]]:
        """The requests of each seat in the order of time, one after the other."""
        found: dict[int, list[Asked]] = {}
        under_way: dict[int, Asked] = {}
        for row in self._rows:
            if row[0] != REQUEST:
                continue
            _, at, took, place, method, path, status, sent = row[:8]
            name = f"{method} {path}".strip() or "?"
            if took < 0:
                under_way[place] = Asked(at, self._last, place, name, None, None)
            else:
                under_way.pop(place, None)
                found.setdefault(place, []).append(Asked(at - took, at, place, name, status, sent))
        for place, asked in under_way.items():
            found.setdefault(place, []).append(asked)
        return found

    def _requests(self, asked: list[Asked], begin: int, end: int, common: Event) -> Iterator[Event]:
        """The spans of one connection's requests, inside of its own."""
        for each in asked:
            begin = min(max(begin, each.begin), end)
            yield self._event(
                "b", each.name, begin, args={"status": each.status, "bytes": each.sent}, **common
            )
            begin = min(max(begin, each.end), end)
            yield self._event("e", each.name, begin, **common)

    def _busy(self) -> Iterator[Event]:
        """What share of a tenth of a second the loop did not wait; what a turn worked counts when it ended."""
        worked, since = 0, self._first
        for row in self._rows:
            if row[0] != TURN:
                continue
            worked += sum(row[5:8])
            ended = end_of(row)
            if ended - since >= BUSY_NS:
                share = round(min(1.0, worked / (ended - since)), 4)
                yield self._event("C", "busy", since, args={"busy": share})
                worked, since = 0, ended


def began(row: Row) -> int:
    """When what a row tells of began."""
    return int(row[1] - max(0, row[2])) if row[0] == REQUEST else int(row[1])


def end_of(turn: Row) -> int:
    """When a turn ended."""
    return int(turn[1] + sum(turn[4:8]))


def _origin(why: object) -> str:
    return WHY[why] if isinstance(why, int) and 0 <= why < len(WHY) else str(why)
