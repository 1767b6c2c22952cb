"""The reactor's promises, on every poller that this machine has, observed or not."""

from __future__ import annotations

import fcntl
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.errors import AlreadyRegistered, NotRegistered, ProgramFault
from poise.limits import LoopLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor, print_error
from poise.readiness.interest import ERROR, HANGUP, READ, WRITE
from poise.readiness.poller import available
from tests.support.observed import ObservedReactor
from tests.support.scripted import ScriptedPoller


class Errors(list[Exception]):
    """An error handler that keeps what it is told."""

    def __call__(self, error: Exception) -> None:
        self.append(error)


@pytest.fixture(params=["bare", "observed"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "observed":
        monkeypatch.setattr(sys.modules[__name__], "Reactor", ObservedReactor)


@pytest.fixture(params=available())
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    with Reactor(request.param, on_error=Errors()) as made:
        yield made


def errors(reactor: Reactor) -> Errors:
    assert isinstance(reactor.on_error, Errors)
    return reactor.on_error


@pytest.fixture
def pairs() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    made: list[socket.socket] = []

    def pair() -> tuple[socket.socket, socket.socket]:
        both = socket.socketpair()
        for one in both:
            one.setblocking(False)
        made.extend(both)
        return both

    yield pair
    for one in made:
        one.close()


Pairs = Callable[[], tuple[socket.socket, socket.socket]]


def test_a_handler_hears_the_mask(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    heard: list[int] = []
    reactor.register(ours.fileno(), READ, heard.append)
    reactor.turn(0)
    assert heard == []
    theirs.send(b"x")
    reactor.turn(5)
    assert heard == [READ]
    reactor.modify(ours.fileno(), WRITE)
    reactor.turn(5)
    assert heard == [READ, WRITE]
    reactor.unregister(ours.fileno())
    reactor.turn(0)
    assert heard == [READ, WRITE]


def test_registering_twice_and_unregistering_the_unknown(reactor: Reactor, pairs: Pairs) -> None:
    ours, _ = pairs()
    reactor.register(ours.fileno(), READ, print)
    with pytest.raises(AlreadyRegistered):
        reactor.register(ours.fileno(), READ, print)
    reactor.unregister(ours.fileno())
    with pytest.raises(NotRegistered):
        reactor.unregister(ours.fileno())
    with pytest.raises(NotRegistered):
        reactor.modify(ours.fileno(), READ)


@pytest.mark.pitfall(1)
def test_a_reused_number_hears_nothing_of_the_old_batch(reactor: Reactor, pairs: Pairs) -> None:
    """Each of two ready handlers closes the other's descriptor and registers a new one under its number."""
    one, one_peer = pairs()
    two, two_peer = pairs()
    others = {one.fileno(): two, two.fileno(): one}
    fresh: list[socket.socket] = []
    wrong: list[int] = []

    def replace(number: int) -> Callable[[int], None]:
        def handler(mask: int) -> None:
            other = others.pop(number, None)
            if other is None or fresh:
                return
            wanted = other.fileno()
            spare, far = pairs()
            reactor.unregister(wanted)
            other.close()
            os.dup2(spare.fileno(), wanted)
            fresh.append(socket.socket(fileno=wanted))
            spare.close()
            reactor.register(wanted, READ, wrong.append)
            far.send(b"for the next turn")

        return handler

    reactor.register(one.fileno(), READ, replace(one.fileno()))
    reactor.register(two.fileno(), READ, replace(two.fileno()))
    one_peer.send(b"x")
    two_peer.send(b"x")
    reactor.turn(5)
    assert wrong == []
    reactor.turn(5)
    assert wrong == [READ], "the new one is level-triggered: the next turn reports it"
    fresh[0].close()


@pytest.mark.pitfall(2)
def test_a_retired_descriptor_is_silent_at_once_and_closed_after_the_batch(
    reactor: Reactor, pairs: Pairs
) -> None:
    one, one_peer = pairs()
    two, two_peer = pairs()
    calls: list[str] = []
    still_open: list[bool] = []

    def kill(other: socket.socket, name: str) -> Callable[[int], None]:
        def handler(mask: int) -> None:
            calls.append(name)
            reactor.retire(other)
            still_open.append(other.fileno() >= 0)

        return handler

    reactor.register(one.fileno(), READ, kill(two, "one"))
    reactor.register(two.fileno(), READ, kill(one, "two"))
    one_peer.send(b"x")
    two_peer.send(b"x")
    reactor.turn(5)
    assert len(calls) == 1
    assert still_open == [True]
    assert (two if calls == ["one"] else one).fileno() == -1


def test_retiring_outside_a_turn_closes_now(reactor: Reactor, pairs: Pairs) -> None:
    ours, _ = pairs()
    reactor.register(ours.fileno(), READ, print)
    reactor.retire(ours)
    assert ours.fileno() == -1
    never_registered, _ = pairs()
    reactor.retire(never_registered)
    assert never_registered.fileno() == -1


def test_a_mask_is_cut_to_the_interest_of_now() -> None:
    poller = ScriptedPoller([[(1010, READ | WRITE), (1011, READ | WRITE | HANGUP), (1012, WRITE)]])
    heard: list[tuple[int, int]] = []
    with Reactor(poller, clock=ManualClock()) as reactor:

        def first(mask: int) -> None:
            reactor.modify(1011, READ)
            reactor.modify(1012, READ)

        reactor.register(1010, READ, first)
        reactor.register(1011, READ | WRITE, lambda mask: heard.append((1011, mask)))
        reactor.register(1012, READ | WRITE, lambda mask: heard.append((1012, mask)))
        reactor.turn()
        assert heard == [(1011, READ | HANGUP)]


@pytest.mark.pitfall(3)
def test_a_duplicate_of_a_closed_descriptor_settles(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    number = ours.fileno()
    calls: list[int] = []

    def handler(mask: int) -> None:
        calls.append(mask)
        os.read(number, 1)  # EBADF: the loop must not call this for ever

    reactor.register(number, READ, handler)
    kept = os.dup(number)
    ours.close()
    theirs.send(b"never read")
    for _ in range(20):
        reactor.turn(0)
    os.close(kept)
    assert len(calls) <= 1
    assert errors(reactor), "somebody has to be told"


@pytest.mark.pitfall(3)
def test_an_event_for_a_number_that_nobody_registered_is_reported() -> None:
    seen = Errors()
    heard: list[int] = []
    poller = ScriptedPoller([[(1077, READ), (1010, READ)]])
    with Reactor(poller, clock=ManualClock(), on_error=seen) as reactor:
        reactor.register(1010, READ, heard.append)
        reactor.turn(0)
        assert heard == [READ], "the others of the batch are served"
        assert [type(error) for error in seen] == [ProgramFault]
        assert "1077" in str(seen[0])


@pytest.mark.pitfall(4)
def test_a_forked_child_cannot_touch_its_parents_loop(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    heard: list[int] = []
    reactor.register(ours.fileno(), READ, heard.append)
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child, which reports by its exit code
        code = 1
        try:
            try:
                reactor.run()
            except ProgramFault:
                code = 2
            try:
                reactor.call_soon(print)
            except ProgramFault:
                reactor.close()
                code -= 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    theirs.send(b"x")
    reactor.turn(5)
    assert heard == [READ]


def test_posted_calls_run_in_order_and_can_be_taken_back(reactor: Reactor) -> None:
    ran: list[int] = []
    reactor.call_soon(ran.append, 1)
    handle = reactor.call_soon(ran.append, 2)
    reactor.call_soon(ran.append, 3)
    assert not handle.cancelled
    handle.cancel()
    handle.cancel()
    assert handle.cancelled
    reactor.turn()
    assert ran == [1, 3]


@pytest.mark.pitfall(26)
def test_a_call_that_posts_itself_does_not_starve_io(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    heard: list[int] = []
    storm: list[int] = []

    def again() -> None:
        storm.append(1)
        reactor.call_soon(again)

    reactor.register(ours.fileno(), READ, heard.append)
    reactor.call_soon(again)
    theirs.send(b"x")
    for _ in range(5):
        reactor.turn()
    assert len(heard) == 5
    assert len(storm) == 5


@pytest.mark.pitfall(27)
def test_a_timer_that_rearms_itself_does_not_starve_io(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    heard: list[int] = []
    storm: list[int] = []

    def again() -> None:
        storm.append(1)
        reactor.call_later(0, again)

    reactor.register(ours.fileno(), READ, heard.append)
    reactor.call_later(0, again)
    theirs.send(b"x")
    for _ in range(5):
        reactor.turn(1)
    assert len(heard) == 5
    assert 4 <= len(storm) <= 5


@pytest.mark.pitfall(28)
def test_timers_run_in_a_turn_that_is_full_of_io() -> None:
    limits = LoopLimits(events=8)
    clock = ManualClock()
    poller = ScriptedPoller([[(fd, READ) for fd in range(1010, 1018)]] * 4, clock=clock)
    with Reactor(poller, clock=clock, limits=limits) as reactor:
        for fd in range(1010, 1018):
            reactor.register(fd, READ, lambda mask: clock.advance(0.001))
        lateness: list[float] = []
        due = clock.monotonic() + 0.010
        reactor.call_at(due, lambda: lateness.append(clock.monotonic() - due))
        for _ in range(4):
            reactor.turn()
        assert len(lateness) == 1
        assert lateness[0] <= 2 * 0.008, "the batch in which it fell due, and the next one"


@pytest.mark.pitfall(30)
def test_a_timer_between_two_milliseconds_is_neither_early_nor_waited_for_in_many_turns(
    reactor: Reactor,
) -> None:
    for _ in range(20):
        fired: list[float] = []
        start = reactor.clock.monotonic()
        reactor.call_later(0.0015, lambda fired=fired: fired.append(reactor.clock.monotonic()))
        turns = 0
        while not fired:
            reactor.turn()
            turns += 1
        assert fired[0] - start >= 0.0015
        assert turns <= 3


def test_an_interrupt_loses_nothing_that_was_due_with_it() -> None:
    """Ctrl-C in one of several; who catches it and goes on finds the others done a turn later."""
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        ran: list[str] = []

        def interrupted() -> None:
            raise KeyboardInterrupt

        reactor.call_later(1, interrupted)
        reactor.call_later(1, ran.append, "timer")
        reactor.call_later(1, ran.append, "cancelled").cancel()
        reactor.deadline(1, interrupted)
        reactor.deadline(1, lambda: ran.append("deadline"))
        late = reactor.deadline(1, lambda: ran.append("cancelled in between"))
        clock.advance(1)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                reactor.turn(0)
        late.cancel()
        reactor.turn(0)
        assert ran == ["timer", "deadline"]


@pytest.mark.pitfall(29)
def test_a_jump_of_the_clock_fires_each_timer_once() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        fired: list[str] = []
        reactor.call_later(1, fired.append, "a")
        reactor.call_later(2, fired.append, "b")
        clock.advance(86_400)
        for _ in range(3):
            reactor.turn(0)
        assert fired == ["a", "b"]


def test_a_deadline_that_is_set_between_turns_begins_there() -> None:
    """A loop that nobody speaks to, a guest's for one, may have had its last turn long ago."""
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        clock.advance(3600)
        over: list[float] = []
        deadline = reactor.deadline(10, lambda: over.append(clock.monotonic()))
        assert deadline.since == 3600
        reactor.turn(0)
        assert over == []
        clock.advance(10)
        reactor.turn(0)
        assert over == [3610]


def test_a_deadline_is_restarted_by_storing_since() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        over: list[float] = []
        deadline = reactor.deadline(10, lambda: over.append(clock.monotonic()))
        reactor.turn(6)
        deadline.since = reactor.now
        reactor.turn(6)
        reactor.turn(1)
        assert over == []
        reactor.turn(math.inf)
        assert over == [16.0]
        cancelled = reactor.deadline(1, lambda: over.append(-1.0))
        cancelled.cancel()
        reactor.turn(5)
        assert over == [16.0]


def test_no_wait_is_longer_than_asked_and_none_without_a_reason() -> None:
    clock = ManualClock()
    poller = ScriptedPoller([[]], clock=clock)
    with Reactor(poller, clock=clock, limits=LoopLimits(longest_wait=100)) as reactor:
        reactor.turn()
        reactor.turn(5)
        reactor.turn(-1)
        reactor.call_later(1e12, print)
        reactor.turn()
        reactor.call_soon(int)
        reactor.turn()
        assert poller.polls == [None, 5, 0, 100, 0]


def test_cancelled_before_it_is_due_in_the_same_turn() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        fired: list[str] = []
        second = None

        def first() -> None:
            fired.append("first")
            if second is not None:
                second.cancel()
            other.cancel()

        reactor.call_later(1, first)
        second = reactor.call_later(1, fired.append, "second")
        other = reactor.deadline(1, lambda: fired.append("deadline"))
        reactor.turn()
        reactor.turn(5)
        assert fired == ["first"]


def test_a_deadline_may_cancel_another_that_is_due_with_it() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller([], clock=clock), clock=clock) as reactor:
        fired: list[str] = []

        def first() -> None:
            fired.append("first")
            second.cancel()

        reactor.deadline(1, first)
        second = reactor.deadline(1, lambda: fired.append("second"))
        reactor.turn(5)
        reactor.turn(5)
        assert fired == ["first"]


@pytest.mark.pitfall(47)
@pytest.mark.pitfall(48)
def test_many_calls_from_many_threads_all_run(reactor: Reactor) -> None:
    wanted = 4 * 5_000
    ran: list[int] = []

    def post() -> None:
        for number in range(5_000):
            reactor.call_soon_threadsafe(ran.append, number)
        reactor.call_soon_threadsafe(done.append, 1)

    done: list[int] = []
    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    turns = 0
    while len(done) < 4:
        reactor.turn(5)
        turns += 1
    for thread in threads:
        thread.join()
    while len(ran) < wanted:
        reactor.turn(0)
    assert len(ran) == wanted
    assert reactor.now - reactor.clock.monotonic() < 1, "no wake-up was lost to a timeout"


def test_a_thread_wakes_a_sleeping_loop(reactor: Reactor) -> None:
    thread = threading.Timer(0.02, reactor.call_soon_threadsafe, (reactor.stop,))
    thread.start()
    reactor.run()
    thread.join()


@pytest.mark.pitfall(49)
def test_a_turn_inside_a_turn_is_refused(reactor: Reactor) -> None:
    for forbidden in (reactor.run, reactor.turn, reactor.close):
        reactor.call_soon(forbidden)
    reactor.turn()
    assert [type(error) for error in errors(reactor)] == [ProgramFault] * 3
    reactor.call_soon(reactor.stop)
    reactor.run()


@pytest.mark.pitfall(49)
def test_errors_go_to_one_handler_and_the_loop_lives(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    theirs.send(b"x")

    def broken(*args: object) -> None:
        raise LookupError("ours")

    reactor.register(ours.fileno(), READ, broken)
    reactor.call_soon(broken)
    reactor.call_later(0, broken)
    reactor.deadline(0.0, broken)
    after: list[int] = []
    reactor.call_soon(after.append, 1)
    reactor.turn(1)
    reactor.turn(0.01)
    assert after == [1]
    assert [str(error) for error in errors(reactor)] == ["ours"] * 4
    with pytest.raises(NotRegistered):
        reactor.unregister(ours.fileno())  # it was dropped: it would have been called for ever


def test_a_handler_that_is_none_is_dropped_too(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    theirs.send(b"x")
    nothing: Any = None
    reactor.register(ours.fileno(), READ, nothing)
    reactor.turn(1)
    reactor.turn(0.01)
    assert [type(error) for error in errors(reactor)] == [TypeError]
    with pytest.raises(NotRegistered):
        reactor.unregister(ours.fileno())


def test_the_owner_of_a_broken_callback_is_told(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    theirs.send(b"x")

    class Owner:
        def __init__(self, broken_itself: bool) -> None:
            self.told: list[Exception] = []
            self.broken_itself = broken_itself

        def handler(self, mask: int) -> None:
            raise LookupError("in the handler")

        def fail(self, error: Exception) -> None:
            self.told.append(error)
            if self.broken_itself:
                raise ValueError("in fail")

    good = Owner(False)
    reactor.register(ours.fileno(), READ, good.handler)
    reactor.turn(1)
    assert [str(error) for error in good.told] == ["in the handler"]
    reactor.unregister(ours.fileno())
    bad = Owner(True)
    reactor.register(ours.fileno(), READ, bad.handler)
    reactor.turn(1)
    assert [str(error) for error in errors(reactor)][-2:] == ["in the handler", "in fail"]
    with pytest.raises(NotRegistered):
        reactor.unregister(ours.fileno())


def test_a_handler_that_unregisters_itself_and_raises(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    theirs.send(b"x")

    def handler(mask: int) -> None:
        reactor.unregister(ours.fileno())
        raise LookupError("gone")

    reactor.register(ours.fileno(), READ, handler)
    reactor.turn(1)
    assert [str(error) for error in errors(reactor)] == ["gone"]


def test_closing_what_was_retired_may_fail(reactor: Reactor) -> None:
    class Broken:
        def fileno(self) -> int:
            return -1

        def close(self) -> None:
            raise OSError("the disk is full")

    reactor.call_soon(reactor.retire, Broken())
    reactor.turn()
    assert [str(error) for error in errors(reactor)] == ["the disk is full"]


def test_the_default_error_handler_is_loud(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise LookupError("ours")
    except LookupError as error:
        print_error(error)
    assert "Traceback" in (shown := capsys.readouterr().err)
    assert "LookupError: ours" in shown


@pytest.mark.pitfall(54)
def test_signals_come_through_the_loop(reactor: Reactor) -> None:
    heard: list[str] = []

    def handler() -> None:
        heard.append("USR1")
        reactor.stop()

    reactor.signals.add(signal.SIGUSR1, handler)
    assert reactor.signals is reactor.signals
    reactor.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    reactor.run()
    assert heard == ["USR1"]


def test_closing_twice_and_using_it_afterwards() -> None:
    reactor = Reactor()
    assert "0 descriptors" in repr(reactor)
    reactor.close()
    reactor.close()
    assert "closed" in repr(reactor)
    with pytest.raises(ProgramFault):
        reactor.run()
    reactor.call_soon_threadsafe(print)
    reactor.call_last(print)


def test_nothing_begins_on_a_closed_reactor(pairs: Pairs) -> None:
    ours, _ = pairs()
    reactor, other = Reactor(), Reactor()
    reactor.close()
    begin: list[Callable[[], object]] = [
        lambda: reactor.call_soon(print, 1),
        lambda: reactor.call_later(0, print),
        lambda: reactor.call_later(delay=0, callback=print),
        lambda: reactor.call_at(0, print),
        lambda: reactor.register(ours.fileno(), READ, print),
        lambda: reactor.signals,  # nobody would hear them, and Ctrl-C would be lost
        reactor.check_open,
    ]
    for each in begin:
        with pytest.raises(ProgramFault, match="this reactor is closed"):
            each()
    with other:  # another one goes on
        heard: list[int] = []
        other.check_open()
        other.call_soon(heard.append, 1)
        other.call_last(heard.append, 2)
        other.turn(0)
        assert heard == [1, 2]


@pytest.mark.pitfall(7)
def test_a_refused_registration_leaves_the_others_served(pairs: Pairs) -> None:
    with Reactor("select") as reactor:
        ours, theirs = pairs()
        heard: list[int] = []
        reactor.register(ours.fileno(), READ, heard.append)
        high = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD, 1500)
        with pytest.raises((OSError, ValueError), match=r"1024|1500"):
            reactor.register(high, READ, print)
        os.close(high)
        theirs.send(b"x")
        reactor.turn(1)
        assert heard == [READ]


@pytest.mark.pitfall(8)
def test_a_hung_up_descriptor_without_interest_does_not_spin(reactor: Reactor, pairs: Pairs) -> None:
    ours, theirs = pairs()
    heard: list[int] = []
    reactor.register(ours.fileno(), 0, heard.append)
    theirs.close()
    reactor.turn(0)
    assert heard == []
    reactor.modify(ours.fileno(), READ)
    reactor.turn(1)
    assert heard
    assert heard[0] & (READ | ERROR | HANGUP)
