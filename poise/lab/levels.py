"""How full the kernel's two buffers of a TCP connection are (tcp(7): SIOCINQ, SIOCOUTQ)."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios


def unread(receiver: socket.socket) -> int:
    """Bytes that have come and were not read yet."""
    return _asked(receiver, termios.FIONREAD)


def unacknowledged(sender: socket.socket) -> int:
    """Bytes that ``send`` has taken and the other side's kernel has not confirmed; 0 where that cannot be asked."""
    return _asked(sender, termios.TIOCOUTQ)


def _asked(of: socket.socket, question: int) -> int:
    try:
        (answer,) = struct.unpack("i", fcntl.ioctl(of, question, bytes(4)))
    except OSError:
        return 0
    return int(answer)
