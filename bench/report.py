"""From rounds to figures: medians, ratios to the reference with their range, the table and the JSON result.

A ratio is taken within one round, where both servers met the same machine, and the median of the rounds' ratios is
quoted with the smallest and the largest. The ratio of two medians would mix rounds of different luck.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.load import Sample


@dataclass(frozen=True, slots=True)
class Ratio:
    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} … {self.high:.2f})"


@dataclass(frozen=True, slots=True)
class Figures:
    """One server's line of the table."""

    name: str
    rate: float  # requests per second, median
    cost: float  # microseconds of processor time per request, median
    busy: float  # share of its core, median
    cost_ratio: Ratio | None  # the reference's ÷ this one's; None where there is no reference
    rate_ratio: Ratio | None
    clean: bool  # no round had an error


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Round by round ours ÷ theirs. Raises ValueError when the rounds do not pair up or there are none."""
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    if not each:
        raise ValueError("no rounds")
    return Ratio(median(each), min(each), max(each))


def figures(rounds: Mapping[str, Sequence[Sample]], reference: str) -> list[Figures]:
    """One line for each server, the reference first and the others in the order given."""
    ours = rounds.get(reference)

    def against(samples: Sequence[Sample], value: Callable[[Sample], float]) -> Ratio | None:
        if ours is None or samples is ours:
            return None
        return ratio([value(sample) for sample in ours], [value(sample) for sample in samples])

    lines = [
        Figures(
            name=name,
            rate=median(sample.rate for sample in samples),
            cost=median(sample.cost for sample in samples),
            busy=median(sample.busy for sample in samples),
            cost_ratio=against(samples, lambda sample: sample.cost),
            rate_ratio=against(samples, lambda sample: sample.rate),
            clean=all(sample.load.clean for sample in samples),
        )
        for name, samples in rounds.items()
    ]
    return sorted(lines, key=lambda line: line.name != reference)


def table(lines: Sequence[Figures], reference: str, unit: str = "request") -> str:
    """The figures for a person, in columns; ``unit`` is what was counted."""
    head = (
        "server",
        f"{unit}s/s",
        f"CPU µs/{unit}",
        "core",
        f"CPU: {reference} ÷ it",
        f"rate: {reference} ÷ it",
        "",
    )
    rows = [head]
    rows += [
        (
            line.name,
            f"{line.rate:,.0f}",
            f"{line.cost:.2f}",
            f"{line.busy:.0%}",
            str(line.cost_ratio or "—"),
            str(line.rate_ratio or "—"),
            "" if line.clean else "errors: not to be believed",
        )
        for line in lines
    ]
    return columns(rows, left=(0, len(head) - 1))


def columns(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """Rows of equal length with their cells below each other, those of the columns ``left`` flush left."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(pad(cell, widths[column], left=column in left) for column, cell in enumerate(row)).rstrip()
        for row in rows
    )


def pad(cell: str, columns: int, *, left: bool) -> str:
    space = " " * (columns - width(cell))
    return cell + space if left else space + cell


def width(text: str) -> int:
    """Columns of a terminal that ``text`` takes."""
    return sum(2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text)


def describe(sample: Sample) -> dict[str, Any]:
    """One round for the JSON result: what was counted, and what follows from it."""
    derived = {
        "requests_per_second": sample.rate,
        "cpu_us_per_request": sample.cost,
        "core_share": sample.busy,
    }
    return asdict(sample) | derived
