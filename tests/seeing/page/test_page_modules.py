"""The modules by themselves: figures, masks, the feed's parser, the past, the trace. They run where they will run, in a browser."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.seeing.page.looking import Shown, showing
from tests.seeing.page.stories import CALL, LIFE, POSTED, TIMER, TURN, told
from tests.support.browser import Browser

pytestmark = [pytest.mark.live, pytest.mark.slow]

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Shown]:
    with showing(browser, told("slow")) as shown:
        yield shown


def of(page: Shown, module: str, expression: str) -> Any:
    """The value of ``expression``, in which ``m`` is that module."""
    return page.js(f"import('/page/{module}.js').then(m => {expression})")


DURATIONS = {
    0: "0 ms",
    7: "7 ns",
    999: "999 ns",
    1_000: "1.00 µs",
    47_300: "47.3 µs",
    999_600: "1.00 ms",
    212_000_000: "212 ms",
    2_310_000_000: "2.31 s",
    99_960_000: "100 ms",
    59_940_000_000: "59.9 s",
    72_000_000_000: "1 min 12 s",
    7_500_000_000_000: "2 h 5 min",
    -40_000: "\N{MINUS SIGN}40.0 µs",
}


@pytest.mark.parametrize(("ns", "said"), DURATIONS.items())
def test_durations(page: Shown, ns: int, said: str) -> None:
    assert of(page, "units", f"m.duration({ns})").replace(THIN, " ") == said


SIZES = {
    0: "0 B",
    999: "999 B",
    1000: "0.98 KiB",
    65_536: "64.0 KiB",
    11 << 20: "11.0 MiB",
    5 << 40: "5.00 TiB",
}


@pytest.mark.parametrize(("count", "said"), SIZES.items())
def test_sizes(page: Shown, count: int, said: str) -> None:
    assert of(page, "units", f"m.bytes({count})").replace(THIN, " ") == said


SHARES = {
    0: "0 %",
    0.00001: "<0.01 %",
    0.0003: "0.03 %",
    0.0042: "0.4 %",
    0.03: "3.0 %",
    0.97: "97 %",
    1: "100 %",
}


@pytest.mark.parametrize(("part", "said"), SHARES.items())
def test_shares(page: Shown, part: float, said: str) -> None:
    assert of(page, "units", f"m.share({part})").replace(THIN, " ") == said


def test_what_is_not_known_is_a_dash(page: Shown) -> None:
    unknown = (
        "[m.duration(null), m.bytes(null), m.rate(null), m.share(null), m.count(null), m.named('ns', null)]"
    )
    assert of(page, "units", unknown) == ["–"] * 6


def test_a_gaps_name_tells_its_unit(page: Shown) -> None:
    named = "[m.named('wait_ns', 1e6), m.named('scale_bytes', 2048), m.named('n', 12345), m.named('fd', 12345), m.named('name', 'x')]"
    assert of(page, "units", named) == [f"1.00{THIN}ms", f"2.00{THIN}KiB", "12,345", "12345", "x"]


def test_masks_are_named_and_what_has_no_name_is_a_number(page: Shown) -> None:
    assert of(page, "masks", "[m.names(0x2011), m.names(0), m.names(0x4005), m.hex(0x11)]") == [
        "IN | HUP | RDHUP",
        "",
        "IN | OUT | 0x4000",
        "0x0011",
    ]


def test_events_are_read_whatever_pieces_they_come_in(page: Shown) -> None:
    feed = 'event: hello\ndata: {"a":1}\n\n: nothing\n\nevent: state\r\ndata: [2,\r\ndata: 3]\r\n\r\nevent: late\ndata: 4'
    expected = [{"event": "hello", "data": {"a": 1}}, {"event": "state", "data": [2, 3]}]
    for size in (1, 2, 7, 1000):
        pieces = [feed[at : at + size] for at in range(0, len(feed), size)]
        expression = f"{{ const told = [], read = m.parser(each => told.push(each)); {json.dumps(pieces)}.forEach(read); return told; }}"
        assert page.js(f"import('/page/feed.js').then(m => {expression})") == expected, size


def test_the_scale_of_the_bars_grows_at_once_and_shrinks_after_a_while(page: Shown) -> None:
    fits = (
        "{ const s = new m.Scale(), big = [{in: 0, queue: 5e6, out: null}], small = [{in: 1, queue: 0, out: 0}];"
        "  const first = [s.fit(small), s.fit(big), s.fit(small)]; for (let i = 0; i < 40; i++) s.fit(small);"
        "  return [...first, s.fit(small)]; }"
    )
    assert page.js(f"import('/page/levels.js').then(m => {fits})") == [65536, 16 << 20, 16 << 20, 65536]


def test_the_past_counts_what_the_record_tells(page: Shown) -> None:
    records = page.program.records()
    picture = page.js(
        f"import('/page/records.js').then(m => {{ const p = new m.Past({json.dumps(records)}, false); return p.picture(p.length - 1); }})"
    )
    turns = [row for row in records["rows"] if row[0] == TURN]
    calls = [row for row in records["rows"] if row[0] == CALL]
    assert picture["turn"]["n"] == turns[-1][2]
    assert len(picture["strip"]) == 300
    assert picture["numbers"]["longest"]["ns"] == max(row[2] for row in calls)
    assert sum(row["events"] for row in picture["rows"]) == len(calls)
    assert {row["state"] for row in picture["rows"]} <= {"reading", "writing", "waiting"}
    assert all(row["in"] is row["queue"] is row["out"] is None for row in picture["rows"])


def test_a_descriptor_that_left_in_its_own_call_is_gone(page: Shown) -> None:
    records = page.program.records()
    life = next(row for row in reversed(records["rows"]) if row[0] == CALL)
    at = records["rows"].index(life)
    records["rows"].insert(at, [LIFE, life[1] + life[2] - 1, life[3], "retire"])
    seat = records["seats"][life[3]]
    picture = page.js(
        f"import('/page/records.js').then(m => {{ const p = new m.Past({json.dumps(records)}, false); return p.picture(p.length - 1); }})"
    )
    assert picture["rows"]
    assert (seat[0], seat[1]) not in {(row["fd"], row["gen"]) for row in picture["rows"]}


def recorded() -> dict[str, Any]:
    """A record with everything in it that can be in one."""
    program = told("slow", warm=2)
    records = copy.deepcopy(program.records())
    end = records["rows"][-1][1] + 1_000_000_000
    records["rows"][:0] = [
        [4, 7_200_000_000_003, 0, "open"],
        [5, 7_200_000_000_007, 3, 1, 5, "/srv/shop/site.py:9"],
    ]
    records["rows"] += [
        [4, end, 4, "retire"],
        [POSTED, end + 11, 999, "Shop.refresh"],
        [TURN, end + 5, 1, -1, 1, 0, 0, 1_000, 0, 33, 4, 0, None],
        [CALL, end + 2_000, 500, 3, 0x4011, 5],
        [TIMER, end + 3_000, 7, "Deadlines.expire", 12],
        [6, end + 3_100, 3, 65_536, 4_096, "/srv/shop/site.py:12"],
        [7, end + 3_200, 5_000_000_000, 3, "GET", "/a?…", 200, 4_096],
        [7, end + 3_250, 10, 3, "", "", 400, 20],
        [7, end + 3_300, -1, 3, "GET", "/slow", 0, 0],
        [7, end + 3_310, 10, 0, "GET", "/at-once", 200, 5],
    ]
    return records


def test_the_trace_is_the_one_that_the_command_writes(page: Shown) -> None:
    try:
        trace = importlib.import_module("poise.seeing.trace")
    except ModuleNotFoundError:
        pytest.skip("poise.seeing.trace is not there yet")
    records = recorded()
    made = page.js(f"import('/page/trace.js').then(m => m.trace({json.dumps(records)}))")
    assert made == json.loads(json.dumps(trace.trace(records)))
