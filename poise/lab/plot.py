"""A figure as SVG, by hand: axes from zero, units, the machine named beneath, a reference run in grey.

Ink is ``currentColor``: set into a page, the drawing takes the page's colour; on its own it follows light and dark by the style at
its head. Series differ in colour (Okabe and Ito, safe for the colour-blind) *and* in marker or position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from poise.lab.machine import in_words
from poise.lab.scale import Scale, columns, scale, short

WIDTH = 720.0  # units of the drawing, as all lengths here
RIGHT = 24.0
LETTER = 6.6  # the width of one at the usual size
LINE = 18.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")
STATES: Mapping[str, str] = {
    "waiting": "#999999",
    "silent": "#CCCCCC",
    "held": "#D55E00",
    "served": "#009E73",
    "reading": "#56B4E9",
    "writing": "#E69F00",
}
GREY = "#999999"
STYLE = (
    ".poise-figure{color:#1b1b1b;font:12px system-ui,'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif;"
    "font-variant-numeric:tabular-nums}@media (prefers-color-scheme:dark){.poise-figure{color:#e6e6e6}}"
    ".poise-figure .code{font-family:ui-monospace,monospace;white-space:pre}"
)
REFERENCE = {"en": "grey: a reference run, {machine}", "zh": "灰色：参考运行，{machine}"}
LOG = {"en": "logarithmic", "zh": "对数刻度"}

Drawn = Iterator[str]
Json = Mapping[str, Any]


def svg(figure: Json, language: str, machine: dict[str, Any], reference: Json | None = None) -> str:
    """The whole file. ``figure`` as :meth:`poise.lab.figure.Figure.as_json` gives it."""
    behind = reference["figure"] if reference and figure["kind"] in ("lines", "bars") else None
    draw = {"lines": lines, "bars": bars, "spans": spans, "lamps": lamps}[figure["kind"]]
    height, body = draw(figure, language, behind)
    below = [in_words(machine)]
    if behind is not None and reference is not None:
        below.append(REFERENCE[language].format(machine=in_words(reference["machine"])))
    parts = [text(16, 24, figure["title"][language], size=15, weight=600), *body]
    for number, line in enumerate(below, 1):
        parts.append(text(16, height + number * LINE, line, size=11, opacity=0.7))
    height += len(below) * LINE + 12
    for note in figure["notes"]:
        parts.append(text(16, height + LINE, note["text"][language]))
        parts += [
            text(32, height + LINE * number, line, size=11, kind="code")
            for number, line in enumerate(note["code"], 2)
        ]
        height += LINE * (1 + len(note["code"])) + 12
    title = escape(figure["title"][language])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="poise-figure" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'role="img" aria-label="{title}" lang="{language}" fill="currentColor">'
        f"<title>{title}</title><style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


# -- lines ---------------------------------------------------------------------------------------------------


def lines(figure: Json, language: str, behind: Json | None) -> tuple[float, list[str]]:
    """Series of points over two axes."""
    left, top, height = 64.0, 44.0 + legend_height(figure, language), 260.0
    every = [*figure["series"], *(behind["series"] if behind else ())]
    across = scale((x for each in every for x, _y in each["points"]), log=figure["x"]["log"])
    up = scale((y for each in every for _x, y in each["points"]), log=figure["y"]["log"])
    body = [*legend(figure, language), *grid(figure, language, across, up, left, top, height)]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return left + across.at(x) * (WIDTH - left - RIGHT), top + height - up.at(y) * height

    for each in behind["series"] if behind else ():
        body += line([place(point) for point in each["points"]], GREY, None, dashed=True)
    for number, each in enumerate(figure["series"]):
        body += line([place(point) for point in each["points"]], COLOURS[number % len(COLOURS)], number)
    return top + height + 44, body


def line(
    points: list[tuple[float, float]], colour: str, marker: int | None, *, dashed: bool = False
) -> Drawn:
    """A line through points, which are marked when they are few."""
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    yield f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    if marker is not None and len(points) <= 40:
        for x, y in points:
            yield mark(x, y, colour, marker)


def mark(x: float, y: float, colour: str, number: int) -> str:
    """A circle, a square, a triangle or a diamond."""
    shapes = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
        f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}"/>',
        f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z" fill="{colour}"/>',
        f'<path d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z" fill="{colour}"/>',
    )
    return shapes[number % len(shapes)]


def grid(
    figure: Json, language: str, across: Scale, up: Scale, left: float, top: float, height: float
) -> Drawn:
    """Ticks, labels and what they count, with units."""
    right, bottom = WIDTH - RIGHT, top + height
    for tick in up.ticks:
        y = bottom - up.at(tick) * height
        yield f'<path d="M{left:g} {y:.1f}H{right:g}" stroke="currentColor" opacity="0.15"/>'
        yield text(left - 8, y + 4, short(tick), anchor="end", size=11)
    for tick in across.ticks:
        x = left + across.at(tick) * (right - left)
        yield f'<path d="M{x:.1f} {bottom:g}v5" stroke="currentColor"/>'
        yield text(x, bottom + 18, short(tick), anchor="middle", size=11)
    yield f'<path d="M{left:g} {bottom:g}H{right:g}" stroke="currentColor"/>'
    yield text((left + right) / 2, bottom + 36, named(figure["x"], language), anchor="middle")
    yield text(left, top - 10, named(figure["y"], language))


def named(axis: Json, language: str) -> str:
    """``time (ms)``, and that it is logarithmic."""
    inside = [axis["unit"][language], LOG[language] if axis["log"] else ""]
    inside = [each for each in inside if each]
    return str(axis["label"][language]) + (f" ({', '.join(inside)})" if inside else "")


def legend(figure: Json, language: str) -> Drawn:
    """Markers and names in rows under the title."""
    for number, (x, y, name) in enumerate(legend_places(figure, language)):
        yield mark(x + 5, y - 4, COLOURS[number % len(COLOURS)], number)
        yield text(x + 16, y, name)


def legend_places(figure: Json, language: str) -> Iterator[tuple[float, float, str]]:
    x, y = 16.0, 46.0
    for each in figure["series"]:
        name = each["name"][language]
        wide = columns(name) * LETTER + 40
        if x + wide > WIDTH and x > 16:
            x, y = 16.0, y + LINE
        yield x, y, name
        x += wide


def legend_height(figure: Json, language: str) -> float:
    return max((y - 46 + LINE for _x, y, _name in legend_places(figure, language)), default=0.0) + 14


# -- bars ----------------------------------------------------------------------------------------------------


def bars(figure: Json, language: str, behind: Json | None) -> tuple[float, list[str]]:
    """One horizontal bar for each label and series, its value at its end."""
    labels = [each[language] for each in figure["labels"]]
    left = min(24 + max(map(columns, labels), default=0) * LETTER, WIDTH / 2)
    series = figure["series"]
    many = len(series) > 1
    top = 52.0 + (legend_height(figure, language) if many else 0)
    along = scale((y for each in series for _x, y in each["points"]), log=figure["y"]["log"])
    thick, right = 16.0, WIDTH - RIGHT - 56
    row = thick * len(series) + 12
    body = list(legend(figure, language)) if many else []
    for index, label in enumerate(labels):
        body.append(text(left - 8, top + index * row + row / 2, label, anchor="end"))
    for number, each in enumerate(series):
        unseen = dict(behind["series"][number]["points"]) if behind and number < len(behind["series"]) else {}
        for index, value in each["points"]:
            y = top + index * row + number * thick
            wide = max(along.at(value) * (right - left), 1.0)
            colour = COLOURS[number % len(COLOURS)]
            body.append(
                f'<rect x="{left:g}" y="{y:g}" width="{wide:.1f}" height="{thick - 3:g}" fill="{colour}"/>'
            )
            body.append(text(left + wide + 6, y + 11, short(value), size=11))
            if index in unseen:
                x = left + along.at(unseen[index]) * (right - left)
                body.append(f'<path d="M{x:.1f} {y - 2:g}v{thick + 1:g}" stroke="{GREY}" stroke-width="3"/>')
    bottom = top + len(labels) * row
    for tick in along.ticks:
        x = left + along.at(tick) * (right - left)
        body.append(f'<path d="M{x:.1f} {top - 6:g}V{bottom:g}" stroke="currentColor" opacity="0.15"/>')
        body.append(text(x, bottom + 16, short(tick), anchor="middle", size=11))
    body.append(text((left + right) / 2, bottom + 34, named(figure["y"], language), anchor="middle"))
    return bottom + 42, body


# -- spans and lamps -----------------------------------------------------------------------------------------


def spans(figure: Json, language: str, _behind: Json | None) -> tuple[float, list[str]]:
    """Rows with pieces of time, coloured by state."""
    names = [row["name"][language] for row in figure["rows"]]
    left, top, row = 24 + max(map(columns, names), default=0) * LETTER, 52.0, 22.0
    along = scale((span["end"] for each in figure["rows"] for span in each["spans"]), log=False)
    bottom = top + row * len(names)
    wide = WIDTH - RIGHT - left
    body = []
    for index, each in enumerate(figure["rows"]):
        y = top + index * row
        body.append(text(left - 8, y + 13, names[index], anchor="end"))
        for span in each["spans"]:
            x, end = left + along.at(span["start"]) * wide, left + along.at(span["end"]) * wide
            colour = STATES.get(span["state"], GREY)
            thick = 14 if span["state"] != "silent" else 6
            body.append(
                f'<rect x="{x:.1f}" y="{y + 9 - thick / 2:g}" width="{max(end - x, 2):.1f}" height="{thick}" fill="{colour}">'
                f"<title>{escape(span['state'])}: {short(span['end'] - span['start'])}</title></rect>"
            )
    for tick in along.ticks:
        x = left + along.at(tick) * wide
        body.append(f'<path d="M{x:.1f} {top - 4:g}V{bottom:g}" stroke="currentColor" opacity="0.15"/>')
        body.append(text(x, bottom + 16, short(tick), anchor="middle", size=11))
    body.append(text(left + wide / 2, bottom + 34, named(figure["x"], language), anchor="middle"))
    return bottom + 42, body


def lamps(figure: Json, language: str, _behind: Json | None) -> tuple[float, list[str]]:
    """Rows of bits: a filled circle for one that is set, an outline for one that is not."""
    names = [each["name"][language] for each in figure["lamps"]]
    left, top, row = 40 + max(map(columns, names), default=0) * LETTER, 70.0, 26.0
    body = []
    for column, (name, _bit) in enumerate(figure["bits"]):
        body.append(text(left + column * 56, top - 16, name, anchor="middle", size=11))
    for index, each in enumerate(figure["lamps"]):
        y = top + index * row
        body.append(text(left - 32, y + 4, names[index], anchor="end"))
        for column, (_name, bit) in enumerate(figure["bits"]):
            lit = "#E69F00" if each["mask"] & bit else "none"
            body.append(
                f'<circle cx="{left + column * 56:g}" cy="{y:g}" r="8" fill="{lit}" stroke="currentColor"/>'
            )
        body.append(text(left + len(figure["bits"]) * 56, y + 4, f"0x{each['mask']:x}", size=11))
    return top + row * len(names), body


def text(
    x: float,
    y: float,
    said: str,
    *,
    anchor: str = "start",
    size: int = 12,
    weight: int = 400,
    opacity: float = 1,
    kind: str = "",
) -> str:
    """A line of text; attributes that say the usual are left out."""
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += f' font-weight="{weight}"' if weight != 400 else ""
    more += f' opacity="{opacity:g}"' if opacity != 1 else ""
    more += f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{more}>{escape(said)}</text>'
