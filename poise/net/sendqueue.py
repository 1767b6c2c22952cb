"""Datagrams that wait to be sent: whole, in order, and with one exact count.

* A datagram leaves the queue after the kernel has taken or refused it, never before (pitfall 12), and its bytes leave
  the count then, exactly as they came in (pitfall 16).
* **Lines.** A UDP socket has one buffer, so whoever waits, waits behind the others: one line. A unix datagram goes
  straight into the queue of its receiver, and a receiver that does not read must not silence the others: each has
  a line of its own. Order is kept within a line.
* **The newest is refused, not the oldest dropped**: whoever sends learns at once that it did not go. What stays too
  long is dropped by age.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from poise.limits import DatagramLimits
from poise.net.watermarks import water_marks


class Answer(enum.Enum):
    """What became of a datagram that was handed to the kernel."""

    TAKEN = 0
    DROPPED = 1  # an error for this one alone, which has been reported
    FULL = 2  # EAGAIN: its buffer, or that of its receiver, has no room
    SHORT = 3  # ENOBUFS: the system has no memory for it now


class Entry(NamedTuple):
    """A datagram, its socket address (None: the connected peer), and since when it waits, in seconds."""

    data: bytes
    to: Any
    since: float


HandOver = Callable[[bytes, Any], Answer]


class SendQueue:
    """``size`` is what waits in bytes of payload, ``count`` in datagrams."""

    __slots__ = ("_apart", "_high", "_limits", "_lines", "_low", "count", "size")

    def __init__(self, limits: DatagramLimits, *, apart: bool = False) -> None:
        self._limits = limits
        self._apart = apart
        self._lines: dict[Hashable, deque[Entry]] = {}
        self._low, self._high = water_marks(limits)
        self.size = 0
        self.count = 0

    def waits_for(self, to: Any) -> bool:
        """Whether a datagram for ``to`` has others in front of it."""
        return (to if self._apart else None) in self._lines

    def append(self, data: bytes, to: Any, since: float) -> bool:
        """Let it wait; False when too much waits already. A single one always may, however large."""
        if self.count and (
            self.count >= self._limits.queue or self.size + len(data) > self._limits.queue_bytes
        ):
            return False
        line = to if self._apart else None
        if line not in self._lines:
            self._lines[line] = deque()
        self._lines[line].append(Entry(data, to, since))
        self.size += len(data)
        self.count += 1
        return True

    def flush(self, hand_over: HandOver) -> tuple[int, Answer]:
        """Hand over what the budget of one event allows: how many left the queue, and why it ended.

        TAKEN: nothing waits any more, or the budget was used up. FULL: every line that is left is held up.
        """
        left, room = self._limits.sent, self._limits.sent_bytes
        for line in list(self._lines):
            entries = self._lines[line]
            while entries:
                if left <= 0 or room <= 0:
                    self._lines[line] = self._lines.pop(line)  # next time the others come first
                    return self._limits.sent - left, Answer.TAKEN
                answer = hand_over(entries[0].data, entries[0].to)
                if answer is Answer.SHORT:
                    return self._limits.sent - left, answer
                if answer is Answer.FULL:
                    break
                left -= 1
                room -= len(self._take(line).data)
        return self._limits.sent - left, Answer.FULL if self._lines else Answer.TAKEN

    def drop_late(self, now: float) -> list[Entry]:
        """Take out what has waited for ``limits.send_wait`` seconds."""
        late = []
        for line, entries in list(self._lines.items()):
            while entries and entries[0].since + self._limits.send_wait <= now:
                late.append(self._take(line))
        return late

    @property
    def next_late(self) -> float:
        """When the oldest will have waited too long, on the clock of ``since``. Something must wait."""
        return min(entries[0].since for entries in self._lines.values()) + self._limits.send_wait

    def clear(self) -> None:
        """Drop everything."""
        self._lines.clear()
        self.size = self.count = 0

    # -- how much is too much --------------------------------------------------------------------

    @property
    def marks(self) -> tuple[int, int]:
        """``(low, high)`` in bytes."""
        return self._low, self._high

    def set_marks(self, high: int | None, low: int | None) -> None:
        """Move the marks, as ``water_marks`` says; ValueError for those that make no sense."""
        self._low, self._high = water_marks(self._limits, high, low)

    @property
    def too_much(self) -> bool:
        """Above the high mark, or full of datagrams that are too small to reach it."""
        return self.size > self._high or self.count >= self._limits.queue

    @property
    def little(self) -> bool:
        """Down to the low mark, and to a quarter of the datagrams."""
        return self.size <= self._low and self.count <= self._limits.queue // 4

    def _take(self, line: Hashable) -> Entry:
        entries = self._lines[line]
        entry = entries.popleft()
        self.size -= len(entry.data)
        self.count -= 1
        if not entries:
            del self._lines[line]
        return entry
