"""Where a server listens: what was asked for, what could be had, and what to type into a browser."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol, TypeVar

from poise.cli.standard import say
from poise.errors import MachineFault
from poise.net import address as addresses

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 100  # after the default one
EVERY_INTERFACE = frozenset({"::", "0.0.0.0"})  # as a bound socket says it


class Listening(Protocol):
    """A listener, or a socket for others to inherit."""

    @property
    def address(self) -> tuple[str, int] | str:
        """Where it is bound."""


L = TypeVar("L", bound=Listening)
Listen = Callable[[tuple[str, int] | str], L]


def listen(on: Listen[L], host: str | None, port: int | None) -> L:
    """Have ``on(address)`` listen where a person has asked for; without a port on the default one, or the next free one.

    Raises MachineFault in words for people.
    """
    host = DEFAULT_HOST if host is None else host
    if host.startswith(addresses.UNIX):
        return _listen_on(on, host)
    if port is not None:
        return _listen_on(on, (host, port))
    for port in (*range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED), 0):
        try:
            listening = _listen_on(on, (host, port))
        except PortBusy:
            continue
        if port != DEFAULT_PORT:
            say(f"port {DEFAULT_PORT} is busy; taking {listening.address[1]}")
        return listening
    raise PortBusy("this machine has no free port")


class PortBusy(MachineFault):
    """Somebody else listens there."""


def _listen_on(on: Listen[L], address: tuple[str, int] | str) -> L:
    try:
        return on(address)
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


def every_interface(listener: Listening) -> bool:
    """Whether the whole network can connect."""
    return listener.address[0] in EVERY_INTERFACE


def loopback_only(listener: Listening) -> bool:
    """Whether only this machine can connect."""
    bound = listener.address
    if isinstance(bound, str):
        return False
    host = addresses.plain_host(bound[0])
    return host.startswith("127.") or host == "::1"


def urls(listener: Listening, scheme: str = "http") -> list[str]:
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
