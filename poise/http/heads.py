"""A head seen before is not parsed again.

The same bytes give the same parse, always, so what is remembered can never be wrong. A client asks for many things but says
the same of itself each time, so the field block is remembered apart from the request line: many URLs
from a few kinds of client hit. A block is kept on second sight and memory is bounded in bytes by two generations, as
in the reply memo; a client that makes every head different takes none.
"""

from __future__ import annotations

from poise.errors import RequestError
from poise.http.sights import Sights
from poise.limits import HttpLimits
from poise.wire.http.head import (
    FieldBlock,
    RequestHead,
    compose_head,
    parse_field_block,
    parse_request_line,
    request_line_length,
)

ENTRY_BYTES = 2048  # what a parsed block of a dozen fields takes besides its own bytes, rounded up


class HeadMemo:
    """``parse`` stands in for ``parse_head``: the same heads, the same errors."""

    __slots__ = ("_half", "_old", "_sights", "_size", "_young")

    def __init__(self, memory: int) -> None:
        """``memory`` in bytes; 0 remembers nothing."""
        self._half = memory // 2
        self._young: dict[bytes, FieldBlock] = {}
        self._old: dict[bytes, FieldBlock] = {}
        self._size = 0
        self._sights = Sights()

    def parse(self, raw: bytes, limits: HttpLimits) -> RequestHead:
        start = request_line_length(raw, limits)
        line = parse_request_line(raw[:start], limits)
        if len(raw) > limits.head:
            raise RequestError(431, f"the request head is longer than {limits.head} bytes")
        block = raw[start + 2 :]
        parsed = self._young.get(block)
        if parsed is None:
            parsed = self._old.pop(block, None) or parse_field_block(block, limits)
            self._offer(block, parsed)
        return compose_head(line, parsed)

    def _offer(self, block: bytes, parsed: FieldBlock) -> None:
        if not self._sights.again(block):
            return
        size = len(block) + ENTRY_BYTES
        if size > self._half:
            return
        if self._size + size > self._half:
            self._old, self._young, self._size = self._young, {}, 0
        self._young[block] = parsed
        self._size += size
