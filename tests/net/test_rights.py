"""Open descriptors that travel over unix sockets: in order, once, and none is ever left behind."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault, PeerFault, ProgramFault
from poise.limits import StreamLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import rights
from poise.net.certificates import ServerTLS
from poise.net.connect import connect
from poise.net.listener import listen
from poise.net.pipe import write_pipe
from poise.net.protocol import AnyProtocol, BufferedProtocol, Protocol
from poise.net.stream import Stream
from poise.net.tls import TLSStream
from poise.readiness.interest import ERROR, READ, WRITE
from poise.readiness.poller import available
from tests.support.certificates import Authority
from tests.support.loops import Recorder, turn_until
from tests.support.scripted import ScriptedPoller


def count_open() -> int:
    return len(os.listdir("/proc/self/fd"))


class Taker(Recorder):
    """Keeps what it hears, in order, and closes its descriptors in the end."""

    def __init__(self, on_fds: Callable[[Stream, list[int]], object] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.heard: list[str] = []
        self.fds: list[int] = []
        self.before: list[int] = []  # bytes that came before each time
        self.on_fds = on_fds

    def descriptors_received(self, fds: list[int]) -> None:
        self.heard.append(f"{len(fds)} fds")
        self.before.append(len(self.data))
        if self.on_fds is not None:
            self.on_fds(self.stream, fds)
        self.fds += fds

    def data_received(self, data: bytes) -> None:
        self.heard.append("data")
        super().data_received(data)

    def close(self) -> None:
        while self.fds:
            os.close(self.fds.pop())


class Filled(BufferedProtocol):
    """Has a buffer of its own."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.data = bytearray()
        self.lost: list[Exception | None] = []

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


