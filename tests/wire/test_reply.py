from __future__ import annotations

import pytest

from poise.wire.http.reply import LAST_CHUNK, REASONS, chunk, reply_head
from tests.wire.driver import DATE


def test_a_head() -> None:
    assert reply_head(200, [("Content-Type", "text/plain"), ("X-Empty", "")], date=DATE) == (
        b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nX-Empty: \r\n\r\n"
    )


def test_a_status_without_a_phrase_keeps_the_space() -> None:
    assert reply_head(299, (), date=DATE).startswith(b"HTTP/1.1 299 \r\n")


def test_latin_1_is_allowed() -> None:
    assert b"caf\xe9" in reply_head(200, [("X", "caf\xe9")], date=DATE)


@pytest.mark.parametrize(
    "field",
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\r\nSet-Cookie: b\r\nY: c"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "a\x7fb"),
        ("X", "a\r\n"),
        ("X", "\u0130"),
        ("X: y\r\nZ", "a"),
        ("X ", "a"),
        ("X:Y", "a\r\nb"),
        ("", "a"),
        ("Ü", "a"),
    ],
)
def test_what_would_break_out_of_its_line_is_refused(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        reply_head(200, [field, ("Other", "value")], date=DATE)


@pytest.mark.parametrize("status", [0, 99, 1000, -200])
def test_no_status(status: int) -> None:
    with pytest.raises(ValueError):
        reply_head(status, (), date=DATE)


def test_chunks() -> None:
    assert chunk(b"hello world, hello") == b"12\r\nhello world, hello\r\n"
    assert chunk(b"") == b""
    assert LAST_CHUNK == b"0\r\n\r\n"


def test_every_status_that_a_request_error_uses_has_a_phrase() -> None:
    assert REASONS.keys() >= {400, 403, 404, 405, 408, 413, 414, 417, 431, 500, 501, 503, 505}
