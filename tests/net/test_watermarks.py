"""The one rule for the two marks."""

from __future__ import annotations

import pytest

from poise.limits import DatagramLimits, StreamLimits
from poise.net.watermarks import water_marks


@pytest.mark.parametrize("kind", [StreamLimits, DatagramLimits])
def test_the_marks_are_those_of_asyncio(kind: type[StreamLimits | DatagramLimits]) -> None:
    limits = kind(high_water=1000, low_water=400)
    for high, low, marks in (
        (None, None, (400, 1000)),
        (100, None, (25, 100)),
        (None, 100, (100, 400)),
        (100, 100, (100, 100)),
        (0, None, (0, 0)),
        (None, 0, (0, 0)),
        (7, 3, (3, 7)),
    ):
        assert water_marks(limits, high, low) == marks
    for high, low in ((1, 2), (-1, None), (None, -1), (5, -1)):
        with pytest.raises(ValueError, match="high"):
            water_marks(limits, high, low)


def test_a_low_mark_above_the_high_one_comes_down_to_it() -> None:
    assert water_marks(StreamLimits(high_water=10, low_water=400)) == (10, 10)
