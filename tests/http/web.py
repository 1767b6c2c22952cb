"""A server and its clients in one process: every turn of the loop is a test's own, and no thread is needed."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from poise.http.log import AccessLog
from poise.http.message import FileBody, Reply, Request
from poise.http.server import HTTPServer
from poise.limits import FileLimits, HttpLimits, ListenLimits, StreamLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from tests.support.client import Answer, answers
from tests.support.loops import receive_all, turn_until

Respond = Callable[[Request], Reply | None]
SMALL_QUEUE = StreamLimits(high_water=16 * 1024, low_water=4 * 1024, write_size=64 * 1024)


def get(path: str = "/", fields: str = "", *, method: str = "GET", minor: int = 1) -> bytes:
    """The bytes of a request without a body."""
    return f"{method} {path} HTTP/1.{minor}\r\nHost: localhost\r\n{fields}\r\n".encode("latin-1")


def post(body: bytes, path: str = "/", fields: str = "") -> bytes:
    return get(path, f"{fields}Content-Length: {len(body)}\r\n", method="POST") + body


def chunked(*pieces: bytes, path: str = "/", fields: str = "", whole: bool = True) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = get(path, f"{fields}Transfer-Encoding: chunked\r\n", method="POST")
    return head + body + (b"0\r\n\r\n" if whole else b"")


def echo(request: Request) -> Reply:
    """Says what was asked for: an answer that cannot be mistaken for another's."""
    return Reply(200, body=f"{request.method} {request.path} ".encode() + request.body)


def file_of(content: bytes) -> FileBody:
    """``content`` as the body of a reply that owns a descriptor."""
    with tempfile.TemporaryFile() as made:
        made.write(content)
        made.flush()
        return FileBody(os.dup(made.fileno()), 0, len(content))


class App(HTTPServer):
    """Answers with a function, and keeps what it was asked."""

    def __init__(self, reactor: Reactor, answer: Respond, **options: Any) -> None:
        super().__init__(reactor, **options)
        self.answer = answer
        self.refusal: Respond = lambda request: None
        self.asked: list[Request] = []

    def respond(self, request: Request) -> Reply | None:
        self.asked.append(request)
        return self.answer(request)

    def refuse_body(self, request: Request) -> Reply | None:
        return self.refusal(request)


class Client:
    """A plain non-blocking socket."""

    def __init__(self, web: Web, address: tuple[str, int], receive_buffer: int = 0) -> None:
        self.web = web
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each piece leaves when it is sent
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.data = bytearray()
        self.ended = False
        self.reset = False

    def send(self, data: bytes) -> None:
        """Send all of ``data``, turning the loop while the kernel takes no more."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.sock.send(rest) :]
            except BlockingIOError:
                self.web.reactor.turn(0.02)

    def receive(self) -> None:
        try:
            self.ended = receive_all(self.sock, self.data) or self.ended
        except ConnectionResetError:
            self.ended = self.reset = True

    def _until(self, condition: Callable[[], object]) -> None:
        def look() -> object:
            self.receive()
            return condition()

        turn_until(self.web.reactor, look)

    def answers(self, count: int = 1, *methods: str) -> list[Answer]:
        """Turn until ``count`` final replies are here, whole; those, and no byte that is not theirs."""
        found: list[Answer] = []

        def enough() -> bool:
            nonlocal found
            whole = answers(bytes(self.data), strict=False, methods=methods)
            found = [each for each in whole if each.status >= 200]
            return self.ended or (len(found) >= count and all(each.whole for each in found))

        self._until(enough)
        assert len(found) == count, bytes(self.data[-500:])
        answers(bytes(self.data), methods=methods)
        self.data.clear()
        return found

    def answer(self, method: str = "GET") -> Answer:
        return self.answers(1, method)[0]

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.answer()

    def end(self) -> bytes:
        """Turn until the server has ended the connection; what it had said until then."""
        self._until(lambda: self.ended)
        return bytes(self.data)

    def wait(self, count: int) -> None:
        """Turn until ``count`` bytes have come."""
        self._until(lambda: len(self.data) >= count)

    def close(self) -> None:
        self.sock.close()


class Web:
    """A reactor on a clock that stands still, a server on it, and what went wrong."""

    def __init__(
        self,
        answer: Respond = echo,
        *,
        poller: str | None = None,
        limits: HttpLimits | None = None,
        stream_limits: StreamLimits | None = None,
        listen_limits: ListenLimits | None = None,
        memo_limits: FileLimits | None = None,
        logged: bool = False,
        allows_host: Callable[[str | None], bool] | None = None,
    ) -> None:
        self.clock = ManualClock(1000.0, wall=1_800_000_000.25)
        self.errors: list[Exception] = []
        self.reactor = Reactor(poller, clock=self.clock, on_error=self.errors.append)
        self.log: list[str] = []
        self.server = App(
            self.reactor,
            answer,
            limits=limits,
            stream_limits=stream_limits,
            listen_limits=listen_limits,
            memo_limits=memo_limits,
            allows_host=allows_host,
            log=AccessLog(self.reactor, self.log.append) if logged else None,
        )
        self.listener = self.server.listen(("127.0.0.1", 0))
        self.clients: list[Client] = []

    def client(self, receive_buffer: int = 0) -> Client:
        """A new connection; with ``receive_buffer`` the kernel holds little of what the client does not read."""
        address = self.listener.address
        assert isinstance(address, tuple)
        before = set(self.listener.streams)
        made = Client(self, address, receive_buffer)
        self.clients.append(made)
        turn_until(self.reactor, lambda: self.listener.streams - before)
        if receive_buffer:
            (stream,) = self.listener.streams - before
            stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive_buffer)
        return made

    @property
    def open(self) -> int:
        """Connections that no side has ended."""
        return sum(not each.ended and each.sock.fileno() >= 0 for each in self.clients)

    def turns(self, count: int = 5) -> None:
        for _ in range(count):
            self.reactor.turn(0)

    def wait(self, seconds: float) -> None:
        """Time passes, and what is due is done."""
        self.clock.advance(seconds)
        self.turns()

    def gone(self) -> None:
        """Turn until the server has no connection left."""
        turn_until(self.reactor, lambda: not self.server.exchanges)
        assert not self.listener.streams

    def lines(self) -> list[str]:
        """The request, status and size of each line in the log."""
        assert self.server.log is not None
        self.server.log.flush()
        return [line.partition('"')[2] for line in "".join(self.log).splitlines()]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.close()
        self.turns(3)
        assert not self.server.exchanges
        assert not self.listener.streams
        self.reactor.close()


@contextmanager
def web(answer: Respond = echo, *, faults: int = 0, **options: Any) -> Iterator[Web]:
    """A Web whose end is checked: as many errors as were expected, no connection left."""
    made = Web(answer, **options)
    try:
        yield made
    finally:
        made.close()
    assert len(made.errors) == faults, made.errors
