"""The real clock is the machine's; the manual one goes on only when it is told to."""

from __future__ import annotations

import math
import time

import pytest

from poise.loop.clock import Clock, ManualClock, RealClock


def test_the_real_clock_is_the_bare_functions() -> None:
    clock: Clock = RealClock()
    assert clock.monotonic is time.monotonic
    assert clock.wall is time.time


def test_the_manual_clock_stands_still() -> None:
    clock: Clock = ManualClock(5.0, wall=1e9)
    assert [clock.monotonic(), clock.monotonic(), clock.wall()] == [5.0, 5.0, 1e9]


def test_advance_moves_both_times() -> None:
    clock = ManualClock()
    clock.advance(1.5)
    clock.advance(0)
    assert (clock.monotonic(), clock.wall()) == (1.5, 1.5)


@pytest.mark.pitfall(29)
def test_a_moved_calendar_moves_no_timer() -> None:
    clock = ManualClock(10.0, wall=100.0)
    clock.set_wall(-5.0)
    assert (clock.monotonic(), clock.wall()) == (10.0, -5.0)


@pytest.mark.parametrize("seconds", [-0.001, math.nan, math.inf])
def test_time_never_goes_back(seconds: float) -> None:
    clock = ManualClock(1.0)
    with pytest.raises(ValueError, match="finite time"):
        clock.advance(seconds)
    assert clock.monotonic() == 1.0
