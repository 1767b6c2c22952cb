"""What a protocol does to its stream from inside ``get_buffer``, while the stream is about to read."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net.protocol import BufferedProtocol
from poise.net.stream import Stream
from poise.readiness.poller import available
from tests.support.loops import turn_until

RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


class Asked(BufferedProtocol):
    """Does ``deed`` when it is asked for a buffer."""

    def __init__(self, deed: Callable[[Stream], object]) -> None:
        self.deed = deed
        self.heard: list[str] = []
        self.lost: list[Exception | None] = []

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def get_buffer(self, sizehint: int) -> bytearray:
        self.deed(self.stream)
        return bytearray(100)

    def buffer_updated(self, nbytes: int) -> None:
        self.heard.append(f"{nbytes} bytes")

    def eof_received(self) -> None:
        self.heard.append("eof")

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.create_connection(server.getsockname())
        near, _ = server.accept()
    near.setblocking(False)
    return near, far


@pytest.mark.parametrize("poller", available())
def test_a_reset_is_no_orderly_end_although_a_write_has_taken_its_error(poller: str) -> None:
    asked = Asked(lambda stream: stream.write(b"x"))
    near, far = pair()
    with Reactor(poller) as reactor:
        Stream(reactor, near, asked, near.getpeername(), StreamLimits()).begin()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        far.close()
        turn_until(reactor, lambda: asked.lost)
    assert asked.heard == []
    assert [type(error) for error in asked.lost] == [ConnectionResetError]


@pytest.mark.parametrize("end", [Stream.close, Stream.abort])
@pytest.mark.parametrize("last", [b"", b"last words"], ids=["end", "input"])
@pytest.mark.parametrize("poller", available())
def test_whoever_ends_it_there_hears_no_more(
    poller: str, last: bytes, end: Callable[[Stream], object]
) -> None:
    asked = Asked(end)
    near, far = pair()
    with Reactor(poller) as reactor, far:
        Stream(reactor, near, asked, near.getpeername(), StreamLimits()).begin()
        far.sendall(last)
        far.shutdown(socket.SHUT_WR)
        turn_until(reactor, lambda: asked.lost)
    assert asked.heard == []
    assert asked.lost == [None]
