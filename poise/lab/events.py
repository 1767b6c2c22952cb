"""What happened between a program and the kernel, one complete record for each call.

A record is written when the call has returned, with its real arguments and its real result, so there is no beginning without
an end. The same call with the same outcome again and again, a loop that spins, becomes one record with ``times``.

Fields of an event, as a page gets them:

at        microseconds since the run began          took      microseconds that the call lasted
who       the process, such as "select"             call      "accept", "recv", "epoll.poll" …
fd        the descriptor, None when there is none   args      the arguments, as written in Python
result    the result, as written in Python, or ""   error     "EAGAIN" …, or ""
step      "mark", "submit" or "handle"              line      in the program's source, 0 when unknown
times     how often in a row                        watched   {fd: mask} of a wait, None for other calls
ready     {fd: mask} that a wait gave, else None    count     bytes moved, None for other calls
"""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypedDict, TypeVar

from poise.limits.lab import LabLimits

LIMITS = LabLimits()

T = TypeVar("T")
Masks = Mapping[int, int]


class Outcome(NamedTuple):
    """What makes two calls the same."""

    call: str
    fd: int | None
    args: str
    result: str
    error: str


class Event(TypedDict):
    """One call; see the head of this room."""

    at: int
    took: int
    who: str
    step: str
    call: str
    fd: int | None
    args: str
    result: str
    error: str
    line: int
    times: int
    watched: dict[str, int] | None
    ready: dict[str, int] | None
    count: int | None


def now() -> int:
    """Nanoseconds of a clock that all processes of the machine share."""
    return time.monotonic_ns()


def preview(data: bytes | bytearray | memoryview) -> str:
    """Bytes as Python writes them, cut to what can be read."""
    shown = repr(bytes(data[: LIMITS.preview]))
    return shown if len(data) <= LIMITS.preview else f"{shown}… ({len(data)} bytes)"


def error_name(error: OSError) -> str:
    """``EAGAIN``; the class's name where the kernel has no number for it, as for a timeout."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


class Recorder:
    """Keeps the events of one process, the first ones whole, and counts all."""

    def __init__(self, who: str, began: int, most: int = LIMITS.events) -> None:
        self.who = who
        self.began = began
        self.most = most
        self.events: list[Event] = []
        self.left_out = 0
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()
        self.notes: list[Any] = []  # whatever else is to come back from a process
        self._idle: dict[Outcome, Event] = {}  # since something was done
        self._lock = threading.Lock()

    def made(
        self,
        step: str,
        call: str,
        fd: int | None,
        args: str,
        function: Callable[[], T],
        *,
        shown: Callable[[T], str] = repr,
        count: Callable[[T], int] | None = None,
        watched: Callable[[], Masks] | None = None,
        ready: Callable[[T], Masks] | None = None,
        submits: int = 0,
        depth: int = 2,
    ) -> T:
        """Make the call and keep what came of it.

        ``submits``: how many descriptors the kernel is told about with it; ``depth``: frames up to the line that is taught.
        """
        line = sys._getframe(depth).f_lineno
        text, error = "", ""
        moved, found = None, None
        began = now()
        try:
            result = function()
        except OSError as fault:
            error = error_name(fault)
            raise
        except ValueError as fault:  # select says so of a descriptor beyond its wall
            error = f"ValueError: {fault}"
            raise
        else:
            text = shown(result)
            moved = None if count is None else count(result)
            found = None if ready is None else ready(result)
            return result
        finally:
            took = now() - began
            outcome = Outcome(call, fd, args, text, error)
            with self._lock:
                self._counted(outcome, moved, submits)
                if not self._again(step, outcome):
                    times = (began - self.began) // 1000, took // 1000
                    self._keep(outcome, step, times, line, moved, watched and watched(), found)

    def _counted(self, outcome: Outcome, moved: int | None, submits: int) -> None:
        self.counts[outcome.call] += 1
        self.moved["submitted"] += submits
        if moved:
            self.moved[outcome.call] += moved
        if outcome.error:
            self.errors[f"{outcome.call} {outcome.error}"] += 1

    def _again(self, step: str, outcome: Outcome) -> bool:
        """Whether it is one more of the same, since when nothing was done."""
        if step == "handle" and outcome.error != "EAGAIN":
            self._idle.clear()  # something was done: whatever comes next is a turn of its own
            return False
        earlier = self._idle.get(outcome)
        if earlier is not None:
            earlier["times"] += 1
        return earlier is not None

    def _keep(
        self,
        outcome: Outcome,
        step: str,
        times: tuple[int, int],
        line: int,
        moved: int | None,
        watched: Masks | None,
        ready: Masks | None,
    ) -> None:
        if len(self.events) >= self.most:
            self.left_out += 1
            return
        event = Event(
            at=times[0],
            took=times[1],
            who=self.who,
            step=step,
            call=outcome.call,
            fd=outcome.fd,
            args=outcome.args,
            result=outcome.result,
            error=outcome.error,
            line=line,
            times=1,
            watched=by_name(watched),
            ready=by_name(ready),
            count=moved,
        )
        self.events.append(event)
        if step != "handle" or outcome.error == "EAGAIN":
            self._idle[outcome] = event

    def kept(self) -> dict[str, Any]:
        """All of it, as JSON can carry it."""
        return {
            "events": self.events,
            "left_out": self.left_out,
            "counts": dict(self.counts),
            "errors": dict(self.errors),
            "moved": dict(self.moved),
            "notes": self.notes,
        }


def by_name(masks: Masks | None) -> dict[str, int] | None:
    """JSON has no numbers as keys."""
    return None if masks is None else {str(fd): mask for fd, mask in masks.items()}
