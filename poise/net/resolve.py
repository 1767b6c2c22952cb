"""Names to addresses, off the loop: the system's resolver blocks, for seconds when a name server is away."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from poise.errors import MachineFault
from poise.loop.handle import Handle
from poise.loop.offload import Offloaded, offload
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net.literal import find

Candidate = tuple[socket.AddressFamily, Any]
"""A family and a socket address of it."""
Found = Callable[[list[Candidate]], object]
Failed = Callable[[Exception], object]


class ResolveError(MachineFault):
    """The name is not known, or nobody could be asked (getaddrinfo(3))."""


def resolve(
    reactor: Reactor, address: tuple[str, int] | str, found: Found, failed: Failed
) -> Handle | Offloaded[list[Candidate]]:
    """Call ``found(candidates)``, in the order of RFC 6724, or ``failed(error)``, once, from the loop.

    What is returned has ``cancel()``. Numbers, ``"localhost"`` (RFC 6761, 6.3) and ``"unix:/path"`` ask nobody. Raises
    ValueError for what is no address.
    """
    known = check(address)
    if known:
        return reactor.call_soon(found, known)

    def done(candidates: list[Candidate], error: Exception | None) -> None:
        if error is None:
            found(candidates)
        else:
            failed(error)

    try:
        lookup = offload(reactor, look_up, address[0], address[1])
    except MachineFault as error:  # too many wait already, or no thread can be had
        return reactor.call_soon(failed, error)
    lookup.on_done(done)
    return lookup


def check(address: tuple[str, int] | str) -> list[Candidate]:
    """The addresses that can be told without asking; none for a host name. ValueError for what is no address."""
    if isinstance(address, str):
        return [(socket.AF_UNIX, addresses.unix_path(address))]
    if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
        raise ValueError(f'an address is (host, port) or "unix:/path", not {address!r}')
    host, *numbers = address
    if not host or host == "<broadcast>" or "\0" in host:
        raise ValueError(f"a host to connect to is a name or a number, not {host!r}")
    if host == "localhost":
        return [find((loopback, *numbers)) for loopback in ("::1", "127.0.0.1")]
    find(("127.0.0.1", *numbers))  # a port that is none is the caller's mistake, whatever the host
    try:
        return [find(address)]
    except ValueError:
        return []


def look_up(host: str, port: int) -> list[Candidate]:
    """Ask the system's resolver; blocks. Raises ResolveError (getaddrinfo(3))."""
    try:
        answers = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        # The numbers of gaierror are its own. Any other OSError is what EAI_SYSTEM stands for.
        system = isinstance(error, OSError) and not isinstance(error, socket.gaierror)
        code = getattr(error, "errno", None) if system else None
        raise ResolveError(
            code or errno.EADDRNOTAVAIL, f"cannot resolve the host name {host!r}: {reason}"
        ) from error
    candidates: list[Candidate] = []
    for family, _, _, _, sockaddr in answers:
        if (family, sockaddr) not in candidates:
            candidates.append((family, sockaddr))
    return candidates
