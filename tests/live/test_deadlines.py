"""Each kind of dawdler is ended by its own deadline, and nobody else notices.

Silent: connects and says nothing. Slow head: a byte at a time, for ever. Slow body: the same, behind a good head. Slow
reader: asks for a large file and takes nothing of it. In the same loop run fifty honest clients, who count their answers
and how long each took, and a patient one, who takes a large file slowly but steadily for several times the send timeout.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import answers
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

HEAD, BODY, IDLE, SEND = 0.6, 0.9, 1.2, 0.75  # seconds: each another, so that the ending says which it was
LATE = 1.5  # seconds beyond its deadline in which an end must come on a busy machine
HONEST = 50
BOUND = 1.0  # seconds for an honest answer: generous, since the machine is shared
DRIP = 0.1  # seconds between two bytes of a dawdler
DOWNLOAD = 24 << 20  # bytes: much more than the kernel keeps for both sides
STEADY = 5 * SEND  # seconds that the steady download takes at least
LIMITS = tuple(
    text
    for option, value in (
        ("--head-timeout", HEAD),
        ("--body-timeout", BODY),
        ("--keep-alive-timeout", IDLE),
        ("--send-timeout", SEND),
    )
    for text in (option, str(value))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("site")
    (found / "small.txt").write_bytes(b"hello")
    with (found / "large.bin").open("wb") as large:
        large.truncate(DOWNLOAD)
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving(folder, *LIMITS) as running:
        yield running


class Crowd:
    """A small loop of its own: sockets and what to do when they are readable, and calls at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.calls: list[tuple[float, int, Callable[[], None]]] = []
        self.sockets: list[socket.socket] = []
        self._count = 0

    def connect(self, on_readable: Callable[[], None] | None = None, buffer: int = 0) -> socket.socket:
        sock = socket.socket()
        self.sockets.append(sock)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", self.port))
        sock.setblocking(False)
        if on_readable is not None:
            self.selector.register(sock, selectors.EVENT_READ, on_readable)
        return sock

    def later(self, delay: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self.calls, (time.monotonic() + delay, self._count, call))

    def run(self, done: Callable[[], bool], patience: float) -> None:
        end = time.monotonic() + patience
        while not done():
            now = time.monotonic()
            assert now < end, f"not over after {patience} s"
            while self.calls and self.calls[0][0] <= now:
                heapq.heappop(self.calls)[2]()
            wait = min(self.calls[0][0], end) - now if self.calls else end - now
            for key, _ in self.selector.select(max(0.0, wait)):
                key.data()

    def close(self) -> None:
        self.selector.close()
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def crowd(served: Served) -> Iterator[Crowd]:
    made = Crowd(served.port)
    yield made
    made.close()


