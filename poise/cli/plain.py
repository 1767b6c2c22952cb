"""Texts of strangers, made harmless for a terminal: what a client is called may hold anything, colours and commands too."""

from __future__ import annotations

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "…"


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
