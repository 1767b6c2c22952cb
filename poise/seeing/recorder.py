"""What is in the recorder, copied out as plain rows: for the strip of the last turns, for a trace, for a replay.

The ring is written while it is read. A copy of the list is one step of the interpreter, and each record is whole; so the copy is,
too, but for the oldest records, which may be younger than their place says. They are put in the order of their numbers.
"""

from __future__ import annotations

from typing import Any

from poise.loop.probe import Probe
from poise.loop.seat import CALL, INTEREST, LIFE, SHORT, TURN, Record, Seat
from poise.seeing.naming import about_seat, short

FORMAT = "poise-records-1"
SEAT_AT = {CALL: 3, LIFE: 2, INTEREST: 2, SHORT: 2}

Rows = list[list[Any]]


def freeze(probe: Probe) -> list[Record]:
    """All records that are held, the oldest first."""
    ring, written = probe.ring.copy(), probe.written
    if not ring:
        return []
    start = written % len(ring)
    return [record for record in ring[start:] + ring[:start] if record is not None]


def held(probe: Probe) -> dict[str, int]:
    """How many records are held, how many were overwritten, and the time that they span in nanoseconds."""
    ring, written = probe.ring, probe.written
    size = len(ring)
    if not size or not written:
        return {"held": 0, "overwritten": 0, "span_ns": 0}
    first = ring[written % size] if written >= size else ring[0]
    last = ring[(written - 1) % size]
    span = last[1] - first[1] if first is not None and last is not None else 0
    return {"held": min(written, size), "overwritten": max(0, written - size), "span_ns": max(0, span)}


def rows(probe: Probe) -> tuple[Rows, list[list[Any]]]:
    """All records as lists for JSON, and the seats that they name: ``[fd, gen, kind, what, peer]``, by index.

    In a TURN, the holder is a seat's index or a name.
    """
    numbers: dict[Seat, int] = {}

    def number(seat: Seat) -> int:
        return numbers.setdefault(seat, len(numbers))

    found: Rows = []
    for record in freeze(probe):
        row = list(record)
        if (at := SEAT_AT.get(row[0])) is not None:
            row[at] = number(row[at])
        elif row[0] == TURN and isinstance(row[-1], Seat):
            row[-1] = number(row[-1])
        found.append(row)
    seats = []
    for seat in numbers:
        kind, what, peer = about_seat(seat, probe.reactor)
        seats.append([seat.fd, seat.gen, kind, what, peer])
    return found, seats


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
