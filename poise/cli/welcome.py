"""What a person sees when the server is there: its addresses, a QR code, the browser.

A program that reads our standard output gets the URLs, one a line, and nothing else; a terminal shows which is for whom.
"""

from __future__ import annotations

import argparse
import os

from poise.cli import standard, where
from poise.cli.standard import say
from poise.loop.reactor import Reactor


def welcome(reactor: Reactor, listener: where.Listening, scheme: str, args: argparse.Namespace) -> None:
    """Say where we listen, and open it. Nothing that goes wrong here is a reason not to serve."""
    greet(listener, scheme, args)
    open_page(reactor, listener, scheme, args)


def greet(listener: where.Listening, scheme: str, args: argparse.Namespace) -> None:
    """Say where we listen."""
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
    if shown:
        standard.write(standard.OUTPUT, "Ctrl-C stops the server\n")


def open_page(reactor: Reactor, listener: where.Listening, scheme: str, args: argparse.Namespace) -> None:
    """Show it in the browser, if that was asked for. A thread does it, so this is nothing for a process that forks."""
    if args.open and isinstance(listener.address, str):
        say("--open has no effect: a browser cannot connect to a unix socket")
    elif args.open:
        from poise.cli.browser import browse

        browse(reactor, where.urls(listener, scheme)[0])


def reachable(listener: where.Listening, urls: list[str]) -> list[str]:
    """Those of ``urls`` that another machine can use."""
    if isinstance(listener.address, str) or where.loopback_only(listener):
        return []
    return urls[1:] if where.every_interface(listener) else urls
