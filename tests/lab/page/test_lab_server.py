"""The lab's server: who may start a run, what it tells, and that nothing is left of one whose page has gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from poise.lab import running as room
from poise.lab.experiments import EXPERIMENTS
from poise.lab.server import LabServer, files
from poise.limits.lab import LabLimits
from poise.seeing.gate import SCHEME
from poise.seeing.server import SAFE
from tests.lab.test_running import ended, group
from tests.support.client import Answer, answers
from tests.support.program import PATIENCE, ROOT

SHORT = {"experiment": "masks", "models": [], "seed": 1, "prediction": "false"}
LONG = {"experiment": "silent", "models": ["blocking"], "seed": 1, "prediction": None}


@pytest.fixture
def server() -> Iterator[LabServer]:
    made = LabServer()
    yield made
    made.close()


def origin(server: LabServer) -> str:
    return f"http://{server.address[0]}:{server.address[1]}"


def request(
    server: LabServer,
    target: str,
    body: bytes | None = None,
    *,
    method: str | None = None,
    fields: dict[str, str | None] | None = None,
) -> bytes:
    """As the page asks; ``fields`` replace its own, and None leaves one out."""
    sent: dict[str, str | None] = {"Host": origin(server).removeprefix("http://")}
    if body is not None:
        sent |= {
            "Origin": origin(server),
            "Authorization": f"{SCHEME} {server.token}",
            "Content-Length": str(len(body)),
        }
    sent |= fields or {}
    lines = [f"{method or ('GET' if body is None else 'POST')} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in sent.items() if value is not None]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def ask(server: LabServer, sent: bytes) -> Answer:
    with socket.create_connection(server.address, PATIENCE) as connection:
        connection.sendall(sent)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    [answer] = answers(data, methods=[sent.split(b" ")[0].decode()])
    assert answer.whole
    return answer


def posted(server: LabServer, job: object, fields: dict[str, str | None] | None = None) -> Answer:
    return ask(server, request(server, "/run", json.dumps(job).encode(), fields=fields))


def told(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in answer.body.split(b"\n") if line.startswith(b"data: ")]


# -- what is there ------------------------------------------------------------------------------------------


def test_the_page_its_modules_and_what_there_is_to_try_need_no_token(server: LabServer) -> None:
    assert b"<!doctype html>" in ask(server, request(server, "/")).body
    for path in files():
        assert ask(server, request(server, path)).status == 200
    about = json.loads(ask(server, request(server, "/lab.json")).body)
    assert [each["id"] for each in about["experiments"]] == list(EXPERIMENTS)
    assert [each["number"] for each in about["rows"]] == list(range(1, 21))
    texts = json.loads(ask(server, request(server, "/texts.json")).body)
    assert texts["en"].keys() == texts["zh"].keys()


def test_every_reply_is_kept_from_frames_caches_and_foreign_scripts(server: LabServer) -> None:
    for path in ("/", "/lab.json", "/nothing"):
        fields = ask(server, request(server, path)).fields
        assert {name: fields[name.lower()] for name, _ in SAFE} == dict(SAFE)


def test_a_run_tells_its_messages_its_result_and_what_can_be_kept(server: LabServer) -> None:
    messages = told(posted(server, SHORT))
    assert [each["kind"] for each in messages if each["kind"] != "progress"] == [
        "started",
        "events",
        "result",
        "files",
    ]
    result = next(each["result"] for each in messages if each["kind"] == "result")
    assert result["prediction"] == {"chosen": "false", "right": "false", "correct": True}
    kept = messages[-1]["files"]
    assert kept["svg"].keys() == {"en", "zh"}
    assert len(kept["trace"]["traceEvents"]) > len(result["events"])


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}, 401),
        ({"Origin": None}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Host": None}, 400),
    ],
)
def test_a_run_is_started_by_nobody_but_its_own_page(
    server: LabServer, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str | None], status: int
) -> None:
    monkeypatch.setattr(room, "_started", lambda _job: pytest.fail("it was started"))
    assert posted(server, SHORT, fields).status == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_run_is_posted_and_not_asked_for(server: LabServer, method: str) -> None:
    answer = ask(server, request(server, "/run", b"", method=method))
    assert (answer.status, answer.fields["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/lab.json", "/texts.json", "/lab/page/main.js", "/nothing"])
def test_nothing_else_can_be_posted_to(server: LabServer, path: str) -> None:
    assert ask(server, request(server, path, b"{}")).status == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'{"experiment": "nothing"}',
        b'{"experiment": ["masks"]}',
        b'{"experiment": "masks", "models": "x"}',
        b'{"experiment": "masks", "models": [1]}',
        b'{"experiment": "masks", "models": ["../../etc/passwd"]}',
        b'{"experiment": "masks", "models": 3}',
        b'{"experiment": "masks", "seed": "x"}',
        b'{"experiment": "masks", "seed": Infinity}',
        b'{"experiment": "masks", "prediction": "no such"}',
        b'{"experiment": "masks", "prediction": {}}',
        b"[" * 4000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_run_is_refused(server: LabServer, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(room, "_started", lambda _job: pytest.fail("it was started"))
    assert ask(server, request(server, "/run", body)).status == 422


def test_too_much_that_is_posted_is_refused_before_it_is_all_there(server: LabServer) -> None:
    body = b" " * (LabLimits().posted + 1)
    assert ask(server, request(server, "/run", body, fields={"Content-Length": str(1 << 30)})).status == 413


@pytest.mark.parametrize(
    "path",
    [
        "/lab/page/../server.py",
        "/lab/page/%2e%2e/server.py",
        "/lab/server.py",
        "/lab/page/",
        "//",
        "/seeing/page/../gate.py",
    ],
)
def test_only_the_pages_own_files_are_there(server: LabServer, path: str) -> None:
    assert ask(server, request(server, path)).status == 404


def test_a_machine_without_fork_says_so(server: LabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    answer = posted(server, SHORT)
    assert answer.status == 501
    assert b"WSL" in answer.body


# -- nothing is left ----------------------------------------------------------------------------------------


class Run:
    """A run that goes on, as a page follows it."""

    def __init__(self, address: tuple[str, int], sent: bytes) -> None:
        self.socket = socket.create_connection(address, PATIENCE)
        self.socket.sendall(sent)
        self._file = self.socket.makefile("rb")
        self.pid = self.until("started")["pid"]
        self.until("progress")

    def until(self, kind: str) -> dict[str, Any]:
        for line in self._file:
            if line.startswith(b"data: "):
                message: dict[str, Any] = json.loads(line[6:])
                if message["kind"] == kind:
                    return message
        raise AssertionError(f"it never told {kind}")

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def stopped(run: Run) -> list[int]:
    """Its processes. The first of them goes no further, so that the run does not end by itself meanwhile."""
    processes = group(run.pid)
    assert len(processes) >= 2  # the run itself and its guard, and whom it has started
    os.kill(run.pid, signal.SIGSTOP)
    return processes


def soon(processes: list[int]) -> bool:
    """Whether they have ended long before the bound of a run would end them."""
    began = time.monotonic()
    return ended(processes) and time.monotonic() - began < LabLimits().run_time / 2


def going(server: LabServer) -> Run:
    return Run(server.address, request(server, "/run", json.dumps(LONG).encode()))


def test_a_page_that_closes_ends_its_run(server: LabServer) -> None:
    run = going(server)
    processes = stopped(run)
    run.close()
    assert soon(processes)
    assert posted(server, SHORT).status == 200  # and there is room for the next


def test_a_second_run_waits_for_its_turn(server: LabServer) -> None:
    with closing(going(server)) as run:
        stopped(run)
        refused = posted(server, SHORT)
        assert refused.status == 503
        assert b"another run" in refused.body
        assert group(run.pid)  # which the other has not disturbed


def test_closing_the_server_ends_the_run(server: LabServer) -> None:
    with closing(going(server)) as run:
        processes = stopped(run)
        server.close()
        assert soon(processes)


def command() -> tuple[subprocess.Popen[str], tuple[str, int], str]:
    """``poise lab`` as somebody types it, where it can be reached, and its token."""
    program = subprocess.Popen(
        [sys.executable, "-m", "poise", "lab", "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert program.stdout
    with program.stdout as output:
        where, _, token = output.readline().strip().partition("/#")
    host, _, port = where.removeprefix("http://").partition(":")
    return program, (host, int(port)), token


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_command_that_ends_leaves_nothing_whatever_ends_it(how: signal.Signals) -> None:
    program, address, token = command()
    body = json.dumps(LONG).encode()
    host = f"{address[0]}:{address[1]}"
    sent = (
        f"POST /run HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    try:
        with closing(Run(address, sent)) as run:
            processes = stopped(run)
            program.send_signal(how)
            assert soon(processes)
        assert program.wait(PATIENCE) == (-how if how is signal.SIGKILL else 0)
    finally:
        program.kill()
        program.wait()


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "poise", "lab", "--no-open", "--port", port],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=ROOT,
        )
    assert done.returncode == 3
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr
