"""``poise trace`` and ``poise replay``: a recording in a file, and shown again."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from poise.cli import attach, standard
from poise.cli.outcome import STDOUT, Outcome
from poise.cli.standard import say
from poise.cli.top import follow
from poise.errors import MachineFault
from poise.limits.seeing import DoorLimits
from poise.loop.reactor import Reactor
from poise.loop.seat import TURN
from poise.seeing.replay import Replay
from poise.seeing.server import LOOPBACK, PageServer
from poise.seeing.trace import recording, trace

IDLE = "the loop did nothing but wait, so there is nothing in it"
ERASE = "\r\x1b[K"
ENDING = (signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128  # and its number: the exit code of who was ended by one


def write_trace(args: argparse.Namespace) -> int:
    """Record, convert and write; the exit code. Raises MachineFault in words for people."""
    program = attach.chosen(args.pid)
    with tidy_end(), Outcome(args.output) as outcome:
        records = record(program, args.seconds, full=args.full)
        outcome.write(json.dumps(trace(records), separators=(",", ":")) + "\n")
    count = len(records["rows"])
    held = f"{count:,} records" if count else IDLE
    if args.output == STDOUT:
        say(held)
    elif count:
        say(f"{args.output}: {held}; open it at https://ui.perfetto.dev, or with: poise replay {args.output}")
    else:
        say(f"{args.output}: {held}")
    return 0


def record(program: attach.Program, seconds: float, *, full: bool) -> dict[str, Any]:
    """What the recorder of ``program`` holds after so long. Raises MachineFault."""
    found: list[attach.Answer] = []
    question = {"ask": "records", "seconds": seconds, "full": full}
    progress = Progress(f"recording {program.pid}", seconds)
    try:
        why = follow(program, question, found.append, progress.begin)
    finally:
        progress.end()
    records = recording(found[0]) if found else None
    if records is None:
        raise MachineFault(errno.ECONNRESET, f"{program.pid}: {why}")
    return records


class Progress:
    """One line on stderr: how far it is, where that is a terminal; else only that it has begun."""

    def __init__(self, what: str, seconds: float) -> None:
        self._what = what
        self._seconds = seconds
        self._moving = os.isatty(standard.ERROR)

    def begin(self, reactor: Reactor) -> None:
        """Say so, and again each second while ``reactor`` runs."""
        if not self._moving:
            say(f"{self._what} for {self._seconds:g} s")
            return
        self._began = reactor.clock.monotonic()
        self._tell(reactor)

    def end(self) -> None:
        """Give the line back."""
        if self._moving:
            standard.write(standard.ERROR, ERASE)

    def _tell(self, reactor: Reactor) -> None:
        gone = round(reactor.clock.monotonic() - self._began)
        far = f"{gone} of {self._seconds:g} s" if gone < self._seconds else "fetching it"
        standard.write(standard.ERROR, f"{ERASE}poise: {self._what}: {far}")
        reactor.call_later(1.0, self._tell, reactor)


@contextmanager
def tidy_end() -> Iterator[None]:
    """Whoever ends us by a signal leaves as little behind as Ctrl-C does."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(BY_SIGNAL + number)

    before = {number: signal.signal(number, leave) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def replay(args: argparse.Namespace) -> int:
    """Show a recording on the page until Ctrl-C. Raises MachineFault in words for people."""
    records = read(args.file)
    if not any(isinstance(row, list) and row[:1] == [TURN] for row in records["rows"]):
        raise MachineFault(errno.ENODATA, f"{args.file}: {IDLE}")
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
