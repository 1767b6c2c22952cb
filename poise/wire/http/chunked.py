"""A request's body in chunks (RFC 9112 section 7.1).

Chunked bodies are the favourite place for tricks, so everything about them is bounded: the size line, the sum
of all extensions (which nobody uses and which carry no content), the trailer section, the body as a whole,
and the number of chunks that one call undoes, because a body of one-byte chunks costs a hundred times more
work per byte than others. Trailers are checked and kept apart; they never become part of the head (RFC 9110
section 6.5.1).
"""

from __future__ import annotations

from enum import Enum, auto

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.buffer import Buffer
from poise.wire.http import grammar
from poise.wire.http.body import NO_TRAILERS
from poise.wire.http.head import Fields

# In a trailer these are never right, and are there to be taken for a head by someone else (RFC 9110 section
# 6.5.1).
FORBIDDEN_TRAILERS = frozenset(("transfer-encoding", "content-length", "host"))


class Part(Enum):
    """Where in a chunked body the reader is."""

    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    END = auto()


class ChunkedReader:
    """A body in chunks. :meth:`read` raises RequestError: 400 for a malformed one, 413 when it is longer than
    ``limits.body``, 431 when its trailers are too long."""

    __slots__ = (
        "_extensions",
        "_fault",
        "_left",
        "_limits",
        "_pairs",
        "_part",
        "_room",
        "_trailer_room",
        "done",
        "trailers",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._part = Part.SIZE
        self._left = 0
        self._room = limits.body
        self._extensions = limits.extensions
        self._trailer_room = limits.trailers
        self._pairs: list[tuple[str, str]] = []
        self._fault: RequestError | None = None
        self.done = False
        self.trailers = NO_TRAILERS

    def read(self, buffer: Buffer) -> bytes:
        """The next bytes of content; none when more input is needed or the body is ``done``.

        A fault behind some content is raised by the next call, so that how the input was cut decides nothing.
        """
        if self._fault is not None:
            raise self._fault
        pieces: list[bytes] = []
        try:
            self._read_chunks(buffer, pieces)
        except RequestError as fault:
            if not pieces:
                raise
            self._fault = fault
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_chunks(self, buffer: Buffer, pieces: list[bytes]) -> None:
        chunks = self._limits.chunks
        while True:
            match self._part:
                case Part.SIZE:
                    if not chunks or not self._read_size(buffer):
                        return
                    chunks -= 1
                case Part.DATA:
                    if not self._read_data(buffer, pieces):
                        return
                case Part.DATA_END:
                    if not self._read_data_end(buffer):
                        return
                case Part.TRAILERS:
                    if not self._read_trailer(buffer):
                        return
                case _:
                    return

    def _read_size(self, buffer: Buffer) -> bool:
        line = _line(buffer, self._limits.chunk_line, 400, "a chunk size with its extensions")
        if line is None:
            return False
        match = grammar.CHUNK_LINE.fullmatch(line)
        if match is None:
            raise RequestError(400, "a chunk does not begin with its size in hexadecimal digits")
        self._extensions -= len(match[2])
        if self._extensions < 0:
            raise RequestError(400, f"the chunk extensions are longer than {self._limits.extensions} bytes")
        size = int(match[1], 16)
        self._room -= size
        if self._room < 0:
            raise RequestError(413, f"the request body is longer than {self._limits.body} bytes")
        self._left = size
        self._part = Part.DATA if size else Part.TRAILERS
        return True

    def _read_data(self, buffer: Buffer, pieces: list[bytes]) -> bool:
        data = buffer.take(self._left)
        if not data:
            return False
        pieces.append(data)
        self._left -= len(data)
        if self._left == 0:
            self._part = Part.DATA_END
        return True

    def _read_data_end(self, buffer: Buffer) -> bool:
        end = buffer.peek(2)
        if not b"\r\n".startswith(end):
            raise RequestError(400, "the data of a chunk does not end where its size says")
        if len(end) < 2:
            return False
        buffer.take(2)
        self._part = Part.SIZE
        return True

    def _read_trailer(self, buffer: Buffer) -> bool:
        line = _line(buffer, self._trailer_room, 431, "the trailer section")
        if line is None:
            return False
        if not line:
            self.trailers = Fields(self._pairs) if self._pairs else NO_TRAILERS
            self._part = Part.END
            self.done = True
            return True
        if len(self._pairs) == self._limits.fields:
            raise RequestError(431, f"the request has more than {self._limits.fields} trailer fields")
        if grammar.FIELD_LINE.fullmatch(line) is None:
            raise RequestError(400, "a trailer field line is malformed")
        self._trailer_room -= len(line)
        name, _, value = line.partition(":")
        if name.lower() in FORBIDDEN_TRAILERS:
            raise RequestError(400, f"the field {name} does not belong into a trailer")
        self._pairs.append((name, value))
        return True


def _line(buffer: Buffer, limit: int, status: int, what: str) -> str | None:
    """The next line without its CR LF, or None while its end is not there; RequestError(status) beyond
    ``limit`` bytes."""
    end = buffer.find(b"\n")
    if (end if end >= 0 else len(buffer)) > limit + 1:
        raise RequestError(status, f"{what} is too long")
    if end < 0:
        return None
    line = buffer.take(end + 1)
    if not line.endswith(b"\r\n"):
        raise RequestError(400, f"{what} has a line that ends in LF without CR")
    return line[:-2].decode("latin-1")
