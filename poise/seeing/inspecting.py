"""Did the call do anything? Looked at from outside: what waits in the kernel before it, and after.

A descriptor that is ready in every turn is either busy or *spinning*: its handler does nothing about what it is called for, and the
kernel, which is level-triggered, says it again at once. Both look the same from a distance. So for a few calls of a suspect the
bytes are counted before and after; if nothing has moved, nobody has changed what is wanted, and it is still ready, then
the call was for nothing. A coincidence does not happen many times in a row.

This runs on the loop, for a few calls of a few descriptors four times a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from poise.loop.probe import Probe
from poise.loop.seat import Seat
from poise.net.kernel import unacknowledged, unread
from poise.readiness.interest import WRITE
from poise.readiness.poller import available, choose
from poise.seeing.levels import backlog, memory, totals

Handler = Callable[[int], None]

ASK: Final = next((name for name in ("poll", "select") if name in available()), None)
NO_SPIN: Final = frozenset({"file", "wakeup"})
"""A file is always ready, and whoever watches one knows; the reactor's own wake-up drains itself."""


class Inspection:
    """Looks at the calls of one seat until it has seen enough of them. ``verdict`` is ``""``, ``unused`` or ``write_idle``."""

    def __init__(self, probe: Probe, seat: Seat) -> None:
        self.seat = seat
        self.verdict = ""
        self.done = False
        self._probe = probe
        self._in_vain = 0

    def begin(self) -> None:
        """Look at its calls from now on. For the loop's thread."""
        if self._probe.seats.get(self.seat.fd) is self.seat:
            self._probe.inspected[self.seat.fd] = self.look
        else:
            self.done = True

    def look(self, handler: Handler, mask: int) -> None:
        """Call ``handler``, with a look before and after."""
        seat = self.seat
        wanted, before = seat.wanted, moved(self._probe, seat.fd, handler)
        try:
            handler(mask)
        except BaseException:
            self.end()  # it has done something, though nothing good
            raise
        if (
            seat.closed_ns
            or seat.wanted != wanted
            or moved(self._probe, seat.fd, handler) != before
            or not is_ready(seat.fd, wanted)
        ):
            self.end()
            return
        self._in_vain += 1
        if self._in_vain >= self._probe.limits.unused:
            self.verdict = "write_idle" if mask & WRITE and wanted & WRITE else "unused"
            self.end()

    def end(self) -> None:
        """Look no more. Twice is no error."""
        self.done = True
        if self._probe.inspected.get(self.seat.fd) == self.look:
            del self._probe.inspected[self.seat.fd]


def moved(probe: Probe, fd: int, handler: Handler) -> tuple[Any, ...]:
    """What changes when a call does something for ``fd``: bytes waiting in and out, bytes ever, connections accepted."""
    accepted = getattr(getattr(handler, "__self__", None), "accepted", None)
    return unread(fd), unacknowledged(fd), totals(fd), backlog(fd), memory(fd), accepted, probe.opened


def is_ready(fd: int, wanted: int) -> bool:
    """Whether the kernel would say it again."""
    poller = choose(ASK)
    try:
        poller.register(fd, wanted)
        return bool(poller.poll(0))
    except (OSError, ValueError):
        return False
    finally:
        poller.close()
