"""The plots of docs/benchmarks.md, from the results; they need matplotlib (the extra ``bench``).

The same result makes the same bytes, so that a plot changes only when a measurement does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.aims import AIMS, samples
from bench.report import figures

OURS, THEIRS, MISSED = "#1f6f8b", "#9aa5ad", "#c0392b"
WIDTH = 8.0  # inches, of which a page shows 72 points each
HEIGHT = 0.28  # for each line
MARGIN = 1.1  # for the title and the scale

STYLE = {
    "svg.fonttype": "none",  # letters stay letters, which can be read aloud and searched
    "svg.hashsalt": "poise",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(scenarios: Mapping[str, Any], folder: Path, reference: str = "poise") -> dict[str, str]:
    """Every plot that the result is enough for, as a file in ``folder``: the name of each, and what it shows."""
    drawn: dict[str, str] = {}
    with mpl.rc_context(STYLE):
        if figure := ratios(scenarios):
            save(figure, folder / "aims.svg")
            drawn["aims.svg"] = "each aim and what was measured"
        for name, one in scenarios.items():
            if one["servers"]:
                save(bars(one, reference), folder / f"{name}.svg")
                drawn[f"{name}.svg"] = f"processor time: {one['scenario']['about']}"
    return drawn


def save(figure: Figure, file: Path) -> None:
    figure.savefig(file, bbox_inches="tight", facecolor="white", metadata={"Date": None})


def canvas(lines: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, MARGIN + HEIGHT * lines))
    axes = figure.add_subplot()
    axes.set_ylim(lines - 0.4, -0.6)
    return figure, axes


def bars(one: Mapping[str, Any], reference: str) -> Figure:
    """Processor time per request of each server: the median as a bar, smallest and largest as a line."""
    rounds = {name: samples(server) for name, server in one["servers"].items()}
    lines = figures(rounds, reference)
    figure, axes = canvas(len(lines))
    most = max(line.cost for line in lines)
    for place, line in enumerate(lines):
        costs = [sample.cost for sample in rounds[line.name]]
        axes.barh(place, line.cost, height=0.7, color=OURS if line.name.startswith(reference) else THEIRS)
        axes.plot([min(costs), max(costs)], [place, place], color="black", linewidth=1)
        axes.text(max(costs) + most * 0.01, place, f" {line.cost:,.1f}", va="center")
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.set_xlim(0, most * 1.12)
    axes.set_xlabel(f"processor time, µs per {one['unit']} (less is better)")
    axes.set_title(one["scenario"]["about"], loc="left", fontsize=10)
    return figure


def ratios(scenarios: Mapping[str, Any]) -> Figure | None:
    """Each aim as a stroke, and what was measured as a dot with its range; None when nothing can be compared."""
    found = [(aim, aim.measured(scenarios)) for aim in AIMS]
    known = [(aim, ratio) for aim, ratio in found if ratio is not None]
    if not known:
        return None
    figure, axes = canvas(len(known))
    for place, (aim, ratio) in enumerate(known):
        color = OURS if aim.reached(ratio) else MISSED
        axes.plot([ratio.low, ratio.high], [place, place], color=color, linewidth=2)
        axes.plot([ratio.median], [place], marker="o", color=color, markersize=5)
        axes.plot([aim.bound, aim.bound], [place - 0.35, place + 0.35], color="black", linewidth=1.5)
    labels = [f"{aim.scenario}, {aim.ours} ÷ {aim.theirs}, {WHAT[aim.figure]}" for aim, _ in known]
    axes.set_yticks(range(len(known)), labels)
    axes.set_xscale("log")
    ticks: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.axvline(1, color=THEIRS, linewidth=0.8)
    axes.set_xlabel("ratio: dot and line as measured, black stroke as aimed at (of a rate, more is better)")
    return figure


WHAT = {"cost": "processor time", "rate": "rate", "time": "time"}
