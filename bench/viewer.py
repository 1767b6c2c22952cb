"""One who has the live page of a server open while that is measured: all that is sent is taken, and dropped."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path

PAGE = re.compile(r"//(127\.0\.0\.1:\d+)/#([0-9a-f]+)")
PATIENCE = 15.0  # seconds for the first words
PIECE = 1 << 16


class NoPage(Exception):
    """The page could not be opened, or was not shown."""


class Viewer:
    """Reads what the page whose address stands in ``said`` is told."""

    def __init__(self, said: Path) -> None:
        """Raises NoPage when there is no address, or it is refused."""
        found = PAGE.search(said.read_text())
        if found is None:
            raise NoPage("the server has told no address of a page")
        where, token = found.groups()
        host, _, port = where.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE)
        fields = f"Host: {where}\r\nAuthorization: Bearer {token}\r\n"
        self._socket.sendall(f"GET /feed HTTP/1.1\r\n{fields}\r\n".encode())
        answer = self._socket.recv(PIECE)
        if not answer.startswith(b"HTTP/1.1 200 "):
            self._socket.close()
            raise NoPage("the page was refused")
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, name="viewer", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):  # a server that is killed resets it
            while self._socket.recv(PIECE):
                pass

    @property
    def looks(self) -> bool:
        """Whether the page is shown yet."""
        return self._thread.is_alive()

    def leave(self) -> None:
        """Look no more."""
        with suppress(OSError):  # the server has gone before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._socket.close()
