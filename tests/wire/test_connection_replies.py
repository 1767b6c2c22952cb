"""One connection, driven step by step: what it sends, and how a reply and the rest of its request meet."""

from __future__ import annotations

import pytest

from poise.errors import ProgramFault
from poise.wire.http.connection import Data, EndOfMessage
from poise.wire.http.head import RequestHead
from poise.wire.http.states import State, Step
from tests.wire.driver import DATE
from tests.wire.requests import GET, GET_1_0, HEAD, PUT, PUT_CHUNKED, PUT_EXPECT, events, fed, send

# 100-continue


def test_continue_is_sent_once_and_only_when_it_is_waited_for() -> None:
    connection = fed(PUT_EXPECT)
    events(connection)
    assert connection.send_continue() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.send_continue() == b""
    for raw in (PUT, PUT_EXPECT + b"h"):
        connection = fed(raw)
        events(connection)
        assert connection.send_continue() == b""


def test_a_body_that_came_with_its_head_needs_no_continue() -> None:
    connection = fed(PUT_EXPECT + b"h")
    assert isinstance(connection.next_event(), RequestHead)
    assert connection.send_continue() == b""
    assert send(connection) == b"Content-Length: 0\r\n"


def test_a_body_that_came_unasked_needs_no_continue() -> None:
    connection = fed(PUT_EXPECT)
    events(connection)
    connection.feed(b"h")
    events(connection)
    assert connection.send_continue() == b""
    assert send(connection) == b"Content-Length: 0\r\n"


def test_a_reply_instead_of_continue_closes() -> None:
    connection = fed(PUT_EXPECT)
    events(connection)
    assert send(connection, 403) == b"Content-Length: 0\r\nConnection: close\r\n"
    assert connection.send_continue() == b""
    connection.end_reply()
    assert connection.state is State.CLOSED


# Early replies


def test_the_rest_of_an_answered_body_is_read_away() -> None:
    connection = fed(PUT + b"he")
    events(connection)
    assert send(connection, 405) == b"Content-Length: 0\r\n"
    connection.end_reply()
    assert connection.state is State.DRAINING
    assert connection.next_event() is None
    connection.feed(b"llo")
    assert connection.next_event() is None
    assert connection.head is None
    assert connection.idle
    connection.feed(GET)
    assert [type(event) for event in events(connection)] == [RequestHead, EndOfMessage]


def test_the_rest_of_an_answered_chunked_body_is_not_worth_it() -> None:
    connection = fed(PUT_CHUNKED)
    events(connection)
    assert send(connection, 405) == b"Content-Length: 0\r\nConnection: close\r\n"


def test_a_reply_before_the_end_was_asked_for() -> None:
    connection = fed(GET + GET)
    assert isinstance(connection.next_event(), RequestHead)
    assert send(connection) == b"Content-Length: 0\r\n"
    connection.end_reply()
    assert [type(event) for event in events(connection)] == [RequestHead, EndOfMessage]


def test_a_reply_while_the_body_arrives() -> None:
    connection = fed(PUT)
    events(connection)
    send(connection, length=5)
    assert not connection.can_reply
    connection.feed(b"hello")
    assert events(connection) == [Data(b"hello"), EndOfMessage()]
    assert connection.state is State.REPLYING
    connection.send_data(b"hello")
    connection.end_reply()
    assert connection.idle


def test_closing_while_body_and_reply_are_under_way() -> None:
    connection = fed(PUT)
    events(connection)
    send(connection)
    connection.close_after_reply()
    connection.end_reply()
    assert connection.state is State.CLOSED


# The framing of replies


def test_whether_a_reply_has_a_body() -> None:
    for request_, status, expected in (
        (GET, 200, True),
        (HEAD, 200, False),
        (GET, 304, False),
        (GET, 204, False),
    ):
        connection = fed(request_)
        events(connection)
        send(connection, status)
        assert connection.reply_has_body is expected


def test_how_much_input_is_waiting() -> None:
    connection = fed(PUT + b"hello" + GET)
    assert connection.buffered == len(PUT) + 5 + len(GET)
    events(connection)
    assert connection.buffered == len(GET)


def test_a_step_that_is_not_in_the_table() -> None:
    connection = fed()
    with pytest.raises(ProgramFault, match="REPLY_ENDED is not possible in the state IDLE"):
        connection._step(Step.REPLY_ENDED)


