"""Messages in a stream of bytes, with the borders that TCP forgets. The rules are in ``framer.py``."""

from __future__ import annotations

from poise.wire.framing.delimited import DelimiterFramer, LineFramer
from poise.wire.framing.framer import LONGEST, Framer
from poise.wire.framing.sized import FixedFramer, LengthFramer, NetstringFramer, VarintFramer

__all__ = [
    "LONGEST",
    "DelimiterFramer",
    "FixedFramer",
    "Framer",
    "LengthFramer",
    "LineFramer",
    "NetstringFramer",
    "VarintFramer",
]
