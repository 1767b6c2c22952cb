"""Nobody's bad input ends the loop: mutated byte streams into whole connections, seeded.

A real reactor, real sockets and a real folder in this process, which is faster than a server of its own and lets the test
look inside. The clock is moved by hand: a client that says no more has its connection ended by a deadline without anybody
waiting for it. A share of the streams goes over TCP through the listener, the others over socket pairs.

For every stream: no exception reaches the reactor, the turns that it takes are bounded, what comes back is HTTP with a
status that we know, the log stays one line per request, and in the end nothing is left: no connection, no deadline, no
registration, no descriptor (for which the fixture of all tests looks too).
"""

from __future__ import annotations

import enum
import gc
import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poise.files.locate import Root
from poise.files.server import FileServer
from poise.files.site import Site
from poise.http.exchange import Exchange
from poise.http.log import AccessLog
from poise.limits import FileLimits, StreamLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.stream import Stream
from poise.readiness.poller import available
from tests.live.mutations import mutated, split
from tests.support.client import NotHttp, answers

pytestmark = [pytest.mark.live, pytest.mark.slow]

KNOWN = frozenset(
    {100, 200, 204, 206, 301, 304, 400, 403, 404, 405, 408, 412, 413, 414, 416, 417, 421, 431, 501, 505}
)
"""Never 500 or 503: nothing here is the server's fault or beyond its means."""

AT_ONCE = 64  # streams under way together
OVER_TCP = 0.1  # the share of streams that go through the listener
TURNS = 2000  # in which every stream of a round is done with: forty large files in slices, then the longest deadline
RESET = struct.pack("ii", 1, 0)
FILE_SIZE = 300_000  # more than a socket pair holds: replies wait, and are given up half-way


class Ending(enum.Enum):
    """What the client does when all is sent."""

    FINISH = enum.auto()  # half-close and read to the end
    WAIT = enum.auto()  # say nothing more: a deadline has to end it
    CLOSE = enum.auto()  # go away at once, without reading
    RESET = enum.auto()  # go away with a reset


