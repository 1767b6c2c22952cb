"""What a case is, and what several exercises try in the same way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from poise.lab.exercises.child import Program
from poise.lab.exercises.client import Client, Stage, Unmet

WAYS = ("select", "poll", "epoll")
NOBODY = "the program"


class Case(NamedTuple):
    """One thing that is tried; the words about it stand under its ``name``."""

    name: str
    run: Callable[[Stage, Program], None]


def quiet(stage: Stage, program: Program) -> None:
    """Nobody says anything: the program must wait, and use no processor. Raises Unmet ``busy``."""
    limits = stage.limits
    before, used = program.counts(), program.cpu()
    time.sleep(limits.quiet)
    after, used = program.counts(), program.cpu() - used
    more = {name: after[name] - before[name] for name in after}
    waits = sum(more[way] for way in WAYS)
    if waits > limits.quiet_waits:
        most = max(("writable", "readable", "fault", "empty"), key=lambda name: more[name])
        raise Unmet(f"busy-{most}").having(waits=waits, seconds=limits.quiet)
    if not math.isnan(used) and used > limits.quiet_cpu:
        raise Unmet("busy-loop").having(share=round(100 * used / limits.quiet), seconds=limits.quiet)


def by(*allowed: str) -> Callable[[Stage, Program], None]:
    """The program waits in one of these ways, alone: no threads, no processes."""

    def way(stage: Stage, program: Program) -> None:
        client = stage.connect()
        client.send(b"which way?\n")
        client.until_some()
        asked_in(program, allowed)

    return way


def asked_in(program: Program, allowed: tuple[str, ...]) -> None:
    """Raises Unmet when the program has not waited in one of the ways that are allowed, or in another one as well."""
    while program.hear(0.0):
        pass
    for event, failure in (("thread", "threads"), ("process", "processes")):
        for told in program.told(event):
            raise Unmet(failure).having(line=told["line"])
    counts = program.counts()
    used = [way for way in WAYS if counts[way]]
    names = " / ".join(f"select.{way}" for way in allowed)
    if not used:
        raise Unmet("no-wait").having(names=names)
    if not set(used) <= set(allowed):
        raise Unmet("other-way").having(names=names, used=", ".join(f"select.{way}" for way in used))


def talk(client: Client, sent: bytes, wanted: bytes) -> None:
    client.send(sent)
    client.expect(wanted)


def still_there(stage: Stage, sent: bytes, wanted: bytes) -> None:
    """After what happened before, a new client is served as if nothing had. Raises Unmet."""
    talk(stage.connect(), sent, wanted)
