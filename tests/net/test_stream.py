"""The stream's promises, over TCP and unix sockets and on every poller that this machine has."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.errors import DeadlineExceeded, ProgramFault
from poise.limits import StreamLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import kernel, outgoing
from poise.net.ending import State
from poise.net.kernel import unacknowledged, unread
from poise.net.outgoing import BUFFERS_PER_CALL, FilePart, Outgoing, Truncated
from poise.net.protocol import BufferedProtocol, Protocol
from poise.net.stream import Stream
from poise.readiness.interest import ERROR, HANGUP, INVALID, READ, WRITE
from poise.readiness.poller import available
from tests.support.loops import Recorder, receive_all, turn_until
from tests.support.scripted import ScriptedPoller

Pair = tuple[socket.socket, socket.socket]


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def unix_pair() -> Pair:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


class Wire:
    """A stream on a reactor, its recorder and the far end as a plain socket."""

    def __init__(self, reactor: Reactor, pair: Callable[[], Pair]) -> None:
        self.reactor = reactor
        self._pair = pair
        self._ours: list[socket.socket] = []
        self._theirs: list[socket.socket] = []
        self.gone: list[Stream] = []
        self.errors: list[Exception] = []
        reactor.on_error = self.errors.append

    def stream(self, recorder: Recorder, **limits: Any) -> tuple[Stream, socket.socket]:
        ours, theirs = self._pair()
        self._ours.append(ours)
        self._theirs.append(theirs)
        stream = Stream(
            self.reactor, ours, recorder, ours.getpeername(), StreamLimits(**limits), self.gone.append
        )
        stream.begin()
        return stream, theirs

    def close(self) -> None:
        for each in self._ours + self._theirs:
            each.close()


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


@pytest.fixture(params=available())
def tcp(request: pytest.FixtureRequest) -> Iterator[Wire]:
    with Reactor(request.param) as reactor:
        made = Wire(reactor, tcp_pair)
        yield made
        made.close()


def test_bytes_go_both_ways(wire: Wire) -> None:
    heard = Recorder(lambda stream, data: stream.write(data.upper()))
    _, far = wire.stream(heard)
    far.send(b"hello")
    answer = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, answer) or len(answer) == 5)
    assert answer == b"HELLO"
    far.close()
    turn_until(wire.reactor, lambda: heard.lost)
    assert heard.lost == [None]
    assert heard.eof == 1
    assert wire.gone == [heard.stream]


@pytest.mark.pitfall(22)
def test_one_bounded_read_per_event(wire: Wire) -> None:
    heard = Recorder()
    _, far = wire.stream(heard, read_size=100)
    far.send(b"x" * 250)
    wire.reactor.turn(5)
    assert heard.pieces == [100]
    turn_until(wire.reactor, lambda: len(heard.data) == 250)
    assert heard.pieces == [100, 100, 50]


def counting(reactor: Reactor) -> list[float | None]:
    """Record every wait of the reactor's poller."""
    waits: list[float | None] = []
    real = reactor.poller.poll

    def poll(timeout: float | None = None, maxevents: int = -1, /) -> list[tuple[int, int]]:
        waits.append(timeout)
        return real(timeout, maxevents)

    reactor.poller.poll = poll  # type: ignore[misc]
    return waits


@pytest.mark.pitfall(11)
def test_write_interest_goes_when_the_queue_is_empty(wire: Wire) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard, high_water=1)
    stream.write(b"x" * 8_000_000)
    assert wire.reactor.poller.interest(stream.get_extra_info("fd")) == READ | WRITE
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got) or len(got) == 8_000_000)
    assert wire.reactor.poller.interest(stream.get_extra_info("fd")) == READ
    assert heard.pauses == ["pause", "resume"]
    waits = counting(wire.reactor)
    wire.reactor.turn(0.2)
    assert len(waits) == 1


@pytest.mark.pitfall(14)
def test_close_flushes_what_is_queued_first(wire: Wire) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard)
    stream.write(b"a" * 16_000_000)
    stream.write(b"the end")
    stream.close()
    stream.close()
    stream.write(b"too late")
    assert stream.is_closing()
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got))
    assert len(got) == 16_000_007
    assert got.endswith(b"the end")
    turn_until(wire.reactor, lambda: heard.lost)
    assert heard.lost == [None]
    assert heard.data == b""


@pytest.mark.pitfall(13)
def test_many_small_writes_that_the_kernel_takes_in_part(wire: Wire) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard, write_size=10_000)
    parts = [bytes([index % 251]) * (index % 1000 + 1) for index in range(3_000)]
    stream.write(b"first" * 500_000)
    for part in parts:
        stream.write(part)
    stream.writelines([b"last", b" one"])
    stream.writelines([b"!"])
    expected = b"first" * 500_000 + b"".join(parts) + b"last one!"
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got) or len(got) >= len(expected))
    assert got == expected
    assert stream.get_write_buffer_size() == 0


def test_an_empty_write_behind_a_full_queue_is_nothing(wire: Wire) -> None:
    stream, far = wire.stream(Recorder())
    stream.write(b"")
    stream.write(b"x" * 3_000_000)
    stream.write(b"")
    stream.writelines([])
    stream.write(b"y")
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got) or len(got) == 3_000_001)
    assert got.endswith(b"xy")
    assert stream.get_write_buffer_size() == 0