class FilledTaker(Filled):
    """And takes descriptors."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.fds: list[int] = []

    def descriptors_received(self, fds: list[int]) -> None:
        assert self.data == b""
        self.fds += fds


class Wire:
    """Two streams over a pair of unix sockets on one reactor, and some files to send."""

    def __init__(self, poller: str | None, folder: Path) -> None:
        self.before = count_open()
        self.errors: list[Exception] = []
        self.clock = ManualClock()
        self.reactor = Reactor(poller, on_error=self.errors.append, clock=self.clock)
        self.path = folder / "file"
        self.path.write_bytes(bytes(range(256)) * 4)
        self._sockets: list[socket.socket] = []
        self._files: list[int] = []
        self._takers: list[Any] = []

    def pair(self, taker: Any, sender: Recorder | None = None, **limits: Any) -> tuple[Stream, Any]:
        """The sender's stream and the taker's."""
        self._takers.append(taker)
        ends = socket.socketpair()
        self._sockets += ends
        made = []
        for end, protocol in zip(ends, (sender or Recorder(), taker), strict=True):
            end.setblocking(False)
            made.append(Stream(self.reactor, end, protocol, "peer", StreamLimits(**limits)))
            made[-1].begin()
        return made[0], made[1]

    def open(self, count: int = 1) -> list[int]:
        """Descriptors of the file, each an open file of its own."""
        fds = [os.open(self.path, os.O_RDONLY) for _ in range(count)]
        self._files += fds
        return fds

    def close_files(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def turns(self) -> None:
        for _ in range(5):
            self.reactor.turn(0)

    def close(self) -> None:
        self.close_files()
        for taker in self._takers:
            for fd in getattr(taker, "fds", ()):
                os.close(fd)
        for each in self._sockets:
            each.close()
        self.reactor.close()
        assert count_open() == self.before, "a descriptor was left behind"


@pytest.fixture(params=available())
def wire(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wire]:
    made = Wire(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Wire]:
    made = Wire(None, tmp_path)
    yield made
    made.close()


@contextmanager
def no_more_files(but: int = 0) -> Iterator[None]:
    """This process may open no more descriptors, or few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    fillers = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 3, hard))
        while True:
            try:
                fillers.append(os.dup(0))
            except OSError:
                break
        for _ in range(but):
            os.close(fillers.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        rights.close_all(fillers)


# -- what arrives --------------------------------------------------------------------------------


def test_what_arrives_is_the_same_open_file(wire: Wire) -> None:
    taker = Taker()
    sender, _ = wire.pair(taker)
    [fd] = wire.open()
    os.lseek(fd, 100, os.SEEK_SET)
    sender.send_descriptors(b"x", [fd])
    wire.until(lambda: taker.data)
    [theirs] = taker.fds
    assert theirs != fd
    assert os.read(theirs, 10) == bytes(range(100, 110))
    assert os.lseek(fd, 0, os.SEEK_CUR) == 110, "they share the offset"
    assert not os.get_inheritable(theirs)
    assert taker.heard == ["1 fds", "data"]


def test_descriptors_keep_their_place_among_bytes_and_files(wire: Wire) -> None:
    taker = Taker()
    sender, _ = wire.pair(taker, write_size=50_000)
    sender.write(b"a" * 100)
    sender.send_descriptors(b"b" * 100, wire.open(2))
    sender.write(b"c" * 2_000_000)
    sender.send_descriptors(bytearray(b"d" * 100), wire.open(3))
    sender.sendfile(os.open(wire.path, os.O_RDONLY), 0, 1024)
    sender.send_descriptors(memoryview(b"e" * 100), wire.open(1))
    sender.writelines([b"f", b"g"])
    sender.close()
    wire.close_files()  # they are on their way, or duplicated
    wire.until(lambda: taker.lost)
    assert taker.data == b"".join(
        [b"a" * 100, b"b" * 100, b"c" * 2_000_000, b"d" * 100, bytes(range(256)) * 4, b"e" * 100, b"fg"]
    )
    assert [each for each in taker.heard if each != "data"] == ["2 fds", "3 fds", "1 fds"]
    first, second, third = taker.before
    assert first <= 100
    assert 200 <= second <= 2_000_200
    assert 2_000_300 <= third <= 2_001_324
    assert taker.lost == [None]


def test_what_has_to_wait_is_sent_once(wire: Wire) -> None:
    """The kernel is full; then it takes the bytes that carry them only in part."""
    taker = Taker()
    sender, taking = wire.pair(taker)
    taking.pause_reading()
    while not sender.get_write_buffer_size():
        sender.write(b"x" * 100_000)
    before = count_open()
    data = bytearray(b"y" * 1_000_000)
    sender.send_descriptors(data, wire.open(5))
    wire.close_files()
    data[:] = bytes(len(data))  # it is the caller's
    assert count_open() == before + 5
    taking.resume_reading()
    wire.until(lambda: sender.get_write_buffer_size() == 0)
    wire.turns()
    wire.until(lambda: taker.data.count(b"y") == 1_000_000)
    assert len(taker.fds) == 5
    assert count_open() == before + 5, "ours were closed when they were sent"
    for fd in taker.fds:
        assert os.read(fd, 4) == b"\0\1\2\3"


def test_the_kernel_takes_the_first_bytes_only(wire: Wire) -> None:
    taker = Taker()
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"z" * 5_000_000, wire.open(3))
    assert 0 < sender.get_write_buffer_size() < 5_000_000, "what they weigh has left with them"
    wire.until(lambda: len(taker.data) == 5_000_000)
    assert len(taker.fds) == 3


def test_as_many_as_the_kernel_passes_at_once(wire: Wire) -> None:
    taker = Taker()
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"x", wire.open(10) * 25 + wire.open(3))
    wire.until(lambda: taker.data)
    assert taker.heard == ["253 fds", "data"]
    with pytest.raises(ValueError, match="254 descriptors at once, and 253"):
        sender.send_descriptors(b"x", wire.open(1) * 254)


def test_none_is_a_write(wire: Wire) -> None:
    taker = Taker()
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"x", iter(()))
    wire.until(lambda: taker.data)
    assert taker.heard == ["data"]


def test_over_a_listener(one: Wire, tmp_path: Path) -> None:
    def answer(stream: Stream, fds: list[int]) -> None:
        stream.send_descriptors(b"back", fds)

    served, asked = Taker(answer), Taker()
    one._takers += [served, asked]
    listener = listen(one.reactor, f"unix:{tmp_path / 'socket'}", lambda: served)
    connecting = connect(one.reactor, listener.address, lambda: asked)
    one.until(lambda: connecting.stream)
    asked.stream.send_descriptors(b"there", one.open(2))
    one.until(lambda: asked.data)
    assert len(asked.fds) == 2
    for stream in (asked.stream, served.stream):
        stream.abort()
    listener.close()
    one.turns()


