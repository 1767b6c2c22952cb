"""Lines for a terminal: pieces of text with a style each, cut to the window. All that comes from elsewhere is made harmless here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from poise.cli.plain import fitted, plain, width

RESET = "\x1b[0m"
STYLES = {
    "": "",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "head": "\x1b[7m",
    # Okabe and Ito's colours, which everybody can tell apart, as near as 256 of them come.
    "reading": "\x1b[38;5;74m",
    "writing": "\x1b[38;5;172m",
    "busy": "\x1b[38;5;36m",
    "held": "\x1b[1;38;5;166m",
    "waiting": "\x1b[2m",
    "closed": "\x1b[2m",
}
"""A colour is never the only sign: each state is a word, too."""


class Span(NamedTuple):
    """Text in one style."""

    text: str
    style: str = ""


Line = list[Span]


class Column(NamedTuple):
    """One column of a table. ``least`` is its width; what is left over goes to those that ``grow``."""

    name: str
    least: int
    right: bool = False
    grow: int = 0
    rank: int = 0
    """When a window is too narrow, columns of the highest rank go first; 0 never goes."""


def columns(wanted: Sequence[Column], room: int) -> list[tuple[Column, int]]:
    """Those that have room, each with its width; a space stands between two."""
    kept = list(wanted)
    while sum(each.least + 1 for each in kept) - 1 > room and any(each.rank for each in kept):
        kept.remove(max(kept, key=lambda each: each.rank))
    spare = room - (sum(each.least + 1 for each in kept) - 1)
    parts = sum(each.grow for each in kept)
    return [(each, each.least + (max(0, spare) * each.grow // parts if parts else 0)) for each in kept]


def cell(text: object, wide: int, style: str = "", *, right: bool = False) -> Span:
    """A text of anybody's in a column."""
    return Span(fitted(plain(text), wide, right=right), style)


def joined(cells: Iterable[Span]) -> Line:
    """Cells with a space between them."""
    line: Line = []
    for each in cells:
        line += [Span(" "), each] if line else [each]
    return line


def painted(line: Line, room: int, *, colour: bool) -> str:
    """One line as it is written: cut to ``room`` columns, without a control character but those of its styles."""
    return "".join(_pieces(line, room, colour=colour))


def _pieces(line: Line, room: int, *, colour: bool) -> Iterator[str]:
    for span in line:
        text = plain(span.text)
        wide = width(text)
        if wide > room:
            text, wide = fitted(text, room), room
        room -= wide
        style = STYLES[span.style] if colour else ""
        yield f"{style}{text}{RESET}" if style and text else text
        if not room:
            return
