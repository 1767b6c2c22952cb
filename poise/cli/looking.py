"""What is typed to look at a loop: ``poise top``, ``poise trace``, ``poise replay``, ``poise watch``, and the options of ``poise serve``."""

from __future__ import annotations

import argparse
import math

from poise.cli import options
from poise.cli.command import Command

LONGEST = 600.0  # seconds of a recording, as a control socket grants
USUAL = 5.0  # seconds

TOP = """\
Show what the loop of a running program does: what it waits for, who holds it, and where every byte is. The program is one
of yours that runs on Poise, as poise serve does; nothing in it has to be started anew, and it runs on as before afterwards.
Without PID the only one that runs is shown, or a list of all.

  q quit   p pause   s sort   f filter   d descriptors, holders, timers
"""

TRACE = """\
Record what the loop of a running program does for some seconds, and write it as a Chrome trace, which
https://ui.perfetto.dev opens and poise replay shows again. What there is of the time before goes along. It has the addresses
of those who were connected in it, and the paths of what they have asked for.
"""

WATCH = """\
Run an asyncio program that need not know of Poise, with a page beside it that shows what its loop does: what it waits for, who
holds it and at which line. The address with its secret is printed when the loop first runs.

  poise watch -- server.py --port 8080
  poise watch -- -m uvicorn app:app --loop asyncio
"""

REPLAY = """\
Show a recording, which poise trace or the page's "Save trace" has written, on the page on which a living program is shown.
The page is for this machine only; Ctrl-C ends it.
"""


def add_top(commands: argparse._SubParsersAction[Command]) -> Command:
    """``poise top``."""
    top = commands.add_parser(
        "top", help="show the loop of a running program", description=TOP, usage="poise top [options] [PID]"
    )
    _add_pid(top)
    top.add_argument("--once", action="store_true", help="look for a second, print one state and end")
    top.add_argument(
        "--json", action="store_true", help="print JSON: one object with --once, else a line for each state"
    )
    top.add_argument("--lang", choices=("en", "zh"), help="the language (default: the terminal's)")
    return top


def add_trace(commands: argparse._SubParsersAction[Command]) -> Command:
    """``poise trace``."""
    trace = commands.add_parser(
        "trace",
        help="record a running program",
        description=TRACE,
        usage="poise trace [PID] -o FILE [options]",
    )
    _add_pid(trace)
    trace.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write; - is stdout")
    trace.add_argument(
        "--seconds",
        type=seconds,
        default=USUAL,
        metavar="N",
        help="how long to record (default: %(default)g)",
    )
    trace.add_argument(
        "--lean",
        dest="full",
        action="store_false",
        help="leave out requests, changes of interest and short writes: it costs a busy program less",
    )
    return trace


def add_program(commands: argparse._SubParsersAction[Command]) -> Command:
    """``poise watch``."""
    watch = commands.add_parser(
        "watch",
        help="run an asyncio program and show its loop",
        description=WATCH,
        usage="poise watch [options] -- PROGRAM [ARGUMENTS]",
    )
    watch.add_argument(
        "-p", "--port", type=options.port, default=0, metavar="N", help="of the page (default: any free one)"
    )
    watch.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="a script, or -m and a module"
    )
    return watch


def add_replay(commands: argparse._SubParsersAction[Command]) -> Command:
    """``poise replay``."""
    replay = commands.add_parser(
        "replay", help="show a recording", description=REPLAY, usage="poise replay [options] FILE"
    )
    replay.add_argument("file", metavar="FILE", help="what poise trace has written")
    replay.add_argument(
        "-p", "--port", type=options.port, default=0, metavar="N", help="the port (default: any free one)"
    )
    return replay


def add_watch(serve: Command) -> None:
    """``--watch``, ``--watch-host`` and ``--no-control`` of ``poise serve``."""
    seen = serve.add_argument_group("looking at it")
    seen.add_argument(
        "--watch",
        nargs="?",
        const=0,
        type=options.port,
        metavar="PORT",
        help="show what the loop does on a page of its own, whose address with its secret is printed (default: any free port)",
    )
    seen.add_argument(
        "--watch-host",
        metavar="HOST",
        help="where that page listens; at another address than one of loopback, others in the network can open it who know "
        "the secret, which they can read on the way (default: 127.0.0.1)",
    )
    seen.add_argument(
        "--no-control",
        action="store_true",
        help="offer no control socket: poise top and poise trace will not find this server",
    )


def seconds(text: str) -> float:
    """How long to record."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LONGEST:
        raise argparse.ArgumentTypeError(f"a recording takes 0 to {LONGEST:g} seconds, not {text}")
    return value


def _add_pid(command: Command) -> None:
    command.add_argument("pid", nargs="?", type=pid, metavar="PID", help="the number of the process")


def pid(text: str) -> int:
    """A process number."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(
            f"a process has a number, not {text!r}; poise top without one lists what runs"
        )
    return int(text)
