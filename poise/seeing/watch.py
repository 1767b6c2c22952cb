"""Watching a loop in one line: ``print(poise.watch(reactor).url)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from poise.errors import MachineFault
from poise.loop.reactor import Reactor
from poise.seeing.control import Control
from poise.seeing.server import LOOPBACK, PageServer
from poise.seeing.shared import watching_of
from poise.seeing.viewing import Watching


class Watch:
    """A reactor that can be looked at. ``url`` is the page to open, its secret in the fragment.

    ``control`` is the path of the control socket, by which ``poise top`` finds the program; None when there can be none.
    """

    def __init__(self, reactor: Reactor, server: PageServer, control: Control | None) -> None:
        self._reactor = reactor
        self._server = server
        self._control = control
        self.url = server.url
        self.address = server.address
        self.control = control.path if control is not None else None
        reactor.at_close.append(self.close)

    def close(self) -> None:
        """Close the page; nothing of it is left in the reactor. Twice is no error. For the thread of the loop, or after it."""
        self._server.close()
        if self._control is not None:
            self._control.close()
        if self.close in self._reactor.at_close:
            self._reactor.at_close.remove(self.close)


def watch(
    reactor: Reactor,
    address: tuple[str, int] = (LOOPBACK, 0),
    *,
    anywhere: bool = False,
    names: Iterable[str] = (),
    control: bool = True,
) -> Watch:
    """Show what ``reactor`` does on a page of its own, at ``address``, until it is closed or the reactor is.

    The page is served by threads of its own, so it goes on while the loop is stuck. Nothing is written down until somebody
    opens it. Whoever has the ``url`` can look and do nothing else; ``anywhere`` has to be said for an address that other
    machines can reach, ``names`` are host names by which the page may be called besides the local ones. With ``control``,
    ``poise top`` and ``poise trace`` of the same user find the program, too.

    Raises ProgramFault for such an address without ``anywhere``, and when the reactor is closed; OSError when it cannot
    listen there, MachineFault for an unknown host name.
    """
    reactor.check_open()
    server = PageServer(watching_of(reactor), address, anywhere=anywhere, names=names)
    return Watch(reactor, server, offered(partial(watching_of, reactor)) if control else None)


def offered(watching: Callable[[], Watching]) -> Control | None:
    """A control socket, or None where there can be none: that is no reason not to have a page."""
    try:
        return Control(watching)
    except MachineFault:
        return None