@pytest.mark.pitfall(15)
def test_a_hundred_thousand_writes_to_a_stalled_peer_are_linear(tcp: Wire) -> None:
    stream, _ = tcp.stream(Recorder())
    while not stream.get_write_buffer_size():
        stream.write(b"fill the kernel's buffers" * 10_000)

    def cost(count: int) -> float:
        start = time.process_time()
        for _ in range(count):
            stream.write(b"x")
        return time.process_time() - start

    cost(1_000)
    assert cost(100_000) < 100 * max(cost(10_000), 0.001)


@pytest.mark.pitfall(16)
def test_the_count_is_zero_after_a_full_drain(wire: Wire, tmp_path: Path) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard, high_water=10, low_water=0)
    (tmp_path / "f").write_bytes(b"f" * 300_000)
    total = 0
    for _ in range(3):
        stream.write(b"x" * 1_000_000)
        stream.sendfile(os.open(tmp_path / "f", os.O_RDONLY), 1, 299_999)
        total += 1_299_999
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got) or len(got) == total)
    turn_until(wire.reactor, lambda: stream.get_write_buffer_size() == 0)
    assert heard.pauses == ["pause", "resume"]


@pytest.mark.pitfall(17)
def test_half_close_answers_after_eof_and_does_not_spin(wire: Wire) -> None:
    heard = Recorder(keep_open=True)
    stream, far = wire.stream(heard)
    far.send(b"question")
    far.shutdown(socket.SHUT_WR)
    turn_until(wire.reactor, lambda: heard.eof)
    assert not stream.is_reading()
    waits = counting(wire.reactor)
    wire.reactor.turn(0.1)
    assert len(waits) == 1
    assert heard.eof == 1
    stream.write(b"answer")
    stream.close()
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got))
    assert got == b"answer"


def test_write_eof_sends_everything_and_then_fin(wire: Wire) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard)
    assert stream.can_write_eof()
    stream.write(b"x" * 3_000_000)
    stream.write_eof()
    stream.write_eof()
    with pytest.raises(ProgramFault):
        stream.write(b"more")
    with pytest.raises(ProgramFault):
        stream.sendfile(os.open("/dev/null", os.O_RDONLY), 0, 1)
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got))
    assert len(got) == 3_000_000
    far.send(b"still listening?")
    turn_until(wire.reactor, lambda: heard.data)
    assert heard.data == b"still listening?"


def test_write_eof_with_nothing_queued(wire: Wire) -> None:
    stream, far = wire.stream(Recorder())
    stream.write_eof()
    assert receive_all(far, bytearray())


@pytest.mark.parametrize("waiting", [0, 3_000_000])
def test_an_end_that_was_said_is_not_said_again(wire: Wire, waiting: int) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard)
    stream.write(bytes(waiting))
    stream.write_eof()
    got = bytearray()
    if not waiting:
        assert receive_all(far, got)
        far.shutdown(socket.SHUT_WR)
    stream.close(linger=True)
    turn_until(wire.reactor, lambda: receive_all(far, got))
    far.close()
    turn_until(wire.reactor, lambda: heard.lost)
    assert len(got) == waiting
    assert heard.lost == [None]


@pytest.mark.pitfall(18)
@pytest.mark.attack(40)
def test_lingering_close_lets_the_answer_through_the_junk(tcp: Wire) -> None:
    def answer(stream: Stream, data: bytes) -> None:
        stream.write(b"the answer")
        stream.close(linger=True)

    heard = Recorder(answer)
    stream, far = tcp.stream(heard, read_size=1000)
    far.send(b"request" + b"junk" * 10_000)
    turn_until(tcp.reactor, stream.is_closing)
    far.send(b"and more")
    got = bytearray()
    turn_until(tcp.reactor, lambda: receive_all(far, got))  # a reset would raise
    assert got == b"the answer"
    assert heard.lost == []
    far.close()
    turn_until(tcp.reactor, lambda: heard.lost)
    assert heard.lost == [None]
    assert len(heard.data) == 1000, "what is read away is not told"


def test_lingering_is_bounded_in_bytes(tcp: Wire) -> None:
    heard = Recorder()
    stream, far = tcp.stream(heard, linger_bytes=100_000)
    stream.close(linger=True)

    def flood() -> None:
        sent = 0
        while sent < 100_000_000:
            try:
                sent += far.send(b"junk" * 10_000)
            except BlockingIOError:
                tcp.reactor.turn(0.01)
            tcp.reactor.turn(0)

    with pytest.raises(OSError, match=r"reset|[Pp]ipe"):
        flood()
    assert heard.lost == [None]


def test_lingering_is_bounded_in_time(tcp: Wire) -> None:
    heard = Recorder()
    stream, _ = tcp.stream(heard, linger_time=0.03)
    stream.close(linger=True)
    turn_until(tcp.reactor, lambda: heard.lost, patience=5)
    assert heard.lost == [None]


def test_lingering_after_the_peers_eof_is_needless(tcp: Wire) -> None:
    heard = Recorder(keep_open=True)
    stream, far = tcp.stream(heard)
    far.shutdown(socket.SHUT_WR)
    turn_until(tcp.reactor, lambda: heard.eof)
    stream.close(linger=True)
    turn_until(tcp.reactor, lambda: heard.lost, patience=1)


