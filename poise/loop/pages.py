"""Where an observed loop writes: pages, of which the oldest goes when a new one is begun.

A page is one flat list, because a tuple for each call is what writing it down would cost most: it has to be made, it is one more
object for the garbage collector, and by the time that it is overwritten its memory has long left the processor's cache. So a
call is four items that are added in one step, and everything else is as it is in ``seat.py``:

=============================  =================================================================================
``began``                      an integer: the next call began then; later ones when the one before had ended
``seat, mask, wanted, ended``  a call of a descriptor's handler
a tuple                        any other record, and calls written down by whoever has no page at hand
=============================  =================================================================================

Pages that are full never change. So a reader in another thread copies the present one, and has all that there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from poise.loop.seat import CALL, Record

Items = list[Any]


class Page(NamedTuple):
    """Some records in a row."""

    number: int
    """How many records were written before it."""
    at: int
    """When it was begun, in nanoseconds."""
    items: Items


class Pages:
    """What is held of all that was written. Written by the loop's thread, and read by any."""

    __slots__ = ("_full_at", "_records", "_size", "items", "pages", "written")

    def __init__(self) -> None:
        self.written = 0
        """How many records were ever written."""
        self._let_go()

    def _let_go(self) -> None:
        self.pages: deque[Page] = deque()
        """Those that are held, the oldest first; none when nothing is kept."""
        self.items: Items = []
        """The present page's, or a sheet that is thrown away after each turn."""
        self._records = self._size = self._full_at = 0

    def _keep(self, records: int, size: int, now: int) -> None:
        """Keep at least the last ``records`` from ``now`` on, in pages of ``size``."""
        self._records, self._size = records, size
        self._turn_page(now)

    def _turn_page(self, now: int) -> None:
        """Begin the next page, and let go of those that are not needed any more."""
        self.items = []
        self.pages.append(Page(self.written, now, self.items))
        while len(self.pages) > 1 and self.written - self.pages[1].number >= self._records:
            self.pages.popleft()
        self._full_at = self.written + self._size

    def write(self, record: Record) -> None:
        """Add a record, if any are kept. For the loop's thread."""
        if self.pages:
            self.items.append(record)
            self.written += 1

    @property
    def ring(self) -> list[Record]:
        """All records that are held, the oldest first."""
        return list(records_of(self.copied()))

    def copied(self) -> list[Items]:
        """The items of each page, none of which changes any more."""
        pages = [page.items for page in self.pages.copy()]
        if pages:
            pages[-1] = pages[-1].copy()
        return pages

    def newest(self) -> Iterator[Record]:
        """The same, the last one first; only as many pages are read as are looked at."""
        for items in reversed(self.copied()):
            yield from reversed(list(records_of([items])))


def records_of(pages: list[Items]) -> Iterator[Record]:
    """The records on ``pages``, the oldest first."""
    began = 0
    items = chain.from_iterable(pages)
    for item in items:
        if type(item) is tuple:
            yield item
        elif type(item) is int:
            began = item
        else:
            mask, wanted, ended = next(items), next(items), next(items)
            yield CALL, began, ended - began, item, mask, wanted
            began = ended
