"""What an observed reactor writes down: seats, and complete records.

A **seat** is one life of one descriptor number. Numbers are reused, so each life has a generation, counted from when the
watching began: 7.1, and after the next ``accept`` perhaps 7.2. A seat knows the name of its handler and never the handler
itself: what records keep must not keep a connection alive. Whoever wants the object asks the reactor's table, as long as the
seat is in ``Probe.seats``.

A **record** is one tuple to whoever reads it (``pages.py`` says how it is kept), written when all of it is known: a record that
is only a beginning would say, once its end was overwritten, that something goes on for ever. The first item is the kind, the
second the time in nanoseconds:

====================  ==========================================================================================
``TURN``              ``(k, t0, n, asked, wait, handle, timers, posted, ready, cpu, why, longest, holder)``
``CALL``              ``(k, t0, took, seat, mask, wanted)``: a descriptor's handler
``TIMER``             ``(k, t0, took, name, lag)``: a timer or a deadline
``POSTED``            ``(k, t0, took, name)``: a posted call
``LIFE``              ``(k, t, seat, what)``: ``open``, ``unregister``, ``retire``
``INTEREST``          ``(k, t, seat, before, after, where)``: FULL only
``SHORT``             ``(k, t, seat, asked, taken, where)``: FULL only, a send that took less than all
``REQUEST``           ``(k, t, took, seat, method, path, status, sent)``: FULL only, of HTTP
====================  ==========================================================================================

All times and durations are nanoseconds. ``asked`` is -1 for "no longer than until somebody is ready"; ``cpu`` is the processor
time since the last record that has one, and -1 in those that have none, because reading it costs a system call;
in a REQUEST ``t`` is when its reply has ended, and while it is under way, when it began, with a ``took`` of -1;
``why`` indexes WHY; ``holder`` is the seat or the name of the longest call of the turn, None when there was none.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final

TURN: Final = 0
CALL: Final = 1
TIMER: Final = 2
POSTED: Final = 3
LIFE: Final = 4
INTEREST: Final = 5
SHORT: Final = 6
REQUEST: Final = 7

KINDS: Final = ("turn", "call", "timer", "posted", "life", "interest", "short", "request")

BY_DESCRIPTOR: Final = 0
BY_TIMER: Final = 1
BY_WAKEUP: Final = 2
BY_SIGNAL: Final = 3
BY_POST: Final = 4
BY_CALLER: Final = 5

WHY: Final = ("fd", "timer", "wakeup", "signal", "posted", "caller")
"""Why the wait of a turn ended: somebody was ready, … , or the caller wanted no longer one."""

Record = tuple[Any, ...]


class Level(enum.IntEnum):
    """How much is written down."""

    OFF = 0
    COUNTERS = 1
    """Sums only."""
    RECORDER = 2
    """A record for each call and each turn as well."""
    FULL = 3
    """HTTP requests too, and changes of interest and short writes with the line that made them."""


class Phase(enum.IntEnum):
    """What a turn is at."""

    WAIT = 0
    HANDLE = 1
    TIMERS = 2
    POSTED = 3


class Tally:
    """What calls of one name have cost."""

    __slots__ = ("calls", "held_ns", "longest_ns")

    def __init__(self) -> None:
        self.calls = 0
        self.held_ns = 0
        self.longest_ns = 0


class Seat:
    """One life of one descriptor number."""

    __slots__ = (
        "about",
        "closed_ns",
        "events",
        "fd",
        "gen",
        "handler",
        "held_ns",
        "last_ns",
        "longest_ns",
        "opened_ns",
        "returned",
        "wanted",
    )

    def __init__(self, fd: int, gen: int, handler: str, wanted: int, opened_ns: int) -> None:
        self.fd = fd
        self.gen = gen
        self.handler = handler
        self.wanted = wanted
        self.events = 0
        self.held_ns = 0
        self.longest_ns = 0
        self.last_ns = 0
        """When its handler last returned; 0 for never."""
        self.returned = 0
        """The mask that it was last called with."""
        self.opened_ns = opened_ns
        self.closed_ns = 0
        """When it left the reactor; 0 while it is there."""
        self.about: Any = None
        """Whatever the reader keeps with it; the probe does not look."""

    def __repr__(self) -> str:
        return f"<Seat {self.fd}.{self.gen} {self.handler}>"


def name_of(callback: Callable[..., object]) -> str:
    """What a callback is called in the source: ``Stream._on_ready``."""
    try:
        return callback.__qualname__
    except AttributeError:
        inner = getattr(callback, "func", None)  # functools.partial
        return name_of(inner) if inner is not None else type(callback).__qualname__
