"""What must be claimed at least, and that a run which does not show it is told apart."""

from __future__ import annotations

from typing import Any

import pytest

from poise.lab.experiment import Check
from poise.lab.experiments import EXPERIMENTS
from poise.lab.text import same


def checks(name: str, records: dict[str, Any]) -> list[Check]:
    return EXPERIMENTS[name].claim(records)


def one(name: str, records: dict[str, Any], words: str) -> Check:
    (found,) = [check for check in checks(name, records) if words in check.text.en]
    return found


@pytest.mark.parametrize(
    ("relation", "measured", "holds"),
    [
        (">=", 5, True),
        (">=", 4.9, False),
        ("<=", 5, True),
        ("<=", 5.1, False),
        ("==", 5, True),
        ("==", 4, False),
    ],
)
def test_a_check(relation: str, measured: float, holds: bool) -> None:
    assert Check(same("x"), measured, relation, 5).holds is holds


def polled(wakes: int) -> dict[str, Any]:
    row = {"seconds": 1.0, "cpu": 100.0, "nothing": 0}
    return {"rows": [{**row, "wakes": wakes}, {**row, "wakes": 1, "cpu": 0.1}]}


def test_polling_wakes_a_thousand_times_as_often() -> None:
    assert one("polling", polled(1000), "select woke").holds
    assert not one("polling", polled(999), "select woke").holds


def test_write_interest_always_on_turns_a_thousand_times_as_often() -> None:
    def records(turns: int) -> dict[str, Any]:
        return {
            "rows": [
                {"model": model, "turns_per_second": each}
                for model in ("select", "poll", "epoll")
                for each in (1, turns)
            ]
        }

    assert [check.holds for check in checks("writable", records(1000))] == [True] * 3
    assert [check.holds for check in checks("writable", records(999))] == [False] * 3


def test_select_and_poll_cost_twenty_epolls_at_a_thousand() -> None:
    def records(cost: float) -> dict[str, Any]:
        return {
            "rows": [
                {"watched": 1000, "select": cost, "poll": cost, "epoll": 1.0},
                {"watched": 2000, "poll": 1.0, "epoll": 1.0},
            ]
        }

    assert [check.holds for check in checks("scaling", records(20.0))] == [True] * 2
    assert [check.holds for check in checks("scaling", records(19.9))] == [False] * 2


def silence(blocking: float, select: float, timeout: float = 200.0) -> dict[str, Any]:
    rows = [
        {"model": model, "delays": [delay] * 5, "silent": 600.0}
        for model, delay in (("blocking", blocking), ("timeout", timeout), ("select", select))
    ]
    return {"silence": 600.0, "rows": rows}


def test_one_silent_client_delays_the_blocking_server_by_all_its_silence_and_the_others_by_less_than_50_ms() -> (
    None
):
    assert [check.holds for check in checks("silent", silence(600.0, 49.0))] == [True, True, True]
    assert [check.holds for check in checks("silent", silence(500.0, 51.0, 180.0))] == [False, False, False]


@pytest.mark.parametrize("model", EXPERIMENTS["silent"].models)
def test_whichever_server_takes_part_something_is_claimed_of_it(model: str) -> None:
    row = {"model": model, "delays": [1.0] * 5, "silent": 1.0}
    assert len(checks("silent", {"silence": 600.0, "rows": [row]})) == 1


def held(worst: float, moved: float, inside: dict[str, int]) -> dict[str, Any]:
    looks = sum(inside.values())
    found = {"at": 1.0, "ms": 190.0, "looks": looks, "inside": inside, "stack": []} if looks else None
    return {
        "rows": [
            {"hold": 200, "worker": False, "worst": worst, "held": found, "points": [(0.0, worst)]},
            {"hold": 200, "worker": True, "worst": moved, "held": None, "points": [(0.0, moved)]},
        ]
    }


def test_who_held_the_loop_is_found() -> None:
    assert all(check.holds for check in checks("hold", held(200.0, 1.0, {"compute": 20})))
    assert not one("hold", held(200.0, 1.0, {"compute": 17, "read": 3}), "compute()").holds
    assert not one("hold", held(200.0, 1.0, {}), "compute()").holds
    assert not one("hold", held(130.0, 1.0, {"compute": 20}), "worst ping").holds


def test_who_held_the_loop_is_said_beneath_the_figure() -> None:
    by, nobody = EXPERIMENTS["hold"].figure(held(200.0, 1.0, {"compute": 20})).notes
    assert "20 looks in a row" in by.text.en
    assert "190 毫秒" in by.text.zh
    assert "nobody held" in nobody.text.en


def test_edge_triggered_leaves_bytes_unread() -> None:
    rows = [
        {"again": 1, "left": 990, "first": 1, "after": 1},
        {"again": 0, "left": 990, "first": 1, "after": 1},
    ]
    records = {"rows": rows, "line": 10, "answered": {"drains": 10, "reads once": 0}}
    assert all(check.holds for check in checks("edge", records))
    rows[1]["left"] = 0
    assert not one("edge", records, "left unread").holds


def test_without_epoll_only_growth_is_claimed() -> None:
    def records(cost: float) -> dict[str, Any]:
        return {"rows": [{"watched": 10, "select": 1.0, "poll": 1.0}, {"watched": 1000, "poll": cost}]}

    assert [check.holds for check in checks("scaling", records(5.0))] == [True]
    assert [check.holds for check in checks("scaling", records(4.9))] == [False]


def grown(at_thousand: int, at_ten_thousand: int) -> dict[str, Any]:
    def row(model: str, clients: int, memory: int) -> dict[str, Any]:
        threads, switches = (1, 0.1) if model == "epoll" else (clients + 1, 1.0)
        return {
            "model": model,
            "clients": clients,
            "memory": memory,
            "threads": threads,
            "switches": switches,
        }

    rows = [
        row("threads", 1000, 30_000),
        row("epoll", 1000, at_thousand),
        row("epoll", 10_000, at_ten_thousand),
    ]
    return {"rows": rows, "models": ["threads", "epoll"]}


def test_a_loop_is_compared_at_as_many_clients_and_again_at_ten_times_as_many() -> None:
    assert all(check.holds for check in checks("footprint", grown(3000, 30_000)))
    assert not one("footprint", grown(3001, 30_000), "memory of the threads").holds
    assert not one("footprint", grown(3000, 30_001), "10,000 clients").holds


def test_where_the_parser_stands_between_two_reads_is_counted() -> None:
    def rows(state: str) -> dict[str, Any]:
        tape = [["b'x'", state, 0]] * 4 + [["b'x'", "idle", 1]]
        answers = {"missing": [404], "pipelined": [200, 404], "overlapping": [200, 404]}
        return {
            "rows": [
                {"name": name, "statuses": answers.get(name, [200]), "reads": 5, "requests": 2, "tape": tape}
                for name in ("whole", "missing", "bytes", "cut", "pipelined", "overlapping")
            ]
        }

    for state, holds in (("line", True), ("head", True), ("idle", False)):
        assert one("http", rows(state), "inside a line or the head").holds is holds
