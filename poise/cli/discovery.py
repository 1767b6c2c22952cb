"""What is typed to be found in the local network, and to find others there."""

from __future__ import annotations

import argparse

from poise.cli import options

PORT = 61_853  # as wire/discovery.py has it, whose room would make every command start more slowly
LONGEST_TIMEOUT = 60.0  # seconds; whoever has not answered by then was not asked

FIND = """\
Show who serves a folder in the local network: name, URL, and for how long the server has been there.
Only servers that were started with --announce answer:

  poise serve DIR --lan --announce             there: under the name of the folder and of the machine
  poise serve DIR --lan --announce 'Our Photos'
  poise find                                   here
  poise find --json                            for scripts: an array of {"name", "url", "urls", "age" in seconds}

Every network that this machine is in is asked by broadcast and by multicast. Nothing leaves the local network, so
nobody behind a router is found. A name is what a server says of itself, and anybody can say anything: what is known
of an answer is only the address from which it came, and that is the one in the URL.
The exit code is 0 also when nobody answers.
"""

LISTEN = """\
the UDP port on which questions are asked and heard; servers are found by those who ask on the same one \
(default: %(default)s)"""


def add_announce(group: argparse._ArgumentGroup) -> None:
    """``--announce`` of ``poise serve``."""
    group.add_argument(
        "--announce",
        nargs="?",
        const=True,
        type=name,
        metavar="NAME",
        help='be found by "poise find" under this name (default: folder and machine, as in "photos on desk"); '
        "with --lan in the whole local network, else on this machine only",
    )
    group.add_argument("--discovery-port", type=options.port, default=PORT, metavar="N", help=LISTEN)


def add_find(find: argparse.ArgumentParser) -> None:
    """The options of ``poise find``."""
    from poise.limits import DiscoveryLimits

    default = DiscoveryLimits().timeout
    find.add_argument(
        "--timeout",
        type=seconds,
        default=default,
        metavar="SECONDS",
        help=f"how long to wait for answers (default: {default:g})",
    )
    find.add_argument("--json", action="store_true", help="print one JSON array, [] when nobody is there")
    find.add_argument("--discovery-port", type=options.port, default=PORT, metavar="N", help=LISTEN)


def name(text: str) -> str | None:
    """A name to be announced under; None, for not at all, when it is empty as a variable can be."""
    if not text:
        return None
    from poise.wire import discovery

    try:
        discovery.check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if "/" in text or text in {".", ".."}:
        raise argparse.ArgumentTypeError(
            f"{text!r} looks like a folder, which stands before --announce; a name has no slash"
        )
    return text


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0.01 <= value <= LONGEST_TIMEOUT:
        raise argparse.ArgumentTypeError(f"a timeout is 0.01 to {LONGEST_TIMEOUT:g} seconds, not {text}")
    return value
