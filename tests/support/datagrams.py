"""A reactor with datagram sockets on it: protocols that keep what they hear, far ends, and sockets that refuse."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from poise.limits import DatagramLimits
from poise.loop.reactor import Reactor
from poise.net.datagram import Datagram, open_datagram
from poise.net.protocol import DatagramProtocol
from tests.support.loops import turn_until

LOCAL = ("127.0.0.1", 0)


class Listener(DatagramProtocol):
    """Keeps everything that it is told; ``on_data`` may act on it."""

    def __init__(self, on_data: Callable[[Datagram, bytes, Any], object] | None = None) -> None:
        self.on_data = on_data
        self.got: list[bytes] = []
        self.senders: list[Any] = []
        self.errors: list[OSError] = []
        self.lost: list[Exception | None] = []
        self.pauses: list[str] = []

    def connection_made(self, transport: Datagram) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append(data)
        self.senders.append(addr)
        if self.on_data is not None:
            self.on_data(self.transport, data, addr)

    def error_received(self, exc: OSError) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    def pause_writing(self) -> None:
        self.pauses.append("pause")

    def resume_writing(self) -> None:
        self.pauses.append("resume")

    @property
    def numbers(self) -> list[int | None]:
        return [error.errno for error in self.errors]


class House:
    """A reactor, what was opened on it, and plain sockets as the far ends."""

    def __init__(self, reactor: Reactor, folder: Path) -> None:
        self.reactor = reactor
        self.folder = folder
        self.errors: list[Exception] = []
        self.opened: list[Datagram] = []
        self.plain: list[socket.socket] = []
        reactor.on_error = self.errors.append

    def open(self, heard: Listener | None = None, **kwargs: Any) -> tuple[Datagram, Listener]:
        limits = {key: kwargs.pop(key) for key in list(kwargs) if key in DatagramLimits.FIELDS}
        heard = heard or Listener()
        protocol = heard
        transport = open_datagram(self.reactor, lambda: protocol, limits=DatagramLimits(**limits), **kwargs)
        self.opened.append(transport)
        return transport, heard

    def adopt(self, sock: socket.socket, **limits: Any) -> tuple[Datagram, Listener]:
        return self.open(local=sock, **limits)

    def far(self, address: Any = LOCAL, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        self.plain.append(sock)
        sock.settimeout(5)
        if address is not None:
            sock.bind(address)
        return sock

    def unix(self, name: str) -> str:
        return str(self.folder / name)

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def close(self) -> None:
        for transport in self.opened:
            transport.abort()
        self.reactor.turn(0)
        for sock in self.plain:
            sock.close()


@contextmanager
def housed(poller: str | None, folder: Path) -> Iterator[House]:
    """A house that is cleaned up."""
    with Reactor(poller) as reactor:
        made = House(reactor, folder)
        yield made
        made.close()


def echo(transport: Datagram, data: bytes, addr: Any) -> None:
    transport.sendto(data.upper(), addr)


class Scripted(socket.socket):
    """A real socket whose first sends fail as the script says; ``tried`` counts all of them."""

    def play(self, *script: OSError | None) -> Scripted:
        self.script = list(script)
        self.tried = 0
        return self

    def _next(self) -> None:
        self.tried += 1
        step = self.script.pop(0) if self.script else None
        if step is not None:
            raise step

    def send(self, *args: Any) -> int:
        self._next()
        return super().send(*args)

    def sendto(self, *args: Any) -> int:
        self._next()
        return super().sendto(*args)


def has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True
