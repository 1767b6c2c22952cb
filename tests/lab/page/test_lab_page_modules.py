"""The modules by themselves, in the browser where they run: axes and numbers as the plotter's, and a film of calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from poise.lab import scale as plotter
from poise.lab.server import LabServer
from tests.lab.page.looking import Seen, looking
from tests.support.browser import Browser

pytestmark = [pytest.mark.live, pytest.mark.slow]

VALUES: tuple[list[float], ...] = (
    [1.0],
    [0.0],
    [],
    [0.3, 7.0],
    [602.0, 0.9],
    [1e-4, 3e5],
    [999.0],
    [1000.0],
    [97_500.0, 5.2],
    [64e6],
)
NUMBERS = (
    0,
    0.05,
    0.999,
    1,
    4.886,
    99.94,
    99.96,
    100,
    999.4,
    1234,
    9999,
    10_000,
    97_531,
    999_499,
    999_600,
    1.2e6,
    4e9,
    -340,
)


@pytest.fixture(scope="module")
def page(browser: Browser, lab: LabServer) -> Iterator[Seen]:
    with looking(browser, lab) as seen:
        yield seen


def of(page: Seen, module: str, expression: str) -> Any:
    """The value of ``expression``, in which ``m`` is that module of the lab."""
    return page.js(f"import('/lab/page/{module}.js').then(m => {expression})")


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", VALUES, ids=str)
def test_an_axis_is_that_of_the_file_that_is_kept(page: Seen, values: list[float], log: bool) -> None:
    expected = plotter.scale(values, log=log)
    places = [0.0, 0.5, 3.0, 700.0]
    found = of(
        page,
        "ticks",
        f"{{ const s = m.scale({json.dumps(values)}, {json.dumps(log)}); return [s.low, s.high, s.ticks, {places}.map(s.at)]; }}",
    )
    low, high, ticks, at = found
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert ticks == pytest.approx(list(expected.ticks))
    assert at == pytest.approx([expected.at(place) for place in places])


def test_numbers_are_written_as_in_the_file_that_is_kept(page: Seen) -> None:
    assert of(page, "ticks", f"{list(NUMBERS)}.map(m.short)") == [plotter.short(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("ends", "crowded"),
    [
        ([(300, 1), (300, 2), (310, 900)], False),  # two can be pushed apart
        ([(300, 1), (300, 2), (310, 3)], True),
        ([(300, 1), (900, 2), (310, 3)], False),
    ],
)
def test_names_stand_at_the_ends_of_curves_only_where_there_is_room(
    page: Seen, ends: list[tuple[int, int]], crowded: bool
) -> None:
    series = [{"name": {"en": "s", "zh": "s"}, "points": [[0, 0], [*end]]} for end in ends]
    axis = "{at: value => value / 1000}"
    assert of(page, "lines", f"m.crowded({json.dumps(series)}, {axis}, {axis})") is crowded


# -- film ---------------------------------------------------------------------------------------------------


def call(at: int, name: str, fd: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "at": at,
        "took": 1,
        "who": "select",
        "step": "handle",
        "call": name,
        "fd": fd,
        "args": "",
        "result": "None",
        "error": "",
        "line": 1,
        "times": 1,
        "watched": None,
        "ready": None,
        "count": None,
    } | more


def wait(at: int, took: int, watched: dict[str, int], ready: dict[str, int], **more: Any) -> dict[str, Any]:
    return call(at, "select", step="submit", took=took, watched=watched, ready=ready, **more)


CALLS = [
    wait(1_000, 500, {"3": 1}, {"3": 1}),
    call(1_600, "accept", 3, result="(fd 5, ('127.0.0.1', 40312))"),
    wait(1_700, 300_000, {"3": 1, "5": 1}, {"5": 1}),
    call(301_800, "recv", 5, result="b'hello\\n'", count=6),
    call(301_900, "send", 5, result="6", count=6),
    wait(351_900, 10, {"3": 1, "5": 5}, {"5": 4}, times=40_000),
    call(900_000, "recv", 5, took=50_000, result="b''", count=0),
    call(950_100, "close", 5),
    wait(950_200, 10, {"3": 1}, {}),
]


def scenes(page: Seen, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = of(
        page,
        "film",
        f"{{ const f = new m.Film('select', {json.dumps(calls)}); return f.moments.map((_, i) => f.scene(i)); }}",
    )
    return found


def things(scene: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {each["fd"]: each for each in scene["things"]}


def test_a_wait_is_two_moments_and_a_short_call_is_one(page: Seen) -> None:
    moments = [
        (each["moment"]["call"]["call"], each["moment"]["over"], each["moment"]["busy"] > 0)
        for each in scenes(page, CALLS)
    ]
    assert moments == [
        ("select", False, False),
        ("select", True, False),
        ("accept", True, False),
        ("select", False, False),
        ("select", True, False),
        ("recv", True, False),
        ("send", True, False),
        ("send", True, True),  # 50 ms without a call: it computes
        ("select", False, False),
        ("select", True, False),  # what comes then was counted and not kept: that is no computing
        ("recv", False, False),
        ("recv", True, False),
        ("close", True, False),
        ("select", False, False),
        ("select", True, False),
    ]


def test_the_clock_begins_with_the_first_client(page: Seen) -> None:
    at = [each["moment"]["at"] for each in scenes(page, CALLS)]
    assert at[:4] == [-601, -101, 0, 99]
    assert at == sorted(at)


def test_both_sides_hold_what_the_calls_have_left_them(page: Seen) -> None:
    film = scenes(page, CALLS)
    assert [scene["turn"] for scene in film] == [1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4]
    assert {fd: each["kind"] for fd, each in things(film[0]).items()} == {3: "listener"}
    client = things(film[2])[5]
    assert (client["kind"], client["peer"]) == ("client", "127.0.0.1:40312")
    assert [things(film[3])[fd]["asked"] for fd in (3, 5)] == [1, 1]
    assert [things(film[4])[fd]["told"] for fd in (3, 5)] == [0, 1]
    assert [things(film[6])[5][side] for side in ("got", "gave")] == [6, 6]
    assert things(film[8])[5]["told"] == 0  # asked again: what was reported is over
    assert things(film[10])[5]["inside"]["call"] == "recv"
    assert things(film[11])[5]["inside"] is None
    assert things(film[12])[5]["closed"]
    assert 5 not in things(film[13])


def test_a_number_that_is_used_again_is_another_client(page: Seen) -> None:
    again = call(960_000, "accept", 3, result="(fd 5, ('127.0.0.1', 40999))")
    client = things(scenes(page, [*CALLS, again])[-1])[5]
    assert (client["peer"], client["got"], client["closed"]) == ("127.0.0.1:40999", 0, False)


def test_epoll_keeps_what_it_was_asked_for(page: Seen) -> None:
    calls = [
        call(1, "epoll.register", 4, step="mark", args="4, IN|ET"),
        call(2, "epoll.modify", 4, step="mark", args="4, IN|OUT"),
        call(3, "epoll.unregister", 4, step="mark", args="4"),
    ]
    assert [things(scene)[4]["asked"] for scene in scenes(page, calls)] == [1, 5, 0]


def test_whose_list_it_is_depends_on_the_call(page: Seen) -> None:
    calls = [
        call(1, "accept", 3, result="(fd 5, ('127.0.0.1', 40312))"),
        wait(2, 0, {"3": 1, "5": 1}, {}),
        call(3, "poll.register", 5, step="mark", args="5, IN"),
        call(4, "epoll.register", 5, step="mark", args="5, IN"),
        call(5, "recv", 5, result="b'x'", count=1),
        wait(6, 0, {"3": 1}, {}),
    ]
    found = [(each["moment"]["call"]["call"], each["keeps"]) for each in scenes(page, calls)]
    assert list(dict.fromkeys(found)) == [
        ("accept", False),  # nothing was handed over yet: what comes first counts
        ("select", False),
        ("poll.register", False),
        ("epoll.register", True),
        ("recv", True),
    ]
    assert found[-1] == ("select", False)
    assert scenes(page, [call(1, "recv", 5)])[0]["keeps"] is None


def test_what_is_not_in_the_list_any_more_is_not_asked_for(page: Seen) -> None:
    calls = [wait(1, 0, {"3": 1, "5": 5}, {}), wait(2, 0, {"3": 1}, {})]
    assert [things(scene)[5]["asked"] for scene in scenes(page, calls)] == [5, 5, 0, 0]


def test_a_line_is_lit_only_where_the_call_stands(page: Seen) -> None:
    source = json.dumps("import select\n\nready = select.select(\n    rlist,\n)\nclient.recv(4096)\n")
    says = f"[[3, 'select'], [6, 'recv'], [1, 'recv'], [99, 'recv'], [2, 'poll.poll']].map(([line, call]) => m.says({source}, line, call))"
    assert of(page, "listing", says) == [True, True, False, False, False]
