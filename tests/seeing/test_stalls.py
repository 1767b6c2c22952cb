"""Calls that hold the loop are named: handler, client and line, and what the time went to."""

from __future__ import annotations

import itertools
import math
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poise.limits.seeing import SeeingLimits
from poise.loop.clock import ManualClock
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.readiness.interest import READ
from poise.seeing.stalls import Stalls, kind
from poise.seeing.state import Cursor
from poise.seeing.threadtime import Spent
from poise.seeing.watching import Watching
from tests.support.scripted import ScriptedPoller
from tests.support.watched import PATIENCE, Watched, watched

pytestmark = pytest.mark.slow

HERE = Path(__file__)
MS = 1_000_000


def line_of(mark: str) -> int:
    """The line of this file that ends with the comment ``mark``."""
    lines = HERE.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))


class Holding(Protocol):
    """Does what the client asks for, and answers afterwards."""

    pattern = re.compile(r"(a+)+b")
    text = "a" * 20
    held = threading.Event()

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        getattr(self, data.decode())()
        self.stream.write(b"done")

    def sleep(self) -> None:
        time.sleep(0.15)  # sleeps

    def wait(self) -> None:
        self.held.wait(PATIENCE)  # waits

    def compute(self) -> None:
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass  # computes

    def keep(self) -> None:
        self.pattern.match(self.text)  # keeps the interpreter


@contextmanager
def client(seen: Watched) -> Iterator[socket.socket]:
    listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Holding))
    with socket.create_connection(listener.sockname) as made:
        made.settimeout(PATIENCE)
        yield made
    seen.until(lambda told: not listener.streams)
    seen.do(listener.close)


def ask(peer: socket.socket, what: str) -> None:
    peer.sendall(what.encode())
    assert peer.recv(100) == b"done"


@pytest.mark.parametrize(
    ("what", "kind_of_it", "mark"), [("sleep", "waiting", "sleeps"), ("compute", "computing", "computes")]
)
def test_a_call_that_lasts_is_named_with_its_line(what: str, kind_of_it: str, mark: str) -> None:
    with watched() as seen, client(seen) as peer:
        ask(peer, what)
        stall = seen.stall()
        assert stall["name"] == "Holding.data_received"
        assert stall["peer"] == "{}:{}".format(*peer.getsockname())
        assert (stall["file"], stall["kind"]) == (str(HERE), kind_of_it)
        assert stall["line"] in {line_of(mark), line_of(mark) - 1}, "the body of the loop, or its head"
        assert stall["ns"] >= 140 * MS
        assert stall["stack"][0][2].endswith(f"Holding.{what}")
        assert seen.watching.probe.seats[stall["fd"]].gen == stall["gen"]
        verdict = seen.state()["verdict"]
        assert (verdict["id"], verdict["args"]["name"]) == ("held", "Holding.data_received")
        worst = seen.until(lambda told: told["holders"] and told["holders"][0]["worst"])
        assert worst["line"] == stall["line"]


def test_a_stall_is_seen_while_it_grows() -> None:
    Holding.held.clear()
    with watched() as seen, client(seen) as peer:
        peer.sendall(b"wait")
        first = seen.until(lambda told: told["turn"]["stuck"])
        assert (first["name"], first["line"]) == ("Holding.data_received", line_of("waits"))
        assert seen.state()["verdict"]["id"] == "stuck"
        later = seen.until(
            lambda told: (told["turn"]["stuck"] or first)["ns"] > first["ns"] + 100 * MS and told
        )
        assert later["turn"]["phase"] == "handle"
        assert later["numbers"]["longest"]["ns"] >= first["ns"]
        Holding.held.set()
        assert peer.recv(100) == b"done"
        assert seen.stall()["ns"] > first["ns"]
        assert seen.state()["turn"]["stuck"] is None


def seconds_of(text: str) -> float:
    began = time.perf_counter()
    Holding.pattern.match(text)
    return time.perf_counter() - began


@pytest.mark.timeout(120)
def test_c_code_that_keeps_the_interpreter_is_named() -> None:
    """For two seconds no thread of Python runs: the proof is in the thread that counts how often it could."""
    Holding.text += "a" * math.ceil(
        math.log2(2.0 / min(seconds_of(Holding.text) for _ in range(5)))
    )  # each letter doubles it
    looks = [time.perf_counter()]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.001):
            looks.append(time.perf_counter())

    looking = threading.Thread(target=look)
    with watched(stacks=True) as seen, client(seen) as peer:
        looking.start()
        ask(peer, "keep")
        over.set()
        looking.join()
        looks.append(time.perf_counter())
        assert max(b - a for a, b in itertools.pairwise(looks)) > 1.5, "it let go of the interpreter"
        stall = seen.stall()
        assert (stall["name"], stall["kind"]) == ("Holding.data_received", "computing")
        assert (stall["file"], stall["line"]) == (str(HERE), line_of("keeps the interpreter"))
        assert stall["stack"][0][2].endswith("keep")
        assert stall["ns"] > 1500 * MS
        assert stall["peer"] == "{}:{}".format(*peer.getsockname())