# -- backpressure and the end --------------------------------------------------------------------


def test_descriptors_that_wait_weigh_something(wire: Wire) -> None:
    heard = Recorder()
    taker = Taker()
    sender, taking = wire.pair(taker, heard)
    taking.pause_reading()
    while not sender.get_write_buffer_size():
        sender.write(b"x" * 100)
    [fd] = wire.open()
    sent = 0
    while not heard.pauses:
        sender.send_descriptors(b"y", [fd])
        sent += 1
    assert sent <= 64, "whoever heeds it keeps few of them open"
    taking.resume_reading()
    wire.until(lambda: len(taker.fds) == sent)
    assert heard.pauses == ["pause", "resume"]
    assert sender.get_write_buffer_size() == 0


@pytest.mark.parametrize("end", ["abort", "peer"])
def test_what_waits_is_closed_when_the_stream_is_lost(wire: Wire, end: str) -> None:
    heard = Recorder()
    sender, taking = wire.pair(Recorder(), heard)
    taking.pause_reading()
    sender.write(b"x" * 3_000_000)
    before = count_open()
    sender.send_descriptors(b"y", wire.open(7))
    wire.close_files()
    assert count_open() == before + 7
    (sender if end == "abort" else taking).abort()
    wire.until(lambda: heard.lost)
    wire.turns()
    assert count_open() <= before
    assert sender.unsent >= 7 * rights.DESCRIPTOR_COST + 1


def test_nothing_is_sent_over_a_stream_that_is_closed(wire: Wire) -> None:
    sender, _ = wire.pair(Recorder())
    sender.close()
    sender.send_descriptors(b"x", wire.open())
    other, _ = wire.pair(Recorder())
    other.write_eof()
    with pytest.raises(ProgramFault, match="write_eof"):
        other.send_descriptors(b"x", wire.open())
    wire.turns()


def test_a_peer_that_has_gone_takes_none(wire: Wire) -> None:
    heard = Recorder()
    sender, taking = wire.pair(Recorder(), heard)
    sender.pause_reading()
    taking.write(b"said before")
    taking.close()
    wire.turns()
    sender.send_descriptors(b"x", wire.open())
    assert sender.is_mute()
    sender.send_descriptors(b"x", wire.open())
    sender.resume_reading()
    wire.until(lambda: heard.lost)
    assert heard.data == b"said before"


def test_descriptors_that_came_before_a_write_failed_are_heard(wire: Wire) -> None:
    taker = Taker()
    sender, taking = wire.pair(taker)
    taking.pause_reading()
    sender.send_descriptors(b"said before", wire.open(2))
    sender.abort()
    wire.turns()
    taking.resume_reading()
    taking.write(b"for nobody")
    assert taking.is_mute()
    wire.until(lambda: taker.lost)
    assert taker.heard == ["2 fds", "data"]
    assert isinstance(taker.lost[0], BrokenPipeError)


# -- who takes them ------------------------------------------------------------------------------


def test_whoever_does_not_ask_for_them_gets_none(wire: Wire) -> None:
    for protocol in (Recorder(), Filled(100)):
        sender, _ = wire.pair(protocol)
        reading, writing = os.pipe()
        sender.send_descriptors(b"x", [writing])
        os.close(writing)
        wire.until(partial(getattr, protocol, "data"))
        assert os.read(reading, 1) == b"", "the last write end is closed"
        os.close(reading)


def test_another_protocol_asks_for_them(wire: Wire) -> None:
    first, second, third = Recorder(), Taker(), Recorder()
    sender, taking = wire.pair(first)
    wire._takers.append(second)
    sender.send_descriptors(b"1", wire.open())
    wire.until(lambda: first.data)
    second.stream = taking
    taking.set_protocol(second)
    sender.send_descriptors(b"2", wire.open())
    wire.until(lambda: second.data)
    assert len(second.fds) == 1
    taking.set_protocol(third)
    sender.send_descriptors(b"3", wire.open())
    wire.until(lambda: third.data)
    sender.close()
    wire.until(lambda: third.lost)


