"""Clients that ask on and on, each in a thread, and count what they get: the load under which a server is changed."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.client import NotHttp, read_answer

PATIENCE = 20.0


@dataclass
class Failure:
    """A request without its whole reply. ``port`` is the client's."""

    port: int
    error: str


@dataclass
class Load:
    """``clients`` connections to ``port`` that ask for ``path``; ``keep_alive`` until they are told to close."""

    port: int
    path: str = "/small.txt"
    clients: int = 4
    keep_alive: bool = True
    tls: ssl.SSLContext | None = None
    answered: int = 0
    connections: int = 0
    failures: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._more = threading.Condition(self._lock)
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
            try:
                with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as plain:
                    own = plain.getsockname()[1]
                    with self._lock:
                        self.connections += 1
                    if self.tls is None:
                        self._ask(plain)
                    else:
                        with self.tls.wrap_socket(plain, server_hostname="localhost") as secure:
                            self._ask(secure)
            except (OSError, NotHttp) as error:
                with self._lock:
                    self.failures.append(Failure(own, repr(error)))

    def _ask(self, sock: socket.socket) -> None:
        field = "" if self.keep_alive else "Connection: close\r\n"
        request = f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n".encode()
        while not self._stopping.is_set():
            sock.sendall(request)
            answer = read_answer(sock)
            if answer.status != 200:
                raise NotHttp(f"status {answer.status}")
            with self._more:
                self.answered += 1
                self._more.notify_all()
            if answer.fields.get("connection") == "close":
                return


@contextmanager
def load(
    port: int,
    path: str = "/small.txt",
    *,
    clients: int = 4,
    keep_alive: bool = True,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Load]:
    """A load that has begun, and ends with the block."""
    made = Load(port, path, clients, keep_alive, tls)
    try:
        made.wait(clients)
        yield made
    finally:
        made.stop()
