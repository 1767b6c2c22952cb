"""What a person sees when the server is there: its addresses, a QR code, the browser.

A program that reads our standard output gets the URLs, one a line, and nothing else; a terminal shows which is for whom.
"""

from __future__ import annotations

import argparse
import os

from poise.cli import standard, where
from poise.cli.standard import say
from poise.loop.reactor import Reactor
from poise.net.listener import Listener


def welcome(reactor: Reactor, listener: Listener, scheme: str, args: argparse.Namespace) -> None:
    """Say where we listen. Nothing that goes wrong here is a reason not to serve."""
    urls = where.urls(listener, scheme)
    others = reachable(listener, urls)
    shown = os.isatty(standard.OUTPUT)
    labels = ["on this machine  ", "in the network   ", *[" " * 17] * len(urls)]
    if not shown or len(urls) < 2:
        labels = [""] * len(urls)
    standard.write(
        standard.OUTPUT, "".join(f"{label}{url}\n" for label, url in zip(labels, urls, strict=False))
    )
    if where.every_interface(listener) and not others:
        say("this machine is in no network: nobody else can reach it now")
    if args.qr or (args.qr is None and shown and others):
        from poise.cli.qr import show  # only those who want to see it pay for it

        show(others, asked=args.qr is not None)
    if args.open and isinstance(listener.address, str):
        say("--open has no effect: a browser cannot connect to a unix socket")
    elif args.open:
        from poise.cli.browser import browse

        browse(reactor, urls[0])
    if shown:
        standard.write(standard.OUTPUT, "Ctrl-C stops the server\n")


def reachable(listener: Listener, urls: list[str]) -> list[str]:
    """Those of ``urls`` that another machine can use."""
    if isinstance(listener.address, str) or where.loopback_only(listener):
        return []
    return urls[1:] if where.every_interface(listener) else urls
