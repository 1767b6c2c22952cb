"""The datagram socket's promises, over UDP and unix sockets and on every poller that this machine has."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import DeadlineExceeded, MachineFault, NotRegistered, ProgramFault
from poise.limits import DatagramLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import dgram_socket
from poise.net.datagram import Datagram, State, TruncatedDatagram, open_datagram
from poise.net.options import SocketOptions
from poise.net.protocol import DatagramProtocol
from poise.readiness.interest import ERROR, READ, WRITE
from poise.readiness.poller import available
from tests.support.loops import turn_until
from tests.support.scripted import ScriptedPoller

LOCAL = ("127.0.0.1", 0)
IPV4_GROUP = "239.255.77.1"  # administratively scoped (RFC 2365)
IPV6_GROUP = "ff01::7701"  # interface-local: it never leaves the machine (RFC 4291, 2.7)


class Listener(DatagramProtocol):
    """Keeps everything that it is told; ``on_data`` may act on it."""

    def __init__(self, on_data: Callable[[Datagram, bytes, Any], object] | None = None) -> None:
        self.on_data = on_data
        self.got: list[bytes] = []
        self.senders: list[Any] = []
        self.errors: list[OSError] = []
        self.lost: list[Exception | None] = []
        self.pauses: list[str] = []

    def connection_made(self, transport: Datagram) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append(data)
        self.senders.append(addr)
        if self.on_data is not None:
            self.on_data(self.transport, data, addr)

    def error_received(self, exc: OSError) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    def pause_writing(self) -> None:
        self.pauses.append("pause")

    def resume_writing(self) -> None:
        self.pauses.append("resume")

    @property
    def numbers(self) -> list[int | None]:
        return [error.errno for error in self.errors]


class House:
    """A reactor, what was opened on it, and plain sockets as the far ends."""

    def __init__(self, reactor: Reactor, folder: Path) -> None:
        self.reactor = reactor
        self.folder = folder
        self.errors: list[Exception] = []
        self.opened: list[Datagram] = []
        self.plain: list[socket.socket] = []
        reactor.on_error = self.errors.append

    def open(self, heard: Listener | None = None, **kwargs: Any) -> tuple[Datagram, Listener]:
        limits = {key: kwargs.pop(key) for key in list(kwargs) if key in DatagramLimits.__slots__}
        heard = heard or Listener()
        protocol = heard
        transport = open_datagram(self.reactor, lambda: protocol, limits=DatagramLimits(**limits), **kwargs)
        self.opened.append(transport)
        return transport, heard

    def adopt(self, sock: socket.socket, **limits: Any) -> tuple[Datagram, Listener]:
        return self.open(local=sock, **limits)

    def far(self, address: Any = LOCAL, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        self.plain.append(sock)
        sock.settimeout(5)
        if address is not None:
            sock.bind(address)
        return sock

    def unix(self, name: str) -> str:
        return str(self.folder / name)

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def close(self) -> None:
        for transport in self.opened:
            transport.abort()
        self.reactor.turn(0)
        for sock in self.plain:
            sock.close()


@pytest.fixture(params=available())
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with Reactor(request.param) as reactor:
        made = House(reactor, tmp_path)
        yield made
        made.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    """The same on the best poller alone, for what does not concern readiness."""
    with Reactor() as reactor:
        made = House(reactor, tmp_path)
        yield made
        made.close()


def echo(transport: Datagram, data: bytes, addr: Any) -> None:
    transport.sendto(data.upper(), addr)


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


def has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


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


class Scripted(socket.socket):
    """A real socket whose first sends fail as the script says; ``tried`` counts all of them."""

    def play(self, *script: OSError | None) -> Scripted:
        self.script = list(script)
        self.tried = 0
        return self

    def _next(self) -> None:
        self.tried += 1
        step = self.script.pop(0) if self.script else None
        if step is not None:
            raise step

    def send(self, *args: Any) -> int:
        self._next()
        return super().send(*args)

    def sendto(self, *args: Any) -> int:
        self._next()
        return super().sendto(*args)


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
    got = []
    while len(got) < sent:
        far.setblocking(False)
        try:
            got.append(int(far.recv(100)))
        except BlockingIOError:
            house.reactor.turn(0.02)
    assert got == list(range(sent))
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


def unix_pair(size: int = 0) -> tuple[socket.socket, socket.socket]:
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
    got = bytearray()

    def receive() -> bool:
        try:
            got.extend(theirs.recv(10))
        except BlockingIOError:
            pass
        return len(got) == sent

    house.until(receive)
    assert got == b"".join(b"%d" % (number % 10) for number in range(sent))
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
    got: list[int] = []

    def receive() -> bool:
        try:
            got.append(len(theirs.recv(1000)))
        except BlockingIOError:
            pass
        return len(got) == accepted

    house.until(receive)
    assert got == [100] * accepted
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
        heard.resume_writing = lambda: {}["nothing"]  # type: ignore[method-assign]
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

    def receive() -> object:
        try:
            got.append(theirs.recv(10))
        except BlockingIOError:
            pass
        return heard.lost

    house.until(receive)
    while len(got) < sent:
        got.append(theirs.recv(10))
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
    transport, heard = one.open(local=LOCAL)
    os.close(transport.get_extra_info("fd"))
    transport._on_ready(READ)
    one.reactor.turn(0)
    (error,) = heard.lost
    assert isinstance(error, OSError)
    assert error.errno == errno.EBADF
    assert len(one.errors) == 1  # and the socket object could not be closed a second time


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


# --- addresses and files ------------------------------------------------------------------------------------


def test_without_addresses_it_is_an_ipv4_socket(one: House) -> None:
    transport, _ = one.open()
    assert transport.address[0] == "0.0.0.0"
    far = one.far()
    assert transport.sendto(b"x", far.getsockname())
    assert far.recv(10) == b"x"


def test_the_empty_host_is_every_interface_of_the_peers_family(one: House) -> None:
    transport, _ = one.open(local=("", 0))
    assert transport.sockname[0] == "0.0.0.0"
    if has_ipv6():
        far = one.far(("::1", 0), socket.AF_INET6)
        transport, _ = one.open(local=("", 0), remote=("::1", far.getsockname()[1]))
        assert transport.send(b"x")
        assert far.recv(10) == b"x"


def test_both_families_at_once(one: House) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    transport, heard = one.open(Listener(echo), local=("::", 0))
    port = transport.sockname[1]
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        far = one.far((host, 0), family)
        far.sendto(host.encode(), (host, port))
        one.until(lambda host=host: host.encode() in heard.got)
        assert far.recv(100) == host.encode()
    far = one.far()
    assert transport.sendto(b"literal", far.getsockname())  # an IPv4 address is mapped
    assert far.recv(100) == b"literal"


def test_a_peer_is_known_however_it_is_written(one: House) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    far = one.far(("::1", 0), socket.AF_INET6)
    transport, _ = one.open(remote=("0:0:0::1", far.getsockname()[1]))
    assert transport.sendto(b"x", ("::0:1", far.getsockname()[1]))
    assert far.recv(10) == b"x"


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"local": ("example.org", 0)}, "resolve names before"),
        ({"remote": ("example.org", 80)}, "resolve names before"),
        ({"local": ("127.0.0.1", 0), "remote": ("::1", 9)}, "IPv6 address, and the socket is for IPv4"),
        ({"local": ("127.0.0.1", 0), "remote": "unix:/x"}, "different families"),
        ({"local": "unix:/x", "remote": ("127.0.0.1", 9)}, "different families"),
        ({"local": "/x"}, 'an address is .* "unix:/path"'),
        ({"local": ()}, "an address is"),
    ],
)
def test_what_is_no_address_is_refused(one: House, kwargs: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        one.open(**kwargs)


def test_an_inherited_socket_may_be_connected(one: House) -> None:
    far = one.far()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    transport, _ = one.open(local=sock, remote=far.getsockname())
    assert sock.getblocking() is False
    assert transport.send(b"x")
    assert far.recv(10) == b"x"


def test_an_inherited_socket_must_be_one_for_datagrams(one: House) -> None:
    with socket.socket() as sock:
        with pytest.raises(ValueError, match="a TCP socket over IPv4"):
            one.open(local=sock)


def test_a_busy_port_is_an_error_unless_it_is_shared(one: House) -> None:
    transport, _ = one.open(local=LOCAL)
    with pytest.raises(OSError, match="in use"):
        one.open(local=transport.sockname)
    shared = SocketOptions(reuse_address=True)
    transport, _ = one.open(local=LOCAL, options=shared)
    again, _ = one.open(local=transport.sockname, options=shared)
    assert again.sockname == transport.sockname


def test_the_socket_file_is_removed_with_its_socket(one: House) -> None:
    path = one.unix("us")
    transport, _ = one.open(local=f"unix:{path}")
    with pytest.raises(OSError, match="in use"):  # somebody is there
        one.open(local=f"unix:{path}")
    transport.close()
    assert not os.path.exists(path)


def test_another_ones_socket_file_is_left_alone(one: House) -> None:
    path = one.unix("us")
    transport, _ = one.open(local=f"unix:{path}")
    os.rename(path, one.unix("kept"))
    one.far(path, socket.AF_UNIX)
    transport.close()
    assert os.path.exists(path)


def test_a_socket_file_that_cannot_be_removed_is_left(one: House, monkeypatch: pytest.MonkeyPatch) -> None:
    transport, heard = one.open(local=f"unix:{one.unix('us')}")

    def refuse(path: object) -> None:
        raise PermissionError(errno.EACCES, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        transport.close()
    one.until(lambda: heard.lost)


def test_the_socket_file_of_a_dead_process_is_replaced(one: House) -> None:
    path = one.unix("us")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(path)
    transport, heard = one.open(local=f"unix:{path}")
    one.far(None, socket.AF_UNIX).sendto(b"x", path)
    one.until(lambda: heard.got)
    assert not transport.is_closing()


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_what_is_no_dead_socket_is_never_removed(one: House, kind: str) -> None:
    path = one.unix("us")
    with socket.socket(socket.AF_UNIX) as live:
        if kind == "file":
            Path(path).write_text("mine")
        else:
            live.bind(path)
            live.listen()
        with pytest.raises(OSError, match="in use"):
            one.open(local=f"unix:{path}")
    assert os.path.exists(path)


def test_a_peer_that_is_not_there_leaves_no_file(one: House) -> None:
    path = one.unix("us")
    with pytest.raises(FileNotFoundError):
        one.open(local=f"unix:{path}", remote=f"unix:{one.unix('nobody')}")
    assert not os.path.exists(path)
    with pytest.raises(FileNotFoundError):
        one.open(remote=f"unix:{one.unix('nobody')}")


def test_a_name_that_the_kernel_cannot_take_is_that_datagrams_error(one: House) -> None:
    transport, heard = one.open(local=f"unix:{one.unix('us')}")
    assert not transport.sendto(b"x", "unix:/" + "long" * 50)
    one.until(lambda: heard.errors)
    assert not transport.is_closing()


def test_no_peer_is_no_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert dgram_socket.peer_of(sock) is None


# --- broadcast and multicast --------------------------------------------------------------------------------


def test_broadcast_needs_the_option(house: House) -> None:
    """Five receivers of one datagram; without the option the kernel says EACCES."""
    shared = SocketOptions(reuse_address=True)
    receivers = [house.open(local=("", 0), options=shared)]
    port = receivers[0][0].sockname[1]
    receivers += [house.open(local=("", port), options=shared) for _ in range(4)]
    dumb, heard = house.open()
    assert not dumb.sendto(b"hello", ("127.255.255.255", port))
    house.until(lambda: heard.errors)
    assert heard.numbers == [errno.EACCES]
    caller, heard = house.open(broadcast=True)
    assert caller.get_option("broadcast") is True
    if not caller.sendto(b"hello", ("127.255.255.255", port)):
        house.until(lambda: heard.errors)
        pytest.skip(f"the kernel refuses to broadcast on loopback: {heard.errors[0]}")
    house.until(lambda: all(each.got for _, each in receivers))
    assert all(each.got == [b"hello"] for _, each in receivers)


def test_a_broadcast_peer_needs_the_option(one: House) -> None:
    with pytest.raises(PermissionError):
        one.open(remote=("127.255.255.255", 9))
    one.open(remote=("127.255.255.255", 9), broadcast=True)


def test_only_ipv4_broadcasts(one: House) -> None:
    for local in (("::1", 0), f"unix:{one.unix('us')}"):
        with pytest.raises(MachineFault, match="broadcast is an option of UDP sockets over IPv4"):
            one.open(local=local, broadcast=True)


def interface_for(group: str) -> str:
    """An interface on which this machine hears its own multicast, the loopback first; skips where there is none."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    last: object = "no interface"
    for index, name in sorted(socket.if_nameindex(), key=lambda each: each[1] != "lo"):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                else:
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("8xi", index))
                sock.sendto(b"", (group, 9))
            except OSError as error:
                last = error
                continue
            return name
    pytest.skip(f"the kernel refuses to send to {group}: {last}")


