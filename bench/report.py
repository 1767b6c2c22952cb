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

from bench.load import Load, Sample


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
    time: float  # milliseconds per request, median
    busy: float  # share of its core, median
    cost_ratio: Ratio | None  # the reference's ÷ this one's; None where there is no reference
    rate_ratio: Ratio | None
    time_ratio: Ratio | None
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
            time=median(sample.time for sample in samples),
            busy=median(sample.busy for sample in samples),
            cost_ratio=against(samples, lambda sample: sample.cost),
            rate_ratio=against(samples, lambda sample: sample.rate),
            time_ratio=against(samples, lambda sample: sample.time),
            clean=all(sample.clean for sample in samples),
        )
        for name, samples in rounds.items()
    ]
    return sorted(lines, key=lambda line: line.name != reference)


def table(lines: Sequence[Figures], reference: str, unit: str = "request") -> str:
    """The figures for a person, in columns; ``unit`` is what was counted."""
    rows = rows_of(lines, reference, unit)
    return columns(rows, left=(0, len(rows[0]) - 1))


def rows_of(lines: Sequence[Figures], reference: str, unit: str) -> list[tuple[str, ...]]:
    """The table's head and a row for each server. What takes long is told by its time, not by how often it comes."""
    slow = unit == "start"
    speed = f"ms/{unit}" if slow else per_second(unit)
    compared = f"{'time' if slow else 'rate'}: {reference} ÷ it"
    rows: list[tuple[str, ...]] = [
        ("server", speed, f"CPU µs/{unit}", "core", f"CPU: {reference} ÷ it", compared, "")
    ]
    rows += [
        (
            line.name,
            f"{line.time:,.1f}" if slow else f"{line.rate:,.0f}",
            f"{line.cost:,.2f}",
            f"{line.busy:.0%}",
            str(line.cost_ratio or "—"),
            str((line.time_ratio if slow else line.rate_ratio) or "—"),
            "" if line.clean else "errors: not to be believed",
        )
        for line in lines
    ]
    return rows


def counted(rounds: int, warm_ups: int) -> str:
    """How often it was measured."""
    before = "one warm-up" if warm_ups == 1 else f"{warm_ups} warm-ups"
    return f"{rounds} round{'s' if rounds > 1 else ''} after {before}"


def per_second(unit: str) -> str:
    return "MiB/s" if unit == "MiB" else f"{unit}s/s"


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
        "ms_per_request": sample.time,
        "core_share": sample.busy,
    }
    return asdict(sample) | derived


def sample_of(kept: Mapping[str, Any]) -> Sample:
    """The round that :func:`describe` has described."""
    own = ("cpu_ns", "wall_ns", "private_bytes", "logged")
    return Sample(Load(**kept["load"]), **{name: kept[name] for name in own})
