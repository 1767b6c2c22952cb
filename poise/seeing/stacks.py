"""Where the loop's thread is: its stack from the call that the loop is making down to the line that runs.

Two ways to the same list: from frames, while this thread can run; and from what ``faulthandler`` has written, which needs no
interpreter and so works while C code does not let go of it.

A stack is a list of ``(file, line, function)``, the innermost first.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from types import FrameType
from typing import Final, NamedTuple

from poise.loop.observed import RUNNING
from poise.loop.reactor import Reactor
from poise.loop.seat import Seat, name_of
from poise.seeing.naming import describe, short

Place = tuple[str, int, str]
Stack = list[Place]

FRAMES: Final = 64  # of a stack; more say no more
PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
LIBRARY: Final = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
INSTALLED: Final = tuple({sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib")})
CALLERS: Final = frozenset({*RUNNING, "_call", "_dispatch", "_run_due", "_run_posted", "look"})
"""The functions of the loop, and of those who look on, that make a call: what lies below one of them is the call."""

OF_ASYNCIO: Final = "Handle._run"  # through which asyncio makes every call

OWN_CALLS: Final = frozenset({Reactor._dispatch.__code__, Reactor._call.__code__})

WRITTEN: Final = re.compile(r'  File "(?P<file>.*)", line (?P<line>[0-9]+) in (?P<function>.*)')


class Running(NamedTuple):
    """A call that the loop is making."""

    began: int
    """When it began, in nanoseconds of the probe."""
    seat: Seat | None
    name: str
    """What is called, when it is no descriptor's handler."""


def running(frame: FrameType | None) -> Running | None:
    """What the observed turn is calling in the thread whose innermost frame is ``frame``; None when nothing."""
    while frame is not None:
        if frame.f_code.co_name in RUNNING and frame.f_code.co_filename.startswith(PACKAGE):
            known = frame.f_locals
            if "began" not in known:  # it was interrupted before its first line
                return None
            callback = known.get("callback")
            name = known.get("name", "") if callback is None else name_of(callback)
            return Running(known["began"], known.get("seat"), short(name))
        frame = frame.f_back
    return None


def running_unobserved(reactor: Reactor) -> tuple[FrameType, Running] | None:
    """The same of a reactor whose turn is its own yet, with the innermost frame; when it began is not known."""
    for innermost in list(sys._current_frames().values()):
        frame: FrameType | None = innermost
        calling = None
        while frame is not None:
            code = frame.f_code
            if code in OWN_CALLS:
                calling = frame
            elif code is Reactor.turn.__code__ and frame.f_locals.get("self") is reactor:
                return None if calling is None else (innermost, of_own_call(calling))
            frame = frame.f_back
    return None


def of_own_call(frame: FrameType) -> Running:
    known = frame.f_locals
    handler = known.get("handler")
    if handler is None:
        return Running(0, None, short(name_of(known["callback"])))
    seat = Seat(known["fd"], 0, name_of(handler), 0, 0)
    describe(seat, handler)
    return Running(0, seat, "")


def of_frame(frame: FrameType | None) -> Stack:
    """The stack from ``frame`` outwards, as far as the call of the loop."""
    stack: Stack = []
    while frame is not None and len(stack) < FRAMES:
        code = frame.f_code
        if is_loop(code.co_filename, code.co_name) or code.co_qualname == OF_ASYNCIO:
            break
        stack.append((code.co_filename, frame.f_lineno or 0, code.co_qualname))
        frame = frame.f_back
    return stack


def of_text(text: str, thread_id: int) -> Stack:
    """The stack of one thread in what faulthandler has written of all of them."""
    stack: Stack = []
    _, _, rest = text.partition(f"Thread 0x{thread_id:016x}")
    for line in rest.splitlines()[1 : FRAMES + 1]:
        told = WRITTEN.fullmatch(line)
        if told is None or is_loop(told["file"], told["function"]):
            break
        stack.append((told["file"], int(told["line"]), told["function"]))
    return stack


def is_loop(file: str, function: str) -> bool:
    """Whether it is the loop that makes the call."""
    return function in CALLERS and file.startswith(PACKAGE)


def culprit(stack: Stack) -> Place | None:
    """The line to look at: the innermost of the program's own, or else outside of Poise, or else the innermost."""
    outside = [
        place for place in stack if not place[0].startswith(PACKAGE) and not place[0].startswith("<frozen")
    ]
    own = [place for place in outside if place[0].startswith(INSTALLED) or not place[0].startswith(LIBRARY)]
    return next(iter([*own, *outside, *stack]), None)


def entry(stack: Stack) -> Place | None:
    """Where a call comes into the program's own code, past all that is installed; None when it does not."""
    elsewhere = (PACKAGE, "<frozen", *LIBRARY, *INSTALLED)
    return next((place for place in reversed(stack) if not place[0].startswith(elsewhere)), None)
