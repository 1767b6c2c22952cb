"""Connecting: one time limit for all of it, dead addresses that cost little, and nothing left behind."""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poise.errors import DeadlineExceeded, MachineFault, TLSError
from poise.limits import ConnectLimits, TLSLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import connect as room
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.connect import Attempt, ConnectError, Connecting, connect, interleaved, name_of
from poise.net.listener import listen
from poise.net.resolve import Candidate, ResolveError
from poise.net.stream import Stream
from poise.readiness.interest import WRITE
from poise.readiness.poller import available
from tests.support.certificates import Authority
from tests.support.loops import Recorder, turn_until

V4, V6 = socket.AF_INET, socket.AF_INET6


class Caller:
    """Connects, and keeps what it hears."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.protocol = Recorder()
        self.failures: list[Exception] = []
        self.errors: list[Exception] = []
        self.made: list[Connecting] = []
        reactor.on_error = self.errors.append

    def __call__(self, address: Any, factory: Callable[[], Any] | None = None, **options: Any) -> Connecting:
        options.setdefault("on_failure", self.failures.append)
        self.made.append(connect(self.reactor, address, factory or (lambda: self.protocol), **options))
        return self.made[-1]

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    @property
    def connected(self) -> bool:
        return hasattr(self.protocol, "stream")

    @property
    def failure(self) -> Exception:
        assert len(self.failures) == 1
        return self.failures[0]

    def nothing_left(self) -> bool:
        """Nothing is registered, and no timer waits."""
        return len(self.reactor.poller) == 1 and len(self.reactor.timers) == 0

    def close(self) -> None:
        for connecting in self.made:
            connecting.cancel()
            if connecting.stream is not None:
                connecting.stream.abort()
        self.reactor.turn(0)


@pytest.fixture(params=available())
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    with Reactor(request.param) as reactor:
        made = Caller(reactor)
        yield made
        made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


@pytest.fixture
def timed(clock: ManualClock) -> Iterator[Caller]:
    """A caller whose time stands still until it is told to go on."""
    with Reactor(clock=clock) as reactor:
        made = Caller(reactor)
        yield made
        made.close()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Blackhole:
    """A TCP listener whose queue is full: what connects to it hears nothing at all."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.address = self.listening.getsockname()
        self._inside: list[socket.socket] = []
        for _ in range(10):
            waiting = socket.socket()
            waiting.setblocking(False)
            self._inside.append(waiting)
            waiting.connect_ex(self.address)

    def close(self) -> None:
        for each in (*self._inside, self.listening):
            each.close()


@pytest.fixture
def blackhole() -> Iterator[Blackhole]:
    made = Blackhole()
    yield made
    made.close()


def candidates(monkeypatch: pytest.MonkeyPatch, *found: Candidate) -> None:
    """Have every name resolve to these."""

    def fake(reactor: Reactor, address: Any, tell: Callable[[list[Candidate]], object], _: Any) -> Any:
        return reactor.call_soon(tell, list(found))

    monkeypatch.setattr(room, "resolve", fake)


# -- success -------------------------------------------------------------------------------------------


def test_over_ipv4(caller: Caller, server: socket.socket) -> None:
    connecting = caller(server.getsockname())
    assert connecting.stream is None
    caller.until(lambda: caller.connected)
    assert connecting.stream is caller.protocol.stream
    far, address = server.accept()
    assert address == caller.protocol.stream.get_extra_info("sockname")
    assert caller.protocol.stream.peer == server.getsockname()
    assert caller.protocol.stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    caller.protocol.stream.write(b"hello")
    far.settimeout(20)
    assert far.recv(5) == b"hello"
    far.close()
    caller.until(lambda: caller.protocol.lost)
    assert caller.failures == caller.errors == []
    assert caller.nothing_left()


