"""Parts of a representation: Range, Content-Range and multipart/byteranges (RFC 9110 section 14).

What a Range field asks for is a list of spans, ``(first byte, number of bytes)``. It comes to one of three ends:

* **None**: the field is ignored, and the whole is sent. So it is for another unit, for what breaks the grammar, for
  more members than anybody needs, for nothing to cut parts from (all of section 14.2), and for ranges that together are
  longer than the whole, which nobody asks for who wants to save anything.
* **No span**: the field makes sense, but nothing that it asks for is there: 416.
* **Spans**: what to send, in the order of the field.

One liberty is taken with the grammar, which others take too: spaces and tabs may stand around the ``-`` of a range.
"""

from __future__ import annotations

from collections.abc import Iterable

from poise.wire.http.grammar import OWS, field_content
from poise.wire.pattern import pattern

Span = tuple[int, int]
"""The first byte, counted from 0, and the number of bytes, at least 1."""

UNIT = "bytes"

RANGE_SPEC = pattern(rf"([0-9]++){OWS}-{OWS}([0-9]*+)|-{OWS}([0-9]++)")
"""Section 14.1.1: int-range or suffix-range."""

DIGITS = 19
"""That a position may have; with more it lies beyond the end of every storage, wherever that is."""

BEYOND = 10**DIGITS

FIELD_CONTENT = pattern(field_content)

PART_END = b"\r\n"
"""After the content of each part (RFC 2046 section 5.1.1); it belongs to the delimiter that follows."""


def ranges_to_send(value: str, size: int, most: int) -> list[Span] | None:
    """The spans of ``size`` bytes that answer the Range field ``value``: apart from each other, none twice.

    None to ignore the field; an empty list when it cannot be satisfied. More than ``most`` members are not looked at.
    """
    spans = parse_ranges(value, size, most)
    if spans and sum(length for _, length in spans) > size:
        return None
    return coalesce(spans) if spans else spans


def parse_ranges(value: str, size: int, most: int) -> list[Span] | None:
    """The spans that the Range field ``value`` asks for, as they stand there, cut to ``size`` bytes.

    Those that begin behind the end, and the last 0 bytes, are left out. None to ignore the field. ``most`` members are
    allowed, empty ones included, which mean nothing (RFC 9110 section 5.6.1.2). Takes linear time.
    """
    unit, _, members = value.partition("=")
    if not size or unit.lower() != UNIT:
        return None
    spans: list[Span] = []
    found = False
    parts = members.split(",", most)
    if len(parts) > most:
        return None
    for part in parts:
        spec = part.strip(" \t")
        if not spec:
            continue
        bounds = _bounds(spec, size)
        if bounds is None:
            return None
        found = True
        first, end = bounds
        if first < size:
            spans.append((first, min(end, size) - first))
    return spans if found else None


def _bounds(spec: str, size: int) -> tuple[int, int] | None:
    """The first byte of a range-spec and the one behind its last, not cut yet; None when it is invalid."""
    match = RANGE_SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return max(0, size - _position(suffix)), size
    start = _position(first)
    end = _position(last) + 1 if last else BEYOND + 1
    return (start, end) if start < end else None


def _position(digits: str) -> int:
    """The number; any that is longer than DIGITS counts as BEYOND, since reading one takes the square of its length."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= DIGITS else BEYOND


def coalesce(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap or touch made one, in n log n steps.

    Each stands where the first of those that went into it stood (section 15.3.7.2).
    """
    merged: list[list[int]] = []  # place, first byte, the one behind the last
    for first, length, place in sorted((first, length, place) for place, (first, length) in enumerate(spans)):
        if merged and first <= merged[-1][2]:
            last = merged[-1]
            last[0] = min(last[0], place)
            last[2] = max(last[2], first + length)
        else:
            merged.append([place, first, first + length])
    return [(first, end - first) for _, first, end in sorted(merged)]


def content_range(span: Span, size: int) -> str:
    """The Content-Range of a part of ``size`` bytes (section 14.4)."""
    first, length = span
    return f"{UNIT} {first}-{first + length - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """The Content-Range of a 416, which tells how many bytes there are."""
    return f"{UNIT} */{size}"


def part_head(boundary: str, media_type: str, span: Span, size: int) -> bytes:
    """What stands before the content of one part of multipart/byteranges (section 14.6).

    Raises ValueError for a media type that is no field value.
    """
    if FIELD_CONTENT.fullmatch(media_type) is None:
        raise ValueError(f"{media_type!r} breaks the grammar of a field")
    range_ = content_range(span, size)
    return f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {range_}\r\n\r\n".encode("latin-1")


def last_delimiter(boundary: str) -> bytes:
    """What stands after the last part."""
    return f"--{boundary}--\r\n".encode("latin-1")
