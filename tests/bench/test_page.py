"""docs/benchmarks.md: what a result says becomes what the page says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.aims import AIMS, MEMORY_AIMS, Aim, MemoryAim
from bench.http_scenarios import HTTP
from bench.load import Load, Sample
from bench.page import DOCS, FOLDER, PAGE, bytes_of, read, render
from bench.peers import HTTP_PEERS, VARIANTS
from bench.report import Ratio, describe
from bench.scenarios import ROOT

HEAD = "GET /small.bin HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"


def server(costs: Iterable[float], *, private: int = 3 << 20, idle: float = 0.0) -> dict[str, Any]:
    """What a result keeps of one server: rounds of 1,000 requests in a second at these costs in µs."""
    rounds = [
        describe(Sample(Load(1000, 1.0, bytes=1_300_000), round(cost * 1e6), 10**9, private))
        for cost in costs
    ]
    return {
        "about": "a server | of the tests",
        "version": "1.0",
        "command": ["serve", "SITE", "--name", "a b"],
        "configuration": {"its.conf": "on;\n\n"},
        "requests_per_connection": "one",
        "client": [],
        "request_heads": [HEAD],
        "reply_head": [],
        "private_bytes_before": 1 << 20,
        "private_bytes_per_idle_connection": idle,
        "rounds": rounds,
    }


def result(**scenarios: dict[str, Any]) -> dict[str, Any]:
    """Each scenario being its servers by name."""
    machine = {
        "processor": "the quick one", "cores": 2, "architecture": "x86_64", "memory_bytes": 8 << 30, "kernel": "Linux 6",
        "python": "CPython 3.11", "wrk": "wrk 4", "compiler": "cc 12",
    }  # fmt: skip
    return {
        "taken": "2030-01-02T03:04:05+00:00",
        "machine": machine,
        "load_average_before": 0.05,
        "rounds": 3,
        "seconds": 2,
        "cores": {"server": 1, "client": 0},
        "cpu_source": "schedstat",
        "reference": "poise",
        "scenarios": {
            name: {
                "scenario": {
                    "name": name,
                    "about": f"about {name}",
                    "warm_ups": 1,
                    "conditions": {"crowd": 0},
                },
                "unit": "request",
                "skipped": {"caddy": "first words\nlast words"},
                "servers": servers,
            }
            for name, servers in scenarios.items()
        },
    }


SMALL = {"poise": server([5.0, 6.0, 7.0]), "nginx": server([10.0, 12.0, 20.0]), "floor": server([5, 5, 5])}


def page(**scenarios: dict[str, Any]) -> str:
    return render({"http": result(**scenarios)}, {})


# --- the aims ---------------------------------------------------------------------------------------------


def test_an_aim_is_reached_by_the_median() -> None:
    scenarios = result(small=SMALL)["scenarios"]
    aim = Aim("small", "nginx", 0.5)
    found = aim.measured(scenarios)
    assert found == Ratio(0.5, 0.35, 0.5)
    assert aim.reached(found)
    assert not Aim("small", "nginx", 0.49).reached(found)
    assert Aim("small", "lighttpd", 1.0).measured(scenarios) is None
    assert Aim("large", "nginx", 1.0).measured(scenarios) is None


def test_of_a_rate_more_is_better() -> None:
    assert Aim("large", "nginx", 0.97, "rate").reached(Ratio(0.98, 0.5, 1.5))
    assert not Aim("large", "nginx", 0.97, "rate").reached(Ratio(0.96, 0.5, 1.5))


def test_memory_is_what_it_grew_by_or_what_an_idle_connection_takes() -> None:
    scenarios = result(crowd={"poise": server([1.0], idle=700.0)})["scenarios"]
    assert MemoryAim("crowd", "growth", 1).measured(scenarios) == 2 << 20
    assert MemoryAim("crowd", "idle connection", 1).measured(scenarios) == 700.0
    assert MemoryAim("other", "growth", 1).measured(scenarios) is None


def test_every_aim_is_about_a_question_and_servers_that_are_measured_for_it() -> None:
    everybody = [peer.name for peer in HTTP_PEERS]
    known = {*everybody, *(peer.name for peer in VARIANTS)}
    asked = {one.name: one.peers or everybody for one in HTTP}
    for aim in AIMS:
        assert {aim.ours, aim.theirs} <= {*asked[aim.scenario]} <= known, aim
    for memory in MEMORY_AIMS:
        assert memory.ours in asked[memory.scenario]


# --- the page ---------------------------------------------------------------------------------------------


def test_the_page_says_what_was_measured() -> None:
    text = page(small=SMALL)
    assert (
        "| [small](#small) | poise ÷ nginx | processor time for each | 0.50 (0.35 … 0.50) | ≤ 0.60 | reached |"
        in text
    )
    assert "| poise ÷ floor | processor time for each | 1.20 (1.00 … 1.40) | ≤ 1.25 | reached |" in text
    assert "| poise ÷ lighttpd | processor time for each | not measured | ≤ 0.97 |  |" in text
    assert (
        "For one request poise needs 6.00 µs of processor time: 0.50 times what nginx needs and 1.20 times"
        in text
    )
    assert (
        "| nginx | 1,000 | 12.00 | 1% | 0.50 (0.35 … 0.50) | 1.00 (1.00 … 1.00) | 1,300 | 2.0 MiB |  |"
        in text
    )
    assert "Measured in 3 rounds after one warm-up." in text
    assert "```http\nGET /small.bin HTTP/1.1\nHost: 127.0.0.1:PORT\n```" in text
    assert "Not measured: caddy (last words)." in text
    assert "| processor | the quick one, 2 cores, x86_64 |" in text
    assert "$ serve SITE --name 'a b'" in text
    assert "a server \\| of the tests" in text


def test_an_aim_that_was_missed_is_said_to_be() -> None:
    text = page(
        small={"poise": server([9.0]), "nginx": server([10.0])}, crowd={"poise": server([1.0], idle=2000)}
    )
    assert "| 0.90 (0.90 … 0.90) | ≤ 0.60 | missed |" in text
    assert "| memory for an idle connection | 2.0 KiB | ≤ 1.5 KiB | missed |" in text


def test_the_idle_connections_are_told_where_there_were_any() -> None:
    http = result(crowd={"poise": server([1.0], idle=700), "poise-alone": server([1.0])})
    http["scenarios"]["crowd"]["scenario"]["conditions"]["crowd"] = 10_000
    text = render({"http": http}, {})
    assert "An idle connection takes 700 bytes of poise's private memory." in text
    assert "of poise-alone's" not in text


def test_a_question_that_nobody_answered_is_on_the_page_too() -> None:
    text = page(small={})
    assert "About small.\n\nNot measured: caddy (last words)." in text


def test_the_same_configuration_is_shown_once() -> None:
    assert page(small=SMALL).count("its.conf of") == 1


def test_the_streams_and_the_timers_are_on_the_page_when_they_were_measured() -> None:
    one = {"set": 1.0, "reset": 2.0, "cancel": 3.0, "all": 6.0}
    timers = {
        "timers": {"any times": {"bare heap": [one], "Timers": [one]}},
        "turns": {"1": [100.0], "9000": [150.0]},
    }
    text = render({"http": result(small=SMALL), "echo": result(small=SMALL), "timers": timers}, {})
    assert "### about small" in text
    assert "100 ns beside one deadline, 150 ns beside 9,000 of them: 1.50" in text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1536, "1.5 KiB"), (-(3 << 20), "-3.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_bytes_are_told_in_units_for_people(count: float, text: str) -> None:
    assert bytes_of(count) == text


# --- files ------------------------------------------------------------------------------------------------


def test_without_a_result_there_is_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["page", "--docs", str(tmp_path)]) == 3
    assert "make bench measures it" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(find_spec("matplotlib") is None, reason="the extra bench is not installed")
def test_page_and_plots_are_written_and_the_same_result_makes_the_same_bytes(tmp_path: Path) -> None:
    """In a process of its own: the warnings of a large library are not ours."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "http.json").write_text(json.dumps(result(small=SMALL, nobody={})))
    (folder / "old.svg").write_text("of a question that is no longer asked")
    command = [sys.executable, "-m", "bench", "page", "--docs", str(tmp_path)]
    written: list[dict[str, bytes]] = []
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, check=True, timeout=50)
        written.append({file.name: file.read_bytes() for file in [tmp_path / PAGE, *folder.glob("*.svg")]})
    assert written[0] == written[1]
    assert written[0].keys() == {PAGE, "aims.svg", "small.svg"}
    text = written[0][PAGE].decode()
    assert f"![each aim and what was measured]({FOLDER}/aims.svg)" in text
    assert f"![processor time: about small]({FOLDER}/small.svg)" in text
    assert b"<text" in written[0]["small.svg"]


