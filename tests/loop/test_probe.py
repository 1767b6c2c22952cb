"""What an observed reactor writes down, and that nothing of it is left when it is observed no more."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import signal
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.errors import NotRegistered, ProgramFault
from poise.limits.seeing import SeeingLimits
from poise.loop.clock import ManualClock
from poise.loop.probe import OBSERVED, Probe, place
from poise.loop.reactor import Reactor
from poise.loop.seat import (
    BY_CALLER,
    BY_DESCRIPTOR,
    BY_POST,
    BY_SIGNAL,
    BY_TIMER,
    BY_WAKEUP,
    CALL,
    INTEREST,
    LIFE,
    POSTED,
    TIMER,
    TURN,
    Level,
    Phase,
    Record,
    Seat,
    name_of,
)
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.readiness.interest import READ, WRITE
from tests.loop.test_turn_calls import calls_of_a_turn
from tests.support.loops import turn_until
from tests.support.scripted import ScriptedPoller

Pair = tuple[socket.socket, socket.socket]


class Ticks:
    """A clock of nanoseconds that goes on by ten with each look."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 10
        return self.now


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        yield one, other


def probe_of(reactor: Reactor, **limits: Any) -> Probe:
    return Probe(
        reactor, SeeingLimits(**limits), nanoseconds=Ticks(), cpu_nanoseconds=itertools.count(1).__next__
    )


def records(probe: Probe, *kinds: int) -> list[Record]:
    """Those of these kinds that are in the ring, in the order in which they were written."""
    return [record for record in probe.ring if record[0] in kinds]


# --- on and off -------------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_probe_that_was_stopped(pair: Pair) -> None:
    with Reactor() as reactor:
        before = set(vars(reactor))
        reactor.register(pair[0].fileno(), READ, lambda mask: None)
        reactor.turn(0)
        bare = calls_of_a_turn(reactor)
        probe = Probe(reactor)
        for level in (Level.COUNTERS, Level.RECORDER, Level.FULL):
            probe.start(level)
            assert probe.level is level
            assert set(vars(reactor)) - before == set(OBSERVED)
            assert calls_of_a_turn(reactor) != bare
        probe.stop()
        probe.stop()
        assert set(vars(reactor)) == before
        assert calls_of_a_turn(reactor) == bare
        assert not reactor.at_close
        assert (probe.level, probe.ring, probe.turns, probe.seats, probe.written) == (
            Level.OFF,
            [],
            [],
            {},
            0,
        )


def test_a_probe_stops_with_its_reactor_and_starts_on_none_that_is_closed() -> None:
    reactor = Reactor()
    probe = Probe(reactor)
    probe.start()
    reactor.close()
    assert probe.level is Level.OFF
    assert "turn" not in vars(reactor)
    with pytest.raises(ProgramFault):
        probe.start()
    with pytest.raises(ProgramFault):
        reactor.turn()


def test_it_starts_and_stops_inside_a_turn(pair: Pair) -> None:
    heard: list[str] = []
    with Reactor() as reactor:
        probe = Probe(reactor)
        reactor.call_soon(probe.start)
        reactor.call_soon(heard.append, "the rest of this turn")
        reactor.turn()
        assert (heard, probe.level) == (["the rest of this turn"], Level.RECORDER)
        pair[1].send(b"x")

        def stop(mask: int) -> None:
            probe.start(Level.OFF)
            heard.append("stopped")

        reactor.register(pair[0].fileno(), READ, stop)
        reactor.call_soon(heard.append, "and of that one")
        reactor.turn()
        assert heard[1:] == ["stopped", "and of that one"]
        assert "turn" not in vars(reactor)
        assert probe.ring == []


def test_a_closed_reactor_keeps_its_refusals() -> None:
    """A forked child's copy is closed without a word; what it refuses is not put back by a probe that stops."""
    reactor = Reactor()
    probe = Probe(reactor)
    probe.start()
    reactor._release()
    probe.stop()
    with pytest.raises(ProgramFault):
        reactor.register(0, READ, print)
    reactor.at_close.clear()


def test_a_forked_child_cannot_touch_its_parents_observed_loop(pair: Pair) -> None:
    heard: list[int] = []
    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start()
        reactor.register(pair[0].fileno(), READ, heard.append)
        child = os.fork()
        if child == 0:  # pragma: no cover - runs in the child, which reports by its exit code
            code = 1
            try:
                reactor.turn(0)
            except ProgramFault:
                try:
                    reactor.unregister(pair[0].fileno())
                except NotRegistered:
                    probe.stop()
                    code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        pair[1].send(b"x")
        reactor.turn(5)
        assert heard == [READ]


