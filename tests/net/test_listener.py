"""Who gets in, and how fast; and what happens when the machine has no more to give."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.limits import ListenLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import listener as listener_module
from poise.net.certificates import ClientTLS
from poise.net.listener import EXHAUSTED, OF_ONE_NEWCOMER, Listener, client_of, listen
from poise.net.protocol import Protocol
from poise.readiness.interest import READ
from poise.readiness.poller import available
from tests.net.test_address import IPV6
from tests.support.loops import Recorder, turn_until

ROOT = Path(__file__).parents[2]


class Door:
    """A listener on a reactor with a clock that stands still, and its clients."""

    def __init__(self, poller: str | None = None, **limits: Any) -> None:
        self.clock = ManualClock(100.0)
        self.errors: list[Exception] = []
        self.reactor = Reactor(poller, clock=self.clock, on_error=self.errors.append)
        self.made: list[Recorder] = []
        self.factory: Callable[[], Protocol] = self._make
        self.listener = listen(self.reactor, ("127.0.0.1", 0), self._ask, limits=ListenLimits(**limits))
        self.clients: list[socket.socket] = []

    def _ask(self) -> Protocol:
        return self.factory()

    def _make(self) -> Recorder:
        self.made.append(Recorder())
        return self.made[-1]

    def connect(self, count: int = 1) -> list[socket.socket]:
        address = self.listener.address
        assert isinstance(address, tuple)
        made = [socket.create_connection(address) for _ in range(count)]
        self.clients += made
        return made

    def turns(self, count: int = 4) -> None:
        for _ in range(count):
            self.reactor.turn(0)

    @property
    def watched(self) -> bool:
        return self.reactor.poller.interest(self.listener._fd) == READ

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.listener.close()
        for stream in list(self.listener.streams):
            stream.abort()
        self.turns()
        assert not self.listener.streams
        assert not self.listener._per_client
        self.reactor.close()


@pytest.fixture
def door(request: pytest.FixtureRequest) -> Iterator[Callable[..., Door]]:
    made: list[Door] = []

    def make(**options: Any) -> Door:
        made.append(Door(**options))
        return made[-1]

    yield make
    for each in made:
        each.close()


Doors = Callable[..., Door]
POLLERS = pytest.mark.parametrize("poller", available())


class Failing:
    """A listening socket whose accept fails in the order given, and then does what it should."""

    def __init__(self, real: socket.socket, *codes: int) -> None:
        self.real = real
        self.codes = list(codes)
        self.calls = 0

    def _accept(self) -> Any:
        self.calls += 1
        if self.codes:
            code = self.codes.pop(0)
            raise OSError(code, os.strerror(code))
        return self.real._accept()  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def failing(door: Door, *codes: int) -> Failing:
    made = Failing(door.listener._socket, *codes)
    door.listener._socket = made  # type: ignore[assignment]
    return made


@POLLERS
def test_newcomers_get_a_protocol_and_a_non_blocking_socket(door: Doors, poller: str) -> None:
    here = door(poller=poller)
    (client,) = here.connect()
    turn_until(here.reactor, lambda: here.made)
    stream = here.made[0].stream
    assert stream.get_extra_info("socket").getblocking() is False
    assert stream.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert stream.peer == client.getsockname()
    assert "1 connections" in repr(here.listener)
    client.send(b"hello")
    turn_until(here.reactor, lambda: here.made[0].data == b"hello")


@POLLERS
def test_a_budget_of_newcomers_in_one_event(door: Doors, poller: str) -> None:
    here = door(poller=poller, accepts=3)
    here.connect(8)
    counts = []
    for _ in range(3):
        here.reactor.turn(5)
        counts.append(len(here.made))
    assert counts == [3, 6, 8]


@POLLERS
def test_nobody_is_asked_for_who_is_not_there(door: Doors, poller: str) -> None:
    """accept(2) makes a socket before it finds that nobody waits: it is the dearest way to hear so."""
    here = door(poller=poller)
    asked = failing(here)
    here.connect(5)
    turn_until(here.reactor, lambda: len(here.made) == 5)
    here.connect(1)
    turn_until(here.reactor, lambda: len(here.made) == 6)
    assert asked.calls == 6


def test_where_nothing_else_tells_accept_is_asked_until_it_says_nobody(
    door: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("select.poll")
    here = door(poller="select")
    asked = failing(here)
    here.connect(5)
    turn_until(here.reactor, lambda: len(here.made) == 5)
    assert asked.calls > 5


# -- when accept fails --------------------------------------------------------------------------------------


@pytest.mark.pitfall(6)
@pytest.mark.parametrize("code", sorted(OF_ONE_NEWCOMER))
def test_trouble_of_one_newcomer_is_not_the_next_ones(code: int, door: Doors) -> None:
    here = door()
    failing(here, code, code)
    here.connect()
    here.reactor.turn(5)
    here.turns()
    assert len(here.made) == 1
    assert here.errors == []


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EINTR])
def test_nobody_there_after_all(code: int, door: Doors) -> None:
    here = door()
    failing(here, code)
    here.connect()
    here.reactor.turn(5)
    here.turns()
    assert len(here.made) == 1


@pytest.mark.pitfall(6)
def test_endless_trouble_of_newcomers_stays_within_the_budget(door: Doors) -> None:
    here = door(accepts=10)
    fake = failing(here, *[errno.ECONNABORTED] * 25)
    here.connect()
    here.reactor.turn(5)
    assert fake.calls == 10
    here.turns()
    assert len(here.made) == 1


@pytest.mark.pitfall(5)
@POLLERS
@pytest.mark.parametrize("code", sorted(EXHAUSTED))
def test_exhaustion_pauses_with_a_growing_delay_and_resumes_by_itself(
    code: int, door: Doors, poller: str
) -> None:
    here = door(poller=poller, first_delay=0.1, longest_delay=0.5)
    told: list[tuple[int | None, float]] = []
    here.listener.on_exhausted = lambda error, delay: told.append((error.errno, delay))
    fake = failing(here, *[code] * 5)
    here.connect()
    for tries, delay in enumerate((0.1, 0.2, 0.4, 0.5, 0.5), 1):
        here.turns(20)  # still readable, and still not asked: the loop does not spin
        assert fake.calls == tries
        assert not here.watched
        assert told == [(code, each) for each in (0.1, 0.2, 0.4, 0.5, 0.5)[:tries]]
        here.clock.advance(delay * 0.9)
        here.turns()
        assert fake.calls == tries
        here.clock.advance(delay * 0.11)
    here.turns()
    assert len(here.made) == 1
    assert here.watched
    fake.codes = [code]
    here.connect()
    here.turns()
    assert told[-1] == (code, 0.1)  # trouble that was over begins anew


@pytest.mark.pitfall(5)
def test_a_place_that_becomes_free_does_not_end_the_pause(door: Doors) -> None:
    here = door(connections=2)
    first, _ = here.connect(2)
    here.turns()
    first.close()
    here.turns()
    fake = failing(here, errno.EMFILE)
    here.connect()
    here.turns()
    assert not here.watched
    here.clients[1].close()
    here.listener.resume()
    here.turns(10)
    assert fake.calls == 1
    assert not here.watched


def test_exhaustion_is_silent_unless_somebody_listens(door: Doors) -> None:
    here = door()
    failing(here, errno.EMFILE)
    here.connect()
    here.turns()
    assert here.errors == []


def test_a_socket_that_will_never_accept_again_is_closed(door: Doors) -> None:
    here = door()
    failing(here, errno.EINVAL)
    here.connect()
    here.turns()
    assert [type(each) for each in here.errors] == [OSError]
    assert here.listener._closed


EXHAUSTED_PROGRAM = """
import resource, socket, sys
from poise import Protocol, Reactor, listen
resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
class Kept(Protocol):
    def connection_made(self, stream): streams.append(stream)
