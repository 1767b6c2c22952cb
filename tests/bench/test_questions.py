"""The questions of HTTP: what is sent, what counts as right, and that the clients notice what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bench import wrk
from bench.asking import Reply, Unequal
from bench.http_scenarios import HTTP, Close, Different, Download, Encrypted, Get, Many, Start, Unchanged
from bench.load import Load
from bench.peers import POISE
from bench.place import Peer
from bench.run import start_all
from bench.scenarios import KIB, MIB, Conditions
from bench.servers import Server
from bench.starting import measure_start
from tests.bench.stand_ins import always, core, stand_in

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes to cores"),
    pytest.mark.slow,
]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")

QUESTIONS = {one.name: one for one in HTTP}
SMALL = Get("small", "", KIB)
CLOSE = Close("close", "", KIB, connections=4, fields=("Connection: close",))
DOWNLOAD = Download("large", "", 3 * MIB, connections=2)


def running(stack: ExitStack, folder: Path, scenario: Get, peer: Peer = POISE) -> Server:
    """One server that answers ``scenario`` as it should."""
    scenario.prepare(folder)
    servers, skipped = start_all(stack, [peer], scenario, folder, core())
    assert skipped == {}
    return servers[0]


def loaded(scenario: Get, folder: Path, port: int) -> Load:
    """One second of the client of the bench."""
    command = scenario.client(folder, port, 1)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return scenario.parse(done.stdout)


# --- what is sent -----------------------------------------------------------------------------------------


def test_a_head_is_as_a_client_writes_it() -> None:
    [head] = SMALL.heads(4711)
    assert head == "GET /small.bin HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n"


def test_many_kinds_of_client_ask_for_many_files() -> None:
    heads = QUESTIONS["many"].heads(1)
    assert [head.count("\r\n") for head in heads] == [12, 5, 3]
    assert all(head.startswith("GET /NUMBER.bin HTTP/1.1\r\nHost: ") for head in heads)


def test_one_field_in_seven_is_always_another() -> None:
    question = QUESTIONS["different"]
    fields = question.heads(1)[0].split("\r\n")[1:-2]
    assert len(fields) == 7
    assert [field for field in fields if wrk.NUMBER in field] == ["X-Request-Id: NUMBER"]
    assert question.script(1) != question.script(1)  # another round, other numbers


def test_wrk_is_told_where_and_how_long(tmp_path: Path) -> None:
    command = replace(SMALL, connections=7).client(tmp_path, 4711, 3)
    assert command[-1] == "http://127.0.0.1:4711/"
    assert command[command.index("--connections") + 1] == "7"
    assert command[command.index("--duration") + 1] == "3s"
    assert Path(command[command.index("--script") + 1]).read_text() == SMALL.script(4711)
    assert QUESTIONS["tls"].client(tmp_path, 1, 1)[-1] == "https://127.0.0.1:1/"
    two = QUESTIONS["two-workers"].client(tmp_path, 1, 1)
    assert two[two.index("--threads") + 1] == "2"


def test_the_names_of_the_questions_differ() -> None:
    assert len(QUESTIONS) == len(HTTP)
    assert QUESTIONS["start"].least_rounds == 20


# --- what counts as right ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "load", "refused"),
    [
        (200, Load(10, 1.0, bytes=10 * 1300), 0),
        (200, Load(10, 1.0, refused=3, bytes=10 * 1300), 3),
        (200, Load(10, 1.0, bytes=10 * 200), 10),  # no bodies
        (304, Load(10, 1.0, bytes=10 * 200), 0),
        (304, Load(10, 1.0, bytes=10 * 1300), 10),  # bodies
        (404, Load(10, 1.0, refused=10, bytes=10 * 300), 0),
        (404, Load(10, 1.0, refused=8, bytes=10 * 300), 2),
    ],
)
def test_a_reply_of_another_kind_counts_as_refused(status: int, load: Load, refused: int) -> None:
    assert replace(SMALL, status=status).judged(load) == replace(load, refused=refused)


def test_a_reply_is_read_as_it_came() -> None:
    reply = Reply(b"HTTP/1.1 404 Not Found\r\nETag: W/x\r\nContent-Length: 2\r\n\r\nno")
    assert (reply.status, reply.body) == (404, b"no")
    assert reply.field("etag") == "W/x"
    assert reply.field("Length") is None
    assert Reply(b"SSH-2.0\r\n\r\n").status == 0


def test_who_gives_no_entity_tag_cannot_be_asked_about_one(tmp_path: Path) -> None:
    question = Unchanged("unchanged", "", KIB, status=304)
    question.prepare(tmp_path)
    with ExitStack() as stack:
        _, skipped = start_all(stack, [stand_in("one")], question, tmp_path, core())
    assert skipped == {"one": "sends no ETag"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_is_the_same_version_and_cipher_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Encrypted("tls", "", KIB, conditions=Conditions(tls=True))
    with ExitStack() as stack:
        server = running(stack, tmp_path, question)
        monkeypatch.setattr("bench.http_scenarios.AGREED", "TLSv1.2, something else")
        with pytest.raises(Unequal, match=r"agreed on TLSv1\.3, .*, not on TLSv1\.2, something else"):
            question.check(server.port)


# --- the clients ------------------------------------------------------------------------------------------


@needs_wrk
@pytest.mark.parametrize(
    "question",
    [
        replace(SMALL, connections=8, depth=16),
        Many("many", "", KIB, connections=8, most=2 * KIB, folders=2, files=3),
        Different("different", "", KIB, connections=8, fields=(f"X-Request-Id: {wrk.NUMBER}",)),
        Different("missing", "", connections=8, number_in_path=True, status=404),
        Unchanged("unchanged", "", KIB, connections=8, status=304),
    ],
    ids=lambda question: question.name,
)
def test_wrk_sends_what_the_question_is(tmp_path: Path, question: Get) -> None:
    with ExitStack() as stack:
        server = running(stack, tmp_path, question)
        assert loaded(question, tmp_path, server.port).clean


@needs_cc
def test_a_connection_for_each_request(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = running(stack, tmp_path, CLOSE)
        load = loaded(CLOSE, tmp_path, server.port)
    assert load.clean
    assert load.requests > 20
    assert load.bytes >= load.requests * KIB


@needs_cc
@pytest.mark.parametrize(
    ("peer", "wrong"),
    [
        (always(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", ends=True), "refused"),
        (always(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno", ends=True), "errors"),  # too short
        (always(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nno", ends=True), "errors"),  # too long
        (always(b"SSH-2.0-server\r\n\r\n", ends=True), "errors"),
        (always(b"HTTP/1.1 200 OK\r\n\r\n", ends=True), "errors"),  # of which length?
    ],
    ids=["status", "short", "long", "protocol", "length"],
)
def test_the_client_notices_a_wrong_answer(tmp_path: Path, peer: Peer, wrong: str) -> None:
    CLOSE.prepare(tmp_path)
    with ExitStack() as stack:
        server = unchecked(stack, tmp_path, peer)
        load = loaded(CLOSE, tmp_path, server.port)
    assert getattr(load, wrong) > 0
    assert not load.clean


def unchecked(stack: ExitStack, folder: Path, peer: Peer) -> Server:
    """A server that nobody has asked whether it answers as it should."""

    class Anything(Get):
        def check(self, port: int) -> None:
            pass

        def reply(self, port: int) -> bytes:
            return b""

    servers, skipped = start_all(stack, [peer], Anything("any", "", KIB), folder, core())
    assert skipped == {}
    return servers[0]


@needs_cc
def test_a_large_file_is_counted_in_mib(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = running(stack, tmp_path, DOWNLOAD)
        load = loaded(DOWNLOAD, tmp_path, server.port)
        assert load.clean
        assert load.requests == load.bytes // MIB > 0
        file = tmp_path / "site" / "large.bin"
        before = file.read_bytes()
        file.write_bytes(before[: 2 * MIB] + b"\0" + before[2 * MIB + 1 :])
        with pytest.raises(Unequal, match="the MiB number 2 is another than in the file"):
            DOWNLOAD.check(server.port)
        file.write_bytes(before[:-1])
        with pytest.raises(Unequal, match=f"answered 200 with {3 * MIB - 1} bytes"):
            DOWNLOAD.check(server.port)


def test_a_file_for_which_there_is_no_room_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.http_scenarios.compile_client", lambda name, folder: folder)
    with pytest.raises(Unequal, match="no room"):
        replace(DOWNLOAD, size=1 << 60).prepare(tmp_path)


@pytest.mark.parametrize("argument", range(1, 7))
def test_nonsense_is_a_usage_error_of_the_client(tmp_path: Path, argument: int) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    CLOSE.prepare(tmp_path)
    command = CLOSE.client(tmp_path, 1, 1)
    del command[argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (2, "")


# --- starting ---------------------------------------------------------------------------------------------


def test_a_start_is_measured_until_the_first_byte(tmp_path: Path) -> None:
    question = Start("start", "", KIB)
    with ExitStack() as stack:
        server = running(stack, tmp_path, question, stand_in("one"))
        sample = measure_start(server, question, tmp_path, core(), core(), "stat")
        assert server.process.poll() is None  # the one that was there is not the one that was started
    assert sample.load.requests == 1
    assert 0.01 < sample.load.seconds < 15
    assert not (tmp_path / "started").exists()


def test_a_program_that_dies_at_its_start_is_no_traceback(tmp_path: Path) -> None:
    question = Start("start", "", KIB)
    with ExitStack() as stack:
        server = running(stack, tmp_path, question, stand_in("one"))
        server.peer = stand_in("dies", "raise SystemExit(1)")
        with pytest.raises(Unequal, match="did not answer after a start"):
            measure_start(server, question, tmp_path, core(), core(), "stat")