@pytest.mark.parametrize("group", [IPV4_GROUP, IPV6_GROUP])
def test_a_group_is_joined_and_left(house: House, group: str) -> None:
    interface = interface_for(group)
    everywhere = "::" if ":" in group else ""
    member, heard = house.open(local=(everywhere, 0))
    port = member.sockname[1]
    options = SocketOptions(multicast_interface=interface, multicast_ttl=0, multicast_loop=True)
    caller, _ = house.open(local=(everywhere, 0), options=options)
    assert caller.get_option("multicast_ttl") == 0
    assert caller.get_option("multicast_loop") is True
    member.join_group(group, interface)
    with pytest.raises(
        MachineFault, match=f"cannot join the group {group} on interface {interface}"
    ) as twice:
        member.join_group(group, interface)
    assert twice.value.errno == errno.EADDRINUSE
    assert caller.sendto(b"hello", (group, port))
    house.until(lambda: heard.got)
    member.leave_group(group, interface)
    with pytest.raises(MachineFault, match="cannot leave"):
        member.leave_group(group, interface)
    assert caller.sendto(b"nobody listens", (group, port))
    own = ("::1" if ":" in group else "127.0.0.1", port)
    assert caller.sendto(b"end", own)
    house.until(lambda: b"end" in heard.got)
    assert heard.got == [b"hello", b"end"]


