"""A run is bounded, tells of its failures, stays on this machine, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.lab import fence
from poise.lab import running as room
from poise.lab.experiments import EXPERIMENTS
from poise.lab.running import running
from poise.limits.lab import LabLimits
from tests.support.program import PATIENCE, ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find processes")

SILENT = EXPERIMENTS["silent"]
AT_ONCE = 3.0  # seconds: the experiment that is ended would go on for longer

RUNNER = """
import json, sys
from poise.lab.experiments import EXPERIMENTS
from poise.lab.running import running
for message in running(EXPERIMENTS["timeout"]):
    print(json.dumps(message), flush=True)
"""

GUARDED = """
import os, signal, sys
from poise.lab import lifeline
lifeline.guard(0, float(sys.argv[1]))
print("guarded", flush=True)
signal.pause()
"""


def group(leader: int) -> list[int]:
    """The living processes of a process group, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _parent, of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue  # it has ended meanwhile
            if int(of) == leader and state not in "ZX":
                found.append(int(entry.name))
    return found


def ended(pids: list[int], patience: float = PATIENCE) -> bool:
    """Wait until all of them have ended; they need not be ours."""
    deadline = time.monotonic() + patience
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([watched], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return False
        finally:
            os.close(watched)
    return True


def until(messages: Iterator[dict[str, Any]], what: str) -> dict[str, Any]:
    return next(message for message in messages if message.get("what") == what or message["kind"] == what)


def test_what_is_not_offered_is_refused_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="no model 'asyncio'; it has: blocking"):
        running(SILENT, models=["asyncio"])
    with pytest.raises(ValueError, match="no prediction 'x'; it has: none, little, all"):
        running(SILENT, prediction="x")
    with pytest.raises(ValueError, match="it has: none"):
        running(EXPERIMENTS["masks"], models=["select"])


def test_a_system_without_fork_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(MachineFault, match="WSL"):
        running(SILENT)


@pytest.mark.slow
def test_what_was_predicted_stands_beside_what_is_right() -> None:
    for guess, correct in (("false", True), ("true", False), (None, None)):
        found = list(running(EXPERIMENTS["masks"], prediction=guess))[-1]["result"]
        assert found["prediction"] == {"chosen": guess, "right": "false", "correct": correct}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_chance() -> None:
    def order() -> list[str]:
        found = list(running(EXPERIMENTS["steps"], models=["epoll"], seed=5))[-1]["result"]
        assert found["models"] == ["epoll"]
        return [event["fd"] for event in found["events"] if event["call"] == "recv" and event["count"]]

    assert order() == order()


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_ended_and_says_so() -> None:
    began = time.monotonic()
    messages = list(running(EXPERIMENTS["timeout"], seconds=2.0))
    assert time.monotonic() - began < PATIENCE / 2
    assert [message["kind"] for message in messages[-2:]] == ["failed", "result"]
    found = messages[-1]["result"]
    assert found["outcome"] == "failed"
    assert found["reason"]["en"] == "It took longer than 2 s and was ended."
    assert found["figure"] is None
    assert all(ended(group(message["pid"])) for message in messages if message["kind"] == "started")


def test_a_run_that_breaks_off_says_why() -> None:
    messages = list(running(SILENT._replace(id="no such {experiment}")))
    assert messages[-2]["kind"] == "failed"
    assert "Traceback" in messages[-2]["said"]
    assert messages[-1]["result"]["outcome"] == "failed"
    assert "KeyError" in messages[-1]["result"]["reason"]["zh"]


def test_a_run_whose_process_cannot_start_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FileNotFoundError):
        list(running(SILENT))


@pytest.mark.slow
def test_who_stops_listening_ends_the_run() -> None:
    messages = running(EXPERIMENTS["timeout"])
    leader = until(messages, "started")["pid"]
    until(messages, "0.05 s")
    there = wait_for_many(leader)
    messages.close()  # type: ignore[attr-defined]
    assert ended(there, AT_ONCE)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["runner", "first process of the run"])