def test_the_bytes_go_to_the_protocol_of_the_moment(wire: Wire) -> None:
    second = FilledTaker(3)
    taker = Taker(lambda stream, fds: stream.set_protocol(second))
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"for the second", wire.open())
    wire.until(lambda: len(second.data) == 14)
    assert taker.heard == ["1 fds"]
    assert second.data == b"for the second"


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_buffered_protocol_takes_them_too(wire: Wire, size: int) -> None:
    taker = FilledTaker(size)
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"into the buffer", wire.open(2))
    wire.until(lambda: len(taker.data) == 15)
    assert len(taker.fds) == 2
    sender.close()
    wire.until(lambda: taker.lost)
    assert taker.data == b"into the buffer"


def test_a_buffer_without_room_is_the_programs_fault(one: Wire) -> None:
    taker = FilledTaker(0)
    sender, _ = one.pair(taker)
    sender.send_descriptors(b"where to?", one.open())
    one.until(lambda: taker.lost)
    assert isinstance(taker.lost[0], ProgramFault)
    assert [type(error) for error in one.errors] == [ProgramFault]


@pytest.mark.pitfall(51)
def test_no_data_after_pause_reading_returns(wire: Wire) -> None:
    taker = Taker(lambda stream, fds: stream.pause_reading())
    sender, taking = wire.pair(taker)
    sender.send_descriptors(b"with them", wire.open())
    sender.write(b" and behind")
    sender.close()
    wire.until(lambda: taker.fds)
    wire.turns()
    assert taker.heard == ["1 fds"]
    assert not taking.is_reading()
    taking.resume_reading()
    assert taker.heard == ["1 fds"], "never from inside a call"
    taking.pause_reading()
    wire.turns()
    assert taker.heard == ["1 fds"]
    taking.resume_reading()
    taking.resume_reading()
    wire.until(lambda: taker.lost)
    assert taker.data == b"with them and behind"
    assert taker.lost == [None]


@pytest.mark.pitfall(51)
def test_a_buffer_at_a_time_until_it_pauses(wire: Wire) -> None:
    class Sipping(FilledTaker):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.stream.pause_reading()

        def has_heard(self, size: int) -> bool:
            return len(self.data) == size

    taker = Sipping(4)
    sender, taking = wire.pair(taker)
    sender.send_descriptors(b"0123456789", wire.open())
    for size in (4, 8, 10):
        wire.until(partial(taker.has_heard, size))
        wire.turns()
        assert len(taker.data) == size
        taking.resume_reading()
    assert taker.data == b"0123456789"


def test_what_waits_for_a_protocol_that_paused_survives_a_write_that_fails(wire: Wire) -> None:
    taker = Taker(lambda stream, fds: stream.pause_reading())
    sender, taking = wire.pair(taker)
    sender.send_descriptors(b"with them", wire.open())
    sender.close()
    wire.until(lambda: taker.fds)
    taking.write(b"for nobody")
    wire.turns()
    assert taker.lost == []
    taking.resume_reading()
    wire.until(lambda: taker.lost)
    assert taker.data == b"with them"
    assert isinstance(taker.lost[0], BrokenPipeError)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_no_data_after_the_end(wire: Wire, end: str) -> None:
    taker = Taker(lambda stream, fds: getattr(stream, end)())
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"with them", wire.open())
    wire.until(lambda: taker.lost)
    assert taker.heard == ["1 fds"]
    assert taker.lost == [None]


def test_a_rest_that_nobody_wants_any_more(wire: Wire) -> None:
    taker = Taker(lambda stream, fds: stream.pause_reading())
    sender, taking = wire.pair(taker)
    sender.send_descriptors(b"with them", wire.open())
    wire.until(lambda: taker.fds)
    taking.resume_reading()
    taking.abort()
    wire.until(lambda: taker.lost)
    assert taker.data == b""


def test_a_lingering_stream_takes_none(wire: Wire) -> None:
    taker = Taker(keep_open=True)
    sender, taking = wire.pair(taker)
    taking.close(linger=True)
    sender.send_descriptors(b"too late", wire.open())
    sender.close()
    wire.until(lambda: taker.lost)
    assert taker.heard == []


