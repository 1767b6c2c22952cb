"""Streams over descriptors that are no sockets: a terminal, a pipe and a file alike, on every poller of this machine."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import AlreadyRegistered, MachineFault, ProgramFault
from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net import descriptor, pipe
from poise.net.descriptor import PIPE_BUF, TERMINAL_PIECE, Descriptor, Kind, kind_of, open_again
from poise.net.listener import listen
from poise.net.pipe import ReadPipe, WritePipe, read_pipe, stdin, stdout, write_pipe
from poise.net.protocol import BufferedProtocol, Protocol
from poise.readiness.interest import HANGUP, INVALID, READ, WRITE
from poise.readiness.poller import available
from tests.support.loops import Recorder, turn_until
from tests.support.scripted import ScriptedPoller

ROOT = Path(__file__).resolve().parents[2]
CTRL_D = b"\x04"


class Ends:
    """Descriptors of a test; those that the code under test has closed are not closed again."""

    def __init__(self) -> None:
        self._ours: list[int] = []

    def pipe(self) -> tuple[int, int]:
        return self.keep(*os.pipe())

    def terminal(self) -> tuple[int, int]:
        """``(master, slave)``: who types and sees, and what a program has as its terminal."""
        return self.keep(*os.openpty())

    def keep(self, *fds: int) -> tuple[int, int]:
        self._ours += fds
        return fds[0], fds[-1]

    def close(self, *fds: int) -> None:
        for fd in fds:
            self._ours.remove(fd)
            os.close(fd)

    def given(self, fd: int) -> int:
        """``fd``, from now on somebody else's to close."""
        self._ours.remove(fd)
        return fd

    def close_all(self) -> None:
        self.close(*self._ours.copy())


@pytest.fixture(params=available())
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    with Reactor(request.param) as made:
        yield made


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close_all()


