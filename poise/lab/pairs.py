"""Two ends of one TCP connection on the loopback address, for experiments that play both sides in one process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from poise.lab.events import Recorder
from poise.lab.tapped import TappedSocket

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def tcp_pair(
    recorder: Recorder | None = None, *, receive: int = 0, send: int = 0
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """(client, server); what the server does is recorded. ``receive`` and ``send``: its buffers in bytes, 0 for the usual."""
    with socket.socket() as listener:
        if receive:  # before the connection, for it bounds the window that is offered
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        if send:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send)
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        client = socket.create_connection(listener.getsockname())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server, _address = listener.accept()
    if recorder is not None:
        server = TappedSocket.around(server, recorder)
    with client, server:
        yield client, server


def wait_for(receiver: socket.socket, count: int) -> None:
    """Until so many bytes have arrived, without taking or recording any: what is shown then does not depend on haste."""
    socket.socket.recv(receiver, count, socket.MSG_PEEK | socket.MSG_WAITALL)
