"""What is in the recorder, copied out as plain rows: for the strip of the last turns, for a trace, for a replay."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from poise.loop.pages import records_of
from poise.loop.probe import Probe
from poise.loop.seat import CALL, INTEREST, LIFE, REQUEST, SHORT, TURN, Record, Seat
from poise.seeing.naming import about_seat, short

FORMAT = "poise-records-1"
SEAT_AT = {CALL: 3, LIFE: 2, INTEREST: 2, SHORT: 2, REQUEST: 3}

Rows = list[list[Any]]


def held(probe: Probe) -> dict[str, int]:
    """How many records are held, how many were overwritten, and the time that they span in nanoseconds."""
    pages, written = probe.pages.copy(), probe.written
    if not pages or not pages[-1].items:
        return {"held": 0, "overwritten": 0, "span_ns": 0}
    first, last = pages[0], pages[-1].items[-1]
    now = last[1] if isinstance(last, tuple) else last
    return {
        "held": max(0, written - first.number),
        "overwritten": first.number,
        "span_ns": max(0, now - first.at),
    }


class Recording:
    """All records as they are now, handed out in portions.

    A whole ring as lists would be a hundred thousand objects that the garbage collector looks through several times, and the
    loop waits meanwhile. Portions are let go of one by one, and are never more than a few.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._pages = probe.copied()
        self._numbers: dict[Seat, int] = {}

    def portions(self, size: int) -> Iterator[Rows]:
        """The records as lists for JSON, ``size`` at a time. A seat is its index; in a TURN, the holder is one or a name."""
        records = records_of(self._pages)
        while portion := [self._row(record) for record in islice(records, size)]:
            yield portion

    def _row(self, record: Record) -> list[Any]:
        row = list(record)
        if (at := SEAT_AT.get(row[0])) is not None:
            row[at] = self._number(row[at])
        elif row[0] == TURN and isinstance(row[-1], Seat):
            row[-1] = self._number(row[-1])
        return row

    def _number(self, seat: Seat) -> int:
        return self._numbers.setdefault(seat, len(self._numbers))

    def seats(self) -> list[list[Any]]:
        """``[fd, gen, kind, what, peer]`` of each seat that was named until now, by index."""
        found = []
        for seat in self._numbers:
            kind, what, peer = about_seat(seat, self._probe.reactor)
            found.append([seat.fd, seat.gen, kind, what, peer])
        return found


def turns_since(probe: Probe, last: int, most: int) -> list[Record]:
    """The turns after number ``last`` that are over, at most ``most`` of them, the last ones."""
    turns, now = probe.turns, probe.turn_n
    if not turns:
        return []
    first = max(last + 1, now - min(most, len(turns)) + 1, 1)
    found = [turns[number % len(turns)] for number in range(first, now + 1)]
    return [turn for turn in found if turn is not None and turn[2] > last]


def strip(probe: Probe, last: int, most: int) -> Rows:
    """Those turns as ``[n, t0, wait, handle, timers, posted, ready, fd of the longest call, its nanoseconds]``."""
    told: Rows = []
    for turn in turns_since(probe, last, most):
        _, began, n, _, wait, handle, timers, posted, ready, _, _, longest, holder = turn
        fd = holder.fd if isinstance(holder, Seat) else None
        told.append([n, began, wait, handle, timers, posted, ready, fd, longest])
    return told


def name_of_holder(holder: Seat | str | None, probe: Probe) -> str:
    """What a holder is called for a person."""
    if isinstance(holder, Seat):
        return about_seat(holder, probe.reactor).what
    return short(holder) if holder else ""
