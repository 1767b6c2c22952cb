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
from typing import Any, TypedDict, TypeVar

from poise.limits import LabLimits

LIMITS = LabLimits()
ALIKE = 4  # records back: a spinning loop goes through so many calls before it repeats itself

T = TypeVar("T")
Masks = Mapping[int, int]


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


def preview(data: bytes) -> str:
    """Bytes as Python writes them, cut to what can be read."""
    data = bytes(data)
    shown = repr(data[: LIMITS.preview])
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
        watched: Masks | None = None,
        ready: Callable[[T], Masks] | None = None,
        submits: int = 0,
        depth: int = 2,
    ) -> T:
        """Make the call and keep what came of it.

        ``submits``: how many descriptors the kernel is told about with it; ``depth``: frames up to the line that is taught.
        """
        line = sys._getframe(depth).f_lineno
        self.moved["submitted"] += submits
        began = now()
        try:
            result = function()
        except OSError as error:
            self._keep(began, step, call, fd, args, "", error_name(error), line, None, watched, None)
            raise
        except ValueError as error:  # select says so of a descriptor beyond its wall
            self._keep(began, step, call, fd, args, "", f"ValueError: {error}", line, None, watched, None)
            raise
        self._keep(
            began,
            step,
            call,
            fd,
            args,
            shown(result),
            "",
            line,
            None if count is None else count(result),
            watched,
            None if ready is None else ready(result),
        )
        return result

    def _keep(
        self,
        began: int,
        step: str,
        call: str,
        fd: int | None,
        args: str,
        result: str,
        error: str,
        line: int,
        count: int | None,
        watched: Masks | None,
        ready: Masks | None,
    ) -> None:
        took = (now() - began) // 1000
        with self._lock:
            self.counts[call] += 1
            if error:
                self.errors[f"{call} {error}"] += 1
            if count is not None:
                self.moved[call] += count
            if error == "EAGAIN" or step != "handle":
                for event in self.events[-ALIKE:]:
                    if (event["call"], event["fd"], event["args"], event["result"], event["error"]) == (
                        call,
                        fd,
                        args,
                        result,
                        error,
                    ):
                        event["times"] += 1
                        return
            if len(self.events) >= self.most:
                self.left_out += 1
                return
            self.events.append(
                Event(
                    at=(began - self.began) // 1000,
                    took=took,
                    who=self.who,
                    step=step,
                    call=call,
                    fd=fd,
                    args=args,
                    result=result,
                    error=error,
                    line=line,
                    times=1,
                    watched=by_name(watched),
                    ready=by_name(ready),
                    count=count,
                )
            )

    def kept(self) -> dict[str, Any]:
        """All of it, as JSON can carry it."""
        return {
            "events": self.events,
            "left_out": self.left_out,
            "counts": dict(self.counts),
            "errors": dict(self.errors),
            "moved": dict(self.moved),
        }


def by_name(masks: Masks | None) -> dict[str, int] | None:
    """JSON has no numbers as keys."""
    return None if masks is None else {str(fd): mask for fd, mask in masks.items()}