@pytest.mark.skipif(not (DOCS / PAGE).exists(), reason="no measurement is published")
def test_the_published_page_is_what_the_published_results_say() -> None:
    plots = {file.name for file in (DOCS / FOLDER).glob("*.svg")}
    results = read(DOCS / FOLDER)
    drawn = {"aims.svg": "each aim and what was measured"}
    scenarios = results["http"]["scenarios"]
    drawn |= {
        f"{name}.svg": f"processor time: {one['scenario']['about']}"
        for name, one in scenarios.items()
        if one["servers"]
    }
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    assert render(results, drawn) == text, "run `make bench-page`"
    assert plots == drawn.keys()
    assert not [word for word in ("/tmp", "/home", "/root", str(ROOT)) if word in text]


# --- the whole way ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes to cores")
def test_a_measurement_from_beginning_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / FOLDER / "http.json"
    argv = ["http", "--scenario", "close", "--only", "poise", "http.server-1.1", "dufs", "--rounds", "1"]
    assert main([*argv, "--seconds", "1", "--json", str(file)]) == 0
    assert "CPU µs/request" in capsys.readouterr().out
    kept = read(file.parent)["http"]
    close = kept["scenarios"]["close"]
    assert close["skipped"].keys() == {"dufs", "http.server-1.1"}
    assert close["skipped"]["http.server-1.1"] == "not set up here for: deferred"
    poise = close["servers"]["poise"]
    serve = ["python3", "-m", "poise", "serve", "SITE", "--port", "0", "--no-access-log"]
    assert poise["command"] == [*serve, "--defer-accept", "1"]
    assert poise["reply_head"][0] == "HTTP/1.1 200 OK"
    assert poise["request_heads"][0].startswith("GET /close.bin HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n")
    [sample] = poise["rounds"]
    assert sample["load"]["errors"] == sample["load"]["refused"] == 0
    assert sample["private_bytes"] > poise["private_bytes_before"] * 0.5 > 0
    assert not [word for word in ("/tmp", str(ROOT), sys.prefix) if word in json.dumps(close["servers"])]
    assert "Not measured: dufs" in render({"http": kept}, {})
