"""Where a server listens: what was asked for, what could be had, and what to type into a browser."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from poise.cli.standard import say
from poise.errors import MachineFault
from poise.http.server import HTTPServer
from poise.net import address as addresses
from poise.net.listener import Listener

if TYPE_CHECKING:
    from poise.net.certificates import ServerTLS

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 100  # after the default one
EVERY_INTERFACE = frozenset({"::", "0.0.0.0"})  # as a bound socket says it


def listen(server: HTTPServer, host: str | None, port: int | None, tls: ServerTLS | None = None) -> Listener:
    """Listen where a person has asked for; without a port on the default one, or the next that is free.

    Raises MachineFault in words for people.
    """
    host = DEFAULT_HOST if host is None else host
    if host.startswith(addresses.UNIX):
        return _listen_on(server, host, tls)
    if port is not None:
        return _listen_on(server, (host, port), tls)
    for port in (*range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED), 0):
        try:
            listener = _listen_on(server, (host, port), tls)
        except PortBusy:
            continue
        if port != DEFAULT_PORT:
            say(f"port {DEFAULT_PORT} is busy; taking {listener.address[1]}")
        return listener
    raise PortBusy("this machine has no free port")


class PortBusy(MachineFault):
    """Somebody else listens there."""


def _listen_on(server: HTTPServer, address: tuple[str, int] | str, tls: ServerTLS | None) -> Listener:
    try:
        return server.listen(address, tls=tls)
    except MachineFault:
        raise
    except ValueError as error:  # no address at all
        raise MachineFault(str(error)) from error
    except OSError as error:
        shown = address if isinstance(address, str) else addresses.show((address[0] or "*", address[1]))
        what = f"cannot listen on {shown}: {error.strerror}"
        if error.errno == errno.EADDRINUSE and not isinstance(address, str):
            raise PortBusy(f"{what}; choose another with --port") from error
        raise MachineFault(what) from error


def every_interface(listener: Listener) -> bool:
    """Whether the whole network can connect."""
    return listener.address[0] in EVERY_INTERFACE


def loopback_only(listener: Listener) -> bool:
    """Whether only this machine can connect."""
    bound = listener.address
    if isinstance(bound, str):
        return False
    host = addresses.plain_host(bound[0])
    return host.startswith("127.") or host == "::1"


def urls(listener: Listener, scheme: str = "http") -> list[str]:
    """What to type into a browser, the nearest first."""
    bound = listener.address
    if isinstance(bound, str):
        return [f"{scheme}+{bound}"]
    host, port = bound
    hosts = [host]
    if host in EVERY_INTERFACE:
        hosts = [DEFAULT_HOST, *(each for each in network_addresses() if host == "::" or ":" not in each)]
    return [f"{scheme}://{addresses.show((each, port))}/" for each in hosts]


def network_addresses() -> list[str]:
    """Where others reach this machine, the likeliest first: by the default route, or, without one, by any interface."""
    found = addresses.own_addresses()
    if any(":" not in each for each in found):
        return found
    # A network without a way out: a cable between two machines, or somebody who is a hotspot.
    from poise.net import lan

    return [*(each.ipv4 for each in lan.interfaces() if each.ipv4 and not each.loopback), *found]
