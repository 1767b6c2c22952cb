"""``poise watch -- script.py``: any asyncio program, with a page that shows what its loop does."""

from __future__ import annotations

import argparse
import gc
import os
import runpy
import sys

from poise.apps.asyncio_loop import AnyLoop, each_first_run
from poise.cli.standard import say
from poise.errors import MachineFault, ProgramFault
from poise.seeing.aio import watch_asyncio

NO_LOOP = (
    "no asyncio loop that can be watched has run; uvloop is none: with uvicorn, --loop asyncio is the way"
)


def watch(args: argparse.Namespace) -> int:
    """Run the program that ``args.program`` names, as ``python3`` would. Raises MachineFault when there is none."""
    words = [word for number, word in enumerate(args.program) if number or word != "--"]
    if not words or words == ["-m"]:
        raise MachineFault(
            "which program? For example: poise watch -- server.py, or: poise watch -- -m package"
        )
    if words[0] != "-m" and not os.path.exists(words[0]):
        raise MachineFault(f"there is no program {words[0]!r} here")
    shown: list[str] = []

    def show(loop: AnyLoop) -> None:
        port = 0 if shown else args.port  # a program's second loop has another page
        try:
            shown.append(watch_asyncio(loop, ("127.0.0.1", port)).url)
        except (OSError, ProgramFault) as error:
            say(f"this loop is not shown: {error}")
        else:
            say(f"what the loop does: {shown[-1]}")

    each_first_run(show)
    gc.enable()
    try:
        run(words)
    finally:
        if not shown:
            say(NO_LOOP)
    return 0


def run(words: list[str]) -> None:
    """The program and its arguments, in this process."""
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    script = words[0]
    sys.argv = words
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")
