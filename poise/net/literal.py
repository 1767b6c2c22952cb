"""Addresses of datagrams: literals only, because looking up a name can block everybody else for seconds.

``sendto`` of the standard library asks the resolver when it is handed a host name. Here a host is a number
(RFC 6943 section 3.1.1, RFC 4291 section 2.2, a zone behind ``%`` as in RFC 4007 section 11), ``"localhost"``,
``"<broadcast>"`` (255.255.255.255) or, for binding, ``""`` (every IPv4 interface); anything else is refused with advice.
"""

from __future__ import annotations

import functools
import socket
from typing import Any

from poise.net import address as addresses
from poise.net.options import interface_index

REMEMBERED = 1024  # destinations checked once; a server answers the same clients again and again
LOCALHOST = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
NAMES = {"": "0.0.0.0", "<broadcast>": "255.255.255.255"}


def find(
    address: tuple[Any, ...], family: socket.AddressFamily | None = None
) -> tuple[socket.AddressFamily, Any]:
    """``(family, socket address)`` of ``(host, port)`` or, over IPv6, ``(host, port, flow, scope)``.

    For an IPv6 socket an IPv4 literal becomes a mapped address (RFC 4291 section 2.5.5.2). Raises ValueError for
    what is no literal, no port, or an address of another family than ``family``.
    """
    host, port, flow, scope = _parts(address)
    if host == "localhost":
        host = LOCALHOST[family or socket.AF_INET]
    host = NAMES.get(host, host)
    if _packed(socket.AF_INET, host) is not None:
        if family != socket.AF_INET6:
            return socket.AF_INET, (host, port)
        return socket.AF_INET6, (f"::ffff:{host}", port, 0, 0)
    plain, percent, zone = host.strip("[]").partition("%")
    packed = _packed(socket.AF_INET6, plain)
    if packed is None:
        raise ValueError(
            f"{host!r} is no address: resolve names before sending, a look-up would block the loop"
        )
    if family == socket.AF_INET:
        raise ValueError(f"{host!r} is an IPv6 address, and the socket is for IPv4")
    if percent:
        scope = interface_index(int(zone) if zone.isascii() and zone.isdigit() else zone)
        if scope > 0xFFFF_FFFF:
            raise ValueError(f"a zone is a number from 0 to {0xFFFF_FFFF}, not {zone!r}")
    # As the kernel writes it, so that the peer of a connected socket is known again (RFC 5952).
    return socket.AF_INET6, (socket.inet_ntop(socket.AF_INET6, packed), port, flow, scope)


@functools.lru_cache(maxsize=REMEMBERED)
def _remembered(family: socket.AddressFamily, address: tuple[Any, ...]) -> Any:
    return find(address, family)[1]


def destination(family: socket.AddressFamily, address: Any) -> Any:
    """The socket address for ``sendto`` on a socket of ``family``. Raises ValueError like :func:`find`."""
    if family in LOCALHOST:
        if not isinstance(address, tuple):
            raise ValueError(f"a destination is (host, port), not {address!r}")
        host = address[0] if address else None
        if not isinstance(host, str) or "%" in host:  # names of interfaces come and go
            return find(address, family)[1]
        return _remembered(family, address)
    if isinstance(address, bytes):  # an abstract name, as the kernel gave it (unix(7))
        return address
    if not isinstance(address, str) or not address.startswith(addresses.UNIX) or "\0" in address:
        raise ValueError(f'a destination is "unix:/path", not {address!r}')
    return address.removeprefix(addresses.UNIX)  # too long for the kernel is that datagram's error


def unix_source(name: str | bytes | None) -> str | bytes | None:
    """The sender of a unix datagram in the form that :func:`destination` takes; None when it has no name."""
    if isinstance(name, str) and name:
        return f"{addresses.UNIX}{name}"
    return name or None


def _parts(address: tuple[Any, ...]) -> tuple[str, int, int, int]:
    if not 2 <= len(address) <= 4:
        raise ValueError(f"an address is (host, port) or (host, port, flow, scope), not {address!r}")
    host, *numbers = address
    port, flow, scope = (*numbers, 0, 0)[:3]
    if not isinstance(host, str):
        raise ValueError(f"a host is a string, not {host!r}")
    for number, highest, what in (
        (port, 0xFFFF, "port"),
        (flow, 0xFFFFF, "flow"),
        (scope, 0xFFFF_FFFF, "scope"),
    ):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= highest:
            raise ValueError(f"a {what} is a number from 0 to {highest}, not {number!r}")
    return host, port, flow, scope


def _packed(family: socket.AddressFamily, host: str) -> bytes | None:
    try:
        return socket.inet_pton(family, host)
    except (OSError, ValueError):
        return None
