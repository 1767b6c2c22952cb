"""A write that fails costs no input: over TCP, unix sockets and TLS, on every poller."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poise.limits import FrameLimits, StreamLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.certificates import ServerTLS
from poise.net.framed import FramedProtocol
from poise.net.protocol import AnyProtocol, BufferedProtocol, Protocol
from poise.net.stream import Stream
from poise.net.tls import TLSStream
from poise.readiness.poller import available
from poise.wire.framing import LineFramer
from tests.support.certificates import Authority
from tests.support.loops import Recorder, receive_all, turn_until
from tests.support.secure import FarEnd

Pair = tuple[socket.socket, socket.socket]
SAID = bytes(range(256)) * 400  # 100 KiB that the peer has said before it left
STALL = 10.0


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.socket()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # the peer's RST drops what did not fit
        ours.connect(server.getsockname())
        theirs, _ = server.accept()
    return ours, theirs


class Wire:
    """Streams on a reactor whose clock stands still, and their far ends as plain sockets."""

    def __init__(self, poller: str | None, pair: Callable[[], Pair]) -> None:
        self.clock = ManualClock()
        self.errors: list[Exception] = []
        self.reactor = Reactor(poller, clock=self.clock, on_error=self.errors.append)
        self._pair = pair
        self._open: list[Any] = []

    def stream(self, protocol: AnyProtocol, **limits: Any) -> tuple[Stream, socket.socket]:
        ours, theirs = self._pair()
        for each in ours, theirs:
            each.setblocking(False)
        self._open += [ours, theirs]
        stream = Stream(self.reactor, ours, protocol, "peer", StreamLimits(send_stall=STALL, **limits))
        stream.begin()
        return stream, theirs

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def turns(self, count: int = 5) -> None:
        for _ in range(count):
            self.reactor.turn(0)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.turns(2)

    def close(self) -> None:
        for each in self._open:
            each.close()
        self.reactor.close()


@pytest.fixture(
    params=[(name, pair) for name in available() for pair in (tcp_pair, socket.socketpair)],
    ids=[f"{name}-{kind}" for name in available() for kind in ("tcp", "unix")],
)
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    made = Wire(*request.param)
    yield made
    made.close()


@pytest.fixture
def unix() -> Iterator[Wire]:
    made = Wire(None, socket.socketpair)
    yield made
    made.close()


def leave(far: socket.socket, said: bytes = SAID) -> None:
    """Say something and go without reading what was sent: TCP answers with RST, and a unix socket takes no more."""
    sent = 0
    while sent < len(said):
        sent += far.send(said[sent:])
    if far.family != socket.AF_UNIX:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()


def mute(wire: Wire, recorder: Recorder, **limits: Any) -> Stream:
    """A stream whose write has just failed, while SAID has not been read."""
    stream, far = wire.stream(recorder, **limits)
    leave(far)
    stream.write(b"for nobody")
    assert stream.is_mute()
    return stream


WAYS: dict[str, Callable[[Stream, Path], object]] = {
    "write": lambda stream, _: stream.write(b"for nobody"),
    "writelines": lambda stream, _: stream.writelines([b"for", b"nobody"]),
    "sendfile": lambda stream, path: stream.sendfile(os.open(path, os.O_RDONLY), 0, 5),
}


@pytest.mark.pitfall(19)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_the_peer_had_sent_before_is_heard(
    wire: Wire, tmp_path: Path, way: Callable[[Stream, Path], object]
) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    heard = Recorder()
    stream, far = wire.stream(heard)
    leave(far)
    way(stream, tmp_path / "file")
    assert heard.lost == [], "never from inside the call"
    assert stream.is_mute()
    assert stream.is_closing()
    assert stream.is_reading()
    assert "MUTE" in repr(stream)
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert isinstance(heard.lost[0], (BrokenPipeError, ConnectionResetError))
    assert heard.eof == isinstance(heard.lost[0], BrokenPipeError), "a reset is no end that the peer has said"
    assert not stream.is_mute()
    wire.turns()
    assert len(heard.lost) == 1
    assert wire.errors == []


def test_it_is_heard_too_when_the_queue_cannot_be_flushed(wire: Wire) -> None:
    heard = Recorder(keep_open=True)
    stream, far = wire.stream(heard, read_size=1000)
    stream.write(bytes(16_000_000))
    waiting = stream.get_write_buffer_size()
    leave(far)
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert isinstance(heard.lost[0], ConnectionError)
    assert 0 < stream.unsent <= waiting
    assert stream.get_write_buffer_size() == 0


def test_it_is_heard_too_when_the_end_cannot_be_said() -> None:
    wire = Wire(None, tcp_pair)
    heard = Recorder()
    stream, far = wire.stream(heard)
    leave(far)
    stream.write_eof()
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert isinstance(heard.lost[0], ConnectionResetError)  # what shutdown(2) says of it is ENOTCONN
    wire.close()


def test_a_peer_that_only_reads_no_more_is_heard_to_its_end(unix: Wire) -> None:
    heard = Recorder()
    stream, far = unix.stream(heard)
    far.send(b"before, ")
    far.shutdown(socket.SHUT_RD)
    stream.write(b"for nobody")
    far.send(b"after")
    unix.until(lambda: len(heard.data) == 13)
    for _ in range(5):
        unix.wait(STALL - 1)
        far.send(b"!")
        unix.turns()
    assert heard.lost == [], "every byte gives it new time"
    far.close()
    unix.until(lambda: heard.lost)
    assert heard.data == b"before, after!!!!!"
    assert isinstance(heard.lost[0], BrokenPipeError)


def test_a_peer_that_only_reads_no_more_and_is_silent_is_given_up(unix: Wire) -> None:
    for paused in (False, True):
        heard = Recorder()
        stream, far = unix.stream(heard)
        if paused:
            stream.pause_reading()
        far.shutdown(socket.SHUT_RD)
        stream.write(b"for nobody")
        unix.wait(STALL - 0.1)
        assert heard.lost == []
        unix.wait(0.2)
        assert isinstance(heard.lost[0], BrokenPipeError)


def test_a_protocol_that_has_paused_hears_the_rest_when_it_goes_on(wire: Wire) -> None:
    heard = Recorder()
    stream, far = wire.stream(heard, read_size=60_000)
    heard.on_data = lambda stream, data: stream.pause_reading()
    leave(far)
    wire.until(lambda: heard.data)
    stream.write(b"for nobody")
    wire.wait(STALL - 1)
    assert len(heard.data) == 60_000
    assert not stream.is_reading()
    stream.resume_reading()
    wire.until(lambda: len(heard.data) > 60_000)
    wire.wait(STALL - 1)
    assert heard.lost == [], "every byte gives it new time"
    stream.resume_reading()
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert isinstance(heard.lost[0], ConnectionError)


def test_a_protocol_that_has_paused_for_ever_is_not_waited_for(wire: Wire) -> None:
    heard = Recorder()
    stream = mute(wire, heard)
    stream.pause_reading()
    wire.wait(STALL - 0.1)
    assert heard.lost == []
    wire.wait(0.2)
    assert heard.data == b""
    assert isinstance(heard.lost[0], ConnectionError)


@pytest.mark.parametrize("end", ["close", "abort", "raise"])
def test_whoever_wants_no_more_has_an_end_at_once(wire: Wire, end: str) -> None:
    def on_data(stream: Stream, data: bytes) -> None:
        if end == "raise":
            raise LookupError("in data_received")
        getattr(stream, end)()

    heard = Recorder(on_data)
    stream = mute(wire, heard, read_size=1000)
    wire.until(lambda: heard.lost)
    assert heard.pieces == [1000]
    assert isinstance(heard.lost[0], ConnectionError), "the first cause"
    assert [type(error) for error in wire.errors] == ([LookupError] if end == "raise" else [])
    stream.close()
    wire.turns()
    assert len(heard.lost) == 1


def test_what_is_written_now_is_dropped(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    heard = Recorder()
    stream = mute(wire, heard)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    stream.write(b"x")
    stream.writelines([b"x", b"y"])
    stream.sendfile(fd, 0, 5)
    stream.write_eof()
    assert stream.get_write_buffer_size() == 0
    assert stream.is_mute()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)
    wire.until(lambda: heard.lost)
    assert heard.data == SAID


def test_whoever_reads_only_while_it_may_write_reads_again(wire: Wire) -> None:
    class Careful(Recorder):
        def pause_writing(self) -> None:
            super().pause_writing()
            self.stream.pause_reading()

        def resume_writing(self) -> None:
            super().resume_writing()
            self.stream.resume_reading()

    heard = Careful()
    stream, far = wire.stream(heard)
    stream.write(bytes(16_000_000))
    leave(far)
    wire.until(lambda: heard.lost)
    assert heard.pauses == ["pause", "resume"]
    assert heard.data == SAID


class Filled(BufferedProtocol):
    """Keeps what it hears, in a buffer of its own."""

    def __init__(self) -> None:
        self.buffer = bytearray(700)
        self.data = bytearray()
        self.lost: list[Exception | None] = []

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


def test_a_buffered_protocol_hears_it_too(wire: Wire) -> None:
    heard = Filled()
    stream, far = wire.stream(heard)
    leave(far)
    stream.write(b"for nobody")
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert isinstance(heard.lost[0], ConnectionError)


def test_another_protocol_hears_the_rest(wire: Wire) -> None:
    first, second = Recorder(), Filled()
    stream = mute(wire, first, read_size=1000)
    first.on_data = lambda stream, data: stream.set_protocol(second)
    wire.until(lambda: second.lost)
    assert first.data + second.data == SAID
    assert first.lost == []
    assert stream.get_protocol() is second


def test_a_protocol_that_has_paused_and_heard_all_is_told_at_once(wire: Wire) -> None:
    """Whether the kernel says so by an end or, as a unix socket does whose peer has not read all, by an error."""
    for unheard in (b"", b"never read"):
        heard = Recorder()
        stream, far = wire.stream(heard)
        stream.pause_reading()
        stream.writelines([unheard])
        leave(far, b"")
        stream.write(b"for nobody")
        assert not stream.is_mute()
        wire.until(partial(getattr, heard, "lost"))
        assert isinstance(heard.lost[0], ConnectionError)
        assert heard.eof == 0


def test_a_peer_that_had_ended_before_is_not_waited_for(wire: Wire) -> None:
    heard = Recorder(keep_open=True)
    stream, far = wire.stream(heard)
    leave(far)
    wire.until(lambda: heard.eof or heard.lost)
    for _ in range(3):
        stream.write(b"for nobody")
    assert not stream.is_mute()
    wire.turns(2)
    assert len(heard.lost) == 1
    assert heard.data == SAID


# -- messages ------------------------------------------------------------------------------------


class Answering(FramedProtocol):
    """Answers each message, and hears the next whether or not anybody hears the answer."""

    def __init__(self, **limits: int) -> None:
        super().__init__(LineFramer(), FrameLimits(**limits))
        self.messages: list[bytes] = []
        self.lost: list[Exception | None] = []

    def message_received(self, message: bytes) -> None:
        self.messages.append(message)
        self.send(message)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


def test_every_message_is_heard(wire: Wire) -> None:
    said = [b"%d" % number for number in range(15_000)]
    heard = Answering(messages_per_turn=100)
    _, far = wire.stream(heard)
    leave(far, b"\n".join(said) + b"\n")
    wire.until(lambda: heard.lost)
    assert heard.messages == said
    assert isinstance(heard.lost[0], ConnectionError)


def test_messages_that_wait_for_their_turn_are_not_given_up(wire: Wire) -> None:
    """The kernel has nothing more, and reading is paused, when the write fails."""
    said = [b"%d" % number for number in range(1000)]
    heard = Answering(messages_per_turn=100)
    stream, far = wire.stream(heard)
    stream.pause_reading()
    leave(far, b"\n".join(said) + b"\n")
    answer, heard.send = heard.send, lambda message: None  # type: ignore[method-assign]
    stream.resume_reading()
    wire.until(lambda: len(heard.messages) == 100)
    wire.reactor.call_soon(answer, b"for nobody")
    wire.until(lambda: heard.lost)
    assert heard.messages == said
    assert isinstance(heard.lost[0], ConnectionError)


# -- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secrets(authority: Authority) -> ServerTLS:
    return ServerTLS(authority.local())


class Secure:
    """A server's TLS stream on ``wire``, its handshake done, and its far end."""

    def __init__(
        self, wire: Wire, authority: Authority, secrets: ServerTLS, heard: Any, **limits: Any
    ) -> None:
        self.lower, far = wire.stream(TLSStream(secrets.context, lambda: heard, server_side=True), **limits)
        context = authority.client.context
        self.far = FarEnd(far, context, "localhost").open(wire.reactor)
        wire.until(lambda: hasattr(heard, "stream"))
        self.stream: TLSStream = heard.stream
        wire.turns()
        receive_all(far, bytearray())  # session tickets

    def leave(self, said: bytes = SAID) -> None:
        self.far.write(said)
        assert self.far.push()
        leave(self.far.sock, b"")


