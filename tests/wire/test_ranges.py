"""Range fields, against the table of another implementation, a slow reader, and those who mean harm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poise.wire.http.ranges import (
    Span,
    coalesce,
    content_range,
    last_delimiter,
    parse_ranges,
    part_head,
    ranges_to_send,
    unsatisfied_range,
)
from tests.shared_data import table

MOST = 64
LONG = 200_000


@pytest.mark.parametrize("case", table("go-parserange-table"))
def test_every_range_of_the_go_table(case: dict[str, Any]) -> None:
    found = parse_ranges(case["header"], case["size"], MOST)
    expected = case["ranges"]
    if expected is None:
        assert not found
    else:
        assert found == [(each["start"], each["length"]) for each in expected]


IGNORED = None
NOTHING: list[Span] = []


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("BYTES=0-0", [(0, 1)]),
        ("bytes=0-9", [(0, 10)]),
        ("bytes=-1", [(9, 1)]),
        ("bytes=9-", [(9, 1)]),
        ("bytes=007-0008", [(7, 2)]),
        ("bytes=10-", NOTHING),
        ("bytes=10-10", NOTHING),
        ("bytes=-0", NOTHING),
        ("bytes=-0,10-20", NOTHING),
        ("bytes=-0,0-0", [(0, 1)]),
        ("bytes=5-6,,0-1", [(5, 2), (0, 2)]),
        ("bytes", IGNORED),
        ("bytes=", IGNORED),
        ("bytes=,", IGNORED),
        ("bytes=-", IGNORED),
        ("bytes=--1", IGNORED),
        ("bytes=1", IGNORED),
        ("bytes=+1-2", IGNORED),
        ("bytes=1-2-3", IGNORED),
        ("bytes=1-2 3-4", IGNORED),
        ("bytes=1-2;3-4", IGNORED),
        ("bytes=1_0-", IGNORED),
        ("bytes=1.0-", IGNORED),
        ("bytes=\u00b2-", IGNORED),  # a digit to some, and within latin-1
        ("bytes=0-1,x", IGNORED),
        ("bytes=0-1,3-2", IGNORED),
        ("bytes=0-1, bytes=2-3", IGNORED),
        ("bytes =0-1", IGNORED),
        (" bytes=0-1", IGNORED),
        ("bytes:0-1", IGNORED),
        ("octets=0-1", IGNORED),
    ],
)
def test_what_ten_bytes_are_asked_for(value: str, spans: list[Span] | None) -> None:
    assert parse_ranges(value, 10, MOST) == spans


@pytest.mark.attack(34)
@pytest.mark.parametrize(
    ("value", "size", "spans"),
    [
        ("bytes=0-18446744073709551615", 10, [(0, 10)]),
        ("bytes=0-18446744073709551616", 10, [(0, 10)]),
        ("bytes=18446744073709551615-18446744073709551615", 10, NOTHING),
        ("bytes=9223372036854775807-", 10, NOTHING),
        ("bytes=-5,-9223372036854774591", 10, [(5, 5), (0, 10)]),
        ("bytes=-9223372036854775808,-9223372036854775808", 10, [(0, 10), (0, 10)]),
        (f"bytes=0-{'9' * 400}", 10, [(0, 10)]),
        (f"bytes=-{'9' * 400}", 10, [(0, 10)]),
        (f"bytes={'9' * 400}-", 10, NOTHING),
        (f"bytes={'9' * 400}-{'9' * 401}", 10, NOTHING),
        (f"bytes={'9' * 400}-1", 10, IGNORED),
        (f"bytes={'0' * 400}1-{'0' * 4400}2", 10, [(1, 2)]),
        ("bytes=9223372036854775806-9223372036854775807", 2**63 - 1, [(2**63 - 2, 1)]),
        ("bytes=-0", 10, NOTHING),
        ("bytes=10-1", 10, IGNORED),
        ("bytes=-5", 0, IGNORED),
        ("bytes=0-", 0, IGNORED),
        ("bytes=10-", 10, NOTHING),
        ("bytes=5-", 5, NOTHING),
        ("bytes= 0 - 5", 10, [(0, 6)]),
        ("bytes=abc", 10, IGNORED),
        ("items=0-1", 10, IGNORED),
    ],
)
def test_ranges_that_overflow_run_backwards_or_are_none(
    value: str, size: int, spans: list[Span] | None
) -> None:
    assert parse_ranges(value, size, MOST) == spans


@pytest.mark.attack(35)
@pytest.mark.parametrize(
    "hostile",
    [
        "0-," * 10_000,
        ",".join(f"{n}-{n}" for n in range(0, 20_000, 2)),
        "," * LONG,
        " " * LONG + "x",
        "0-" + " " * LONG + "x",
        "0" + " \t" * LONG + "x-",
        "9" * LONG,
        "0" * LONG + "-" + "9" * LONG + "x",
        "9" * LONG + "-" + "9" * LONG + ",x",
        "-" * LONG,
    ],
    ids=range(10),
)
def test_a_great_many_ranges_are_counted_not_served(hostile: str) -> None:
    """A reader that takes the square of the length would be at it for minutes."""
    assert ranges_to_send(f"bytes={hostile}", 10**6, MOST) is None


@pytest.mark.attack(35)
def test_the_number_of_members_is_bounded() -> None:
    values = [f"{n}-{n}" for n in range(0, 2 * MOST, 2)]
    assert parse_ranges(f"bytes={','.join(values)}", 1000, MOST) == [(n, 1) for n in range(0, 2 * MOST, 2)]
    assert parse_ranges(f"bytes={','.join([*values, '500-'])}", 1000, MOST) is None
    assert parse_ranges(f"bytes={','.join([*values, ''])}", 1000, MOST) is None, "empty members count too"


@pytest.mark.attack(36)
@pytest.mark.parametrize("length", [10, 11, 1000, 2**63, 10**19, 10**100])
def test_a_suffix_as_long_as_the_whole_or_longer_is_the_whole(length: int) -> None:
    assert ranges_to_send(f"bytes=-{length}", 10, MOST) == [(0, 10)]


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ("bytes=0-4,5-9", [(0, 10)]),  # touching, and the whole of it: one part
        ("bytes=5-9,0-4", [(0, 10)]),
        ("bytes=0-2,2-4", [(0, 5)]),
        ("bytes=0-2,4-5", [(0, 3), (4, 2)]),  # a gap of one byte stays one
        ("bytes=8-9,0-1", [(8, 2), (0, 2)]),
        ("bytes=8-8,0-1,9-9", [(8, 2), (0, 2)]),  # where the first of those that were merged was asked for
        ("bytes=4-5,9-,0-1,5-6", [(4, 3), (9, 1), (0, 2)]),
        ("bytes=0-0,-1", [(0, 1), (9, 1)]),
        ("bytes=0-0,20-30", [(0, 1)]),
        ("bytes=0-6,3-9", None),  # together longer than the whole
        ("bytes=0-,0-", None),
        ("bytes=0-,-1", None),
        ("bytes=20-30", []),
        ("bytes=x", None),
    ],
)
def test_what_is_sent_is_merged_and_never_more_than_there_is(value: str, spans: list[Span] | None) -> None:
    assert ranges_to_send(value, 10, MOST) == spans


# --- the same, by plainer means ---------------------------------------------------------------------------


def slow_ranges(value: str, size: int) -> list[Span] | None:
    """Read as section 14.1 says it, letter by letter, with numbers of any length."""
    if size == 0 or value[:6].lower() != "bytes=":
        return None
    spans: list[Span] = []
    seen = 0
    for member in value[6:].split(","):
        if member.strip(" \t") == "":
            continue
        seen += 1
        first, last = "", ""
        dashes = 0
        gap = False  # whitespace after a digit, which only a dash may follow
        for letter in member.strip(" \t"):
            if letter in " \t":
                gap = bool(last) if dashes else bool(first)
            elif letter == "-":
                dashes += 1
                gap = False
            elif letter in "0123456789" and not gap:
                if dashes:
                    last += letter
                else:
                    first += letter
            else:
                return None
        if dashes != 1 or (not first and not last):
            return None
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(size - int(last), 0)
        stop = size if not first or not last else min(int(last) + 1, size)
        if start < stop:
            spans.append((start, stop - start))
    return spans if seen else None


blank = st.sampled_from(["", "", "", " ", "\t", " \t "])
number = st.one_of(st.just(""), st.integers(0, 30).map(str), st.integers(0, 10**25).map(str))
spec = st.builds(
    "{}{}{}{}{}{}{}".format,
    blank,
    number,
    blank,
    st.sampled_from(["-"] * 9 + ["", "--"]),
    blank,
    number,
    blank,
)
wild = st.text(alphabet="0123456789-, \tx", max_size=12)
members = st.lists(st.one_of(spec, spec, spec, spec, wild), max_size=8)
units = st.sampled_from(["bytes="] * 12 + ["Bytes=", "bytes", "items=", ""])
fields = st.builds(lambda unit, parts: unit + ",".join(parts), units, members)


@given(fields, st.integers(0, 25))
@example("bytes=1 2-", 10)
@example("bytes=-  5", 10)
def test_a_field_is_read_as_a_slow_reader_reads_it(value: str, size: int) -> None:
    if value.count(",") < MOST:
        assert parse_ranges(value, size, MOST) == slow_ranges(value, size)


def covered(spans: Sequence[Span]) -> set[int]:
    return {byte for first, length in spans for byte in range(first, first + length)}


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=12))
def test_merging_loses_nothing_adds_nothing_and_keeps_the_order(spans: list[Span]) -> None:
    merged = coalesce(spans)
    assert covered(merged) == covered(spans)
    assert sum(length for _, length in merged) == len(covered(spans)), "no byte twice"
    in_order = sorted(merged)
    for (first, length), (following, _) in pairwise(in_order):
        assert first + length < following, "they do not touch"
    places = [min(place for place, span in enumerate(spans) if span[0] in covered([each])) for each in merged]
    assert places == sorted(places)


# --- what is written --------------------------------------------------------------------------------------


def test_content_ranges() -> None:
    assert content_range((0, 500), 1234) == "bytes 0-499/1234"
    assert content_range((1233, 1), 1234) == "bytes 1233-1233/1234"
    assert unsatisfied_range(1234) == "bytes */1234"


def test_the_parts_of_a_multipart_body() -> None:
    assert part_head("b0", "text/plain; charset=utf-8", (9, 2), 11) == (
        b"--b0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 9-10/11\r\n\r\n"
    )
    assert last_delimiter("b0") == b"--b0--\r\n"


@pytest.mark.parametrize("bad", ["a\r\nSet-Cookie: x", "a\0", "a\n", "\u20ac"])
def test_no_field_is_injected_by_a_media_type(bad: str) -> None:
    with pytest.raises(ValueError, match="breaks the grammar"):
        part_head("b0", bad, (0, 1), 1)
