"""Parts of an open file as a reply: those that were asked for, 206, or that there are none, 416.

* **Only GET has ranges.** RFC 9110, 14.2 says that Range MUST be ignored with any method for which it is not defined,
  and it is defined for GET alone. So a HEAD is answered as the GET without its Range would be.
* **A Range counts only where If-Range holds** (13.1.5): the client's tag is ours and neither is weak, or its date is
  our Last-Modified and that lies a second or more before the Date of this reply, so that nothing can be written any
  more in the second that it names. Anything else, garbage included, gets the whole file.
* **A 206 has all the fields of the 200.** With If-Range the RFC would rather do without some of them (15.3.7), because
  the client has them; but not everybody who has kept a tag and a beginning has kept the rest.
* **A 416 has no body.** Who resumes a download that was finished gets one, and some write into the file what they get.

One part goes by sendfile. Several are read piece by piece while the client takes them, and the length of it all is known
beforehand. A file that becomes shorter meanwhile ends the connection, as with sendfile: no reply lies about its length.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from poise.files.entity import ACCEPT_RANGES, Entity, file_fields
from poise.http.message import FileBody, Reply, Request
from poise.limits import FileLimits
from poise.net.outgoing import Truncated
from poise.wire.http.dates import parse_http_date
from poise.wire.http.ranges import (
    PART_END,
    Span,
    content_range,
    last_delimiter,
    part_head,
    ranges_to_send,
    unsatisfied_range,
)

if TYPE_CHECKING:
    from poise.wire.http.head import Fields

BOUNDARY_BYTES = 16
"""128 random bits: no content has them by chance, and nobody who puts files there can know them."""


def asked_ranges(
    request: Request, *, size: int, entity: Entity, now: float, limits: FileLimits | None = None
) -> list[Span] | None:
    """The parts of a file of ``size`` bytes that ``request`` is to get; None for all of it, an empty list for 416."""
    asked = request.fields.get("range")
    if asked is None or request.method != "GET" or not if_range_holds(request.fields, entity, now):
        return None
    return ranges_to_send(asked, size, (limits or FileLimits()).ranges)


def if_range_holds(fields: Fields, entity: Entity, now: float) -> bool:
    """Does If-Range, if there is one, let the Range beside it count at the time ``now`` (seconds)?"""
    value = fields.get("if-range")
    if value is None:
        return True
    if '"' in value[:3]:
        return value == entity.etag and not value.startswith("W/")
    modified = entity.modified
    return modified is not None and modified + 1 <= now and modified == parse_http_date(value, now=now)


def partial_reply(
    fd: int,
    spans: Sequence[Span],
    *,
    size: int,
    media_type: str,
    entity: Entity,
    fields: Sequence[tuple[str, str]] = (),
    limits: FileLimits | None = None,
) -> Reply:
    """206 with ``spans`` of the open file ``fd``, which it owns from now on; 416 without any.

    ``size`` is that of the file in bytes; ``fields`` come after the type and the validators. Raises ValueError for a media
    type that is no field value; the file is closed then too.
    """
    if not spans:
        os.close(fd)
        return Reply(416, (("Content-Range", unsatisfied_range(size)), ACCEPT_RANGES))
    if len(spans) == 1:
        first, length = spans[0]
        own = file_fields(media_type, entity, fields)
        own.insert(1, ("Content-Range", content_range(spans[0], size)))
        return Reply(206, own, FileBody(fd, first, length))
    parts = Parts(fd, spans, size, media_type, limits or FileLimits())
    return Reply(206, file_fields(parts.media_type, entity, fields), parts, length=parts.length)


class Parts:
    """A body of multipart/byteranges (RFC 9110, 14.6), read while it is sent. It owns its descriptor.

    ``length`` is that of the whole body in bytes, ``media_type`` its Content-Type, which names the boundary.
    """

    __slots__ = ("_fd", "_heads", "_limit", "_spans", "boundary", "length")

    def __init__(
        self, fd: int, spans: Sequence[Span], size: int, media_type: str, limits: FileLimits
    ) -> None:
        """Closes ``fd`` and raises ValueError when ``media_type`` is no field value."""
        self._fd = fd
        self._spans = spans
        self._limit = limits.part
        self.boundary = os.urandom(BOUNDARY_BYTES).hex()
        try:
            self._heads = [part_head(self.boundary, media_type, span, size) for span in spans]
        except ValueError:
            self.close()
            raise
        self.length = len(last_delimiter(self.boundary)) + sum(
            len(head) + length + len(PART_END) for head, (_, length) in zip(self._heads, spans, strict=True)
        )

    @property
    def media_type(self) -> str:
        return f"multipart/byteranges; boundary={self.boundary}"

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of about ``limits.part`` bytes, so that many small parts leave in one.

        Raises Truncated when the file has become shorter, OSError when it cannot be read.
        """
        piece = bytearray()
        for head, (first, length) in zip(self._heads, self._spans, strict=True):
            piece += head
            end = first + length
            while first < end:
                if len(piece) >= self._limit:
                    yield bytes(piece)
                    piece.clear()
                data = os.pread(self._fd, min(end - first, self._limit - len(piece)), first)
                if not data:
                    raise Truncated("the file became shorter while parts of it were being sent")
                first += len(data)
                piece += data
            piece += PART_END
        piece += last_delimiter(self.boundary)
        yield bytes(piece)

    def close(self) -> None:
        """Close the descriptor; may be repeated."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
