"""Requests and replies, and who owns what a body holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.http.message import FileBody, Reply, Request
from poise.limits import HttpLimits
from poise.wire.http.head import parse_head


def test_a_request_shows_its_head() -> None:
    head = parse_head(b"GET /a%20b?c=d HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n\r\n", HttpLimits())
    request = Request(head, b"", ("127.0.0.1", 1), "http")
    assert (request.method, request.path, request.query) == ("GET", "/a%20b", "c=d")
    assert request.fields.get("x-one") == "1"


def test_a_file_body_is_closed_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    body = FileBody(os.open(tmp_path / "a", os.O_RDONLY), 0, 5)
    number = body.fd
    reply = Reply(200, body=body)
    assert reply.length == 5
    reply.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    assert body.fd == -1
    reply.close()


def test_a_produced_body_is_closed_and_has_no_length() -> None:
    ended = []

    def produce() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            ended.append(True)

    body = produce()
    reply = Reply(200, body=body)
    assert reply.length is None
    assert next(body) == b"a"
    reply.close()
    assert ended == [True]


def test_a_produced_body_may_promise_its_length() -> None:
    reply = Reply(200, body=[b"he", b"llo"], length=5)
    assert reply.length == 5
    assert repr(reply) == "<Reply 200 list length=5>"
    assert Reply(200, body=b"hello", length=5).length == 5


@pytest.mark.parametrize(
    ("body", "length"), [(b"hello", 4), (FileBody(-1, 0, 5), 6), (b"", -1), ([b"hello"], -1)]
)
def test_a_length_that_cannot_be_is_refused(body: bytes | FileBody | list[bytes], length: int) -> None:
    with pytest.raises(ValueError, match=f"not {length} bytes long"):
        Reply(200, body=body, length=length)


def test_bytes_have_a_length_and_a_list_needs_no_closing() -> None:
    reply = Reply(200, [("A", "b")], b"hello")
    assert (reply.fields, reply.length) == ((("A", "b"),), 5)
    reply.close()
    Reply(200, body=[b"a", b"b"]).close()
    assert repr(reply) == "<Reply 200 bytes length=5>"
