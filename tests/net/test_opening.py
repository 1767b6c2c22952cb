"""Socket options where sockets are opened: set in time, handed on, and mistakes that are told before anything exists."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.limits import ConnectLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import connect as connect_room
from poise.net.certificates import ServerTLS
from poise.net.connect import ConnectError, Connecting, connect
from poise.net.datagram import open_datagram
from poise.net.listener import Listener, listen
from poise.net.options import SocketOptions, get_option, set_option
from poise.net.protocol import DatagramProtocol
from poise.net.resolve import Candidate
from tests.net.test_address import IPV6
from tests.support.certificates import Authority
from tests.support.loops import Recorder, turn_until

V4, V6 = socket.AF_INET, socket.AF_INET6
ASKED = SocketOptions(
    nodelay=False, keepalive=True, keepalive_idle=61, keepalive_interval=11, keepalive_count=3, linger=0
)
SMALL = SocketOptions(receive_buffer=4096, send_buffer=20_000)
HOSTS = pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=IPV6)])


class House:
    """Listeners and connections that are gone when the test is over."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.errors: list[Exception] = []
        self.failures: list[Exception] = []
        self.listeners: list[Listener] = []
        self.connecting: list[Connecting] = []
        self.far: list[socket.socket] = []
        reactor.on_error = self.errors.append

    def listen(
        self, address: Any = ("127.0.0.1", 0), options: SocketOptions | None = None, **more: Any
    ) -> Listener:
        self.listeners.append(listen(self.reactor, address, Recorder, options=options, **more))
        return self.listeners[-1]

    def connect(self, address: Any, options: SocketOptions | None = None, **more: Any) -> Connecting:
        more.setdefault("on_failure", self.failures.append)
        self.connecting.append(connect(self.reactor, address, Recorder, options=options, **more))
        return self.connecting[-1]

    def connected(self, address: Any, options: SocketOptions | None = None, **more: Any) -> Any:
        """The stream of a new connection."""
        connecting = self.connect(address, options, **more)
        self.until(lambda: connecting.stream or self.failures)
        assert self.failures == []
        return connecting.stream

    def visitor(self, listener: Listener) -> Any:
        """The listener's stream of a new connection."""
        far = socket.socket(listener._socket.family)
        self.far.append(far)
        far.connect(listener.sockname)
        self.until(lambda: listener.streams)
        (stream,) = listener.streams
        return stream

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def close(self) -> None:
        for far in self.far:
            far.close()
        for connecting in self.connecting:
            connecting.cancel()
            if connecting.stream is not None:
                connecting.stream.abort()
        for listener in self.listeners:
            listener.close()
            for stream in list(listener.streams):
                stream.abort()
        self.reactor.turn(0)


@pytest.fixture
def house() -> Iterator[House]:
    with Reactor() as reactor:
        made = House(reactor)
        yield made
        made.close()


def has(stream: Any, options: SocketOptions) -> None:
    """Fail unless the kernel says what was asked for; of a buffer's size Linux says the double (socket(7))."""
    for name, value in options.chosen().items():
        allowed = (value, 2 * value) if "buffer" in name else (value,)  # type: ignore[operator]
        assert stream.get_option(name) in allowed, name


def window_scale(stream: Any) -> int:
    """How far our window is shifted: agreed upon in the first packets, from the receive buffer of then (tcp(7))."""
    told = stream.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    return int(told[6] >> 4)


# -- listeners -----------------------------------------------------------------------------------------


@HOSTS
def test_accepted_connections_have_the_options_of_their_listener(house: House, host: str) -> None:
    for options in (ASKED, SMALL):
        listener = house.listen((host, 0), options)
        for name in options.chosen():
            assert get_option(listener._socket, name) == house.visitor(listener).get_option(name)
        has(house.visitor(listener), options)


