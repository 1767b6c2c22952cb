"""Clients that ask on and on, each in a thread, and count what they get: the load under which a server is changed."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.client import NotHttp, read_answer

PATIENCE = 20.0
SOURCES = 250
PAUSE = 0.01  # seconds until somebody whom nobody listened to comes again


@dataclass
class Failure:
    """A request without its whole reply. ``port`` is the client's; the times are of ``time.monotonic()``."""

    port: int
    error: str
    source: str = ""
    opened: float = 0.0  # before connecting
    noticed: float = 0.0


@dataclass
class Load:
    """``clients`` connections to ``port`` that ask for ``path``; ``keep_alive`` until they are told to close."""

    port: int
    path: str = "/small.txt"
    clients: int = 4
    keep_alive: bool = True
    tls: ssl.SSLContext | None = None
    insistent: bool = False
    """Whether they come again when nobody listens, and ask again when a kept connection ends before any of the reply."""
    spread: bool = False
    """Whether they come from many addresses, as one has too few ports for all that wait out their minute (TIME_WAIT)."""
    answered: int = 0
    connections: int = 0
    refused: int = 0
    asked_again: int = 0
    failures: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._more = threading.Condition(self._lock)
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._run) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()

    def wait(self, count: int) -> None:
        """Until ``count`` more requests are answered. AssertionError when that does not happen."""
        with self._more:
            goal = self.answered + count
            assert self._more.wait_for(lambda: self.answered >= goal, PATIENCE), (
                f"{goal - self.answered} replies are missing; {self.failures}"
            )

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            own = 0
            source = f"127.0.0.{2 + next(self._numbers) % SOURCES}" if self.spread else "127.0.0.1"
            opened = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.port), PATIENCE, (source, 0)) as plain:
                    own = plain.getsockname()[1]
                    with self._lock:
                        self.connections += 1
                    if self.tls is None:
                        self._ask(plain)
                    else:
                        with self.tls.wrap_socket(plain, server_hostname="localhost") as secure:
                            self._ask(secure)
            except ConnectionRefusedError as error:
                with self._more:
                    self.refused += 1
                    if not self.insistent:
                        self.failures.append(Failure(own, repr(error), source, opened, time.monotonic()))
                    self._more.wait(PAUSE)
            except (OSError, NotHttp) as error:
                with self._lock:
                    self.failures.append(Failure(own, repr(error), source, opened, time.monotonic()))

    def _ask(self, sock: socket.socket) -> None:
        field = "" if self.keep_alive else "Connection: close\r\n"
        request = f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n".encode()
        kept = False
        while not self._stopping.is_set():
            if not (kept and self.insistent):
                sock.sendall(request)
            elif not has_answered(sock, request):
                with self._lock:
                    self.asked_again += 1
                return  # and asks again, as a client may (RFC 9112, 9.3.1)
            answer = read_answer(sock)
            kept = True
            if answer.status != 200:
                raise NotHttp(f"status {answer.status}")
            with self._more:
                self.answered += 1
                self._more.notify_all()
            if answer.fields.get("connection") == "close":
                return


def has_answered(sock: socket.socket, request: bytes) -> bool:
    """Whether anything comes when ``request`` is sent on a connection that the server may be closing."""
    try:
        sock.sendall(request)
        return bool(sock.recv(1, socket.MSG_PEEK))
    except ConnectionError:
        return False


@contextmanager
def load(
    port: int,
    path: str = "/small.txt",
    *,
    clients: int = 4,
    keep_alive: bool = True,
    tls: ssl.SSLContext | None = None,
    insistent: bool = False,
    spread: bool = False,
) -> Iterator[Load]:
    """A load that has begun, and ends with the block."""
    made = Load(port, path, clients, keep_alive, tls, insistent, spread)
    try:
        made.wait(clients)
        yield made
    finally:
        made.stop()
