"""Where a socket is: ``(host, port)``, ``"unix:/path"``, or a socket that somebody else has bound.

An empty host means every interface, IPv6 with dual stack where the machine has IPv6 and IPv4 alone where it
has not. Host names are resolved by the system's resolver, which may block: servers name addresses.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from poise.errors import MachineFault
from poise.net.listening import Listening

if TYPE_CHECKING:
    from poise.net.options import SocketOptions

Address = tuple[str, int] | str | socket.socket
UNIX = "unix:"
# sun_path of sockaddr_un on Linux, the final NUL included (unix(7)); the kernel's own error does not say so.
UNIX_PATH_BYTES = 108
# The machine has the address family switched off: the next candidate may work. A busy port never means that.
NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


def resolve(address: tuple[str, int]) -> list[tuple[socket.AddressFamily, Any]]:
    """Every ``(family, socket address)`` that a listener for ``(host, port)`` may bind, the preferred one first.

    Raises MachineFault when the name is unknown, ValueError for what is no address.
    """
    if not isinstance(address, tuple) or len(address) != 2 or not isinstance(address[0], str):
        raise ValueError(f'an address is (host, port) or "unix:/path", not {address!r}')
    host, port = address
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueError(f"a port is a number from 0 to 65535, not {port!r}")
    if not host:
        every: list[tuple[socket.AddressFamily, Any]] = [(socket.AF_INET, ("0.0.0.0", port))]
        return [(socket.AF_INET6, ("::", port, 0, 0)), *every] if socket.has_ipv6 else every
    host = host.strip("[]")
    try:
        # Text is looked up in a table of all the world's letters first, bytes are not.
        found = socket.getaddrinfo(
            host.encode() if host.isascii() else host,
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV,
        )
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MachineFault(f"cannot resolve the host name {host!r}: {reason}") from error
    return [(family, sockaddr) for family, _, _, _, sockaddr in found]


def bind(address: Address, backlog: int, options: SocketOptions | None = None) -> socket.socket:
    """A non-blocking listening socket for ``address``; ``options`` are set as early as possible.

    Raises OSError as bind(2) and listen(2) do, MachineFault for an option that the socket does not have, ValueError for
    what is no address.
    """
    if isinstance(address, socket.socket):
        if options is not None:
            from poise.net.options import check_options  # a large table, for those who have something to say

            check_options(options, address)
            options.apply(address)
        address.setblocking(False)
        address.listen(backlog)
        return address
    if isinstance(address, str):
        return _bind_unix(address, backlog, options)
    if options is not None:
        from poise.net.options import TCP_SOCKETS, check_options

        check_options(options, *TCP_SOCKETS)
    candidates = resolve(address)
    for family, sockaddr in candidates[:-1]:
        try:
            return _bind_tcp(family, sockaddr, backlog, options)
        except OSError as error:
            if error.errno not in NO_SUCH_FAMILY:
                raise
    return _bind_tcp(*candidates[-1], backlog, options)


def _bind_tcp(
    family: socket.AddressFamily, sockaddr: Any, backlog: int, options: SocketOptions | None
) -> socket.socket:
    listening = Listening(family)
    try:
        listening.setblocking(False)
        # Both the old and the new listener need it, or a restart waits out TIME_WAIT (socket(7); pitfall 36).
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" takes IPv4 clients too, whatever the system's default is; a named address is that alone.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(sockaddr[0] != "::"))
        # Set on the listener, it holds for every accepted connection without a call for each (Linux, BSD).
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if options is not None:
            options.apply(listening)
        listening.bind(sockaddr)
        listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def _bind_unix(address: str, backlog: int, options: SocketOptions | None) -> socket.socket:
    path = unix_path(address)
    if options is not None:
        from poise.net.options import UNIX_SOCKET, check_options

        check_options(options, UNIX_SOCKET)
    remove_stale(path)
    listening = Listening(socket.AF_UNIX)
    try:
        listening.setblocking(False)
        if options is not None:
            options.apply(listening)
        listening.bind(path)
        listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def unix_path(address: str) -> str:
    """The path of ``"unix:/path"``. Raises ValueError when it is not one or too long for the kernel."""
    path = address.removeprefix(UNIX)
    if path == address or not path or "\0" in path:
        raise ValueError(f'an address is (host, port) or "unix:/path", not {address!r}')
    if len(os.fsencode(path)) >= UNIX_PATH_BYTES:
        raise ValueError(
            f"the path of a unix socket is shorter than {UNIX_PATH_BYTES} bytes, this is longer: {path!r}"
        )
    return path


def remove_stale(path: str) -> None:
    """Remove a socket file that a dead server has left; one that still answers, or no socket, stays."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:  # its queue is full: somebody is there
            pass


def show(sockaddr: Any) -> str:
    """A socket address as people write it: ``127.0.0.1:80``, ``[::1]:80``, ``unix:/path``."""
    if isinstance(sockaddr, tuple):
        host, port = plain_host(sockaddr[0]), sockaddr[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(sockaddr, bytes):
        sockaddr = os.fsdecode(sockaddr)
    return f"{UNIX}{sockaddr}"


def of(sockaddr: Any) -> tuple[str, int] | str:
    """A listening socket's own name as an address: ``(host, port)`` or ``"unix:/path"``."""
    return (sockaddr[0], sockaddr[1]) if isinstance(sockaddr, tuple) else show(sockaddr)


def plain_host(host: str) -> str:
    """An IPv4 client of a dual-stack listener under its own address instead of ``::ffff:…`` (RFC 4291, 2.5.5.2)."""
    return host.removeprefix("::ffff:") if "." in host else host


def client_of(peer: Any) -> str:
    """Who a peer is for people: its host, ``""`` for a unix socket."""
    return plain_host(peer[0]) if isinstance(peer, tuple) else ""


def own_addresses() -> list[str]:
    """The address under which others on the network reach this machine, as far as the routing table knows.

    Connecting a datagram socket sends nothing: it only makes the kernel choose a source address. The
    destinations are from the ranges for documentation (RFC 5737, RFC 3849).
    """
    found: list[str] = []
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(probe.getsockname()[0])
        except OSError:  # no route, or no such family: then nobody out there can reach us by it
            continue
    return found
