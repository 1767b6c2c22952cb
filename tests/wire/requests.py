"""Whole requests and the steps that the tests of one connection have in common."""

from __future__ import annotations

import pytest

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.connection import Event, ServerConnection
from tests.wire.driver import DATE, LIMITS

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
PUT_CHUNKED = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
PUT_EXPECT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def fed(*pieces: bytes, limits: HttpLimits = LIMITS) -> ServerConnection:
    connection = ServerConnection(limits)
    for piece in pieces:
        connection.feed(piece)
    return connection


def events(connection: ServerConnection) -> list[Event]:
    found = []
    while (event := connection.next_event()) is not None:
        found.append(event)
    return found


def send(connection: ServerConnection, status: int = 200, *, length: int | None = 0) -> bytes:
    """The lines of a reply's head that are about framing."""
    raw = connection.send_reply(status, (), length=length, date=DATE)
    start = f"HTTP/1.1 {status} ".encode()
    assert raw.startswith(start)
    assert raw.endswith(b"\r\n\r\n")
    return raw[raw.index(b"\r\nDate: ") + len(DATE) + 10 : -2]


def fault(connection: ServerConnection) -> int:
    with pytest.raises(RequestError) as caught:
        events(connection)
    return caught.value.status