WORDS: dict[str, Callable[[TLSStream, Path], object]] = {
    **WAYS,  # type: ignore[dict-item]  # a stream in all but the class
    "write_eof": lambda stream, _: stream.write_eof(),
}


@pytest.mark.parametrize("say", WORDS.values(), ids=WORDS)
def test_over_tls_it_is_heard_too(
    wire: Wire,
    authority: Authority,
    secrets: ServerTLS,
    tmp_path: Path,
    say: Callable[[TLSStream, Path], object],
) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    heard = Recorder(keep_open=True)
    secure = Secure(wire, authority, secrets, heard, read_size=20_000)
    secure.leave()
    say(secure.stream, tmp_path / "file")
    assert secure.stream.is_mute()
    assert secure.stream.is_closing()
    assert secure.stream.is_reading()
    secure.stream.write(b"dropped")
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert isinstance(heard.lost[0], (BrokenPipeError, ConnectionResetError))
    assert wire.errors == []


def test_over_tls_an_orderly_end_is_told_and_so_is_the_failure(
    wire: Wire, authority: Authority, secrets: ServerTLS
) -> None:
    heard = Recorder(keep_open=True)
    secure = Secure(wire, authority, secrets, heard)
    secure.far.write(SAID)
    secure.far.say_goodbye()
    secure.leave(b"")
    secure.stream.write(b"for nobody")
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert heard.eof == 1
    assert isinstance(heard.lost[0], ConnectionError)


