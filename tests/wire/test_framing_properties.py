"""Any split of any stream gives the same messages, and what was framed comes out as it went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import FrameError
from poise.wire.framing import DelimiterFramer, Framer, LineFramer
from poise.wire.framing.sized import varint
from tests.wire.framers import CASES, LIVELY, Case, messages, outcome, split

# Under ``python -bb`` hypothesis itself compares bytes with numbers, in the keys of its cache.
pytestmark = pytest.mark.filterwarnings(r"ignore::BytesWarning:hypothesis\.internal")

MAXIMUM = 12

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
cuts = st.lists(st.integers(0, 200), max_size=12)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """``stream`` in pieces, empty ones among them."""
    ends = sorted(min(place, len(stream)) for place in places)
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


@every_case
@given(data=st.data(), places=cuts)
def test_what_was_framed_comes_out_as_it_went_in(case: Case, data: st.DataObject, places: list[int]) -> None:
    sent = data.draw(st.lists(messages(case, MAXIMUM), max_size=8))
    writer = case.make(MAXIMUM)
    stream = b"".join(map(writer.frame, sent))
    for pieces in ([stream], split(stream, 1), cut(stream, places)):
        reader = case.make(MAXIMUM)
        assert outcome(reader, pieces) == sent
        assert reader.buffered == 0


@every_case
@given(data=st.data(), places=cuts)
def test_any_split_of_any_stream_gives_the_same(case: Case, data: st.DataObject, places: list[int]) -> None:
    writer = case.make(MAXIMUM + 3)  # so that some messages are too long
    nearly = st.lists(messages(case, MAXIMUM + 3).map(writer.frame) | st.binary(max_size=3), max_size=6).map(
        b"".join
    )
    lively = st.lists(st.sampled_from(LIVELY), max_size=60).map(bytes)
    stream = data.draw(nearly | lively | st.binary(max_size=60))
    expected = outcome(case.make(MAXIMUM), [stream])
    assert outcome(case.make(MAXIMUM), split(stream, 1)) == expected
    assert outcome(case.make(MAXIMUM), cut(stream, places)) == expected


@every_case
@given(data=st.data(), places=cuts)
def test_never_more_is_kept_than_one_unfinished_message(
    case: Case, data: st.DataObject, places: list[int]
) -> None:
    framing = len(case.make(MAXIMUM).frame(b"x" * (case.size or MAXIMUM))) - (case.size or MAXIMUM)
    stream = data.draw(st.lists(st.sampled_from(LIVELY), max_size=100).map(bytes))
    framer = case.make(MAXIMUM)
    for piece in cut(stream, places):
        taken = outcome(framer, [piece], eof=False)
        assert all(isinstance(message, type) or len(message) <= framer.maximum for message in taken)
        assert framer.buffered <= framer.maximum + max(framing, 2)


@given(data=st.data(), places=cuts, delimiter=st.binary(min_size=1, max_size=4))
def test_any_delimiter(data: st.DataObject, places: list[int], delimiter: bytes) -> None:
    """``frame`` refuses exactly those messages that would not come out again."""
    pieces = st.lists(st.sampled_from([delimiter[:1], delimiter[1:], delimiter, b"x"]), max_size=4).map(
        b"".join
    )
    message = data.draw(pieces)
    framer = DelimiterFramer(delimiter, 100)
    comes_out = outcome(DelimiterFramer(delimiter, 100), cut(message + delimiter, places)) == [message]
    try:
        framed = framer.frame(message)
    except ValueError:
        assert not comes_out
    else:
        assert comes_out
        assert framed == message + delimiter


@given(st.lists(st.binary(max_size=10)), st.booleans())
def test_lines_are_those_of_a_plain_split(lines: list[bytes], keep_last: bool) -> None:
    stream = b"\n".join(lines)
    *whole, last = stream.split(b"\n")
    expected: list[bytes | type[FrameError]] = [line.removesuffix(b"\r") for line in whole]
    if last:
        expected.append(last.removesuffix(b"\r") if keep_last else FrameError)
    assert outcome(LineFramer(keep_last=keep_last), split(stream, 3)) == expected


@given(st.integers(0, 1 << 70))
def test_a_varint_is_as_short_as_it_can_be(value: int) -> None:
    encoded = varint(value)
    assert sum((byte & 0x7F) << 7 * index for index, byte in enumerate(encoded)) == value
    assert len(encoded) == max(1, -(-value.bit_length() // 7))
    assert [byte >= 0x80 for byte in encoded] == [True] * (len(encoded) - 1) + [False]


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3))))
def test_feeding_and_taking_in_any_order_loses_nothing(steps: list[tuple[bytes, int]]) -> None:
    """Whether the leftover is joined, grown in place or dropped does not show."""
    framer: Framer = CASES["length 2"].make(40)
    sent, got = [], []
    for message, takes in steps:
        framed = framer.frame(message)
        framer.feed(framed[:3])
        framer.feed(framed[3:])
        sent.append(message)
        for _ in range(takes):
            taken = framer.next_message()
            if taken is not None:
                got.append(taken)
    got += framer.feed_eof()
    assert got == sent
