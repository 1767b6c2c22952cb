"""A reply's head and chunks: from values to bytes (RFC 9110 section 15, RFC 9112 sections 4, 5 and 7.1).

Whatever is written is checked against the same grammar as what is read. A name or value that would break out
of its line is our own fault, and therefore a ValueError, never bytes on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable

from poise.wire.http import grammar
from poise.wire.http.statuses import REASONS
from poise.wire.pattern import pattern

__all__ = ["CONTINUE", "LAST_CHUNK", "REASONS", "chunk", "reply_head"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_FIELD_LINES = pattern(rf"(?:{grammar.field_line}\r\n)*+")


def reply_head(status: int, fields: Iterable[tuple[str, str]], *, date: str) -> bytes:
    """The status line, ``Date`` and ``fields`` in their order, and the empty line.

    ``date`` is an HTTP-date (:func:`poise.wire.http.dates.http_date`). Values are latin-1 text. Raises
    ValueError when the status is not of three digits, or when a name or value is not what RFC 9110 section 5
    allows.
    """
    if not 100 <= status <= 999:
        raise ValueError(f"{status} is not a status code")
    lines = [f"{name}: {value}\r\n" for name, value in fields]
    text = "".join(lines)
    # The pattern proves that there are only whole field lines, the count that no value has smuggled in one
    # more.
    if text.count("\n") != len(lines) or _FIELD_LINES.fullmatch(text) is None:
        raise ValueError(f"a field of the reply breaks the grammar: {lines!r}")
    return f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\nDate: {date}\r\n{text}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk. No data gives no bytes, because a chunk of size 0 would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
