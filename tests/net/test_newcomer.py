"""Newcomers that are answered at once, and never become a stream."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from poise import Protocol, Reactor
from poise.limits import ListenLimits
from poise.net import listener
from poise.net.ending import IN_FLIGHT
from poise.net.listener import listen
from poise.net.newcomer import FIRST_WORDS
from tests.support.loops import Recorder, turn_until

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="this system does not wait for the first words"
)


class Door:
    """A listener that knows some answers, and those who come."""

    def __init__(self, **limits: Any) -> None:
        self.errors: list[Exception] = []
        self.reactor = Reactor(on_error=self.errors.append)
        self.made: list[Recorder] = []
        self.answers: dict[bytes, bytes] = {b"time?": b"noon"}
        self.asked: list[tuple[bytes, Any]] = []
        self.listener = listen(
            self.reactor, ("127.0.0.1", 0), self.make, limits=ListenLimits(defer=30, **limits)
        )
        self.listener.at_once = self.at_once
        self.clients: list[socket.socket] = []

    def make(self) -> Protocol:
        self.made.append(Recorder())
        return self.made[-1]

    def at_once(self, said: bytes, peer: Any) -> bytes | None:
        self.asked.append((said, peer))
        return self.answers.get(said)

    def client(self, said: bytes = b"") -> socket.socket:
        made = socket.create_connection(self.listener.sockname)
        self.clients.append(made)
        made.sendall(said)
        return made

    def hear(self, client: socket.socket, count: int = -1) -> bytes:
        """All that ``client`` gets until the end, or ``count`` bytes."""
        client.setblocking(False)
        got = bytearray()

        def over() -> bool:
            try:
                data = client.recv(1 << 16)
            except BlockingIOError:
                return len(got) == count
            got.extend(data)
            return not data

        turn_until(self.reactor, over)
        return bytes(got)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.listener.close()
        for stream in list(self.listener.streams):
            stream.abort()
        self.reactor.turn(0)
        self.reactor.close()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


def test_whoever_asks_what_is_known_gets_that_and_the_end(door: Door) -> None:
    client = door.client(b"time?")
    assert door.hear(client) == b"noon"
    assert not door.made
    assert door.asked == [(b"time?", client.getsockname())]
    assert (door.listener.accepted, len(door.listener.streams)) == (1, 0)


def test_whoever_asks_something_else_becomes_a_stream_that_hears_it(door: Door) -> None:
    client = door.client(b"why?")
    turn_until(door.reactor, lambda: door.made and door.made[0].data)
    client.sendall(b" why?")
    turn_until(door.reactor, lambda: door.made[0].data == b"why? why?")
    door.made[0].stream.write(b"because")
    assert door.hear(client, 7) == b"because"


def test_the_words_come_before_the_end(door: Door) -> None:
    client = door.client(b"bye")
    client.shutdown(socket.SHUT_WR)
    turn_until(door.reactor, lambda: door.made and door.made[0].eof)
    assert door.made[0].data == b"bye"


def test_whoever_leaves_without_a_word_is_heard_to_leave(door: Door) -> None:
    door.client().shutdown(socket.SHUT_WR)
    turn_until(door.reactor, lambda: door.made and door.made[0].eof)
    assert not door.asked


def test_who_says_as_much_as_is_heard_may_have_more_to_say(door: Door) -> None:
    said = b"x" * (FIRST_WORDS + 10)
    door.answers[said[:FIRST_WORDS]] = b"wrong"
    door.client(said)
    turn_until(door.reactor, lambda: door.made and len(door.made[0].data) == len(said))
    assert not door.asked


@pytest.mark.parametrize("size", [IN_FLIGHT, IN_FLIGHT + 1, 8 << 20], ids=["most", "more", "much more"])
def test_a_long_answer_arrives_whole(door: Door, size: int) -> None:
    door.answers[b"all?"] = answer = bytes(range(256)) * (size // 256) + b"!" * (size % 256)
    assert door.hear(door.client(b"all?")) == answer
    turn_until(door.reactor, lambda: not door.listener.streams)
    assert not door.errors


def test_the_rest_of_what_the_kernel_does_not_take_is_sent_later(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow(socket.socket):
        narrow = True

        def send(self, data: Any, flags: int = 0) -> int:
            first, Narrow.narrow = Narrow.narrow, False
            return super().send(data[:3] if first else data, flags)

    def accept(listening: socket.socket) -> tuple[socket.socket, Any]:
        made, peer = listening.accept()
        return Narrow(fileno=made.detach()), peer

    monkeypatch.setattr(listener, "accept", accept)
    assert door.hear(door.client(b"time?")) == b"noon"
    assert not Narrow.narrow
    assert not door.errors


def test_what_raises_there_loses_only_its_own(door: Door) -> None:
    def broken(said: bytes, peer: Any) -> bytes | None:
        raise ValueError(said)

    door.listener.at_once = broken
    assert door.hear(door.client(b"time?")) == b""
    (error,) = door.errors
    assert isinstance(error, ValueError)
    door.listener.at_once = door.at_once
    assert door.hear(door.client(b"time?")) == b"noon"


def test_a_client_with_no_place_left_is_not_answered_either() -> None:
    door = Door(per_client=2)
    try:
        for _ in range(2):
            door.client(b"stay")
        turn_until(door.reactor, lambda: len(door.listener.streams) == 2)
        try:
            assert door.hear(door.client(b"time?")) == b""
        except ConnectionResetError:
            pass  # what it had said was not read
        assert door.listener.refused == 1
        door.clients[0].close()
        turn_until(door.reactor, lambda: len(door.listener.streams) == 1)
        assert door.hear(door.client(b"time?")) == b"noon"
        assert not door.errors
    finally:
        door.close()


def test_all_who_wait_are_answered_before_the_listener_closes(door: Door) -> None:
    count = door.listener.limits.accepts * 2 + 1
    waiting = [door.client(b"time?") for _ in range(count)]
    turn_until(door.reactor, lambda: door.asked)  # the kernel hands over what has spoken, the last one too
    door.listener.take_waiting()
    door.listener.close()
    assert [door.hear(client) for client in waiting] == [b"noon"] * count
    assert door.listener.accepted == count


def test_a_listener_knows_its_own_kind(door: Door) -> None:
    made = door.listener._socket
    plain = socket.socket(fileno=socket.dup(made.fileno()))
    with plain:
        assert (made.family, made.type) == (plain.family, plain.type) == (socket.AF_INET, socket.SOCK_STREAM)


def test_without_deferral_nobody_is_asked() -> None:
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder())
        return made[-1]

    with Reactor() as reactor:
        listener = listen(reactor, ("127.0.0.1", 0), make)
        listener.at_once = lambda said, peer: b"wrong"
        with socket.create_connection(listener.sockname) as client:
            client.sendall(b"hello")
            turn_until(reactor, lambda: made and made[0].data)
            made[0].stream.abort()
        listener.close()
