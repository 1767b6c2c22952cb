"""What the kernel holds for a socket: what the peer has sent and nobody has read, what it has yet to take."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys

from poise.readiness.interest import ERROR, INVALID

if sys.platform != "win32":
    import fcntl
    import termios

NUMBER = bytes(struct.calcsize("i"))  # room for the answer
UNKNOWN = -1
"""The system does not tell."""


def unread(fd: int) -> int:
    """Bytes that have arrived and were not read; -1 where the system does not tell (tcp(7), SIOCINQ = FIONREAD)."""
    try:
        return _ask(fd, termios.FIONREAD)
    except (NameError, OSError, ValueError):
        return UNKNOWN


def unacknowledged(fd: int) -> int:
    """Bytes that the peer has not acknowledged; -1 where the system does not tell (tcp(7), SIOCOUTQ = TIOCOUTQ)."""
    try:
        return _ask(fd, termios.TIOCOUTQ)
    except (NameError, OSError, ValueError):
        return UNKNOWN


def pending_error(connected: socket.socket, mask: int) -> OSError | None:
    """The error behind the faults in ``mask``; None for a plain hang-up. Reading it clears it (socket(7), SO_ERROR)."""
    if mask & INVALID:
        return OSError(errno.EBADF, "the descriptor was closed behind the loop's back")
    if not mask & ERROR:
        return None
    code = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return OSError(code, os.strerror(code)) if code else None


def _ask(fd: int, request: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, request, NUMBER), sys.byteorder, signed=True)
