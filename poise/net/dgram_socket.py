"""Making the socket of ``open_datagram``: its family from the literals, its options before it is bound.

A socket file that a dead process has left is replaced; one that still answers, or anything else, stays (EADDRINUSE).
"""

from __future__ import annotations

import os
import socket
from typing import Any

from poise.net import address as addresses
from poise.net import literal
from poise.net.address import Address
from poise.net.kernel import UNIX
from poise.net.options import Planned, SocketOptions, check_options, kind_of, set_option

EVERYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
Remote = tuple[str, int] | str | None


def make(
    local: Address | None, remote: Remote, *, broadcast: bool = False, options: SocketOptions | None = None
) -> socket.socket:
    """A non-blocking datagram socket, bound to ``local`` and connected to ``remote``; see ``open_datagram``."""
    if isinstance(local, socket.socket):
        if local.type != socket.SOCK_DGRAM:
            raise ValueError(f"an inherited socket must be one for datagrams, and this is {kind_of(local)}")
        peer = None if remote is None else literal.destination(socket.AddressFamily(local.family), remote)
        check_options(options, local)
        _prepare(local, broadcast, options)
        if peer is not None:
            local.connect(peer)
        return local
    for name in (local, remote):
        if name is not None and not isinstance(name, tuple | str):
            raise ValueError(f'an address is (host, port) or "unix:/path", not {name!r}')
    choose = _unix if _is_unix(local, remote) else _internet
    family, name, peer = choose(local, remote)
    check_options(options, Planned(family, socket.SOCK_DGRAM))
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6 and name is not None:
            # "::" hears IPv4 too, whatever the system's default is; a named address is that alone.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(name[0] != "::"))
        _prepare(made, broadcast, options)
        if name is not None:
            _bind(made, name)
        if peer is not None:
            _connect(made, peer, name)
    except BaseException:
        made.close()
        raise
    return made


def peer_of(sock: socket.socket) -> Any:
    """The address that ``sock`` is connected to, as the kernel has it; None when it is not connected."""
    try:
        return sock.getpeername()
    except OSError:
        return None


def identify(name: Any) -> tuple[int, int] | None:
    """Device and inode of a socket file, so that another one's new file is never removed."""
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_unix(local: Any, remote: Any) -> bool:
    kinds = {isinstance(each, str) for each in (local, remote) if each is not None}
    if len(kinds) == 2:
        raise ValueError(f"local and remote are of different families: {local!r}, {remote!r}")
    return True in kinds


def _unix(local: Any, remote: Any) -> tuple[Any, Any, Any]:
    name = addresses.unix_path(local) if local is not None else None
    return socket.AF_UNIX, name, addresses.unix_path(remote) if remote is not None else None


def _internet(local: Any, remote: Any) -> tuple[Any, Any, Any]:
    """Family, own address or None, peer or None. The empty host takes the family of the peer, or IPv4."""
    family: socket.AddressFamily | None = None
    name = peer = None
    everywhere = local is not None and tuple(local[:1]) == ("",)
    if local is not None and not everywhere:
        family, name = literal.find(local)
    if remote is not None:
        family, peer = literal.find(remote, family)
    elif family is None:
        family = socket.AF_INET
    if everywhere or (local is None and remote is None):
        port = local[1:] if everywhere else (0,)
        _, name = literal.find((EVERYWHERE[family], *port), family)
    return family, name, peer


def _prepare(sock: socket.socket, broadcast: bool, options: SocketOptions | None) -> None:
    sock.setblocking(False)
    if broadcast:
        set_option(sock, "broadcast", True)
    if options is not None:
        options.apply(sock)


def _bind(sock: socket.socket, name: Any) -> None:
    if sock.family == UNIX:
        _remove_stale(name)
    sock.bind(name)


def _remove_stale(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:  # also said of what is no socket at all
            addresses.remove_stale(path)
        except OSError:  # there is nothing, a stream socket that lives, or what is out of our reach
            pass


def _connect(sock: socket.socket, peer: Any, name: Any) -> None:
    try:
        sock.connect(peer)
    except BaseException:
        if sock.family == UNIX and name is not None:
            os.unlink(name)
        raise
