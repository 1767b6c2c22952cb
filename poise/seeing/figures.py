"""Figures with their units, three digits each, as the page writes them; a text tells by a gap's name what it measures."""

from __future__ import annotations

import re
from collections.abc import Mapping

NONE = "–"
MINUS = "−"
LEAST = 0.01  # percent; less is not nothing
AGO = re.compile(r"ago(_ns)?")
DURATION = re.compile(r"(.*_)?ns")
SHARE = re.compile(r"(.*_)?(share|busy|free|cpu)")
RATE = re.compile(r"(.*_)?bytes_per_s")
BYTES = re.compile(r"(.*_)?(bytes|queue|in|out)")
NUMBER = re.compile(r"fd|gen|pid|line|port")
GAP = re.compile(r"\{(\w+)\}")
STEPS = ((999.5, 1, "ns"), (999.5e3, 1e3, "µs"), (999.5e6, 1e6, "ms"), (60e9, 1e9, "s"))


def duration(ns: float | None) -> str:
    """``212 ms``."""
    if ns is None:
        return NONE
    if ns < 0:
        return MINUS + duration(-ns)
    if ns == 0:
        return "0 ms"
    for below, unit, name in STEPS:
        if ns < below:
            return f"{ns:.0f} ns" if name == "ns" else f"{_three(ns / unit)} {name}"
    seconds = round(ns / 1e9)
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def since(ns: float) -> str:
    """How long ago, to the second: more would only flicker."""
    seconds = max(1, round(ns / 1e9))
    return f"{seconds} s" if seconds < 60 else duration(seconds * 1e9)


def size(count: float | None) -> str:
    """``3.10 GiB``."""
    if count is None:
        return NONE
    if count < 1000:
        return f"{count:.0f} B"
    value = count / 1024
    for unit in ("KiB", "MiB", "GiB"):
        if value < 999.5:
            return f"{_three(value)} {unit}"
        value /= 1024
    return f"{_three(value)} TiB"


def rate(per_second: float | None) -> str:
    """Bytes a second."""
    return NONE if per_second is None else f"{size(per_second)}/s"


def share(part: float | None) -> str:
    """A part of 1 in percent."""
    if part is None:
        return NONE
    percent = part * 100
    if 0 < percent < LEAST:
        return f"<{LEAST} %"
    digits = 0 if percent >= 9.95 or percent == 0 else 1 if percent >= 0.095 else 2
    return f"{percent:.{digits}f} %"


def count(value: float | None) -> str:
    """A number, its thousands apart."""
    return NONE if value is None else f"{round(value):,}"


def named(name: str, value: object) -> str:
    """A value as a sentence says it; what it measures is told by its name: ``ns``, ``lag_ns``, ``share``, ``queue_bytes``."""
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    for pattern, shown in ((AGO, since), (DURATION, duration), (SHARE, share), (RATE, rate), (BYTES, size)):
        if pattern.fullmatch(name):
            return shown(value)
    return str(value) if NUMBER.fullmatch(name) else count(value)


def filled(text: str, args: Mapping[str, object]) -> str:
    """``text`` with its ``{gaps}`` filled; one that nothing is known for gets a dash."""
    return GAP.sub(lambda gap: named(gap[1], args.get(gap[1])), text)


def _three(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"
