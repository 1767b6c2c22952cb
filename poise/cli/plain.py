"""Texts of strangers, made harmless for a terminal: what a client is called may hold anything, colours and commands too."""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "…"
WIDE = "\u2e80-\u9fff\uf900-\uffef"
CLOSING = "，。：；、！？）》」』"
UNITS = "ns|µs|ms|s|min|h|%|B|KiB|MiB|GiB|TiB"
PIECES = re.compile(
    rf"[0-9.,]+ (?:{UNITS})(?![A-Za-z])[{CLOSING}.,;:]*\s*|[{WIDE}][{CLOSING}]*|[^\s{WIDE}]+[{CLOSING}]*\s*|\s+"
)
"""What a line is not broken within: a figure and its unit, for one. Where East Asian letters stand a line may be broken anywhere but before a mark."""


def plain(text: object) -> str:
    """``text`` in one line, without anything that a terminal would obey or that would turn letters around."""
    return "".join(each if each == " " or each.isprintable() else REPLACEMENT for each in str(text))


def width(text: str) -> int:
    """Columns in a terminal: East Asian letters take two, marks that combine none (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def fitted(text: str, columns: int, *, right: bool = False) -> str:
    """``text`` in exactly so many columns, cut with an ellipsis or filled up with spaces."""
    if width(text) > columns:
        kept, used = [], 0
        for each in text:
            wide = width(each)
            if used + wide > columns - 1:
                break
            kept.append(each)
            used += wide
        text = "".join(kept) + (ELLIPSIS if columns > 0 else "")
    blank = " " * max(0, columns - width(text))
    return blank + text if right else text + blank


def wrapped(text: str, columns: int, most: int) -> list[str]:
    """``text`` in lines of so many columns, broken between words and between East Asian letters; the rest goes into the last."""
    lines = [""]
    for piece in PIECES.findall(text):
        if len(lines) < most and lines[-1] and width(lines[-1] + piece.rstrip()) > columns:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]