@pytest.mark.parametrize("how", ["posted", "timer"])
def test_a_timer_or_a_posted_call_is_named_too(how: str) -> None:
    with watched() as seen:

        def hold() -> None:
            time.sleep(0.12)

        begin = (
            seen.reactor.call_soon if how == "posted" else (lambda call: seen.reactor.call_later(0.01, call))
        )
        seen.do(lambda: begin(hold))
        stall = seen.stall()
        assert (stall["name"], stall["fd"], stall["file"]) == ("hold", None, str(HERE))


def test_one_who_comes_while_the_loop_is_stuck_sees_where() -> None:
    """Before the first observed turn there is only the stack to go by."""
    release = threading.Event()
    one, other = socket.socketpair()
    with one, other, Reactor() as reactor:

        def handler(mask: int) -> None:
            release.wait(PATIENCE)  # is stuck
            reactor.stop()

        reactor.register(one.fileno(), READ, handler)
        other.send(b"x")
        thread = threading.Thread(target=reactor.run)
        thread.start()
        watching = Watching(reactor, stacks=False)
        watching.attach()
        seen = Watched(reactor, watching)
        stuck = seen.until(lambda told: told["turn"]["stuck"])
        assert (stuck["name"], stuck["fd"]) == ("handler", one.fileno())
        assert (stuck["file"], stuck["line"]) == (str(HERE), line_of("is stuck"))
        assert seen.state()["verdict"]["id"] == "stuck"
        release.set()
        thread.join()
        reactor.call_soon(time.sleep, 0.001)
        reactor.turn(0)
        reactor.unregister(one.fileno())


def test_one_who_comes_to_a_loop_that_does_not_run_is_told_so() -> None:
    with Reactor() as reactor:
        watching = Watching(reactor, SeeingLimits(warn=1), stacks=False)
        watching.attach()
        assert watching.state(Cursor())["verdict"] == {"id": "starting", "args": {}}
        assert watching.state(Cursor())["turn"]["stuck"] is None


@pytest.mark.parametrize(
    ("cpu", "runq", "said"),
    [
        (None, None, "held"),
        (90, 5, "computing"),
        (5, 5, "waiting"),
        (10, 80, "preempted"),
        (60, 200, "computing"),
        (40, 40, "computing"),
    ],
)
def test_what_the_time_went_to(cpu: int | None, runq: int | None, said: str) -> None:
    ns = 300 if runq == 200 else 100
    assert kind(ns, cpu, runq, warn=50) == said


class Stub:
    """A deadman that has written what it is told to."""

    patience = 0.1

    def __init__(self) -> None:
        self.text = ""

    def arm(self) -> None: ...

    def taken(self) -> str:
        text, self.text = self.text, ""
        return text


def written(thread_id: int) -> str:
    return f'Thread 0x{thread_id:016x} (most recent call first):\n  File "/program/app.py", line 12 in keep\n'


@pytest.mark.parametrize("what", ["call", "posted"])
def test_what_was_written_meanwhile_belongs_to_the_call_that_ran_then(what: str) -> None:
    """It is over when the watching thread can look again: only the records tell whose it was."""
    now = [0]
    poller = ScriptedPoller([[(1010, READ)]])
    with Reactor(poller, clock=ManualClock()) as reactor:
        probe = Probe(reactor, SeeingLimits(rearm=MS), nanoseconds=lambda: now[0])
        deadman: Any = Stub()
        stalls = Stalls(probe, deadman)
        probe.start()

        def hold(*_: int) -> None:
            now[0] += 400 * MS

        def hurry(*_: int) -> None:
            now[0] += 1

        now[0] = 5 * MS
        stalls.look()
        deadman.text = written(probe.thread_id)
        reactor.register(1010, READ, hold if what == "call" else hurry)
        if what == "posted":
            reactor.call_soon(hold)
        reactor.turn(0)
        stalls.look()
        [stall] = stalls.found
        assert (stall.file, stall.line, stall.ns) == ("/program/app.py", 12, 400 * MS)
        assert (stall.name, stall.fd) == (("hold", 1010) if what == "call" else ("keep", None))
        assert stalls.worst["hold"] == stall
        # What is written when nothing was held, of nobody we know, or of a call whose record is gone, says nothing.
        for text in (written(probe.thread_id), written(1), "garbage"):
            now[0] += 200 * MS
            deadman.text = text
            reactor.turn(0)
            stalls.look()
        probe.pages.clear()
        now[0] += 200 * MS
        deadman.text = written(probe.thread_id)
        stalls.look()
        assert len(stalls.found) == 1
        stalls.close()


