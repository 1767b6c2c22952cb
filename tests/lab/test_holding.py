"""Who holds a loop is found with its stack; turns that are short are nobody's fault."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from poise.lab.events import now
from poise.lab.holding import Held, Watch, in_words


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGPROF)
    yield
    signal.signal(signal.SIGPROF, before)


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def handle(seconds: float) -> None:
    compute(seconds)


def loop(turns: list[float]) -> None:
    for seconds in turns:
        handle(seconds)


def held(turns: list[float]) -> Held | None:
    watch = Watch(now())
    watch.run(loop, turns)
    return watch.longest


def test_the_call_that_holds_the_loop_is_found_from_the_loop_down_to_the_line_that_runs() -> None:
    found = held([0.002, 0.1, 0.002])
    assert found is not None
    assert [each["function"] for each in found["stack"]] == ["loop", "handle", "compute"]
    assert [each["code"] for each in found["stack"]][:2] == ["handle(seconds)", "compute(seconds)"]
    assert {each["file"] for each in found["stack"]} == {"tests/lab/test_holding.py"}
    assert found["inside"] == {"compute": found["looks"]}
    assert found["ms"] > 40


def test_the_longest_one_counts() -> None:
    found = held([0.2, 0.03])
    assert found is not None
    assert found["looks"] > 10


def test_many_short_turns_hold_nobody_up() -> None:
    assert held([0.001] * 100) is None


def test_what_waits_is_not_looked_at() -> None:
    watch = Watch(now())
    watch.run(lambda: time.sleep(0.05))
    assert watch.longest is None
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_stack_in_words_has_its_code_in_one_column() -> None:
    stack = [
        {"file": "a/loop.py", "line": 7, "function": "serve", "code": "read(x)"},
        {"file": "b.py", "line": 112, "function": "Far.away", "code": "y += 1"},
    ]
    assert in_words(stack) == ["loop.py:7 serve    read(x)", "b.py:112 Far.away  y += 1"]


def test_a_look_that_takes_long_is_not_looked_at_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Watch._keep
    looks: list[str] = []

    def slowly(watch: Watch, at: int) -> None:
        looks.append("begins")
        signal.raise_signal(signal.SIGPROF)
        keep(watch, at)
        looks.append("ends")

    monkeypatch.setattr(Watch, "_keep", slowly)
    assert held([0.1]) is not None
    assert len(looks) >= 4
    assert looks == ["begins", "ends"] * (len(looks) // 2)
