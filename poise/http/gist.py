"""The gist of a head: what is left of it without the field lines that no remembered reply can depend on.

Clients say much of themselves that changes no answer: who they are, what led them here, a number for each request. Two
heads with the same gist get the same reply, so a reply that was made for one is the other's too, and a head that was never
seen before need not be parsed to be answered. What makes that safe:

* the gist keeps the request line and every line that decides about framing, the connection or the reply, in their order and
  to the byte; what differs there is another gist, and so has its own way through the grammar;
* every line that it leaves out is held against the grammar first, and head and lines against their limits. What
  breaks a rule has no gist, and the parser says what is wrong with it. HTTP/1.0 has its own ways, and no gist;
* which fields a reply can depend on is said by whoever makes the replies (``HTTPServer.looked_at``); those that choose
  between representations count only where the reply says so itself (Vary; RFC 9110, 12.5.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import compress

from poise.limits import HttpLimits
from poise.wire.http import grammar

LINES = 4096  # field lines whose weight is remembered; the dicts start anew when they are full
LINE_BYTES = 256  # of the longest one that is

FIELD_LINE = re.compile(rf"({grammar.token}):({grammar.field_content})".encode("latin-1"))
END = [b"", b""]  # what the end of a head looks like between its line ends

FRAMING = frozenset(
    (b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"authorization")
)
"""What decides about every request."""

CHOOSING = frozenset(
    (b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"origin", b"sec-fetch-mode")
)
"""What chooses between replies, and so is named by Vary where it matters (RFC 9110, 12.5.5; Fetch, 3.3.6)."""


class Gists:
    """Takes the gist of heads; ``looked_at`` are the names of the fields that replies may depend on, in lower case."""

    __slots__ = ("_choosing", "_deciding", "_limits", "_weights")

    def __init__(self, limits: HttpLimits, looked_at: Iterable[str]) -> None:
        names = frozenset(name.encode("ascii") for name in looked_at)
        self._limits = limits
        self._choosing = names & CHOOSING
        self._deciding = FRAMING | (names - CHOOSING)
        self._weights: dict[bytes, bool] = {}

    def of(self, raw: bytes) -> bytes | None:
        """The gist of ``raw`` for replies that depend on no choice; None when it has none.

        ``raw`` has one only when it is one whole head of HTTP/1.1. A gist never equals a head: it has no end.
        """
        lines = raw.split(b"\r\n")
        if (
            lines[-2:] != END
            or not 0 <= len(lines) - 3 <= self._limits.fields
            or len(raw) > self._limits.head
        ):
            return None
        del lines[-2:]
        weights = [*map(self._weights.get, lines)]
        weights[0] = True
        while None in weights:
            at = weights.index(None)
            weight = self._weigh(lines[at])
            if weight is None:
                return None
            weights[at] = weight
        if not lines[0].endswith(b" HTTP/1.1"):
            return None
        return b"\r\n".join(compress(lines, weights))

    def chosen(self, raw: bytes, plain: bytes) -> bytes:
        """The gist for replies that depend on the client's choice; ``plain`` is that for the others."""
        own = [line for line in raw.split(b"\r\n")[1:] if line.partition(b":")[0].lower() in self._choosing]
        return b"\r\n".join((plain, *own, b""))

    def _weigh(self, line: bytes) -> bool | None:
        """Whether ``line`` decides about the reply, beyond choosing; None when it breaks the grammar."""
        match = FIELD_LINE.fullmatch(line)
        if match is None:
            return None
        name = match[1].lower()
        weight = name in self._deciding
        if weight and name == b"connection":
            weight = match[2].strip(b" \t").lower() != b"keep-alive"  # which HTTP/1.1 does anyway
        if len(line) <= LINE_BYTES:
            if len(self._weights) >= LINES:
                self._weights.clear()
            self._weights[line] = weight
        return weight