def test_over_tls_what_was_decrypted_for_a_protocol_that_paused_is_not_given_up(
    wire: Wire, authority: Authority, secrets: ServerTLS
) -> None:
    """The kernel has nothing more: what is left is in the TLS stream's hands."""
    said = SAID[:50_000]
    heard = Recorder(lambda stream, data: stream.pause_reading())
    secure = Secure(wire, authority, secrets, heard)
    secure.leave(said)
    wire.until(lambda: heard.data)
    assert not secure.lower.has_unread_input()
    secure.stream.write(b"for nobody")
    wire.wait(STALL - 1)
    assert heard.lost == []
    heard.on_data = None
    secure.stream.resume_reading()
    wire.until(lambda: heard.lost)
    assert heard.data == said
    assert isinstance(heard.lost[0], ConnectionError)


def test_over_tls_a_protocol_that_has_paused_and_heard_all_is_told_at_once(
    wire: Wire, authority: Authority, secrets: ServerTLS
) -> None:
    heard = Recorder()
    secure = Secure(wire, authority, secrets, heard)
    secure.stream.pause_reading()
    secure.leave(b"")
    secure.stream.write(b"for nobody")
    wire.until(lambda: heard.lost)
    assert isinstance(heard.lost[0], ConnectionError)


@pytest.mark.parametrize("closing", [False, True])
def test_over_tls_a_file_that_waits_is_dropped(
    wire: Wire, authority: Authority, secrets: ServerTLS, tmp_path: Path, closing: bool
) -> None:
    (tmp_path / "file").write_bytes(bytes(30_000_000))
    heard = Recorder(keep_open=True)
    secure = Secure(wire, authority, secrets, heard)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    secure.stream.sendfile(fd, 0, 30_000_000)
    secure.stream.write(b"behind it")
    if closing:
        secure.stream.close()
    secure.leave()
    wire.until(lambda: heard.lost)
    assert heard.data == (b"" if closing else SAID)
    assert isinstance(heard.lost[0], ConnectionError)
    assert heard.pauses == (["pause"] if closing else ["pause", "resume"])
    assert secure.stream.unsent > 1_000_000
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_over_tls_marks_that_are_not_reached_drop_it_too(
    wire: Wire, authority: Authority, secrets: ServerTLS, tmp_path: Path
) -> None:
    """Nobody is told to go on, since nobody was told to pause: the file goes all the same."""
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    heard = Recorder(keep_open=True)
    secure = Secure(wire, authority, secrets, heard, write_size=1000, high_water=1 << 30)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    secure.stream.sendfile(fd, 0, 3_000_000)
    secure.leave()
    wire.until(lambda: heard.lost)
    assert heard.data == SAID
    assert heard.pauses == []
    assert secure.stream.unsent > 1_000_000


def test_a_protocol_without_a_method_of_its_own_says_nothing(unix: Wire) -> None:
    stream, far = unix.stream(Protocol())
    stream.pause_reading()
    far.close()
    stream.write(b"for nobody")
    assert not stream.is_mute()
    unix.turns()