@pytest.mark.pitfall(19)
def test_a_reset_while_sending_is_told_once_with_its_cause(tcp: Wire) -> None:
    heard = Recorder()
    stream, far = tcp.stream(heard)
    stream.write(b"x" * 20_000_000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    turn_until(tcp.reactor, lambda: heard.lost)
    tcp.reactor.turn(0)
    stream.close()
    stream.abort()
    tcp.reactor.turn(0)
    assert len(heard.lost) == 1
    assert isinstance(heard.lost[0], ConnectionError)


@pytest.mark.pitfall(19)
def test_a_reset_of_a_paused_stream_is_noticed_when_it_matters(tcp: Wire) -> None:
    heard = Recorder()
    stream, far = tcp.stream(heard)
    stream.pause_reading()
    stream.write(b"x" * 20_000_000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    turn_until(tcp.reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], ConnectionError)


@pytest.mark.pitfall(8)
def test_a_paused_stream_whose_peer_hung_up_does_not_spin(wire: Wire) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard)
    stream.pause_reading()
    far.close()
    waits = counting(wire.reactor)
    wire.reactor.turn(0.1)
    assert len(waits) == 1
    assert heard.lost == []
    stream.resume_reading()
    turn_until(wire.reactor, lambda: heard.lost)


@pytest.mark.pitfall(20)
def test_writing_to_a_peer_that_has_gone_is_no_signal() -> None:
    program = (
        "import signal, socket\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "from poise.loop.reactor import Reactor\n"
        "from poise.net.protocol import Protocol\n"
        "from poise.net.stream import Stream\n"
        "from poise.limits import StreamLimits\n"
        "a, b = socket.socketpair(); a.setblocking(False); b.close()\n"
        "with Reactor() as r:\n"
        "    s = Stream(r, a, Protocol(), 'x', StreamLimits())\n"
        "    s.write(b'x'); s.writelines([b'y', b'z'])\n"
        "    r.turn(0); print('alive')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.returncode) == ("alive\n", 0), done.stderr


@pytest.mark.pitfall(21)
def test_readiness_is_only_a_hint(tcp: Wire) -> None:
    heard = Recorder()
    stream, far = tcp.stream(heard)
    thief = socket.socket(fileno=os.dup(stream.get_extra_info("fd")))
    far.send(b"stolen")
    tcp.reactor.call_later(0, lambda: None)
    assert thief.recv(100) == b"stolen"
    stream._on_ready(READ)
    assert heard.data == b""
    assert heard.lost == []
    thief.close()


@pytest.mark.pitfall(37)
def test_abort_resets_and_close_does_not(tcp: Wire) -> None:
    heard = Recorder()
    stream, far = tcp.stream(heard)
    stream.write(b"x")
    stream.abort()
    assert heard.lost == [], "never from inside the call"
    turn_until(tcp.reactor, lambda: heard.lost)
    assert heard.lost == [None]
    assert far.recv(1) == b"x"
    with pytest.raises(ConnectionResetError):
        far.recv(10)
    _, other = tcp.stream(closing := Recorder())
    closing.stream.close()
    turn_until(tcp.reactor, lambda: closing.lost)
    assert other.recv(10) == b""


@pytest.mark.pitfall(49)
def test_a_protocol_that_raises_loses_its_connection_only(wire: Wire) -> None:
    def broken(stream: Stream, data: bytes) -> None:
        raise LookupError("in data_received")

    bad, good = Recorder(broken), Recorder()
    _, bad_far = wire.stream(bad)
    _, good_far = wire.stream(good)
    bad_far.send(b"x")
    good_far.send(b"y")
    turn_until(wire.reactor, lambda: bad.lost and good.data)
    assert isinstance(bad.lost[0], LookupError)
    assert good.lost == []
    assert [str(error) for error in wire.errors] == ["in data_received"]


@pytest.mark.pitfall(49)
def test_a_protocol_that_raises_when_it_is_made(tcp: Wire) -> None:
    class Broken(Recorder):
        def connection_made(self, stream: Stream) -> None:
            raise LookupError("at once")

    heard = Broken()
    tcp.stream(heard)
    turn_until(tcp.reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], LookupError)


def test_closing_from_inside_each_callback(wire: Wire) -> None:
    class AtOnce(Recorder):
        def connection_made(self, stream: Stream) -> None:
            super().connection_made(stream)
            stream.write(b"bye")
            stream.close()

    at_once = AtOnce()
    _, far = wire.stream(at_once)
    assert at_once.lost == []
    turn_until(wire.reactor, lambda: at_once.lost)
    assert far.recv(10) == b"bye"
    heard = Recorder(lambda stream, data: stream.close())
    _, far = wire.stream(heard)
    far.send(b"x")
    turn_until(wire.reactor, lambda: heard.lost)
    assert receive_all(far, bytearray())


def test_aborting_from_inside_eof_received(wire: Wire) -> None:
    class Abrupt(Recorder):
        def eof_received(self) -> bool:
            super().eof_received()
            self.stream.abort()
            return True

    heard = Abrupt()
    _, far = wire.stream(heard)
    far.shutdown(socket.SHUT_WR)
    turn_until(wire.reactor, lambda: heard.lost)
    assert (heard.eof, heard.lost) == (1, [None])