def test_a_sender_that_does_not_loop_back_is_not_heard_at_home(house: House) -> None:
    interface = interface_for(IPV4_GROUP)
    member, heard = house.open(local=("", 0))
    member.join_group(IPV4_GROUP, interface)
    port = member.sockname[1]
    caller, _ = house.open()
    caller.set_option("multicast_interface", interface)
    caller.set_option("multicast_loop", False)
    caller.set_option("multicast_ttl", 0)
    assert caller.sendto(b"elsewhere", (IPV4_GROUP, port))
    assert caller.sendto(b"here", ("127.0.0.1", port))
    house.until(lambda: b"here" in heard.got)
    if interface != "lo":  # what goes out on the loopback comes in by it
        assert heard.got == [b"here"]


def test_a_group_by_the_address_of_the_interface(one: House) -> None:
    member, heard = one.open(local=("", 0))
    try:
        member.join_group(IPV4_GROUP, "127.0.0.1")
    except MachineFault as refused:
        pytest.skip(f"the kernel refuses: {refused}")
    caller, _ = one.open(options=SocketOptions(multicast_interface="127.0.0.1"))
    assert caller.sendto(b"hello", (IPV4_GROUP, member.sockname[1]))
    one.until(lambda: heard.got)
    member.leave_group(IPV4_GROUP, "127.0.0.1")


def test_what_is_no_group_is_refused(one: House) -> None:
    transport, _ = one.open(local=LOCAL)
    for wrong in ("127.0.0.1", "223.255.255.255", "240.0.0.0", "ff02::1", "all-hosts"):
        with pytest.raises(ValueError, match="no multicast address for a UDP socket over IPv4"):
            transport.join_group(wrong)
    with pytest.raises(ValueError, match="no network interface 'nowhere0'"):
        transport.join_group(IPV4_GROUP, "nowhere0")
    with pytest.raises(MachineFault, match="cannot leave .* on the interface of the default route"):
        transport.leave_group(IPV4_GROUP)
    unix, _ = one.open(local=f"unix:{one.unix('us')}")
    with pytest.raises(
        ValueError, match="only UDP sockets can join a group, and this is a unix datagram socket"
    ):
        unix.join_group(IPV4_GROUP)


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

    def receive() -> object:
        try:
            got.append(far.recv(10))
        except BlockingIOError:
            pass
        return got

    one.until(receive)
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
