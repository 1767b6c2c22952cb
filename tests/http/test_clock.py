"""The Date field, made once a second."""

from __future__ import annotations

import pytest

from poise.http.clock import DateClock
from poise.loop.clock import ManualClock
from poise.wire.http.dates import http_date


class Counted(ManualClock):
    def __init__(self, start: float = 0.0, wall: float = 0.0) -> None:
        super().__init__(start, wall)
        self.looks = 0

    def wall(self) -> float:
        self.looks += 1
        return super().wall()


@pytest.mark.parametrize("wall", [0.0, 0.999, 784_111_777.0, 1_800_000_000.5])
def test_the_date_changes_with_the_second(wall: float) -> None:
    clock = ManualClock(50.0, wall)
    dates = DateClock(clock)
    for _ in range(100):
        assert dates.current(clock.monotonic()) == http_date(clock.wall())
        clock.advance(0.0625)


def test_the_calendar_is_read_once_a_second() -> None:
    clock = Counted()
    dates = DateClock(clock)
    for _ in range(100):
        dates.current(clock.monotonic())
        clock.advance(0.05)
    assert clock.looks <= 7


@pytest.mark.parametrize("wall", [10_000.0, 2_000_000_000.0])
def test_a_corrected_calendar_is_followed_within_a_second(wall: float) -> None:
    clock = ManualClock(0.0, 1_000_000.0)
    dates = DateClock(clock)
    clock.set_wall(wall)
    clock.advance(1)
    assert dates.current(clock.monotonic()) == http_date(wall + 1)
