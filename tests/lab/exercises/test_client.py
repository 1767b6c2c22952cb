"""The scripted clients, against a server that is played by the test: what they expect, and how they say that it did not come."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from poise.lab.exercises.client import RESET, Client, Stage, Unmet
from poise.limits.exercises import ExerciseLimits
from tests.support.program import PATIENCE

LIMITS = ExerciseLimits(patience=0.05)


class Scene(NamedTuple):
    """A client, the other end of its connection, and where what it did is noted."""

    client: Client
    peer: socket.socket
    stage: Stage

    @property
    def log(self) -> list[tuple[str, bytes]]:
        return [(entry.what, entry.data) for entry in self.stage.log[1:]]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stage = Stage(server.getsockname()[1], LIMITS)
        client = stage.connect(buffer=4096)
        peer, _ = server.accept()
        with peer:
            yield Scene(client, peer, stage)
        stage.close()


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.close()


def end(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)


def unmet(call: Callable[[], object]) -> tuple[str, bytes, bytes]:
    with pytest.raises(Unmet) as caught:
        call()
    return caught.value.failure, caught.value.wanted, caught.value.got


def test_what_was_wanted(scene: Scene) -> None:
    scene.peer.sendall(b"yes")
    scene.client.expect(b"yes")
    scene.client.expect_nothing()
    scene.peer.sendall(b"the end")
    end(scene.peer)
    scene.client.expect_last(b"the end")
    scene.client.expect_end()
    assert scene.log == [("gets", b"yes"), ("gets", b"the end"), ("end", b"")]


@pytest.mark.parametrize(
    ("sent", "after", "failure"),
    [
        (b"", None, "no-answer"),
        (b"ye", None, "cut-short"),
        (b"no", None, "wrong-bytes"),
        (b"yes, and more", None, "wrong-bytes"),
        (b"", end, "closed-early"),
        (b"ye", end, "closed-early"),
        (b"", reset, "closed-early"),
    ],
)
def test_what_was_not_wanted(
    sent: bytes, after: Callable[[socket.socket], None] | None, failure: str, scene: Scene
) -> None:
    scene.peer.sendall(sent)
    if after is not None:
        after(scene.peer)
    assert unmet(lambda: scene.client.expect(b"yes")) == (failure, b"yes", sent)
    assert b"".join(data for what, data in scene.log if what == "gets") == sent
    how = "broken" if after is reset else "end" if after is end else "waits"
    assert (scene.log[-1][0] == how) is (failure != "wrong-bytes")


@pytest.mark.parametrize(
    ("sent", "ends", "failure"),
    [
        (b"", False, "no-answer"),
        (b"ye", False, "cut-short"),
        (b"yes", False, "not-closed"),
        (b"yes!", True, "wrong-bytes"),
        (b"ye", True, "closed-early"),
    ],
)
def test_last_words_that_were_not_wanted(sent: bytes, ends: bool, failure: str, scene: Scene) -> None:
    scene.peer.sendall(sent)
    if ends:
        end(scene.peer)
    assert unmet(lambda: scene.client.expect_last(b"yes")) == (failure, b"yes", sent)


def test_an_end_that_does_not_come(scene: Scene) -> None:
    assert unmet(scene.client.expect_end)[0] == "not-closed"
    assert unmet(scene.client.expect_cut)[0] == "not-cut"
    assert unmet(lambda: scene.client.until_end(100))[0] == "no-answer"
    scene.peer.sendall(b"what")
    assert unmet(lambda: scene.client.until_end(100)) == ("not-closed", b"", b"what")
    scene.peer.sendall(b"and this")
    assert unmet(scene.client.expect_end) == ("too-much", b"", b"and this")


def test_what_comes_too_soon(scene: Scene) -> None:
    scene.peer.sendall(b"already")
    assert select.select([scene.client.socket], [], [], PATIENCE)[0]
    assert unmet(scene.client.expect_nothing) == ("too-soon", b"", b"already")
    end(scene.peer)
    assert unmet(scene.client.until_some)[0] == "dropped"
    assert unmet(scene.client.expect_nothing)[0] == "dropped"


def test_much_is_compared_from_where_it_is_wrong(scene: Scene) -> None:
    scene.peer.sendall(b"0123x567")
    with pytest.raises(Unmet) as caught:
        scene.client.expect_all(b"01234567", 1000)
    assert (caught.value.wanted, caught.value.got) == (b"4567", b"x567")
    assert caught.value.values["at"] == 1004


def test_what_cannot_be_sent(scene: Scene) -> None:
    much = bytes(8 << 20)
    failure, rest, _ = unmet(lambda: scene.client.send(much))
    assert failure == "not-taken"
    assert 0 < len(rest) < len(much)
    reset(scene.peer)
    assert unmet(lambda: scene.client.send(much))[0] == "dropped"
    assert unmet(lambda: scene.client.pour(much, lambda: True))[0] == "dropped"
    assert unmet(scene.client.half_close)[0] == "dropped"


def test_pouring_ends_when_nothing_is_taken(scene: Scene) -> None:
    much = bytes(8 << 20)
    taken = scene.client.pour(much, lambda: True)
    assert 0 < taken < len(much)
    assert scene.client.pour(much, lambda: False) == 0, "patience ends, too"
    assert scene.log == [("sends", much[:taken]), ("sends", b"")]


def test_a_flood_may_be_cut_off(scene: Scene) -> None:
    reset(scene.peer)
    scene.client.flood(bytes(1 << 20))
    scene.client.expect_cut()
    assert scene.client.ended == "broken"


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stage = Stage(server.getsockname()[1], LIMITS)
    assert unmet(stage.connect)[0] == "no-connection"
    assert [entry.what for entry in stage.log] == ["refused"]
    assert stage.clients == []
