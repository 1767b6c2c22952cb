"""A figure as data: what a page, a file or a terminal draws, each in its own way.

Four kinds. ``lines``: series of points over two axes. ``bars``: one value for each label and series. ``spans``: rows with
pieces of time. ``lamps``: rows of bits that are lit or not. Axes begin at zero; an axis is logarithmic only where it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from poise.lab.text import Text


class Axis(NamedTuple):
    """``unit`` stands beside every number: "ms", "KiB", "descriptors"."""

    label: Text
    unit: Text
    log: bool = False


class Series(NamedTuple):
    """``points``: (x, y) for lines, (index of the label, y) for bars."""

    name: Text
    points: Sequence[tuple[float, float]]


class Span(NamedTuple):
    """A piece of time in a row, from ``start`` to ``end`` on the x axis; ``state``: "waiting", "held", "served", …"""

    start: float
    end: float
    state: str


class Note(NamedTuple):
    """What stands beneath a figure: a sentence, and lines of a program or of its stack that it is about."""

    text: Text
    code: Sequence[str] = ()


class Figure(NamedTuple):
    """What is drawn. Which of the fields are used depends on the kind."""

    kind: str
    title: Text
    x: Axis | None = None
    y: Axis | None = None
    series: Sequence[Series] = ()
    labels: Sequence[Text] = ()
    rows: Sequence[tuple[Text, Sequence[Span]]] = ()
    lamps: Sequence[tuple[Text, int]] = ()
    bits: Sequence[tuple[str, int]] = ()
    notes: Sequence[Note] = ()

    def as_json(self) -> dict[str, Any]:
        """As lists and dicts, texts in all languages."""
        return {
            "kind": self.kind,
            "title": self.title._asdict(),
            "x": axis(self.x),
            "y": axis(self.y),
            "series": [
                {"name": each.name._asdict(), "points": [[rounded(x), rounded(y)] for x, y in each.points]}
                for each in self.series
            ],
            "labels": [each._asdict() for each in self.labels],
            "rows": [
                {
                    "name": name._asdict(),
                    "spans": [
                        {"start": rounded(span.start), "end": rounded(span.end), "state": span.state}
                        for span in spans
                    ],
                }
                for name, spans in self.rows
            ],
            "lamps": [{"name": name._asdict(), "mask": mask} for name, mask in self.lamps],
            "bits": [[name, bit] for name, bit in self.bits],
            "notes": [{"text": each.text._asdict(), "code": list(each.code)} for each in self.notes],
        }


def axis(of: Axis | None) -> dict[str, Any] | None:
    """As a dict."""
    if of is None:
        return None
    return {"label": of.label._asdict(), "unit": of.unit._asdict(), "log": of.log}


def rounded(value: float) -> float:
    """To six digits, which is more than anything here is measured to."""
    return float(f"{value:.6g}")