@pytest.fixture
def shared_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system on which nothing can be opened a second time."""
    monkeypatch.setattr(descriptor, "open_again", lambda fd, kind, access: None)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def drain(fd: int) -> bytes:
    """What can be read without waiting."""
    data = b""
    while select.select([fd], [], [], 0)[0]:
        try:
            more = os.read(fd, 1 << 16)
        except OSError as error:
            assert error.errno == errno.EIO
            break
        if not more:
            break
        data += more
    return data


# --- reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_file", [False, True])
def test_a_pipe_is_read_to_its_end(reactor: Reactor, ends: Ends, as_file: bool) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    fd = ends.given(read)
    made = read_pipe(reactor, os.fdopen(fd, "rb") if as_file else fd, heard)
    assert heard.stream is made  # type: ignore[comparison-overlap]
    assert made.is_reading()
    os.write(write, b"one")
    turn_until(reactor, lambda: heard.data == b"one")
    os.write(write, b"two")
    ends.close(write)
    turn_until(reactor, lambda: heard.lost)
    assert heard.data == b"onetwo"
    assert (heard.eof, heard.lost) == (1, [None])
    assert not made.is_reading()
    assert made.is_closing()
    assert not is_open(fd), "it was ours to close"
    assert len(reactor.poller) == 1


def test_one_bounded_read_per_turn(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = read_pipe(reactor, ends.given(read), heard, limits=StreamLimits(read_size=100))
    os.write(write, b"x" * 250)
    reactor.turn(5)
    assert heard.pieces == [100]
    turn_until(reactor, lambda: len(heard.data) == 250)
    assert heard.pieces == [100, 100, 50]
    made.close()
    made.close()
    turn_until(reactor, lambda: heard.lost)
    assert (heard.eof, heard.lost) == (0, [None])


@pytest.mark.pitfall(10)
def test_a_regular_file_is_read_in_turns_beside_others(reactor: Reactor, ends: Ends, tmp_path: Path) -> None:
    content = os.urandom(10_000)
    (tmp_path / "file").write_bytes(content)
    read, write = ends.pipe()
    order: list[str] = []
    file = Recorder(lambda _stream, _data: order.append("file"))
    other = Recorder(lambda _stream, _data: order.append("pipe"))
    read_pipe(reactor, os.open(tmp_path / "file", os.O_RDONLY), file, limits=StreamLimits(read_size=1000))
    second = read_pipe(reactor, ends.given(read), other, limits=StreamLimits(read_size=1))
    os.write(write, b"abc")
    turn_until(reactor, lambda: file.lost)
    assert file.data == content
    assert file.pieces == [1000] * 10
    assert other.data == b"abc"
    assert order.index("pipe") < 3, "whoever is always ready does not go first for ever"
    second.abort()


def test_standard_input_from_nothing_and_from_a_folder(reactor: Reactor, tmp_path: Path) -> None:
    nothing, folder = Recorder(), Recorder()
    read_pipe(reactor, os.open(os.devnull, os.O_RDONLY), nothing)
    read_pipe(reactor, os.open(tmp_path, os.O_RDONLY), folder)
    turn_until(reactor, lambda: nothing.lost and folder.lost)
    assert (nothing.eof, nothing.lost) == (1, [None])
    assert isinstance(folder.lost[0], IsADirectoryError)


def test_a_terminal_gives_lines_and_ends_with_ctrl_d(reactor: Reactor, ends: Ends) -> None:
    master, slave = ends.terminal()
    heard = Recorder()
    made = read_pipe(reactor, slave, heard, closefd=False)
    assert made.get_extra_info("pipe") == slave
    os.write(master, b"hal")
    reactor.turn(0)
    assert heard.data == b"", "the terminal keeps the line until Enter"
    os.write(master, b"lo\n")
    turn_until(reactor, lambda: heard.data == b"hallo\n")
    os.write(master, CTRL_D)
    turn_until(reactor, lambda: heard.lost)
    assert (heard.eof, heard.lost) == (1, [None])
    assert is_open(slave)


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux tells that nobody has the terminal open")
@pytest.mark.parametrize("private", [False, True])
def test_a_terminal_that_everybody_has_left(reactor: Reactor, ends: Ends, private: bool) -> None:
    master, slave = ends.terminal()
    heard = Recorder()
    read_pipe(reactor, ends.given(master), heard, private=private)
    os.write(slave, b"bye\n")
    ends.close(slave)
    turn_until(reactor, lambda: heard.lost)
    assert heard.data == b"bye\r\n"
    assert (heard.eof, heard.lost) == (1, [None])


@pytest.mark.pitfall(51)
def test_nothing_is_heard_after_pause_reading_not_even_from_the_same_batch(
    reactor: Reactor, ends: Ends
) -> None:
    pipes: list[ReadPipe] = []
    heard = [Recorder(), Recorder()]
    for index, each in enumerate(heard):
        read, write = ends.pipe()
        each.on_data = lambda _stream, _data, other=1 - index: pipes[other].pause_reading()
        pipes.append(read_pipe(reactor, ends.given(read), each))
        os.write(write, b"data")
        ends.close(write)
    reactor.turn(5)
    for _ in range(5):
        reactor.turn(0)
    assert sorted(bytes(each.data) for each in heard) == [b"", b"data"]
    paused = [bytes(each.data) for each in heard].index(b"")
    assert not pipes[paused].is_reading()
    assert heard[paused].eof == 0
    heard[paused].on_data = None
    pipes[paused].resume_reading()
    turn_until(reactor, lambda: all(each.lost for each in heard))
    assert heard[paused].data == b"data"


@pytest.mark.pitfall(8)
def test_a_paused_pipe_whose_writer_has_gone_does_not_spin(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    made = read_pipe(reactor, ends.given(read), Recorder())
    made.pause_reading()
    ends.close(write)
    assert reactor.poller.poll(0, 10) == []
    made.abort()
    made.resume_reading()


@pytest.mark.pitfall(21)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a shared descriptor has to wait in this case")
def test_what_another_reader_has_taken(reactor: Reactor, ends: Ends) -> None:
    """Two programs with one terminal or pipe as their input: the kernel wakes both, and one gets the data."""
    read, write = ends.pipe()
    heard = Recorder()
    made = read_pipe(reactor, read, heard, closefd=False)
    os.write(write, b"x")
    assert os.read(read, 1) == b"x"
    made._on_ready(READ)
    assert heard.data == b""
    assert not heard.lost
    made.abort()


class Filling(BufferedProtocol):
    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.data = bytearray()
        self.lost: list[Exception | None] = []

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


def test_a_buffered_protocol_gets_its_buffer_filled(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Filling(3)
    read_pipe(reactor, ends.given(read), heard)
    os.write(write, b"abcdefg")
    ends.close(write)
    turn_until(reactor, lambda: heard.lost)
    assert heard.data == b"abcdefg"
    assert heard.lost == [None]


def test_a_buffer_without_room_is_our_fault(reactor: Reactor, ends: Ends) -> None:
    errors: list[Exception] = []
    reactor.on_error = errors.append
    read, write = ends.pipe()
    heard = Filling(0)
    read_pipe(reactor, ends.given(read), heard)
    os.write(write, b"abc")
    turn_until(reactor, lambda: heard.lost)
    assert isinstance(errors[0], ProgramFault)
    assert heard.lost == errors


def test_another_protocol_takes_over(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    first, second = Recorder(), Filling(100)
    made = read_pipe(reactor, ends.given(read), first)
    os.write(write, b"one")
    turn_until(reactor, lambda: first.data)
    made.set_protocol(second)
    assert made.get_protocol() is second
    os.write(write, b"two")
    turn_until(reactor, lambda: second.data == b"two")
    made.abort()
    turn_until(reactor, lambda: second.lost)
    assert not first.lost


def test_the_end_for_reading_cannot_be_written(reactor: Reactor, ends: Ends) -> None:
    read, _ = ends.pipe()
    made = read_pipe(reactor, ends.given(read), Recorder())
    with pytest.raises(ProgramFault, match="cannot be written"):
        made.write(b"x")
    assert not made.can_write_eof()
    assert made.get_write_buffer_size() == 0
    made.abort()


# --- writing ----------------------------------------------------------------------------------------------


def collect(reactor: Reactor, fd: int, size: int) -> bytes:
    """Turn until ``size`` bytes have come out of ``fd``."""
    got = bytearray()

    def done() -> bool:
        got.extend(drain(fd))
        return len(got) >= size

    turn_until(reactor, done)
    return bytes(got)


@pytest.mark.parametrize("private", [False, True])
def test_what_is_written_comes_out_in_order(reactor: Reactor, ends: Ends, private: bool) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = write_pipe(reactor, ends.given(write), heard, private=private)
    assert made.can_write_eof()
    expected = b""
    for number in range(10_000):
        piece = f"piece {number} ".encode() * (number % 7)
        made.write(bytearray(piece) if number % 2 else piece)
        expected += piece
    made.writelines([b"the ", b"end"])
    assert heard.pauses == ["pause"]
    assert made.is_paused_writing()
    assert made.get_write_buffer_size() > 0
    made.close()
    made.close()
    made.write(b"dropped")
    assert not heard.lost, "close() flushes first"
    assert collect(reactor, read, len(expected) + 7) == expected + b"the end"
    turn_until(reactor, lambda: heard.lost)
    assert heard.lost == [None]
    assert os.read(read, 1) == b""


def test_a_short_write_takes_no_turn_when_nobody_shares_it(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    made = write_pipe(reactor, ends.given(write), private=True)
    made.write(b"at once")
    made.write(b"")
    assert os.read(read, 100) == b"at once"
    assert made.get_write_buffer_size() == 0
    made.close()


def test_backpressure_follows_the_water_marks(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = write_pipe(reactor, ends.given(write), heard, private=True)
    made.set_write_buffer_limits(high=1000, low=10)
    assert made.get_write_buffer_limits() == (10, 1000)
    capacity = 0
    while not made.get_write_buffer_size():
        made.write(b"x" * 500)
        capacity += 500
    assert heard.pauses == []
    made.write(b"y" * 1000)
    assert heard.pauses == ["pause"]
    collect(reactor, read, capacity + 1000)
    assert heard.pauses == ["pause", "resume"]
    made.abort()


@pytest.mark.pitfall(11)
@pytest.mark.pitfall(56)
def test_a_reader_that_has_gone_is_noticed_without_writing(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = write_pipe(reactor, ends.given(write), heard)
    made.write(b"x")
    turn_until(reactor, lambda: not made.get_write_buffer_size())
    assert reactor.poller.poll(0, 10) == [], "a pipe that nobody writes keeps nobody awake"
    ends.close(read)
    turn_until(reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], BrokenPipeError)
    assert len(heard.lost) == 1
    made.write(b"nobody hears this")


@pytest.mark.pitfall(20)
@pytest.mark.parametrize("queued", [False, True])
def test_a_reader_that_has_gone_is_found_by_writing(reactor: Reactor, ends: Ends, queued: bool) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = write_pipe(reactor, ends.given(write), heard, private=True)
    if queued:
        made.write(b"x" * 1_000_000)
    ends.close(read)
    if not queued:
        made.write(b"x")
    turn_until(reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], BrokenPipeError)
    assert made.get_write_buffer_size() == 0
    made.abort()
    reactor.turn(0)
    assert len(heard.lost) == 1


def test_abort_drops_what_is_queued(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = write_pipe(reactor, ends.given(write), heard)
    made.write(b"x" * 500_000)
    made.abort()
    assert not heard.lost, "never from inside the call"
    turn_until(reactor, lambda: heard.lost)
    assert heard.lost == [None]
    assert len(drain(read)) < 500_000


def test_write_eof_is_the_end(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    made = write_pipe(reactor, ends.given(write))
    made.write(b"last")
    made.write_eof()
    with pytest.raises(ProgramFault, match="after write_eof"):
        made.write(b"more")
    assert collect(reactor, read, 4) == b"last"
    turn_until(reactor, lambda: len(reactor.poller) == 1)
    assert os.read(read, 1) == b""


def test_a_file_is_written_in_bounded_pieces(reactor: Reactor, tmp_path: Path) -> None:
    target = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    made = write_pipe(reactor, target, limits=StreamLimits(write_size=1000))
    made.write(b"x" * 2500)
    assert made.get_write_buffer_size() == 1500
    reactor.turn(0)
    assert made.get_write_buffer_size() == 500
    made.finish(10)
    assert (tmp_path / "out").read_bytes() == b"x" * 2500
    assert reactor.poller.poll(0, 10) == [], "a file that nobody writes keeps nobody awake"
    made.close()
    reactor.turn(0)
    assert not is_open(target)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_full_disk_is_the_end(reactor: Reactor) -> None:
    heard = Recorder()
    made = write_pipe(reactor, os.open("/dev/full", os.O_WRONLY), heard)
    made.write(b"x")
    turn_until(reactor, lambda: heard.lost)
    assert isinstance(heard.lost[0], OSError)
    assert heard.lost[0].errno == errno.ENOSPC


def test_finishing_is_bounded(reactor: Reactor, ends: Ends) -> None:
    _, write = ends.pipe()
    made = write_pipe(reactor, ends.given(write))
    made.write(b"x" * 500_000)
    before = time.monotonic()
    made.finish(0.05)
    assert 0.04 < time.monotonic() - before < 5
    assert made.get_write_buffer_size()
    made.abort()


def test_a_fifo_that_we_could_read_ourselves_is_no_sign_of_a_reader(
    reactor: Reactor, ends: Ends, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    heard = Recorder()
    made = write_pipe(reactor, both, heard, private=True)
    made.write(b"x")
    reactor.turn(0)
    assert not heard.lost
    made.abort()


def test_a_terminal_is_written_and_read_through_one_descriptor_each(reactor: Reactor, ends: Ends) -> None:
    master, slave = ends.terminal()
    heard = Recorder()
    keyboard = read_pipe(reactor, slave, heard, closefd=False)
    screen = write_pipe(reactor, slave, closefd=False)
    screen.write(b"name? ")
    turn_until(reactor, lambda: not screen.get_write_buffer_size())
    assert collect(reactor, master, 6) == b"name? "
    os.write(master, b"poise\n")
    turn_until(reactor, lambda: heard.data)
    assert heard.data == b"poise\n"
    keyboard.abort()
    screen.abort()


def test_a_terminal_that_nobody_reads_stops_nobody(reactor: Reactor, ends: Ends) -> None:
    master, slave = ends.terminal()
    screen = write_pipe(reactor, slave, closefd=False)
    screen.write(b"x" * 300_000)
    ran: list[int] = []
    for number in range(20):
        reactor.call_soon(ran.append, number)
        reactor.turn(0)
    assert len(ran) == 20
    assert screen.get_write_buffer_size() > 0
    assert len(collect(reactor, master, 300_000)) == 300_000
    screen.abort()


# --- descriptors that others share ------------------------------------------------------------------------


def flags(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETFL)


@pytest.mark.pitfall(58)
@pytest.mark.parametrize("again", [True, False])
def test_the_flags_of_what_we_were_given_stay(
    reactor: Reactor, ends: Ends, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not again:
        monkeypatch.setattr(descriptor, "open_again", lambda fd, kind, access: None)
    read, write = ends.pipe()
    master, slave = ends.terminal()
    before = {fd: flags(fd) for fd in (read, write, slave)}
    settings = termios.tcgetattr(slave)
    heard, typed = Recorder(), Recorder()
    pipes: list[ReadPipe | WritePipe] = [
        read_pipe(reactor, read, heard, closefd=False),
        read_pipe(reactor, slave, typed, closefd=False),
    ]
    writer = write_pipe(reactor, write, closefd=False)
    writer.write(b"x" * 200_000)
    os.write(master, b"line\n")
    turn_until(reactor, lambda: len(heard.data) == 200_000 and typed.data)
    assert {fd: flags(fd) for fd in before} == before, "while it runs: who is killed puts nothing back"
    assert termios.tcgetattr(slave) == settings
    for each in (*pipes, writer):
        each.abort()
    reactor.turn(0)
    assert {fd: flags(fd) for fd in before} == before
    assert all(is_open(fd) for fd in before)


@pytest.mark.usefixtures("shared_only")
def test_without_flags_of_our_own_a_pipe_is_written_in_pieces_that_cannot_wait(
    reactor: Reactor, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    real = os.write

    def write(fd: int, data: bytes) -> int:
        pieces.append(len(data))
        return real(fd, data)

    read, fd = ends.pipe()
    made = write_pipe(reactor, fd, closefd=False)
    monkeypatch.setattr(os, "write", write)
    made.write(b"x" * 300_000)
    assert pieces == [], "the kernel has not said that it is ready"
    for _ in range(50):
        reactor.turn(0)
    assert made.get_write_buffer_size() > 0, "the pipe is full and the loop still turns"
    assert len(collect(reactor, read, 300_000)) == 300_000
    assert max(pieces) == PIPE_BUF
    made.abort()


@pytest.mark.usefixtures("shared_only")
def test_without_flags_of_our_own_a_terminal_is_written_in_small_pieces(reactor: Reactor, ends: Ends) -> None:
    master, slave = ends.terminal()
    made = write_pipe(reactor, slave, closefd=False)
    made.write(b"x" * 1000)
    reactor.turn(1)
    assert made.get_write_buffer_size() == 1000 - TERMINAL_PIECE
    assert collect(reactor, master, 1000) == b"x" * 1000
    made.abort()


@pytest.mark.usefixtures("shared_only")
def test_without_flags_of_our_own_reading_works(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    read_pipe(reactor, ends.given(read), heard)
    os.write(write, b"abc")
    ends.close(write)
    turn_until(reactor, lambda: heard.lost)
    assert heard.data == b"abc"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_what_can_be_opened_a_second_time(ends: Ends, tmp_path: Path) -> None:
    read, write = ends.pipe()
    master, slave = ends.terminal()
    for fd, access in ((read, os.O_RDONLY), (write, os.O_WRONLY), (slave, os.O_RDONLY)):
        again = open_again(fd, kind_of(fd), access)
        assert again is not None
        ends.keep(again)
        assert not os.get_blocking(again)
        assert os.get_blocking(fd)
        assert not os.get_inheritable(again)
    assert open_again(master, kind_of(master), os.O_RDONLY) is None, "that would be another terminal"
    (tmp_path / "file").write_bytes(b"")
    with (tmp_path / "file").open() as file:
        assert open_again(file.fileno(), Kind.FILE, os.O_RDONLY) is None, "that would begin at its start"
    assert open_again(read, Kind.FILE, os.O_RDONLY) is None


def test_a_refusal_to_open_again_is_no_error(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    read, _ = ends.pipe()
    monkeypatch.setattr(os, "open", refuse)
    assert open_again(read, Kind.PIPE, os.O_RDONLY) is None


def test_every_kind_is_told_apart(ends: Ends, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (tmp_path / "file").open() as file, open(os.devnull) as null, socket.socket() as sock:
        assert kind_of(file.fileno()) is Kind.FILE
        assert kind_of(null.fileno()) is Kind.OTHER
        assert kind_of(sock.fileno()) is Kind.OTHER
    assert kind_of(ends.pipe()[0]) is Kind.PIPE
    assert kind_of(ends.terminal()[1]) is Kind.TERMINAL


# --- the ways in and out ----------------------------------------------------------------------------------


def test_standard_input_and_output_stay_open(
    reactor: Reactor, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_read, in_write = ends.pipe()
    out_read, out_write = ends.pipe()
    monkeypatch.setattr(pipe, "STDIN", in_read)
    monkeypatch.setattr(pipe, "STDOUT", out_write)
    output = stdout(reactor)
    heard = Recorder(lambda _stream, data: output.write(data.upper()))
    stdin(reactor, heard)
    os.write(in_write, b"hello")
    assert collect(reactor, out_read, 5) == b"HELLO"
    ends.close(in_write)
    turn_until(reactor, lambda: heard.lost)
    output.close()
    reactor.turn(0)
    assert is_open(in_read)
    assert is_open(out_write)


@pytest.mark.parametrize("make", [read_pipe, write_pipe])
def test_what_is_not_open_is_refused(reactor: Reactor, make: Callable[..., object]) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        make(reactor, 1_000_000, Recorder())
    assert len(reactor.poller) == 1


def test_what_the_poller_refuses_is_still_the_callers(reactor: Reactor, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    first = read_pipe(reactor, fd, Recorder(), closefd=False)
    heard = Recorder()
    with pytest.raises(AlreadyRegistered):
        read_pipe(reactor, fd, heard)
    assert not hasattr(heard, "stream")
    assert is_open(fd)
    first.abort()
    os.close(fd)


def test_a_protocol_that_raises_at_the_start(reactor: Reactor, ends: Ends) -> None:
    errors: list[Exception] = []
    reactor.on_error = errors.append

    class Bad(Recorder):
        def connection_made(self, stream: Any) -> None:
            raise LookupError("at the start")

    read, _ = ends.pipe()
    heard = Bad()
    read_pipe(reactor, ends.given(read), heard)
    turn_until(reactor, lambda: heard.lost)
    assert heard.lost == errors
    assert isinstance(errors[0], LookupError)


@pytest.mark.parametrize("where", ["data", "eof"])
def test_a_protocol_that_raises_later(reactor: Reactor, ends: Ends, where: str) -> None:
    errors: list[Exception] = []
    reactor.on_error = errors.append

    class Bad(Recorder):
        def data_received(self, data: bytes) -> None:
            if where == "data":
                raise LookupError(where)

        def eof_received(self) -> bool:
            raise LookupError(where)

    read, write = ends.pipe()
    heard = Bad()
    read_pipe(reactor, ends.given(read), heard)
    os.write(write, b"x")
    ends.close(write)
    turn_until(reactor, lambda: heard.lost)
    assert heard.lost == errors
    assert [str(error) for error in errors] == [where]


def test_what_is_known_of_a_pipe(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    with os.fdopen(ends.given(read), "rb") as file:
        reader = read_pipe(reactor, file, Recorder())
        writer = write_pipe(reactor, ends.given(write), private=True)
        assert reader.get_extra_info("pipe") is file
        assert writer.get_extra_info("fd") == write
        assert writer.get_extra_info("socket", "none") == "none"
        assert repr(reader) == f"<ReadPipe fd={reader.get_extra_info('fd')} pipe OPEN>"
        writer.write(b"x" * 100_000)
        writer.close()
        waiting = writer.get_write_buffer_size()
        assert waiting
        assert repr(writer) == f"<WritePipe fd={write} pipe CLOSING queued={waiting}>"
        reader.abort()
        writer.abort()
        reactor.turn(0)
        assert file.closed


@pytest.mark.pitfall(59)
def test_a_forgotten_descriptor_is_said(ends: Ends) -> None:
    read, write = ends.pipe()
    forgotten = [Descriptor(ends.given(read), os.O_RDONLY, closefd=True, private=True)]
    with pytest.warns(ResourceWarning, match=f"unclosed descriptor {read}"):
        forgotten.clear()
    assert not is_open(read)
    Descriptor(write, os.O_WRONLY, closefd=False, private=False)
    gc.collect()
    assert is_open(write)


@pytest.mark.pitfall(9)
@pytest.mark.parametrize("mask", [INVALID, WRITE, HANGUP])
def test_a_write_end_hears_of_faults(ends: Ends, mask: int) -> None:
    _, write = ends.pipe()
    heard = Recorder()
    with Reactor(ScriptedPoller()) as reactor:
        made = write_pipe(reactor, ends.given(write), heard, private=True)
        script = reactor.poller
        assert isinstance(script, ScriptedPoller)
        script.script.append([(write, mask)])
        reactor.turn(0)
        reactor.turn(0)
        if mask == WRITE:
            assert not heard.lost, "left over from before the queue was empty"
            made.abort()
        else:
            [error] = heard.lost
            assert isinstance(error, OSError)
            assert error.errno == (errno.EBADF if mask == INVALID else errno.EPIPE)


@pytest.mark.pitfall(12)
def test_a_write_that_the_kernel_does_not_take(
    reactor: Reactor, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, fd = ends.pipe()
    made = write_pipe(reactor, ends.given(fd), private=True)
    answers: list[Exception] = [BlockingIOError(), InterruptedError()]
    real = os.write

    def write(fd: int, data: bytes) -> int:
        if answers:
            raise answers.pop(0)
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    made.write(b"whole")
    assert made.get_write_buffer_size() == 5
    assert collect(reactor, read, 5) == b"whole"
    made.abort()


@pytest.mark.pitfall(54)
def test_a_signal_while_waiting_for_a_pipe(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    heard = Recorder()
    made = read_pipe(reactor, ends.given(read), heard)
    former = signal.signal(signal.SIGALRM, lambda _number, _frame: os.write(write, b"from the handler"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        reactor.turn(20)
        turn_until(reactor, lambda: heard.data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert heard.data == b"from the handler"
    made.abort()


@given(st.lists(st.binary(max_size=70_000), max_size=12), st.lists(st.integers(1, 70_000), min_size=1))
def test_any_way_of_writing_and_reading_loses_nothing(pieces: list[bytes], sizes: list[int]) -> None:
    ends = Ends()
    read, write = ends.pipe()
    got = bytearray()
    sent = b"".join(pieces)
    with Reactor() as reactor:
        made = write_pipe(reactor, ends.given(write))
        turn = 0
        while pieces or len(got) < len(sent):
            if pieces:
                made.write(pieces.pop(0))
            reactor.turn(0)
            if select.select([read], [], [], 0)[0]:
                got += os.read(read, sizes[turn % len(sizes)])
            turn += 1
        assert got == sent
        assert made.get_write_buffer_size() == 0
        made.close()
        turn_until(reactor, lambda: len(reactor.poller) == 1)
        assert os.read(read, 1) == b""
    ends.close_all()


# --- terminal, disk and network at once -------------------------------------------------------------------


def test_one_program_reads_the_terminal_the_disk_and_the_network(
    reactor: Reactor, ends: Ends, tmp_path: Path
) -> None:
    """The seventh row of the notes: three kinds of I/O under one loop, none waiting for another."""
    with (tmp_path / "file").open("wb") as file:
        file.truncate(50_000_000)  # half a million turns: whatever the others wait for comes before its end
    master, slave = ends.terminal()
    heard = {"terminal": Recorder(), "disk": Recorder(), "network": Recorder()}
    order: list[str] = []
    for name, recorder in heard.items():
        recorder.on_data = lambda _stream, _data, name=name: order.append(name)
    keyboard = read_pipe(reactor, slave, heard["terminal"], closefd=False)
    listener = listen(reactor, ("127.0.0.1", 0), lambda: heard["network"])
    assert isinstance(listener.address, tuple)
    with socket.create_connection(listener.address) as client:
        client.sendall(b"from the network")
        turn_until(reactor, lambda: heard["network"].data)
        disk = os.open(tmp_path / "file", os.O_RDONLY)
        reading = read_pipe(reactor, disk, heard["disk"], limits=StreamLimits(read_size=100))
        turn_until(reactor, lambda: heard["disk"].data)
        os.write(master, b"from the terminal\n")
        client.sendall(b", again")
        turn_until(reactor, lambda: heard["terminal"].data and len(heard["network"].data) == 23)
        assert not heard["disk"].lost, "the file is still being read"
        reading.close()
    assert heard["terminal"].data == b"from the terminal\n"
    assert heard["network"].data == b"from the network, again"
    assert heard["disk"].pieces == [100] * order.count("disk")
    assert set(order[order.index("disk") :]) == {"terminal", "disk", "network"}
    turn_until(reactor, lambda: heard["network"].lost)
    keyboard.abort()
    listener.close()


PROGRAM = """
import sys
from poise.loop.reactor import Reactor
from poise.net.pipe import stdin, stdout
from poise.net.protocol import Protocol

