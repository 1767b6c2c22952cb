"""What the kernel holds for a socket: what the peer has sent and nobody has read, what it has yet to take."""

from __future__ import annotations

import struct
import sys

if sys.platform != "win32":
    import fcntl
    import termios

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


def _ask(fd: int, request: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(fd, request, struct.pack("i", 0)))[0])
