"""One question to a server, outside of the load: does it answer what it should?"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass

PATIENCE = 15.0  # seconds until an answer must be there
PIECE = 1 << 20  # bytes that are read at once


class Unequal(Exception):
    """A server answers something else than it should; measuring it would compare different work."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, as it came."""

    raw: bytes

    @property
    def status(self) -> int:
        """0 when it is no reply of HTTP."""
        line = re.match(rb"HTTP/1\.[01] (\d{3}) ", self.raw)
        return int(line[1]) if line else 0

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    def field(self, name: str) -> str | None:
        line = re.search(rb"\r\n%s: *([^\r]*)" % name.encode(), self.head, re.IGNORECASE)
        return line[1].decode("latin-1") if line else None


def ask(port: int, head: str, *, tls: bool = False) -> Reply:
    """The reply to exactly this head: the bytes that its Content-Length promises, or those until the end."""
    with connected(port, tls=tls) as connection:
        connection.sendall(head.encode("latin-1"))
        raw = b""
        expected: int | None = None
        while expected is None or len(raw) < expected:
            data = connection.recv(PIECE)
            if not data:
                break
            raw += data
            if expected is None and b"\r\n\r\n" in raw:
                reply = Reply(raw)
                length = "0" if reply.status in {204, 304} else reply.field("Content-Length")
                expected = len(reply.head) + 4 + int(length) if length is not None else None
        return Reply(raw)


def connected(port: int, *, tls: bool = False) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    if not tls:
        return connection
    try:
        return throw_away().wrap_socket(connection, server_hostname="localhost")
    except BaseException:
        connection.close()
        raise


def throw_away() -> ssl.SSLContext:
    """For a server that was started here a moment ago, with a certificate that was made for it: there is none to doubt."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def agreed(port: int) -> str:
    """The version of TLS and the cipher that a server and the client of the bench agree on."""
    with connected(port, tls=True) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        cipher = connection.cipher()
        return f"{connection.version()}, {cipher[0] if cipher else 'no cipher'}"


def send_and_return(port: int, message: bytes) -> bytes:
    """What comes back for ``message``: as many bytes, or those until the end of the stream."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(message)
        while len(received) < len(message):
            data = connection.recv(65536)
            if not data:
                break
            received += data
    return received
