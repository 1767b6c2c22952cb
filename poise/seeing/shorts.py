"""Sends that took less than all, and whether the rest was forgotten. At the level FULL only.

``send`` may take a part of what it is given and say so by its result, which is easily overlooked: then the tail of an answer is
lost, and only for peers that are slow. Whoever sees to the rest sends it in the same call, or watches the descriptor for WRITE.
A program that does neither has dropped it.

``send`` of Python's socket class is wrapped while somebody watches at that level, for all sockets of the process; sends of other
threads than the loop's are let through.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from poise.loop.probe import Probe, place
from poise.loop.seat import INTEREST, LIFE, SHORT, Seat
from poise.readiness.interest import WRITE
from poise.seeing.levels import queued
from poise.seeing.swapping import Swap

INSTANT: Final = frozenset({LIFE, INTEREST, SHORT})
"""Records that are written when they happen. Others are when they are over, and say when that began."""
LATE: Final = 1_000_000_000  # nanoseconds; whoever has not seen to the rest by then will not


class Short(NamedTuple):
    """A send that took ``taken`` bytes of ``asked``, called at ``where`` (``file:line``)."""

    at: int
    seat: Seat
    asked: int
    taken: int
    where: str


class Shorts:
    """The short sends of one probe, from ``begin()`` to ``end()``."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._open: deque[Short] = deque(maxlen=probe.limits.shorts)

    def begin(self) -> None:
        """Hear of each send. For the loop's thread; twice is no error."""
        if self not in _hearing:
            _hearing.append(self)
            _swap.put()

    def end(self) -> None:
        """Hear of none. From any thread; twice is no error."""
        if self in _hearing:
            _hearing.remove(self)
            if not _hearing:
                _swap.take_back()

    def heard(self, fd: int, asked: int, taken: int) -> None:
        """``send`` has returned."""
        probe = self._probe
        if threading.get_ident() != probe.thread_id:
            return
        for short in list(self._open):
            if short.seat.fd == fd and short.asked - short.taken == asked:
                self._forget(short)  # this was the rest of it
        seat = probe.seats.get(fd)
        if taken < asked and seat is not None:
            short = Short(probe.nanoseconds(), seat, asked, taken, place(sys._getframe(2)))
            self._open.append(short)
            probe.write((SHORT, *short))

    def over(self) -> list[Short]:
        """Those whose call is over, and whose rest was forgotten; none is told twice."""
        dropped = []
        now = self._probe.nanoseconds()
        for short in list(self._open):
            seat = short.seat
            if seat.last_ns > short.at or seat.closed_ns or now - short.at > LATE:
                self._forget(short)
                if not self._seen_to(short):
                    dropped.append(short)
        return dropped

    def _forget(self, short: Short) -> None:
        with suppress(ValueError):  # the loop and the watching thread may both have come to it
            self._open.remove(short)

    def _seen_to(self, short: Short) -> bool:
        seat, probe = short.seat, self._probe
        owner = getattr(probe.reactor._handlers.get(seat.fd), "__self__", None)
        if not seat.closed_ns and (seat.wanted & WRITE or queued(owner)):
            return True
        for record in probe.newest():
            if record[0] in INSTANT and record[1] < short.at:
                break
            # Before or after: whoever was watching for it already has nothing to change until all is sent.
            if record[0] == INTEREST and record[2] is seat and (record[3] | record[4]) & WRITE:
                return True
        return False


_hearing: list[Shorts] = []


def _heard(send: Callable[..., int], alive: list[bool]) -> Callable[..., int]:
    def hear(self: socket.socket, data: Any, *flags: int) -> int:
        taken = send(self, data, *flags)
        if alive:
            asked = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
            for shorts in _hearing.copy():
                if taken < asked or shorts._open:
                    shorts.heard(self.fileno(), asked, taken)
        return taken

    return hear


_swap: Final = Swap(socket.socket, "send", _heard)
