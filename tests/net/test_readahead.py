"""A file that is sent while it is not in memory: a thread fetches it, and nobody else waits for the disk."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.limits import LoopLimits
from poise.loop.reactor import Reactor
from poise.net import readahead
from poise.net.readahead import NOWAIT, ReadAhead, in_memory
from poise.readiness.interest import READ
from poise.readiness.poller import available
from tests.net.test_pipe import is_open
from tests.net.test_stream import Wire, tcp_pair, unix_pair
from tests.net.test_tls import House
from tests.support.certificates import Authority
from tests.support.loops import Recorder, receive_all, turn_until

KIB = 1024
CONTENT = os.urandom(1 << 20) + b"the end"
WINDOW = 64 * KIB


class Disk:
    """Nothing is in memory before the test has let the thread fetch it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fetched: list[tuple[int, int]] = []
        self.turns = threading.Semaphore(0)
        self._fetch = readahead.fetch
        monkeypatch.setattr(readahead, "in_memory", lambda _fd, _offset: False)
        monkeypatch.setattr(readahead, "fetch", self.fetch)

    def fetch(self, fd: int, offset: int, count: int) -> None:
        assert self.turns.acquire(timeout=20)
        self.fetched.append((offset, count))
        self._fetch(fd, offset, count)

    def go(self) -> None:
        self.turns.release(1000)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk(monkeypatch)
    yield made
    made.go()  # no thread is left behind


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(
    params=[(name, pair) for name in available() for pair in (tcp_pair, unix_pair)],
    ids=[f"{name}-{kind}" for name in available() for kind in ("tcp", "unix")],
)
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    name, pair = request.param
    with Reactor(name) as reactor:
        made = Wire(reactor, pair)
        yield made
        made.close()


def test_others_are_answered_while_a_disk_is_waited_for(wire: Wire, disk: Disk, file: Path) -> None:
    stream, far = wire.stream(heard := Recorder(), read_ahead=WINDOW)
    _, other = wire.stream(Recorder(lambda stream, data: stream.write(data.upper())))
    stream.write(b"head ")
    stream.sendfile(os.open(file, os.O_RDONLY), 0, len(CONTENT))
    stream.write(b" tail")
    other.send(b"hello")
    answer, received = bytearray(), bytearray()
    turn_until(wire.reactor, lambda: receive_all(other, answer) or answer == b"HELLO")
    receive_all(far, received)
    assert received == b"head "
    disk.go()
    turn_until(wire.reactor, lambda: receive_all(far, received) or len(received) == len(CONTENT) + 10)
    assert received == b"head " + CONTENT + b" tail"
    assert sum(count for _, count in disk.fetched) == len(CONTENT)
    assert max(count for _, count in disk.fetched) == WINDOW
    assert heard.lost == []


def test_waiting_for_a_disk_takes_no_turns(wire: Wire, disk: Disk, file: Path) -> None:
    stream, far = wire.stream(heard := Recorder(), read_ahead=WINDOW)
    stream.sendfile(fd := os.open(file, os.O_RDONLY), 0, len(CONTENT))
    assert stream._interest == READ  # the room to send is no event
    far.send(b"x")
    turn_until(wire.reactor, lambda: heard.data == b"x")
    assert is_open(fd)
    disk.go()


def test_a_peer_that_leaves_meanwhile_is_noticed_and_the_file_closed_when_nobody_reads_it(
    tcp: Wire, disk: Disk, file: Path
) -> None:
    stream, far = tcp.stream(heard := Recorder(), read_ahead=WINDOW)
    stream.sendfile(fd := os.open(file, os.O_RDONLY), 0, len(CONTENT))
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    far.close()
    turn_until(tcp.reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], ConnectionError)
    assert is_open(fd)  # the thread reads from it
    disk.go()
    turn_until(tcp.reactor, lambda: not is_open(fd))


@pytest.fixture
def tcp() -> Iterator[Wire]:
    with Reactor() as reactor:
        made = Wire(reactor, tcp_pair)
        yield made
        made.close()


