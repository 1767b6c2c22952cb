"""``poise trace`` and ``poise replay``: a recording in a file, and shown again."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
from typing import Any

from poise.cli import attach, standard
from poise.cli.standard import say
from poise.cli.top import follow
from poise.errors import MachineFault
from poise.limits.seeing import DoorLimits
from poise.loop.reactor import Reactor
from poise.seeing.replay import Replay
from poise.seeing.server import LOOPBACK, PageServer
from poise.seeing.trace import recording, trace

PRIVATE = 0o600


def write_trace(args: argparse.Namespace) -> int:
    """Record, convert and write; the exit code. Raises MachineFault in words for people."""
    program = attach.chosen(args.pid)
    found: list[attach.Answer] = []
    say(f"recording {program.pid} for {args.seconds:g} s")
    question = {"ask": "records", "seconds": args.seconds, "full": args.full}
    why = follow(program, question, found.append)
    records = recording(found[0]) if found else None
    if records is None:
        raise MachineFault(errno.ECONNRESET, f"{program.pid}: {why}")
    text = json.dumps(trace(records), separators=(",", ":"))
    try:
        # It tells who was connected: for the person who asked, and for whom they give it to.
        with open(
            args.output, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, PRIVATE)
        ) as file:
            file.write(text)
    except OSError as error:
        raise MachineFault(error.errno, f"cannot write {args.output}: {error.strerror}") from error
    held = len(records["rows"])
    say(
        f"{args.output}: {held:,} records; open it at https://ui.perfetto.dev, or with: poise replay {args.output}"
    )
    return 0


def replay(args: argparse.Namespace) -> int:
    """Show a recording on the page until Ctrl-C. Raises MachineFault in words for people."""
    records = read(args.file)
    server = PageServer(Replay(records), (LOOPBACK, args.port))
    try:
        with Reactor() as reactor:
            for number in (signal.SIGINT, signal.SIGTERM):
                reactor.signals.add(number, reactor.stop)
            standard.write(standard.OUTPUT, f"{server.url}\n")
            if os.isatty(standard.OUTPUT):
                standard.write(standard.OUTPUT, "Ctrl-C ends it\n")
            reactor.run()
    finally:
        server.close()
    return 0


def read(path: str) -> dict[str, Any]:
    """The recording in a file. Raises MachineFault when there is none."""
    longest = DoorLimits().recording
    try:
        with open(path, "rb") as file:
            data = file.read(longest + 1)
    except OSError as error:
        raise MachineFault(error.errno, f"cannot read {path}: {error.strerror}") from error
    if len(data) > longest:
        raise MachineFault(errno.EFBIG, f"{path} is longer than {longest} bytes, which no recording is")
    try:
        records = recording(json.loads(data))
    except (ValueError, RecursionError):
        records = None
    if records is None:
        raise MachineFault(
            errno.EINVAL,
            f"{path} has no recording of Poise in it; poise trace and the page's Save trace write such files",
        )
    return records
