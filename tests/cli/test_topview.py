"""How ``poise top`` looks, without a terminal and without a program: from states to lines."""

from __future__ import annotations

from typing import Any

import pytest

from poise.cli.paint import painted
from poise.cli.plain import width, wrapped
from poise.cli.topmodel import SORTS, STALLS, STRIP, Model
from poise.cli.toptexts import WORDS, language
from poise.cli.topview import ASKED, DARK, PANES, TOLD, Look, bar, lamps, screen, sparkline
from poise.seeing.texts import TEXTS
from tests.seeing.watching import HELLO, HOSTILE, row, state

LOOKS = {name: Look(WORDS[name], TEXTS[name]) for name in WORDS}
STALL: dict[str, Any] = {
    "id": 1, "at": 1_000_000_000, "ns": 212_000_000, "cpu_ns": 5, "runq_ns": 0, "kind": "computing", "name": "report", "fd": 9, "gen": 1,
    "peer": "192.0.2.7:50000", "file": "app.py", "line": 12, "stack": [["app.py", 12, "report"], ["site.py", 7, "run"]],
}  # fmt: skip
LINT = {"id": "unknown-to-all", "fd": 9, "gen": 1, "peer": "192.0.2.7:50000", "args": {}, "since": 0}


def told(*states: dict[str, Any]) -> Model:
    model = Model()
    model.tell({"hello": HELLO})
    for each in states:
        model.tell({"state": each})
    return model


def text(model: Model, look: Look = LOOKS["en"], room: int = 150, lines: int | None = None) -> str:
    return "\n".join(painted(line, room, colour=False).rstrip() for line in screen(model, look, room, lines))


# -- what is known ------------------------------------------------------------------------------------------


def test_states_are_folded_into_the_present() -> None:
    model = told(
        state(rows=[row(3), row(9), row(9, gen=2)], stalls=[STALL]),
        state(rows=[row(9, gen=2, events=77)], gone=[[9, 1], [4, 4]], stalls=[], at=9),
    )
    assert {key: value["events"] for key, value in model.rows.items()} == {(3, 1): 10, (9, 2): 77}
    assert model.stalls == [STALL]
    assert model.state["at"] == 9


def test_what_is_kept_is_bounded() -> None:
    turns = [[n, n, 1, 1, 0, 0, 0, None, 0] for n in range(1000)]
    model = told(
        state(strip={"first": 0, "turns": turns}, stalls=[STALL] * 100),
        state(strip={"first": 0, "turns": turns}),
    )
    assert [turn[0] for turn in model.turns] == list(range(1000 - STRIP, 1000))
    assert len(model.stalls) == STALLS


def test_a_copy_stays_as_it_is() -> None:
    model = told(state(rows=[row(3)]))
    paused = model.copy()
    model.tell({"state": state(rows=[row(4)], gone=[[3, 1]])})
    assert set(paused.rows) == {(3, 1)}
    assert set(model.rows) == {(4, 1)}


@pytest.mark.parametrize(
    ("sort", "order"), [("held", [5, 4, 3]), ("last", [4, 3, 5]), ("rate", [3, 5, 4]), ("fd", [3, 4, 5])]
)
def test_rows_are_sorted(sort: str, order: list[int]) -> None:
    model = told(
        state(
            rows=[
                row(3, held_ns=1, last_ns=5, rate_in=9, rate_out=None),
                row(4, held_ns=2, last_ns=9, rate_in=None, rate_out=None),
                row(5, held_ns=3, last_ns=1, rate_in=4, rate_out=4),
            ]
        )
    )
    assert [each["fd"] for each in model.shown(sort, "")] == order
    assert set(SORTS) == {"held", "last", "rate", "fd"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("", [3, 9]), ("LIST", [3]), ("9.1", [9]), ("127.0.0.1", [9]), ("reading", [3, 9]), ("x", [])],
)
def test_rows_are_filtered_by_any_of_their_words(wanted: str, found: list[int]) -> None:
    assert [each["fd"] for each in told(state()).shown("fd", wanted)] == found


# -- how it looks -------------------------------------------------------------------------------------------


def test_it_says_it_in_a_sentence_first_and_then_in_numbers() -> None:
    lines = text(told(state(verdict={"id": "free", "args": {"free": "97 %", "longest": "212 ms"}}))).split(
        "\n"
    )
    assert lines[0].split() == ["4711", "poise", "serve", ".", "epoll", "Python", "3.11.7", "recorder"]
    assert lines[1] == "The loop is free 97 % of the time. Its longest hold was 212 ms."
    assert "busy 3.0 %" in lines[2]
    assert "longest hold 212 ms" in lines[2]
    assert "timers late (p99) 1.20 ms" in lines[2]
    assert "watching costs 0.2 %" in lines[2]
    assert lines[3].startswith("turn 77: waiting for 3.00 ms")