# --- records ----------------------------------------------------------------------------------------------


def test_a_turn_is_written_down_whole() -> None:
    clock = ManualClock()
    poller = ScriptedPoller([[(1010, READ), (1011, READ | WRITE)]], clock=clock)
    with Reactor(poller, clock=clock) as reactor:
        probe = probe_of(reactor, cpu_every=0)
        probe.start()
        reactor.register(1010, READ, lambda mask: None)
        reactor.register(1011, READ | WRITE, lambda mask: None)
        one, two = probe.seats[1010], probe.seats[1011]
        reactor.call_at(-0.5, int)
        reactor.call_soon(str)
        reactor.turn(7)
        now = probe.turn_began_ns
        assert records(probe, LIFE) == [
            (LIFE, one.opened_ns, one, "open"),
            (LIFE, two.opened_ns, two, "open"),
        ]
        assert records(probe, CALL, TIMER, POSTED, TURN) == [
            (CALL, now + 10, 10, one, READ, READ),
            (CALL, now + 20, 10, two, READ | WRITE, READ | WRITE),
            (TIMER, now + 30, 10, "int", 500_000_020),
            (POSTED, now + 40, 10, "str"),
            (TURN, now, 1, 0, 10, 20, 10, 10, 2, 1, BY_DESCRIPTOR, 10, one),
        ]
        assert probe.turns[1] == records(probe, TURN)[0]
        assert (probe.wait_ns, probe.handle_ns, probe.timers_ns, probe.posted_ns) == (10, 20, 10, 10)
        assert probe.callbacks == 4
        assert (two.events, two.held_ns, two.longest_ns, two.last_ns) == (1, 10, 10, now + 30)
        assert two.returned == READ | WRITE
        assert probe.longest == (10, now + 50, one)
        assert list(probe.lags) == [(now + 30, 500_000_020, "int")]
        assert (probe.tallies["int"].calls, probe.tallies["str"].held_ns) == (1, 10)
        assert probe.phase is Phase.WAIT


def test_why_a_wait_ended() -> None:
    clock = ManualClock()
    poller = ScriptedPoller([], clock=clock)
    with Reactor(poller, clock=clock) as reactor:
        probe = probe_of(reactor)
        probe.start()
        reactor.register(1010, READ, lambda mask: None)
        waker = reactor._wakeup.fileno()

        def turn(*events: tuple[int, int]) -> int:
            poller.script.append(list(events))
            reactor.turn(1)
            why: int = records(probe, TURN)[-1][10]
            return why

        assert turn((1010, READ)) == BY_DESCRIPTOR
        assert turn((waker, READ)) == BY_WAKEUP
        assert turn((waker, READ), (1010, READ)) == BY_DESCRIPTOR
        assert turn() == BY_CALLER
        reactor.call_soon(int)
        assert turn() == BY_POST
        reactor.call_at(clock.monotonic(), int)
        assert turn() == BY_TIMER
        reactor.deadline(1, lambda: None)
        clock.advance(2)
        assert turn() == BY_TIMER
        assert records(probe, TIMER)[-1][4] == pytest.approx(1e9, abs=1000), (
            "a deadline is as late as a timer"
        )


def test_a_signal_is_told_from_a_wake_up() -> None:
    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start()
        heard: list[int] = []
        reactor.signals.add(signal.SIGUSR1, lambda: heard.append(1))
        os.kill(os.getpid(), signal.SIGUSR1)
        turn_until(reactor, lambda: heard)
        reactor.call_soon_threadsafe(int)
        reactor.turn()
        reasons = [turn[10] for turn in records(probe, TURN)]
        assert reasons[0] == BY_SIGNAL
        assert BY_SIGNAL not in reasons[-1:]


def test_the_time_without_a_bound_is_minus_one_and_cpu_is_read_now_and_then() -> None:
    clock = ManualClock()
    poller = ScriptedPoller([[], [], []], clock=clock)
    with Reactor(poller, clock=clock) as reactor:
        probe = probe_of(reactor, cpu_every=40)
        probe.start()
        for _ in range(3):
            reactor.turn()
        turns = records(probe, TURN)
        assert [turn[3] for turn in turns] == [-1, -1, -1]
        assert [turn[9] for turn in turns] == [1, -1, 1]
        probe.thread_id = 0  # as if the loop had gone on in another thread
        reactor.turn()
        reactor.turn()
        assert records(probe, TURN)[4][9] == -1
        assert probe.thread_id