streams, told, turns = [], [], 0
with Reactor(sys.argv[1]) as reactor:
    listener = listen(reactor, ("127.0.0.1", 0), Kept)
    listener.on_exhausted = lambda error, delay: told.append(delay)
    print(listener.address[1], flush=True)
    while len(told) < 4:
        reactor.turn(5); turns += 1
    first = len(streams)
    for stream in streams: stream.abort()
    while len(streams) == first:
        reactor.turn(5); turns += 1
    listener.close()
    for stream in streams: stream.abort()
    reactor.turn(0)
print(turns, first, *told, flush=True)
"""


@pytest.mark.slow
@pytest.mark.pitfall(5)
@POLLERS
def test_a_process_without_descriptors_neither_spins_nor_dies(poller: str) -> None:
    command = [sys.executable, "-c", EXHAUSTED_PROGRAM, poller]
    clients = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
            for client in clients:
                client.close()
    assert process.returncode == 0, err.decode()
    turns, first, *told = out.split()
    assert int(turns) < 60
    assert 10 <= int(first) < 30
    assert [float(each) for each in told[:4]] == [0.01, 0.02, 0.04, 0.08]


# -- caps ---------------------------------------------------------------------------------------------------


@POLLERS
def test_a_full_house_lets_newcomers_wait(door: Doors, poller: str) -> None:
    here = door(poller=poller, connections=3)
    clients = here.connect(5)
    here.turns(10)
    assert len(here.made) == 3
    assert not here.watched
    clients[0].close()
    turn_until(here.reactor, lambda: len(here.made) == 4)
    here.turns()
    assert len(here.listener.streams) == 3
    for client in clients[1:]:
        client.close()
    turn_until(here.reactor, lambda: len(here.made) == 5 and not here.listener.streams)
    assert here.watched


def test_one_client_cannot_take_every_place(door: Doors) -> None:
    here = door(per_client=2)
    clients = here.connect(4)
    here.turns()
    assert len(here.made) == 2
    assert here.listener.refused == 2
    assert [client.recv(1) for client in clients[2:]] == [b"", b""]
    clients[0].close()
    here.turns()
    here.connect()
    here.turns()
    assert len(here.made) == 3


def test_another_client_is_another(door: Doors) -> None:
    here = door(per_client=1)
    here.connect()
    address = here.listener.address
    assert isinstance(address, tuple)
    other = socket.create_connection(address, source_address=("127.0.0.2", 0))
    here.clients.append(other)
    here.turns()
    assert len(here.made) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("10.0.0.1", 5), ("10.0.0.1", 6), True),
        (("10.0.0.1", 5), ("10.0.0.2", 5), False),
        (("::ffff:10.0.0.1", 5, 0, 0), ("10.0.0.1", 6), True),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), ("2001:db8:1:2:ffff::1", 6, 0, 0), True),
        (("2001:db8:1:2::1", 5, 0, 0), ("2001:db8:1:3::1", 5, 0, 0), False),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::2", 5, 0, 0), True),
        ("", "", True),
    ],
)
def test_what_one_client_is(one: Any, other: Any, same: bool) -> None:
    assert (client_of(one) == client_of(other)) is same


def test_no_cap_for_one_client(door: Doors) -> None:
    here = door(per_client=0)
    here.connect(20)
    here.turns()
    assert len(here.made) == 20


# -- factories that fail ------------------------------------------------------------------------------------


def test_a_factory_that_raises_costs_one_connection(door: Doors) -> None:
    here = door()

    def broken() -> Protocol:
        raise ZeroDivisionError

    here.factory = broken
    (client,) = here.connect()
    here.turns()
    assert [type(each) for each in here.errors] == [ZeroDivisionError]
    assert client.recv(1) == b""
    here.factory = here._make
    here.connect()
    here.turns()
    assert len(here.made) == 1


def test_a_connection_made_that_raises_costs_one_connection(door: Doors) -> None:
    here = door()

    class Broken(Recorder):
        def connection_made(self, _stream: object) -> None:
            raise ZeroDivisionError

    here.factory = Broken
    (client,) = here.connect()
    here.turns()
    assert [type(each) for each in here.errors] == [ZeroDivisionError]
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert not here.listener.streams


def test_a_poller_that_refuses_a_descriptor_costs_one_connection(door: Doors) -> None:
    """As select(2) does beyond FD_SETSIZE."""
    here = door()
    real = here.reactor.poller.register

    def full(fd: int, mask: int) -> None:
        raise ValueError("beyond the set")

    here.reactor.poller.register = full  # type: ignore[method-assign]
    (client,) = here.connect()
    here.turns()
    assert [type(each) for each in here.errors] == [ValueError]
    assert not here.listener.streams
    assert len(here.made[0].lost) == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    here.reactor.poller.register = real  # type: ignore[method-assign]
    here.connect()
    here.turns()
    assert len(here.listener.streams) == 1


def test_a_listener_that_cannot_be_registered_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> Listener:
        raise ZeroDivisionError

    monkeypatch.setattr(listener_module, "Listener", broken)
    with Reactor() as reactor, pytest.raises(ZeroDivisionError):
        listen(reactor, ("127.0.0.1", 0), Recorder)


# -- pause, resume, close -----------------------------------------------------------------------------------


def test_pause_and_resume(door: Doors) -> None:
    here = door()
    here.listener.pause()
    here.connect(2)
    here.turns()
    assert here.made == []
    here.listener.resume()
    here.turns()
    assert len(here.made) == 2


def test_a_pause_from_inside_holds_at_once(door: Doors) -> None:
    here = door()

    def one() -> Protocol:
        here.listener.pause()
        return here._make()

    here.factory = one
    here.connect(3)
    here.turns()
    assert len(here.made) == 1


def test_a_close_from_inside_is_the_end(door: Doors) -> None:
    here = door()

    def last() -> Protocol:
        here.listener.close()
        return here._make()

    here.factory = last
    here.connect(3)
    here.turns()
    assert len(here.made) == 1
    here.listener.resume()
    here.listener.pause()
    assert len(here.listener.streams) == 1


def test_close_ends_the_listening_and_not_the_connections(door: Doors) -> None:
    here = door()
    (client,) = here.connect()
    here.turns()
    here.listener.close()
    here.listener.close()
    client.send(b"still here")
    turn_until(here.reactor, lambda: here.made[0].data == b"still here")
    address = here.listener.address
    assert isinstance(address, tuple)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    client.close()
    turn_until(here.reactor, lambda: not here.listener.streams)


def test_a_retry_that_was_planned_is_forgotten_by_close(door: Doors) -> None:
    here = door()
    failing(here, errno.EMFILE)
    here.connect()
    here.turns()
    here.listener.close()
    here.clock.advance(10)
    here.turns()
    assert here.errors == []


# -- other kinds of address ---------------------------------------------------------------------------------


@pytest.fixture
def reactor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reactor]:
    monkeypatch.chdir(tmp_path)
    with Reactor() as made:
        yield made


def hello(reactor: Reactor, listener: Listener, family: int, address: Any) -> None:
    """One client that gets in and out again."""
    with socket.socket(family) as client:
        client.connect(address)
        turn_until(reactor, lambda: listener.streams)
    turn_until(reactor, lambda: not listener.streams)


def test_a_unix_socket_and_its_file(reactor: Reactor) -> None:
    listener = listen(reactor, "unix:s", Recorder, limits=ListenLimits(per_client=1))
    assert listener.address == "unix:s"
    with socket.socket(socket.AF_UNIX) as kept:
        kept.connect("s")
        turn_until(reactor, lambda: listener.streams)
        with socket.socket(socket.AF_UNIX) as second:  # nobody has an address: no cap for one client
            second.connect("s")
            turn_until(reactor, lambda: len(listener.streams) == 2)
    turn_until(reactor, lambda: not listener.streams)
    assert os.path.exists("s")
    listener.close()
    assert not os.path.exists("s")


def test_the_file_of_another_server_stays(reactor: Reactor) -> None:
    first = listen(reactor, "unix:s", Recorder)
    os.rename("s", "old")
    second = listen(reactor, "unix:s", Recorder)
    first.close()
    assert os.path.exists("s")
    hello(reactor, second, socket.AF_UNIX, "s")
    os.unlink("s")
    second.close()


def test_a_file_that_cannot_be_removed_is_no_trouble(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = listen(reactor, "unix:s", Recorder)

    def forbidden(_path: str) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "unlink", forbidden)
    listener.close()


@pytest.mark.parametrize("name", ["s", "\0poise-test-abstract"], ids=["file", "abstract"])
def test_an_inherited_unix_socket_keeps_its_file(name: str, reactor: Reactor) -> None:
    if name.startswith("\0") and sys.platform != "linux":
        pytest.skip("abstract names are Linux's")
    inherited = socket.socket(socket.AF_UNIX)
    inherited.bind(name)
    listener = listen(reactor, inherited, Recorder)
    hello(reactor, listener, socket.AF_UNIX, name)
    assert isinstance(listener.address, str)
    listener.close()
    assert os.path.exists("s") is (name == "s")
    assert inherited.fileno() == -1


def test_an_inherited_socket(reactor: Reactor) -> None:
    inherited = socket.socket()
    inherited.bind(("127.0.0.1", 0))
    listener = listen(reactor, inherited, Recorder)
    hello(reactor, listener, socket.AF_INET, listener.address)
    listener.close()


@IPV6
def test_every_interface_in_both_families(reactor: Reactor) -> None:
    listener = listen(reactor, ("", 0), Recorder)
    assert isinstance(listener.address, tuple)
    host, port = listener.address
    assert host == "::"
    hello(reactor, listener, socket.AF_INET, ("127.0.0.1", port))
    hello(reactor, listener, socket.AF_INET6, ("::1", port))
    listener.close()


@pytest.mark.pitfall(36)
def test_a_server_can_be_restarted_at_once(reactor: Reactor) -> None:
    first = listen(reactor, ("127.0.0.1", 0), Recorder)
    assert isinstance(first.address, tuple)
    with socket.create_connection(first.address) as client:
        turn_until(reactor, lambda: first.streams)
        for stream in list(first.streams):
            stream.close()  # our side ends first: TIME_WAIT is ours
        turn_until(reactor, lambda: not first.streams)
        assert client.recv(1) == b""
    first.close()
    second = listen(reactor, first.address, Recorder)
    assert second.address == first.address
    second.close()


@pytest.mark.pitfall(39)
def test_a_port_is_not_shared_unasked(reactor: Reactor) -> None:
    """SO_REUSEPORT spreads newcomers unevenly, and who closes a listener resets those that wait in its own queue."""
    first = listen(reactor, ("127.0.0.1", 0), Recorder)
    with pytest.raises(OSError, match="in use"):
        listen(reactor, ("127.0.0.1", int(first.address[1])), Recorder)
    first.close()


def test_what_makes_no_protocols_is_refused_at_once(reactor: Reactor) -> None:
    with pytest.raises(TypeError, match="factory"):
        listen(reactor, ("127.0.0.1", 0), Recorder())  # type: ignore[arg-type]
    for tls in (object(), ClientTLS(verify=False)):
        with pytest.raises(TypeError, match="a listener needs a ServerTLS, not"):
            listen(reactor, ("127.0.0.1", 0), Recorder, tls=tls)  # type: ignore[arg-type]


# -- newcomers who say something first ----------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="this system accepts at once")
class TestDeferred:
    def test_the_kernel_keeps_who_has_said_nothing(self) -> None:
        door = Door(defer=30)
        try:
            (silent, speaking) = door.connect(2)
            door.turns()
            assert not door.made
            speaking.sendall(b"hello")
            turn_until(door.reactor, lambda: door.made)
            door.turns()
            assert len(door.made) == 1
            silent.sendall(b"x")
            turn_until(door.reactor, lambda: len(door.made) == 2)
        finally:
            door.close()

    def test_what_has_come_is_read_before_anybody_watches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who is answered and left in one go costs the kernel's list nothing."""

        class Brief(Recorder):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                self.stream.write(data.upper())
                self.stream.close()

        door = Door(defer=30)
        door.factory = Brief
        watched: list[int] = []
        register = door.reactor.poller.register

        def counting(fd: int, mask: int) -> None:
            watched.append(fd)
            register(fd, mask)

        monkeypatch.setattr(door.reactor.poller, "register", counting)
        try:
            (client,) = door.connect()
            client.sendall(b"hello")
            client.setblocking(False)
            got = bytearray()

            def answered() -> bool:
                try:
                    got.extend(client.recv(100))
                except BlockingIOError:
                    return False
                return True

            turn_until(door.reactor, answered)
            assert got == b"HELLO"
            assert not watched
            assert not door.errors
        finally:
            door.close()

    def test_a_protocol_that_raises_there_loses_only_its_own(self) -> None:
        class Broken(Recorder):
            def data_received(self, data: bytes) -> None:
                raise ValueError(data)

        door = Door(defer=30)
        door.factory = Broken
        try:
            door.connect()[0].sendall(b"a")
            turn_until(door.reactor, lambda: door.errors)
            assert isinstance(door.errors[0], ValueError)
            door.turns()
            assert not door.listener.streams
        finally:
            door.close()