def test_a_stream_that_is_closed_still_sends_all_of_it(tcp: Wire, disk: Disk, file: Path) -> None:
    stream, far = tcp.stream(heard := Recorder(), read_ahead=WINDOW)
    stream.sendfile(fd := os.open(file, os.O_RDONLY), 7, len(CONTENT) - 7)
    stream.close()
    disk.go()
    received = bytearray()
    turn_until(tcp.reactor, lambda: receive_all(far, received))
    far.close()
    assert received == CONTENT[7:]
    turn_until(tcp.reactor, lambda: heard.lost)
    assert heard.lost == [None]
    turn_until(tcp.reactor, lambda: not is_open(fd))


def test_a_closed_reactor_closes_the_file_too(disk: Disk, file: Path) -> None:
    with Reactor() as reactor:
        wire = Wire(reactor, tcp_pair)
        stream, _ = wire.stream(Recorder(), read_ahead=WINDOW)
        stream.sendfile(fd := os.open(file, os.O_RDONLY), 0, len(CONTENT))
        stream.abort()
        wire.close()
    assert not is_open(fd)
    disk.go()


def test_without_a_thread_to_spare_the_loop_reads_it(disk: Disk, file: Path) -> None:
    with Reactor(limits=LoopLimits(threads=1, waiting=0)) as reactor:
        wire = Wire(reactor, tcp_pair)
        first, far = wire.stream(Recorder(), read_ahead=WINDOW)
        second, other = wire.stream(Recorder(), read_ahead=WINDOW)
        first.sendfile(os.open(file, os.O_RDONLY), 0, len(CONTENT))
        second.sendfile(os.open(file, os.O_RDONLY), 0, len(CONTENT))
        received = bytearray()
        turn_until(reactor, lambda: receive_all(other, received) or len(received) == len(CONTENT))
        assert received == CONTENT
        disk.go()
        received = bytearray()
        turn_until(reactor, lambda: receive_all(far, received) or len(received) == len(CONTENT))
        assert received == CONTENT
        wire.close()


def test_a_disk_that_fails_ends_the_stream_with_what_the_disk_says(
    tcp: Wire, disk: Disk, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    stream, _ = tcp.stream(heard := Recorder(), read_ahead=WINDOW)
    stream.sendfile(os.open(file, os.O_RDONLY), 0, len(CONTENT))
    monkeypatch.setattr(os, "preadv", fail)
    monkeypatch.setattr(os, "sendfile", fail)
    disk.go()
    turn_until(tcp.reactor, lambda: heard.lost)
    error = heard.lost[0]
    assert isinstance(error, OSError)
    assert error.errno == 5
    assert tcp.errors == []


def test_tls_waits_for_no_disk_either(disk: Disk, file: Path, authority: Authority) -> None:
    with Reactor() as reactor:
        house = House(reactor, authority, ("127.0.0.1", 0))
        server, client = Recorder(), Recorder(lambda stream, data: stream.write(b"heard"))
        served, _ = house.pair(server, client, read_ahead=WINDOW)
        served.write(b"head ")
        served.sendfile(os.open(file, os.O_RDONLY), 0, len(CONTENT))
        served.write(b" tail")
        house.until(lambda: server.data)
        assert client.data == b"head "
        disk.go()
        house.until(lambda: len(client.data) == len(CONTENT) + 10)
        assert client.data == b"head " + CONTENT + b" tail"
        house.close()


@pytest.mark.skipif(not NOWAIT, reason="this system cannot tell what of a file is in memory")
def test_what_the_kernel_says_of_a_real_file(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    try:
        assert in_memory(fd, 0)
        assert in_memory(fd, len(CONTENT) - 1)
        with Reactor() as reactor:
            ahead = ReadAhead(reactor, fd, 0, len(CONTENT), WINDOW)
            assert ahead.has(0, len(CONTENT), lambda: None)
            assert reactor.pools is None  # nothing was fetched
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            if in_memory(fd, 0):
                pytest.skip("this file system keeps what it is told to let go of")
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            there: list[bool] = []
            ahead = ReadAhead(reactor, fd, 0, len(CONTENT), WINDOW)
            assert not ahead.has(0, WINDOW, lambda: there.append(True))
            turn_until(reactor, lambda: there)
            assert in_memory(fd, 0)
            assert in_memory(fd, WINDOW - 1)
            assert ahead.has(0, WINDOW, lambda: None)
            ahead.close()
            turn_until(reactor, lambda: not is_open(fd))
    finally:
        if is_open(fd):
            os.close(fd)
