"""What ``poise serve`` offers to those who want to see its loop: the control socket, and the page."""

from __future__ import annotations

import argparse
import errno
import os
from typing import TYPE_CHECKING

from poise.cli import standard
from poise.cli.standard import say
from poise.errors import MachineFault, ProgramFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from poise.loop.reactor import Reactor
    from poise.seeing.viewing import Watching


def offer(reactor: Reactor, args: argparse.Namespace, tell: Callable[[str], None] = say) -> None:
    """Offer the control socket from the next turn on: whoever is here already is served first."""
    if not args.no_control:
        reactor.call_soon(_offer, reactor, tell)


def _offer(reactor: Reactor, tell: Callable[[str], None]) -> None:
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


def check_alone(args: argparse.Namespace) -> None:
    """Raises MachineFault when the page is asked for of several processes."""
    if args.watch is not None:
        raise MachineFault(
            errno.EINVAL,
            "--watch shows one loop, and each worker has its own: leave --workers out, or look with poise top",
        )


def show(reactor: Reactor, args: argparse.Namespace) -> str | None:
    """Open the page if it was asked for; its address. Raises MachineFault in words for people."""
    if args.watch is None:
        if args.watch_host is not None:
            raise MachineFault(
                errno.EINVAL, "--watch-host says where the page of --watch listens: it needs that, too"
            )
        return None
    from poise.seeing.watch import watch

    host = args.watch_host
    try:
        return watch(
            reactor, (host or "127.0.0.1", args.watch), anywhere=host is not None, names=args.allow_host
        ).url
    except (OSError, ValueError, ProgramFault) as error:
        if isinstance(error, MachineFault):
            raise
        what = getattr(error, "strerror", None) or error
        raise MachineFault(getattr(error, "errno", None), f"cannot show the loop: {what}") from error


def tell(url: str) -> None:
    """Say where the page is: on standard output, as the addresses of the server are."""
    label = "what the loop does  " if os.isatty(standard.OUTPUT) else ""
    standard.write(standard.OUTPUT, f"{label}{url}\n")
