"""What is typed for ``poise lab``."""

from __future__ import annotations

import argparse

from poise.cli.command import Command

LAB = """\
Experiments on real sockets and the real kernel: guess first, then run, then see why. Everything happens on this machine, \
in processes that end with the run, and takes a few seconds.

  poise lab list                  what there is
  poise lab run silent            one of them; asks for your guess when you sit at a terminal
"""

EXAMPLES = """\
examples:
  poise lab run silent --predict all              the guess is given, nobody is asked
  poise lab run silent --model blocking --model select    two servers side by side
  poise lab run scaling --out runs                keeps scaling.json, scaling.svg and scaling.trace.json
  poise lab run edge --json                       everything that happened, for a script
  poise lab run edge --lang zh                    in Chinese

The exit code of run is 0 when what the experiment claims was seen, 1 when it was not (a very busy machine can do that),
3 when this machine cannot show it.
"""


def add_lab(commands: argparse._SubParsersAction[Command]) -> Command:
    """The parser."""
    lab = commands.add_parser(
        "lab",
        help="experiments that show how a server waits for many",
        description=LAB,
        epilog=EXAMPLES,
        usage="poise lab {list,run} [options] [NAME]",
    )
    what = lab.add_argument_group("what")
    what.add_argument("what", choices=("list", "run"), help="list the experiments, or run one")
    what.add_argument("name", nargs="?", metavar="NAME", help="which one to run")
    what.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="MODEL",
        help="only this server, of those that the experiment has; may be given more than once (default: all)",
    )
    what.add_argument(
        "--predict", metavar="CHOICE", help="your guess, by its name or number; with it nobody is asked"
    )
    what.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="of what the clients do by chance (default: %(default)s)",
    )
    how = lab.add_argument_group("how")
    how.add_argument("--json", action="store_true", help="print the list or the whole result as JSON")
    how.add_argument(
        "--out",
        metavar="DIR",
        help="keep result, picture and trace in this folder (default: nothing is written)",
    )
    how.add_argument(
        "--lang", choices=("en", "zh"), help="the language (default: that of the environment, else English)"
    )
    return lab
