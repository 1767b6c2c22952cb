"""An iterator whose items cost time, advanced beside the loop: a slice in a thread, the slice back on the loop, the next.

    slices = Slices(reactor, rows, on_slice=lambda rows: …, on_end=lambda error: …, most=1000, time=0.05)
    slices.draw()

A thread could run through the whole iterator and push what it makes, but it would stand still for as long as nobody takes
that, and threads are few. So none is kept: each slice is one offloaded call, and the next is made when ``draw`` asks for it.
This is all the backpressure that there is to it.

Rules:

* **One slice at a time.** The iterator is never advanced by two threads at once, but by different ones one after another.
* **Bounded**: a slice ends with the item that makes it weigh ``most`` or takes it past ``time`` seconds. Items should be
  small; an iterator that has nothing to give for a while gives something weightless.
* **Closed once, where it is safe**: at its end, after an error, by ``close`` and with the reactor. While a thread advances the
  iterator nobody else may touch it; then the thread closes it, no later than one item on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from poise.errors import MachineFault
from poise.loop.offload import Offloaded, offload
from poise.loop.reactor import Reactor

T = TypeVar("T")


class Slices(Generic[T]):
    """``items`` in slices. ``on_slice(items)`` and in the end ``on_end(error)`` are called on the loop, one at a time.

    ``weigh(item)`` is what an item counts, 1 unless it is given. After ``on_end``, and after ``close``, nothing is called.
    """

    def __init__(
        self,
        reactor: Reactor,
        items: Iterator[T],
        *,
        on_slice: Callable[[list[T]], object],
        on_end: Callable[[Exception | None], object],
        most: int,
        time: float,
        weigh: Callable[[T], int] = lambda _: 1,
    ) -> None:
        self._reactor = reactor
        self._items = items
        self._on_slice = on_slice
        self._on_end = on_end
        self._most = most
        self._time = time
        self._weigh = weigh
        self._job: Offloaded[tuple[list[T], bool]] | None = None
        self._exhausted = False
        self._closed = False
        self._used = threading.Lock()  # held by whoever advances or closes the iterator
        reactor.at_close.append(self.close)

    def draw(self) -> None:
        """Have the next slice made; no effect while one is made, and after the end. For the loop's own thread."""
        if self._closed or self._exhausted or self._job is not None:
            return
        try:
            self._job = offload(self._reactor, self._make)
        except MachineFault as error:
            self._exhausted = True
            self._reactor.call_soon(
                self._end, error
            )  # not now: whoever draws may not be ready to hear of the end
        else:
            self._job.on_done(self._made)

    def close(self) -> None:
        """Make no more of it and tell nobody. The iterator is closed, if need be by the thread that advances it."""
        if self._closed:
            return
        self._closed = True
        if self.close in self._reactor.at_close:  # unless it is from there that it is called
            self._reactor.at_close.remove(self.close)
        if self._job is not None:
            self._job.cancel()
        self._close_items()

    def _make(self) -> tuple[list[T], bool]:
        """In a thread: a slice, and whether it is the last one."""
        made: list[T] = []
        weight = 0
        clock = self._reactor.clock.monotonic
        end = clock() + self._time
        try:
            with self._used:
                for item in self._items:
                    made.append(item)
                    weight += self._weigh(item)
                    if self._closed or weight >= self._most or clock() >= end:
                        return made, False
            return made, True
        finally:
            if self._closed:
                self._close_items()

    def _made(self, outcome: tuple[list[T], bool] | None, error: Exception | None) -> None:
        """On the loop."""
        self._job = None
        if outcome is None:
            self._end(error)
            return
        made, self._exhausted = outcome
        if made:
            self._on_slice(made)
        if self._exhausted:
            self._end(None)

    def fail(self, error: Exception) -> None:
        """``on_slice`` raised, which has been reported."""
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self._closed:
            self.close()
            self._on_end(error)

    def _close_items(self) -> None:
        """Unless it is in use; whoever uses it comes here afterwards."""
        if self._used.acquire(blocking=False):
            try:
                close: Any = getattr(self._items, "close", None)
                if close is not None:
                    close()
            finally:
                self._used.release()
