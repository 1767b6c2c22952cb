"""The harness against small servers of the tests' own: what starts, what is skipped, who is stopped."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bench.__main__ import arguments, main, wanted
from bench.measure import Load, Sample
from bench.peers import PEERS, ROOT, Peer, Place
from bench.run import Unequal, check, start_all, take_turns
from bench.scenarios import SCENARIOS
from bench.servers import CannotStart, Server, fetch_raw, pinned, start

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes to cores")

SMALL = SCENARIOS["small"]

SERVER = """\
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with open(sys.argv[1] + self.path, "rb") as file:
            body = file.read() + {more!r}
        self.send_response({status})
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
    print(f"http://127.0.0.1:{{server.server_port}}/", flush=True)
    server.serve_forever()
"""


def stand_in(name: str, source: str = SERVER.format(more=b"", status=200)) -> Peer:
    def command(place: Place) -> list[str]:
        return [sys.executable, "-c", source, str(place.site)]

    return Peer(name, "a server of the tests", command, (sys.executable, "--version"))


def core() -> int:
    return min(os.sched_getaffinity(0))


@pytest.mark.slow
def test_servers_start_and_answer_and_are_stopped(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers, skipped = start_all(stack, [stand_in("one"), stand_in("two")], SMALL, tmp_path, core())
        assert [server.peer.name for server in servers] == ["one", "two"]
        assert skipped == {}
        assert servers[0].port != servers[1].port
        assert os.sched_getaffinity(servers[0].process.pid) == {core()}
        raw = fetch_raw(servers[0].port, SMALL.path)
        assert raw.startswith(b"HTTP/1.1 200 ")
        assert raw.endswith(b"\r\n\r\n" + SMALL.content())
    assert [server.process.returncode is not None for server in servers] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (replace(stand_in("absent"), needs=("no-such-program",)), "no-such-program not installed"),
        (stand_in("dies", "raise SystemExit('out of luck')"), "dies did not start: out of luck"),
        (stand_in("other", SERVER.format(more=b"!", status=200)), "answered 200 with 1025 bytes"),
        (stand_in("refuses", SERVER.format(more=b"", status=203)), "answered 203"),
    ],
    ids=lambda value: value.name if isinstance(value, Peer) else "",
)
def test_who_cannot_be_compared_is_skipped_by_name(tmp_path: Path, peer: Peer, reason: str) -> None:
    with ExitStack() as stack:
        servers, skipped = start_all(stack, [peer], SMALL, tmp_path, core())
    assert servers == []
    assert reason in skipped[peer.name]


@pytest.mark.slow
def test_a_server_that_changes_its_answer_is_noticed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        [server], _ = start_all(stack, [stand_in("one")], SMALL, tmp_path, core())
        (tmp_path / "site" / SMALL.file).write_bytes(b"something else")
        with pytest.raises(Unequal, match="answered 200 with 14 bytes"):
            check(server, SMALL, SMALL.content())


def test_a_program_that_cannot_be_run_is_no_traceback(tmp_path: Path) -> None:
    peer = Peer("odd", "", lambda place: [str(place.scratch / "nothing")], ())
    with pytest.raises(CannotStart, match=r"odd: .*No such file"):
        start(peer, tmp_path, tmp_path, b"", core())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_floor_repeats_the_bytes_that_it_is_given(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers, skipped = start_all(stack, [stand_in("one"), PEERS["floor"]], SMALL, tmp_path, core())
        assert skipped == {}
        reply = (tmp_path / "floor-0" / "reply").read_bytes()
        assert reply.endswith(SMALL.content())
        assert fetch_raw(servers[1].port, "/anything") == reply


def test_the_cores_of_the_harness_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with pinned(core()):
        assert os.sched_getaffinity(0) == {core()}
    assert os.sched_getaffinity(0) == before


def test_servers_take_turns_and_the_warm_up_does_not_count() -> None:
    class Idle:
        def __init__(self, name: str) -> None:
            self.peer = stand_in(name)

    order: list[str] = []

    def round_of(server: Server) -> Sample:
        order.append(server.peer.name)
        return Sample(Load(len(order), 1.0), 1, 1)

    told: list[str] = []
    servers: list[Server] = [Idle("a"), Idle("b")]  # type: ignore[list-item]  # only the name is asked for
    taken = take_turns(servers, round_of, 2, told.append)
    assert order == ["a", "b"] * 3
    assert [sample.load.requests for sample in taken["a"]] == [3, 5]
    assert [sample.load.requests for sample in taken["b"]] == [4, 6]
    assert [line.partition(",")[0] for line in told] == ["warm-up", "round 1 of 2", "round 2 of 2"]


def test_the_reference_is_started_first() -> None:
    assert [peer.name for peer in wanted(arguments([]))] == list(PEERS)
    picked = wanted(arguments(["--only", "nginx", "poise", "--reference", "floor"]))
    assert [peer.name for peer in picked] == ["floor", "poise", "nginx"]


def test_a_checkout_to_compare_with_joins_in(tmp_path: Path) -> None:
    peers = wanted(arguments(["--only", "poise", "--baseline", str(tmp_path)]))
    assert [(peer.name, peer.folder) for peer in peers] == [("poise", ROOT), ("poise-before", tmp_path)]


@pytest.mark.parametrize("argv", [["--rounds", "0"], ["--seconds", "x"], ["--only", "apache"]])
def test_what_makes_no_sense_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(argv)
    assert argv[0] in capsys.readouterr().err


def test_without_its_client_the_harness_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main([]) == 3
    assert "wrk, is not installed" in capsys.readouterr().err


def test_every_peer_is_named_as_it_is_listed_and_says_what_it_is() -> None:
    for name, peer in PEERS.items():
        assert peer.name == name
        assert peer.about
