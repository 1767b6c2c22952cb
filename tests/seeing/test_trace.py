"""The trace of a recording is one that Perfetto opens, and says what happened."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.limits.seeing import SeeingLimits
from poise.loop.reactor import Reactor
from poise.loop.seat import BY_DESCRIPTOR, BY_TIMER, CALL, INTEREST, LIFE, POSTED, SHORT, TIMER, TURN
from poise.net.connect import connect
from poise.net.listener import listen
from poise.readiness.interest import READ, WRITE
from poise.seeing.shared import Shared
from poise.seeing.trace import end_of, microseconds, recording, trace
from poise.seeing.watching import Watching
from tests.seeing import perfetto
from tests.seeing.watching import HELLO, HOSTILE
from tests.support.loops import Recorder, turn_until

SEATS = [
    [3, 1, "listener", "accept", "127.0.0.1:8000"],
    [9, 1, "connection", "Site.respond", "127.0.0.1:50000"],
    [9, 2, "connection", "Site.respond", HOSTILE],
]
T = 5_000_000_000_123


def turn(
    n: int, t0: int, wait: int, handle: int, timers: int = 0, posted: int = 0, ready: int = 0
) -> list[Any]:
    why = BY_DESCRIPTOR if ready else BY_TIMER
    return [TURN, t0, n, -1, wait, handle, timers, posted, ready, -1, why, 0, None]


def records(*rows: list[Any], stalls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "format": "poise-records-1",
        "hello": HELLO,
        "seats": SEATS,
        "rows": list(rows),
        "stalls": stalls or [],
    }


TWO_TURNS = records(
    [LIFE, T + 1_010, 1, "open"],
    [CALL, T + 1_000, 150, 0, READ, READ],
    turn(1, T, 1_000, 150, ready=1),
    [CALL, T + 3_001, 40, 1, READ, READ],
    [INTEREST, T + 3_050, 1, READ, READ | WRITE, "app.py:12"],
    [SHORT, T + 3_060, 1, 1000, 400, "app.py:13"],
    [CALL, T + 3_041, 29, 2, READ | WRITE, READ],
    [TIMER, T + 3_070, 10, "sweep", 500],
    [LIFE, T + 3_085, 1, "retire"],
    [POSTED, T + 3_080, 20, "later"],
    turn(2, T + 1_150, 1_851, 69, 10, 20, ready=2),
)


def test_the_loop_is_nested_slices() -> None:
    read = perfetto.read(trace(TWO_TURNS))
    told = [(each.depth, each.name, each.begin, each.end) for each in read.slices]
    assert told == [
        (0, "turn 1", 0, 1_150),
        (1, "wait", 0, 1_000),
        (1, "handle", 1_000, 1_150),
        (2, "accept", 1_000, 1_150),
        (0, "turn 2", 1_150, 3_100),
        (1, "wait", 1_150, 3_001),
        (1, "handle", 3_001, 3_070),
        (2, "Site.respond", 3_001, 3_041),
        (2, "Site.respond", 3_041, 3_070),
        (1, "timers", 3_070, 3_080),
        (2, "sweep", 3_070, 3_080),
        (1, "posted", 3_080, 3_100),
        (2, "later", 3_080, 3_100),
    ]
    assert read.slices[0].args == {"turn": 1, "asked_ns": -1, "ready": 1, "cpu_ns": -1, "why": "fd"}
    assert read.slices[8].args == {
        "fd": "9.2",
        "kind": "connection",
        "peer": HOSTILE,
        "returned": "READ|WRITE",
        "wanted": "READ",
    }


def test_arrows_lead_from_the_wait_to_the_call() -> None:
    read = perfetto.read(trace(TWO_TURNS))
    assert [(start.name, start.parent and start.parent.name, end.name) for start, end in read.arrows] == [
        ("wait", "turn 1", "accept"),
        ("wait", "turn 2", "Site.respond"),
        ("wait", "turn 2", "Site.respond"),
    ]


def test_a_turn_that_did_not_wait_has_no_wait_and_no_arrows() -> None:
    read = perfetto.read(trace(records([CALL, T, 70, 1, READ, READ], turn(1, T, 0, 70, ready=1))))
    assert [(each.depth, each.name) for each in read.slices] == [
        (0, "turn 1"),
        (1, "handle"),
        (2, "Site.respond"),
    ]
    assert read.arrows == []


def test_connections_are_spans_with_ids_of_their_own() -> None:
    read = perfetto.read(trace(TWO_TURNS))
    assert {key: (span.name, span.begin, span.end) for key, span in read.spans.items()} == {
        ("connection", "9.1"): ("connection 9.1", 1_010, 3_085),
        ("connection", "9.2"): ("connection 9.2", 0, 3_100),  # was there before, and still is
    }
    assert read.counters["open"] == [(0, 1), (1_010, 2), (3_085, 1), (3_100, 0)]
    assert read.counters["ready"] == [(1_000, 1), (3_001, 2)]


def test_what_happens_at_one_moment_is_an_instant() -> None:
    stall = {
        "id": 1,
        "at": T + 3_001,
        "ns": 40,
        "cpu_ns": None,
        "kind": "waiting",
        "name": "Site.respond",
        "fd": 9,
        "gen": 1,
        "peer": None,
        "file": "app.py",
        "line": 12,
        "stack": [["app.py", 12, "respond"], ["site.py", 7, "run"]],
    }
    read = perfetto.read(trace(records(*TWO_TURNS["rows"], stalls=[stall])))
    told = {each["name"]: each["args"] for each in read.instants}
    assert told["interest 9.1"] == {
        "fd": "9.1",
        "before": "READ",
        "after": "READ|WRITE",
        "where": "app.py:12",
    }
    assert told["short write 9.1"] == {"fd": "9.1", "asked": 1000, "taken": 400, "where": "app.py:13"}
    assert told["stall: Site.respond"]["stack"] == ["app.py:12 respond", "site.py:7 run"]
    assert told["stall: Site.respond"]["kind"] == "waiting"


def test_it_says_what_program_it_was() -> None:
    assert perfetto.read(trace(TWO_TURNS)).names == {
        "process_name": "poise serve .",
        "thread_name": "loop (epoll)",
    }


def test_busy_is_a_share_of_the_time() -> None:
    ms = 1_000_000
    rows = [turn(n, T + n * 50 * ms, 40 * ms, 10 * ms) for n in range(8)]
    read = perfetto.read(trace(records(*rows)))
    assert [value for _, value in read.counters["busy"]] == [0.2, 0.2, 0.2, 0.2]


def test_the_recording_goes_along_and_comes_back_whole() -> None:
    written = json.loads(json.dumps(trace(TWO_TURNS)))
    assert recording(written) == TWO_TURNS
    assert recording(TWO_TURNS) == TWO_TURNS


@pytest.mark.parametrize(
    "other",
    [None, 7, [], {}, {"traceEvents": []}, {"otherData": 7}, {"otherData": {"poise": 7}}, {"otherData": {"poise": {}}},
     TWO_TURNS | {"format": "poise-records-9"}, TWO_TURNS | {"hello": None}, TWO_TURNS | {"rows": {}}, TWO_TURNS | {"seats": None}],
)  # fmt: skip
def test_what_has_no_recording_has_none(other: object) -> None:
    assert recording(other) is None


def test_an_empty_recording_is_a_trace_too() -> None:
    read = perfetto.read(trace(records()))
    assert read.slices == []


@given(st.integers(0, 10**14))
def test_a_time_is_the_nanosecond_that_was_meant(ns: int) -> None:
    assert perfetto.nanoseconds(microseconds(ns)) == ns


@pytest.mark.slow
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_whatever_the_ring_has_kept_is_nested(chance: random.Random, dropped: int) -> None:
    """Rows as a loop writes them, but cut anywhere, with clocks that stand still and readings that are a little off."""
    rows: list[list[Any]] = []
    now = T
    for n in range(chance.randint(0, 12)):
        began = now
        wait = chance.choice((1, 999, 1_000, 12_345_678))
        at = began + wait
        lengths = []
        for kind in (CALL, TIMER, POSTED):
            begin = at
            for _ in range(chance.choice((0, 0, 1, 3))):
                took = chance.choice((0, 1, 333, 54_321))
                off = chance.choice((0, 0, 0, 1, -1))
                rest = (
                    [chance.randrange(3), READ, READ]
                    if kind == CALL
                    else ["name", 0][: 2 if kind == TIMER else 1]
                )
                rows.append([kind, at + off, took, *rest])
                at += took
            lengths.append(at - begin)
        rows.append(turn(n, began, wait, *lengths))
        now = at + chance.choice((0, 0, 5))
    if chance.random() < 0.5:
        rows.append([CALL, now, 50, 0, READ, READ])  # of a turn that has not ended
    read = perfetto.read(trace(records(*rows[dropped:])))
    turns = [row for row in rows[dropped:] if row[0] == TURN]
    assert [each.name for each in read.slices if each.depth == 0 and each.name.startswith("turn")] == [
        f"turn {row[2]}" for row in turns
    ]
    assert all(row[1] <= end_of(row) for row in turns)


def itself(client: Recorder) -> Recorder:
    return client


def have(clients: list[Recorder], count: int) -> bool:
    return all(len(each.data) == count for each in clients)


def test_a_real_recording() -> None:
    """A server and two clients that talk, recorded and converted."""
    with Reactor() as reactor:
        watching = Watching(reactor, SeeingLimits(), program="test")
        looker = Shared(watching).attach()
        turn_until(reactor, lambda: watching.probe.level)
        listener = listen(
            reactor, ("127.0.0.1", 0), lambda: Recorder(lambda stream, data: stream.write(data))
        )
        clients = [Recorder() for _ in range(2)]
        for client in clients:
            connect(reactor, listener.address, partial(itself, client))
        turn_until(reactor, lambda: all(hasattr(each, "stream") for each in clients))
        for number in range(20):
            for client in clients:
                client.stream.write(b"x" * (number + 1))
            reactor.call_soon(int)
            reactor.call_later(0.0, float)
            whole = (number + 1) * (number + 2) // 2
            turn_until(reactor, partial(have, clients, whole))
        clients[0].stream.close()
        turn_until(reactor, lambda: clients[0].lost)
        looker.state()
        recorded = json.loads(b"".join(looker.recording(7)))
        looker.close()
        listener.close()
        clients[1].stream.close()
        turn_until(reactor, lambda: clients[1].lost)
    read = perfetto.read(json.loads(json.dumps(trace(recorded))))
    names = {each.name for each in read.slices}
    assert {"wait", "handle", "timers", "posted"} <= names
    calls = [each for each in read.slices if each.args.get("kind") == "connection"]
    assert len(calls) > 20
    assert all(each.parent is not None and each.parent.name == "handle" for each in calls)
    assert (
        sorted(span.name.split()[0] for span in read.spans.values())
        == ["connecting"] * 2 + ["connection"] * 4
    )
    assert len(read.arrows) > 20
    assert recording(trace(recorded)) == recorded
