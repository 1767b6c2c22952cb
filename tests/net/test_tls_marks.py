"""How much waits is told over TLS too: whoever was asked to pause writing is asked to go on, a file being the last or not."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net.certificates import ServerTLS
from poise.net.outgoing import READ_SIZE
from poise.net.stream import Stream
from poise.net.tls import client_side, server_side
from poise.readiness.poller import available
from tests.support.certificates import Authority
from tests.support.loops import Recorder, turn_until

CONTENT = random.Random(1).randbytes(4 * READ_SIZE)
NARROW = 4096  # bytes that the kernel takes at once, and some more
LOW, HIGH = 16_384, READ_SIZE
LIMITS = StreamLimits(write_size=READ_SIZE, high_water=HIGH, low_water=LOW)


class Pair:
    """A server and a client with TLS between them, over a socket that takes little at a time."""

    def __init__(self, reactor: Reactor, authority: Authority, file: Path) -> None:
        self.reactor = reactor
        self.server, self.client = Recorder(keep_open=True), Recorder(keep_open=True)
        self._file = file
        above = (
            server_side(
                ServerTLS(authority.local()), lambda: self.server, None, lambda _, error: self._failed(error)
            )(),
            client_side(authority.client, "localhost")(lambda: self.client, self._failed),
        )
        self._streams = []
        for sock, protocol in zip(socket.socketpair(), above, strict=True):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW)
            self._streams.append(Stream(reactor, sock, protocol, "", LIMITS))
            self._streams[-1].begin()
        turn_until(reactor, lambda: hasattr(self.server, "stream") and hasattr(self.client, "stream"))

    def _failed(self, error: Exception) -> None:
        raise error

    def send(self, offset: int, count: int) -> bytes:
        """A part of the file from the server; what it should be at the client."""
        self.server.stream.sendfile(os.open(self._file, os.O_RDONLY), offset, count)
        return CONTENT[offset : offset + count]

    def arrives(self, expected: bytes) -> None:
        """Once it is there, nothing waits, and the server knows."""
        turn_until(self.reactor, lambda: len(self.client.data) >= len(expected))
        assert self.client.data == expected
        assert self.server.stream.get_write_buffer_size() == 0
        assert not self.server.stream.is_paused_writing()

    def close(self) -> None:
        for stream in self._streams:
            stream.abort()
        self.reactor.turn(0)


@pytest.fixture(params=available())
def pair(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> Iterator[Pair]:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    with Reactor(request.param) as reactor:
        pair = Pair(reactor, authority, file)
        yield pair
        pair.close()


def test_after_a_file_the_protocol_may_write_again(pair: Pair) -> None:
    # Its last piece finds the stream below at the low mark and does not bring it to the high one: no mark is crossed there.
    expected = pair.send(0, 2 * READ_SIZE + (HIGH - LOW) // 2)
    assert pair.server.pauses == ["pause"]
    pair.arrives(expected)
    assert pair.server.pauses == ["pause", "resume"]


@pytest.mark.parametrize("size", [1, 1000, LOW, HIGH, 3 * HIGH])
def test_what_is_written_behind_a_file_changes_nothing(pair: Pair, size: int) -> None:
    expected = pair.send(0, 2 * READ_SIZE)
    pair.server.stream.write(bytes(size))
    assert pair.server.pauses == ["pause"]
    pair.arrives(expected + bytes(size))
    assert pair.server.pauses == ["pause", "resume"]


@pytest.mark.parametrize("high", [0, 1, NARROW, HIGH, 3 * HIGH])
@pytest.mark.parametrize("count", [1, NARROW, READ_SIZE, 2 * READ_SIZE + 1, 3 * READ_SIZE + 30_000])
def test_whoever_was_asked_to_pause_is_asked_to_go_on(pair: Pair, high: int, count: int) -> None:
    pair.server.stream.set_write_buffer_limits(high)
    expected = pair.send(5, count)
    pair.arrives(expected)
    pair.arrives(expected + pair.send(0, count))
    assert pair.server.pauses == ["pause", "resume"] * (len(pair.server.pauses) // 2)


def test_the_half_that_was_ended_behind_a_file_is_ended(pair: Pair) -> None:
    expected = pair.send(0, 2 * READ_SIZE + (HIGH - LOW) // 2)
    pair.server.stream.write_eof()
    turn_until(pair.reactor, lambda: pair.client.eof)
    pair.arrives(expected)
    assert pair.server.pauses == ["pause", "resume"]