@pytest.mark.pitfall(50)
def test_a_hundred_thousand_immediate_writes_do_not_recurse(tcp: Wire) -> None:
    count = 0

    class Eager(Recorder):
        def resume_writing(self) -> None:
            super().resume_writing()
            go_on()

    def go_on() -> None:
        nonlocal count
        while count < 100_000 and not stream.is_paused_writing():
            count += 1
            stream.write(b"0123456789")

    stream, far = tcp.stream(Eager(), high_water=20, low_water=0)
    go_on()
    got = bytearray()
    turn_until(tcp.reactor, lambda: receive_all(far, got) or len(got) == 1_000_000)


@pytest.mark.pitfall(51)
@pytest.mark.parametrize("end", ["half", "whole"])
def test_no_data_and_no_eof_after_pause_reading_returns(wire: Wire, end: str) -> None:
    heard = Recorder(lambda stream, data: stream.pause_reading())
    stream, far = wire.stream(heard, read_size=1)
    far.send(b"ab")
    if end == "half":
        far.shutdown(socket.SHUT_WR)
    else:
        far.close()  # a hang-up comes with the first byte, and must not swallow the second
    turn_until(wire.reactor, lambda: heard.data)
    for _ in range(3):
        wire.reactor.turn(0.01)
    assert (bytes(heard.data), heard.eof) == (b"a", 0)
    assert not stream.is_reading()
    heard.on_data = None
    stream.resume_reading()
    turn_until(wire.reactor, lambda: heard.eof)
    assert heard.data == b"ab"


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True], ids=["sendfile", "read and send"])
def test_sendfile_between_bytes(
    wire: Wire, tmp_path: Path, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plain:

        def refuse(*args: object) -> int:
            raise OSError(errno.EINVAL, "not this file system")

        monkeypatch.setattr(os, "sendfile", refuse)
    content = os.urandom(2_000_000)
    (tmp_path / "f").write_bytes(content)
    stream, far = wire.stream(Recorder(), write_size=100_000)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    empty = os.open(tmp_path / "f", os.O_RDONLY)
    stream.write(b"head", more=True)
    stream.sendfile(fd, 10, len(content) - 10)
    stream.sendfile(empty, 0, 0)
    stream.write(b"tail")
    stream.close()
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got))
    assert got == b"head" + content[10:] + b"tail"
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


@pytest.mark.parametrize("plain", [False, True], ids=["sendfile", "read and send"])
def test_a_file_that_shrinks_ends_the_stream(
    tcp: Wire, tmp_path: Path, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plain:
        monkeypatch.delattr(os, "sendfile")
    (tmp_path / "f").write_bytes(b"x" * 1000)
    heard = Recorder()
    stream, far = tcp.stream(heard)
    stream.sendfile(os.open(tmp_path / "f", os.O_RDONLY), 0, 2000)
    got = bytearray()
    turn_until(tcp.reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], Truncated)
    receive_all(far, got)
    assert len(got) <= 1000


def test_a_stream_that_is_lost_closes_its_files(tcp: Wire, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 50_000_000)
    heard = Recorder()
    stream, _ = tcp.stream(heard)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    stream.sendfile(fd, 0, 50_000_000)
    assert stream.get_write_buffer_size() > 0
    stream.abort()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
    stream.sendfile(other := os.open(tmp_path / "f", os.O_RDONLY), 0, 1)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(other)
    assert "CLOSED" in repr(stream)


def test_sending_to_a_broken_socket_by_sendfile_is_the_sockets_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    ours, theirs = unix_pair()
    theirs.close()
    part = FilePart(os.open(tmp_path / "f", os.O_RDONLY), 0, 1)
    with pytest.raises(BrokenPipeError):
        part.sendfile(ours.fileno(), 1)
    part.close()
    part.close()
    ours.close()


# -- deadlines -----------------------------------------------------------------------------------


def test_a_peer_that_takes_nothing_is_given_up(tcp: Wire) -> None:
    heard = Recorder()
    stream, _ = tcp.stream(heard, send_stall=0.08)
    stream.write(b"x" * 30_000_000)
    turn_until(tcp.reactor, lambda: heard.lost, patience=5)
    assert isinstance(heard.lost[0], DeadlineExceeded)


def test_a_slow_but_steady_peer_is_not(tcp: Wire) -> None:
    """It takes a little now and then; the kernel's send buffer does not become writable for a long time."""
    heard = Recorder()
    stream, far = tcp.stream(heard, send_stall=0.2)
    stream.write(b"x" * 30_000_000)
    begun = time.monotonic()
    taken = 0
    while time.monotonic() - begun < 1.0:
        tcp.reactor.turn(0.02)
        try:
            taken += len(far.recv(100_000))
        except BlockingIOError:
            pass
    assert heard.lost == []
    assert taken < 29_000_000, "otherwise this was no slow peer"
    turn_until(tcp.reactor, lambda: heard.lost, patience=5)


