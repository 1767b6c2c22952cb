"""A figure in letters, for a terminal: bars as bars, lines as a table with bars, spans and lamps as what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from poise.lab.plot import named
from poise.lab.scale import Scale, columns, scale, short

BAR = "█"
EIGHTHS = " ▏▎▍▌▋▊▉"
STATES = {"silent": "·", "held": "▓", "waiting": "░", "served": "█", "reading": "▒", "writing": "▓"}
WIDTH = 78  # columns

Json = Mapping[str, Any]


def textplot(figure: Json, language: str, width: int = WIDTH) -> str:
    """Lines of text, no wider than ``width`` columns where names allow it."""
    draw = {"lines": lines, "bars": bars, "spans": spans, "lamps": lamps}[figure["kind"]]
    return "\n".join([figure["title"][language], *draw(figure, language, width)]) + "\n"


def fitted(text: str, width: int) -> str:
    """With spaces up to ``width`` columns."""
    return text + " " * (width - columns(text))


def bar(value: float, along: Scale, width: int) -> str:
    """A bar of ``width`` columns at most; nothing at all is shown as nothing."""
    whole, part = divmod(round(along.at(value) * width * 8), 8)
    return (BAR * whole + EIGHTHS[part]).rstrip() or ("▏" if value > 0 else "")


def bars(figure: Json, language: str, width: int) -> Iterator[str]:
    """One line for each label and series."""
    along = scale((y for each in figure["series"] for _x, y in each["points"]), log=figure["y"]["log"])
    rows = []
    for index, label in enumerate(figure["labels"]):
        for each in figure["series"]:
            name = label[language]
            if len(figure["series"]) > 1:
                name += f" · {each['name'][language]}"
            rows += [(name, value) for at, value in each["points"] if at == index]
    yield from table(rows, along, width)
    yield "  " + named(figure["y"], language)


def lines(figure: Json, language: str, width: int) -> Iterator[str]:
    """For each series a few of its points, as bars."""
    along = scale((y for each in figure["series"] for _x, y in each["points"]), log=figure["y"]["log"])
    for each in figure["series"]:
        yield f"  {each['name'][language]}"
        points = list(each["points"])
        step = max(1, -(-len(points) // 12))
        rows = []
        for first in range(0, len(points), step):
            x, y = max(points[first : first + step], key=lambda point: float(point[1]))  # no peak is lost
            rows.append((f"{short(x)} {figure['x']['unit'][language]}".rstrip(), y))
        yield from table(rows, along, width)
    yield "  " + named(figure["y"], language)


def table(rows: list[tuple[str, float]], along: Scale, width: int) -> Iterator[str]:
    """Name, bar, number."""
    widest = max((columns(name) for name, _value in rows), default=0)
    room = max(width - widest - 16, 8)
    for name, value in rows:
        yield f"  {fitted(name, widest)}  {bar(value, along, room)} {short(value)}"


def spans(figure: Json, language: str, width: int) -> Iterator[str]:
    """A line for each row, a letter for each piece of time."""
    widest = max((columns(row["name"][language]) for row in figure["rows"]), default=0)
    along = scale((span["end"] for row in figure["rows"] for span in row["spans"]), log=False)
    room = max(width - widest - 6, 10)
    for row in figure["rows"]:
        cells = [" "] * room
        for span in row["spans"]:
            first = min(int(along.at(span["start"]) * room), room - 1)
            for cell in range(first, max(int(along.at(span["end"]) * room), first + 1)):
                cells[cell] = STATES.get(span["state"], "?")
        yield f"  {fitted(row['name'][language], widest)}  {''.join(cells).rstrip()}"
    yield f"  0 … {short(along.high)}: {named(figure['x'], language)}"


def lamps(figure: Json, language: str, width: int) -> Iterator[str]:
    """● for a bit that is set, ○ for one that is not."""
    widest = max((columns(each["name"][language]) for each in figure["lamps"]), default=0)
    yield "  " + fitted("", widest) + "  " + " ".join(name.rjust(5) for name, _bit in figure["bits"])
    for each in figure["lamps"]:
        lit = " ".join(("●" if each["mask"] & bit else "○").rjust(5) for _name, bit in figure["bits"])
        yield f"  {fitted(each['name'][language], widest)}  {lit}   0x{each['mask']:x}"
