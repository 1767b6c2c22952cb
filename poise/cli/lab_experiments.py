"""``poise lab list`` shows the experiments, ``poise lab run`` runs one."""

from __future__ import annotations

import argparse

from poise.cli.command import Command

LANGUAGES = ("en", "zh")

LIST = """\
Show the experiments: what each of them asks, how long it takes, and which rows of the lecture notes it shows.
"""

RUN = """\
Run an experiment on real sockets and the real kernel: guess first, then see what happens, and why. Everything happens on \
this machine, in processes that end with the run, and takes a few seconds.
"""

RUN_EXAMPLES = """\
examples:
  poise lab run silent                            asks for your guess when you sit at a terminal
  poise lab run silent --predict all              the guess is given, nobody is asked
  poise lab run silent --model blocking --model select    two servers side by side
  poise lab run edge --out runs                   keeps edge.json, edge.svg and edge.trace.json
  poise lab run edge --json                       everything that happened, for a script
  poise lab run edge --lang zh                    in Chinese

The exit code is 0 when what the experiment claims was seen, 1 when it was not (a very busy machine can do that), 3 when this
machine cannot show it.
"""


def add_experiments(commands: argparse._SubParsersAction[Command]) -> None:
    """The two commands, among those of ``poise lab``."""
    listing = commands.add_parser(
        "list", help="show the experiments", description=LIST, usage="poise lab list [options]"
    )
    add_language(listing)
    listing.add_argument(
        "--json", action="store_true", help="one JSON array, with the texts in all languages"
    )
    listing.set_defaults(run=_list)
    run = commands.add_parser(
        "run",
        help="run an experiment",
        description=RUN,
        epilog=RUN_EXAMPLES,
        usage="poise lab run [options] NAME",
    )
    run.add_argument("name", metavar="NAME", help="which one; poise lab list shows what there is")
    run.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="MODEL",
        help="only this server, of those that the experiment has; may be given more than once (default: all)",
    )
    run.add_argument(
        "--predict", metavar="CHOICE", help="your guess, by its name or number; with it nobody is asked"
    )
    run.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="of what the clients do by chance (default: %(default)s)",
    )
    run.add_argument("--json", action="store_true", help="print the whole result as JSON, and nothing else")
    run.add_argument(
        "--out",
        metavar="DIR",
        help="keep result, picture and trace in this folder (default: nothing is written)",
    )
    add_language(run)
    run.set_defaults(run=_run)


def add_language(command: Command) -> None:
    command.add_argument(
        "--lang", choices=LANGUAGES, help="the language that is spoken (default: that of the environment)"
    )


def supported() -> None:
    """Raises MachineFault on a system on which the experiments cannot even be loaded."""
    from poise.lab import running

    running.supported()


def _list(args: argparse.Namespace) -> int:
    supported()
    from poise.cli.lab_showing import list_experiments

    return list_experiments(args)


def _run(args: argparse.Namespace) -> int:
    supported()
    from poise.cli.lab_showing import run_experiment

    return run_experiment(args)