class Client:
    """One stream of bytes, sent piece by piece, one piece a turn."""

    def __init__(self, sock: socket.socket, rng: random.Random) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.raw = mutated(rng)
        self.pieces = split(rng, self.raw)[::-1]
        self.ending = rng.choices(list(Ending), (6, 2, 1, 1))[0]
        self.reads = rng.random() < 0.9  # the others let their replies wait
        self.data = bytearray()
        self.ended = False
        self.cut = False  # by a reset, from either side

    def step(self) -> None:
        """Send the next piece, or end; take what has come."""
        if self.pieces:
            self._send()
        elif self.ending is Ending.FINISH:
            self.reads = True
            self._shut()
        elif self.ending is Ending.WAIT:
            self.reads = True
        else:
            self.ended = self.cut = True
            if self.ending is Ending.RESET:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if self.reads and not self.ended:
            self._receive()
        if self.ended:
            self.sock.close()

    def _send(self) -> None:
        piece = self.pieces.pop()
        try:
            sent = self.sock.send(piece)
        except BlockingIOError:
            sent = 0
        except OSError:  # it was refused before all was sent; the answer is still to be read
            self.pieces.clear()
            return
        if sent < len(piece):
            self.pieces.append(piece[sent:])

    def _shut(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.ending = Ending.WAIT

    def _receive(self) -> None:
        try:
            while not self.ended:
                data = self.sock.recv(1 << 20)
                self.data += data
                self.ended = not data
        except BlockingIOError:
            pass
        except OSError:
            self.ended = self.cut = True

    def judge(self) -> None:
        """Fail unless what came back is a sequence of replies that we know."""
        try:
            for answer in answers(bytes(self.data), strict=not self.cut):
                if answer.status not in KNOWN:
                    raise NotHttp(f"status {answer.status}")
                if not answer.whole and not self.cut:
                    raise NotHttp("an unfinished reply")
        except NotHttp as error:
            raise AssertionError(f"{error}\nfor {self.raw!r}") from error


class World:
    """A server on a folder, and everything that must be gone at the end of a round."""

    def __init__(self, folder: Path, poller: str, reactor: Reactor, root: Root) -> None:
        self.errors: list[Exception] = []
        self.log: list[str] = []
        self.reactor = reactor
        reactor.on_error = self.errors.append
        # Listings and replies come in pieces, so that what is produced piece by piece is given up half-way too.
        limits = FileLimits(rows=2, memo_bytes=200_000)
        site = Site(root, wall=reactor.clock.wall, limits=limits)
        self.stream_limits = StreamLimits(high_water=4096, low_water=1024, write_size=32768)
        self.server = FileServer(
            reactor, site, stream_limits=self.stream_limits, log=AccessLog(reactor, self.log.append)
        )
        self.server.allows_host = lambda host: host != "elsewhere"
        self.listener = self.server.listen(("127.0.0.1", 0))
        self.address = self.listener.address
        self.registered = len(reactor.poller)
        self.descriptors = len(os.listdir("/proc/self/fd"))

    def connect(self, rng: random.Random) -> Client:
        if rng.random() < OVER_TCP:
            assert isinstance(self.address, tuple)
            return Client(socket.create_connection(self.address, 10), rng)
        near, far = socket.socketpair()
        near.setblocking(False)
        Stream(
            self.reactor,
            near,
            Exchange(self.server, "http", self.server.memo),
            ("127.0.0.1", 1),
            self.stream_limits,
        ).begin()
        return Client(far, rng)

    def round(self, rng: random.Random, count: int) -> None:
        """``count`` streams at once, until each is over."""
        clients = [self.connect(rng) for _ in range(count)]
        going = clients
        clock = self.reactor.clock
        assert isinstance(clock, ManualClock)
        for turn in range(TURNS):
            for client in going:
                client.step()
            self.reactor.turn(0)
            going = [client for client in going if not client.ended]
            if not going and not self.server.exchanges:
                break
            if turn % 20 == 19:
                clock.advance(
                    5
                )  # slowly enough for replies that are being read, and beyond every deadline in the end
        left = [(client.raw, client.ending) for client in going]
        for client in going:
            client.sock.close()
        assert not left, f"still connected after {TURNS} turns: {left[:3]}"
        assert not self.server.exchanges, f"left over: {self.server.exchanges}"
        if self.errors:
            raise self.errors[0]
        for client in clients:
            client.judge()
        self._check_nothing_left()

    def _check_nothing_left(self) -> None:
        self.reactor.turn(0)
        assert not self.server.exchanges
        assert len(self.reactor.poller) == self.registered
        assert len(self.reactor.deadlines) == 0
        if len(os.listdir("/proc/self/fd")) != self.descriptors:
            raise AssertionError("a descriptor is left open")
        assert len(self.listener.streams) == 0
        assert not self.listener._per_client

    def check_log(self) -> int:
        """Every line is one line of print; how many there were."""
        assert self.server.log is not None
        self.server.log.flush()
        lines = "".join(self.log).split("\n")
        for line in lines[:-1]:
            assert line.isprintable(), line
        self.log.clear()
        return len(lines) - 1


@contextmanager
def world(folder: Path, poller: str) -> Iterator[World]:
    (folder / "small.txt").write_bytes(b"hello, world\n")
    (folder / "large.bin").write_bytes(b"x" * FILE_SIZE)
    (folder / "sub").mkdir()
    for name in "abcde":
        (folder / "sub" / name).write_bytes(b"")
    # Later than the files are, so that they are at rest and their replies are remembered.
    clock = ManualClock(start=1000.0, wall=os.stat(folder / "sub").st_mtime + 1000)
    with Reactor(poller, clock=clock) as reactor, Root(folder) as root:
        made = World(folder, poller, reactor, root)
        try:
            yield made
        finally:
            made.server.close()
            reactor.turn(0)


def alive() -> list[Exchange | Stream]:
    """Every connection in this process, those that an earlier test still holds included."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Exchange | Stream)]


def fuzz(folder: Path, poller: str, seed: int, streams: int) -> None:
    rng = random.Random(seed)
    others = alive()  # held until the end, so that nothing of ours can take the identity of one of them
    with world(folder, poller) as made:
        done = logged = 0
        while done < streams:
            state = rng.getrandbits(64)
            count = min(AT_ONCE, streams - done)
            try:
                made.round(random.Random(state), count)
            except Exception as error:
                error.add_note(
                    f"World.round(random.Random({state}), {count}) on {poller}, stream {done} of seed {seed}"
                )
                raise
            done += count
            logged += made.check_log()
        assert logged > streams // 2
        known = {id(each) for each in others}
        assert not [each for each in alive() if id(each) not in known], "nobody lets go of it"


@pytest.mark.parametrize("poller", available())
def test_mutated_streams(tmp_path: Path, poller: str) -> None:
    fuzz(tmp_path, poller, seed=2, streams=6_000)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_mutated_streams(tmp_path: Path) -> None:
    """``POISE_FUZZ_SEED`` chooses others than the usual ones."""
    fuzz(tmp_path, available()[0], seed=int(os.environ.get("POISE_FUZZ_SEED", "1")), streams=100_000)
