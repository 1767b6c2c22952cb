"""A large file leaves in full packets: its socket is corked while it is sent, and never a moment longer."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from poise import Reactor
from poise.limits import StreamLimits
from poise.net import outgoing
from poise.net.outgoing import CORKED_FROM
from poise.net.stream import Stream
from tests.support.loops import Recorder, turn_until

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="TCP_CORK is Linux")


class Pair:
    """A stream, and the plain socket at its other end."""

    def __init__(self, reactor: Reactor, near: socket.socket, far: socket.socket) -> None:
        self.reactor = reactor
        self.near = near
        self.far = far
        far.setblocking(False)
        near.setblocking(False)
        self.protocol = Recorder()
        self.stream = Stream(reactor, near, self.protocol, None, StreamLimits())
        self.stream.begin()
        self.got = bytearray()
        self.corked: list[bool] = []

    @property
    def is_corked(self) -> bool:
        return bool(self.near.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))

    def send(self, path: Path) -> None:
        self.stream.sendfile(os.open(path, os.O_RDONLY), 0, path.stat().st_size)

    def receive(self, count: int) -> bytes:
        def arrived() -> bool:
            try:
                self.got += self.far.recv(1 << 20)
            except BlockingIOError:
                pass
            if self.near.family == socket.AF_INET:
                self.corked.append(self.is_corked)
            return len(self.got) >= count

        turn_until(self.reactor, arrived)
        return bytes(self.got)


@pytest.fixture
def pair() -> Iterator[Callable[[bool], Pair]]:
    made: list[Pair] = []
    with Reactor() as reactor:

        def make(unix: bool = False) -> Pair:
            if unix:
                ends = socket.socketpair()
            else:
                with socket.create_server(("127.0.0.1", 0)) as door:
                    far = socket.create_connection(door.getsockname())
                    ends = door.accept()[0], far
            made.append(Pair(reactor, *ends))
            return made[-1]

        yield make
        for each in made:
            each.stream.abort()
            each.far.close()
        reactor.turn(0)


def file_of(folder: Path, size: int) -> Path:
    path = folder / f"{size}.bin"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"!" * (size % 256))
    return path


def test_a_large_file_is_corked_until_its_last_byte(pair: Callable[..., Pair], tmp_path: Path) -> None:
    one = pair()
    path = file_of(tmp_path, 8 << 20)
    one.stream.write(b"head")
    one.send(path)
    assert one.is_corked
    one.stream.write(b"behind")
    assert one.receive(4 + (8 << 20) + 6) == b"head" + path.read_bytes() + b"behind"
    assert one.corked[0]
    assert not one.is_corked


def test_a_small_one_is_not(pair: Callable[..., Pair], tmp_path: Path) -> None:
    one = pair()
    path = file_of(tmp_path, CORKED_FROM - 1)
    one.send(path)
    assert one.receive(CORKED_FROM - 1) == path.read_bytes()
    assert not any(one.corked)


def test_a_unix_socket_has_no_cork(pair: Callable[..., Pair], tmp_path: Path) -> None:
    one = pair(unix=True)
    path = file_of(tmp_path, CORKED_FROM)
    one.send(path)
    assert one.receive(CORKED_FROM) == path.read_bytes()


def test_nor_is_one_needed(
    pair: Callable[..., Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "CORK", None)
    one = pair()
    path = file_of(tmp_path, CORKED_FROM)
    one.send(path)
    assert one.receive(CORKED_FROM) == path.read_bytes()
    assert not any(one.corked)


def test_two_files_one_after_the_other(pair: Callable[..., Pair], tmp_path: Path) -> None:
    one = pair()
    path = file_of(tmp_path, 1 << 20)
    for _ in range(2):
        one.send(path)
    assert one.receive(2 << 20) == path.read_bytes() * 2
    assert not one.is_corked
