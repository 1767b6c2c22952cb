"""What ``poise serve`` offers to those who want to see its loop: the control socket, and the page."""

from __future__ import annotations

import argparse
import errno
from typing import TYPE_CHECKING

from poise.cli import where
from poise.cli.standard import say
from poise.errors import MachineFault, ProgramFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from poise.loop.reactor import Reactor
    from poise.seeing.viewing import Watching


def offer(reactor: Reactor, tell: Callable[[str], None] = say) -> None:
    """Offer the control socket; without one the server serves all the same."""
    from poise.seeing.control import Control

    def watching() -> Watching:
        from poise.seeing.shared import watching_of  # what nobody needs before somebody looks

        return watching_of(reactor)

    try:
        control = Control(watching)
    except MachineFault as error:
        tell(f"poise top will not find this server: {error}")
    else:
        reactor.at_close.append(control.close)


def show(reactor: Reactor, args: argparse.Namespace) -> list[str]:
    """Open the page; its addresses, the nearest first. Raises MachineFault in words for people."""
    if args.watch is None:
        raise MachineFault(
            errno.EINVAL, "--watch-host says where the page of --watch listens: it needs that, too"
        )
    from poise.seeing.watch import watch

    host = args.watch_host
    try:
        shown = watch(
            reactor,
            (host or "127.0.0.1", args.watch),
            anywhere=host is not None,
            names=args.allow_host,
            control=False,  # a server offers its own, unless it was told not to
        )
    except (OSError, ValueError, ProgramFault) as error:
        if isinstance(error, MachineFault):
            raise
        what = getattr(error, "strerror", None) or error
        raise MachineFault(getattr(error, "errno", None), f"cannot show the loop: {what}") from error
    if not where.loopback_only(shown):
        say("others in the network can see the loop who have its address; it travels unencrypted")
    secret = shown.url.partition("#")[2]
    return [f"{url}#{secret}" for url in where.urls(shown)]
