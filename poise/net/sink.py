"""A sink: text for a descriptor that may be slow, or stuck, or gone. Standard error, for one.

Whoever reads the log of a server must not be able to hold the server: a pager that waits for a key, a terminal
that was stopped with Ctrl-S. The descriptor is shared with other programs, so making it non-blocking is not ours
to do (pitfall 58); :mod:`poise.net.descriptor` says what is done instead. It is written to when the loop says that it can
be. What had to wait too long is dropped, counted, and said.

Several processes may write to one pipe, each its own lines. A pipe takes up to PIPE_BUF bytes whole or not at all
(pipe(7)), so a ``shared`` sink writes no more at once, and ends at a line's end. A single line that is longer may be torn
apart when the pipe is nearly full.
"""

from __future__ import annotations

import os
from collections import deque
from functools import partial

from poise.limits import LogLimits
from poise.loop.reactor import Reactor
from poise.net.descriptor import PIPE_BUF, Descriptor, Kind
from poise.readiness.interest import WRITE

AT_ONCE = 64 * 1024  # where nobody has to be waited for


class Sink:
    """Writes to ``fd``, which stays its owner's. A descriptor that breaks takes nothing more, in silence."""

    def __init__(
        self, reactor: Reactor, fd: int, limits: LogLimits | None = None, *, shared: bool = False
    ) -> None:
        self.lost = 0
        """Lines that were dropped because the reader did not keep up."""
        self._reactor = reactor
        self._fd = fd
        self._shared = shared
        self._limits = limits if limits is not None else LogLimits()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._watching = False
        self._broken = False
        self._unsaid = 0
        self._descriptor: Descriptor | None = None  # from the first line on

    def write(self, text: str) -> None:
        """Queue ``text``, whole lines, to be written by the loop."""
        data = text.encode("utf-8", "backslashreplace")
        if self._broken:
            return
        if self._size + len(data) > self._limits.waiting:
            lines = text.count("\n")
            self.lost += lines
            self._unsaid += lines
            return
        self._waiting.append(data)
        self._size += len(data)
        if not self._watching:
            self._watch()

    def finish(self, seconds: float) -> None:
        """Turn the loop until everything is written, but no longer than ``seconds``; then let go of ``fd``."""
        end = self._reactor.clock.monotonic() + seconds
        while self._watching and self._reactor.clock.monotonic() < end:
            self._reactor.turn(seconds)
        self._break()

    def _watch(self) -> None:
        try:
            if self._descriptor is None:
                self._descriptor = Descriptor(self._fd, os.O_WRONLY, closefd=False, private=False)
            self._reactor.register(
                self._descriptor.fileno(), WRITE, partial(self._on_ready, self._descriptor)
            )
        except OSError:
            self._break()
        else:
            self._watching = True

    def _on_ready(self, descriptor: Descriptor, _mask: int) -> None:
        try:
            most = AT_ONCE
            if self._shared and descriptor.kind is not Kind.FILE:  # that takes all in one step
                most = whole_lines(self._waiting[0], PIPE_BUF)
            sent = descriptor.write(memoryview(self._waiting[0]), most)
        except (BlockingIOError, InterruptedError):
            return  # another program has filled it meanwhile
        except OSError:
            self._break()
            return
        self._took(sent)
        if not self._waiting:
            self._watching = False
            self._reactor.unregister(descriptor.fileno())

    def _took(self, sent: int) -> None:
        self._size -= sent
        first = self._waiting.popleft()
        if sent < len(first):
            self._waiting.appendleft(first[sent:])
        elif not self._waiting and self._unsaid:
            self._waiting.append(
                f"poise: {self._unsaid} log lines were lost: nobody read them in time\n".encode()
            )
            self._size += len(self._waiting[0])
            self._unsaid = 0

    def _break(self) -> None:
        self._broken = True
        self._waiting.clear()
        self._size = 0
        self._watching = False
        if self._descriptor is not None:
            self._reactor.retire(self._descriptor)


def whole_lines(data: bytes, most: int) -> int:
    """How many bytes of ``data``, which ends with a line, are whole lines and no more than ``most``; one line at least."""
    if len(data) <= most:
        return len(data)
    return data.rfind(b"\n", 0, most) + 1 or data.index(b"\n") + 1