def test_without_a_look_at_the_kernels_queue_only_our_own_progress_counts(
    tcp: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poise.net.stall.unacknowledged", lambda fd: -1)
    heard = Recorder()
    stream, _ = tcp.stream(heard, send_stall=0.08)
    stream.write(b"x" * 30_000_000)
    turn_until(tcp.reactor, lambda: heard.lost, patience=5)
    assert isinstance(heard.lost[0], DeadlineExceeded)


def test_what_the_kernel_holds() -> None:
    ours, theirs = tcp_pair()
    assert unread(theirs.fileno()) == 0
    while True:
        try:
            ours.send(b"x" * 100_000)
        except BlockingIOError:
            break
    assert unacknowledged(ours.fileno()) > 0
    assert unread(theirs.fileno()) > 0
    assert unacknowledged(-1) == -1
    ours.close()
    theirs.close()


# -- faults that a kernel does not produce on demand ---------------------------------------------


class Faulty:
    """A socket whose calls answer from a script, and that keeps what was sent."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.sent = bytearray()
        self.closed = False

    def fileno(self) -> int:
        return 99

    def _next(self, default: object) -> Any:
        step = self.script.pop(0) if self.script else default
        if isinstance(step, Exception):
            raise step
        return step

    def send(self, data: bytes, flags: int = 0) -> int:
        count = min(int(self._next(len(data))), len(data))
        self.sent += memoryview(data)[:count]
        return count

    def sendmsg(self, parts: list[bytes], ancillary: object, flags: int) -> int:
        return self.send(b"".join(parts), flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return bytes(self._next(b""))

    def recv_into(self, buffer: memoryview, size: int) -> int:
        data = bytes(self._next(b""))[:size]
        buffer[: len(data)] = data
        return len(data)

    def getsockopt(self, level: int, option: int) -> int:
        return int(self._next(0))

    def setsockopt(self, *args: object) -> None:
        self._next(None)

    def shutdown(self, how: int) -> None:
        self._next(None)

    def close(self) -> None:
        self.closed = True


def faulty(
    *script: object, batches: list[Any] | None = None, **limits: Any
) -> tuple[Reactor, Stream, Recorder, Faulty]:
    clock = ManualClock()
    reactor = Reactor(ScriptedPoller(batches or [], clock=clock), clock=clock)
    heard = Recorder(keep_open=True)
    fake = Faulty(*script)
    stream = Stream(reactor, fake, heard, ("127.0.0.1", 1), StreamLimits(**limits))  # type: ignore[arg-type]
    stream.begin()
    return reactor, stream, heard, fake


@pytest.mark.pitfall(12)
@pytest.mark.parametrize("again", [BlockingIOError(), InterruptedError()])
def test_eagain_loses_no_byte(again: Exception) -> None:
    reactor, stream, _, fake = faulty(again, again, 2, again, 3, batches=[[(99, WRITE)]] * 6)
    with reactor:
        stream.write(bytearray(b"hello "))
        stream.write(memoryview(b"world"))
        for _ in range(6):
            reactor.turn(0)
        assert fake.sent == b"hello world"
        assert stream.get_write_buffer_size() == 0


@pytest.mark.parametrize("taken", [BlockingIOError(), 2])
def test_a_writer_may_change_what_it_has_written(taken: Exception | int) -> None:
    reactor, stream, _, fake = faulty(taken, batches=[[(99, WRITE)]] * 2)
    with reactor:
        ours = bytearray(b"hello ")
        stream.write(ours)
        ours[:] = b"HELLO "
        stream.write(ours)
        ours[:] = bytes(6)
        reactor.turn(0)
        assert fake.sent == b"hello HELLO "


@pytest.mark.pitfall(19)
def test_the_first_cause_is_kept() -> None:
    reactor, stream, heard, fake = faulty(errno.ECONNRESET, batches=[[(99, ERROR | HANGUP)]])
    with reactor:
        stream.pause_reading()
        reactor.turn()
        reactor.turn(0)
        assert fake.closed
        assert isinstance(heard.lost[0], OSError)
        assert heard.lost[0].errno == errno.ECONNRESET


@pytest.mark.parametrize(
    ("mask", "code"),
    [(HANGUP, None), (ERROR, None), (INVALID, errno.EBADF)],
    ids=["hang-up", "no error", "invalid"],
)
def test_faults_without_a_pending_error(mask: int, code: int | None) -> None:
    reactor, stream, heard, _ = faulty(batches=[[(99, mask)]])
    with reactor:
        stream.pause_reading()
        reactor.turn()
        reactor.turn(0)
        assert [getattr(error, "errno", None) for error in heard.lost] == [code]


def test_a_recv_that_fails_ends_the_stream() -> None:
    reactor, _, heard, _ = faulty(ConnectionResetError(), batches=[[(99, READ)]])
    with reactor:
        reactor.turn()
        reactor.turn(0)
        assert isinstance(heard.lost[0], ConnectionResetError)


def test_a_send_that_fails_ends_the_stream() -> None:
    reactor, stream, heard, _ = faulty(BrokenPipeError(), batches=[[(99, READ)]])
    with reactor:
        stream.write(b"x")
        stream.write(b"y")
        reactor.turn()
        reactor.turn(0)
        assert isinstance(heard.lost[0], BrokenPipeError)


def test_a_shutdown_that_fails_ends_the_stream() -> None:
    reactor, stream, heard, _ = faulty(OSError(errno.ENOTCONN, "gone"), batches=[[(99, READ)]])
    with reactor:
        stream.write_eof()
        reactor.turn()
        reactor.turn(0)
        assert isinstance(heard.lost[0], OSError)


def test_aborting_what_is_gone_already() -> None:
    reactor, stream, heard, fake = faulty(OSError(errno.EINVAL, "gone"))
    with reactor:
        stream.abort()
        reactor.turn()
        assert fake.closed
        assert heard.lost == [None]


def test_extra_info(tcp: Wire) -> None:
    stream, far = tcp.stream(Recorder())
    assert stream.get_extra_info("peername") == far.getsockname()
    assert stream.get_extra_info("sockname") == far.getpeername()
    assert stream.get_extra_info("socket").fileno() == stream.get_extra_info("fd")
    assert stream.get_extra_info("cipher", "none") == "none"
    assert stream.client == "127.0.0.1"
    assert "OPEN" in repr(stream)
    stream.set_protocol(other := Recorder())
    assert stream.get_protocol() is other


@pytest.mark.parametrize("asked", [False, True])
def test_our_own_address_is_known_to_the_end_when_it_was_asked_for(tcp: Wire, asked: bool) -> None:
    told: list[Any] = []

    class Ending(Recorder):
        def connection_lost(self, error: Exception | None) -> None:
            told.append(self.stream.get_extra_info("sockname", "unknown"))
            super().connection_lost(error)

    protocol = Ending()
    stream, far = tcp.stream(protocol)
    name = far.getpeername()
    if asked:
        assert stream.get_extra_info("sockname") == name
    stream.abort()
    turn_until(tcp.reactor, lambda: protocol.lost)
    assert told == [name if asked else "unknown"]


def test_a_protocol_may_leave_every_method_as_it_is(tcp: Wire) -> None:
    ours, theirs = tcp_pair()
    stream = Stream(tcp.reactor, ours, Protocol(), "", StreamLimits(high_water=1, low_water=0))
    stream.begin()
    stream.write(b"x" * 3_000_000)
    theirs.send(b"ignored")
    got = bytearray()
    turn_until(tcp.reactor, lambda: receive_all(theirs, got) or len(got) == 3_000_000)
    theirs.close()
    turn_until(tcp.reactor, lambda: stream._state == State.CLOSED)
    assert "unnamed" in repr(stream)
    assert stream.client == ""
    tcp.reactor.turn(0)


# -- the queue, against a simple model -----------------------------------------------------------


@given(
    parts=st.lists(st.one_of(st.binary(max_size=50), st.integers(1, 50)), max_size=120),
    takes=st.lists(st.one_of(st.integers(0, 60), st.none()), max_size=60),
    budget=st.integers(1, 200),
)
@settings(max_examples=150)
def test_whatever_the_kernel_takes_the_bytes_come_out_in_order(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes | int], takes: list[int | None], budget: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "content"
    path.write_bytes(bytes(range(50)))
    queue = Outgoing()
    expected = b""
    fake = Faulty(*(BlockingIOError() if take is None else take or BlockingIOError() for take in takes))
    for part in parts:
        if isinstance(part, int):
            file = FilePart(os.open(path, os.O_RDONLY), 50 - part, part)
            file.plain = True
            queue.append(file)
            expected += bytes(range(50 - part, 50))
        elif part:
            queue.append(part)
            expected += part
    rounds = 0
    while queue.parts:
        rounds += 1
        before = len(fake.sent)
        sent = queue.send(fake, budget, lambda: None)  # type: ignore[arg-type]
        assert sent == len(fake.sent) - before <= budget
        assert queue.size == len(expected) - len(fake.sent)
        assert rounds < 10_000
    assert fake.sent == expected
    queue.close()


def test_closing_a_queue_closes_its_files(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    queue = Outgoing()
    queue.append(b"bytes")
    queue.append(FilePart(fd, 0, 1))
    queue.close()
    assert queue.size == 0
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_a_platform_without_the_look_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel._asking.cache_clear()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    near, far = socket.socketpair()
    with near, far:
        assert unacknowledged(near.fileno()) == unread(near.fileno()) == -1


def test_sigpipe_stays_what_it_was() -> None:
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN


def test_a_file_that_is_none_is_refused_before_anything_is_queued(tcp: Wire) -> None:
    heard = Recorder()
    stream, far = tcp.stream(heard)
    with pytest.raises(OSError, match="Bad file"):
        stream.sendfile(9999, 0, 10)
    strange: list[tuple[Any, Any]] = [(-1, 5), (0, -5), (None, 5), (0, "5")]
    for offset, count in strange:
        fd = os.open("/dev/null", os.O_RDONLY)
        with pytest.raises(ValueError, match="at least 0"):
            stream.sendfile(fd, offset, count)
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)
    stream.write(b"as good as before")
    stream.close()
    got = bytearray()
    turn_until(tcp.reactor, lambda: receive_all(far, got))
    assert got == b"as good as before"


def test_a_file_that_was_closed_behind_our_back_ends_the_stream_all_the_same(
    tcp: Wire, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"x" * 50_000_000)
    heard = Recorder()
    stream, _ = tcp.stream(heard)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    stream.sendfile(fd, 0, 50_000_000)
    os.close(fd)
    stream.abort()
    turn_until(tcp.reactor, lambda: heard.lost)


def test_limits_come_back_when_nothing_is_said(tcp: Wire) -> None:
    stream, _ = tcp.stream(Recorder(), high_water=8000)
    stream.set_write_buffer_limits(high=5)
    stream.set_write_buffer_limits()
    assert stream.get_write_buffer_limits() == (8000, 8000)


def test_marks_of_a_lost_stream_tell_nobody(tcp: Wire) -> None:
    heard = Recorder()
    stream, _ = tcp.stream(heard)
    stream.write(b"x" * 20_000_000)
    stream.abort()
    turn_until(tcp.reactor, lambda: heard.lost)
    stream.set_write_buffer_limits(high=0)
    assert heard.pauses == ["pause"]


# -- several pieces as one -----------------------------------------------------------------------


class Counted(socket.socket):
    """Counts the calls that send."""

    calls = 0

    def send(self, *args: Any) -> int:
        self.calls += 1
        return super().send(*args)

    def sendmsg(self, *args: Any) -> int:
        self.calls += 1
        return super().sendmsg(*args)


@pytest.fixture
def counted(wire: Wire) -> tuple[Stream, Counted, socket.socket]:
    """A stream over a socket that counts, and its far end."""
    ours, theirs = wire._pair()
    made = Counted(fileno=ours.detach())
    wire._ours.append(made)
    wire._theirs.append(theirs)
    stream = Stream(wire.reactor, made, Recorder(), "peer", StreamLimits())
    stream.begin()
    return stream, made, theirs


def test_several_pieces_are_one_call(counted: tuple[Stream, Counted, socket.socket]) -> None:
    stream, ours, far = counted
    words = memoryview(bytearray(b"55556666")).cast("I")
    pieces: list[Any] = [
        b"",
        b"1",
        bytearray(b"22"),
        bytearray(),
        memoryview(b"333"),
        memoryview(b""),
        b"4444",
        words,
    ]
    stream.writelines(iter(pieces))
    assert ours.calls == 1
    assert far.recv(100) == b"1223334444" + b"55556666"
    stream.writelines([])
    stream.writelines(b"" for _ in range(3))
    assert ours.calls == 1
    assert stream.outgoing is None


def test_very_many_pieces_are_few_calls(counted: tuple[Stream, Counted, socket.socket]) -> None:
    stream, ours, far = counted
    pieces = [b"%d;" % number for number in range(1000)]
    stream.writelines(pieces)
    assert ours.calls == -(-1000 // BUFFERS_PER_CALL)
    got = bytearray()
    receive_all(far, got)
    assert got == b"".join(pieces)


def test_what_the_kernel_does_not_take_is_queued_without_a_copy(
    wire: Wire, counted: tuple[Stream, Counted, socket.socket]
) -> None:
    stream, ours, far = counted
    ours_too, theirs = bytes(5_000_000), bytearray(b"t" * 1000)
    unchanging = b"very last"
    pieces: list[Any] = [b"first", ours_too, b"last", memoryview(unchanging), theirs, memoryview(theirs)]
    expected = b"".join(pieces)
    stream.writelines(pieces)
    assert ours.calls == 1
    queue = stream.outgoing
    assert queue is not None
    cut, last, very_last, *copies = queue.parts
    assert isinstance(cut, memoryview)
    assert cut.obj is ours_too
    assert last is pieces[2]
    assert isinstance(very_last, memoryview)
    assert very_last.obj is unchanging
    theirs[:] = bytes(1000)  # the caller's, who may change it
    assert [type(copy) for copy in copies] == [bytes, bytes]
    stream.writelines([b"behind", bytearray(b" all")])
    assert ours.calls == 1, "the queue goes first"
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got) or len(got) == len(expected) + 10)
    assert got == expected + b"behind all"


def test_a_piece_that_is_none_is_told_before_anything_is_sent(
    counted: tuple[Stream, Counted, socket.socket],
) -> None:
    stream, ours, far = counted
    strange: Any
    for strange in ("text", 5, None, [b"x"], memoryview(b"abcdef")[::2]):
        with pytest.raises(TypeError):
            stream.writelines([b"good", strange])
    assert ours.calls == 0
    stream.writelines([b"as good ", b"as before"])
    assert far.recv(100) == b"as good as before"


def test_pieces_for_a_stream_that_takes_no_more(counted: tuple[Stream, Counted, socket.socket]) -> None:
    stream, ours, _ = counted
    stream.write_eof()
    with pytest.raises(ProgramFault):
        stream.writelines([b"x"])
    stream.close()
    stream.writelines([b"x", b"y"])
    assert ours.calls == 0


@pytest.mark.pitfall(12)
@pytest.mark.parametrize("again", [BlockingIOError(), InterruptedError()])
def test_eagain_loses_no_piece(again: Exception) -> None:
    reactor, stream, _, fake = faulty(again, 3, again, 2, batches=[[(99, WRITE)]] * 6)
    with reactor:
        stream.writelines([b"hel", b"lo ", b"world"])
        for _ in range(6):
            reactor.turn(0)
        assert fake.sent == b"hello world"
        assert stream.outgoing is None
        stream.writelines([b"", b"!"])
        assert fake.sent == b"hello world!"


def test_a_piece_is_cut_wherever_the_kernel_likes() -> None:
    for taken in range(12):
        reactor, stream, _, fake = faulty(taken or BlockingIOError(), batches=[[(99, WRITE)]])
        with reactor:
            stream.writelines([b"hel", bytearray(b"lo "), b"world"])
            assert fake.sent == b"hello world"[:taken]
            assert stream.get_write_buffer_size() == 11 - taken
            reactor.turn(0)
            assert fake.sent == b"hello world"


def test_a_system_without_sendmsg_joins_the_pieces(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "HAS_SENDMSG", False)
    stream, far = wire.stream(Recorder())
    stream.writelines([b"a" * 1_000_000, bytearray(b"b" * 1_000_000), b"c" * 1_000_000])
    stream.write(b"d")
    got = bytearray()
    turn_until(wire.reactor, lambda: receive_all(far, got) or len(got) == 3_000_001)
    assert got == b"a" * 1_000_000 + b"b" * 1_000_000 + b"c" * 1_000_000 + b"d"


# -- faults of a stream that has just paused -----------------------------------------------------


def test_a_hang_up_drops_no_input() -> None:
    """Somebody else paused the stream in the same batch: its mask is cut to the faults, and its input is still there."""
    reactor, stream, heard, _ = faulty(
        b"x", b"said before", batches=[[(99, HANGUP)], [(99, READ)], [(99, READ)]]
    )
    with reactor:
        stream.pause_reading()
        reactor.turn()
        reactor.turn(0)
        assert heard.lost == []
        stream.resume_reading()
        reactor.turn()
        assert heard.data == b"said before"


def test_an_error_drops_no_input_but_is_the_cause() -> None:
    batches = [[(99, ERROR | HANGUP)], [(99, HANGUP)], [(99, READ)], [(99, READ)]]
    reactor, stream, heard, _ = faulty(errno.ECONNRESET, b"x", b"x", b"said before", batches=batches)
    with reactor:
        stream.pause_reading()
        reactor.turn()
        reactor.turn()
        assert heard.lost == []
        assert stream.is_mute()
        stream.resume_reading()
        for _ in range(3):
            reactor.turn(0)
        assert heard.data == b"said before"
        assert isinstance(heard.lost[0], ConnectionResetError)


def test_what_is_no_farewell_of_the_peer_ends_the_stream_at_once() -> None:
    """The connection is not broken: the peer would wait for an answer that nobody can send."""
    reactor, stream, heard, _ = faulty(OSError(errno.ENOBUFS, "no buffers"))
    with reactor:
        stream.write(b"x")
        assert not stream.is_mute()
        reactor.turn()
        assert isinstance(heard.lost[0], OSError)


# -- a protocol with a buffer of its own ---------------------------------------------------------


class Filled(BufferedProtocol):
    """Keeps what is put into its buffer."""

    def __init__(self, size: int = 10, on_buffer: Callable[[Stream], object] | None = None) -> None:
        self.buffer = bytearray(size)
        self.data = bytearray()
        self.eof = 0
        self.lost: list[Exception | None] = []
        self.on_buffer = on_buffer

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def get_buffer(self, sizehint: int) -> bytearray:
        assert sizehint == -1
        if self.on_buffer is not None:
            self.on_buffer(self.stream)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]

    def eof_received(self) -> bool:
        self.eof += 1
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


def test_a_buffer_is_filled_and_the_queue_is_not_forgotten(wire: Wire) -> None:
    heard: Any = Filled(1000)
    stream, far = wire.stream(heard)
    sent = bytes(range(250)) * 20_000
    stream.write(sent)
    got, said = bytearray(), memoryview(sent)
    while said or len(got) < len(sent) or len(heard.data) < len(sent):
        try:
            said = said[far.send(said) :]
        except BlockingIOError:
            pass
        receive_all(far, got)
        wire.reactor.turn(0.02)
    far.close()
    turn_until(wire.reactor, lambda: heard.lost)
    assert got == heard.data == sent
    assert (heard.eof, heard.lost) == (1, [None])


def test_a_buffer_that_cannot_be_filled_yet() -> None:
    reactor, stream, _, _ = faulty(BlockingIOError(), InterruptedError(), b"now", batches=[[(99, READ)]] * 4)
    with reactor:
        stream.set_protocol(heard := Filled())
        for _ in range(3):
            reactor.turn()
        assert heard.data == b"now"
        assert heard.lost == []


@pytest.mark.parametrize("aborts", [False, True])
def test_a_recv_into_that_fails_ends_the_stream_once(aborts: bool) -> None:
    reactor, stream, _, _ = faulty(*[None] * aborts, ConnectionResetError(), batches=[[(99, READ)]])
    with reactor:
        heard = Filled(on_buffer=Stream.abort if aborts else None)
        heard.stream = stream
        stream.set_protocol(heard)
        reactor.turn()
        reactor.turn(0)
        assert [type(error) for error in heard.lost] == [type(None) if aborts else ConnectionResetError]


def test_a_buffer_without_room_is_the_programs_fault(wire: Wire) -> None:
    heard: Any = Filled(0)
    _, far = wire.stream(heard)
    far.send(b"where to?")
    turn_until(wire.reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], ProgramFault)
    assert [type(error) for error in wire.errors] == [ProgramFault]


def test_a_lost_stream_may_be_handed_over_all_the_same(tcp: Wire) -> None:
    first, second = Recorder(), Recorder()
    stream, _ = tcp.stream(first)
    stream.abort()
    stream.set_protocol(second)
    turn_until(tcp.reactor, lambda: first.lost)
    assert second.lost == []
