"""Protocols written for asyncio that use nothing but their transport: the same client hears the same from each loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from poise.loop.reactor import Reactor
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.readiness.poller import available
from tests.apps.hosts import factory
from tests.support.loops import PATIENCE, turn_until

LOOPS = ("asyncio", "uvloop", *(f"poise on {name}" for name in available()))
Client = Callable[[socket.socket], object]
Made = Callable[[], asyncio.BaseProtocol]


class Noting:
    """Keeps what happened, in order, for comparing; ``done`` once the connection is lost."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.notes.append(("made", peer[0], own[0], transport.get_extra_info("nothing", "default")))
        assert transport.get_extra_info("socket").getpeername() == peer
        assert isinstance(transport.get_extra_info("socket").fileno(), int)

    def eof_received(self) -> bool | None:
        self.notes.append("eof")
        return None

    def connection_lost(self, error: Exception | None) -> None:
        self.done = True
        assert self.transport.is_closing()
        assert self.transport.get_extra_info("peername") is not None
        self.notes.append(("lost", error))


class Echo(Noting, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.transport.write(bytearray(data))


class Lines(Noting, asyncio.Protocol):
    """A line in, a line out; ``quit`` says good-bye, and what was sent after it is not answered."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if self.transport.is_closing():
                return
            self.notes.append(line)
            if line == b"quit":
                self.transport.writelines([b"good", b"-", b"bye\n"])
                self.transport.close()
                self.transport.close()
                self.transport.write(b"too late")
            else:
                self.transport.writelines([memoryview(line), b"", bytearray(b"\n")])


class Download(Noting, asyncio.Protocol):
    """Sends as many bytes as it is asked for, no faster than they are taken, and hears nothing meanwhile."""

    block = b"x" * 50_000
    paused = threading.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.left = 0
        self.writable = True
        self.pauses = 0
        self.most = 0
        for arguments, limits in (
            ({}, (16 * 1024, 64 * 1024)),
            ({"high": 1000}, (250, 1000)),
            ({"low": 100}, (100, 400)),
            ({"high": 0}, (0, 0)),
            ({"high": 8192, "low": 1024}, (1024, 8192)),
        ):
            self.transport.set_write_buffer_limits(**arguments)
            assert self.transport.get_write_buffer_limits() == limits
        with pytest.raises(ValueError, match="high"):
            self.transport.set_write_buffer_limits(high=1, low=2)

    def data_received(self, data: bytes) -> None:
        self.notes.append(data)
        self.transport.pause_reading()
        assert not self.transport.is_reading()
        self.left = int(data)
        self.send()

    def send(self) -> None:
        while self.left and self.writable:
            block = self.block[: self.left]
            self.left -= len(block)
            self.transport.write(block)
            self.most = max(self.most, self.transport.get_write_buffer_size())
        if not self.left and self.writable:
            self.notes.append("sent")
            self.transport.resume_reading()
            assert self.transport.is_reading()

    def pause_writing(self) -> None:
        assert self.writable
        assert self.transport.get_write_buffer_size() > 8192
        self.writable = False
        self.pauses += 1
        self.paused.set()

    def resume_writing(self) -> None:
        assert not self.writable
        assert self.transport.get_write_buffer_size() <= 1024
        self.writable = True
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        assert self.pauses
        assert self.most <= 8192 + len(self.block)


class HalfClosed(Noting, asyncio.Protocol):
    """Counts until the end of the input, answers after it, and ends with a FIN of its own."""

    count = 0

    def data_received(self, data: bytes) -> None:
        self.count += len(data)

    def eof_received(self) -> bool:
        super().eof_received()
        assert self.transport.can_write_eof()
        self.transport.write(b"%d" % self.count)
        self.transport.write_eof()
        self.transport.write_eof()
        with pytest.raises(RuntimeError, match="write_eof"):
            self.transport.write(b"more")
        assert not self.transport.is_closing()
        self.transport.close()
        return True


class FinFirst(Noting, asyncio.Protocol):
    """Says all it has to say first, and listens on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(b"all I say")
        self.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self.notes.append(data)


class Aborting(Noting, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.notes.append(data)
        self.transport.abort()
        assert self.transport.is_closing()
        self.transport.abort()
        self.transport.close()
        self.transport.write(b"nobody hears this")
        self.transport.write_eof()
        self.transport.pause_reading()


class Buffered(Noting, asyncio.BufferedProtocol):
    """Reads into a buffer of its own, seven bytes at most."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = bytearray(7)

    def get_buffer(self, sizehint: int) -> memoryview:
        assert isinstance(sizehint, int)
        return memoryview(self.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        assert 0 < nbytes <= 7
        self.transport.write(bytes(self.buffer[:nbytes]).upper())

    def eof_received(self) -> bool | None:
        self.transport.write(b"!")
        return super().eof_received()


class Upgrading(Noting, asyncio.Protocol):
    """Goes over to another protocol in the middle of the connection, as STARTTLS does, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.other = Buffered()

    def data_received(self, data: bytes) -> None:
        self.notes.append(data)
        if data == b"upgrade":
            self.other.transport = self.transport
            self.other.buffer_updated = self.updated  # type: ignore[method-assign]
            self.transport.set_protocol(self.other)
            assert self.transport.get_protocol() is self.other
        self.transport.write(data)

    def updated(self, nbytes: int) -> None:
        self.notes.append(("buffered", bytes(self.other.buffer[:nbytes])))
        self.transport.write(b"back")
        self.transport.set_protocol(self)


class Failing(Noting, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        raise KeyError("mine")

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(None)
        assert isinstance(error, KeyError)


# --- clients ----------------------------------------------------------------------------------------------


def read_all(to: socket.socket, size: int = 65536) -> bytes:
    data = bytearray()
    while piece := to.recv(size):
        data += piece
    return bytes(data)


def read_exactly(to: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = to.recv(min(size - len(data), 65536))
        if not piece:
            break
        data += piece
    return bytes(data)


def say_and_read_all(message: bytes) -> Client:
    def client(to: socket.socket) -> bytes:
        to.sendall(message)
        to.shutdown(socket.SHUT_WR)
        return read_all(to)

    return client


def ask_twice(to: socket.socket) -> tuple[int, int]:
    answers = []
    Download.paused.clear()
    for size in (12_000_000, 3_000_000):
        to.sendall(b"%d" % size)
        assert Download.paused.wait(PATIENCE), "more than the kernel takes was sent without a pause"
        answers.append(len(read_exactly(to, size)))
    to.shutdown(socket.SHUT_WR)
    assert read_all(to) == b""
    return answers[0], answers[1]


def quit_early(to: socket.socket) -> bytes:
    to.sendall(b"one\ntwo\nquit\nthree\n")
    return read_all(to)


def listen_first(to: socket.socket) -> bytes:
    heard = read_all(to)
    to.sendall(b"answer")
    return heard


def expect_the_end(to: socket.socket) -> bytes:
    to.sendall(b"abort")
    try:
        return read_all(to)
    except (
        ConnectionResetError
    ):  # Poise's abort resets, as the peer should know; asyncio's may look like an end
        return b""


def upgrade(to: socket.socket) -> list[bytes]:
    heard = []
    for word, answer in (
        (b"hello", b"hello"),
        (b"upgrade", b"upgrade"),
        (b"secret", b"back"),
        (b"bye", b"bye"),
    ):
        to.sendall(word)
        heard.append(read_exactly(to, len(answer)))
    return heard


# --- servers ----------------------------------------------------------------------------------------------


class Serving:
    """One server for one client, which runs in a thread; gives what the client returned and the protocol noted."""

    def __init__(self, made: Made, client: Client) -> None:
        self.made = made
        self.client = client
        self.protocol: Noting | None = None
        self.result: object = None
        self.failed: BaseException | None = None
        self.errors: list[Any] = []

    def factory(self) -> Any:
        protocol = self.made()
        self.protocol = cast("Noting", protocol)
        return protocol

    def is_over(self) -> bool:
        if self.failed is not None or (self.errors and not isinstance(self.protocol, Failing)):
            return True
        return self.protocol is not None and self.protocol.done

    def start_client(self, port: int) -> threading.Thread:
        def work() -> None:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as to:
                    self.result = self.client(to)
            except BaseException as error:
                self.failed = error

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def by_asyncio(self, host: str) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: self.errors.append(context.get("exception")))
            server = await loop.create_server(self.factory, "127.0.0.1", 0)
            thread = self.start_client(server.sockets[0].getsockname()[1])
            async with asyncio.timeout(PATIENCE):
                while not self.is_over():  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
            await loop.run_in_executor(None, thread.join)
            server.close()
            await server.wait_closed()

        with asyncio.Runner(loop_factory=factory(host)) as runner:
            runner.run(main())

    def by_poise(self, poller: str) -> None:
        with Reactor(poller, on_error=self.errors.append) as reactor:
            made = cast("Callable[[], Protocol]", self.factory)
            listener = listen(reactor, ("127.0.0.1", 0), made)
            thread = self.start_client(listener.sockname[1])
            turn_until(reactor, self.is_over)
            thread.join(PATIENCE)
            listener.close()


def serve(loop: str, made: Made, client: Client) -> Serving:
    serving = Serving(made, client)
    if loop.startswith("poise"):
        serving.by_poise(loop.removeprefix("poise on "))
    else:
        serving.by_asyncio(loop)
    assert serving.protocol is not None
    return serving


MADE = ("made", "127.0.0.1", "127.0.0.1", "default")
LOST = ("lost", None)
MESSAGE = bytes(range(256)) * 4000

CASES: dict[str, tuple[Made, Client, object, list[Any]]] = {
    "echo": (Echo, say_and_read_all(MESSAGE), MESSAGE, [MADE, "eof", LOST]),
    "lines": (
        Lines,
        quit_early,
        b"one\ntwo\ngood-bye\n",
        [MADE, b"one", b"two", b"quit", LOST],
    ),
    "download": (
        Download,
        ask_twice,
        (12_000_000, 3_000_000),
        [MADE, b"12000000", "sent", b"3000000", "sent", "eof", LOST],
    ),
    "half closed": (HalfClosed, say_and_read_all(MESSAGE), b"1024000", [MADE, "eof", LOST]),
    "fin first": (FinFirst, listen_first, b"all I say", [MADE, b"answer", "eof", LOST]),
    "abort": (Aborting, expect_the_end, b"", [MADE, b"abort", LOST]),
    "buffered": (Buffered, say_and_read_all(b"shout, please"), b"SHOUT, PLEASE!", [MADE, "eof", LOST]),
    "upgrade": (
        Upgrading,
        upgrade,
        [b"hello", b"upgrade", b"back", b"bye"],
        [MADE, b"hello", b"upgrade", ("buffered", b"secret"), b"bye", "eof", LOST],
    ),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("case", CASES)
def test_the_client_hears_the_same_from_each(loop: str, case: str) -> None:
    made, client, result, notes = CASES[case]
    served = serve(loop, made, client)
    for error in (*served.errors, served.failed):
        if error is not None:
            raise error
    assert served.protocol is not None
    assert (served.result, served.protocol.notes) == (result, notes)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_protocol_that_raises_loses_its_connection(loop: str) -> None:
    served = serve(loop, Failing, expect_the_end)
    assert served.protocol is not None
    assert (served.result, served.protocol.notes, served.failed) == (b"", [MADE, LOST], None)
    assert [type(error) for error in served.errors] == [KeyError]