def test_nothing_is_left_when_it_is_killed(victim: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as runner:
        assert runner.stdout is not None
        messages = map(json.loads, runner.stdout)
        leader = until(messages, "started")["pid"]
        until(messages, "0.05 s")
        there = wait_for_many(leader)
        os.kill(runner.pid if victim == "runner" else leader, signal.SIGKILL)
        assert ended(there, AT_ONCE)
        assert ended(group(leader), AT_ONCE)
        if victim != "runner":
            assert [message["kind"] for message in messages] == ["failed", "result"]
    left = [path.name for path in tmp_path.rglob("*") if not path.name.startswith(".coverage")]
    assert left == []


def wait_for_many(leader: int) -> list[int]:
    """Until there are servers and clients, too."""
    deadline = time.monotonic() + PATIENCE
    while len(there := group(leader)) < 4:
        assert time.monotonic() < deadline, there
    return there


@pytest.mark.slow
def test_ctrl_c_ends_the_command_and_the_run() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "poise", "lab", "run", "timeout", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        deadline = time.monotonic() + PATIENCE
        while not (leaders := children(command.pid)):
            assert time.monotonic() < deadline
        there = wait_for_many(leaders[0])
        command.send_signal(signal.SIGINT)
        assert ended(there, AT_ONCE)
        out, said = command.communicate(timeout=PATIENCE)
        assert (command.returncode, out, said) == (130, b"", b"")


def children(parent: int) -> list[int]:
    """Processes that it has started, each the first of a group of its own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                _state, of, group_of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(of) == parent and group_of == entry.name:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize(("seconds", "hang_up"), [("60", True), ("0.05", False)], ids=["lifeline", "time"])
def test_the_guard_ends_the_whole_group(seconds: str, hang_up: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GUARDED, seconds],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    ) as guarded:
        assert guarded.stdout is not None
        assert guarded.stdin is not None
        guarded.stdout.readline()
        there = group(guarded.pid) if hang_up else []
        if hang_up:
            assert len(there) == 2
            guarded.stdin.close()
        assert guarded.wait(PATIENCE) == -signal.SIGKILL
        assert ended(there)


def test_too_large_a_message_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LabLimits", lambda: LabLimits(message=16))
    found = list(running(EXPERIMENTS["masks"]))[-1]["result"]
    assert found["outcome"] == "failed"


# -- loopback only ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [("127.0.0.1", 80), ("127.255.255.255", 0), ("::1", 80, 0, 0), None],
    ids=repr,
)
def test_what_is_on_this_machine_is_let_through(address: object) -> None:
    fence.watch("socket.connect", (None, address))


@pytest.mark.parametrize(
    "address",
    [
        ("192.0.2.1", 80),
        ("0.0.0.0", 0),
        ("", 0),
        ("::", 0, 0, 0),
        ("localhost.example", 1),
        "/run/a.sock",
        b"x",
    ],
    ids=repr,
)
@pytest.mark.parametrize("event", ["socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"])
def test_what_is_not_is_refused(event: str, address: object) -> None:
    with pytest.raises(PermissionError, match="loopback"):
        fence.watch(event, (None, address))


def test_the_fence_stands_in_a_process_and_its_children() -> None:
    program = (
        "import os, socket; from poise.lab import fence; fence.put_up()\n"
        "with socket.create_server(('127.0.0.1', 0)): pass\n"
        "child = os.fork()\n"
        "try:\n"
        "    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))\n"
        "    os._exit(1)\n"
        "except PermissionError:\n"
        "    if child: os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "    os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=PATIENCE, check=False)
    assert done.returncode == 0


ESCAPING = """
import json, os, socket, sys
from types import SimpleNamespace
from poise.lab import acting

def escape(stage):
    where = ("192.0.2.1", 9)
    return stage.clients(lambda _chance: socket.create_connection(where, 1.0).close()).result()

acting.EXPERIMENTS = {"escape": SimpleNamespace(run=escape)}
acting.main({"experiment": "escape", "models": [], "seed": 1, "parent": os.getppid()})
"""


def test_an_experiment_that_would_leave_this_machine_is_stopped() -> None:
    lifeline, held = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", ESCAPING],
            cwd=ROOT,
            stdin=lifeline,
            capture_output=True,
            process_group=0,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(lifeline)
        os.close(held)
    assert b"PermissionError: the lab stays on loopback: socket.connect ('192.0.2.1', 9)" in done.stderr
    assert b"records" not in done.stdout


def test_a_thread_may_start_a_run_as_long_as_it_lives() -> None:
    outcomes: list[str] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(list(running(EXPERIMENTS["masks"]))[-1]["result"]["outcome"])
    )
    thread.start()
    thread.join(PATIENCE)
    assert outcomes == ["shown"]
