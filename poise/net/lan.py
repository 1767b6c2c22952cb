"""The links that this machine is on, and sockets whose datagrams stay there.

What each system has to say about its interfaces differs. Linux is asked for the address of every one (netdevice(7));
elsewhere the standard library knows their names and numbers only, and the routing table the address of one. IPv6
needs no addresses: a group is asked through an interface's number.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass

from poise.net import address as addresses
from poise.net.datagram import Datagram

if sys.platform == "linux":  # pragma: no branch - one platform runs the tests
    import fcntl

    SIOCGIFADDR = 0x8915  # linux/sockios.h
    NAME = struct.Struct("16s16x8x")  # struct ifreq: the name, then room for an address
    PLACE = slice(20, 24)  # of the IPv4 address in the answer

EVERYWHERE_IPV4 = "255.255.255.255"  # limited broadcast: no router passes it on (RFC 919, 7)
HOPS = 1  # no router passes on what has one hop left


@dataclass(frozen=True, slots=True)
class Interface:
    """A link. ``ipv4`` is its first IPv4 address, or None."""

    index: int
    name: str
    ipv4: str | None = None

    @property
    def loopback(self) -> bool:
        return self.ipv4 is not None and is_loopback(self.ipv4)


def interfaces() -> list[Interface]:
    """Every interface of this moment, the ones without an address too. Empty when the system does not tell."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            found = [Interface(index, name, _ipv4(asking, name)) for index, name in socket.if_nameindex()]
    except OSError:  # not allowed, or no descriptor is left
        return []
    if any(each.ipv4 for each in found):
        return found
    return _unnamed(found)


def _ipv4(asking: socket.socket, name: str) -> str | None:
    if sys.platform != "linux":
        return None
    try:
        answer = fcntl.ioctl(asking, SIOCGIFADDR, NAME.pack(name.encode()))
    except OSError:  # it has no address, or it has gone
        return None
    return socket.inet_ntoa(answer[PLACE])


def _unnamed(found: list[Interface]) -> list[Interface]:
    """The interfaces again, and behind them the IPv4 addresses whose interface is not known."""
    known = ["127.0.0.1", *(each for each in addresses.own_addresses() if ":" not in each)]
    return [*found, *(Interface(0, "", address) for address in known)]


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3)."""
    return host.startswith("127.") or host == "::1"


def is_link_local(host: str) -> bool:
    """Whether an IPv6 address, as the kernel writes it, means something on its own link only (RFC 4291, 2.5.6)."""
    return host.startswith(("fe8", "fe9", "fea", "feb")) and ":" in host


def keep_on_link(transport: Datagram) -> None:
    """Let nothing that ``transport`` sends pass a router. Raises OSError as setsockopt(2)."""
    opened: socket.socket = transport.get_extra_info("socket")
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOPS)
    else:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, HOPS)
    transport.set_option("multicast_ttl", HOPS)