with Reactor(sys.argv[1]) as reactor:
    output = stdout(reactor)

    class Upper(Protocol):
        def data_received(self, data):
            output.write(data.upper())

        def connection_lost(self, error):
            output.write(b"the end\\n")
            reactor.stop()

    stdin(reactor, Upper())
    reactor.run()
    output.finish(10)
"""


@pytest.mark.slow
@pytest.mark.pitfall(58)
@pytest.mark.parametrize("poller", available())
@pytest.mark.parametrize("kind", ["terminal", "pipe", "file"])
def test_a_program_works_alike_on_a_terminal_a_pipe_and_a_file(
    ends: Ends, tmp_path: Path, poller: str, kind: str
) -> None:
    if kind == "terminal":
        typing, theirs_in = ends.terminal()
        attributes = termios.tcgetattr(theirs_in)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs_in, termios.TCSANOW, attributes)
        screen, theirs_out = typing, theirs_in
        os.write(typing, b"one\ntwo\n" + CTRL_D)
    elif kind == "pipe":
        theirs_in, typing = ends.pipe()
        screen, theirs_out = ends.pipe()
        os.write(typing, b"one\ntwo\n")
        ends.close(typing)
    else:
        (tmp_path / "in").write_bytes(b"one\ntwo\n")
        theirs_in, _ = ends.keep(os.open(tmp_path / "in", os.O_RDONLY))
        theirs_out, _ = ends.keep(os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT))
        screen = -1
    before = [flags(fd) for fd in (theirs_in, theirs_out)]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM, poller],
        stdin=theirs_in,
        stdout=theirs_out,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert [flags(fd) for fd in (theirs_in, theirs_out)] == before, "the shell finds what it left"
    said = (tmp_path / "out").read_bytes() if screen < 0 else drain(screen)
    assert said.replace(b"\r\n", b"\n") == b"ONE\nTWO\nthe end\n"


def test_protocols_need_nothing(reactor: Reactor, ends: Ends) -> None:
    read, write = ends.pipe()
    read_pipe(reactor, ends.given(read), Protocol())
    made = write_pipe(reactor, ends.given(write))
    made.write(b"x" * 100_000)
    made.close()
    turn_until(reactor, lambda: len(reactor.poller) == 1)


def test_a_pipe_has_no_socket_options(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with Reactor() as reactor:
        made = read_pipe(reactor, os.open(tmp_path / "f", os.O_RDONLY), Protocol())
        for ask in (lambda: made.get_option("nodelay"), lambda: made.set_option("nodelay", True)):
            with pytest.raises(MachineFault, match="no socket"):
                ask()
        made.close(linger=True)
        reactor.turn(0)


@pytest.mark.parametrize(("closed", "ask"), [("<&-", "stdin(r, Protocol())"), (">&-", "stdout(r)")])
def test_a_standard_descriptor_that_was_never_given(closed: str, ask: str) -> None:
    """Its number may be the loop's own by now."""
    program = (
        "from poise import Protocol, Reactor, stdin, stdout\n"
        "with Reactor() as r:\n"
        "    try:\n"
        f"        {ask}\n"
        "    except OSError as error:\n"
        "        raise SystemExit(f'refused: {error.strerror}')\n"
    )
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", program]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.stderr.startswith("refused: standard ")