def test_a_program_that_says_nothing_is_said_first() -> None:
    lines = text(told(state()), LOOKS["en"]._replace(lost="Nothing new for 4 s.")).split("\n")
    assert lines[1] == "Nothing new for 4 s."
    assert "The loop is free" not in "".join(lines)


def test_a_descriptor_is_a_row() -> None:
    model = told(state(rows=[row(9, returned=1, wanted=5, queue=70_000, **{"in": None})]))
    line = text(model, room=180).split("\n")[-1]
    assert line.split() == [
        "9.1", "connection", "HTTPConnection", "127.0.0.1:50000", "reading", TOLD, ASKED, DARK, DARK, DARK, DARK, "–", "│██▉", "│",
        "100", "B/s", "1.95", "KiB/s", "10", "1.00", "ms", "200", "µs",
    ]  # fmt: skip


def test_before_anything_is_known_nothing_is_shown() -> None:
    assert text(Model()) == ""
    lost = LOOKS["en"]._replace(lost="Nothing new for 4 s.", note="q quit")
    assert text(Model(), lost) == "Nothing new for 4 s.\nq quit"


@pytest.mark.parametrize("language_", WORDS)
@pytest.mark.parametrize("pane", PANES)
@pytest.mark.parametrize("room", [1, 20, 40, 80, 132, 400])
@pytest.mark.parametrize("lines", [1, 3, 10, 24, 100])
def test_it_fits_every_window(language_: str, pane: str, room: int, lines: int) -> None:
    stuck = {name: value for name, value in STALL.items() if name not in ("id", "at", "runq_ns")}
    model = told(
        state(
            rows=[row(fd, what="就绪" * 30, peer=HOSTILE) for fd in range(3, 200)],
            turn={"n": 77, "phase": "handle", "phase_ns": 3, "stuck": stuck},
            lints=[LINT],
            timers=[{"name": "t" * 90, "due_in_ns": -5, "every": None}] * 50,
        )
    )
    look = LOOKS[language_]._replace(pane=pane, note="q " * 100)
    shown = screen(model, look, room, lines)
    assert len(shown) == lines
    for line in shown:
        assert width(painted(line, room, colour=False)) <= room


def test_a_small_window_has_what_is_most_important() -> None:
    """A telephone's terminal: who it is, the sentence in full, the stall and its line, and some rows with their state."""
    verdict = {"id": "held", "args": {"name": "Shop.respond", "longest": "301 ms", "ago": "1.3 s"}}
    model = told(state(verdict=verdict, stalls=[STALL], rows=[row(3), row(9)], at=15_212_000_000))
    shown = text(model, LOOKS["en"]._replace(note="q quit"), room=40, lines=10).split("\n")
    assert shown == [
        " 4711  poise serve .",
        "Shop.respond held the loop for 301 ms,",
        "1.3 s ago: everybody else waited.",
        "busy 3.0 %   longest hold 212 ms",
        "14 s ago, 212 ms: report (9.1 192.0.2.7…",
        "    app.py:12 report",
        "FD     WHAT        STATE            HELD",
        "3.1    HTTPConnec… reading       1.00 ms",
        "9.1    HTTPConnec… reading       1.00 ms",
        "q quit",
    ]


@pytest.mark.parametrize(
    ("said", "columns", "lines"),
    [
        ("", 10, [""]),
        ("two words", 10, ["two words"]),
        ("two words", 9, ["two words"]),
        ("two words", 8, ["two", "words"]),
        ("one two three four", 5, ["one", "two", "three four"]),  # no more lines: it is cut where it is drawn
        ("循环卡住了：report 已占住", 12, ["循环卡住了：", "report 已占", "住"]),
        ("循环卡住，", 9, ["循环卡", "住，"]),  # no line begins with a mark
        ("unbreakable", 4, ["unbreakable"]),
        ("占住 300 ms，其他人", 12, ["占住", "300 ms，其他", "人"]),
        ("is 97 % free", 6, ["is", "97 %", "free"]),
        ("for 301 ms, then", 9, ["for", "301 ms,", "then"]),
    ],
)
def test_a_sentence_is_broken_between_its_words(said: str, columns: int, lines: list[str]) -> None:
    assert wrapped(said, columns, 3) == lines


