"""What holds for every input: no cut of a stream changes what it means, and what is written is read as it was
meant."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.connection import ServerConnection
from poise.wire.http.head import parse_head
from poise.wire.http.reply import LAST_CHUNK, chunk
from poise.wire.http.states import State
from tests.wire.driver import byte_by_byte, drive

# Under ``python -bb`` hypothesis itself compares bytes with numbers, in the keys of its cache.
pytestmark = pytest.mark.filterwarnings(r"ignore::BytesWarning:hypothesis\.internal")

SMALL = HttpLimits(
    request_line=64, head=160, fields=4, body=40, chunk_line=32, extensions=24, trailers=64, chunks=3
)
TCHARS = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
TARGETS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "#?")

tokens = st.text(TCHARS, min_size=1, max_size=12)
values = st.text([chr(code) for code in range(0x20, 0x100) if code != 0x7F] + ["\t"], max_size=20).map(
    lambda value: value.strip(" \t")
)
special = ("host", "content-length", "transfer-encoding", "connection", "expect")
field_pairs = st.lists(st.tuples(tokens.filter(lambda name: name.lower() not in special), values), max_size=8)

# Pieces from which streams are made that are nearly right.
FRAGMENTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"1;a=b\r\nx\r\n",
    b"0\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\0",
    b":",
    b"a" * 70,
)
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=8).map(b"".join)


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[start:end] for start, end in pairwise(edges)]


@given(streams, st.lists(st.integers(0, 1000), max_size=6))
@example(b"\r\n\r\n" + FRAGMENTS[0], [1])
@example(b"A" * 70 + b"\0\r\n\r\n", [65])
def test_no_cut_changes_the_events(raw: bytes, places: list[int]) -> None:
    whole = drive([raw], SMALL).facts()
    assert drive(cut(raw, places), SMALL).facts() == whole
    assert drive(byte_by_byte(raw), SMALL).facts() == whole


@given(streams)
def test_whatever_comes_ends_in_events_or_one_fault(raw: bytes) -> None:
    transcript = drive([raw], SMALL)
    assert all(len(exchange.body) <= SMALL.body for exchange in transcript.exchanges)
    if transcript.error:
        assert transcript.state is State.CLOSED
        assert transcript.error.status in (400, 413, 414, 417, 431, 501, 505)


@given(streams, st.lists(st.integers(0, 1000), max_size=6))
def test_the_end_of_input_ends_every_connection(raw: bytes, places: list[int]) -> None:
    connection = ServerConnection(SMALL)
    for piece in cut(raw, places):
        connection.feed(piece)
    connection.feed_eof()
    try:
        while connection.next_event() is not None or connection.can_reply:
            if connection.can_reply:
                connection.send_reply(200, (), length=0, date="Sun, 06 Nov 1994 08:49:37 GMT")
                connection.end_reply()
    except RequestError:
        assert connection.must_close
    else:
        assert connection.state is State.CLOSED


@given(
    tokens.filter(lambda method: method != "CONNECT"),
    st.text(TARGETS, max_size=20),
    st.none() | st.text(TARGETS + "?", max_size=20),
    st.sampled_from((0, 1)),
    field_pairs,
    st.sampled_from(("", " ", "\t  ")),
)
def test_a_head_that_was_written_is_read(
    method: str, path: str, query: str | None, minor: int, pairs: list[tuple[str, str]], space: str
) -> None:
    target = f"/{path}" if query is None else f"/{path}?{query}"
    lines = [
        f"{method} {target} HTTP/1.{minor}",
        "Host: example.com",
        *(f"{n}:{space}{v}{space}" for n, v in pairs),
    ]
    raw = "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")
    head = parse_head(raw, HttpLimits())
    assert (head.method, head.target, head.minor) == (method, target, minor)
    assert (head.path, head.query) == ("/" + path, query)
    assert list(head.fields)[1:] == [(name.lower(), value) for name, value in pairs]
    assert parse_head(raw, HttpLimits()) == head


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(0, 1000), max_size=6))
def test_a_chunked_body_that_was_written_is_read(pieces: list[bytes], places: list[int]) -> None:
    start = FRAGMENTS[3]
    raw = start + b"".join(map(chunk, pieces)) + LAST_CHUNK + FRAGMENTS[0]
    first, second = drive(cut(raw, places)).whole
    assert first.body == b"".join(pieces)
    assert second.head.method == "GET"


@given(st.binary(max_size=100), st.lists(st.integers(0, 1000), max_size=6))
def test_a_body_is_never_taken_for_a_request(body: bytes, places: list[int]) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    transcript = drive(cut(head + body + FRAGMENTS[0], places))
    assert [exchange.body for exchange in transcript.whole] == [body, b""]
