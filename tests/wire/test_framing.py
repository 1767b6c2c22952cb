"""What each framer takes, refuses and sends."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from poise.errors import FrameError, PeerFault, ProgramFault
from poise.limits import FrameLimits
from poise.wire.framing import (
    LONGEST,
    DelimiterFramer,
    FixedFramer,
    Framer,
    LengthFramer,
    LineFramer,
    NetstringFramer,
    VarintFramer,
)
from tests.wire.framers import CASES, Case, outcome, split

MIB = 1 << 20

# --- what goes in and what comes out: framer, stream, messages ---------------------------------------------

TAKEN: list[tuple[Framer, bytes, list[bytes]]] = [
    (LineFramer(), b"one\ntwo\r\n\n\r\n\r\r\nlast\n", [b"one", b"two", b"", b"", b"\r", b"last"]),
    (LineFramer(keep_last=True), b"one\ntwo", [b"one", b"two"]),
    (LineFramer(keep_last=True), b"one\ntwo\r", [b"one", b"two"]),
    (LineFramer(keep_last=True), b"one\n", [b"one"]),
    (LineFramer(3), b"abc\r\nabc\n", [b"abc", b"abc"]),
    (LineFramer(3, keep_last=True), b"abc\r", [b"abc"]),
    (DelimiterFramer(b"\r\n"), b"a\nb\r\r\n\r\n", [b"a\nb\r", b""]),
    (DelimiterFramer(b"\0", keep_last=True), b"a\0\0b", [b"a", b"", b"b"]),
    (DelimiterFramer(b"--"), b"a---b--", [b"a", b"-b"]),
    (FixedFramer(3), b"abcdef", [b"abc", b"def"]),
    (LengthFramer(1), b"\x00\x02ab\x01c", [b"", b"ab", b"c"]),
    (LengthFramer(2), b"\x00\x03abc", [b"abc"]),
    (LengthFramer(2, byteorder="little"), b"\x03\x00abc", [b"abc"]),
    (LengthFramer(4), b"\x00\x00\x00\x01a", [b"a"]),
    (LengthFramer(8, byteorder="little"), b"\x01" + bytes(7) + b"a", [b"a"]),
    (VarintFramer(), b"\x00\x02ab" + b"\x80\x01" + b"x" * 128, [b"", b"ab", b"x" * 128]),
    (VarintFramer(300), b"\xac\x02" + b"y" * 300, [b"y" * 300]),  # protobuf's own example of 300
    (NetstringFramer(), b"12:hello world!,0:,1:,,", [b"hello world!", b"", b","]),
]


@pytest.mark.parametrize(("framer", "stream", "expected"), TAKEN, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_messages_are_taken_apart(framer: Framer, stream: bytes, expected: list[bytes], size: int) -> None:
    # The objects of the table are made anew for each run: a framer has only one life.
    assert outcome(remade(framer), split(stream, size)) == expected


def remade(framer: Framer) -> Framer:
    """A framer as the given one was when it was made."""
    fresh = type(framer).__new__(type(framer))
    for kind in type(framer).__mro__:
        for slot in getattr(kind, "__slots__", ()):
            setattr(fresh, slot, getattr(framer, slot))
    return fresh


def test_bytes_after_the_last_message_wait_for_the_rest_of_theirs() -> None:
    framer = LengthFramer(2)
    assert list(framer.feed(b"\x00\x01a\x00\x03bc")) == [b"a"]
    assert framer.next_message() is None
    assert framer.buffered == 4
    assert list(framer.feed(b"d\x00")) == [b"bcd"]
    assert framer.buffered == 1
    assert repr(framer) == "<LengthFramer 1 bytes waiting>"


@pytest.mark.pitfall(24)
def test_messages_are_taken_only_when_asked_for() -> None:
    framer = LineFramer()
    taken = framer.feed(b"\n" * 60_000)
    assert next(taken) == b""
    assert framer.buffered == 59_999
    assert framer.next_message() == b""
    assert framer.buffered == 59_998
    assert len(list(framer.feed(b"\n"))) == 59_999
    assert list(taken) == []


def test_a_read_that_is_one_message_is_not_copied() -> None:
    message = bytes(1000)
    framer = FixedFramer(1000)
    assert next(framer.feed(message)) is message


def test_what_the_caller_goes_on_changing_is_copied() -> None:
    framer = FixedFramer(4)
    mine = bytearray(b"ab")
    framer.feed(mine)
    mine[:] = b"xx"
    assert list(framer.feed(memoryview(b"cd"))) == [b"abcd"]


# --- the maximum, exactly ----------------------------------------------------------------------------------

REFUSED: list[tuple[Framer, bytes, bytes]] = [  # what is still taken, what is refused at its last byte
    (LineFramer(5), b"12345", b"123456"),
    (LineFramer(5), b"12345\r", b"12345\rx"),
    (LineFramer(5), b"1234\r\r\n", b"12345\r\r"),
    (DelimiterFramer(b"\0", 5), b"12345\0", b"123456"),
    (DelimiterFramer(b"----", 5), b"12345---", b"12345---x"),
    (DelimiterFramer(b"----", 5), b"12345----", b"123456---"),
    (LengthFramer(1, 5), b"\x05", b"\x06"),
    (LengthFramer(2, 300), b"\x01\x2c", b"\x01\x2d"),
    (LengthFramer(4), b"\x00\x01\x00\x00", b"\x00\x01\x00\x01"),
    (LengthFramer(4, MIB), b"\x00\x10\x00\x00", b"\x80\x00\x00\x00"),
    (LengthFramer(4, MIB, byteorder="little"), b"\x00\x00\x10\x00", b"\x00\x00\x00\x80"),
    (LengthFramer(8, MIB), bytes(5) + b"\x10\x00\x00", b"\xff" * 8),
    (VarintFramer(5), b"\x05", b"\x06"),
    (VarintFramer(5), b"\x00", b"\x80"),
    (VarintFramer(127), b"\x7f", b"\xff"),
    (VarintFramer(128), b"\x80\x01", b"\x81\x01"),
    (VarintFramer(300), b"\xac\x02", b"\xad\x02"),
    (VarintFramer(300), b"\xac", b"\x80\x00"),
    (VarintFramer(300), b"\x80", b"\x80\x80"),
    (VarintFramer(MIB), b"\x80\x80\x40", b"\x80\x80\x80"),
    (VarintFramer(1 << 63), b"\xff" * 8, b"\x80" * 10),
    (NetstringFramer(5), b"5", b"6"),
    (NetstringFramer(50), b"5", b"51"),
    (NetstringFramer(50), b"50", b"500"),
    (NetstringFramer(50), b"0", b"00"),
    (NetstringFramer(50), b"0:", b"01"),
    (NetstringFramer(50), b"0:,", b"0::"),
    (NetstringFramer(50), b"2:ab", b"2:abc"),
    (NetstringFramer(50), b"1", b":"),
    (NetstringFramer(50), b"1", b"-"),
    (NetstringFramer(50), b"1", b"1 "),
    (NetstringFramer(50), b"1", b"\xb2"),  # a digit in Latin-1, not in ASCII
]


@pytest.mark.pitfall(60)
@pytest.mark.parametrize(("framer", "good", "bad"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_cannot_become_a_message_is_refused_at_once(framer: Framer, good: bytes, bad: bytes) -> None:
    assert FrameError not in outcome(remade(framer), [good], eof=False)
    assert FrameError not in outcome(remade(framer), split(good, 1), eof=False)
    whole, by_byte = remade(framer), remade(framer)
    assert outcome(whole, [bad], eof=False) == [FrameError]
    assert outcome(by_byte, split(bad[:-1], 1), eof=False) == []
    assert outcome(by_byte, [bad[-1:]], eof=False) == [FrameError]
    assert whole.buffered == by_byte.buffered == 0


@pytest.mark.pitfall(60)
@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        ("length 4", b"\x7f\xff\xff\xff"),
        ("length 8", b"\x7f" + b"\xff" * 7),
        ("varint", b"\xff\xff\xff\xff\x0f"),
        ("netstring", b"2147483648:"),
    ],
)
def test_an_announced_length_allocates_nothing(name: str, bomb: bytes) -> None:
    for maximum in (MIB, 1 << 62):  # refused at once; or taken for granted by us, and waited for
        framer = CASES[name].make(maximum)
        tracemalloc.start()
        refused = outcome(framer, [bomb], eof=False)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert refused == ([FrameError] if maximum == MIB or name == "length 8" else [])
        assert peak < 100_000


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_message_as_long_as_the_maximum_and_one_byte_more(case: Case) -> None:
    framer = case.make(200)
    longest = b"x" * framer.maximum
    stream = framer.frame(longest)
    assert outcome(case.make(200), [stream]) == [longest]
    assert outcome(case.make(200), split(stream, 1)) == [longest]
    with pytest.raises(ValueError, match="can be framed"):
        framer.frame(longest + b"x")
    if not case.size:
        longer = case.make(250).frame(longest + b"x")
        assert outcome(case.make(200), [longer]) == [FrameError]
        assert outcome(case.make(200), split(longer, 1)) == [FrameError]
        assert outcome(case.make(200), [stream + longer]) == [longest, FrameError]


def test_the_default_maximum_is_the_limit() -> None:
    assert LineFramer().maximum == FrameLimits().message == LONGEST
    assert LengthFramer(1).maximum == 255
    assert LengthFramer(1, 200).maximum == 200
    assert FixedFramer(100_000).maximum == 100_000


# --- linear, however it comes ------------------------------------------------------------------------------


@pytest.mark.pitfall(60)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["line", "overlapping", "length 4", "netstring"])
def test_a_mebibyte_in_single_bytes_costs_as_much_a_byte_as_a_part_of_it(name: str) -> None:
    def cost(size: int) -> float:
        framer = CASES[name].make(MIB)
        stream = framer.frame(b"x" * size)
        begin = time.process_time()
        message = None
        for piece in split(stream, 1):
            framer.feed(piece)
            message = framer.next_message()
        assert message == b"x" * size
        return time.process_time() - begin

    part = min(cost(MIB >> 4) for _ in range(3))
    assert cost(MIB) < 16 * 6 * part  # were it quadratic, it would be 256


@pytest.mark.parametrize("name", ["line", "length 4", "varint", "netstring"])
def test_many_messages_in_one_read_cost_as_much_each_as_a_few(name: str) -> None:
    """Taking one message must not move those behind it, in a read as it came and in one that was joined."""

    def cost(count: int) -> float:
        framer = CASES[name].make(100)
        stream = framer.frame(b"x" * 60) * count
        framer.feed(stream[:-7])
        framer.feed(stream[-7:])
        begin = time.process_time()
        for _ in range(count):
            assert framer.next_message() is not None
        return time.process_time() - begin

    few = min(cost(2_000) for _ in range(3))
    assert cost(32_000) < 16 * 6 * few


# --- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_end_of_the_stream_inside_a_message_is_told(case: Case) -> None:
    message = b"x" * (case.size or 20)
    stream = case.make(20).frame(message)
    assert outcome(case.make(20), [stream]) == [message]
    assert outcome(case.make(20), []) == []
    for end in range(1, len(stream)):
        assert outcome(case.make(20), [stream[:end]]) == [FrameError]
        assert outcome(case.make(20), [stream, stream[:end]]) == [message, FrameError]


@pytest.mark.parametrize(
    ("framer", "bad"),
    [
        (LineFramer(5, keep_last=True), b"123456"),
        (DelimiterFramer(b"----", 5), b"123456----"),
        (LengthFramer(2, 5), b"\x00\x06"),
        (VarintFramer(5), b"\x80"),
        (NetstringFramer(5), b"1:a."),
    ],
    ids=repr,
)
def test_after_a_fault_nothing_is_taken_and_nothing_is_kept(framer: Framer, bad: bytes) -> None:
    assert outcome(framer, [bad], eof=False) == [FrameError]
    assert "refused: " in repr(framer)
    for _ in range(2):
        framer.feed(b"\x00\x011:a,\n----" * 10)
        assert framer.buffered == 0
        with pytest.raises(FrameError):
            framer.next_message()
    framer.feed_eof()
    for _ in range(2):
        with pytest.raises(FrameError):
            framer.next_message()


def test_the_maximum_holds_for_an_unterminated_last_message() -> None:
    framer = DelimiterFramer(b"----", 5, keep_last=True)
    assert outcome(framer, [b"1234567-"], eof=False) == []  # the last three may begin a delimiter
    assert outcome(framer, []) == [FrameError]
    assert outcome(DelimiterFramer(b"----", 5, keep_last=True), [b"123--"]) == [b"123--"]


def test_messages_before_a_fault_are_given_first() -> None:
    framer = NetstringFramer()
    taken = framer.feed(b"1:a,1:b,x")
    assert [next(taken), next(taken)] == [b"a", b"b"]
    with pytest.raises(FrameError, match="not a decimal number"):
        next(taken)
    with pytest.raises(PeerFault, match="not a decimal number"):
        framer.next_message()


def test_feeding_after_the_end_is_our_own_fault() -> None:
    framer = LineFramer()
    framer.feed_eof()
    framer.feed_eof()
    assert repr(framer) == "<LineFramer 0 bytes waiting, ended>"
    with pytest.raises(ProgramFault, match="feed_eof"):
        framer.feed(b"x")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_another_protocol_takes_over_what_is_left(case: Case) -> None:
    framer = case.make(20)
    stream = framer.frame(b"x" * (case.size or 20))
    taken = framer.feed(stream + stream + b"more")
    assert next(taken) == b"x" * (case.size or 20)
    assert framer.rest() == stream + b"more"
    assert framer.rest() == b""
    assert list(taken) == []
    with pytest.raises(ProgramFault):
        framer.feed(b"more")


# --- our own mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framer", "message", "says"),
    [
        (LineFramer(), b"a\nb", "cannot contain LF"),
        (LineFramer(), b"a\r", "ends with CR"),
        (LineFramer(ending=b"\r\n"), b"a\nb", "cannot contain LF"),
        (DelimiterFramer(b"--"), b"a--b", "contains the delimiter"),
        (DelimiterFramer(b"--"), b"a-", "contains the delimiter"),
        (DelimiterFramer(b"aba"), b"xab", "contains the delimiter"),
        (FixedFramer(3), b"ab", "exactly 3"),
        (FixedFramer(3), b"abcd", "exactly 3"),
        (LengthFramer(1), bytes(256), "at most 255"),
        (VarintFramer(10), bytes(11), "at most 10"),
        (NetstringFramer(10), bytes(11), "at most 10"),
    ],
    ids=repr,
)
def test_messages_that_cannot_be_framed(framer: Framer, message: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        framer.frame(message)


def test_what_is_sent() -> None:
    assert LineFramer().frame(b"a\rb") == b"a\rb\n"
    assert LineFramer(ending=b"\r\n").frame(b"a\r") == b"a\r\r\n"
    assert DelimiterFramer(b"\0\0").frame(b"") == b"\0\0"
    assert FixedFramer(2).frame(b"ab") == b"ab"
    assert LengthFramer(2).frame(b"ab") == b"\x00\x02ab"
    assert LengthFramer(8, byteorder="little").frame(b"") == bytes(8)
    assert VarintFramer().frame(b"x" * 300) == b"\xac\x02" + b"x" * 300
    assert NetstringFramer().frame(b"hello") == b"5:hello,"


def test_framers_that_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="everywhere"):
        DelimiterFramer(b"")
    with pytest.raises(ValueError, match="LF or CRLF"):
        LineFramer(ending=b"\r")
    with pytest.raises(ValueError, match="1, 2, 4 or 8"):
        LengthFramer(3)
    with pytest.raises(ValueError, match="byte order"):
        LengthFramer(2, byteorder="native")  # type: ignore[arg-type]
    for make in (LineFramer, FixedFramer, VarintFramer, NetstringFramer):
        with pytest.raises(ValueError, match="at least 1 byte"):
            make(0)
        for no_number in (1.5, True, "9", None):
            with pytest.raises(TypeError, match="number of bytes"):
                make(no_number)  # type: ignore[arg-type]


def test_a_number_is_not_so_many_zeros() -> None:
    """What ``bytes(5)`` would make of it."""
    with pytest.raises(TypeError, match="bytes-like"):
        DelimiterFramer(5)  # type: ignore[arg-type]
    for case in CASES.values():
        framer = case.make(9)
        with pytest.raises(TypeError, match="bytes-like"):
            framer.feed(5)  # type: ignore[arg-type]
        assert framer.buffered == 0


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_of_every_kind_are_fed_and_sent(kind: type) -> None:
    for case in CASES.values():
        message = b"xy" * 10 if not case.size else b"x" * case.size
        framed = case.make(20).frame(kind(message))
        assert type(framed) is bytes
        assert list(case.make(20).feed(kind(framed))) == [message]
    with pytest.raises(ValueError, match="cannot contain LF"):
        LineFramer().frame(kind(b"two\nlines"))


def test_the_base_only_says_what_framers_do() -> None:
    with pytest.raises(NotImplementedError):
        Framer().next_message()
    with pytest.raises(NotImplementedError):
        Framer().frame(b"")
