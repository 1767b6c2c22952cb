"""A learner's program in its own process: the port it gets, what it is given, and what is seen of it."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.errors import MachineFault
from poise.lab.exercises import child
from poise.lab.exercises.catalog import BY_NAME
from poise.lab.exercises.checking import check
from poise.lab.exercises.child import TRIES, started, told
from poise.lab.exercises.structure import Source
from poise.limits.exercises import ExerciseLimits

LIMITS = ExerciseLimits()
LISTEN = """\
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("at", os.environ["PORT"], sorted(os.environ), os.getcwd(), sys.stdin.read() == "")
server.accept()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "作业.py"  # a name that no stack is written with as it is
    path.write_text(LISTEN, encoding="utf-8")
    return path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
def test_it_listens_where_it_was_told_and_is_given_nothing_else(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/a/file")
    monkeypatch.setenv("SECRET", "word")
    with started(program, LIMITS) as process:
        assert process.listens
        process.settle()
        state = process.state()
        assert state.printed.startswith(f"at {process.port} ")
        assert "'PORT'" in state.printed
        assert "SECRET" not in state.printed
        assert "PYTHON" not in state.printed
        assert state.printed.endswith("True\n")
        assert (state.alive, state.running, state.line) == (True, False, 4)
        assert process.idle()
    assert process._process.returncode == -9


@pytest.mark.slow
def test_a_port_that_is_taken_is_replaced(program: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    free = child.free_port()
    ports = iter([taken, free])
    monkeypatch.setattr(child, "free_port", lambda: next(ports))
    with started(program, LIMITS) as process:
        assert (process.port, process.listens) == (free, True)


@pytest.mark.slow
def test_ports_that_are_always_taken_end_the_tries(
    program: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def always() -> int:
        tries.append(taken)
        return taken

    monkeypatch.setattr(child, "free_port", always)
    with started(program, LIMITS) as process:
        assert not process.listens
        assert process.port_was_taken()
    assert len(tries) == TRIES


@pytest.mark.slow
def test_a_loop_is_seen_to_run_and_is_never_idle(program: Path) -> None:
    program.write_text(LISTEN.replace("server.accept()", "while True:\n    pass"), encoding="utf-8")
    with started(program, LIMITS) as process:
        process.settle()
        state = process.state()
        assert (state.alive, state.running) == (True, True)
        assert state.line in (4, 5)


@pytest.mark.parametrize(
    "line", [b"no JSON", b"[1]", b'{"other": 1}', b'{"event": "listen"}', b'{"event": []}', b"\xff", b""]
)
def test_what_a_program_writes_among_the_events_is_no_event(line: bytes) -> None:
    assert told(line) == {}
    assert told(b'{"event": "thread", "line": 3}') == {"event": "thread", "line": 3}


FLOOD = """\
import os
for number in range(3, 64):
    try:
        os.set_blocking(number, True)
        while True:
            os.write(number, b"{}" * 1000 + b"\\n")
    except OSError:
        pass
"""


@pytest.mark.slow
def test_a_program_that_writes_where_it_should_not_holds_nobody(program: Path) -> None:
    program.write_text(FLOOD, encoding="utf-8")
    with started(program, LIMITS) as process:
        assert not process.listens
        assert process.told("listen") == []
        assert process.state().error is None


def test_what_cannot_be_started_leaves_nothing_open(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", os.fspath(program.parent / "no-python"))
    with pytest.raises(FileNotFoundError), started(program, LIMITS):
        pass


def test_a_system_without_the_call_is_told_so(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")
    with pytest.raises(MachineFault, match="this system has no epoll"):
        list(check(program, Source(LISTEN), BY_NAME["epoll"], LIMITS))
    monkeypatch.delattr(os, "fork")
    with pytest.raises(MachineFault, match="WSL"):
        list(check(program, Source(LISTEN), BY_NAME["select"], LIMITS))
