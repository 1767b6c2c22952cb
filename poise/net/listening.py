"""The socket of a listener."""

from __future__ import annotations

import socket


class Listening(socket.socket):
    """A stream socket to be bound: what it is, it knows without asking.

    ``accept`` makes each newcomer's socket from the listener's family and type, and looks both up in an enumeration every
    time (Lib/socket.py), which costs more than accept(2) itself.
    """

    __slots__ = ("family", "type")

    def __init__(
        self,
        family: socket.AddressFamily,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        super().__init__(family, kind, proto, fileno)
        self.family = family  # type: ignore[misc]  # a property of the class above
        self.type = kind  # type: ignore[misc]
