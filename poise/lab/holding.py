"""Who holds the loop: where a server's program is, looked at again and again while it computes.

The kernel counts the processor time that the process uses and sends a signal every few milliseconds of it. A server that waits in
``select`` uses none and is never disturbed; one that computes is seen each time with its whole stack. When several looks in a row
find the very same call of the loop still running, that call holds the loop, and nobody else is served meanwhile.

There is no thread for this, so that a server may go on to fork. :mod:`poise.seeing` has more for servers of Poise; this is for any
function with a loop of its own.
"""

from __future__ import annotations

import linecache
import os
import signal
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple, TypedDict

from poise.lab.events import now

LOOK = 0.005  # seconds of processor time between two looks; the kernel makes it a few ticks of its clock
AGAIN = 3  # looks that find the same call: fewer are a turn like any other
DEEPEST = 64  # frames of a stack
ABOVE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


class Place(NamedTuple):
    """A line of a stack."""

    file: str
    line: int
    function: str


class Held(TypedDict):
    """A call that held the loop: ``at`` in ms since the run began, ``ms`` between the first and the last look that found it."""

    at: float
    ms: float
    looks: int
    inside: dict[str, int]  # how often each function was the innermost one
    stack: list[dict[str, Any]]  # file, line, function, code; the loop first, the line that runs last


class Watch:
    """Looks at one function that runs for long. ``longest`` is the call that held it longest, None when none did."""

    def __init__(self, began: int) -> None:
        self.longest: Held | None = None
        self._began = began
        self._looking = False
        self._call: FrameType | None = None  # what the loop was calling at the last look
        self._since = 0
        self._stacks: Counter[tuple[Place, ...]] = Counter()

    def run(self, function: Callable[..., object], *arguments: Any, **options: Any) -> None:
        """Call it, in the main thread, looking until it has ended. The process's SIGPROF is taken for that."""
        signal.signal(signal.SIGPROF, self._heed)
        signal.setitimer(signal.ITIMER_PROF, LOOK, LOOK)
        try:
            function(*arguments, **options)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._call = None

    def _heed(self, _signal: int, frame: FrameType | None) -> None:
        if self._looking:
            return  # a look that takes longer than the time between two is not looked at itself
        self._looking = True
        self._look(frame)
        self._looking = False

    def _look(self, frame: FrameType | None) -> None:
        at = now()
        frames = []
        while frame is not None and frame.f_code is not Watch.run.__code__:
            frames.append(frame)
            frame = frame.f_back
        call = frames[-2] if len(frames) > 1 else None  # the last one is the loop itself
        if call is not self._call:
            self._call, self._since = call, at
            self._stacks.clear()
        if call is not None:
            self._stacks[tuple(place(each) for each in frames[:DEEPEST])] += 1
            self._keep(at)

    def _keep(self, at: int) -> None:
        ms = (at - self._since) / 1e6
        looks = self._stacks.total()
        if looks < AGAIN or (self.longest is not None and ms < self.longest["ms"]):
            return
        inside: Counter[str] = Counter()
        for stack, times in self._stacks.items():
            inside[stack[0].function] += times
        usual = max(self._stacks, key=self._stacks.__getitem__)
        self.longest = Held(
            at=(self._since - self._began) / 1e6,
            ms=ms,
            looks=looks,
            inside=dict(inside),
            stack=[told(each) for each in reversed(usual)],
        )


def place(frame: FrameType) -> Place:
    """Where a frame is."""
    return Place(frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_qualname)


def told(of: Place) -> dict[str, Any]:
    """With the line's text, and without where on this machine the files are."""
    inside = of.file.startswith(ABOVE + os.sep)
    return {
        "file": os.path.relpath(of.file, ABOVE).replace(os.sep, "/") if inside else os.path.basename(of.file),
        "line": of.line,
        "function": of.function,
        "code": linecache.getline(of.file, of.line).strip(),
    }


def in_words(stack: list[dict[str, Any]]) -> list[str]:
    """A line for each place, the code that runs there at its end."""
    where = [f"{each['file'].rpartition('/')[2]}:{each['line']} {each['function']}" for each in stack]
    width = max(map(len, where), default=0)
    return [f"{name:{width}}  {each['code']}" for name, each in zip(where, stack, strict=True)]
