from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.wire.buffer import Buffer

# Under ``python -bb`` hypothesis itself compares bytes with numbers, in the keys of its cache.
pytestmark = pytest.mark.filterwarnings(r"ignore::BytesWarning:hypothesis\.internal")


def filled(*pieces: bytes) -> Buffer:
    buffer = Buffer()
    for piece in pieces:
        buffer.feed(piece)
    return buffer


def test_what_goes_in_comes_out_in_order() -> None:
    buffer = filled(b"abc", b"def")
    assert len(buffer) == 6
    assert buffer.peek() == b"abcdef"
    assert buffer.peek(2) == b"ab"
    assert buffer.take(4) == b"abcd"
    assert buffer.startswith(b"ef")
    assert not buffer.startswith(b"efg")
    buffer.feed(b"gh")
    assert buffer.take(100) == b"efgh"
    assert len(buffer) == 0
    assert repr(buffer) == "<Buffer b''>"


def test_a_message_in_one_piece_is_not_copied() -> None:
    message = bytes(1000)
    assert filled(message).take(1000) is message


def test_taking_pieces_of_one_read() -> None:
    buffer = filled(b"one two")
    assert buffer.take(4) == b"one "
    buffer.feed(b"!")
    assert buffer.take(1) == b"t"
    assert buffer.take(3) == b"wo!"


def test_find_across_pieces() -> None:
    buffer = Buffer()
    for piece, found in ((b"a\r", -1), (b"\n\r", -1), (b"\nb", 1)):
        buffer.feed(piece)
        assert buffer.find(b"\r\n\r\n") == found
    buffer.take(3)
    assert buffer.find(b"\r\n") == 0
    assert buffer.find(b"\n") == 1


def test_find_does_not_look_behind_what_was_taken() -> None:
    buffer = filled(b"a\nb")
    assert buffer.find(b"\n") == 1
    assert buffer.take(2) == b"a\n"
    assert buffer.find(b"\n") == -1
    buffer.feed(b"c\n")
    assert buffer.find(b"\n") == 2


def test_find_goes_on_where_it_stopped() -> None:
    buffer = filled(b"x" * 1000, b"y")
    assert buffer.find(b"\r\n\r\n") == -1
    assert buffer._searched == 1001 - 3
    buffer.feed(b"\r\n\r\n")
    assert buffer.find(b"\r\n\r\n") == 1001


@given(st.lists(st.binary(max_size=6)), st.lists(st.integers(0, 9)), st.sampled_from((b"\n", b"\r\n", b"ab")))
def test_behaves_like_bytes(pieces: list[bytes], counts: list[int], delimiter: bytes) -> None:
    buffer, model = Buffer(), b""
    for piece, count in zip(pieces, counts, strict=False):
        buffer.feed(piece)
        model += piece
        assert buffer.find(delimiter) == model.find(delimiter)
        assert buffer.take(count) == model[:count]
        model = model[count:]
        assert buffer.peek() == model
        assert len(buffer) == len(model)
        assert buffer.find(delimiter) == model.find(delimiter)
