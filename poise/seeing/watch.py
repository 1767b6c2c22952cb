"""Watching a loop in one line: ``print(poise.watch(reactor).url)``."""

from __future__ import annotations

from collections.abc import Iterable

from poise.loop.reactor import Reactor
from poise.seeing.server import LOOPBACK, PageServer
from poise.seeing.shared import watching_of
from poise.seeing.texts import TEXTS


class Watch:
    """The page of a reactor that can be watched. ``url`` is what to open, its secret in the fragment."""

    def __init__(self, reactor: Reactor, server: PageServer) -> None:
        self._reactor = reactor
        self._server = server
        self.url = server.url
        self.address = server.address
        reactor.at_close.append(self.close)

    def close(self) -> None:
        """Close the page; nothing of it is left in the reactor. Twice is no error. For the thread of the loop, or after it."""
        self._server.close()
        if self.close in self._reactor.at_close:
            self._reactor.at_close.remove(self.close)


def watch(
    reactor: Reactor,
    address: tuple[str, int] = (LOOPBACK, 0),
    *,
    anywhere: bool = False,
    names: Iterable[str] = (),
) -> Watch:
    """Show what ``reactor`` does on a page of its own, at ``address``, until it is closed or the reactor is.

    The page is served by threads of its own, so it goes on while the loop is stuck. Nothing is written down until somebody
    opens it. Whoever has the ``url`` can look and do nothing else; ``anywhere`` has to be said for an address that other
    machines can reach, ``names`` are host names by which the page may be called besides the local ones.

    Raises ProgramFault for such an address without ``anywhere``, and when the reactor is closed; OSError when it cannot
    listen there, MachineFault for an unknown host name.
    """
    reactor.check_open()
    return Watch(reactor, PageServer(watching_of(reactor), TEXTS, address, anywhere=anywhere, names=names))
