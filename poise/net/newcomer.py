"""A newcomer that has spoken before it was let in (tcp(7), TCP_DEFER_ACCEPT): many ask once and want nothing more.

To make a stream, a protocol and their deadlines for one answer costs more than the answer does. So whoever knows the answer
to some first words says so (``Listener.at_once``), and the connection is over before it has become any of that: recv(2),
send(2), close(2). All others become streams, and what they have said is theirs to hear.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from poise.net.ending import IN_FLIGHT
from poise.net.kernel import MORE, NO_SIGNAL

AtOnce = Callable[[bytes, Any], bytes | bytearray | None]
"""``at_once(said, peer)``: all that a newcomer gets who has said that, and nothing more; None when it is to be a stream."""

NO_WAIT = getattr(
    socket, "MSG_DONTWAIT", 0
)  # a call less than to make a socket non-blocking that is closed at once

LAST_WORDS = NO_SIGNAL | NO_WAIT | MORE
"""More follows: the end, which close(2) sends in the same packet."""


FIRST_WORDS = 4096  # bytes; whoever says as much has more to say


Bare = socket.SocketType
"""A socket without what Python puts around it (Lib/socket.py): enough for who is to be one for three system calls."""


def accept(listening: socket.socket) -> tuple[Bare, Any]:
    """``listening.accept()``, whose socket is a bare one. OSError as accept(2)."""
    number, peer = listening._accept()  # type: ignore[attr-defined]  # what accept() itself is made of
    return Bare(listening.family, listening.type, listening.proto, number), peer


def whole(connection: Bare) -> socket.socket:
    """The same connection as all others have it."""
    return socket.socket(connection.family, connection.type, connection.proto, connection.detach())


def meet(connection: Bare, peer: Any, at_once: AtOnce) -> tuple[bytes, bytes] | None:
    """None when ``connection`` has got its answer, or has left; else what it said, and what of its answer is still to be sent."""
    try:
        said = connection.recv(FIRST_WORDS, NO_WAIT)
    except (BlockingIOError, InterruptedError):
        return b"", b""
    except OSError:
        return None
    answer = at_once(said, peer) if 0 < len(said) < FIRST_WORDS else None
    if answer is None:
        return said, b""
    if len(answer) > IN_FLIGHT:
        return b"", bytes(
            answer
        )  # closed now, it would be the kernel's for as long as the peer does not take it
    try:
        sent = connection.send(answer, LAST_WORDS)
    except (BlockingIOError, InterruptedError):
        sent = 0
    except OSError:
        return None
    return None if sent == len(answer) else (b"", bytes(answer[sent:]))
