"""One connection, driven step by step: its input; what a stream of bytes comes to as a whole is in the other files."""

from __future__ import annotations

import pytest

from poise.errors import ProgramFault, RequestError
from poise.limits import HttpLimits
from poise.wire.http.connection import Data, EndOfMessage, ServerConnection
from poise.wire.http.head import RequestHead
from poise.wire.http.states import State
from tests.wire.driver import LIMITS, byte_by_byte, drive
from tests.wire.requests import GET, PUT, PUT_CHUNKED, events, fault, fed, send

# Requests


def test_a_request_without_a_body() -> None:
    connection = fed(GET)
    head, end = events(connection)
    assert isinstance(head, RequestHead)
    assert connection.head is head
    assert end == EndOfMessage()
    assert connection.state is State.RECEIVED
    assert repr(connection) == "<ServerConnection RECEIVED 0 bytes unread>"


def test_a_body_is_handed_out_as_it_arrives() -> None:
    connection = fed(PUT + b"he")
    assert events(connection)[1:] == [Data(b"he")]
    connection.feed(b"lloGET")
    assert events(connection) == [Data(b"llo"), EndOfMessage()]
    assert connection.trailing_data == b"GET"


def test_trailers_come_with_the_end() -> None:
    connection = fed(PUT_CHUNKED + b"1\r\nx\r\n0\r\nX: y\r\n\r\n")
    _, data, end = events(connection)
    assert data == Data(b"x")
    assert isinstance(end, EndOfMessage)
    assert list(end.trailers) == [("x", "y")]


def test_pipelined_requests_wait_for_the_reply_before() -> None:
    connection = fed(PUT + b"hello" + GET + GET)
    assert [type(event) for event in events(connection)] == [RequestHead, Data, EndOfMessage]
    connection.feed(GET)
    assert connection.next_event() is None
    send(connection, length=None)
    assert connection.next_event() is None
    connection.end_reply()
    assert not connection.idle
    for left in (2, 1, 0):
        assert [type(event) for event in events(connection)] == [RequestHead, EndOfMessage]
        send(connection)
        connection.end_reply()
        assert len(connection.trailing_data) == left * len(GET)
    assert connection.idle
    assert connection.head is None


def test_idle() -> None:
    connection = fed()
    assert connection.idle
    connection.feed(GET[:5])
    assert not connection.idle
    assert connection.next_event() is None
    assert connection.state is State.HEAD
    connection.feed(GET[5:])
    events(connection)
    assert not connection.idle


@pytest.mark.parametrize(
    "pieces", [[b"\r\n" + GET], [b"\r", b"\n", GET], [b"\r\n", GET], [b"\r\nG", GET[1:]]]
)
def test_one_empty_line_before_a_request_is_ignored(pieces: list[bytes]) -> None:
    assert len(drive(pieces).whole) == 1
    assert len(drive([GET, *pieces]).whole) == 2
    assert len(drive([*pieces, *pieces, *pieces]).whole) == 3


def test_after_an_empty_line_the_connection_is_not_idle() -> None:
    """Who answers from memory asks whether it is idle, and would leave the line counted."""
    connection = fed(b"\r\n")
    assert connection.next_event() is None
    assert not connection.idle


@pytest.mark.parametrize(
    "start", [b"\r\n\r\n", b"\r\n\r", b"\rG", b"\n", b"\r\n\n", b" ", b"\x16\x03\x01", b"\0"]
)
def test_what_no_request_begins_with_is_refused_at_once(start: bytes) -> None:
    for pieces in ([start], list(byte_by_byte(start)), [start + GET]):
        assert drive(pieces).status == 400


def test_a_bare_lf_is_refused_before_the_head_is_whole() -> None:
    assert fault(fed(b"GET / HTTP/1.1\n")) == 400


def test_a_bad_request_line_is_refused_before_the_head_is_whole() -> None:
    assert fault(fed(b"GET /\r\n")) == 400
    assert fault(fed(b"PRI * HTTP/2.0\r\n")) == 505
    assert drive([*byte_by_byte(GET), b"GET /\r\n"]).error is not None


def test_an_endless_line_or_head_is_refused_before_its_end() -> None:
    limits = HttpLimits(request_line=64, head=256)
    fits = fed(b"GET /" + b"a" * 59 + b"\r", limits=limits)
    assert fits.next_event() is None
    assert fault(fed(b"GET /" + b"a" * 61, limits=limits)) == 414
    start = b"GET / HTTP/1.1\r\nX: "
    fits = fed(start + b"a" * (255 - len(start)), limits=limits)
    assert fits.next_event() is None
    assert fault(fed(start + b"a" * (256 - len(start)), limits=limits)) == 431
    assert fault(fed(start + b"a" * 256 + b"\r\n\r\n" + GET, limits=limits)) == 431


def test_the_longest_head() -> None:
    limits = HttpLimits(request_line=64, head=128)
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    longest = start + b"a" * (128 - 4 - len(start)) + b"\r\n\r\n"
    for pieces in ([longest], byte_by_byte(longest)):
        assert len(drive(pieces, limits).whole) == 1


