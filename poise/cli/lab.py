"""What is typed for ``poise lab``."""

from __future__ import annotations

import argparse

from poise.cli.command import Command
from poise.cli.lab_experiments import add_experiments
from poise.cli.lab_exercises import add_exercises

LAB = """\
The laboratory: why a server is built around readiness, on real sockets and the real kernel.
"""


def add_lab(commands: argparse._SubParsersAction[Command]) -> tuple[Command, ...]:
    """The parser of ``poise lab``; returns those of its own commands."""
    lab = commands.add_parser(
        "lab", help="learn how it works", description=LAB, usage="poise lab COMMAND [options]"
    )
    own = lab.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Command, prog="poise lab"
    )
    add_experiments(own)
    add_exercises(own)
    return tuple(own.choices.values())
