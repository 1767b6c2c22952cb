"""``poise lab``: the page of the laboratory, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
from types import FrameType

from poise.cli import standard
from poise.cli.browser import show
from poise.errors import MachineFault
from poise.lab.running import UNSUPPORTED
from poise.lab.server import LabServer
from poise.seeing.server import LOOPBACK


class Ended(Exception):
    """Somebody wants it to end."""


def lab_page(args: argparse.Namespace) -> int:
    """Serve it to this machine, and show it in a browser. Raises MachineFault when there is no fork, or no such port is free."""
    if not hasattr(os, "fork"):
        raise MachineFault(UNSUPPORTED)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _end)
    try:
        server = LabServer((LOOPBACK, args.port))
    except OSError as error:
        raise MachineFault(
            error.errno, f"cannot listen on port {args.port}: {error.strerror}; --port takes another"
        ) from None
    try:
        standard.write(standard.OUTPUT, server.url + "\n")
        standard.say("the lab is open on this page, for this machine only; Ctrl-C closes it")
        if args.open and not show(server.url):
            standard.say("no browser could be opened; open the address yourself")
        while True:
            signal.pause()
    except Ended:
        return 0
    finally:
        server.close()


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise Ended
