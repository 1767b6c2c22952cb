"""One listening socket for several processes: its queue outlives each of them, and newcomers are shared out evenly."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.cli.loads import ABSENT, Loads
from poise.errors import MachineFault
from poise.limits import ListenLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.bound import Bound
from poise.net.listener import Listener, listen
from poise.readiness.poller import available
from tests.support.loops import Recorder, turn_until


class Party:
    """Several reactors, each with a copy of one listening socket as a forked child has it."""

    def __init__(self, count: int, poller: str | None = None, **limits: Any) -> None:
        self.clock = ManualClock(100.0)
        self.bound = Bound(("127.0.0.1", 0), 128)
        self.loads = Loads(count)
        self.errors: list[Exception] = []
        self.reactors = [Reactor(poller, clock=self.clock, on_error=self.errors.append) for _ in range(count)]
        self.listeners: list[Listener] = []
        for number, reactor in enumerate(self.reactors):
            made = listen(reactor, self.bound.socket.dup(), Recorder, limits=ListenLimits(**limits))
            made.balance = share = self.loads.share(number)
            share.tell(0)
            self.listeners.append(made)
        self.clients: list[socket.socket] = []

    def connect(self, count: int = 1) -> None:
        assert isinstance(self.bound.address, tuple)
        self.clients += [socket.create_connection(self.bound.address) for _ in range(count)]

    @property
    def counts(self) -> list[int]:
        return [len(each.streams) for each in self.listeners]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.bound.close()
        for made, reactor in zip(self.listeners, self.reactors, strict=True):
            made.close()
            for stream in list(made.streams):
                stream.abort()
            reactor.turn(0)
            reactor.close()
        assert self.errors == []


@pytest.fixture
def party() -> Iterator[Callable[..., Party]]:
    made: list[Party] = []

    def make(count: int, **options: Any) -> Party:
        made.append(Party(count, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


POLLERS = pytest.mark.parametrize("poller", available())


# -- evenly -------------------------------------------------------------------------------------------------


@pytest.mark.pitfall(40)
@POLLERS
def test_one_that_is_always_first_leaves_newcomers_to_the_others(
    party: Callable[..., Party], poller: str
) -> None:
    here = party(2, poller=poller, ahead=3)
    first, second = here.reactors
    here.connect(20)
    for _ in range(5):
        first.turn(0)
    assert here.counts == [4, 0]  # three more than the other, and the one that made it so
    assert first.poller.interest(here.listeners[0]._fd) == 0, "it does not spin while it leaves them"
    second.turn(0)
    assert here.counts == [4, 8]
    here.clock.advance(0.01)
    for _ in range(20):
        first.turn(0)
        second.turn(0)
        here.clock.advance(0.01)
    assert sum(here.counts) == 20
    assert abs(here.counts[0] - here.counts[1]) <= 5


def test_whom_the_others_do_not_help_takes_them_all_the_same(party: Callable[..., Party]) -> None:
    here = party(2, ahead=2)
    here.connect(10)
    busy = here.reactors[0]
    taken = []
    for _ in range(8):
        busy.turn(0)
        taken.append(here.counts[0])
        here.clock.advance(0.002)
    assert taken == [3, 3, 5, 5, 7, 7, 9, 9]
    assert here.counts[1] == 0


def test_many_may_differ_by_more(party: Callable[..., Party]) -> None:
    here = party(2, ahead=1)
    here.loads.share(1).tell(80)
    for _ in range(2):
        here.connect(60)
        here.reactors[0].turn(0)
        here.reactors[0].turn(0)
    assert here.counts[0] == 80 + 1 + 80 // 8 + 1


def test_who_is_not_there_gets_nothing(party: Callable[..., Party]) -> None:
    here = party(2, ahead=1)
    here.loads.share(1).leave()
    here.connect(30)
    here.reactors[0].turn(0)
    assert here.counts[0] == 30
    assert here.loads.share(0).least() == 30
    for client in here.clients:
        client.close()
    turn_until(here.reactors[0], lambda: not here.counts[0])
    assert here.loads.share(0).least() == 0
    assert Loads(3).share(0).least() == ABSENT


# -- the queue ----------------------------------------------------------------------------------------------


@pytest.mark.pitfall(39)
@POLLERS
def test_what_is_queued_outlives_the_one_that_closes(party: Callable[..., Party], poller: str) -> None:
    here = party(2, poller=poller)
    here.connect(15)
    here.listeners[0].close()
    here.reactors[0].turn(0)
    here.loads.share(0).leave()
    turn_until(here.reactors[1], lambda: here.counts[1] == 15)
    for client in here.clients:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):  # no reset
            client.recv(1)


@pytest.mark.pitfall(39)
def test_what_is_queued_is_taken_before_the_last_one_closes(party: Callable[..., Party]) -> None:
    here = party(2, ahead=1, accepts=2)
    here.bound.close()
    assert isinstance(here.bound.address, tuple)
    here.connect(15)
    one, other = here.listeners
    other.close()
    here.reactors[1].turn(0)
    here.reactors[0].turn(0)  # it has left the rest to the one that is no more
    assert here.counts[0] == 2
    one.take_waiting()
    assert here.counts[0] == 15
    one.close()
    one.take_waiting()
    here.reactors[0].turn(0)
    for client in here.clients:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)


def test_no_more_are_taken_than_there_is_room_for(party: Callable[..., Party]) -> None:
    here = party(1, connections=4)
    here.connect(10)
    here.listeners[0].take_waiting()
    assert here.counts == [4]
    here.listeners[0].pause()
    here.listeners[0].take_waiting()
    assert here.counts == [4]


def test_a_listener_that_is_closed_tells_when_its_last_connection_is_gone(
    party: Callable[..., Party],
) -> None:
    here = party(1)
    (one,) = here.listeners
    told: list[int] = []
    one.on_empty = lambda: told.append(len(one.streams))
    here.connect(2)
    turn_until(here.reactors[0], lambda: here.counts == [2])
    here.clients[0].close()
    turn_until(here.reactors[0], lambda: here.counts == [1])
    one.close()
    here.reactors[0].turn(0)
    assert told == []
    here.clients[1].close()
    turn_until(here.reactors[0], lambda: here.counts == [0])
    assert told == [0]


# -- bound, and nobody accepts yet --------------------------------------------------------------------------


def test_a_bound_socket_says_where_it_is_and_queues() -> None:
    bound = Bound(("127.0.0.1", 0), 5)
    assert isinstance(bound.address, tuple)
    with socket.create_connection(bound.address):
        pass
    bound.close()
    bound.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(bound.address)


def test_the_file_of_a_unix_socket_goes_with_it_unless_it_is_anothers(tmp_path: Path) -> None:
    path = tmp_path / "s"
    bound = Bound(f"unix:{path}", 5)
    assert bound.address == f"unix:{path}"
    assert path.is_socket()
    with Reactor() as reactor:
        listen(reactor, bound.socket.dup(), Recorder).close()
    assert path.is_socket(), "a copy that is closed leaves it"
    bound.close()
    assert not path.exists()
    bound = Bound(f"unix:{path}", 5)
    path.unlink()
    path.write_text("another's")
    bound.close()
    assert path.read_text() == "another's"


def test_what_cannot_be_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use") as caught:
        Bound(taken.getsockname(), 5)
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(MachineFault):
        Bound(("no.such.host.invalid", 0), 5)
    with pytest.raises(ValueError, match="an address is"):
        Bound("nowhere", 5)


def test_a_socket_file_that_cannot_be_removed_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: str) -> None:
        raise PermissionError

    bound = Bound(f"unix:{tmp_path}/s", 5)
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refused)
        bound.close()
    assert (tmp_path / "s").is_socket()
    (tmp_path / "s").unlink()
