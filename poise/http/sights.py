"""Was this seen before? Asked of every head that nobody knows, so that only what comes twice takes memory.

A table of marks, two bytes for each place, as large at the start as it will ever be: a flood of heads that never come again
overwrites marks and nothing else. What is seen again after its mark was overwritten counts as new; and once in 65,535 times what
is new counts as seen, when the place is taken: then something is kept too early, of millions only a few.
"""

from __future__ import annotations

PLACES = 1 << 18
"""512 KiB, of which the kernel gives what is used; room for some 50,000 heads before they crowd each other."""

MARKS = (1 << 16) - 1
"""Different ones; 0 stands where nothing was."""


class Sights:
    """Remembers that something was there, not what."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks = no_marks()

    def again(self, key: bytes) -> bool:
        """Whether ``key`` was seen before; from now on it was."""
        number = hash(key)
        place = number % PLACES
        mark = number // PLACES % MARKS + 1
        if self._marks[place] == mark:
            return True
        self._marks[place] = mark
        return False

    def clear(self) -> None:
        """Nothing was ever seen."""
        self._marks = no_marks()


def no_marks() -> memoryview:
    return memoryview(bytearray(2 * PLACES)).cast("H")