def test_what_is_usual_stays_unless_it_is_chosen(house: House) -> None:
    usual = house.listen(options=SocketOptions(keepalive=True))
    assert house.visitor(usual).get_option("nodelay") is True
    assert get_option(usual._socket, "reuse_address") is True
    other = house.listen(options=SocketOptions(reuse_address=False))
    assert get_option(other._socket, "reuse_address") is False


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this system does not tell the window scale")
def test_the_receive_buffer_is_there_before_the_window_is_agreed_upon(house: House) -> None:
    usual, small = house.listen(), house.listen(options=SMALL)
    assert window_scale(house.visitor(small)) < window_scale(house.visitor(usual))
    late = house.connected(usual.address)
    early = house.connected(usual.address, SMALL)
    set_option(late.get_extra_info("socket"), "receive_buffer", 4096)
    assert late.get_option("receive_buffer") == early.get_option("receive_buffer")
    assert window_scale(early) < window_scale(late)


@pytest.mark.pitfall(39)
@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT")
def test_two_listeners_share_a_port_when_both_ask_for_it(house: House) -> None:
    shared = SocketOptions(reuse_port=True)
    first = house.listen(options=shared)
    with pytest.raises(OSError, match="in use"):
        house.listen(first.address)
    second = house.listen(first.address, shared)
    assert second.address == first.address
    streams = [house.connected(first.address) for _ in range(40)]
    house.until(lambda: len(first.streams) + len(second.streams) == 40)
    assert first.streams
    assert second.streams  # the kernel spreads them by a hash: that one gets all of 40 does not happen
    first.close()
    before = len(second.streams)
    streams.append(house.connected(second.address))
    house.until(lambda: len(second.streams) == before + 1)


@IPV6
def test_every_interface_without_ipv4(house: House) -> None:
    listener = house.listen(("", 0), SocketOptions(ipv6_only=True))
    port = int(listener.address[1])
    house.connect(("127.0.0.1", port))
    house.until(lambda: house.failures)
    assert house.failures.pop().errno == errno.ECONNREFUSED  # type: ignore[attr-defined]
    assert house.connected(("::1", port)).client == "::1"


def test_a_unix_listener_gives_its_connections_what_the_kernel_does_not(house: House, tmp_path: Path) -> None:
    listener = house.listen(f"unix:{tmp_path / 's'}", SMALL)
    has(house.visitor(listener), SMALL)


def test_an_inherited_socket_gets_them_before_it_listens(house: House) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(MachineFault, match="ipv6_only"):
            house.listen(bound, SocketOptions(nodelay=True, ipv6_only=True))
        assert bound.fileno() >= 0  # it is still the caller's
        assert get_option(bound, "nodelay") is False
        listener = house.listen(bound, ASKED)
        has(house.visitor(listener), ASKED)
        listener.close()


@pytest.mark.parametrize(
    ("address", "options", "words"),
    [
        (("127.0.0.1", 0), {"ipv6_only": True}, "option of IPv6 sockets, and this is a TCP socket over IPv4"),
        (("127.0.0.1", 0), {"broadcast": True}, "broadcast is an option of UDP sockets over IPv4"),
        ("unix:", {"nodelay": True}, "option of TCP sockets, and this is a unix stream socket"),
        ("unix:", {"reuse_port": True}, "option of IPv4 and IPv6 sockets"),
    ],
)
def test_an_option_that_makes_no_sense_there(
    house: House, tmp_path: Path, address: Any, options: dict[str, Any], words: str
) -> None:
    """Told at once, to servers and clients; and a stale socket file is not replaced for nothing."""
    if isinstance(address, str):
        address += str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "s"))
    here = (*tmp_path.iterdir(),)
    for opening in (house.listen, house.connect):
        with pytest.raises(MachineFault, match=words) as refused:
            opening(address, SocketOptions(**options))
        assert refused.value.errno == errno.ENOPROTOOPT
    assert [each.stat().st_ino for each in tmp_path.iterdir()] == [each.stat().st_ino for each in here]
    assert len(house.reactor.poller) == 1
    assert house.failures == []