def test_all_that_is_on_the_pages_is_counted_and_read_in_order() -> None:
    """Calls and other records, one that raises, one whose interest is gone, one to nobody: page after page."""
    batch = [(1010, READ), (1011, READ), (1012, READ), (1099, READ), (1013, READ)]
    poller = ScriptedPoller([batch for _ in range(8)])

    def broken(mask: int) -> None:
        raise LookupError

    with Reactor(poller, clock=ManualClock(), on_error=lambda error: None) as reactor:
        probe = probe_of(reactor, records=1_000, page=5)
        probe.start()

        def raises_for_another(mask: int) -> None:
            reactor.register(1011, READ, broken)
            reactor.modify(1012, 0)

        reactor.register(1010, READ, raises_for_another)
        reactor.register(1012, READ, print)
        reactor.register(1013, READ, lambda mask: reactor.modify(1012, READ))
        for _ in range(8):
            if 1011 in probe.seats:
                reactor.unregister(1011)
            reactor.turn(0)
        held = probe.ring
        assert len(probe.pages) > 5
        assert probe.written == len(held) == sum(1 for _ in probe.newest())
        assert list(probe.newest()) == held[::-1]
        assert probe.callbacks == len(records(probe, CALL)) == 16
        calls = records(probe, CALL)
        assert all(before[1] + before[2] <= after[1] for before, after in itertools.pairwise(calls))
        for turn in records(probe, TURN):
            began, ended = turn[1] + turn[4], turn[1] + turn[4] + turn[5]
            inside = [call for call in calls if began <= call[1] < ended]
            assert inside[0][1] == began
            assert max(call[2] for call in inside) == turn[11]
        numbers = [page.number for page in probe.pages]
        assert numbers == sorted(set(numbers))
        assert {after - before for before, after in itertools.pairwise(numbers)} <= set(range(5, 12))


def test_the_ring_overwrites_the_oldest_and_keeps_no_stream_alive() -> None:
    made: list[weakref.ref[Protocol]] = []

    class Once(Protocol):
        def connection_made(self, stream: Stream) -> None:
            made.append(weakref.ref(self))
            self.stream = stream

        def data_received(self, data: bytes) -> None:
            self.stream.write(data)
            self.stream.close()

    with Reactor() as reactor:
        probe = Probe(reactor, SeeingLimits(records=16, page=4))
        probe.start(Level.FULL)
        listener = listen(reactor, ("127.0.0.1", 0), Once)

        def over(before: int) -> bool:
            return len(made) > before and not listener.streams

        for done in range(9):
            with socket.create_connection(listener.sockname) as client:
                client.send(b"x")
                turn_until(reactor, functools.partial(over, done))
        assert probe.written > len(probe.ring) >= 16
        assert records(probe, CALL)
        reactor.turn(0)  # the last one hears of its end
        gc.collect()
        assert len(made) == 9
        assert [each() for each in made] == [None] * 9
        listener.close()


def test_a_number_that_is_used_again_is_another_generation(pair: Pair) -> None:
    fd = pair[0].fileno()
    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start()
        described: list[Seat] = []
        probe.describe = lambda seat, handler: described.append(seat)
        reactor.register(fd, READ, print)
        first = probe.seats[fd]
        reactor.unregister(fd)
        reactor.register(fd, READ, print)
        second = probe.seats[fd]
        reactor.retire(pair[0])
        assert (first.gen, second.gen) == (1, 2)
        assert list(probe.left) == described == [first, second]
        assert first.closed_ns
        assert [(record[2].gen, record[3]) for record in records(probe, LIFE)] == [
            (1, "open"),
            (1, "unregister"),
            (2, "open"),
            (2, "retire"),
        ]
        assert repr(second) == f"<Seat {fd}.2 print>"
        probe.stop()
        probe.start()
        assert fd not in probe.seats


def test_a_generation_is_a_life_of_a_number_however_often_somebody_looks(pair: Pair) -> None:
    fd = pair[0].fileno()
    with Reactor() as reactor:
        probe = Probe(reactor)
        reactor.register(fd, READ, print)
        for level in (Level.COUNTERS, Level.RECORDER, Level.FULL):
            probe.start()
            probe.start(level)
            assert probe.seats[fd].gen == 1, "lives are counted while it is watched"
            probe.stop()


