"""The server of a page: threads and blocking sockets of its own, so that it answers while the loop that it shows does not.

It shares nothing with the loop but what the watching reads. One thread accepts, and each connection has one for its one
request; both are bounded, and what goes beyond is told 503 at once, by the thread that accepts, which never waits for anybody.

Rules:

* Every request is held against the :mod:`gate <poise.seeing.gate>` first. What follows is a table of files and three answers;
  nothing in a request is ever used as a path, a name or an expression.
* A viewer that does not take what it is sent is dropped after a while; it comes again by itself and gets the present.
* A viewer says nothing after its request: the pause between two states is a wait for its end, which is so noticed at once.
* Other machines can connect only when the caller has said so, and get no further without the token.
"""

from __future__ import annotations

import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from poise.errors import ProgramFault, RequestError
from poise.limits import HttpLimits, ListenLimits
from poise.limits.seeing import DoorLimits
from poise.loop.clock import RealClock
from poise.net import address as addresses
from poise.seeing import assets
from poise.seeing.gate import SECRET, Gate, Refusal, is_loopback
from poise.seeing.viewing import Viewer, Watching, encoded
from poise.wire.http.connection import Data, ServerConnection
from poise.wire.http.dates import http_date
from poise.wire.http.events import MEDIA_TYPE, comment, event
from poise.wire.http.head import RequestHead

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 16  # 128 bits: nobody guesses that
PIECE = 16 * 1024  # bytes taken from a connection at a time
JOINED = 1.0  # seconds that closing waits for each thread
RETRY = 0.1  # seconds until accepting is tried again when the system is out of descriptors
SAFE = (
    (
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""With every reply: what is sent is neither run, framed, kept nor read by anybody but this page."""
PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Body = tuple[str, Iterable[bytes]]


class Doorway(ABC):
    """Answers at ``address`` until ``close``: the page's files, its texts, and what :meth:`answer` adds.

    ``url`` is what to open; it carries the token. ``files`` is what there is by path, ``texts`` every text of the page by
    language and id. ``secret`` are the paths that need the token, ``acting`` those that something is posted to. ``anywhere``
    says that an address is meant that other machines can reach, ``names`` are host names besides the local ones by which it
    may be called.

    Raises ProgramFault for such an address without ``anywhere``; OSError when it cannot listen there, MachineFault for an
    unknown host name.
    """

    def __init__(
        self,
        files: Mapping[str, assets.Asset],
        texts: Mapping[str, Mapping[str, str]],
        address: tuple[str, int],
        *,
        secret: Iterable[str] = (),
        acting: Iterable[str] = (),
        anywhere: bool = False,
        names: Iterable[str] = (),
        limits: DoorLimits | None = None,
    ) -> None:
        self._limits = limits if limits is not None else DoorLimits()
        self._clock = RealClock()
        self._assets = files
        self._texts = encoded(texts)
        self.token = os.urandom(TOKEN_BYTES).hex()
        self._gate = Gate(self.token, names, secret=secret, acting=acting)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._closed = threading.Event()
        self._listening = _listen(address, anywhere=anywhere)
        host, port = self._listening.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self._thread = threading.Thread(target=self._accept, name="poise page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What a person opens. The token stands in the fragment, which browsers send to nobody."""
        host, port = self.address
        here = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
        return f"http://{addresses.show((here, port))}/#{self.token}"

    def close(self) -> None:
        """Stop listening and send all viewers away. Twice is no error."""
        if self._closed.is_set():
            return
        self._closed.set()
        _end(self._listening)
        self._thread.join(JOINED)
        with self._lock:
            left = list(self._open.items())
        for connection, thread in left:
            _end(connection)
            thread.join(JOINED)

    # -- connections -----------------------------------------------------------------------------

    def _accept(self) -> None:
        with self._listening:
            while not self._closed.is_set():
                try:
                    connection, _ = self._listening.accept()
                except OSError:
                    if self._closed.wait(RETRY):
                        return
                    continue
                self._welcome(connection)

    def _welcome(self, connection: socket.socket) -> None:
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="poise page viewer", daemon=True
        )
        with self._lock:
            room = len(self._open) < self._limits.connections and not self._closed.is_set()
            if room:
                self._open[connection] = thread
        if room:
            try:
                thread.start()
            except RuntimeError:  # the machine has no thread left
                with self._lock:
                    del self._open[connection]
                room = False
        if not room:
            _turn_away(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                Exchange(connection, self._limits, self._clock).run(self._answer)
        finally:
            with self._lock:
                del self._open[connection]

    # -- answers ---------------------------------------------------------------------------------

    def _answer(self, exchange: Exchange, head: RequestHead, local: str) -> None:
        refusal = self._gate.refusal(head, local)
        if refusal is not None:
            exchange.refuse(refusal)
        elif head.path == "/texts.json":
            exchange.reply(200, JSON, (self._texts,), len(self._texts))
        elif head.path in self._assets:
            asset = self._assets[head.path]
            exchange.reply(200, asset.kind, (asset.data,), len(asset.data))
        elif not self.answer(exchange, head):
            exchange.refuse(Refusal(404, "there is nothing at this address"))

    @abstractmethod
    def answer(self, exchange: Exchange, head: RequestHead) -> bool:
        """Reply to what is no file, in the thread of this one exchange; False when there is no such thing."""


class PageServer(Doorway):
    """Shows what ``watching`` sees. The rest is as with every :class:`Doorway`."""

    def __init__(
        self,
        watching: Watching,
        address: tuple[str, int] = (LOOPBACK, 0),
        *,
        anywhere: bool = False,
        names: Iterable[str] = (),
        limits: DoorLimits | None = None,
    ) -> None:
        self._watching = watching
        self._viewers = threading.BoundedSemaphore((limits or DoorLimits()).viewers)
        super().__init__(
            assets.read(),
            assets.texts(),
            address,
            secret=SECRET,
            anywhere=anywhere,
            names=names,
            limits=limits,
        )

    def answer(self, exchange: Exchange, head: RequestHead) -> bool:
        if head.path == "/feed":
            self._feed(exchange, head)
        elif head.path == "/records":
            exchange.reply(200, JSON, self._records(exchange, full=head.query == "full"), None)
        else:
            return False
        return True

    def _feed(self, exchange: Exchange, head: RequestHead) -> None:
        if head.method == "HEAD":
            exchange.reply(200, MEDIA_TYPE, (), None)
        elif self._viewers.acquire(blocking=False):
            try:
                exchange.reply(200, MEDIA_TYPE, self._events(exchange), None)
            finally:
                self._viewers.release()
        else:
            exchange.refuse(
                Refusal(503, f"{self._limits.viewers} are looking already", (("Retry-After", "5"),))
            )

    def _records(self, exchange: Exchange, *, full: bool) -> Iterator[bytes]:
        """What the recorder holds; ``full`` is with all that happens in a moment more."""
        with closing(self._watching.attach(full=full)) as viewer:
            if full and not exchange.silent(self._limits.saving):
                return
            yield from viewer.recording(self._limits.rows)

    def _events(self, exchange: Exchange) -> Iterator[bytes]:
        with closing(self._watching.attach()) as viewer:
            yield event(encoded(viewer.hello()).decode(), name="hello")
            while not self._closed.is_set():
                state = viewer.state()
                told = comment() if state is None else event(encoded(state).decode(), name="state")
                yield told
                viewer.told(len(told))
                if not self._pause(exchange, viewer):
                    return

    def _pause(self, exchange: Exchange, viewer: Viewer) -> bool:
        """Wait until there may be something new, or must be told at once; False as soon as the other side has gone."""
        end = self._clock.monotonic() + viewer.every
        while (left := end - self._clock.monotonic()) > 0 and not viewer.urgent():
            if not exchange.silent(min(left, self._limits.look)):
                return False
        return True


class Exchange:
    """One request and its reply, over a blocking socket."""

    def __init__(self, connection: socket.socket, limits: DoorLimits, clock: RealClock) -> None:
        self._socket = connection
        self._limits = limits
        self._clock = clock
        self._http = ServerConnection(HttpLimits())

    def run(self, answer: Callable[[Exchange, RequestHead, str], None]) -> None:
        """Read the request and have it answered; whatever the other side does, this returns."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.send_buffer)
            try:
                head = self._head()
                local = addresses.plain_host(self._socket.getsockname()[0])
                self._http.close_after_reply()
                answer(self, head, local)
            except RequestError as error:
                if self._http.can_reply:
                    self.refuse(Refusal(error.status, error.detail))
        except (OSError, ProgramFault):  # it has gone, or is too slow; or what it looks at has ended
            pass

    def _head(self) -> RequestHead:
        """The request's head. Raises OSError when none comes in time."""
        end = self._clock.monotonic() + self._limits.head_time
        while True:
            self._http.feed(self._received(end))
            head = self._http.next_event()
            if isinstance(head, RequestHead):
                return head

    def _received(self, end: float) -> bytes:
        """Some bytes. Raises OSError when none come until ``end``."""
        left = end - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        data = self._socket.recv(PIECE)
        if not data:
            raise ConnectionAbortedError
        return data

    def body(self, most: int) -> bytes:
        """What was posted. Raises RequestError for more than ``most`` bytes, or when it does not come whole and in time."""
        end = self._clock.monotonic() + self._limits.head_time
        data = bytearray()
        while True:
            event = self._http.next_event()
            if isinstance(event, Data):
                data += event.data
                if len(data) > most:
                    raise RequestError(413, f"more than {most} bytes were posted")
            elif event is not None:
                return bytes(data)
            else:
                self._http.feed(self._received(end))

    def fileno(self) -> int:
        """The connection's descriptor, which is readable when the other side has gone."""
        return self._socket.fileno()

    def silent(self, seconds: float) -> bool:
        """Wait so long; False as soon as the other side has gone, or says something more."""
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(1)
        except TimeoutError:
            return True
        return False

    def refuse(self, refusal: Refusal) -> None:
        data = (refusal.text + "\n").encode()
        self.reply(refusal.status, PLAIN, (data,), len(data), refusal.fields)

    def reply(
        self,
        status: int,
        kind: str,
        body: Iterable[bytes],
        length: int | None,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Send a whole reply; each piece has to leave within the time for it."""
        http = self._http
        date = http_date(self._clock.wall())
        self._send(
            http.send_reply(status, (("Content-Type", kind), *SAFE, *fields), length=length, date=date)
        )
        if http.reply_has_body:
            for data in body:
                self._send(http.send_data(data))
            self._send(http.end_reply())
        self._socket.shutdown(socket.SHUT_WR)

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._limits.send_time)
        self._socket.sendall(data)


def _listen(address: tuple[str, int], *, anywhere: bool) -> socket.socket:
    # Whoever is to be refused is to hear so at once, and not to knock again a second later.
    listening = addresses.bind(address, ListenLimits().backlog)
    host: Any = listening.getsockname()[0]
    if not anywhere and not is_loopback(addresses.plain_host(host)):
        listening.close()
        raise ProgramFault(f"other machines could connect to {host}: say anywhere=True if they are to")
    listening.setblocking(True)
    return listening


def _turn_away(connection: socket.socket) -> None:
    """Say that all places are taken, without waiting for anything."""
    with connection, suppress(OSError):
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.recv(
                PIECE
            )  # what is left unread would have the kernel cut the line before our words are read
        connection.sendall(FULL)
        connection.shutdown(socket.SHUT_WR)


def _end(each: socket.socket) -> None:
    """Wake whoever waits for it in another thread, who closes it."""
    with suppress(OSError):  # it has ended already
        each.shutdown(socket.SHUT_RDWR)
