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
Run = Callable[[Stage, Program], None]


class Case(NamedTuple):
    """One thing that is tried; the words about it stand under its ``name``."""

    name: str
    run: Run


class Manner(NamedTuple):
    """How one talks with a server of some kind: a client asks, and checks what it gets, which raises Unmet."""

    ask: Callable[[Client], None]
    check: Callable[[Client], None]

    def talk(self, client: Client) -> None:
        self.ask(client)
        self.check(client)


def greeting(answer: Callable[[bytes], bytes]) -> Manner:
    """A client says who it is, and wants what ``answer`` makes of that."""

    def said(client: Client) -> bytes:
        return f"I am {client.name}\n".encode()

    return Manner(
        lambda client: client.send(said(client)), lambda client: client.expect(answer(said(client)))
    )


# --- what is tried with every server ----------------------------------------------------------------------


def served(manner: Manner) -> Run:
    """One client, and nothing else."""
    return lambda stage, _: manner.talk(stage.connect())


def silent(manner: Manner) -> Run:
    """One connects and says nothing."""

    def run(stage: Stage, program: Program) -> None:
        stage.connect()
        manner.talk(stage.connect())
        manner.talk(stage.connect())

    return run


def reset(manner: Manner) -> Run:
    """One connects, and crashes."""

    def run(stage: Stage, program: Program) -> None:
        other, crashing = stage.connect(), stage.connect()
        manner.talk(stage.connect())  # when this one was served, the two before it were accepted
        crashing.reset()
        manner.talk(stage.connect())
        manner.talk(other)

    return run


def gone(manner: Manner) -> Run:
    """One asks, and has crashed before the answer is sent: the program is stopped for that moment, so that it is always so."""

    def run(stage: Stage, program: Program) -> None:
        other, crashing = stage.connect(), stage.connect()
        manner.talk(stage.connect())
        with program.paused():
            manner.ask(crashing)
            crashing.reset()
        manner.talk(other)
        manner.talk(stage.connect())

    return run


def at_rest(manner: Manner) -> Run:
    """Some are connected, one has left, and nobody says anything."""

    def run(stage: Stage, program: Program) -> None:
        leaving, second, third = stage.connect(), stage.connect(), stage.connect()
        stage.connect()
        manner.talk(second)  # when this one was served, the one before it was accepted
        leaving.leave()
        manner.talk(third)
        quiet(stage, program)

    return run


def after_reset(manner: Manner) -> Run:
    """One has crashed, and nobody says anything."""

    def run(stage: Stage, program: Program) -> None:
        crashing = stage.connect()
        manner.talk(stage.connect())
        crashing.reset()
        manner.talk(stage.connect())
        quiet(stage, program)

    return run


def hundred(manner: Manner) -> Run:
    """All connect, then all ask, then all want their answer."""

    def run(stage: Stage, program: Program) -> None:
        clients = [stage.connect(f"client {number}") for number in range(1, stage.limits.clients + 1)]
        for client in clients:
            manner.ask(client)
        for client in clients:
            manner.check(client)

    return run


def by(manner: Manner, *allowed: str) -> Run:
    """The program waits in one of these ways, alone: no threads, no processes."""

    def run(stage: Stage, program: Program) -> None:
        manner.talk(stage.connect())
        asked_in(program, allowed)

    return run


# --- what is seen of the program --------------------------------------------------------------------------


def quiet(stage: Stage, program: Program) -> None:
    """Nobody says anything: the program must wait, and use no processor. Raises Unmet ``busy-…``."""
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


def exchange(client: Client, sent: bytes, wanted: bytes) -> None:
    client.send(sent)
    client.expect(wanted)