class Honest:
    """Asks, waits for the answer, asks again a little later."""

    def __init__(self, crowd: Crowd, pause: float = 0.05) -> None:
        self.crowd = crowd
        self.pause = pause
        self.times: list[float] = []
        self.faults: list[str] = []
        self._data = b""
        self.sock = crowd.connect(self._readable)
        self._ask()

    def _ask(self) -> None:
        self._since = time.monotonic()
        self.sock.send(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def _readable(self) -> None:
        data = self.sock.recv(65536)
        self._data += data
        if not data:
            self.faults.append("ended")
            self.crowd.selector.unregister(self.sock)
            self.sock.close()
            return
        found = answers(self._data, strict=False)
        if found and found[0].whole:
            self.times.append(time.monotonic() - self._since)
            if found[0].status != 200 or found[0].body != b"hello":
                self.faults.append(repr(found[0]))
            self._data = b""
            self.crowd.later(self.pause, self._ask)


class Dawdler:
    """Sends ``first``, then ``drip`` a byte at a time, until it is ended."""

    def __init__(self, crowd: Crowd, first: bytes, drip: bytes) -> None:
        self.crowd = crowd
        self.begun = time.monotonic()
        self.lasted = 0.0
        self.data = b""
        self._drip = drip
        self.sock = crowd.connect(self._readable)
        if first:
            self.sock.send(first)
        if drip:
            crowd.later(DRIP, self._send)

    def _send(self) -> None:
        if not self.lasted:
            try:
                self.sock.send(self._drip[:1])
            except OSError:
                return
            self.crowd.later(DRIP, self._send)

    def _readable(self) -> None:
        try:
            data = self.sock.recv(65536)
        except OSError:  # our last byte crossed their last answer
            data = b""
        self.data += data
        if not data or self.status:
            self.lasted = self.lasted or time.monotonic() - self.begun
        if not data:
            self.crowd.selector.unregister(self.sock)
            self.sock.close()

    @property
    def status(self) -> int:
        found = [answer.status for answer in answers(self.data, strict=False) if answer.status >= 200]
        return found[0] if found else 0


class Reader:
    """Asks for the large file and takes ``portion`` bytes each ``pause`` seconds; nothing with a portion of 0."""

    def __init__(self, crowd: Crowd, portion: int, pause: float) -> None:
        self.crowd = crowd
        self.portion = portion
        self.pause = pause
        self.taken = 0
        self.begun = time.monotonic()
        self.lasted = 0.0
        self.sock = crowd.connect(buffer=65536)
        self.sock.send(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        crowd.later(pause, self._look)

    def _look(self) -> None:
        """Take a portion; one that takes nothing asks the kernel whether the connection still stands."""
        wanted = self.portion or 1
        try:
            while wanted:
                data = self.sock.recv(wanted, 0 if self.portion else socket.MSG_PEEK)
                if not data:
                    self._over()
                    return
                if not self.portion:
                    if self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != ESTABLISHED:
                        self._over()
                        return
                    break
                self.taken += len(data)
                wanted -= len(data)
        except BlockingIOError:
            pass
        except OSError:
            self._over()
            return
        self.crowd.later(self.pause, self._look)

    def _over(self) -> None:
        self.lasted = time.monotonic() - self.begun
        self.sock.close()


ESTABLISHED = 1
"""The state in the first byte of struct tcp_info (linux/tcp.h, net/tcp_states.h)."""


def between(lasted: float, deadline: float) -> bool:
    return deadline * 0.9 <= lasted <= deadline + LATE


@pytest.mark.attack(40)
def test_dawdlers_are_ended_and_nobody_else(crowd: Crowd) -> None:
    honest = [Honest(crowd) for _ in range(HONEST)]
    silent = [Dawdler(crowd, b"", b"") for _ in range(10)]
    heads = [Dawdler(crowd, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"x") for _ in range(10)]
    length = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    chunked = b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    stopped = [Dawdler(crowd, first + b"1", b"") for first in (length, chunked) for _ in range(5)]
    bodies = [
        Dawdler(crowd, first, drip) for first, drip in ((length, b"x"), (chunked, b"1")) for _ in range(5)
    ]
    readers = [Reader(crowd, 0, DRIP) for _ in range(10)]
    steady = Reader(crowd, DOWNLOAD // 50, STEADY / 50)
    trickle = Reader(crowd, 16384, DRIP)  # far from its end when the others are over
    everyone: list[Dawdler | Reader] = [*silent, *heads, *stopped, *bodies, *readers, steady]
    crowd.run(lambda: all(each.lasted for each in everyone), patience=20)

    assert all(between(each.lasted, HEAD) for each in silent), [each.lasted for each in silent]
    assert {each.status for each in silent} == {0}, "nobody asked for anything"
    assert all(between(each.lasted, HEAD) for each in heads), [each.lasted for each in heads]
    assert {each.status for each in heads} == {408}
    assert all(between(each.lasted, BODY) for each in stopped), [each.lasted for each in stopped]
    assert {each.status for each in stopped} == {408}
    # One that drips is never silent for long: its average is what ends it, a little after the first deadline.
    assert all(BODY * 0.9 <= each.lasted <= BODY + 1.0 + LATE for each in bodies), [
        each.lasted for each in bodies
    ]
    assert {each.status for each in bodies} <= {408, 400}
    assert all(between(each.lasted, SEND) for each in readers), [each.lasted for each in readers]
    assert steady.taken > DOWNLOAD, "a slow but steady download is not ended"
    assert steady.lasted >= STEADY * 0.8
    assert not trickle.lasted, "neither is one at 160 KiB a second"
    assert trickle.taken > 16384 * 10

    times = sorted(took for each in honest for took in each.times)
    assert not [fault for each in honest for fault in each.faults]
    assert all(each.times for each in honest)
    assert len(times) > HONEST * 10
    assert times[-1] < BOUND


@pytest.mark.attack(40)
def test_an_idle_connection_is_closed_without_a_word(crowd: Crowd) -> None:
    asked = Dawdler(crowd, b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", b"")
    crowd.run(lambda: b"hello" in asked.data, patience=10)
    asked.lasted = 0.0
    crowd.run(lambda: asked.sock.fileno() < 0, patience=10)
    assert between(time.monotonic() - asked.begun, IDLE)
    assert [answer.status for answer in answers(asked.data)] == [200]
