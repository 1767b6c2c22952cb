"""A QR code in a terminal, for a telephone that should not have to type an address.

A code is dark modules on a light ground with four light modules around it (ISO/IEC 18004, 6.3.8). Half of a terminal's
cell is about square, so two rows go into one line by half blocks. What is dark depends on the terminal: with colours
they are named outright, black on white, and every theme is right. Without (NO_COLOR, a dumb terminal) letters are taken
to be light on dark unless COLORFGBG says otherwise, and what is drawn is then the light of the code.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping, Sequence

from poise.cli import standard
from poise.cli.standard import say

QUIET = 4  # modules around the code
COLOURS, NO_COLOURS = "\x1b[38;5;16;48;5;231m", "\x1b[0m"  # the black and the white that no theme changes
BLOCKS = " ▀▄█"  # what is drawn of a cell: nothing, the upper half, the lower, both
LIGHT_GROUNDS = frozenset({"7", "15"})  # of the sixteen colours that COLORFGBG may name behind the letters

Matrix = Sequence[Sequence[int]]


def show(urls: Sequence[str], *, asked: bool) -> None:
    """Show the first of ``urls``. When that cannot be done, only somebody who has asked for it is told why."""
    to = standard.OUTPUT if os.isatty(standard.OUTPUT) else standard.ERROR
    trouble = _show(urls, to)
    if trouble and asked:
        say(f"no QR code: {trouble}")


def _show(urls: Sequence[str], to: int) -> str:
    """What is in the way; empty when nothing is."""
    if not urls:
        return "there is no address that another machine could use; --lan opens one to the network"
    try:
        import segno
    except ImportError:
        return "it needs the package segno: pip install segno"
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") != "utf8":
        return f"the encoding {encoding} has no blocks to draw it with"
    code = with_quiet_zone(segno.make(urls[0], error="l", micro=False).matrix)
    high = (len(code) + 1) // 2
    columns, rows = _window(to)
    if len(code) > columns or high >= rows:
        return f"it needs {len(code)} columns and {high + 1} lines, the window has {columns} and {rows}"
    colours = os.isatty(to) and has_colours(os.environ)
    text = drawn(code, of=1 if colours or on_light(os.environ) else 0)
    if colours:
        text = "".join(f"{COLOURS}{line}{NO_COLOURS}\n" for line in text.splitlines())
    standard.write(to, text)
    return ""


def with_quiet_zone(code: Matrix) -> Matrix:
    """``code``, 1 for dark, with the light margin without which no reader finds it."""
    side = [0] * QUIET
    rows = [[*side, *row, *side] for row in code]
    blank = [[0] * len(rows[0])] * QUIET
    return [*blank, *rows, *blank]


def drawn(code: Matrix, *, of: int) -> str:
    """Lines of half blocks, drawn where a module is ``of``: 1, dark on a light ground; 0, light on a dark one."""
    beneath = [*code[1::2], *([[1 - of] * len(code[0])] if len(code) % 2 else [])]
    return "".join(
        "".join(BLOCKS[(top == of) + 2 * (low == of)] for top, low in zip(upper, lower, strict=True)) + "\n"
        for upper, lower in zip(code[::2], beneath, strict=True)
    )


def has_colours(environment: Mapping[str, str]) -> bool:
    """Whether a terminal may be spoken to in colours (https://no-color.org)."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


def on_light(environment: Mapping[str, str]) -> bool:
    """Whether letters stand on a light ground, as far as the terminal says: ``15;0`` is white on black."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in LIGHT_GROUNDS


def _window(to: int) -> tuple[int, int]:
    """Columns and lines; plenty where ``to`` is no window, or one that does not say."""
    try:
        columns, rows = os.get_terminal_size(to)
    except OSError:
        columns = rows = 0
    return columns or 1000, rows or 1000
