"""Coming and going again and again while a server is busy: no request fails, and nothing is left of anybody."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from poise.seeing import runtime
from tests.support.load import load
from tests.support.program import PATIENCE, Served, program, serving

FEW, MANY = 25, 1000
PAGE = os.sysconf("SC_PAGE_SIZE")
GROWTH = (
    3 * 2**20
)  # bytes that a process may be larger after a thousand viewers: nothing that grows with their number


@dataclass(frozen=True, order=True)
class Held:
    """What a process holds."""

    descriptors: int
    threads: int


def held(pid: int) -> Held:
    return Held(len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"


def control_of(served: Served, run: Path) -> str:
    path = run / f"{runtime.NAME}/{served.pid}{runtime.SOCKET}"
    until(path.exists)
    return str(path)


def look(path: str, states: int) -> None:
    """Attach, hear so many states, and go without a word."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        connection.sendall(b'{"ask": "watch"}\n')
        with connection.makefile("rb") as lines:
            assert "hello" in json.loads(lines.readline())
            for _ in range(states):
                assert "state" in json.loads(lines.readline())


def come_and_go(tmp_path: Path, times: int) -> int:
    """How many bytes larger the server is afterwards than half-way."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "small.txt").write_text("hello\n")
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(run)}
    with serving(tmp_path / "site", "--no-access-log", environment=environment) as served:
        path = control_of(served, run)
        with load(served.port, clients=3) as busy:
            busy.wait(300)  # everybody is there
            size = 0
            before = min(held(served.pid) for _ in range(100))  # a file may be open at one moment or another
            for _ in range(FEW):  # what is loaded for the first viewer stays
                look(path, 1)
            until(lambda: held(served.pid) == before)
            for number in range(times):
                if number == times // 2:  # by then the allocator has all that it will ever want
                    size = resident(served.pid)
                look(path, number % 2 if number % 20 else 2)
            until(lambda: held(served.pid) == before)
            busy.wait(1000)
            assert busy.failures == []
            assert busy.connections == busy.clients  # not one was even connected anew
            return resident(served.pid) - size


@pytest.mark.slow
def test_coming_and_going_leaves_nothing(tmp_path: Path) -> None:
    come_and_go(tmp_path, FEW)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_thousand_times(tmp_path: Path) -> None:
    assert come_and_go(tmp_path, MANY) < GROWTH


STUCK = """
import time
from poise import Reactor
from poise.cli.seen import offer

def slow():
    print("stuck", flush=True)
    time.sleep(60)

with Reactor() as reactor:
    offer(reactor)
    reactor.call_soon(slow)
    reactor.run()
"""


@pytest.mark.slow
def test_a_loop_that_is_stuck_can_be_looked_at(tmp_path: Path) -> None:
    """That is when people look: a thread answers, so that the loop need not come to it."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(run)}
    with program([sys.executable, "-c", STUCK], environment=environment) as stuck:
        assert stuck.line() == "stuck"
        [path] = (run / runtime.NAME).iterdir()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(path))
            connection.sendall(b'{"ask": "once", "seconds": 0.3}\n')
            with connection.makefile("rb") as lines:
                json.loads(lines.readline())
                state = json.loads(lines.readline())["state"]
    assert state["verdict"]["id"] in ("starting", "unanswered", "stuck")
