"""Axes: from zero, with round ticks; logarithmic in whole powers of ten."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

STEPS = (1, 2, 2.5, 5, 10)
NOTHING = 1e-12  # below this a value is none: nothing that is measured here is as small
TICKS = 5  # about so many


class Scale(NamedTuple):
    """From ``low`` to ``high``, with a tick at each of ``ticks``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool

    def at(self, value: float) -> float:
        """Where a value lies: 0 at the beginning of the axis, 1 at its end."""
        if self.log:
            value = math.log10(max(value, self.low))
            low, high = math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0)


def scale(values: Iterable[float], *, log: bool) -> Scale:
    """One that holds all of ``values``."""
    known = [value for value in values if math.isfinite(value)]
    return logarithmic(known) if log else linear(known)


def linear(values: list[float]) -> Scale:
    """From zero to a round number above the largest value."""
    largest = max([*values, 0.0])
    if largest < NOTHING:
        largest = 1.0
    power = 10.0 ** math.floor(math.log10(largest / TICKS))
    step = next(step * power for step in STEPS if step * power * TICKS >= largest * 0.999)
    count = math.ceil(largest / step - 1e-9)
    return Scale(0.0, count * step, tuple(number * step for number in range(count + 1)), log=False)


def logarithmic(values: list[float]) -> Scale:
    """From the power of ten below the smallest positive value to the one above the largest."""
    positive = [value for value in values if value > 0] or [1.0]
    first = math.floor(math.log10(min(positive)))
    last = max(math.ceil(math.log10(max(positive))), first + 1)
    every = math.ceil((last - first) / 7)
    ticks = tuple(10.0**power for power in range(first, last + 1, every))
    return Scale(10.0**first, 10.0**last, ticks, log=True)


def short(value: float) -> str:
    """A number for people: ``1.2M``, ``340``, ``0.05``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            divided = value / (1e3 if letter == "k" else size)
            return f"{divided:.3g}{letter}" if abs(divided) < 999.5 else f"{divided:.0f}{letter}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def columns(text: str) -> int:
    """How wide a text is in letters of the Latin kind; Chinese ones take two."""
    return sum(2 if ord(each) >= 0x2E80 else 1 for each in text)
