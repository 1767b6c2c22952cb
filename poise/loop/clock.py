"""What time is it? The only place that reads clocks.

Two times that must never be mixed: ``monotonic`` only goes on and is what every timer and deadline is measured
by; ``wall`` is the calendar, which people and protocols move, and is for dates alone.
"""

from __future__ import annotations

import math
import time
from typing import Protocol

nanoseconds = time.perf_counter_ns
"""Called, nanoseconds that only go on, from any start: what an observed turn is measured by."""

cpu_nanoseconds = time.thread_time_ns
"""Called, nanoseconds of processor time that the calling thread has used. It costs a system call."""


class Clock(Protocol):
    """Both times in seconds: ``monotonic`` from any start, ``wall`` since 1970-01-01 UTC."""

    def monotonic(self) -> float:
        """Seconds that only go on."""

    def wall(self) -> float:
        """Seconds of the calendar."""


class RealClock:
    """The machine's clocks; the attributes are the bare functions, one call without a frame."""

    __slots__ = ("monotonic", "wall")

    def __init__(self) -> None:
        self.monotonic = time.monotonic
        """Called, seconds that only go on."""
        self.wall = time.time
        """Called, seconds since 1970-01-01 UTC, as far as the calendar of the machine is right."""


class ManualClock:
    """A clock that stands still until it is told to go on."""

    __slots__ = ("_monotonic", "_wall")

    def __init__(self, start: float = 0.0, wall: float = 0.0) -> None:
        self._monotonic = start
        self._wall = wall

    def monotonic(self) -> float:
        """Seconds, as far as ``advance`` has brought them."""
        return self._monotonic

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, as far as they were advanced or set."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let both times go on by ``seconds``. ValueError when that is negative or no finite number."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a clock goes on by a finite time, not by {seconds}")
        self._monotonic += seconds
        self._wall += seconds

    def set_wall(self, wall: float) -> None:
        """Someone moves the calendar; ``monotonic`` does not notice."""
        self._wall = wall