def test_a_body_that_is_too_long() -> None:
    limits = HttpLimits(body=4)
    connection = fed(PUT, limits=limits)
    assert fault(connection) == 413
    assert connection.head is not None
    assert connection.head.method == "PUT"
    assert fault(fed(PUT_CHUNKED + b"5\r\n", limits=limits)) == 413


def test_the_parser_can_be_exchanged() -> None:
    seen = []

    def parse(raw: bytes, limits: HttpLimits) -> RequestHead:
        seen.append(raw)
        raise RequestError(400, "no")

    connection = ServerConnection(LIMITS, parse)
    connection.feed(GET + GET)
    assert fault(connection) == 400
    assert seen == [GET]


def test_the_parser_is_never_given_too_long_a_head() -> None:
    def parse(raw: bytes, limits: HttpLimits) -> RequestHead:
        raise AssertionError

    connection = ServerConnection(HttpLimits(head=128), parse)
    start = GET[:-2] + b"X: "
    connection.feed(start + b"a" * (129 - 4 - len(start)) + b"\r\n\r\n")
    assert fault(connection) == 431


# Faults


def test_a_fault_is_raised_once_and_leaves_one_reply() -> None:
    connection = fed(b"nonsense\r\n\r\n" + GET)
    assert fault(connection) == 400
    assert connection.can_reply
    assert connection.must_close
    assert connection.trailing_data == b""
    connection.feed(GET)
    assert events(connection) == []
    assert send(connection, 400, length=2) == b"Content-Length: 2\r\nConnection: close\r\n"
    assert connection.send_data(b"no") == b"no"
    connection.end_reply()
    assert connection.state is State.CLOSED
    connection.feed(GET)
    assert connection.next_event() is None
    with pytest.raises(ProgramFault):
        send(connection)


def test_a_fault_behind_a_request_waits_for_its_reply() -> None:
    connection = fed(GET + b"nonsense\r\n")
    events(connection)
    assert send(connection) == b"Content-Length: 0\r\n"
    connection.end_reply()
    assert fault(connection) == 400


def test_a_fault_in_a_body_whose_reply_has_begun() -> None:
    connection = fed(PUT_CHUNKED)
    events(connection)
    send(connection, length=3)
    connection.feed(b"x\r\n")
    assert fault(connection) == 400
    assert not connection.can_reply
    assert connection.must_close
    connection.send_data(b"abc")
    connection.end_reply()
    assert connection.state is State.CLOSED


# The end of input


def test_the_end_of_input_between_requests() -> None:
    for connection in (fed(), fed(b"\r\n"), fed(b"\r")):
        connection.feed_eof()
        assert connection.next_event() is None
        assert connection.state is State.CLOSED
        assert connection.must_close


def test_requests_before_the_end_of_input_are_answered() -> None:
    connection = fed(GET + GET)
    connection.feed_eof()
    events(connection)
    assert send(connection) == b"Content-Length: 0\r\n"
    connection.end_reply()
    events(connection)
    assert send(connection) == b"Content-Length: 0\r\nConnection: close\r\n"
    connection.end_reply()
    assert connection.state is State.CLOSED


@pytest.mark.parametrize("raw", [GET[:-2], PUT + b"hell", PUT_CHUNKED + b"0\r\n"])
def test_the_end_of_input_inside_a_message(raw: bytes) -> None:
    connection = fed(raw)
    connection.feed_eof()
    assert fault(connection) == 400
    assert connection.can_reply


def test_the_end_of_input_while_the_rest_of_a_body_is_read_away() -> None:
    connection = fed(PUT)
    events(connection)
    send(connection)
    connection.end_reply()
    connection.feed_eof()
    assert connection.next_event() is None
    assert connection.state is State.CLOSED


# Giving up


@pytest.mark.parametrize("raw", [b"", GET[:5], PUT, GET])
def test_refusing_leaves_one_reply(raw: bytes) -> None:
    connection = fed(raw)
    events(connection)
    connection.refuse()
    assert connection.must_close
    assert b"Connection: close" in send(connection, 408)
    connection.end_reply()
    assert connection.state is State.CLOSED


def test_refusing_after_the_reply_has_begun() -> None:
    connection = fed(GET + GET)
    events(connection)
    send(connection, length=None)
    connection.refuse()
    connection.refuse()
    assert not connection.can_reply
    assert connection.end_reply() == b"0\r\n\r\n"
    assert connection.state is State.CLOSED
    connection.refuse()
    assert connection.state is State.CLOSED


def test_close_after_the_reply() -> None:
    connection = fed(GET + GET)
    events(connection)
    connection.close_after_reply()
    assert send(connection) == b"Content-Length: 0\r\nConnection: close\r\n"
    assert connection.must_close
    connection.end_reply()
    assert connection.state is State.CLOSED


def test_close_after_a_reply_that_has_begun() -> None:
    connection = fed(GET + GET)
    events(connection)
    assert send(connection) == b"Content-Length: 0\r\n"
    connection.close_after_reply()
    assert connection.must_close
    connection.end_reply()
    assert connection.state is State.CLOSED


def test_closing_between_requests_reads_no_further_one() -> None:
    connection = fed()
    connection.close_after_reply()
    assert connection.must_close
    connection.feed(GET)
    assert connection.next_event() is None
