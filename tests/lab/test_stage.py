"""The stage: processes that bring their results back, and whatever goes wrong in one is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from poise.lab import usage
from poise.lab.experiment import Cannot
from poise.lab.stage import Server
from poise.lab.usage import Usage, own
from tests.support.program import PATIENCE, ROOT

PROGRAM = """
import json, os, sys
from poise.lab.stage import Stage
told = []
stage = Stage(seed=1, models=["select", "blocking"], tell=told.append)
{body}
stage.close()
json.dump([result, told], sys.stdout)
"""


def staged(body: str, *, code: int = 0) -> Any:
    """What ``body`` puts into ``result``, and what was told; in a process of its own, as every stage is."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{body}", body)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else json.loads(done.stdout)


def test_what_a_process_returns_comes_back() -> None:
    result, _told = staged("result = stage.fork(lambda: {'pid': os.getpid() != stage.began}).result()")
    assert result == {"pid": True}


def test_a_process_that_breaks_off_is_told_with_its_traceback() -> None:
    said = staged("result = stage.fork(lambda: 1 / 0).result()", code=1)
    assert "ZeroDivisionError" in said
    assert "ChildProcessError: a process of the run ended with 1" in said


def test_clients_are_seeded() -> None:
    body = "result = [stage.clients(lambda chance, n: chance.randrange(n), 1000).result() for _ in range(3)]"
    first, again = staged(body)[0], staged(body)[0]
    assert first == again
    assert len(set(first)) > 1


def test_a_server_is_stopped_and_tells_what_it_did() -> None:
    body = (
        "from poise.lab.clients import connected, ask\n"
        "with stage.serving('select', name='mine') as server:\n"
        "    with connected(server.port) as client:\n"
        "        ask(client, b'hello\\n')\n"
        "    rss = server.usage().rss\n"
        "result = [server.count('accept', 'recv') >= 2, server.stop() is server.kept, server.kept['usage'], rss]\n"
    )
    result, told = staged(body)
    assert result[:2] == [True, True]
    assert result[2]["wall"] > 0
    assert result[3] > 0
    (events,) = told
    assert events["kind"] == "events"
    assert {event["who"] for event in events["events"]} == {"mine"}


def test_a_quiet_server_tells_nothing() -> None:
    result, told = staged(
        "with stage.serving('blocking', quiet=True) as server: pass\nresult = server.kept['counts']"
    )
    assert (result, told) == ({}, [])


def test_a_server_that_breaks_ends_the_run_with_its_traceback() -> None:
    said = staged(
        "with stage.serving('select', service=None) as server:\n"
        "    from poise.lab.clients import connected\n"
        "    with connected(server.port) as client: client.recv(1)\n"
        "result = 0",
        code=1,
    )
    assert "TypeError: 'NoneType' object is not callable" in said


def test_what_is_left_is_ended_when_the_stage_closes() -> None:
    body = "import signal\nchild = stage.fork(signal.pause)\npid = child.pid\nstage.close()\nresult = [pid, child.pid]"
    result, _told = staged(body)
    assert result[1] == 0
    with pytest.raises(ProcessLookupError):
        os.kill(result[0], 0)


def test_a_child_is_killed_once() -> None:
    body = "import signal\nchild = stage.fork(signal.pause)\nchild.kill()\nchild.kill()\nresult = child.pid"
    assert staged(body)[0] == 0


def test_usage_of_this_process_and_of_what_there_is_not() -> None:
    now = usage.usage(os.getpid())
    assert now.threads >= 1
    assert now.cpu > 0
    assert now.since(now)._replace(rss=0, threads=0) == Usage()
    assert own().switches >= 0
    assert usage.usage(2**22 + 1)._replace(wall=0.0) == Usage()


def test_without_proc_only_this_process_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(usage, "PROC", tmp_path)
    assert usage.usage(os.getpid()).cpu > 0
    monkeypatch.setattr("poise.lab.stage.PROC", tmp_path / "none")
    with pytest.raises(Cannot, match="no /proc"):
        Server("x", 1, None).usage()  # type: ignore[arg-type]
