"""What was seen before, in a table that never grows."""

from __future__ import annotations

from poise.http.sights import MARKS, PLACES, Sights


def test_once_is_not_again() -> None:
    sights = Sights()
    assert [*map(sights.again, (b"a", b"b", b"a", b"b"))] == [False, False, True, True]
    sights.clear()
    assert sights.again(b"a") is False


def test_tens_of_thousands_are_told_apart() -> None:
    """As many heads as a site of ten thousand files gets from three kinds of client."""
    sights = Sights()
    keys = [b"GET /%d" % number for number in range(30_000)]
    early = sum(map(sights.again, keys))
    known = sum(map(sights.again, keys))
    assert early < 30_000 * 30_000 / PLACES / MARKS * 4 + 4
    assert known > 0.85 * len(keys)  # the others stood in the same place


def test_a_flood_takes_no_memory() -> None:
    sights = Sights()
    for number in range(2 * PLACES):
        sights.again(b"%d" % number)
    assert len(sights._marks) == PLACES
    sights.again(b"another")
    assert sights.again(b"another")
