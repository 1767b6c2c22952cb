"""Where the bytes are: in the kernel on their way in, in the program's own queue, in the kernel on their way out.

All of it is asked when somebody looks, nothing is counted on the way: two ioctls and, for TCP, one getsockopt, a microsecond
together. A number is asked of a *number*, and numbers are reused; so who looks compares the seat before and after.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any, Final, NamedTuple

from poise.loop.reactor import Reactor
from poise.loop.seat import Seat
from poise.net.kernel import unacknowledged, unread

# tcp_info of <linux/tcp.h>, whose fields never move: tcpi_bytes_acked and tcpi_bytes_received, tcpi_unacked and its neighbour.
TOTALS: Final = struct.Struct("=120xQQ")
BACKLOG: Final = struct.Struct("=24xII")
MEMORY: Final = 36  # bytes: nine numbers (sk_get_meminfo of the kernel)
LINUX: Final = sys.platform == "linux"
SO_MEMINFO: Final = 55 if LINUX else None  # <asm-generic/socket.h>; Python has no name for it
TCP_INFO: Final = getattr(socket, "TCP_INFO", None) if LINUX else None


class Levels(NamedTuple):
    """Bytes; None where the system, or the owner, does not tell."""

    received: int | None
    """Have arrived and were not read."""
    queued: int | None
    """The program has written them and the kernel has not taken them."""
    unsent: int | None
    """The kernel has them, and the peer has not acknowledged them."""
    total_in: int | None
    total_out: int | None


UNKNOWN: Final = Levels(None, None, None, None, None)


def levels(seat: Seat, reactor: Reactor) -> Levels:
    """What waits where on the descriptor of ``seat``; UNKNOWN when it has gone meanwhile."""
    fd = seat.fd
    handler = reactor._handlers.get(fd)
    total_in, total_out = totals(fd)
    found = Levels(
        known(unread(fd)),
        queued(getattr(handler, "__self__", None)),
        known(unacknowledged(fd)),
        total_in,
        total_out,
    )
    return UNKNOWN if seat.closed_ns else found


def known(level: int) -> int | None:
    return level if level >= 0 else None


def queued(owner: Any) -> int | None:
    """What a transport says of its own queue."""
    ask = getattr(owner, "get_write_buffer_size", None)
    try:
        return None if ask is None else int(ask())
    except (AttributeError, TypeError):
        return None  # the queue was given up in the moment that it was asked


def totals(fd: int) -> tuple[int, int] | tuple[None, None]:
    """Bytes that a TCP connection has received and that its peer has acknowledged, ever."""
    told = ask(fd, socket.IPPROTO_TCP, TCP_INFO, TOTALS.size)
    if told is None:
        return None, None
    acknowledged, received = TOTALS.unpack(told)
    return received, acknowledged


def backlog(fd: int) -> tuple[int, int] | None:
    """How many connections wait at a TCP listener to be accepted, and how many may."""
    told = ask(fd, socket.IPPROTO_TCP, TCP_INFO, BACKLOG.size)
    if told is None:
        return None
    waiting, most = BACKLOG.unpack(told)
    return waiting, most


def memory(fd: int) -> bytes | None:
    """What the kernel holds for any socket, and how many datagrams it has dropped, as it says it: to be compared only."""
    return ask(fd, socket.SOL_SOCKET, SO_MEMINFO, MEMORY)


def ask(fd: int, level: int, option: int | None, size: int) -> bytes | None:
    """What getsockopt(2) says of a descriptor that may be no socket; None when it says nothing, or less than that."""
    if option is None:
        return None
    try:
        # With all three given, nothing is asked of the kernel to make the object; it is let go of, not closed.
        borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)
    except OSError:
        return None
    try:
        told = borrowed.getsockopt(level, option, size)
    except OSError:
        return None
    finally:
        borrowed.detach()
    return told if len(told) == size else None
