"""The seventh exercise: the time, broadcast five times a second, and told to who asks in between (UDP)."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from poise.lab.exercises.cases.case import Case, asked_in, quiet
from poise.lab.exercises.child import Program
from poise.lab.exercises.client import RECEIVE, Ear, Stage, Unmet

INTERVAL = 0.2  # seconds, as the exercise says
TICK = re.compile(rb"tick ([0-9]{1,9}) ([0-2][0-9]:[0-5][0-9]:[0-6][0-9])")
TIME = re.compile(rb"[0-2][0-9]:[0-5][0-9]:[0-6][0-9]")
QUESTION = b"time?"
GARBAGE = (b"\xff\xfe\x00", b"", b"what?", b"time" * 1000)
EARS = 3
TICKS = 5
QUICK = INTERVAL / 2  # an answer that takes longer has waited for a tick
SLACK = 2  # seconds by which clocks may differ, one of them having just been read
DAY = 86_400
ASKED_EACH = INTERVAL / 4  # a stream of questions, none of which may put off a tick


class Tick(NamedTuple):
    number: int
    at: float
    sender: tuple[str, int]


def tick(ear: Ear) -> Tick:
    """The next tick. Raises Unmet when none comes in time, or it is none."""
    seconds = ear.stage.limits.patience
    heard = ear.hear(seconds)
    if heard is None:
        ear.missed()
        raise Unmet("no-tick", ear.name).having(seconds=seconds)
    data, sender = heard
    found = TICK.fullmatch(data)
    if found is None:
        raise Unmet("bad-tick", ear.name, got=data)
    right_time(ear, found[2], data)
    return Tick(int(found[1]), time.monotonic(), sender)


def right_time(ear: Ear, text: bytes, data: bytes) -> None:
    now = time.localtime()
    hours, minutes, seconds = map(int, text.split(b":"))
    apart = (hours - now.tm_hour) * 3600 + (minutes - now.tm_min) * 60 + seconds - now.tm_sec
    if not SLACK < apart % DAY < DAY - SLACK:
        return
    raise Unmet("wrong-time", ear.name, time.strftime("%H:%M:%S", now).encode(), data)


def first(stage: Stage) -> tuple[Ear, Tick]:
    """An ear that has heard a tick."""
    ear = stage.ears[0]
    return ear, tick(ear)


def everyone(stage: Stage, program: Program) -> None:
    first(stage)
    for ear in stage.ears[1:]:
        tick(ear)


def numbers(stage: Stage, program: Program) -> None:
    ear, before = first(stage)
    for _ in range(TICKS):
        now = tick(ear)
        if now.number != before.number + 1:
            raise Unmet("not-counted", ear.name).having(before=before.number, number=now.number)
        before = now


def pace(stage: Stage, program: Program) -> None:
    ear, begin = first(stage)
    took = [tick(ear) for _ in range(TICKS)][-1].at - begin.at
    if not 0.6 * TICKS * INTERVAL < took < 1.6 * TICKS * INTERVAL:
        raise Unmet("wrong-pace", ear.name).having(count=TICKS, took=took, should=TICKS * INTERVAL)


def question(stage: Stage, program: Program) -> None:
    """The quickest of several answers counts: a busy machine may be late now and then, a program that sleeps always is."""
    ear, _ = first(stage)
    asker = stage.ear("asker", alone=True)
    quickest = stage.limits.patience
    for _ in range(TICKS):
        to = tick(ear).sender
        begin = time.monotonic()
        asker.say(QUESTION, to)
        heard = asker.hear(stage.limits.patience)
        if heard is None:
            asker.missed()
            raise Unmet("no-answer", asker.name, time.strftime("%H:%M:%S").encode())
        if TIME.fullmatch(heard[0]) is None:
            raise Unmet("wrong-bytes", asker.name, time.strftime("%H:%M:%S").encode(), heard[0])
        right_time(asker, heard[0], heard[0])
        quickest = min(quickest, time.monotonic() - begin)
    if quickest > QUICK:
        raise Unmet("late-answer", asker.name).having(took=quickest, most=QUICK)


def private(stage: Stage, program: Program) -> None:
    ear, begin = first(stage)
    asker, other = stage.ear("asker", alone=True), stage.ear("other", alone=True)
    asker.say(QUESTION, begin.sender)
    if asker.hear(stage.limits.patience) is None:
        asker.missed()
        raise Unmet("no-answer", asker.name, time.strftime("%H:%M:%S").encode())
    tick(ear)
    tick(ear)
    heard = other.hear(0.0)
    if heard is not None:
        raise Unmet("not-asked", other.name, got=heard[0])


def steady(stage: Stage, program: Program) -> None:
    """Questions without end: the clock goes on."""
    ear, begin = first(stage)
    asker = stage.ear("asker", alone=True)
    end = time.monotonic() + 2 * TICKS * INTERVAL
    while time.monotonic() < end:
        asker.say(QUESTION, begin.sender)
        heard = ear.hear(ASKED_EACH)
        found = TICK.fullmatch(heard[0]) if heard is not None else None
        if found is not None and int(found[1]) >= begin.number + 2:
            return
    raise Unmet("put-off", ear.name).having(each=ASKED_EACH, seconds=2 * TICKS * INTERVAL)


def garbage(stage: Stage, program: Program) -> None:
    ear, begin = first(stage)
    asker = stage.ear("asker", alone=True)
    for each in GARBAGE:
        asker.say(each, begin.sender)
    tick(ear)
    tick(ear)
    heard = asker.hear(0.0)
    if heard is not None:
        raise Unmet("not-asked", asker.name, got=heard[0][:RECEIVE])


def by_select(stage: Stage, program: Program) -> None:
    ear, _ = first(stage)
    tick(ear)
    asked_in(program, ("select", "poll", "epoll"))


def at_rest(stage: Stage, program: Program) -> None:
    first(stage)
    quiet(stage, program)


CASES = (
    Case("everyone", everyone),
    Case("by-timeout", by_select),
    Case("numbers", numbers),
    Case("pace", pace),
    Case("question", question),
    Case("private", private),
    Case("steady", steady),
    Case("garbage-datagram", garbage),
    Case("quiet-clock", at_rest),
)
