"""Which names a server on loopback answers to.

A web page on the Internet can make its own name point at 127.0.0.1 and then read what a local server says, with the
browser's blessing (DNS rebinding). What it cannot do is to send another Host than its own name. So a server
that listens on loopback alone answers only to names that cannot be anybody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from poise.wire.pattern import pattern

# RFC 6761, 6.3: localhost and everything below it is loopback and is never asked of the DNS.
LOCAL_NAME = pattern(
    r"(?:[^:\[\]]+\.)?localhost\.?|127(?:\.[0-9]{1,3}){1,3}|\[::1\]|\[::ffff:127(?:\.[0-9]{1,3}){3}\]"
)
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})  # most of them, without the price of the pattern
DIGITS = "0123456789"


def name_of(host: str) -> str:
    """A Host field without its port, in lower case."""
    name = host.lower()
    before = name.rstrip(DIGITS)
    return before[:-1] if before.endswith(":") else name


def is_local(host: str | None) -> bool:
    """Whether a Host is a name for this machine itself; no Host at all (HTTP/1.0) is no browser, so it passes."""
    if host is None:
        return True
    name = name_of(host)
    return name in LOCAL_NAMES or LOCAL_NAME.fullmatch(name) is not None


def local_or(names: Iterable[str]) -> Callable[[str | None], bool]:
    """A check that lets local names pass, and ``names`` besides."""
    extra = frozenset(name_of(name) for name in names)
    return lambda host: is_local(host) or (host is not None and name_of(host) in extra)
