"""Every framer once, small enough to reach its bounds, for the tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from poise.errors import FrameError
from poise.wire.framing import (
    DelimiterFramer,
    FixedFramer,
    Framer,
    LengthFramer,
    LineFramer,
    NetstringFramer,
    VarintFramer,
)


@dataclass(frozen=True)
class Case:
    make: Callable[[int], Framer]
    """Makes one for a maximum."""
    fits: Callable[[bytes], bool] = lambda _message: True
    """Whether it can frame these bytes, apart from their number."""
    size: int = 0
    """The only size it can frame, or 0."""


CASES: dict[str, Case] = {
    "line": Case(LineFramer, lambda message: b"\n" not in message and not message.endswith(b"\r")),
    "crlf": Case(lambda maximum: LineFramer(maximum, ending=b"\r\n"), lambda message: b"\n" not in message),
    "zero": Case(lambda maximum: DelimiterFramer(b"\0", maximum), lambda message: b"\0" not in message),
    "doubled": Case(
        lambda maximum: DelimiterFramer(b"--", maximum),
        lambda message: b"--" not in message and not message.endswith(b"-"),
    ),
    "overlapping": Case(
        lambda maximum: DelimiterFramer(b"aba", maximum),
        lambda message: (message + b"aba").find(b"aba") == len(message),
    ),
    "fixed": Case(lambda _maximum: FixedFramer(5), size=5),
    "one byte": Case(lambda _maximum: FixedFramer(1), size=1),
    "length 1": Case(lambda maximum: LengthFramer(1, maximum)),
    "length 2": Case(lambda maximum: LengthFramer(2, maximum, byteorder="little")),
    "length 4": Case(lambda maximum: LengthFramer(4, maximum)),
    "length 4 little": Case(lambda maximum: LengthFramer(4, maximum, byteorder="little")),
    "length 8": Case(lambda maximum: LengthFramer(8, maximum)),
    "varint": Case(VarintFramer),
    "netstring": Case(NetstringFramer),
}

# Bytes that mean something to one framer or another come often.
LIVELY = b"\n\r-ab\0\x01\x05\x7f\x80\x8a:,0159x"


def messages(case: Case, maximum: int) -> st.SearchStrategy[bytes]:
    """Messages that ``case`` can frame."""
    low, high = (case.size, case.size) if case.size else (0, maximum)
    lively = st.lists(st.sampled_from(LIVELY), min_size=low, max_size=high).map(bytes)
    return (lively | st.binary(min_size=low, max_size=high)).filter(case.fits)


def outcome(framer: Framer, pieces: Iterable[bytes], *, eof: bool = True) -> list[bytes | type[FrameError]]:
    """The messages of ``pieces``, and the fault that ends them if there is one."""
    found: list[bytes | type[FrameError]] = []
    try:
        for piece in pieces:
            found += framer.feed(piece)
        if eof:
            found += framer.feed_eof()
    except FrameError:
        # ``+=`` had taken every message before the fault, and keeps it.
        found.append(FrameError)
    return found


def split(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]
