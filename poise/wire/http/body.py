"""A request's body: what a reader is, and the one for a known length (RFC 9112 section 6.2).

A reader takes from the connection's buffer what belongs to the body and nothing behind it, hands it on as it
comes and keeps none of it. It can stop after any byte and go on with the next one. That for chunked bodies is in
:mod:`poise.wire.http.chunked`.
"""

from __future__ import annotations

from typing import Protocol

from poise.errors import RequestError
from poise.wire.buffer import Buffer
from poise.wire.http.head import Fields

NO_TRAILERS = Fields()


class BodyReader(Protocol):
    """What the connection asks of a reader."""

    done: bool
    trailers: Fields

    def read(self, buffer: Buffer) -> bytes:
        """The next bytes of content; none when more input is needed or the body is ``done``."""


class LengthReader:
    """A body of ``length`` bytes, of which ``maximum`` may be. :meth:`read` raises RequestError 413 for a longer one,
    not before: the head was handed out, so a reason that comes first can be told instead."""

    __slots__ = ("_left", "_maximum", "done", "trailers")

    def __init__(self, length: int, maximum: int | None = None) -> None:
        self._left = length
        self._maximum = length if maximum is None else maximum
        self.done = length == 0
        self.trailers = NO_TRAILERS

    def read(self, buffer: Buffer) -> bytes:
        """The next bytes of content; none when more input is needed or the body is ``done``."""
        if self._left > self._maximum:
            raise RequestError(413, f"the request body is longer than {self._maximum} bytes")
        data = buffer.take(self._left) if self._left else b""
        self._left -= len(data)
        self.done = self._left == 0
        return data
