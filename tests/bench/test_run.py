"""The harness against small servers of the tests' own: what starts, what is skipped, who is stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bench import syscalls, timers
from bench.__main__ import BENCHES, arguments, main, wanted
from bench.asking import Unequal
from bench.http_scenarios import HTTP
from bench.load import Load, Sample
from bench.peers import ECHO_PEERS, FLOOR, HTTP_PEERS, VARIANTS
from bench.place import Peer, Place
from bench.run import start_all, take_turns
from bench.scenarios import ECHO, ROOT, Conditions, Echo
from bench.servers import CannotStart, Server, pinned, start
from tests.bench.stand_ins import SERVER, WRONG_ECHO, core, stand_in

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes to cores")

SMALL = HTTP[0]


@pytest.mark.slow
def test_servers_start_and_answer_and_are_stopped(tmp_path: Path) -> None:
    SMALL.prepare(tmp_path)
    with ExitStack() as stack:
        servers, skipped = start_all(stack, [stand_in("one"), stand_in("two")], SMALL, tmp_path, core())
        assert [server.peer.name for server in servers] == ["one", "two"]
        assert skipped == {}
        assert servers[0].port != servers[1].port
        assert os.sched_getaffinity(servers[0].process.pid) == core()
        raw = SMALL.reply(servers[0].port)
        assert raw.startswith(b"HTTP/1.1 200 ")
        assert raw.endswith(b"\r\n\r\n" + SMALL.content())
    assert [server.process.returncode is not None for server in servers] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (replace(stand_in("absent"), needs=("no-such-program",)), "no-such-program not installed"),
        (stand_in("dies", "raise SystemExit('out of luck')"), "dies did not start: out of luck"),
        (stand_in("other", SERVER.format(more=b"!", status=200)), "answered with 1025 bytes, not the 1024"),
        (stand_in("refuses", SERVER.format(more=b"", status=203)), "answered 203, not 200"),
    ],
    ids=lambda value: value.name if isinstance(value, Peer) else "",
)
def test_who_cannot_be_compared_is_skipped_by_name(tmp_path: Path, peer: Peer, reason: str) -> None:
    SMALL.prepare(tmp_path)
    with ExitStack() as stack:
        servers, skipped = start_all(stack, [peer], SMALL, tmp_path, core())
    assert servers == []
    assert reason in skipped[peer.name]


@pytest.mark.slow
def test_a_server_that_changes_its_answer_is_noticed(tmp_path: Path) -> None:
    SMALL.prepare(tmp_path)
    with ExitStack() as stack:
        [server], _ = start_all(stack, [stand_in("one")], SMALL, tmp_path, core())
        (tmp_path / "site" / SMALL.path[1:]).write_bytes(b"something else")
        with pytest.raises(Unequal, match="answered with 14 bytes"):
            SMALL.check(server.port)


def test_a_program_that_cannot_be_run_is_no_traceback(tmp_path: Path) -> None:
    peer = Peer("odd", "", lambda place: [str(place.scratch / "nothing")], ())
    with pytest.raises(CannotStart, match=r"odd: .*No such file"):
        start(peer, Place(tmp_path, tmp_path, 0, b""), core())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_floor_repeats_the_bytes_that_it_is_given(tmp_path: Path) -> None:
    SMALL.prepare(tmp_path)
    with ExitStack() as stack:
        servers, skipped = start_all(stack, [stand_in("one"), FLOOR], SMALL, tmp_path, core())
        assert skipped == {}
        reply = (tmp_path / "floor-0" / "reply").read_bytes()
        assert reply.endswith(SMALL.content())
        assert SMALL.reply(servers[1].port) == reply


def test_the_cores_of_the_harness_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with pinned(core()):
        assert os.sched_getaffinity(0) == core()
    assert os.sched_getaffinity(0) == before


class Idle:
    """Takes turns, and does nothing."""

    def __init__(self, name: str) -> None:
        self.peer = stand_in(name)


def test_servers_take_turns_and_the_warm_up_does_not_count() -> None:
    order: list[str] = []

    def round_of(server: Server) -> Sample:
        order.append(server.peer.name)
        return Sample(Load(len(order), 1.0), 1, 1)

    told: list[str] = []
    servers: list[Server] = [Idle("a"), Idle("b")]  # type: ignore[list-item]  # only the name is asked for
    taken, failed = take_turns(servers, round_of, 2, told.append)
    assert failed == {}
    assert order == ["a", "b"] * 3
    assert [sample.load.requests for sample in taken["a"]] == [3, 5]
    assert [sample.load.requests for sample in taken["b"]] == [4, 6]
    assert [line.partition(",")[0] for line in told] == ["warm-up", "round 1 of 2", "round 2 of 2"]


def test_some_need_more_than_one_warm_up() -> None:
    servers: list[Server] = [Idle("a")]  # type: ignore[list-item]  # only the name is asked for
    told: list[str] = []
    taken, _ = take_turns(servers, lambda _: Sample(Load(1, 1.0), 1, 1), 1, told.append, warm_ups=3)
    assert [line.partition(",")[0] for line in told] == [*["warm-up"] * 3, "round 1 of 1"]
    assert len(taken["a"]) == 1


def test_who_fails_in_a_round_is_left_out_and_the_others_go_on() -> None:
    def round_of(server: Server) -> Sample:
        if server.peer.name == "a" and told:
            raise Unequal("out of luck")
        return Sample(Load(1, 1.0), 1, 1)

    told: list[str] = []
    servers: list[Server] = [Idle("a"), Idle("b")]  # type: ignore[list-item]  # only the name is asked for
    taken, failed = take_turns(servers, round_of, 2, told.append)
    assert failed == {"a": "out of luck"}
    assert {name: len(samples) for name, samples in taken.items()} == {"b": 2}


def names(argv: list[str], scenario: str = "small") -> list[str]:
    options = arguments(argv)
    return [peer.name for peer in wanted(options, BENCHES[options.bench].scenarios[scenario])]


def test_the_reference_is_started_first() -> None:
    assert names([]) == names(["http"]) == [peer.name for peer in HTTP_PEERS]
    assert names(["echo"], "1KiB") == [peer.name for peer in ECHO_PEERS]
    assert names(["--only", "nginx", "poise", "--reference", "floor"]) == ["floor", "poise", "nginx"]


def test_a_question_names_those_that_it_is_about_and_others_can_be_asked() -> None:
    assert names([], "pollers") == ["poise", "nginx", "poise-poll", "poise-select"]
    assert names(["--only", "caddy"], "pollers") == ["poise", "caddy"]


def test_the_floor_is_asked_only_what_one_reply_answers() -> None:
    assert "floor" in names([], "different")
    assert names(["--only", "poise", "floor", "nginx"], "pipelined") == ["poise", "nginx"]


def test_a_checkout_to_compare_with_joins_in(tmp_path: Path) -> None:
    peers = wanted(arguments(["--only", "poise", "--baseline", str(tmp_path)]), SMALL)
    assert [(peer.name, peer.folder) for peer in peers] == [("poise", ROOT), ("poise-before", tmp_path)]
    now, before = wanted(arguments(["echo", "--only", "poise", "--baseline", str(tmp_path)]), ECHO[0])
    place = Place(tmp_path, tmp_path, 0, b"")
    assert now.command(place)[-1] == str(ROOT)
    assert before.command(place)[-1] == str(tmp_path)


@pytest.mark.parametrize(
    "argv", [["--rounds", "0"], ["--seconds", "x"], ["--only", "apache"], ["--scenario", "1KiB"]]
)
def test_what_makes_no_sense_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(argv)
    assert argv[0] in capsys.readouterr().err


def test_without_its_client_the_harness_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["--scenario", "small"]) == 3
    assert "wrk, is not installed" in capsys.readouterr().err
    assert main(["echo"]) == 3
    assert "cc, is not installed" in capsys.readouterr().err


def test_every_peer_has_a_name_of_its_own_and_says_what_it_is() -> None:
    for bench, peers in (("http", HTTP_PEERS), ("echo", ECHO_PEERS)):
        assert list(BENCHES[bench].peers) == [peer.name for peer in peers]
        assert len(BENCHES[bench].peers) == len(peers)
        assert all(peer.about for peer in peers)
    assert not BENCHES["http"].peers.keys() & {peer.name for peer in VARIANTS}
    assert all(peer.keeps for peer in (*HTTP_PEERS, *VARIANTS))


def test_every_question_is_about_servers_that_there_are() -> None:
    known = {peer.name: peer for peer in (*HTTP_PEERS, *VARIANTS)}
    for scenario in HTTP:
        for name in scenario.peers:
            assert set(scenario.conditions.named()) <= known[name].can, (scenario.name, name)


# --- the echo ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("scenario", ECHO, ids=lambda scenario: scenario.name)
def test_every_echo_server_returns_what_it_gets_to_the_client_of_the_bench(
    tmp_path: Path, scenario: Echo
) -> None:
    here = [peer for peer in ECHO_PEERS if not peer.missing()]
    scenario.prepare(tmp_path)
    with ExitStack() as stack:
        servers, skipped = start_all(stack, here, scenario, tmp_path, core())
        assert skipped == {}
        assert [server.peer for server in servers] == here
        for server in servers:
            command = [str(tmp_path / "echo_load"), str(server.port), "4", str(scenario.size), "0.1"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
            assert scenario.parse(done.stdout).clean, (server.peer.name, done)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("reply", ["data[::-1]", "data[:-1]", "data + b'!'", "b''"])
def test_the_echo_client_notices_a_wrong_answer(tmp_path: Path, reply: str) -> None:
    peer = stand_in("wrong", WRONG_ECHO.format(reply=reply))
    scenario = ECHO[0]
    scenario.prepare(tmp_path)
    with ExitStack() as stack:
        server = start(peer, Place(tmp_path, tmp_path, 0, b""), core())
        stack.callback(server.stop)
        command = [str(tmp_path / "echo_load"), str(server.port), "1", str(scenario.size), "0.2"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        assert not scenario.parse(done.stdout).clean, done


def test_a_peer_without_its_module_is_skipped_by_name() -> None:
    peer = replace(ECHO_PEERS[0], needs=("no-such-program",), modules=("no_such_module",))
    assert peer.missing() == "no-such-program, no_such_module not installed"
    how = replace(peer, get="apt-get install such")
    assert how.missing() == "no-such-program, no_such_module not installed (apt-get install such)"


def test_a_peer_that_cannot_do_what_is_asked_is_skipped_by_name() -> None:
    peer = replace(stand_in("plain"), can=frozenset({"log"}))
    assert peer.missing(Conditions(log=True)) is None
    assert peer.missing(Conditions(log=True, tls=True, crowd=9)) == "not set up here for: tls, crowd"


# --- timers -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_timers_are_measured_beside_a_bare_heap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("COUNT", "LIVE", "TURNS"):
        monkeypatch.setattr(timers, name, 10)
    assert main(["timers", "--rounds", "2", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert {name: sorted(each) for name, each in found["timers"].items()} == {
        "one duration": ["Deadlines", "Timers", "bare heap"],
        "any times": ["Timers", "bare heap"],
    }
    assert len(found["timers"]["any times"]["Timers"]) == len(found["turns"]["10"]) == 2
    assert "all: it ÷ bare heap" in said.err


# --- system calls -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_each_system_call_of_a_request_is_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(syscalls, "measure", lambda rounds, measure=syscalls.measure: measure(rounds, 200))
    assert main(["syscalls", "--rounds", "2", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)["nanoseconds"]
    assert all(len(each) == 2 and min(each) > 0 for each in found.values())
    for name in (
        "epoll_wait, one is ready",
        "recv, 77 bytes",
        "send, 1276 bytes",
        "accept4",
        "sendfile, 256 KiB",
    ):
        assert name in found
        assert name in said.err
    assert found["recv, 77 bytes"] < found["sendfile, 256 KiB"]
