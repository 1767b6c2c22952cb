"""A call is looked at before and after; and a send that took less than all is followed to its end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from poise.limits.seeing import SeeingLimits
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.loop.seat import CALL, SHORT, Level
from poise.readiness.interest import READ, WRITE
from poise.seeing.inspecting import Inspection, is_ready
from poise.seeing.sampling import Sampler
from poise.seeing.shorts import LATE, Shorts

LIMITS = SeeingLimits(unused=3)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        yield one, other


Pair = tuple[socket.socket, socket.socket]


def inspected(
    pair: Pair, mask: int, handler: Callable[[Reactor], Callable[[int], None]], turns: int = 4
) -> Inspection:
    """What is said after some turns in which there was something to read."""
    one, other = pair
    with Reactor(on_error=lambda error: None) as reactor:
        probe = Probe(reactor, LIMITS)
        probe.start()
        reactor.register(one.fileno(), mask, handler(reactor))
        inspection = Inspection(probe, probe.seats[one.fileno()])
        inspection.begin()
        assert one.fileno() in probe.inspected
        for _ in range(turns):
            other.send(b"xx")
            reactor.turn(1)
        assert inspection.done == (one.fileno() not in probe.inspected)
        return inspection


def test_calls_for_nothing_are_told_after_some_in_a_row(pair: Pair) -> None:
    other = pair[1]

    def nothing(reactor: Reactor) -> Callable[[int], None]:
        return lambda mask: None

    other.send(b"x")
    assert inspected(pair, WRITE, nothing).verdict == "write_idle"
    assert inspected(pair, READ, nothing).verdict == "unused"
    assert inspected(pair, READ, nothing, turns=2).verdict == ""


def test_calls_that_do_something_end_it(pair: Pair) -> None:
    one, _ = pair

    def reads_a_part(reactor: Reactor) -> Callable[[int], None]:
        def handler(mask: int) -> None:
            one.recv(1)

        return handler

    def stops_wanting(reactor: Reactor) -> Callable[[int], None]:
        return lambda mask: reactor.modify(one.fileno(), 0)

    def leaves(reactor: Reactor) -> Callable[[int], None]:
        return lambda mask: reactor.unregister(one.fileno())

    def raises(reactor: Reactor) -> Callable[[int], None]:
        def handler(mask: int) -> None:
            raise LookupError("ours")

        return handler

    for handler in (reads_a_part, stops_wanting, leaves, raises):
        inspection = inspected(pair, READ, handler, turns=1)
        assert (inspection.done, inspection.verdict) == (True, "")
        inspection.end()


def test_one_that_has_gone_is_not_looked_at(pair: Pair) -> None:
    with Reactor() as reactor:
        probe = Probe(reactor, LIMITS)
        probe.start()
        reactor.register(pair[0].fileno(), READ, print)
        seat = probe.seats[pair[0].fileno()]
        reactor.unregister(pair[0].fileno())
        inspection = Inspection(probe, seat)
        inspection.begin()
        assert inspection.done
        assert not probe.inspected


def test_what_is_no_descriptor_is_never_ready() -> None:
    assert not is_ready(99_999, READ)


# --- short sends ------------------------------------------------------------------------------------------


def test_short_sends_are_followed_to_their_end(pair: Pair) -> None:
    now = [1000]
    fd = pair[0].fileno()
    with Reactor() as reactor:
        probe = Probe(reactor, nanoseconds=lambda: now[0])
        probe.start(Level.FULL)
        reactor.register(fd, READ, lambda mask: None)
        seat = probe.seats[fd]
        shorts = Shorts(probe)
        shorts.begin()
        shorts.begin()

        def short(asked: int = 1000, taken: int = 400) -> None:
            now[0] += 10
            shorts.heard(fd, asked, taken)

        short()
        assert [record[0] for record in probe.ring if record is not None][-1] == SHORT
        assert shorts.over() == [], "its call is not over"
        short(600, 600)
        now[0] += LATE + 1
        assert shorts.over() == [], "the rest was sent"
        short()
        reactor.modify(fd, READ | WRITE)
        seat.last_ns = now[0] + 1
        assert shorts.over() == [], "the rest is going to be sent"
        short()
        reactor.modify(fd, READ | WRITE)
        reactor.modify(fd, READ)
        seat.last_ns = now[0] + 1
        assert shorts.over() == [], "the rest was sent, when there was room"
        reactor.modify(fd, READ | WRITE)
        short()
        probe.write((CALL, now[0] - 5, 10, seat, WRITE, READ | WRITE))
        reactor.modify(fd, READ)
        probe.write((CALL, now[0] - 5, 10, seat, WRITE, READ | WRITE))
        seat.last_ns = now[0] + 1
        assert shorts.over() == [], "the same, by whoever was watching for it before"
        short()
        now[0] += LATE + 1
        assert [(each.seat, each.asked, each.taken) for each in shorts.over()] == [(seat, 1000, 400)]
        assert shorts.over() == [], "it is told once"
        shorts.heard(99_999, 10, 5)
        thread = threading.Thread(target=short)
        thread.start()
        thread.join()
        assert not shorts._open, "of nobody we know, and of another thread"
        pair[0].send(memoryview(b"all"))
        assert not shorts._open
        other = Shorts(probe)
        other.begin()
        shorts.end()
        assert "send" in vars(socket.socket), "somebody hears yet"
        other.end()
        other.end()
        assert "send" not in vars(socket.socket)


# --- many -------------------------------------------------------------------------------------------------


def test_of_many_the_last_used_are_listed_and_the_others_looked_at_in_turns() -> None:
    pairs = [socket.socketpair() for _ in range(20)]
    with Reactor() as reactor:
        probe = Probe(reactor, SeeingLimits(rows=10, portion=4))
        probe.start()
        for one, _ in pairs:
            reactor.register(one.fileno(), READ, lambda mask: None)
        busy = pairs[7][0].fileno()
        pairs[7][1].send(b"x")
        reactor.turn(1)
        sampler = Sampler(probe)
        looked_at: set[int] = set()
        steps = 0
        for _ in range(4):
            while not sampler.step():
                steps += 1
            assert len(sampler.listed) in {0, 10}
            looked_at |= {sample.seat.fd for sample in sampler.looked_at}
        assert sampler.listed[0].seat.fd == busy
        assert len(looked_at) == 21, "the wake-up is one of them"
        assert steps > 8, "in portions"
        assert sampler.total == 21
        reactor.unregister(busy)
        while not sampler.step():
            pass
        while not sampler.step():
            pass
        pairs = [each for each in pairs if each[0].fileno() != busy] + [pairs[7]]
        assert busy not in {sample.seat.fd for sample in sampler.listed}
        assert all(sample.seat.fd != busy for sample in sampler.samples.values())
        for one, _ in pairs[:5]:
            reactor.unregister(one.fileno())
        probe.left.clear()  # as if more had left than are kept
        sampler.end_second()
        assert set(sampler.samples) <= set(probe.seats.values())
    for both in pairs:
        for each in both:
            each.close()