def test_rows_that_do_not_fit_are_counted() -> None:
    shown = text(
        told(state(rows=[row(fd) for fd in range(3, 103)])), LOOKS["en"]._replace(note="n"), lines=20
    )
    assert "88 more" in shown
    assert shown.endswith("\nn")


def test_a_filter_that_finds_nothing_says_so() -> None:
    assert text(told(state()), LOOKS["en"]._replace(wanted="zzz")).endswith("nothing matches")


def test_a_stall_that_goes_on_is_shown_with_its_stack() -> None:
    stuck = {name: value for name, value in STALL.items() if name not in ("id", "at", "runq_ns")}
    shown = text(told(state(turn={"n": 77, "phase": "handle", "phase_ns": 3, "stuck": stuck})))
    assert (
        "report (9.1 192.0.2.7:50000): computing, 212 ms\n    app.py:12 report\n    site.py:7 run\n" in shown
    )


def test_the_last_stall_stays_with_its_line() -> None:
    shown = text(told(state(stalls=[STALL], at=15_212_000_000)))
    assert "14 s ago, 212 ms: report (9.1 192.0.2.7:50000), computing\n    app.py:12 report\n\n" in shown
    assert "14 s 前" in text(told(state(stalls=[STALL], at=15_212_000_000)), LOOKS["zh"])


def test_a_lint_is_a_sentence_and_a_fix() -> None:
    look = LOOKS["en"]._replace(texts={"lint.x": "{fd} spins: {peer}.", "lint.x.fix": "Drain {fd}."})
    shown = text(told(state(lints=[LINT | {"id": "x"}])), look)
    assert "9 spins: 192.0.2.7:50000.\n  → Drain 9.\n" in shown
    assert "unknown-to-all" in text(told(state(lints=[LINT])))


def test_holders_and_timers_have_a_pane_each() -> None:
    holders = text(told(state()), LOOKS["en"]._replace(pane="holders"))
    assert holders.split("\n")[-1].split() == ["report", "90", "%", "300", "ms", "4", "212", "ms"]
    timers = text(told(state()), LOOKS["en"]._replace(pane="timers"))
    assert timers.split("\n")[-1].split() == ["HTTPServer.sweep", "4.00", "s"]


def test_lamps_are_full_for_what_was_reported_and_an_outline_for_what_is_asked() -> None:
    assert lamps(0x5, 0x2001).split() == [TOLD, ASKED, DARK, DARK, DARK, TOLD]
    assert len(lamps(0, 0)) == 23


def test_bars_grow_by_powers_of_two() -> None:
    assert bar(None) == "–   "
    assert bar(0) == "    "
    assert bar(1) != bar(0)
    assert bar(1 << 40) == "████"
    lengths = [bar(1 << power).count("█") for power in range(24)]
    assert lengths == sorted(lengths)
    assert all(len(bar((1 << power) - 1)) == 4 for power in range(50))


def test_a_spark_is_how_long_a_turn_worked() -> None:
    turns = [[0, 0, 10**9, work, 0, 0, 0, None, 0] for work in (0, 10_000, 1_000_000, 10**8, 10**12)]
    assert sparkline(turns) == "▁▁▅██"


@pytest.mark.parametrize("language_", WORDS)
def test_nothing_of_a_hostile_name_reaches_the_terminal(language_: str) -> None:
    bad = STALL | {"name": HOSTILE, "peer": HOSTILE, "kind": HOSTILE, "stack": [[HOSTILE, 1, HOSTILE]]}
    model = told(
        state(
            verdict={"id": "held", "args": {"name": HOSTILE, "longest": HOSTILE, "ago": HOSTILE}},
            rows=[row(9, peer=HOSTILE, what=HOSTILE, kind=HOSTILE, state=HOSTILE)],
            holders=[
                {"name": HOSTILE, "calls": 1, "total_ns": 1, "longest_ns": 1, "share": 1, "worst": None}
            ],
            timers=[{"name": HOSTILE, "due_in_ns": 1, "every": None}],
            stalls=[bad],
            lints=[LINT | {"id": HOSTILE, "peer": HOSTILE, "args": {"x": HOSTILE}}],
        )
    )
    model.hello = HELLO | {"program": HOSTILE, "python": HOSTILE, "poller": HOSTILE}
    for pane in PANES:
        for line in screen(model, LOOKS[language_]._replace(pane=pane), 400, None):
            assert painted(line, 400, colour=False).isprintable()


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "C"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_terminal(environment: dict[str, str], spoken: str) -> None:
    assert language(environment) == spoken
