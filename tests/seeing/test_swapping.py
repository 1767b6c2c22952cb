"""What is hidden is given back, and what others have put in front of it stays."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.seeing.shorts import Shorts
from poise.seeing.swapping import Function, Make, Swap


class Base:
    def say(self) -> list[str]:
        return ["base"]


def adding(word: str) -> Make:
    def make(before: Function, alive: list[bool]) -> Function:
        return lambda *args: [*[word] * len(alive), *before(*args)]

    return make


@pytest.fixture
def owner() -> type:
    class Owner(Base):
        """Has a function from above."""

    return Owner


def test_what_was_inherited_is_so_again(owner: Any) -> None:
    swap = Swap(owner, "say", adding("ours"))
    swap.take_back()
    for _ in range(2):
        swap.put()
        swap.put()
        assert owner.say.__qualname__ == "Base.say"
        assert owner().say() == ["ours", "base"]
        swap.take_back()
        swap.take_back()
        assert "say" not in vars(owner)


def test_what_others_had_put_there_before_is_called_and_comes_back(owner: Any) -> None:
    theirs = adding("theirs")(owner.say, [True])
    owner.say = theirs
    swap = Swap(owner, "say", adding("ours"))
    swap.put()
    assert owner().say() == ["ours", "theirs", "base"]
    swap.take_back()
    assert vars(owner)["say"] is theirs


def test_what_others_put_in_front_of_it_stays(owner: Any) -> None:
    swap = Swap(owner, "say", adding("ours"))
    swap.put()
    ours = owner.say
    theirs = adding("theirs")(ours, [True])
    owner.say = theirs
    swap.take_back()
    assert vars(owner)["say"] is theirs
    assert owner().say() == ["theirs", "base"]
    swap.put()
    assert owner().say() == ["ours", "theirs", "base"]  # and not twice
    swap.take_back()
    assert vars(owner)["say"] is theirs
    owner.say = ours  # they give back what they had found
    assert owner().say() == ["base"]


def test_what_others_have_taken_away_is_put_there_again(owner: Any) -> None:
    swap = Swap(owner, "say", adding("ours"))
    swap.put()
    del owner.say
    swap.put()
    assert owner().say() == ["ours", "base"]


def test_the_end_of_hearing_leaves_the_send_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    before = socket.socket.send

    def theirs(self: socket.socket, data: Any, *flags: int) -> int:
        sent.append(bytes(data))
        return before(self, data, *flags)

    with Reactor() as reactor:
        shorts = Shorts(Probe(reactor))
        monkeypatch.setattr(socket.socket, "send", theirs)
        shorts.begin()
        left, right = socket.socketpair()
        with left, right:
            left.send(b"heard by both")
            shorts.end()
            left.send(b"heard by them")
        assert sent == [b"heard by both", b"heard by them"]
        assert vars(socket.socket)["send"] is theirs
        shorts.begin()
        monkeypatch.undo()  # which takes away ours, too
        shorts.end()
        assert "send" not in vars(socket.socket)
