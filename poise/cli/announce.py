"""``poise serve --announce``: under which name, and to whom."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from poise.cli import where
from poise.cli.standard import say
from poise.errors import MachineFault
from poise.loop.reactor import Reactor

if TYPE_CHECKING:
    from poise.net.announcer import Announcer


def chosen_name(args: argparse.Namespace) -> str | None:
    """The name to be found under; None when that is not wanted. Raises MachineFault when another thing was meant."""
    if args.announce is None:
        return None
    if args.announce is True:
        return default_name(args.dir)
    name = str(args.announce)
    if not name:
        raise MachineFault("--announce was given an empty name; leave the name out, or say one")
    if args.dir == "." and os.path.isdir(name):  # this folder would be shown to everybody as that one
        raise MachineFault(
            f"{name!r} is a folder here. To serve that: poise serve {name} --announce. "
            f"To serve this one under that name: poise serve ./ --announce {name}"
        )
    return name


def announce(reactor: Reactor, name: str, listener: where.Listening, scheme: str, ask_at: int) -> Announcer:
    """Begin to answer those who ask, and say so. Raises MachineFault in words for people."""
    address = listener.address
    if isinstance(address, str):
        raise MachineFault("a server on a unix socket cannot be announced: nobody in a network can reach it")
    from poise.net.announcer import Announcer  # only those who want to be found pay for it

    announcer = Announcer(reactor, name, address, scheme=scheme, ask_at=ask_at)
    reactor.at_close.append(announcer.close)
    if where.loopback_only(listener):
        say(f'announced as "{name}" on this machine only; with --lan the whole network can find it')
    else:
        say(f'announced as "{name}" in the local network; "poise find" shows it')
    return announcer


def default_name(folder: str) -> str:
    """``photos on desk``: the folder's own name, nothing of the path to it, and the machine's."""
    from poise.wire import discovery

    machine = os.uname().nodename.partition(".")[0]
    words = [os.path.basename(os.path.realpath(folder)), machine]
    return discovery.fit_name(" on ".join(word for word in words if word)) or "Poise"
