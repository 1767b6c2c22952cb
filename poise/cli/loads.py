"""Who has how many connections: a few numbers that all workers of a team can see, so that newcomers are shared out evenly.

The kernel wakes every worker for a newcomer, and who is first has it. Under a burst that is the same one again and again,
because it is awake: of 64 connections opened at once, two workers had 0 and 64 as often as 20 and 44. So each worker writes
down how many it has, and one that is ahead of another leaves newcomers to that one for a moment (``Listener.balance``).

It is a table in memory that is shared across the fork; each worker writes its own number only, and an old number
that another one reads costs evenness, nothing else.
"""

from __future__ import annotations

import mmap

ABSENT = 0xFFFF_FFFF  # more than anybody has: no newcomer is left to whom nobody is
SIZE = 4  # bytes of a number


class Loads:
    """The table for ``count`` workers, none of whom is there yet."""

    def __init__(self, count: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, count * SIZE)).cast("I")
        for number in range(count):
            self._counts[number] = ABSENT

    def share(self, number: int) -> Share:
        """What the worker in that place writes and sees."""
        return Share(self._counts, number)


class Share:
    """A listener's ``Balance``."""

    def __init__(self, counts: memoryview[int], number: int) -> None:
        self._counts = counts
        self._number = number

    def tell(self, connections: int) -> None:
        self._counts[self._number] = connections

    def leave(self) -> None:
        """The worker has ended, or accepts no more."""
        self._counts[self._number] = ABSENT

    def least(self) -> int:
        return min(self._counts)
