"""Turning a reactor until something is true, with a bound on real time; and protocols that keep what they hear."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from poise.loop.reactor import Reactor
from poise.net.protocol import Protocol
from poise.net.stream import Stream

PATIENCE = 20.0  # seconds; a machine under load is slow, a hung test is not


def turn_until(reactor: Reactor, condition: Callable[[], object], *, patience: float = PATIENCE) -> None:
    """Turn until ``condition()`` is true; fail when it does not come true."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"still not true after {patience} s")
        reactor.turn(0.02)


class Recorder(Protocol):
    """Keeps everything that a stream tells it; ``on_data`` may act on it."""

    def __init__(
        self, on_data: Callable[[Stream, bytes], object] | None = None, keep_open: bool = False
    ) -> None:
        self.data = bytearray()
        self.pieces: list[int] = []
        self.eof = 0
        self.lost: list[Exception | None] = []
        self.pauses: list[str] = []
        self.on_data = on_data
        self.keep_open = keep_open

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.pieces.append(len(data))
        if self.on_data is not None:
            self.on_data(self.stream, data)

    def eof_received(self) -> bool:
        self.eof += 1
        return self.keep_open

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)

    def pause_writing(self) -> None:
        self.pauses.append("pause")

    def resume_writing(self) -> None:
        self.pauses.append("resume")


def receive_all(sock: socket.socket, into: bytearray) -> bool:
    """Take what is there without waiting; True at the end of the stream."""
    while True:
        try:
            data = sock.recv(1 << 20)
        except BlockingIOError:
            return False
        if not data:
            return True
        into += data