def test_an_option_that_the_system_does_not_have(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    for opening in (house.listen, house.connect):
        with pytest.raises(MachineFault, match=r"no socket option reuse_port \(SO_REUSEPORT\)"):
            opening(("127.0.0.1", 1), SocketOptions(reuse_port=True))
    with pytest.raises(MachineFault, match="reuse_port"):
        open_datagram(house.reactor, DatagramProtocol, options=SocketOptions(reuse_port=True))


def test_what_are_no_socket_options(house: House) -> None:
    options: Any = {"nodelay": True}
    for opening in (house.listen, house.connect):
        with pytest.raises(TypeError, match=r"options are SocketOptions\(…\), not {'nodelay': True}"):
            opening(("127.0.0.1", 1), options)
    with pytest.raises(TypeError, match="options are"):
        open_datagram(house.reactor, DatagramProtocol, options=options)


# -- connections ---------------------------------------------------------------------------------------


@HOSTS
def test_a_connection_has_its_options(house: House, host: str) -> None:
    listener = house.listen((host, 0))
    for options in (ASKED, SMALL):
        has(house.connected(listener.address, options), options)
    assert house.connected(listener.address, SocketOptions(keepalive=True)).get_option("nodelay") is True


def test_a_connection_over_a_unix_socket(house: House, tmp_path: Path) -> None:
    listener = house.listen(f"unix:{tmp_path / 's'}")
    has(house.connected(listener.address, SMALL), SMALL)


def test_a_connection_over_tls(house: House, authority: Authority) -> None:
    listener = house.listen(tls=ServerTLS(authority.local()), options=ASKED)
    has(house.connected(listener.address, ASKED, tls=authority.client), ASKED)


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT")
def test_two_connections_from_one_port(house: House) -> None:
    """The option is there before the socket is bound."""
    shared = SocketOptions(reuse_port=True)
    first = house.connected(house.listen().address, shared, local=("127.0.0.1", 0))
    name = first.get_extra_info("sockname")
    second = house.connected(house.listen().address, shared, local=name)
    assert second.get_extra_info("sockname") == name


def resolved(monkeypatch: pytest.MonkeyPatch, *found: Candidate) -> None:
    """Have every name resolve to these."""

    def fake(reactor: Reactor, address: Any, tell: Callable[[list[Candidate]], object], _: Any) -> Any:
        return reactor.call_soon(tell, list(found))

    monkeypatch.setattr(connect_room, "resolve", fake)


def test_every_attempt_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(100.0)
    with Reactor(clock=clock) as reactor, socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        house = House(reactor)
        for _ in range(4):  # what comes now hears nothing at all
            house.far.append(socket.socket())
            house.far[-1].setblocking(False)
            house.far[-1].connect_ex(full.getsockname())
        resolved(monkeypatch, *[(V4, full.getsockname())] * 3)
        connecting = house.connect(("name.example", 80), ASKED, limits=ConnectLimits(stagger=1.0))
        for count in (1, 2, 3):
            house.until(lambda count=count: len(connecting._attempts) == count)  # type: ignore[misc]
            clock.advance(1.1)
        for attempt in connecting._attempts:
            assert attempt._socket is not None
            for name, value in ASKED.chosen().items():
                assert get_option(attempt._socket, name) == value, name
        house.close()


@IPV6
def test_an_option_of_one_family_leaves_the_other_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    four, six = house.listen(), house.listen(("::1", 0))
    only = SocketOptions(ipv6_only=True)
    resolved(monkeypatch, (V4, four.sockname), (V6, six.sockname))
    assert house.connected(("name.example", 80), only).client == "::1"
    resolved(monkeypatch, (V4, four.sockname))
    house.connect(("name.example", 80), only)
    house.until(lambda: house.failures)
    assert isinstance(house.failures[0], ConnectError)
    assert "name.example:80: ipv6_only is an option of IPv6 sockets" in str(house.failures[0])


# -- datagrams -----------------------------------------------------------------------------------------


def test_a_datagram_socket_refuses_before_it_takes_the_place_of_another(house: House, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    before = path.stat().st_ino
    for local in (f"unix:{path}", ("127.0.0.1", 0)):
        with pytest.raises(MachineFault, match="nodelay is an option of TCP sockets"):
            open_datagram(house.reactor, DatagramProtocol, local=local, options=SocketOptions(nodelay=True))
    assert path.stat().st_ino == before
