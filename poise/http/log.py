"""The access log: one line per request, in the common log format.

A line is put together when it is written, not while the request is served; lines wait in a bounded buffer and
leave it together. Control bytes are escaped, so a request cannot forge a line or speak to a terminal.

Of two requests that got the same remembered reply only the time and the client differ: what stands behind them, the
``ending``, is made once and kept with the reply.

Formats that say more are subclasses in :mod:`poise.http.logformats`. What they need besides travels inside the request
line that ``line_of`` makes; so this one pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from poise.limits import LogLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle

if TYPE_CHECKING:
    from poise.http.message import Request

Row = tuple[float, str, str]  # the loop's time, the client, and how its line ends

# Never the system's language: a log reader knows these names.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LINE_BYTES = 128  # what a waiting line is counted as besides its request line

# Every control character, whatever is not ASCII (no target that is answered has it), and what would end the field.
ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 256))} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}


def escape(text: str) -> str:
    """``text`` with nothing in it that a terminal or a log reader would act on."""
    return text.translate(ESCAPES)


def local_stamp(seconds: int) -> str:
    """Seconds since the epoch as the common log format has it: ``23/Nov/2026:14:22:04 +0000``, local time."""
    from datetime import datetime  # needed when the first line is written, and a good part of a start

    local = datetime.fromtimestamp(seconds).astimezone()
    return f"{local.day:02}/{MONTHS[local.month - 1]}/{local:%Y:%H:%M:%S %z}"


class AccessLog:
    """``write(text)`` gets whole lines, many at a time: ``Sink.write``, for one.

    Each is in the common log format with local time; control characters from a client are escaped.
    """

    looked_at: frozenset[str] = frozenset()
    """The request fields that a line shows, in lower case."""

    def __init__(
        self, reactor: Reactor, write: Callable[[str], object], limits: LogLimits | None = None
    ) -> None:
        self._reactor = reactor
        self._write = write
        self._limits = limits if limits is not None else LogLimits()
        self._waiting: list[Row] = []
        self._size = 0
        self._timer: TimerHandle | None = None

    def line_of(self, request: Request, began: float) -> str:
        """What ``add`` is to be told of ``request``: its request line, and in it whatever else this format shows.

        ``began`` is the loop's time when the request's head had come, 0 for one whose reply will be remembered.
        """
        del began  # the common log format does not say how long anything took
        return request.line

    def ending(self, line: str, status: int, length: int) -> str:
        """What follows the time in the line of a request: ``line`` as it came, ``length`` the bytes of the reply's body."""
        return f'"{escape(line)}" {status} {length}\n'

    def add(self, client: str, line: str, status: int, length: int) -> None:
        """One request, as for ``ending``."""
        self.again(client, self.ending(line, status, length))

    def again(self, client: str, ending: str) -> None:
        """One more request that gets what another has got, of which ``ending`` was made."""
        self._waiting.append((self._reactor.now, client, ending))
        self._size += LINE_BYTES + len(ending)
        if self._size >= self._limits.buffer:
            self.flush()
        elif self._timer is None:
            self._timer = self._reactor.call_later(self._limits.delay, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        waiting, self._waiting, self._size = self._waiting, [], 0
        clock = self._reactor.clock
        self._write("".join(self._lines(waiting, clock.wall() - clock.monotonic())))

    def _lines(self, waiting: Iterable[Row], offset: float) -> Iterator[str]:
        """Each row as a line; ``offset`` seconds make the loop's time that of the wall."""
        last, second, stamp = -1.0, -1, ""
        for when, client, ending in waiting:
            if when != last:  # those of one turn have the same
                last = when
                if second != (second := int(when + offset)):
                    stamp = local_stamp(second)
            yield f"{client or '-'} - - [{stamp}] {ending}"
