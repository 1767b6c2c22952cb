"""One question to a server, outside of the load: does it answer what it should?"""

from __future__ import annotations

import http.client
import re
import socket

PATIENCE = 15.0  # seconds until an answer must be there


class Unequal(Exception):
    """A server answers something else than it should; measuring it would compare different work."""


def fetch(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of one GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def fetch_raw(port: int, path: str) -> bytes:
    """Head and body of one reply exactly as they came, to the request that ``wrk`` sends."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        while True:
            head, blank, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
            if blank and length and len(body) >= int(length[1]):
                return received
            data = connection.recv(65536)
            if not data:
                return received
            received += data


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