@pytest.mark.pitfall(49)
def test_a_protocol_that_raises_leaves_none_open(wire: Wire) -> None:
    kept: list[int] = []

    def broken(stream: Stream, fds: list[int]) -> None:
        kept.append(fds.pop())
        os.close(fds[0])  # which it should have said
        raise LookupError("in descriptors_received")

    taker = Taker(broken)
    sender, _ = wire.pair(taker)
    before = count_open()
    sender.send_descriptors(b"x", wire.open(5))
    wire.until(lambda: taker.lost)
    assert isinstance(taker.lost[0], LookupError)
    assert [str(error) for error in wire.errors] == ["in descriptors_received"]
    assert taker.data == b""
    [fd] = kept
    os.fstat(fd)
    os.close(fd)
    wire.close_files()
    assert count_open() < before


def test_a_flush_is_not_forgotten_over_input(wire: Wire) -> None:
    """Both ends have much to say and are ready for both at once."""
    first, second = Taker(), Taker()
    a, b = wire.pair(second, first)
    for stream in (a, b):
        stream.write(b"x" * 3_000_000)
        stream.send_descriptors(b"y", wire.open())
    wire.until(lambda: len(first.data) == len(second.data) == 3_000_001)
    wire._takers.append(first)
    assert len(first.fds) == len(second.fds) == 1


# -- faults --------------------------------------------------------------------------------------


def test_more_than_are_taken_at_once_end_the_stream(wire: Wire) -> None:
    for most in (1, 2, 7):
        taker = Taker()
        sender, taking = wire.pair(taker)
        taking.limits = StreamLimits(descriptors=most)
        sender.send_descriptors(b"as many", wire.open(most))
        wire.until(partial(getattr, taker, "data"))
        sender.send_descriptors(b"more", wire.open(most + 1))
        wire.until(partial(getattr, taker, "lost"))
        assert len(taker.fds) == most
        assert isinstance(taker.lost[0], PeerFault)
        assert str(taker.lost[0]) == f"the peer sent more than {most} descriptors at once"
        assert taker.data == b"as many"
    assert wire.errors == [], "a peer's fault is never a traceback"


def test_a_process_that_may_open_no_more_says_so(wire: Wire) -> None:
    taker = Taker()
    sender, _ = wire.pair(taker)
    sender.send_descriptors(b"x", wire.open(3))
    with no_more_files(but=2):
        wire.until(lambda: taker.lost)
    assert isinstance(taker.lost[0], MachineFault)
    assert taker.lost[0].errno == errno.EMFILE
    assert "ulimit" in str(taker.lost[0])
    assert taker.heard == []


def test_what_cannot_be_duplicated_is_not_queued(wire: Wire) -> None:
    taker = Taker()
    sender, taking = wire.pair(taker)
    taking.pause_reading()
    sender.write(b"x" * 3_000_000)
    waiting = sender.get_write_buffer_size()
    fds = wire.open(3)
    with no_more_files(but=2), pytest.raises(MachineFault, match="no descriptor could be kept"):
        sender.send_descriptors(b"y", fds)
    assert sender.get_write_buffer_size() == waiting
    taking.resume_reading()
    wire.until(lambda: len(taker.data) == 3_000_000)
    sender.send_descriptors(b"y", fds)
    wire.until(lambda: taker.fds)


