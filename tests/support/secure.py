"""The standard library's TLS over a plain socket, moved by hand: the far end that a test can make misbehave."""

from __future__ import annotations

import socket
import ssl

from poise.loop.reactor import Reactor
from tests.support.loops import turn_until

CHUNK = 1 << 16


class FarEnd:
    """One side of a TLS connection over ``sock``. It reads only when it is told to, and ends as it is told to."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        name: str | None = None,
        *,
        server_side: bool = False,
    ) -> None:
        self.sock = sock
        sock.setblocking(False)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side, name)
        self._unsent = b""
        self.data = bytearray()
        self.ended = False  # close_notify came
        self.cut = False  # the connection below ended

    def pull(self, most: int = CHUNK) -> bool:
        """Take what the kernel has; True when there was something, or the end."""
        try:
            data = self.sock.recv(most)
        except BlockingIOError:
            return False
        if data:
            self._in.write(data)
        else:
            self.cut = True
        return bool(data)

    def push(self) -> bool:
        """Send what is to be sent; True when the kernel took it all."""
        self._unsent += self._out.read()
        try:
            self._unsent = self._unsent[self.sock.send(self._unsent) :] if self._unsent else b""
        except BlockingIOError:
            pass
        return not self._unsent

    def shake(self) -> bool:
        """One step of the handshake; True when it is done."""
        self.pull()
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.push()
            return False
        self.push()
        return True

    def open(self, reactor: Reactor) -> FarEnd:
        turn_until(reactor, self.shake)
        return self

    def write(self, data: bytes) -> None:
        """Encrypt and send; the rest goes with the next push."""
        for start in range(0, len(data), 16384):
            self.tls.write(data[start : start + 16384])
        self.push()

    def read(self) -> FarEnd:
        """Read all there is into ``data``."""
        while self.pull():
            pass
        try:
            while piece := self.tls.read(CHUNK):
                self.data += piece
            self.ended = True
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return self

    def say_goodbye(self) -> None:
        """``close_notify``."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.push()

    def cipher_text(self) -> bytes:
        """What would be sent next."""
        return self._out.read()

    def close(self) -> None:
        self.sock.close()