@pytest.mark.parametrize(
    ("request_", "status", "length", "framing"),
    [
        (GET, 200, 5, b"Content-Length: 5\r\n"),
        (GET, 200, 0, b"Content-Length: 0\r\n"),
        (GET, 200, None, b"Transfer-Encoding: chunked\r\n"),
        (GET, 204, 0, b""),
        (GET, 204, None, b""),
        (GET, 304, 0, b""),
        (GET, 304, None, b""),
        (HEAD, 200, 5, b"Content-Length: 5\r\n"),
        (HEAD, 200, None, b"Transfer-Encoding: chunked\r\n"),
        (HEAD, 304, None, b""),
        (GET_1_0, 200, 5, b"Content-Length: 5\r\nConnection: close\r\n"),
        (GET_1_0, 200, None, b"Connection: close\r\n"),
        (GET_1_0, 204, 0, b"Connection: close\r\n"),
        (
            GET_1_0[:-2] + b"Connection: keep-alive\r\n\r\n",
            200,
            5,
            b"Content-Length: 5\r\nConnection: keep-alive\r\n",
        ),
        (GET_1_0[:-2] + b"Connection: keep-alive\r\n\r\n", 304, 0, b"Connection: keep-alive\r\n"),
        (GET_1_0[:-2] + b"Connection: keep-alive\r\n\r\n", 200, None, b"Connection: close\r\n"),
        (
            b"HEAD" + GET_1_0[3:-2] + b"Connection: keep-alive\r\n\r\n",
            200,
            None,
            b"Connection: keep-alive\r\n",
        ),
        (GET[:-2] + b"Connection: close\r\n\r\n", 200, 5, b"Content-Length: 5\r\nConnection: close\r\n"),
    ],
)
def test_framing(request_: bytes, status: int, length: int | None, framing: bytes) -> None:
    connection = fed(request_)
    events(connection)
    assert send(connection, status, length=length) == framing
    assert connection.must_close == (b"close" in framing)


def test_a_body_with_a_length() -> None:
    connection = fed(GET)
    events(connection)
    send(connection, length=8)
    assert connection.send_data(b"abc") == b"abc"
    assert connection.send_data(b"") == b""
    connection.count_sent(5)
    assert connection.end_reply() == b""
    assert connection.idle


def test_a_chunked_body() -> None:
    connection = fed(GET)
    events(connection)
    send(connection, length=None)
    assert connection.send_data(b"abc") == b"3\r\nabc\r\n"
    assert connection.send_data(b"") == b""
    with pytest.raises(ProgramFault):
        connection.count_sent(1)
    assert connection.end_reply() == b"0\r\n\r\n"


def test_a_body_that_ends_with_the_connection() -> None:
    connection = fed(GET_1_0)
    events(connection)
    send(connection, length=None)
    assert connection.send_data(b"abc") == b"abc"
    connection.count_sent(10**6)
    assert connection.end_reply() == b""
    assert connection.state is State.CLOSED


def test_a_reply_to_head_has_no_body() -> None:
    for length in (5, None):
        connection = fed(HEAD)
        events(connection)
        send(connection, length=length)
        assert connection.send_data(b"hello") == b""
        assert connection.end_reply() == b""
        assert connection.idle


def test_more_body_than_declared() -> None:
    for status, length in ((200, 3), (304, 0)):
        connection = fed(GET)
        events(connection)
        send(connection, status, length=length)
        with pytest.raises(ProgramFault, match="more body"):
            connection.send_data(b"1234")
        assert connection.must_close


def test_less_body_than_declared() -> None:
    connection = fed(GET)
    events(connection)
    send(connection, length=3)
    connection.send_data(b"12")
    with pytest.raises(ProgramFault, match="1 bytes shorter"):
        connection.end_reply()
    assert connection.must_close


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "CONNECTION", "date"])
def test_framing_fields_are_not_the_callers(name: str) -> None:
    connection = fed(GET)
    events(connection)
    with pytest.raises(ProgramFault, match=name):
        connection.send_reply(200, [(name, "x")], length=0, date=DATE)
    assert connection.can_reply


def test_replies_that_cannot_be() -> None:
    connection = fed(GET)
    with pytest.raises(ProgramFault):
        send(connection)
    with pytest.raises(ProgramFault):
        connection.send_data(b"")
    with pytest.raises(ProgramFault):
        connection.end_reply()
    events(connection)
    with pytest.raises(ProgramFault):
        send(connection, 100)
    with pytest.raises(ProgramFault):
        send(connection, 204, length=5)
    with pytest.raises(ValueError):
        connection.send_reply(200, [("X", "a\r\nb")], length=0, date=DATE)
    assert send(connection) == b"Content-Length: 0\r\n"
    with pytest.raises(ProgramFault):
        send(connection)
    connection.end_reply()
    with pytest.raises(ProgramFault):
        connection.end_reply()
