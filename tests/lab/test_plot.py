"""The plotter: axes that are honest, in SVG and in letters."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.lab import plot
from poise.lab.figure import Axis, Figure, Series, Span
from poise.lab.machine import in_words, machine
from poise.lab.scale import columns, scale, short
from poise.lab.text import Text, same
from poise.lab.textplot import WIDTH, textplot

SVG = "{http://www.w3.org/2000/svg}"
TIME, COST = Axis(Text("time", "时间"), Text("ms", "毫秒")), Axis(Text("cost", "代价"), same("µs"), log=True)
POSITIVE = st.floats(1e-6, 1e12)

LINES = Figure(
    kind="lines",
    title=Text("A <title> & more", "标题"),
    x=TIME,
    y=COST,
    series=[
        Series(Text("one", "一"), [(0, 1), (10, 1000)]),
        Series(Text("two", "二"), [(number, 5.0) for number in range(100)]),
    ],
).as_json()
BARS = Figure(
    kind="bars",
    title=Text("Bars", "条形"),
    y=TIME,
    labels=[Text("first", "第一"), Text("second", "第二")],
    series=[Series(same("a"), [(0, 5), (1, 0)]), Series(same("b"), [(0, 2), (1, 10)])],
).as_json()
SPANS = Figure(
    kind="spans",
    title=Text("Spans", "时段"),
    x=TIME,
    rows=[(Text("row", "行"), [Span(0, 5, "waiting"), Span(5, 6, "held")])],
).as_json()
LAMPS = Figure(
    kind="lamps",
    title=Text("Lamps", "灯"),
    lamps=[(same("mask"), 5)],
    bits=[("IN", 1), ("PRI", 2), ("OUT", 4)],
).as_json()
ALL = {figure["kind"]: figure for figure in (LINES, BARS, SPANS, LAMPS)}


def drawn(figure: dict[str, Any], language: str = "en", reference: Any = None) -> ET.Element:
    return ET.fromstring(plot.svg(figure, language, machine(), reference))


def words(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_kind_is_drawn_with_title_units_and_machine(kind: str, language: str) -> None:
    said = words(drawn(ALL[kind], language))
    assert ALL[kind]["title"][language] in said
    assert in_words(machine()) in said
    for axis in ("x", "y"):
        if ALL[kind][axis] is not None:
            unit = ALL[kind][axis]["unit"][language]
            assert any(unit in word and ALL[kind][axis]["label"][language] in word for word in said)


def test_ink_is_the_colour_of_the_page() -> None:
    text = plot.svg(LINES, "en", machine())
    assert 'fill="currentColor"' in text
    assert "prefers-color-scheme:dark" in text
    assert re.search(r"(?:href|src)=", text) is None


def test_what_is_noted_stands_beneath_whole() -> None:
    figure = {
        **BARS,
        "notes": [{"text": {"en": "held by", "zh": "占住"}, "code": ["a.py:1 f  g()", "a.py:9 g  1"]}],
    }
    root = drawn(figure)
    assert words(root)[-3:] == ["held by", "a.py:1 f  g()", "a.py:9 g  1"]
    lowest = max(float(each.get("y", "")) for each in root.iter(f"{SVG}text"))
    assert lowest < float(root.get("viewBox", "").split()[3])


def test_a_logarithmic_axis_says_so() -> None:
    assert "cost (µs, logarithmic)" in words(drawn(LINES))
    assert "代价 (µs, 对数刻度)" in words(drawn(LINES, "zh"))


def test_a_reference_run_is_grey_and_names_its_machine() -> None:
    reference = {"figure": LINES, "machine": {**machine(), "python": "9.9.9"}}
    root = drawn(LINES, reference=reference)
    assert any("9.9.9" in word for word in words(root))
    dashed = [each for each in root.iter(f"{SVG}polyline") if each.get("stroke-dasharray")]
    assert [each.get("stroke") for each in dashed] == [plot.GREY] * 2
    assert len(list(drawn(BARS, reference={"figure": BARS, "machine": machine()}).iter(f"{SVG}path"))) > len(
        list(drawn(BARS).iter(f"{SVG}path"))
    )


def test_a_bar_is_as_long_as_its_value() -> None:
    bars = [each for each in drawn(BARS).iter(f"{SVG}rect") if each.get("height") == "13"]  # not the legend's
    widths = [float(each.get("width", "")) for each in bars]
    longest = widths[3]
    assert widths[0] / longest == pytest.approx(0.5, abs=0.01)
    assert widths[2] / longest == pytest.approx(0.2, abs=0.01)
    assert widths[1] == 1.0  # nothing is still seen to be there


def test_lamps_are_lit_by_their_bits() -> None:
    lit = [each.get("fill") != "none" for each in drawn(LAMPS).iter(f"{SVG}circle")]
    assert lit == [True, False, True]


def test_a_long_legend_takes_several_rows() -> None:
    series = [Series(same(f"a rather long name, number {number}"), [(0, 1)]) for number in range(6)]
    figure = Figure(kind="lines", title=same("t"), x=TIME, y=TIME, series=series).as_json()
    places = list(plot.legend_places(figure, "en"))
    assert len({y for _x, y, _name in places}) > 1
    assert all(x < plot.WIDTH for x, _y, _name in places)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_kind_is_printed_no_wider_than_the_window(kind: str, language: str) -> None:
    text = textplot(ALL[kind], language)
    assert text.startswith(ALL[kind]["title"][language])
    assert max(map(columns, text.splitlines())) <= WIDTH


def test_a_printed_bar_is_as_long_as_its_value() -> None:
    rows = textplot(BARS, "en").splitlines()
    filled = [row.count("█") for row in rows]
    assert filled[4] > filled[1] > filled[2] > filled[3] == 0


def test_a_printed_line_keeps_its_peaks() -> None:
    points = [(number, 1000.0 if number == 57 else 1.0) for number in range(100)]
    figure = Figure(
        kind="lines", title=same("t"), x=TIME, y=TIME, series=[Series(same("s"), points)]
    ).as_json()
    assert "57 ms" in textplot(figure, "en")


def test_printed_lamps_and_spans() -> None:
    assert re.search(r"mask +● +○ +●   0x5", textplot(LAMPS, "en"))
    assert re.search(r"row  ░+▓+$", textplot(SPANS, "en"), re.MULTILINE)


@given(st.lists(st.floats(0, 1e12), min_size=1))
def test_a_linear_scale_begins_at_zero_and_holds_all(values: list[float]) -> None:
    found = scale(values, log=False)
    assert found.low == found.ticks[0] == 0.0
    assert found.high >= max(values) * (1 - 1e-9)
    assert 2 <= len(found.ticks) <= 7
    assert found.at(0.0) == 0.0
    assert all(0 <= found.at(value) <= 1 for value in values)


@given(st.lists(POSITIVE, min_size=1))
def test_a_logarithmic_scale_goes_by_powers_of_ten(values: list[float]) -> None:
    found = scale(values, log=True)
    assert found.low <= min(values) * (1 + 1e-9)
    assert found.high >= max(values) * (1 - 1e-9)
    assert all(math.log10(tick) == pytest.approx(round(math.log10(tick))) for tick in found.ticks)
    assert 0 <= found.at(0.0) <= found.at(max(values)) <= 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.05, "0.05"),
        (12.345, "12.3"),
        (340, "340"),
        (1234.5, "1,234"),
        (45_678, "45.7k"),
        (1_200_000, "1.2M"),
        (3e9, "3G"),
        (999_999, "1000k"),
    ],
)
def test_numbers_for_people(value: float, text: str) -> None:
    assert short(value) == text


def test_the_machine_is_named_without_its_owner() -> None:
    about = machine()
    assert about.keys() == {
        "system",
        "release",
        "machine",
        "cores",
        "python",
        "implementation",
        "gil",
        "container",
    }
    assert about["cores"] >= 1
