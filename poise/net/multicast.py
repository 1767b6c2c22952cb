"""Groups of hosts: joining and leaving on one interface (RFC 1112, RFC 3493 section 5.2; ip(7), ipv6(7)).

A membership belongs to a socket *and an interface*. Without an interface the routing table chooses one, which on a
machine with several networks, or with none, is seldom the one that was meant: name it.
"""

from __future__ import annotations

import os
import socket
import struct

from poise.errors import MachineFault
from poise.net.options import interface_index, ipv4_interface, kind_of

FIRST_IPV4, LAST_IPV4 = 0xE0, 0xEF  # 224.0.0.0/4, RFC 5771
FIRST_IPV6 = 0xFF  # ff00::/8, RFC 4291 section 2.7


def join(sock: socket.socket, group: str, interface: str | int | None = None) -> None:
    """Receive what is sent to ``group`` on ``interface``: a name, an index, or an IPv4 address.

    Raises ValueError when ``group`` is no multicast address of the socket's family or the interface does not exist,
    MachineFault when the kernel refuses (EADDRINUSE: joined already; ENODEV: no route, name an interface).
    """
    _change(sock, group, interface, "join", "ADD_MEMBERSHIP", "JOIN_GROUP")


def leave(sock: socket.socket, group: str, interface: str | int | None = None) -> None:
    """Undo ``join`` with the same arguments. Raises like it (EADDRNOTAVAIL: not joined)."""
    _change(sock, group, interface, "leave", "DROP_MEMBERSHIP", "LEAVE_GROUP")


def _change(
    sock: socket.socket, group: str, interface: str | int | None, verb: str, ipv4: str, ipv6: str
) -> None:
    address = _group(sock, group)
    chosen = interface if interface is not None else 0
    if sock.family == socket.AF_INET6:
        level, name = socket.IPPROTO_IPV6, f"IPV6_{ipv6}"
        membership = address + struct.pack("I", interface_index(chosen))  # struct ipv6_mreq
    else:
        level, name = socket.IPPROTO_IP, f"IP_{ipv4}"
        membership = address + ipv4_interface(chosen)  # struct ip_mreqn
    try:
        sock.setsockopt(level, getattr(socket, name), membership)
    except OSError as error:
        where = (
            f" on interface {interface}"
            if interface is not None
            else " on the interface of the default route"
        )
        raise MachineFault(
            error.errno, f"cannot {verb} the group {group}{where}: {os.strerror(error.errno or 0)}"
        ) from error


def _group(sock: socket.socket, group: str) -> bytes:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_DGRAM:
        raise ValueError(f"only UDP sockets can join a group, and this is {kind_of(sock)}")
    try:
        address = socket.inet_pton(sock.family, group)
    except (OSError, TypeError, ValueError):
        address = b"\0"
    first, last = (FIRST_IPV6, FIRST_IPV6) if sock.family == socket.AF_INET6 else (FIRST_IPV4, LAST_IPV4)
    if not first <= address[0] <= last:
        raise ValueError(f"{group!r} is no multicast address for {kind_of(sock)}")
    return address
