"""The datagram socket's promises, over UDP and unix sockets and on every poller that this machine has."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import DeadlineExceeded, NotRegistered, ProgramFault
from poise.limits import DatagramLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.datagram import State, TruncatedDatagram, open_datagram
from poise.net.protocol import DatagramProtocol
from poise.readiness.interest import ERROR, READ, WRITE
from poise.readiness.poller import available
from tests.support.datagrams import LOCAL, House, Listener, Scripted, echo, has_ipv6, housed
from tests.support.scripted import ScriptedPoller


@pytest.fixture(params=available())
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with housed(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    """On the best poller alone, for what does not concern readiness."""
    with housed(None, tmp_path) as made:
        yield made


# --- both ways ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_go_both_ways(house: House, host: str) -> None:
    family = socket.AF_INET if "." in host else socket.AF_INET6
    if family == socket.AF_INET6 and not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    transport, heard = house.open(Listener(echo), local=(host, 0))
    far = house.far((host, 0), family)
    far.sendto(b"one", transport.sockname)
    far.sendto(b"two", transport.sockname)
    house.until(lambda: len(heard.got) == 2)
    assert heard.senders == [far.getsockname()] * 2
    assert far.recvfrom(100) == (b"ONE", transport.sockname)
    assert far.recvfrom(100) == (b"TWO", transport.sockname)
    assert transport.address == (host, transport.sockname[1])
    assert transport.peer is None


def test_unix_datagrams_go_both_ways(house: House) -> None:
    path = house.unix("server")
    transport, heard = house.open(Listener(echo), local=f"unix:{path}")
    far = house.far(house.unix("client"), socket.AF_UNIX)
    far.sendto(b"hello", path)
    house.until(lambda: heard.got)
    assert far.recvfrom(100) == (b"HELLO", path)
    assert heard.senders == [f"unix:{house.unix('client')}"]
    assert transport.address == f"unix:{path}"
    assert "OPEN" in repr(transport)


def test_a_unix_sender_without_a_name_cannot_be_answered_and_harms_nobody(house: House) -> None:
    """It is the peer who chose to have no name: that must not close our socket."""
    path = house.unix("server")
    transport, heard = house.open(Listener(echo), local=f"unix:{path}")
    far = house.far(None, socket.AF_UNIX)
    far.sendto(b"hello", path)
    house.until(lambda: heard.errors)
    assert heard.senders == [None]
    assert heard.numbers == [errno.EDESTADDRREQ]
    assert not transport.is_closing()
    assert house.errors == []


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="abstract names are Linux's")
def test_an_abstract_name_can_be_answered(house: House) -> None:
    path = house.unix("server")
    _, heard = house.open(Listener(echo), local=f"unix:{path}")
    far = house.far("", socket.AF_UNIX)  # the kernel chooses an abstract name (unix(7))
    far.sendto(b"hello", path)
    house.until(lambda: heard.got)
    assert far.recv(100) == b"HELLO"
    assert heard.senders == [far.getsockname()]


def test_a_connected_socket_hears_its_peer_alone(house: House) -> None:
    far, stranger = house.far(), house.far()
    transport, heard = house.open(remote=far.getsockname())
    assert transport.peer == far.getsockname()
    assert transport.get_extra_info("peername") == far.getsockname()
    assert transport.send(b"hello")
    assert transport.sendto(b"again", far.getsockname())
    assert far.recvfrom(100) == (b"hello", transport.sockname)
    assert far.recv(100) == b"again"
    stranger.sendto(b"psst", transport.sockname)
    far.sendto(b"answer", transport.sockname)
    house.until(lambda: heard.got)
    assert heard.got == [b"answer"]
    with pytest.raises(ValueError, match="connected to"):
        transport.sendto(b"x", stranger.getsockname())


def test_a_connected_unix_socket(house: House) -> None:
    far = house.far(house.unix("server"), socket.AF_UNIX)
    transport, heard = house.open(local=f"unix:{house.unix('us')}", remote=f"unix:{house.unix('server')}")
    assert transport.peer == f"unix:{house.unix('server')}"
    assert transport.send(b"hello")
    data, sender = far.recvfrom(100)
    far.sendto(data, sender)
    house.until(lambda: heard.got)
    assert heard.senders == [transport.peer]
    assert "to unix:" in repr(transport)


@pytest.mark.pitfall(41)
@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_an_empty_datagram_is_a_message_both_ways(house: House, kind: str) -> None:
    if kind == "udp":
        transport, heard = house.open(Listener(echo), local=LOCAL)
        far = house.far()
        name: Any = transport.sockname
    else:
        name = house.unix("server")
        transport, heard = house.open(Listener(echo), local=f"unix:{name}")
        far = house.far(house.unix("client"), socket.AF_UNIX)
    for data in (b"", b"x", b""):
        far.sendto(data, name)
    house.until(lambda: len(heard.got) == 3)
    assert heard.got == [b"", b"x", b""]
    assert [far.recv(10) for _ in range(3)] == [b"", b"X", b""]
    assert not transport.is_closing()


def test_what_can_be_sent(one: House) -> None:
    transport, _ = one.open(local=LOCAL)
    far = one.far()
    to = far.getsockname()
    for data in (b"abc", bytearray(b"abc"), memoryview(b"aabbcc")[::2]):
        assert transport.sendto(data, to)
        assert far.recv(10) == b"abc"
    assert transport.sendto(memoryview(struct.pack("HH", 1, 2)).cast("H"), to)
    assert far.recv(10) == struct.pack("HH", 1, 2)
    for wrong in ("text", 5, None):
        with pytest.raises(TypeError):
            transport.sendto(wrong, to)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="resolve names before"):
        transport.sendto(b"x", ("example.org", 80))
    with pytest.raises(ProgramFault, match="connected"):
        transport.send(b"x")


def test_port_0_is_that_datagrams_error(one: House) -> None:
    """A peer can choose it as its source (RFC 768), so the answer must not be an exception."""
    transport, heard = one.open(local=LOCAL)
    assert transport.sendto(b"x", ("127.0.0.1", 0)) is False
    one.until(lambda: heard.errors)
    assert heard.numbers == [errno.EINVAL]
    assert not transport.is_closing()


# --- what is cut and what is refused ------------------------------------------------------------------------


@pytest.mark.pitfall(42)
def test_a_datagram_that_is_too_long_is_reported_with_its_beginning(house: House) -> None:
    transport, heard = house.open(local=LOCAL, size=100)
    far = house.far()
    for size in (100, 101, 99):
        far.sendto(b"x" * size, transport.sockname)
    house.until(lambda: len(heard.got) == 2)
    assert [len(data) for data in heard.got] == [100, 99]
    (error,) = heard.errors
    assert isinstance(error, TruncatedDatagram)
    assert (error.errno, error.data, error.address) == (errno.EMSGSIZE, b"x" * 100, far.getsockname())
    assert "more than 100 bytes" in str(error)


@pytest.mark.pitfall(42)
def test_the_largest_datagram_arrives_whole(house: House) -> None:
    transport, heard = house.open(local=LOCAL)
    house.far().sendto(b"x" * 65_507, transport.sockname)
    house.until(lambda: heard.got)
    assert [len(data) for data in heard.got] == [65_507]


@pytest.mark.pitfall(43)
def test_an_error_belongs_to_one_datagram(house: House) -> None:
    transport, heard = house.open(local=LOCAL)
    far = house.far()
    to = far.getsockname()
    assert transport.sendto(b"before", to)
    assert not transport.sendto(b"x" * 65_508, to)
    assert not transport.sendto(b"x", ("127.255.255.255", to[1]))
    assert transport.sendto(b"after", to)
    assert heard.errors == []  # not from inside the call
    house.until(lambda: heard.errors)
    assert heard.numbers == [errno.EMSGSIZE, errno.EACCES]
    assert [far.recv(100), far.recv(100)] == [b"before", b"after"]
    assert transport.get_write_buffer_size() == 0
    assert not transport.is_closing()


@pytest.mark.pitfall(43)
def test_a_bad_one_in_the_middle_of_the_queue(house: House) -> None:
    far = house.far()
    to = far.getsockname()
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(BlockingIOError())
    sock.bind(LOCAL)
    transport, heard = house.adopt(sock)
    for data in (b"before", b"x" * 65_508, b"after"):
        assert transport.sendto(data, to)
    assert transport.get_write_buffer_size() == 65_519
    house.until(lambda: heard.errors)
    assert heard.numbers == [errno.EMSGSIZE]
    assert [far.recv(100), far.recv(100)] == [b"before", b"after"]
    assert transport.get_write_buffer_size() == 0


@pytest.mark.pitfall(44)
def test_the_network_says_no_and_the_socket_lives(house: House) -> None:
    far = house.far()
    name = far.getsockname()
    transport, heard = house.open(remote=name)
    far.close()
    assert transport.send(b"to nobody")
    house.until(lambda: heard.errors)
    assert heard.numbers == [errno.ECONNREFUSED]
    far = house.far(name)
    assert transport.send(b"to somebody")
    assert far.recvfrom(100) == (b"to somebody", transport.sockname)
    far.sendto(b"answer", transport.sockname)
    house.until(lambda: heard.got)
    assert len(heard.errors) == 1


@pytest.mark.pitfall(44)
def test_a_send_that_meets_an_earlier_datagrams_error_is_sent_all_the_same(house: House) -> None:
    far = house.far()
    name = far.getsockname()
    transport, heard = house.open(remote=name)
    far.close()
    assert transport.send(b"to nobody")
    far = house.far(name)
    assert transport.send(b"to somebody")
    assert far.recv(100) == b"to somebody"
    house.until(lambda: heard.errors)
    house.reactor.turn(0)
    assert heard.numbers == [errno.ECONNREFUSED]


@pytest.mark.pitfall(44)
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([errno.ENETUNREACH, errno.ENETUNREACH], [errno.ENETUNREACH]),  # this datagram's own: told once
        ([errno.ECONNREFUSED, errno.EMSGSIZE], [errno.ECONNREFUSED, errno.EMSGSIZE]),
        ([errno.ECONNREFUSED, errno.EAGAIN], [errno.ECONNREFUSED]),
    ],
)
def test_whose_error_it_was(one: House, script: list[int], said: list[int]) -> None:
    far = one.far()
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(*(OSError(code, "") for code in script))
    sock.connect(far.getsockname())
    transport, heard = one.adopt(sock)
    assert transport.send(b"x") is (errno.EAGAIN in script)
    one.reactor.turn(0)
    assert heard.numbers == said


def test_errors_while_closing_are_told_before_the_end(one: House) -> None:
    transport, heard = one.open(local=LOCAL)
    order: list[str] = []
    heard.error_received = lambda exc: order.append("error")  # type: ignore[method-assign]
    heard.connection_lost = lambda exc: order.append("lost")  # type: ignore[method-assign]
    transport.sendto(b"x" * 65_508, ("127.0.0.1", 9))
    transport.close()
    one.reactor.turn(0)
    assert order == ["error", "lost"]


# --- the kernel refuses for now -----------------------------------------------------------------------------


def no_buffers() -> OSError:
    return OSError(errno.ENOBUFS, "No buffer space available")


def scripted_reactor() -> tuple[Reactor, ScriptedPoller, ManualClock]:
    clock = ManualClock(100.0)
    poller = ScriptedPoller(clock=clock)
    return Reactor(poller, clock=clock), poller, clock


@pytest.mark.pitfall(45)
def test_out_of_buffers_is_tried_again_by_a_timer() -> None:
    reactor, poller, clock = scripted_reactor()
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(*(no_buffers() for _ in range(3)))
    with far, reactor:
        far.bind(LOCAL)
        far.settimeout(5)
        heard = Listener()
        transport = open_datagram(reactor, lambda: heard, local=sock)
        assert transport.sendto(b"patience", far.getsockname())
        assert transport.sendto(b"too", far.getsockname())
        assert transport.get_write_buffer_size() == 11
        begun = clock.monotonic()
        before = len(poller.polls)
        for _ in range(3):
            assert poller.interest(sock.fileno()) == READ  # it is writable all the while
            reactor.turn()
        assert len(poller.polls) - before == 3
        assert clock.monotonic() - begun == pytest.approx(0.001 + 0.002 + 0.004)
        assert [far.recv(100), far.recv(100)] == [b"patience", b"too"]
        assert transport.get_write_buffer_size() == 0
        assert heard.errors == []
        assert sock.tried == 5
        assert reactor.timers.next_due == float("inf")
        transport.abort()
        reactor.turn(0)


@pytest.mark.pitfall(45)
def test_the_delay_begins_anew_after_something_was_taken() -> None:
    reactor, _, clock = scripted_reactor()
    script = [no_buffers(), no_buffers(), no_buffers(), None, no_buffers()]
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(*script)
    with reactor:
        transport = open_datagram(reactor, Listener, local=sock)
        for _ in range(2):
            assert transport.sendto(b"x", ("127.0.0.1", 9))
        for _ in range(3):
            reactor.turn()
        assert transport.get_write_buffer_size() == 1
        before = clock.monotonic()
        reactor.turn()
        assert clock.monotonic() - before == pytest.approx(0.001)
        assert transport.get_write_buffer_size() == 0
        transport.abort()
        reactor.turn(0)


@pytest.mark.pitfall(45)
def test_out_of_buffers_does_not_spin(house: House) -> None:
    far = house.far()
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(*(no_buffers() for _ in range(3)))
    sock.bind(LOCAL)
    transport, _ = house.adopt(sock)
    assert transport.sendto(b"patience", far.getsockname())
    turns = 0
    while transport.get_write_buffer_size():
        house.reactor.turn(1)
        turns += 1
    assert turns <= 4
    assert far.recv(100) == b"patience"


@pytest.mark.pitfall(45)
def test_a_kernel_that_says_writable_and_takes_nothing_is_asked_by_a_timer() -> None:
    reactor, poller, _ = scripted_reactor()
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(*(BlockingIOError() for _ in range(4)))
    with reactor:
        transport = open_datagram(reactor, Listener, local=sock)
        assert transport.sendto(b"x", ("127.0.0.1", 9))
        assert poller.interest(sock.fileno()) == READ | WRITE
        poller.script.append([(sock.fileno(), WRITE)])
        reactor.turn()
        assert poller.interest(sock.fileno()) == READ
        reactor.turn()  # a timer each
        reactor.turn()
        assert transport.get_write_buffer_size() == 1
        reactor.turn()
        assert transport.get_write_buffer_size() == 0
        assert sock.tried == 5
        transport.abort()
        reactor.turn(0)


@pytest.mark.pitfall(46)
def test_the_full_queue_of_a_unix_receiver_does_not_spin(house: House) -> None:
    far = house.far(house.unix("slow"), socket.AF_UNIX)
    to = f"unix:{house.unix('slow')}"
    transport, heard = house.open(
        local=f"unix:{house.unix('us')}", first_delay=0.002, longest_delay=0.01, high_water=1
    )
    sent = 0
    while not heard.pauses:
        assert transport.sendto(b"%d" % sent, to)
        sent += 1
    turns = 0
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        house.reactor.turn(0.1)
        turns += 1
    assert turns <= 30
    far.setblocking(False)
    got: list[bytes] = []
    house.until(lambda: len(drain(far, got)) == sent)
    assert got == [b"%d" % number for number in range(sent)]
    assert transport.get_write_buffer_size() == 0
    assert heard.pauses == ["pause", "resume"]


@pytest.mark.pitfall(46)
def test_a_receiver_that_does_not_read_silences_nobody_else(house: House) -> None:
    house.far(house.unix("deaf"), socket.AF_UNIX)
    lively = house.far(house.unix("lively"), socket.AF_UNIX)
    transport, heard = house.open(local=f"unix:{house.unix('us')}", high_water=1, send_wait=0.05)
    while not heard.pauses:
        assert transport.sendto(b"x", f"unix:{house.unix('deaf')}")
    waiting = transport.get_write_buffer_size()
    assert transport.sendto(b"hello", f"unix:{house.unix('lively')}")
    assert lively.recv(10) == b"hello"
    assert transport.get_write_buffer_size() == waiting
    transport.close()
    house.until(lambda: heard.lost)
    assert heard.lost == [None]
    assert len(heard.errors) == waiting
    assert all(isinstance(error, DeadlineExceeded) for error in heard.errors)
    assert "deaf" in str(heard.errors[0])


@pytest.mark.pitfall(46)
def test_many_full_receivers_do_not_put_off_the_next_try(one: House) -> None:
    clock = ManualClock(100.0)
    with Reactor(ScriptedPoller(clock=clock), clock=clock) as reactor:
        sock = Scripted(socket.AF_UNIX, socket.SOCK_DGRAM).play(*(BlockingIOError() for _ in range(3)))
        transport = open_datagram(reactor, Listener, local=sock)
        for name in "abc":
            assert transport.sendto(b"x", f"unix:{one.unix(name)}")
        assert reactor.timers.next_due == pytest.approx(100.001)
        assert len(reactor.timers) == 2  # the next try, and the age of the oldest
        transport.abort()
        assert len(reactor.timers) == 0
        reactor.turn(0)


def drain(sock: socket.socket, into: list[bytes]) -> list[bytes]:
    """Take what is there without waiting; ``into`` with it."""
    while True:
        try:
            into.append(sock.recv(1000))
        except BlockingIOError:
            return into


def unix_pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    return ours, theirs


@pytest.mark.pitfall(46)
def test_a_connected_unix_socket_waits_for_room(house: House) -> None:
    ours, theirs = unix_pair()
    house.plain.append(theirs)
    transport, heard = house.adopt(ours, high_water=10, low_water=5)
    sent = 0
    while not heard.pauses:
        assert transport.send(b"%d" % (sent % 10))
        sent += 1
    assert house.reactor.poller.interest(ours.fileno()) == READ | WRITE
    assert len(house.reactor.timers) == 1  # only the age
    got: list[bytes] = []
    house.until(lambda: len(drain(theirs, got)) == sent)
    assert got == [b"%d" % (number % 10) for number in range(sent)]
    house.until(lambda: house.reactor.poller.interest(ours.fileno()) == READ)
    assert len(house.reactor.timers) == 0
    assert heard.pauses == ["pause", "resume"]


@pytest.mark.pitfall(16)
def test_the_queue_is_bounded_and_its_count_comes_back_to_zero(house: House) -> None:
    ours, theirs = unix_pair()
    house.plain.append(theirs)
    transport, heard = house.adopt(ours, queue=20, queue_bytes=10_000, high_water=1_000, low_water=100)
    accepted = 0
    while transport.send(b"x" * 100):
        accepted += 1
    assert transport.get_write_buffer_size() == 2_000
    assert transport.refused == 1
    assert not transport.send(b"")
    assert transport.refused == 2
    assert transport.is_paused_writing()
    got: list[bytes] = []
    house.until(lambda: len(drain(theirs, got)) == accepted)
    assert got == [b"x" * 100] * accepted
    assert transport.get_write_buffer_size() == 0
    assert heard.pauses == ["pause", "resume"]
    assert transport.send(b"")


def test_marks_can_be_moved_while_something_waits(one: House) -> None:
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(BlockingIOError())
    transport, heard = one.adopt(sock)
    assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    assert transport.sendto(b"x" * 50, ("127.0.0.1", 9))
    transport.set_write_buffer_limits(high=40)
    assert transport.get_write_buffer_limits() == (10, 40)
    assert heard.pauses == ["pause"]
    transport.set_write_buffer_limits(high=100, low=60)
    assert heard.pauses == ["pause", "resume"]


def test_what_waits_too_long_is_dropped_and_reported() -> None:
    reactor, poller, clock = scripted_reactor()
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(BlockingIOError())
    with reactor:
        heard = Listener()
        transport = open_datagram(reactor, lambda: heard, local=sock, limits=DatagramLimits(send_wait=2))
        to = ("127.0.0.1", 9)
        assert transport.sendto(b"first", to)
        clock.advance(1.0)
        assert transport.sendto(b"second", to)
        reactor.turn()
        assert clock.monotonic() == 102.0
        assert transport.get_write_buffer_size() == 6
        reactor.turn(0)
        assert isinstance(heard.errors[0], DeadlineExceeded)
        assert heard.numbers == [errno.ETIMEDOUT]
        assert "127.0.0.1:9 was not taken for 2 s" in str(heard.errors[0])
        reactor.turn()
        assert clock.monotonic() == 103.0
        assert transport.get_write_buffer_size() == 0
        assert poller.interest(sock.fileno()) == READ
        transport.abort()
        reactor.turn(0)


def test_the_budget_of_one_event_when_the_queue_goes_out() -> None:
    reactor, poller, _ = scripted_reactor()
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(BlockingIOError())
    with reactor:
        transport = open_datagram(reactor, Listener, local=sock, limits=DatagramLimits(sent=2))
        for _ in range(5):
            assert transport.sendto(b"x", ("127.0.0.1", 9))
        poller.script.append([(sock.fileno(), WRITE)])
        reactor.turn()
        assert transport.get_write_buffer_size() == 3
        assert poller.interest(sock.fileno()) == READ | WRITE
        transport.abort()
        reactor.turn(0)


# --- fairness -----------------------------------------------------------------------------------------------


@pytest.mark.pitfall(24)
def test_a_flood_is_bounded_in_every_turn_and_others_are_heard(house: House) -> None:
    flooded, flood = house.open(local=LOCAL, received=4)
    quiet, calm = house.open(local=LOCAL)
    far = house.far()
    for _ in range(20):
        far.sendto(b"", flooded.sockname)
    far.sendto(b"hello", quiet.sockname)
    house.reactor.turn(5)
    assert len(flood.got) == 4
    assert calm.got == [b"hello"]
    house.until(lambda: len(flood.got) == 20)


@pytest.mark.pitfall(24)
def test_a_flood_is_bounded_in_bytes_too(house: House) -> None:
    transport, heard = house.open(local=LOCAL, received_bytes=2_500)
    far = house.far()
    for _ in range(8):
        far.sendto(b"x" * 1_000, transport.sockname)
    house.reactor.turn(5)
    assert len(heard.got) == 3
    house.until(lambda: len(heard.got) == 8)


@pytest.mark.pitfall(21)
def test_readiness_is_a_hint(one: House) -> None:
    transport, heard = one.open(local=LOCAL)
    transport._on_ready(READ)
    assert (heard.got, heard.errors) == ([], [])


# --- callbacks that misbehave, and the end ------------------------------------------------------------------


@pytest.mark.pitfall(49)
@pytest.mark.parametrize("callback", ["datagram_received", "error_received", "connection_made"])
def test_a_callback_that_raises_closes_its_socket_alone(house: House, callback: str) -> None:
    def broken(*args: object) -> None:
        raise KeyError(callback)

    bad = Listener()
    setattr(bad, callback, broken)
    transport, _ = house.open(bad, local=LOCAL)
    good, heard = house.open(local=LOCAL)
    far = house.far()
    if callback == "error_received":
        transport.sendto(b"x" * 65_508, far.getsockname())
    far.sendto(b"x", transport.sockname)
    far.sendto(b"x", good.sockname)
    house.until(lambda: bad.lost and heard.got)
    assert [str(error) for error in house.errors] == [f"'{callback}'"]
    assert bad.lost == house.errors
    assert transport.is_closing()
    assert not good.is_closing()


@pytest.mark.pitfall(49)
def test_resume_writing_that_raises_closes_the_socket() -> None:
    """It is called from a timer of the sending half."""
    reactor, _, _ = scripted_reactor()
    errors: list[Exception] = []
    reactor.on_error = errors.append
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(no_buffers())
    with reactor:
        heard = Listener()
        setattr(heard, "resume_writing", lambda: 1 // 0)  # noqa: B010 - a method is replaced on purpose
        limits = DatagramLimits(high_water=1, low_water=0)
        transport = open_datagram(reactor, lambda: heard, local=sock, limits=limits)
        assert transport.sendto(b"xx", ("127.0.0.1", 9))
        assert heard.pauses == ["pause"]
        reactor.turn()
        assert transport.is_closing()
        reactor.turn(0)
        assert heard.lost == errors
        assert len(errors) == 1


@pytest.mark.pitfall(49)
@pytest.mark.parametrize("how", ["close", "abort"])
def test_closing_in_a_callback_ends_the_batch(house: House, how: str) -> None:
    heard = Listener(lambda transport, data, addr: getattr(transport, how)())
    transport, _ = house.open(heard, local=LOCAL)
    far = house.far()
    for _ in range(3):
        far.sendto(b"x", transport.sockname)
    house.until(lambda: heard.lost)
    assert heard.got == [b"x"]
    assert heard.lost == [None]
    assert not transport.sendto(b"x", far.getsockname())
    transport.close()
    transport.abort()
    house.reactor.turn(0)
    assert heard.lost == [None]
    assert transport.get_extra_info("socket").fileno() == -1
    assert "CLOSED" in repr(transport)


@pytest.mark.pitfall(14)
def test_close_sends_what_waits_and_hears_no_more(house: House) -> None:
    ours, theirs = unix_pair()
    house.plain.append(theirs)
    transport, heard = house.adopt(ours, high_water=1)
    sent = 0
    while not heard.pauses:
        transport.send(b"x")
        sent += 1
    theirs.send(b"too late")
    transport.close()
    transport.close()
    assert transport._state is State.CLOSING
    got: list[bytes] = []
    house.until(lambda: drain(theirs, got) and heard.lost)
    drain(theirs, got)
    assert got == [b"x"] * sent
    assert heard.got == []
    assert heard.pauses == ["pause"]
    assert heard.lost == [None]


def test_abort_drops_what_waits(one: House) -> None:
    sock = Scripted(socket.AF_INET, socket.SOCK_DGRAM).play(BlockingIOError())
    transport, heard = one.adopt(sock)
    assert transport.sendto(b"x", ("127.0.0.1", 9))
    transport.abort()
    assert transport.get_write_buffer_size() == 0
    assert heard.lost == []  # not from inside the call
    one.reactor.turn(0)
    assert heard.lost == [None]
    assert sock.tried == 1


@pytest.mark.pitfall(9)
def test_a_descriptor_closed_behind_our_back_ends_it(one: House) -> None:
    reactor, poller, _ = scripted_reactor()
    errors: list[Exception] = []
    reactor.on_error = errors.append
    with reactor:
        heard = Listener()
        transport = open_datagram(reactor, lambda: heard, local=LOCAL)
        fd = transport.get_extra_info("fd")
        os.close(fd)
        poller.script.append([(fd, READ)])
        reactor.turn()
        reactor.turn()
        (error,) = heard.lost
        assert isinstance(error, OSError)
        assert error.errno == errno.EBADF
        assert len(errors) == 1  # the socket object could not be closed a second time


def test_a_fault_without_readable_input_is_read_all_the_same(one: House) -> None:
    class Refused(socket.socket):
        def recvfrom(self, *args: Any) -> Any:
            if self.said:
                raise BlockingIOError
            self.said = True
            raise ConnectionRefusedError(errno.ECONNREFUSED, "")

        said = False

    transport, heard = one.adopt(Refused(socket.AF_INET, socket.SOCK_DGRAM))
    transport._on_ready(ERROR)
    assert heard.numbers == [errno.ECONNREFUSED]


def test_a_poller_that_refuses_leaves_nothing_open(one: House) -> None:
    class Refusing(ScriptedPoller):
        def register(self, fd: int, mask: int) -> None:
            if len(self):
                raise ValueError("beyond the set")
            super().register(fd, mask)

    heard = Listener()
    path = one.unix("us")
    with Reactor(Refusing()) as reactor:
        with pytest.raises(ValueError, match="beyond the set"):
            open_datagram(reactor, lambda: heard, local=f"unix:{path}")
        reactor.turn(0)
    assert heard.lost == []
    assert not os.path.exists(path)


def test_limits_that_are_none_leave_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: Any = 5
    made: list[socket.socket] = []

    class Kept(socket.socket):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    with Reactor() as reactor, monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Kept)
        with pytest.raises(AttributeError):
            open_datagram(reactor, Listener, limits=limits)
    assert made[-1].fileno() == -1


# --- the interface of asyncio's transports ------------------------------------------------------------------


def test_a_protocol_of_asyncio_runs_unchanged(one: House) -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

    transport = open_datagram(one.reactor, Echo, local=LOCAL)  # type: ignore[arg-type]
    one.opened.append(transport)
    far = one.far()
    far.sendto(b"hello", transport.sockname)
    far.setblocking(False)
    got: list[bytes] = []
    one.until(lambda: drain(far, got))
    assert got == [b"hello"]


def test_what_is_known_about_a_socket(one: House) -> None:
    transport, heard = one.open(local=LOCAL)
    sock = transport.get_extra_info("socket")
    assert transport.get_extra_info("sockname") == sock.getsockname()
    assert transport.get_extra_info("fd") == sock.fileno()
    assert transport.get_extra_info("peername", "nobody") is None
    assert transport.get_extra_info("cipher", "none") == "none"
    assert transport.get_protocol() is heard
    other = Listener()
    transport.set_protocol(other)
    assert transport.get_protocol() is other
    transport.close()
    one.reactor.turn(0)
    assert other.lost == [None]


def test_every_callback_may_be_left_as_it_is(one: House) -> None:
    transport = open_datagram(one.reactor, DatagramProtocol, local=LOCAL)
    far = one.far()
    far.sendto(b"x", transport.sockname)
    transport.sendto(b"x" * 65_508, far.getsockname())
    protocol = transport.get_protocol()
    protocol.pause_writing()
    protocol.resume_writing()
    one.reactor.turn(1)
    transport.close()
    one.reactor.turn(0)
    assert one.errors == []
    with pytest.raises(NotRegistered):
        one.reactor.poller.interest(transport.get_extra_info("fd"))
