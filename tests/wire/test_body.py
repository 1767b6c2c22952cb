from __future__ import annotations

import pytest

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.buffer import Buffer
from poise.wire.http.body import BodyReader, LengthReader
from poise.wire.http.chunked import ChunkedReader

LIMITS = HttpLimits()
REST = b"GET /next"


def read_all(reader: BodyReader, raw: bytes, *, step: int) -> tuple[bytes, bytes]:
    """The content and what is left over when ``raw`` comes in pieces of ``step`` bytes."""
    buffer, content = Buffer(), b""
    for start in range(0, len(raw), step):
        buffer.feed(raw[start : start + step])
        while piece := reader.read(buffer):
            content += piece
    return content, buffer.peek()


@pytest.fixture(params=[1, 2, 3, 7, 1000], ids="step {}".format)
def step(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_length(step: int) -> None:
    reader = LengthReader(5)
    assert read_all(reader, b"hello" + REST, step=step) == (b"hello", REST)
    assert reader.done
    assert LengthReader(0).done


def test_length_of_a_part() -> None:
    reader = LengthReader(5)
    assert read_all(reader, b"hell", step=1) == (b"hell", b"")
    assert not reader.done


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", b"hello world"),
        (b'00A;a=b;c="d;\\"e"\r\n0123\r\n4567\r\n0;x\r\nT: v\r\n\r\n', b"0123\r\n4567"),
    ],
)
def test_chunks(raw: bytes, content: bytes, step: int) -> None:
    reader = ChunkedReader(LIMITS)
    assert read_all(reader, raw + REST, step=step) == (content, REST)
    assert reader.done
    assert reader.read(Buffer()) == b""


def test_trailers_are_kept_apart(step: int) -> None:
    reader = ChunkedReader(LIMITS)
    read_all(reader, b"0\r\nX-Sum: 5 \r\nx-sum: 6\r\n\r\n", step=step)
    assert reader.trailers.get_all("x-sum") == ("5", "6")


@pytest.mark.parametrize(
    ("raw", "content", "status"),
    [
        (b"\r\n", b"", 400),
        (b"x\r\n", b"", 400),
        (b"5\n", b"", 400),
        (b"\n", b"", 400),
        (b"5\rhello\r\n", b"", 400),
        (b'5;a="\n"\r\n', b"", 400),
        (b"5\r\nhelloX", b"hello", 400),
        (b"5\r\nhello\n", b"hello", 400),
        (b"5\r\nhello\rX", b"hello", 400),
        (b"5\r\nhello\r\n\r\n", b"hello", 400),
        (b"5\r\nhello\r\n-1\r\n", b"hello", 400),
        (b"0\r\n\n", b"", 400),
        (b"0\r\nX: y\n\r\n", b"", 400),
        (b"0\r\nX : y\r\n", b"", 400),
        (b"0\r\n X: y\r\n", b"", 400),
        (b"0\r\nX: \0\r\n", b"", 400),
        (b"0\r\nCONTENT-length: 5\r\n", b"", 400),
        (b"0\r\ntransfer-encoding: chunked\r\n", b"", 400),
        (b"0\r\nHost: a\r\n", b"", 400),
        (b"4\r\n1234\r\n7\r\n", b"1234", 413),
        (b"ffffffffffffffff\r\n", b"", 413),
        (b"0" * 66, b"", 400),
        (b"1;" + b"a" * 40 + b"\r\nx\r\n1;" + b"b" * 40 + b"\r\n", b"x", 400),
        (b"0\r\nX: " + b"y" * 64, b"", 431),
        (b"0\r\nX: " + b"y" * 40 + b"\r\nY: " + b"z" * 40, b"", 431),
        (b"0\r\nA: 1\r\nB: 2\r\nC: 3\r\n", b"", 431),
    ],
)
def test_refused(raw: bytes, content: bytes, status: int, step: int) -> None:
    limits = HttpLimits(body=10, chunk_line=64, extensions=64, trailers=64, fields=2)
    reader, buffer, got = ChunkedReader(limits), Buffer(), b""
    with pytest.raises(RequestError) as caught:  # noqa: PT012 - the fault comes wherever the cut puts it
        for start in range(0, len(raw), step):
            buffer.feed(raw[start : start + step])
            while piece := reader.read(buffer):
                got += piece
    assert caught.value.status == status
    assert got == content


def test_what_just_fits_is_accepted(step: int) -> None:
    limits = HttpLimits(body=10, chunk_line=64, extensions=122, trailers=64, fields=2)
    line = b"1;" + b"a" * 62
    raw = (
        b"9\r\n123456789\r\n"
        + line
        + b"\r\nx\r\n0;"
        + b"b" * 58
        + b"\r\nA: "
        + b"c" * 30
        + b"\r\nB: "
        + b"d" * 28
        + b"\r\n\r\n"
    )
    reader = ChunkedReader(limits)
    assert read_all(reader, raw, step=step) == (b"123456789x", b"")
    assert reader.done


def test_one_call_undoes_a_bounded_number_of_chunks() -> None:
    reader, buffer = ChunkedReader(HttpLimits(chunks=10)), Buffer()
    buffer.feed(b"1\r\nx\r\n" * 25 + b"0\r\n\r\n")
    assert [len(reader.read(buffer)) for _ in range(4)] == [10, 10, 5, 0]
    assert reader.done