def test_over_ipv6(caller: Caller) -> None:
    try:
        server = socket.create_server(("::1", 0), family=V6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with server:
        for host in ("::1", "[::1]", "localhost"):
            caller.protocol = Recorder()
            caller((host, server.getsockname()[1]))
            caller.until(lambda: caller.connected)
            assert caller.protocol.stream.client == "::1"
            server.accept()[0].close()
    assert caller.failures == []


def test_localhost_is_whichever_loopback_answers(caller: Caller, server: socket.socket) -> None:
    caller(("localhost", server.getsockname()[1]))
    caller.until(lambda: caller.connected)
    assert caller.protocol.stream.client == "127.0.0.1"
    server.accept()[0].close()


def test_over_a_unix_socket(caller: Caller, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        caller(f"unix:{tmp_path / 's'}")
        caller.until(lambda: caller.connected)
        server.accept()[0].close()
        caller.until(lambda: caller.protocol.lost)
    assert caller.nothing_left()


def test_from_an_address(caller: Caller, server: socket.socket) -> None:
    caller(("localhost", server.getsockname()[1]), local=("127.0.0.2", 0))
    caller.until(lambda: caller.connected)
    far, address = server.accept()
    far.close()
    assert address[0] == "127.0.0.2"


def test_connecting_from_inside_callbacks(caller: Caller, server: socket.socket) -> None:
    second, third = Recorder(), Recorder()

    class First(Recorder):
        def connection_made(self, stream: Stream) -> None:
            super().connection_made(stream)
            caller(server.getsockname(), lambda: second)

        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            caller(server.getsockname(), lambda: third)

    first = First()
    caller(server.getsockname(), lambda: first)
    caller.until(lambda: hasattr(second, "stream"))
    first.stream.close()
    caller.until(lambda: hasattr(third, "stream"))
    caller(("127.0.0.1", closed_port()), on_failure=lambda error: caller(server.getsockname()))
    caller.until(lambda: caller.connected)


# -- failure -------------------------------------------------------------------------------------------


@pytest.mark.pitfall(33)
def test_writable_is_not_connected(caller: Caller) -> None:
    port = closed_port()
    caller(("127.0.0.1", port))
    caller.until(lambda: caller.failures)
    error = caller.failure
    assert isinstance(error, ConnectError)
    assert error.errno == errno.ECONNREFUSED
    assert str(error).endswith(f"cannot connect to 127.0.0.1:{port}: Connection refused")
    assert [type(each) for each in error.errors] == [ConnectionRefusedError]
    assert error.errors[0].filename == f"127.0.0.1:{port}"
    assert not caller.connected
    assert caller.nothing_left()


def test_no_socket_file(caller: Caller, tmp_path: Path) -> None:
    caller(f"unix:{tmp_path / 'nobody'}")
    caller.until(lambda: caller.failures)
    assert caller.failure.errno == errno.ENOENT  # type: ignore[attr-defined]
    assert f"unix:{tmp_path / 'nobody'}" in str(caller.failure)


def test_an_address_that_cannot_be_reached(caller: Caller) -> None:
    caller(("255.255.255.255", 9))
    caller.until(lambda: caller.failures)
    assert isinstance(caller.failure, ConnectError)


def test_an_unknown_name(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    caller(("name.example", 80))
    caller.until(lambda: caller.failures)
    assert isinstance(caller.failure, ResolveError)
    assert caller.nothing_left()


def test_without_on_failure_the_reactor_hears(caller: Caller) -> None:
    caller(("127.0.0.1", closed_port()), on_failure=None)
    caller.until(lambda: caller.errors)
    assert isinstance(caller.errors[0], ConnectError)


def test_an_on_failure_that_raises_is_reported(caller: Caller) -> None:
    def fail(error: Exception) -> None:
        raise ValueError("in on_failure")

    caller(("127.0.0.1", closed_port()), on_failure=fail)
    caller.until(lambda: caller.errors)
    caller.reactor.turn(0)
    assert [str(error) for error in caller.errors] == ["in on_failure"]
    assert caller.nothing_left()


@pytest.mark.parametrize("listening", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
def test_a_factory_that_raises(
    caller: Caller, authority: Authority, tmp_path: Path, kind: str, listening: bool
) -> None:
    def factory() -> Recorder:
        raise OSError("no protocol")

    address: Any = f"unix:{tmp_path / 's'}" if kind == "unix" else ("127.0.0.1", 0)
    tls = ServerTLS(authority.local()) if kind == "tls" else None
    server = listen(caller.reactor, address, Recorder, tls=tls)
    options: dict[str, Any] = {} if listening else {"on_failure": None}
    if kind == "tls":
        options["tls"] = authority.client
    connecting = caller(server.address, factory, **options)
    caller.until(lambda: caller.errors)
    caller.until(lambda: not server.streams)
    server.close()
    caller.until(caller.nothing_left)
    assert [str(error) for error in caller.errors] == ["no protocol"]
    assert caller.failures == (caller.errors if listening else [])
    assert connecting.stream is None
    connecting.cancel()


@pytest.mark.parametrize(
    ("address", "options"),
    [
        (("", 80), {}),
        (("127.0.0.1", 65536), {}),
        ((80, 80), {}),
        ("nowhere", {}),
        (("127.0.0.1", 80), {"timeout": 0}),
        (("127.0.0.1", 80), {"timeout": float("nan")}),
        (("127.0.0.1", 80), {"local": ("a.name", 0)}),
        ("unix:/x", {"local": ("127.0.0.1", 0)}),
        ("unix:/x", {"tls": True}),  # a certificate is for a name
        (("127.0.0.1", 80), {"tls": True, "server_name": ".example"}),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(
    caller: Caller, address: Any, options: dict[str, Any]
) -> None:
    if options.get("tls"):
        options = options | {"tls": ClientTLS()}
    with pytest.raises(ValueError):
        caller(address, **options)
    caller.reactor.turn(0)
    assert caller.nothing_left()
    assert caller.errors == []


def test_no_address_of_the_family_to_connect_from(caller: Caller) -> None:
    caller(("127.0.0.1", 80), local=("::1", 0))
    caller.until(lambda: caller.failures)
    assert caller.failure.errno == errno.EAFNOSUPPORT  # type: ignore[attr-defined]


def test_a_name_without_addresses(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates(monkeypatch)
    caller(("name.example", 80))
    caller.until(lambda: caller.failures)
    assert caller.failure.errno == errno.EADDRNOTAVAIL  # type: ignore[attr-defined]


def test_an_address_that_is_not_ours_to_connect_from(caller: Caller, server: socket.socket) -> None:
    caller(server.getsockname(), local=("192.0.2.1", 0))
    caller.until(lambda: caller.failures)
    assert caller.failure.errno == errno.EADDRNOTAVAIL  # type: ignore[attr-defined]
    assert caller.nothing_left()


@pytest.mark.pitfall(35)
def test_a_socket_that_connects_to_itself_is_refused(caller: Caller) -> None:
    port = closed_port()
    caller(("127.0.0.1", port), local=("127.0.0.1", port))
    caller.until(lambda: caller.failures)
    assert isinstance(caller.failure, ConnectError)
    assert caller.failure.errno == errno.ECONNREFUSED
    assert "itself" in str(caller.failure)
    assert not caller.connected
    with socket.socket() as server:  # no TIME_WAIT keeps the port from the server that belongs there
        server.bind(("127.0.0.1", port))


def test_a_descriptor_that_the_poller_cannot_watch(server: socket.socket, tmp_path: Path) -> None:
    if "select" not in available():
        pytest.skip("no select here")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1100:
        pytest.skip("no descriptor is beyond select's set here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    low: list[int] = []
    try:
        with Reactor("select") as reactor, socket.socket(socket.AF_UNIX) as unix:
            caller = Caller(reactor)
            unix.bind(str(tmp_path / "s"))
            unix.listen()
            while not low or low[-1] < 1024:
                low.append(os.dup(0))
            caller(server.getsockname())
            caller.until(lambda: caller.failures)
            assert isinstance(caller.failure, ConnectError)
            assert isinstance(caller.failure.errors[0], MachineFault)
            caller(f"unix:{tmp_path / 's'}")  # connected at once: it is the stream that cannot be watched
            caller.until(lambda: caller.protocol.lost)
            assert isinstance(caller.protocol.lost[0], MachineFault)
            caller.close()
    finally:
        for fd in low:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors(caller: Caller, server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(*args: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    connecting = caller(server.getsockname())
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", fake)
        caller.until(lambda: caller.failures)
    assert caller.failure.errno == errno.EMFILE  # type: ignore[attr-defined]
    assert connecting.stream is None


def test_limits_that_are_none_leave_nothing_open(caller: Caller, server: socket.socket) -> None:
    limits: Any = 5
    caller(server.getsockname(), stream_limits=limits)
    caller.until(lambda: caller.errors)
    assert [type(error) for error in caller.errors] == [AttributeError]
    assert caller.nothing_left()


def test_a_connection_that_is_reset_at_once(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, server: socket.socket
) -> None:
    """SO_ERROR says that all is well, and then nobody is there any more."""

    class Gone(socket.socket):
        def getpeername(self) -> Any:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Gone)
        caller(server.getsockname())
        caller.until(lambda: caller.failures)
    assert caller.failure.errno == errno.ENOTCONN  # type: ignore[attr-defined]
    assert caller.nothing_left()


# -- time ----------------------------------------------------------------------------------------------


def test_the_limit_includes_a_resolver_that_hangs(
    timed: Caller, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: hold.wait(20) and [])
    timed(("name.example", 80), timeout=3.0)
    clock.advance(2.9)
    timed.reactor.turn(0)
    assert timed.failures == []
    clock.advance(0.2)
    timed.reactor.turn(0)
    assert isinstance(timed.failure, DeadlineExceeded)
    assert str(timed.failure) == "no connection to name.example:80 within 3 s"
    hold.set()
    timed.until(lambda: not timed.reactor.pools or not any(pool.jobs for pool in pools_of(timed.reactor)))
    assert len(timed.failures) == 1


def pools_of(reactor: Reactor) -> list[Any]:
    return (
        [value for value in vars(reactor.pools).values() if hasattr(value, "jobs")] if reactor.pools else []
    )


@pytest.mark.pitfall(38)
def test_the_limit_includes_a_peer_that_is_silent(
    timed: Caller, clock: ManualClock, blackhole: Blackhole
) -> None:
    timed(blackhole.address, timeout=3.0)
    for _ in range(3):
        timed.reactor.turn(0)
    clock.advance(2.9)
    timed.reactor.turn(0)
    assert timed.failures == []
    clock.advance(0.2)
    timed.reactor.turn(0)
    assert isinstance(timed.failure, DeadlineExceeded)
    assert timed.nothing_left()


@pytest.mark.pitfall(38)
def test_the_limit_includes_the_handshake(
    timed: Caller, clock: ManualClock, server: socket.socket, authority: Authority
) -> None:
    connecting = timed(server.getsockname(), tls=authority.client, timeout=3.0)
    timed.until(lambda: connecting._carrier)
    clock.advance(3.1)
    timed.reactor.turn(0)
    assert isinstance(timed.failure, DeadlineExceeded)
    timed.reactor.turn(0)
    assert timed.nothing_left()
    assert connecting.stream is None


def test_success_ends_the_time(timed: Caller, clock: ManualClock, server: socket.socket) -> None:
    timed(server.getsockname(), timeout=3.0)
    timed.until(lambda: timed.connected)
    assert len(timed.reactor.timers) == 0
    clock.advance(10.0)
    timed.reactor.turn(0)
    assert timed.failures == timed.protocol.lost == []


# -- giving up -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["resolving", "retrying", "connecting", "handshake", "failed", "done"])
def test_who_cancels_hears_nothing(
    caller: Caller,
    server: socket.socket,
    blackhole: Blackhole,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
) -> None:
    hold = threading.Event()
    full = full_unix(tmp_path)
    if phase == "resolving":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: hold.wait(20) and [])
        connecting = caller(("name.example", 80))
        caller.reactor.turn(0)
    elif phase == "retrying":
        connecting = caller(full.address)
        caller.until(lambda: any(attempt._retry for attempt in connecting._attempts))
    elif phase == "connecting":
        connecting = caller(blackhole.address)
        caller.until(lambda: connecting._attempts)
    elif phase == "handshake":
        connecting = caller(server.getsockname(), tls=authority.client)
        caller.until(lambda: connecting._carrier)
    elif phase == "failed":
        connecting = caller(("127.0.0.1", closed_port()))
        caller.until(lambda: connecting._errors)
    else:
        connecting = caller(server.getsockname())
        caller.until(lambda: caller.connected)
    connecting.cancel()
    connecting.cancel()
    hold.set()
    for _ in range(5):
        caller.reactor.turn(0)
    assert caller.failures == caller.errors == []
    if phase == "done":
        assert not caller.protocol.stream.is_closing()
    else:
        assert caller.nothing_left()
        assert not caller.connected
        assert connecting.stream is None
    full.close()


def test_cancelling_between_the_answer_and_the_first_attempt(caller: Caller, server: socket.socket) -> None:
    connecting = caller(server.getsockname())
    connecting.cancel()
    caller.reactor.turn(0)
    assert caller.nothing_left()


def test_two_failures_in_one_turn_are_one_failure(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    candidates(monkeypatch, (V4, ("127.0.0.1", port)), (V4, ("127.0.0.2", port)))
    caller(("name.example", port), limits=ConnectLimits(stagger=0.01))
    caller.until(lambda: caller.failures)
    caller.reactor.turn(0)
    assert isinstance(caller.failure, ConnectError)
    assert [each.filename for each in caller.failure.errors] == [f"127.0.0.1:{port}", f"127.0.0.2:{port}"]
    assert "(and 1 more failed)" in str(caller.failure)


# -- unix sockets with a full queue --------------------------------------------------------------------


class FullUnix:
    def __init__(self, path: Path) -> None:
        self.address = f"unix:{path}"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen(0)
        self.inside: list[socket.socket] = []
        while True:
            waiting = socket.socket(socket.AF_UNIX)
            waiting.setblocking(False)
            self.inside.append(waiting)
            if waiting.connect_ex(str(path)) == errno.EAGAIN:
                return

    def close(self) -> None:
        for each in (*self.inside, self.listening):
            each.close()


def full_unix(folder: Path) -> FullUnix:
    return FullUnix(folder / "full")


def _same(protocol: Recorder) -> Recorder:
    return protocol


@pytest.mark.pitfall(34)
def test_a_full_unix_queue_is_tried_again(timed: Caller, clock: ManualClock, tmp_path: Path) -> None:
    full = full_unix(tmp_path)
    others = [Recorder() for _ in range(4)]
    connecting = timed(full.address)
    for _ in range(5):
        timed.reactor.turn(0)
        clock.advance(0.011)
    assert len(connecting._attempts) == 1
    assert not timed.connected
    for other in others:
        timed(full.address, partial(_same, other))
    for _ in range(20):
        full.listening.accept()[0].close()
        for _ in range(3):
            timed.reactor.turn(0)
            clock.advance(0.011)
        if timed.connected and all(hasattr(other, "stream") for other in others):
            break
    assert timed.connected
    assert all(hasattr(other, "stream") for other in others)
    full.close()
    timed.until(timed.nothing_left)
    assert timed.failures == []


# -- Happy Eyeballs (RFC 8305) -------------------------------------------------------------------------


class Race:
    """Scripted candidates under a clock that stands still."""

    def __init__(self, timed: Caller, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.caller = timed
        self.clock = clock
        self.begun: list[str] = []
        self._patch = monkeypatch
        real = Attempt.begin

        def begin(attempt: Attempt) -> None:
            self.begun.append(attempt._sockaddr[0])
            real(attempt)

        monkeypatch.setattr(Attempt, "begin", begin)

    def start(self, *found: Candidate, **limits: Any) -> Connecting:
        candidates(self._patch, *found)
        connecting = self.caller(("name.example", 80), limits=ConnectLimits(**limits))
        self.turns()
        return connecting

    def turns(self) -> None:
        for _ in range(5):
            self.caller.reactor.turn(0)


@pytest.fixture
def race(timed: Caller, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Race:
    return Race(timed, clock, monkeypatch)


def test_a_silent_address_gets_a_rival_after_a_while(
    race: Race, blackhole: Blackhole, server: socket.socket
) -> None:
    port = server.getsockname()[1]
    race.start((V4, blackhole.address), (V4, ("127.0.0.1", port)), stagger=0.25)
    assert len(race.begun) == 1
    race.clock.advance(0.2)
    race.turns()
    assert len(race.begun) == 1
    race.clock.advance(0.06)
    race.caller.until(lambda: race.caller.connected)
    assert len(race.begun) == 2
    assert race.caller.protocol.stream.peer == ("127.0.0.1", port)
    race.turns()
    # The loser is closed: what is left is the winner.
    assert len(race.caller.reactor.poller) == 2
    assert len(race.caller.reactor.timers) == 0


def test_a_refused_address_gets_a_rival_at_once(race: Race, server: socket.socket) -> None:
    race.start((V4, ("127.0.0.1", closed_port())), (V4, server.getsockname()))
    race.caller.until(lambda: race.caller.connected)  # and no time has gone by
    assert len(race.begun) == 2
    assert race.caller.failures == []


def test_the_first_may_still_win(race: Race, server: socket.socket, blackhole: Blackhole) -> None:
    """The rival has started, and then the first one answers after all."""
    connecting = race.start((V4, blackhole.address), (V4, (blackhole.address[0], blackhole.address[1])))
    race.clock.advance(0.3)
    race.turns()
    assert len(connecting._attempts) == 2
    first = next(iter(connecting._attempts))
    assert first._socket is not None
    fd = first._socket.fileno()
    race.caller.reactor.unregister(fd)
    first._socket.close()
    first._socket = socket.create_connection(server.getsockname())
    first._socket.setblocking(False)
    race.caller.reactor.register(first._socket.fileno(), WRITE, first._on_ready)
    race.caller.until(lambda: race.caller.connected)
    assert connecting._attempts == set()
    race.turns()
    assert len(race.caller.reactor.poller) == 2


def test_a_name_alone_says_who_a_unix_server_is(caller: Caller, authority: Authority, tmp_path: Path) -> None:
    server = listen(caller.reactor, f"unix:{tmp_path / 's'}", Recorder, tls=ServerTLS(authority.local()))
    caller(server.address, tls=authority.client, server_name="localhost")
    caller.until(lambda: caller.connected)
    anybody = Recorder()
    caller(server.address, lambda: anybody, tls=ClientTLS(verify=False))
    caller.until(lambda: hasattr(anybody, "stream"))
    for stream in (caller.protocol.stream, anybody.stream):
        stream.close()
    caller.until(lambda: not server.streams)
    server.close()


def test_all_of_them_fail(race: Race) -> None:
    port = closed_port()
    race.start(*((V4, (f"127.0.0.{number}", port)) for number in range(1, 6)))
    race.caller.until(lambda: race.caller.failures)
    error = race.caller.failure
    assert isinstance(error, ConnectError)
    assert len(error.errors) == 5
    assert "(and 4 more failed)" in str(error)
    assert race.begun == [f"127.0.0.{number}" for number in range(1, 6)]
    assert race.caller.nothing_left()


def test_a_failed_last_one_does_not_end_what_is_under_way(race: Race, blackhole: Blackhole) -> None:
    connecting = race.start((V4, blackhole.address), (V4, ("127.0.0.1", closed_port())))
    race.clock.advance(0.3)
    race.turns()
    assert len(connecting._errors) == 1
    assert len(connecting._attempts) == 1
    assert race.caller.failures == []


def test_the_winner_of_one_batch_is_one(
    timed: Caller, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    """Two addresses answer in the same turn: one protocol, one connection, the other is closed."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        candidates(monkeypatch, (V4, one.getsockname()), (V4, two.getsockname()))
        made: list[Recorder] = []
        batch: list[Any] = []
        reactor = timed.reactor
        real = reactor.register

        def register(fd: int, mask: int, handler: Any) -> None:
            real(fd, mask, handler)
            batch.append((fd, handler))

        monkeypatch.setattr(reactor, "register", register)
        ready: list[tuple[int, int]] = []

        def poll(timeout: float | None = None, most: int = -1) -> list[tuple[int, int]]:
            events = ready.copy()
            ready.clear()
            return events

        monkeypatch.setattr(reactor.poller, "poll", poll)
        connecting = timed(("name.example", 80), lambda: made.append(Recorder()) or made[-1])  # type: ignore[func-returns-value]
        reactor.turn(0)
        clock.advance(0.3)
        reactor.turn(0)
        assert len(connecting._attempts) == 2
        ready += [(fd, WRITE) for fd, _ in batch]
        reactor.turn(0)
        assert len(made) == 1
        assert timed.errors == []


def test_the_race_is_run_in_that_order(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers: each family has its turn, though the resolver named one of them twice first."""
    monkeypatch.setattr(Attempt, "_try", lambda attempt, connecting: None)
    race.start(
        *((V4, (f"127.0.0.{number}", 80)) for number in (1, 2, 3)),
        *((socket.AF_UNIX, f"/{number}") for number in (4, 5)),  # stands for IPv6, which a machine may lack
    )
    for _ in range(5):
        race.clock.advance(0.26)
        race.turns()
    assert race.begun == ["127.0.0.1", "/", "127.0.0.2", "/", "127.0.0.3"]


@pytest.mark.parametrize(
    ("families", "order"),
    [
        ("6644", "6464"),
        ("6664", "6466"),
        ("4666", "4666"),
        ("44", "44"),
        ("6", "6"),
        ("", ""),
    ],
)
def test_the_families_take_turns(families: str, order: str) -> None:
    found: list[Candidate] = [(V6 if each == "6" else V4, index) for index, each in enumerate(families)]
    mixed = interleaved(found)
    assert "".join("6" if family == V6 else "4" for family, _ in mixed) == order
    for family in (V4, V6):
        kept = [index for each, index in mixed if each == family]
        assert kept == sorted(kept)
    assert sorted(mixed, key=lambda each: each[1]) == found


# -- TLS -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("name.example", "name.example"),
        ("name.example.", "name.example"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_what_a_certificate_calls_a_host(host: str, name: str) -> None:
    assert name_of(host) == name


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_the_certificate_is_for_the_host(caller: Caller, authority: Authority, host: str) -> None:
    where = "::1" if ":" in host else "127.0.0.1"
    try:
        server = listen(caller.reactor, (where, 0), Recorder, tls=ServerTLS(authority.local()))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    connecting = caller((host, server.address[1]), tls=authority.client)
    caller.until(lambda: caller.connected)
    assert connecting.stream is caller.protocol.stream
    assert connecting.stream is not connecting._carrier
    caller.protocol.stream.close()
    caller.until(lambda: caller.protocol.lost)
    caller.until(lambda: not server.streams)
    server.close()


def test_the_wrong_host_is_told_once(caller: Caller, authority: Authority) -> None:
    server = listen(caller.reactor, ("127.0.0.1", 0), Recorder, tls=ServerTLS(authority.local()))
    connecting = caller(server.address, tls=authority.client, server_name="other.example")
    caller.until(lambda: caller.failures)
    connecting.cancel()
    caller.until(lambda: not server.streams and len(caller.reactor.poller) == 2)
    assert "mismatch" in str(caller.failure)
    assert caller.errors == []
    server.close()


class Held:
    """A reactor whose kernel is asked nothing for a while: what is ready is ``batch``."""

    def __init__(self, reactor: Reactor, patch: pytest.MonkeyPatch) -> None:
        self.begun: list[int] = []
        self.batch: list[tuple[int, int]] = []
        self._register = reactor.register
        patch.setattr(reactor, "register", self._begin)
        patch.setattr(reactor.poller, "poll", self._poll)

    def _begin(self, fd: int, mask: int, handler: Callable[[int], None]) -> None:
        self._register(fd, mask, handler)
        self.begun.append(fd)

    def _poll(self, timeout: float | None = None, most: int = -1) -> list[tuple[int, int]]:
        ready, self.batch = self.batch, []
        return ready

    def all_ready(self) -> None:
        self.batch = [(fd, WRITE) for fd in self.begun]


def test_a_failure_beside_the_winner_does_not_end_the_handshake(
    timed: Caller, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """One address refuses and another answers in the same turn; the handshake with it goes on."""
    server = listen(timed.reactor, ("127.0.0.1", 0), Recorder, tls=ServerTLS(authority.local()))
    candidates(monkeypatch, (V4, ("127.0.0.1", closed_port())), (V4, server.address))
    with monkeypatch.context() as patch:
        held = Held(timed.reactor, patch)
        timed(("localhost", 80), tls=authority.client)
        timed.reactor.turn(0)
        clock.advance(0.3)
        timed.reactor.turn(0)
        assert len(held.begun) == 2
        held.all_ready()
        timed.reactor.turn(0)
    timed.until(lambda: timed.connected or timed.failures)
    assert timed.failures == []
    timed.protocol.stream.close()
    timed.until(lambda: timed.protocol.lost and not server.streams)
    server.close()


def test_two_that_fail_together_have_one_successor(
    race: Race, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = closed_port()
    with monkeypatch.context() as patch:
        held = Held(race.caller.reactor, patch)
        connecting = race.start(*((V4, (f"127.0.0.{number}", port)) for number in range(1, 5)))
        clock.advance(0.3)
        race.turns()
        assert race.begun == ["127.0.0.1", "127.0.0.2"]
        held.all_ready()
        race.turns()
        assert len(connecting._errors) == 2
        assert race.begun == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        clock.advance(0.3)
        race.turns()
        assert race.begun[3:] == ["127.0.0.4"]
    race.caller.until(lambda: race.caller.failures)
    assert len(race.caller.failure.errors) == 4  # type: ignore[attr-defined]


def test_who_is_cancelled_by_another_in_the_same_batch_hears_nothing(
    timed: Caller, monkeypatch: pytest.MonkeyPatch, server: socket.socket
) -> None:
    with monkeypatch.context() as patch:
        held = Held(timed.reactor, patch)
        made: list[Connecting] = []

        class Canceller(Recorder):
            def connection_made(self, stream: Stream) -> None:
                super().connection_made(stream)
                for connecting in made:
                    connecting.cancel()

        timed(server.getsockname(), Canceller)
        made += [timed(server.getsockname()), timed(("127.0.0.1", closed_port()))]
        timed.reactor.turn(0)
        assert len(held.begun) == 3
        held.all_ready()
        for _ in range(3):
            timed.reactor.turn(0)
    assert timed.failures == timed.errors == []
    assert not timed.connected
    assert len(timed.reactor.poller) == 2


# -- what a connection does not say (pitfall 38) -------------------------------------------------------


@pytest.mark.pitfall(38)
def test_connected_does_not_mean_accepted(caller: Caller) -> None:
    protocols = [Recorder(), Recorder()]
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:  # which never accepts
        for protocol in protocols:
            caller(server.getsockname(), partial(_same, protocol))
        caller.until(lambda: all(hasattr(protocol, "stream") for protocol in protocols))
        protocols[0].stream.write(b"is anybody there?")
        caller.reactor.turn(0)
    assert caller.failures == []
    caller.until(lambda: all(protocol.lost for protocol in protocols))


@pytest.mark.pitfall(38)
def test_a_server_ends_who_connects_and_is_silent(
    timed: Caller, clock: ManualClock, authority: Authority
) -> None:
    server = listen(
        timed.reactor,
        ("127.0.0.1", 0),
        Recorder,
        tls=ServerTLS(authority.local()),
        tls_limits=TLSLimits(handshake_time=2.0),
    )
    timed(server.address)
    timed.until(lambda: timed.connected and server.streams)
    clock.advance(1.9)
    timed.reactor.turn(0)
    assert timed.protocol.eof == 0
    clock.advance(0.2)
    timed.until(lambda: timed.protocol.lost)
    assert timed.protocol.eof == 1
    timed.until(lambda: not server.streams)
    server.close()


# -- more about time, and about trust ------------------------------------------------------------------


def test_no_limit_is_a_limit_too(caller: Caller, server: socket.socket) -> None:
    caller(server.getsockname(), timeout=float("inf"))
    caller.until(lambda: caller.connected)
    assert caller.protocol.stream.peer == server.getsockname()


def test_the_limit_includes_a_queue_that_stays_full(
    timed: Caller, clock: ManualClock, tmp_path: Path
) -> None:
    full = full_unix(tmp_path)
    timed(full.address, timeout=3.0)
    for _ in range(29):
        timed.reactor.turn(0)
        clock.advance(0.1)
    assert timed.failures == []
    clock.advance(0.2)
    timed.reactor.turn(0)
    assert isinstance(timed.failure, DeadlineExceeded)
    timed.reactor.turn(0)
    assert timed.nothing_left()
    full.close()


def test_a_full_queue_whose_listener_leaves_is_a_refusal(
    timed: Caller, clock: ManualClock, tmp_path: Path
) -> None:
    full = full_unix(tmp_path)
    connecting = timed(full.address)
    timed.until(lambda: any(attempt._retry for attempt in connecting._attempts))
    full.close()
    clock.advance(0.02)
    timed.until(lambda: timed.failures)
    assert isinstance(timed.failure, ConnectError)
    assert timed.failure.errno == errno.ECONNREFUSED
    assert timed.nothing_left()


def test_the_handshake_has_its_own_limit_within_the_whole(
    timed: Caller, clock: ManualClock, server: socket.socket, authority: Authority
) -> None:
    connecting = timed(server.getsockname(), tls=authority.client, timeout=1000.0)
    timed.until(lambda: connecting._carrier)
    clock.advance(TLSLimits().handshake_time + 1)
    timed.until(lambda: timed.failures)
    assert isinstance(timed.failure, DeadlineExceeded)
    assert "handshake" in str(timed.failure)
    for _ in range(1000):  # and the whole says nothing more, nor does a peer that never closes keep it open
        clock.advance(1.0)
        timed.reactor.turn(0)
    assert len(timed.failures) == 1
    assert timed.nothing_left()


@pytest.mark.parametrize("raises", [False, True])
def test_an_authority_that_we_do_not_trust_is_told_once(
    caller: Caller, authority: Authority, tmp_path: Path, raises: bool
) -> None:
    def tell(error: Exception) -> None:
        caller.failures.append(error)
        if raises:
            raise ValueError("in on_failure")

    server = listen(caller.reactor, ("127.0.0.1", 0), Recorder, tls=ServerTLS(authority.local()))
    connecting = caller(server.address, tls=Authority(tmp_path).client, on_failure=tell)
    caller.until(lambda: caller.failures)
    caller.until(lambda: not server.streams and len(caller.reactor.poller) == 2)
    server.close()
    caller.until(caller.nothing_left)
    assert isinstance(caller.failure, TLSError)
    assert "verify failed" in str(caller.failure)
    assert [str(error) for error in caller.errors] == (["in on_failure"] if raises else [])
    assert connecting.stream is None
    assert not caller.connected


def test_too_late_to_cancel_what_tls_has_begun(caller: Caller, authority: Authority) -> None:
    server = listen(caller.reactor, ("127.0.0.1", 0), Recorder, tls=ServerTLS(authority.local()))
    connecting = caller(server.address, tls=authority.client)
    caller.until(lambda: caller.connected)
    connecting.cancel()
    caller.reactor.turn(0)
    assert not caller.protocol.stream.is_closing()
    caller.protocol.stream.close()
    caller.until(lambda: caller.protocol.lost and not server.streams)
    server.close()


@pytest.mark.parametrize("tls", [True, "localhost", ServerTLS])
def test_what_is_no_clients_tls_is_a_mistake(caller: Caller, authority: Authority, tls: Any) -> None:
    with pytest.raises(TypeError, match="a client needs a ClientTLS, not"):
        caller(("127.0.0.1", 1), tls=tls(authority.local()) if tls is ServerTLS else tls)
    assert caller.nothing_left()


def test_what_makes_no_protocols_is_refused_at_once(caller: Caller) -> None:
    protocol: Any = Recorder()
    with pytest.raises(TypeError, match="a factory makes a protocol"):
        caller(("127.0.0.1", 1), protocol)
    assert caller.nothing_left()


def test_a_name_to_check_without_tls_is_a_mistake() -> None:
    with Reactor() as reactor, pytest.raises(ValueError, match="without tls"):
        connect(reactor, ("127.0.0.1", 1), Recorder, server_name="example.org")