def test_those_who_were_there_before_get_their_seats_in_portions() -> None:
    clock = ManualClock()
    poller = ScriptedPoller([[(1000 + 29, READ)]], clock=clock)
    with Reactor(poller, clock=clock) as reactor:
        for fd in range(1000, 1030):
            reactor.register(fd, READ, lambda mask: None)
        probe = probe_of(reactor, seated=10)
        probe.start()
        assert len(probe.seats) == 10
        probe.seats.pop(1029, None)
        reactor.unregister(1000)
        reactor.register(1000, WRITE, lambda mask: None)
        reactor.unregister(1001)
        reactor.modify(1002, WRITE)
        for _ in range(3):
            reactor.turn(0)
        assert sorted(probe.seats) == sorted(
            [reactor._wakeup.fileno(), *range(1000, 1030)][:2] + list(range(1002, 1030))
        )
        assert probe.seats[1002].wanted == WRITE
        assert probe.seats[1029].events == 1


def test_counters_keep_sums_and_no_records(pair: Pair) -> None:
    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start(Level.COUNTERS)
        reactor.register(pair[0].fileno(), READ, lambda mask: None)
        reactor.call_soon(int)
        pair[1].send(b"x")
        reactor.turn(1)
        assert (probe.ring, probe.turns, probe.written) == ([], [], 0)
        assert probe.seats[pair[0].fileno()].events == 1
        assert probe.tallies["int"].calls == 1
        probe.start(Level.RECORDER)
        reactor.turn(1)
        assert len(records(probe, TURN)) == 1
        probe.start(Level.COUNTERS)
        assert probe.ring == []


@pytest.mark.parametrize("level", [Level.COUNTERS, Level.RECORDER])
def test_who_is_not_called_is_not_counted(level: Level) -> None:
    poller = ScriptedPoller([[(1010, READ), (1099, READ)]])
    with Reactor(poller, clock=ManualClock(), on_error=lambda error: None) as reactor:
        probe = probe_of(reactor)
        probe.start(level)
        reactor.register(1010, READ, lambda mask: None)
        reactor.turn(0)
        assert probe.callbacks == 1
        assert probe.written == len(probe.ring) == (3 if level is Level.RECORDER else 0)
        assert probe.items == [] or level is Level.RECORDER, "what is not kept is let go after each turn"


def test_full_says_who_changed_what_is_wanted(pair: Pair) -> None:
    fd = pair[0].fileno()
    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start(Level.FULL)
        reactor.register(fd, READ, print)
        reactor.modify(fd, READ | WRITE)
        [change] = records(probe, INTEREST)
        assert change[2:5] == (probe.seats[fd], READ, READ | WRITE)
        assert change[5].startswith(f"{__file__}:")
        with pytest.raises(NotRegistered):
            reactor.modify(pair[1].fileno(), READ)
        del probe.seats[fd]
        reactor.modify(fd, READ)
        assert probe.seats[fd].gen == 2, "one that was not seated yet is"
        probe.start(Level.RECORDER)
        reactor.modify(fd, WRITE)
        assert len(records(probe, INTEREST)) == 2


def test_a_place_within_poise_alone_is_the_nearest_one() -> None:
    class Code:
        co_filename = place.__code__.co_filename

    class Frame:
        f_code = Code
        f_lineno = 3
        f_back = None

    assert place(Frame) == f"{Code.co_filename}:3"  # type: ignore[arg-type]  # as much of one as is looked at


def test_each_call_that_is_observed_costs_one_reading_of_the_clock_and_no_other_call() -> None:
    pairs = [socket.socketpair() for _ in range(11)]

    def nothing(mask: int) -> None: ...

    def made(count: int, level: Level) -> list[str]:
        with Reactor() as reactor:
            probe = Probe(reactor, SeeingLimits(cpu_every=10**12))
            probe.start(level)
            for one, other in pairs[:count]:
                reactor.register(one.fileno(), READ, nothing)
                other.send(b"x")
            reactor.turn(0)
            found = calls_of_a_turn(reactor)
            assert found.count("nothing") == count
            return found

    for level in (Level.COUNTERS, Level.RECORDER, Level.FULL):
        more = made(11, level)
        for name in made(1, level):
            more.remove(name)
        assert sorted(more) == ["nothing"] * 10 + ["perf_counter_ns"] * 10
    assert len(made(1, Level.RECORDER)) - len(made(1, Level.OFF)) <= 10, "and so many more for each turn"
    for both in pairs:
        for each in both:
            each.close()


# --- what goes wrong --------------------------------------------------------------------------------------


