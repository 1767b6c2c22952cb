"""Viewers come and go: nothing is there before the first one, and nothing is left behind the last."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any

import pytest

from poise.errors import ProgramFault
from poise.limits.seeing import SeeingLimits
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.loop.seat import CALL, TURN, Level, Phase
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.readiness.interest import READ
from poise.seeing.looking import Looking
from poise.seeing.series import ENOUGH, Series
from poise.seeing.state import Cursor
from poise.seeing.watching import Watching
from tests.support.loops import turn_until
from tests.support.watched import watched

SOON = SeeingLimits(tick=0.001, idle_tick=0.001, every=0.05)


class Echo(Protocol):
    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.stream.write(data)


def watchers() -> int:
    return sum(thread.name == "poise watching" for thread in threading.enumerate())


def test_nothing_is_left_behind_the_last_viewer() -> None:
    with Reactor() as reactor:
        before = set(vars(reactor))
        watching = Watching(reactor, SOON)
        at_close = list(reactor.at_close)
        descriptors = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            watching.attach()
            watching.attach()
            assert (watching.viewers, watchers()) == (2, 1)
            reactor.turn(0)
            assert watching.state(Cursor())["level"] == "recorder"
            watching.detach()
            assert watchers() == 1
            watching.detach()
            assert watchers() == 0
            reactor.turn(0)
            assert watching.probe.level is Level.OFF
        assert set(vars(reactor)) == before
        assert reactor.at_close == at_close
        assert len(os.listdir("/proc/self/fd")) == descriptors
        with pytest.raises(ProgramFault):
            watching.detach()
        with pytest.raises(ProgramFault):
            watching.state(Cursor())
        with pytest.raises(ProgramFault):
            watching.records()
        watching.spend(1, 1)


def test_a_viewer_who_could_not_come_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_looking: Looking) -> None:
        raise RuntimeError("can't start new thread")

    with Reactor() as reactor:
        watching = Watching(reactor, SOON)
        with monkeypatch.context() as patch:
            patch.setattr(Looking, "start", refuse)
            with pytest.raises(RuntimeError):
                watching.attach()
        assert watching.viewers == 0
        watching.attach()
        watching.detach()
        assert watchers() == 0


def test_another_viewer_begins_anew_even_before_the_loop_has_heard_of_it() -> None:
    with Reactor() as reactor:
        watching = Watching(reactor, SOON, stacks=False)
        cursor = Cursor()
        watching.attach()
        reactor.turn(0)
        reactor.turn(0)
        assert watching.state(cursor)["turn"]["n"] == 1
        watching.detach()
        watching.attach()
        reactor.turn(0)
        assert watching.state(cursor)["turn"]["n"] == 0
        assert watching.state(cursor)["strip"] == {"first": 0, "turns": []}


def test_it_ends_with_its_reactor_or_when_it_is_closed() -> None:
    reactor = Reactor()
    one, other = Watching(reactor, SOON), Watching(reactor, SOON)
    one.attach()
    other.attach()
    other.close()
    other.close()
    with pytest.raises(ProgramFault):
        other.attach()
    reactor.turn(0)
    reactor.close()
    assert watchers() == 0
    assert one.probe.level is other.probe.level is Level.OFF
    with pytest.raises(ProgramFault):
        one.attach()
    with pytest.raises(ProgramFault):
        Watching(reactor)


def test_the_level_can_be_changed_while_somebody_watches() -> None:
    with Reactor() as reactor:
        watching = Watching(reactor, SOON, stacks=False)
        with pytest.raises(ValueError, match="last viewer"):
            watching.set_level(Level.OFF)
        watching.set_level(Level.COUNTERS)
        watching.attach()
        reactor.turn(0)
        assert watching.state(Cursor())["level"] == "counters"
        watching.set_level(Level.FULL)
        reactor.turn(0)
        assert watching.state(Cursor())["level"] == "full"
        assert "send" in vars(socket.socket)
        watching.set_level(Level.RECORDER)
        reactor.turn(0)
        assert "send" not in vars(socket.socket)


def test_hello_says_who_is_watched() -> None:
    with Reactor("poll") as reactor:
        told = Watching(reactor, program="the program", loop="poise").hello()
        assert (told["pid"], told["program"], told["poller"]) == (os.getpid(), "the program", "poll")
        assert told["version"]
        assert told["thresholds"]["note_ns"] < told["thresholds"]["warn_ns"] < told["thresholds"]["red_ns"]
        assert json.loads(json.dumps(told)) == told
        assert Watching(reactor).hello()["program"], "by its own name, when no other is given"


@pytest.mark.slow
def test_a_state_has_all_that_was_agreed_and_tells_nothing_twice() -> None:
    with watched(limits=SOON) as seen:
        listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Echo))
        seen.do(lambda: seen.reactor.call_later(3600, print))
        seen.do(lambda: seen.reactor.deadline(75.0, print))
        seen.do(lambda: seen.reactor.call_later(0, int))
        with socket.create_connection(listener.sockname) as client:
            for _ in range(50):
                client.send(b"x" * 100)
                assert client.recv(100)
            cursor = Cursor()
            fd = next(iter(listener.streams))._fd
            seen.until(lambda told: any(row["fd"] == fd and row["events"] >= 50 for row in told["rows"]))
            first = seen.watching.state(cursor)
            assert json.loads(json.dumps(first))["level"] == "recorder"
            row = next(row for row in first["rows"] if row["fd"] == fd)
            assert (row["kind"], row["what"]) == ("connection", "Echo.data_received")
            assert row["peer"] == "{}:{}".format(*client.getsockname())
            assert (row["wanted"], row["returned"], row["in"], row["queue"]) == (READ, READ, 0, 0)
            assert row["held_ns"] >= row["longest_ns"] > 0
            assert {each["kind"] for each in first["rows"]} >= {"listener", "connection", "wakeup"}
            assert first["rows_total"] == len(first["rows"]) == first["numbers"]["open"]
            turns = first["strip"]["turns"]
            assert [turn[0] for turn in turns] == list(range(turns[0][0], turns[-1][0] + 1))
            assert {timer["name"] for timer in first["timers"]} == {"print"}
            assert {timer["every"] for timer in first["timers"]} >= {None, 75.0}
            assert first["lags"]["max"] >= 0
            assert first["holders"][0]["calls"] >= 1
            assert first["recorder"]["held"] > 50
            assert first["recorder"]["span_ns"] > 0
            second = seen.watching.state(cursor)
            assert all(turn[0] > turns[-1][0] for turn in second["strip"]["turns"])
            assert len(second["rows"]) < len(first["rows"])
        gone = seen.until(lambda told: told["gone"] and seen.watching.state(cursor)["gone"])
        assert gone == [[fd, 1]]
        told = seen.until(lambda told: told["series"]["at"] and told)
        assert len(told["series"]["at"]) == len(told["series"]["busy"]) == len(told["series"]["lag"])
        seen.do(listener.close)


def test_what_is_not_known_yet_is_not_told() -> None:
    with watched(limits=SOON) as seen:
        first = seen.watching.state(Cursor())
        assert first["numbers"]["busy"] is None
        assert first["verdict"]["id"] == "new"
        told = seen.until(lambda told: told["series"]["at"] and told)
        assert 0 <= told["numbers"]["busy"] < 1
        assert told["verdict"]["id"] == "idle"


@pytest.mark.slow
def test_what_the_watching_costs_is_told() -> None:
    with watched(limits=SOON) as seen:
        seen.watching.own = frozenset({seen.reactor._wakeup.fileno()})

        def told_of_it(told: dict[str, Any]) -> dict[str, Any] | None:
            seen.watching.spend(2_000_000, 1000)
            cost: dict[str, Any] = told["cost"]
            return cost if cost["bytes_per_s"] else None

        cost = seen.until(told_of_it)
        assert 0.002 < cost["cpu"] < 1
        assert cost["viewers"] == 1
        assert [row["fd"] for row in seen.watching.state(Cursor())["rows"] if row["page"]] == list(
            seen.watching.own
        )


def test_records_are_plain_rows_with_a_table_of_seats() -> None:
    one, other = socket.socketpair()
    with one, other, Reactor() as reactor:
        watching = Watching(reactor, SeeingLimits(records=16, page=4), stacks=False)
        watching.attach()
        reactor.turn(0)
        assert watching.records()["rows"] == []

        def takes(mask: int) -> None:
            one.recv(1)

        reactor.register(one.fileno(), READ, takes)
        for _ in range(20):
            other.send(b"x")
            reactor.turn(1)
        reactor.call_soon(int)
        reactor.turn(0)
        reactor.unregister(one.fileno())
        told = json.loads(json.dumps(watching.records()))
        assert told["format"] == "poise-records-1"
        assert told["hello"]["pid"] == os.getpid()
        rows = told["rows"]
        assert 16 <= len(rows) < 24
        ends = [row[1] + row[2] if row[0] == CALL else row[1] for row in rows if row[0] != TURN]
        assert ends == sorted(ends)
        seat = next(row for row in rows if row[0] == CALL)[3]
        assert told["seats"][seat] == [one.fileno(), 1, "connection", "takes", ""]
        assert [row[-1] for row in rows if row[0] == TURN][-1] == "int"
        assert next(row[-1] for row in rows if row[0] == TURN) == seat
        state = watching.state(Cursor())
        assert state["recorder"]["held"] == len(rows)
        assert state["recorder"]["overwritten"] > 0


def test_a_look_that_fails_is_reported_once_and_the_watching_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = []
    with Reactor(on_error=errors.append) as reactor:
        watching = Watching(reactor, SOON, stacks=False)
        looks: list[int] = []

        def broken(self: object) -> None:
            looks.append(1)
            raise LookupError("ours")

        monkeypatch.setattr("poise.seeing.stalls.Stalls.look", broken)
        watching.attach()
        turn_until(reactor, lambda: len(looks) > 3 and errors)
        assert [str(error) for error in errors] == ["ours"]


def test_in_its_first_second_a_loop_is_as_busy_as_it_was_until_now() -> None:
    now = [1_000]
    with Reactor() as reactor:
        probe = Probe(reactor, nanoseconds=lambda: now[0])
        series = Series(probe)
        assert series.busy_share() is None
        series.end_second(0, 0)
        now[0] += ENOUGH - 1
        assert series.busy_share() is None, "too little to go by"
        now[0] += 1
        probe.handle_ns += ENOUGH // 2
        assert series.busy_share() == pytest.approx(0.5)
        probe.phase, probe.woken_ns = Phase.HANDLE, now[0]
        now[0] += ENOUGH  # and goes on
        assert series.busy_share() == pytest.approx(0.75)
        series.end_second(0, 0)
        assert series.busy_share() == pytest.approx(0.75)