def test_what_makes_no_sense_is_refused_before_anything_is_sent(one: Wire) -> None:
    taker = Taker()
    sender, _ = one.pair(taker)
    [fd] = one.open()
    with pytest.raises(OSError, match="Bad file"):
        sender.send_descriptors(b"x", [fd, 9999])
    with pytest.raises(ValueError, match="at least one"):
        sender.send_descriptors(b"", [fd])
    with pytest.raises(TypeError):
        sender.send_descriptors(b"x", ["1"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        sender.send_descriptors("text", [fd])  # type: ignore[arg-type]
    one.turns()
    assert taker.heard == []
    sender.send_descriptors(b"x", [fd])
    one.until(lambda: taker.fds)


def test_only_unix_sockets_carry_them(
    one: Wire, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    one._sockets += [ours, theirs]
    ours.setblocking(False)
    taker = Taker()
    tcp = Stream(one.reactor, ours, taker, "peer", StreamLimits())
    tcp.begin()
    with pytest.raises(ProgramFault, match="unix sockets only"):
        tcp.send_descriptors(b"x", [0])
    theirs.send(b"as ever")
    one.until(lambda: taker.data)
    layer = TLSStream(ServerTLS(authority.local()).context, Recorder, server_side=True)
    with pytest.raises(ProgramFault, match="not through TLS"):
        layer.send_descriptors(b"x", [0])
    reading, writing = os.pipe()
    pipe = write_pipe(one.reactor, writing, private=True)
    with pytest.raises(ProgramFault, match="unix sockets only"):
        pipe.send_descriptors(b"x", [0])
    pipe.abort()
    os.close(reading)
    monkeypatch.setattr(rights, "SUPPORTED", False)
    stream, _ = one.pair(taker)
    with pytest.raises(MachineFault, match="does not pass descriptors"):
        stream.send_descriptors(b"x", [0])
    stream.write(b"!")
    one.until(lambda: taker.data == b"as ever!")


def test_a_system_without_the_flag_closes_them_on_exec_all_the_same(
    one: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "CLOSE_ON_EXEC", 0)
    taker = Taker()
    sender, _ = one.pair(taker)
    sender.send_descriptors(b"x", one.open(2))
    one.until(lambda: taker.data)
    assert [os.get_inheritable(fd) for fd in taker.fds] == [False, False]


# -- what a kernel does not do on demand ---------------------------------------------------------


class Faulty:
    """A unix socket whose calls answer from a script."""

    family = socket.AF_UNIX

    def __init__(self, *script: Any) -> None:
        self.script = list(script)

    def fileno(self) -> int:
        return 99

    def _next(self, *_: object) -> Any:
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    send = sendmsg = recvmsg = recv = _next

    def setsockopt(self, *args: object) -> None:
        pass

    def close(self) -> None:
        pass


def faulty(protocol: AnyProtocol, *script: Any, batches: Iterable[Any] = ()) -> tuple[Reactor, Stream]:
    clock = ManualClock()
    reactor = Reactor(ScriptedPoller(batches, clock=clock), clock=clock)
    fake: Any = Faulty(*script)
    stream = Stream(reactor, fake, protocol, "peer", StreamLimits())
    stream.begin()
    return reactor, stream


def test_too_many_on_their_way_is_told_and_nothing_is_queued() -> None:
    reactor, stream = faulty(Recorder(), OSError(errno.ETOOMANYREFS, "too many"))
    with reactor:
        with pytest.raises(MachineFault, match="have not received them yet"):
            stream.send_descriptors(b"x", [0])
        assert stream.outgoing is None
        assert not stream.is_closing()


@pytest.mark.pitfall(12)
def test_eagain_keeps_them_queued() -> None:
    again = BlockingIOError()
    reactor, stream = faulty(Recorder(), again, again, 2, again, 3, batches=[[(99, WRITE)]] * 3)
    with reactor:
        before = count_open()
        stream.send_descriptors(b"12345", [0, 0])
        assert count_open() == before + 2
        sizes = []
        while stream.outgoing is not None:
            sizes.append((stream.get_write_buffer_size(), count_open() - before))
            reactor.turn(0)
        assert sizes == [(5 + 2 * rights.DESCRIPTOR_COST, 2), (5 + 2 * rights.DESCRIPTOR_COST, 2), (3, 0)]
        assert count_open() == before
        stream.abort()


@pytest.mark.parametrize("step", [BlockingIOError(), InterruptedError()])
def test_readiness_is_only_a_hint(step: Exception) -> None:
    taker = Taker()
    reactor, _ = faulty(taker, step, (b"", [], 0, None), batches=[[(99, READ)], [(99, READ)]])
    with reactor:
        reactor.turn()
        assert taker.eof == 0
        reactor.turn()
        assert taker.eof == 1


def test_a_read_that_fails_ends_the_stream() -> None:
    taker = Taker()
    reactor, _ = faulty(taker, ConnectionResetError(), batches=[[(99, READ | ERROR)]])
    with reactor:
        reactor.turn()
        reactor.turn(0)
        assert isinstance(taker.lost[0], ConnectionResetError)


def test_other_ancillary_data_is_not_ours(one: Wire) -> None:
    taker = Taker()
    sender, taking = one.pair(taker)
    taking.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    sender.write(b"with credentials")
    one.until(lambda: taker.data)
    assert taker.heard == ["data"]


def test_the_protocol_need_not_say_anything() -> None:
    assert not hasattr(Protocol(), "descriptors_received")
    assert not hasattr(BufferedProtocol(), "descriptors_received")