def test_a_call_that_goes_on_when_the_interpreter_is_free_again_is_held() -> None:
    now = [5 * MS]
    poller = ScriptedPoller([[(1010, READ)]])
    with Reactor(poller, clock=ManualClock()) as reactor:
        probe = Probe(reactor, SeeingLimits(rearm=MS), nanoseconds=lambda: now[0])
        deadman: Any = Stub()
        stalls = Stalls(probe, deadman)
        probe.start()
        stalls.look()

        def hold(mask: int) -> None:
            now[0] += 400 * MS
            deadman.text = written(probe.thread_id)
            stalls.look()
            now[0] += 100 * MS
            deadman.text = written(probe.thread_id)
            stalls.look()
            stuck = stalls.stuck()
            assert stuck is not None
            assert (stuck.line, stuck.ns, stuck.stack[0][2]) == (12, 500 * MS, "keep")

        reactor.register(1010, READ, hold)
        reactor.turn(0)
        stalls.look()
        assert stalls.stuck() is None
        assert [stall.ns for stall in stalls.found] == [500 * MS]
        stalls.close()


def test_the_worst_are_kept_up_to_a_bound_and_what_is_short_is_no_stall() -> None:
    now = [5 * MS]
    with Reactor(ScriptedPoller(), clock=ManualClock()) as reactor:
        probe = Probe(reactor, SeeingLimits(names=2), nanoseconds=lambda: now[0])
        stalls = Stalls(probe, None)
        probe.start()

        def hold(ns: int) -> None:
            now[0] += ns
            stalls.look()

        for name, ns in (("a", 20 * MS), ("b", 30 * MS), ("a", 10 * MS), ("c", 60 * MS)):
            call = partial(hold, ns)
            call.__qualname__ = name  # type: ignore[attr-defined]  # what name_of looks for
            reactor.call_soon(call)
            reactor.turn(0)
            stalls.look()
        assert [(stall.name, stall.ns) for stall in stalls.found] == [("c", 60 * MS)]
        assert set(stalls.worst) == {"c"}
        stalls.close()


def test_the_time_of_a_turn_is_closer_than_readings_that_are_far_apart() -> None:
    """The watching thread did not run for long, and what the loop computed before counts as the stall's."""
    now, cpu = [5 * MS], [0]
    with Reactor(ScriptedPoller([[], [(1010, READ)]]), clock=ManualClock()) as reactor:
        probe = Probe(reactor, nanoseconds=lambda: now[0], cpu_nanoseconds=lambda: cpu[0])
        stalls = Stalls(probe, None)
        probe.start()

        def waits(*_: int) -> None:
            now[0] += 70 * MS
            cpu[0] += 2 * MS

        reactor.register(1010, READ, waits)
        stalls._readings.append((now[0], Spent(0, 0)))
        now[0] += 60 * MS
        cpu[0] += 60 * MS
        reactor.turn(0)
        reactor.turn(0)
        stalls._readings.append((now[0], Spent(cpu[0], 0)))
        now[0] += 300 * MS
        stalls._time = Still()  # type: ignore[assignment]  # of no thread
        stalls.look()
        [stall] = stalls.found
        assert (stall.ns, stall.cpu_ns, stall.kind) == (70 * MS, 2 * MS, "waiting")


class Still:
    """Nobody's time."""

    def read(self) -> None: ...


def test_what_nobody_could_look_at_is_told_by_the_records() -> None:
    now = [5 * MS]
    with Reactor(ScriptedPoller([[(1010, READ)]]), clock=ManualClock()) as reactor:
        probe = Probe(reactor, nanoseconds=lambda: now[0])
        stalls = Stalls(probe, None)
        probe.start()

        def hold(*_: int) -> None:
            now[0] += 70 * MS

        reactor.register(1010, READ, hold)
        reactor.turn(0)
        now[0] += 300 * MS
        stalls.look()
        reactor.call_soon(partial(hold, 1))
        probe.longest = (0, 0, None)
        reactor.turn(0)
        now[0] += 300 * MS
        stalls.look()
        stalls.look()
        assert [(stall.name, stall.fd, stall.ns, stall.line) for stall in stalls.found] == [
            ("hold", 1010, 70 * MS, None),
            ("hold", None, 70 * MS, None),
        ]
        stalls.close()