def test_a_call_that_raises_is_written_down_and_one_to_nobody_is_not() -> None:
    errors: list[Exception] = []
    poller = ScriptedPoller([[(1010, READ), (1099, READ), (1011, READ)]])

    def broken(mask: int) -> None:
        raise LookupError("ours")

    with Reactor(poller, clock=ManualClock(), on_error=errors.append) as reactor:
        probe = probe_of(reactor)
        probe.start()
        reactor.register(1010, READ, broken)
        reactor.register(1011, READ, lambda mask: None)
        seat = probe.seats[1010]
        reactor.turn(0)
        assert [str(error) for error in errors] == ["ours", "READ for unregistered descriptor 1099"]
        assert [record[3].fd for record in records(probe, CALL)] == [1010, 1011]
        assert (seat.events, seat.closed_ns > 0) == (1, True)
        assert seat.held_ns == seat.longest_ns > 0
        assert records(probe, TURN)[-1][11:] == (seat.longest_ns, seat)


def test_an_interrupt_ends_the_turn_and_not_the_observing(pair: Pair) -> None:
    def interrupted(mask: int) -> None:
        pair[0].recv(1)
        raise KeyboardInterrupt

    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start()
        reactor.register(pair[0].fileno(), READ, interrupted)
        pair[1].send(b"x")
        with pytest.raises(KeyboardInterrupt):
            reactor.turn(1)
        assert probe.phase is Phase.WAIT
        reactor.turn(0)
        assert [turn[2] for turn in records(probe, TURN)] == [2], "a record is whole, or it is not there"


def test_a_poller_that_refuses_leaves_no_seat() -> None:
    class Refusing(ScriptedPoller):
        def unregister(self, fd: int) -> None:
            super().unregister(fd)
            raise OSError("as if")

    with Reactor(Refusing(), clock=ManualClock()) as reactor:
        probe = probe_of(reactor)
        probe.start()
        reactor.register(1010, READ, print)
        with pytest.raises(OSError, match="as if"):
            reactor.unregister(1010)
        assert 1010 not in probe.seats
        with pytest.raises(NotRegistered):
            reactor.unregister(1010)


def test_a_slow_turn_that_one_of_several_took_is_kept() -> None:
    ticks = Ticks()
    poller = ScriptedPoller([[(1010, READ), (1011, READ)], [(1010, READ)]])

    def slow(mask: int) -> None:
        ticks.now += 1000

    with Reactor(poller, clock=ManualClock()) as reactor:
        probe = Probe(reactor, SeeingLimits(note=500), nanoseconds=ticks)
        probe.start()
        reactor.register(1010, READ, slow)
        reactor.register(1011, READ, lambda mask: None)
        reactor.turn(0)
        reactor.turn(0)
        assert [turn[-1].fd for turn in probe.slow] == [1010], "alone it makes nobody wait"


def test_somebody_may_look_before_and_after_a_call(pair: Pair) -> None:
    seen: list[object] = []
    with Reactor() as reactor:
        probe = Probe(reactor)
        probe.start()
        reactor.register(pair[0].fileno(), READ, seen.append)

        def look(handler: Callable[[int], None], mask: int) -> None:
            seen.append("before")
            handler(mask)
            seen.append("after")

        probe.inspected[pair[0].fileno()] = look
        pair[1].send(b"x")
        reactor.turn(1)
        assert seen == ["before", READ, "after"]


def test_names_of_callbacks_are_summed_up_to_a_bound() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        probe = probe_of(reactor, names=2)
        probe.start()
        for callback in (int, str, bytes, str):
            reactor.call_soon(callback)
        reactor.call_soon(str).cancel()
        reactor.turn(0)
        assert {name: tally.calls for name, tally in probe.tallies.items()} == {"int": 1, "str": 2}
        assert [record[3] for record in records(probe, POSTED)] == ["int", "str", "bytes", "str"]


def test_a_timer_that_was_cancelled_in_between_is_not_called() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        probe = probe_of(reactor)
        probe.start()
        fired: list[str] = []

        def first() -> None:
            fired.append("first")
            second.cancel()

        reactor.call_at(0, first)
        second = reactor.call_at(0, fired.append, "second")
        reactor.turn(0)
        assert fired == ["first"]
        assert len(records(probe, TIMER)) == 1


def test_what_a_callback_is_called() -> None:
    class Caller:
        def __call__(self) -> None: ...

    assert name_of(functools.partial(functools.partial(str.upper), "x")) == "str.upper"
    assert name_of(Caller()).endswith("Caller")
    assert name_of(Ticks().__call__) == "Ticks.__call__"
