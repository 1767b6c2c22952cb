"""What is typed for ``poise lab``."""

from __future__ import annotations

import argparse

from poise.cli import options
from poise.cli.command import Command
from poise.cli.lab_exercises import add_exercises
from poise.cli.lab_experiments import add_experiments

LAB = """\
The laboratory: why a server is built around readiness, on real sockets and the real kernel.

Without a command it opens as a page, for this machine only: experiments to predict, run and watch in slow motion. It is meant \
for a desk as much as for a projector.

  poise lab                the page, in the browser; Ctrl-C closes it
  poise lab run silent     one experiment, in the terminal
"""


def add_lab(commands: argparse._SubParsersAction[Command]) -> tuple[Command, ...]:
    """The parser of ``poise lab``; returns those of its own commands."""
    lab = commands.add_parser(
        "lab", help="learn how it works", description=LAB, usage="poise lab [options] [COMMAND]"
    )
    lab.add_argument(
        "--port", type=options.port, default=0, help="of the page (default: one that is free)", metavar="N"
    )
    lab.add_argument(
        "--no-open", dest="open", action="store_false", help="print the page's address, and open no browser"
    )
    lab.set_defaults(run=_page)
    own = lab.add_subparsers(
        title="commands", metavar="COMMAND", required=False, parser_class=Command, prog="poise lab"
    )
    add_experiments(own)
    add_exercises(own)
    return tuple(own.choices.values())


def _page(args: argparse.Namespace) -> int:
    from poise.cli.lab_page import lab_page

    return lab_page(args)
