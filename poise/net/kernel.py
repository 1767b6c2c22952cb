"""What the kernel holds for a socket: what the peer has sent and nobody has read, what it has yet to take."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable
from functools import cache

from poise.readiness.interest import ERROR, INVALID

NUMBER = bytes(struct.calcsize("i"))  # room for the answer
UNKNOWN = -1
"""The system does not tell."""
UNIX = getattr(socket, "AF_UNIX", None)
"""The family of unix sockets, where there are any."""
# Writing to a peer that has gone must be an error, not a signal that ends the process (pitfall 20).
NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
MORE = getattr(socket, "MSG_MORE", 0)


@cache
def _asking() -> tuple[Callable[[int, int, bytes], bytes], int, int]:
    """The call, and what it asks for unread and for unacknowledged bytes: loaded when the first connection ends."""
    from fcntl import ioctl
    from termios import FIONREAD, TIOCOUTQ

    return ioctl, FIONREAD, TIOCOUTQ


def unread(fd: int) -> int:
    """Bytes that have arrived and were not read; -1 where the system does not tell (tcp(7), SIOCINQ = FIONREAD)."""
    try:
        ask, in_queue, _ = _asking()
        return int.from_bytes(ask(fd, in_queue, NUMBER), sys.byteorder, signed=True)
    except (ImportError, OSError, ValueError):
        return UNKNOWN


def unacknowledged(fd: int) -> int:
    """Bytes that the peer has not acknowledged; -1 where the system does not tell (tcp(7), SIOCOUTQ = TIOCOUTQ)."""
    try:
        ask, _, out_queue = _asking()
        return int.from_bytes(ask(fd, out_queue, NUMBER), sys.byteorder, signed=True)
    except (ImportError, OSError, ValueError):
        return UNKNOWN


def pending_error(connected: socket.socket, mask: int) -> OSError | None:
    """The error behind the faults in ``mask``; None for a plain hang-up. Reading it clears it (socket(7), SO_ERROR)."""
    if mask & INVALID:
        return OSError(errno.EBADF, "the descriptor was closed behind the loop's back")
    if not mask & ERROR:
        return None
    code = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return OSError(code, os.strerror(code)) if code else None
