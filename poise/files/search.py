"""Searching by name below a folder: which words, what counts as found, and what is best.

* Case and the ways to write one character do not count (Unicode, D145).
* **All words must be found**: at least one in the name itself, the others there or in the folders on the way. So
  ``holiday 2025`` finds ``2025/holiday.jpg`` and not everything below ``2025``.
* A word with ``*`` or ``?`` must match the whole name: ``*.pdf``, ``IMG_????.jpg``.
* **Best first**: the name itself, then names that begin so, then those that hold every word, then the others; among equals what
  lies nearer, then by name.

A search ends when everything was looked at, or when it has looked at enough, taken its time, or gone deep enough; and of what it
finds it keeps the best. What it gives says which of these it was.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import NamedTuple

from poise.errors import RequestError
from poise.files.globs import folded
from poise.files.locate import Root
from poise.files.located import Located
from poise.files.names import Names
from poise.files.scan import by_name
from poise.files.walk import Found, Hider, Walk
from poise.limits import FileLimits
from poise.loop.reactor import Reactor
from poise.loop.slices import Slices


class Cut(enum.Enum):
    """Why there may be more than was found."""

    TIME = enum.auto()
    ENTRIES = enum.auto()  # more than may be looked at, or deeper
    RESULTS = enum.auto()  # more than may be shown


class Hit(NamedTuple):
    """A file or a folder that was found."""

    names: Names
    """From the folder that was searched."""
    is_folder: bool
    size: int
    """Bytes; 0 for a folder."""
    modified: int
    """Seconds since the epoch."""


class Hits(NamedTuple):
    """What a search has found."""

    best: tuple[Hit, ...]
    total: int
    """How many were found, kept or not."""
    looked_at: int
    """Entries, hidden ones included."""
    cut: frozenset[Cut]
    """Empty when this is all that there is."""


Done = Callable[[Hits | None, Exception | None], object]


class Query:
    """What is searched for. False when there is nothing to search for."""

    __slots__ = ("_globs", "_whole", "_words")

    def __init__(self, text: str, most: int) -> None:
        """``text`` are words between spaces; what is beyond ``most`` characters does not count."""
        words = folded(text[:most]).split()
        self._whole = " ".join(words)
        self._globs = [glob(word) for word in words if "*" in word or "?" in word]
        self._words = [word for word in words if not ("*" in word or "?" in word)]

    def __bool__(self) -> bool:
        return bool(self._whole)

    def rank(self, name: str, above: str) -> int | None:
        """How well a folded ``name`` in the folders ``above`` matches: 0 is best, None is not at all."""
        if not self._whole or not all(pattern.fullmatch(name) for pattern in self._globs):
            return None
        missing = [word for word in self._words if word not in name]
        if missing:
            if not self._globs and len(missing) == len(self._words):
                return None
            return 3 if all(word in above for word in missing) else None
        if name == self._whole or name.rpartition(".")[0] == self._whole:
            return 0
        return 1 if name.startswith(self._whole) else 2


def glob(word: str) -> re.Pattern[str]:
    """A pattern with ``*`` and ``?``. It never looks back: time grows with the length of both, and no faster."""
    first, *others = [
        "".join("." if char == "?" else re.escape(char) for char in part) for part in word.split("*")
    ]
    if others:
        *middle, last = others
        first += "".join(f"(?>.*?{part})" for part in middle if part) + f".*{last}"
    return re.compile(first, re.DOTALL)


class Search:
    """One search: an iterator that works a little each time, and then has ``hits``. Owns the walk."""

    def __init__(self, walk: Walk, query: Query, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds, from anywhere."""
        self._walk = walk
        self._query = query
        self._clock = clock
        self._limits = walk.limits
        self._end: float | None = None
        self._late = False
        self._count = 0
        self._kept: list[tuple[int, int, bytes, Names, Hit]] = []
        self._folder: Names | None = None
        self._above = ""

    def __iter__(self) -> Search:
        return self

    def __next__(self) -> None:
        """One step. Raises :class:`RequestError` when the machine fails."""
        if self._walk.done:
            raise StopIteration
        now = self._clock()
        if self._end is None:
            self._end = now + self._limits.search_time
        if now >= self._end:
            self._late = True
            self._walk.close()
            return
        found = self._walk.step()
        if found is not None:
            self._judge(found)

    @property
    def hits(self) -> Hits:
        """What was found until now."""
        cut = {
            Cut.TIME: self._late,
            Cut.ENTRIES: self._walk.cut,
            Cut.RESULTS: self._count > self._limits.search_results,
        }
        self._keep_best()
        return Hits(
            tuple(kept[-1] for kept in self._kept),
            self._count,
            self._walk.looked_at,
            frozenset(why for why, true in cut.items() if true),
        )

    def _judge(self, found: Found) -> None:
        names = found.names
        if names[:-1] != self._folder:
            self._folder = names[:-1]
            self._above = folded(b"/".join(self._folder).decode("utf-8", "replace"))
        rank = self._query.rank(folded(names[-1].decode("utf-8", "replace")), self._above)
        if rank is None:
            return
        folder = found.is_folder
        hit = Hit(
            names, folder, 0 if folder else found.state.st_size, found.state.st_mtime_ns // 1_000_000_000
        )
        self._count += 1
        self._kept.append((rank, len(names), by_name(names[-1]), names, hit))
        if len(self._kept) >= 2 * self._limits.search_results:
            self._keep_best()

    def _keep_best(self) -> None:
        self._kept.sort()
        del self._kept[self._limits.search_results :]

    def close(self) -> None:
        """Look no further. Twice is no error."""
        self._walk.close()


class Searching:
    """A search that is under way, beside the loop."""

    def __init__(
        self,
        reactor: Reactor,
        search: Search,
        limits: FileLimits,
        on_done: Done,
        on_over: Callable[[], object],
    ) -> None:
        self._search = search
        self._on_done = on_done
        self._on_over = on_over
        self._slices = Slices(
            reactor,
            search,
            on_slice=lambda _: self._slices.draw(),
            on_end=self._ended,
            most=1,
            time=limits.slice_time,
            weigh=lambda _: 0,
        )
        self._over = False
        self._slices.draw()

    def cancel(self) -> None:
        """Look no further and tell nobody. Too late or twice is no error."""
        if not self._over:
            self._over = True
            self._slices.close()
            self._on_over()

    def _ended(self, error: Exception | None) -> None:
        self._over = True
        self._on_over()
        self._on_done(self._search.hits if error is None else None, error)


class Searches:
    """Those that are under way: no more than ``limits.searches`` at a time."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self.under_way = 0

    def begin(
        self, root: Root, folder: Located, text: str, on_done: Done, *, hides: Hider | None = None
    ) -> Searching:
        """Search below ``folder``, which stays the caller's, for the words of ``text``.

        ``on_done(hits, error)`` is called on the loop, later; one is None. Raises :class:`RequestError`: 503 when too many
        are under way, and what the gate says when the folder may not be read.
        """
        limits = root.limits
        if self.under_way >= limits.searches:
            raise RequestError(503, "Too many searches are being made at the moment. Please try again soon.")
        walk = Walk(root, folder, hides=hides, entries=limits.search_entries)
        search = Search(walk, Query(text, limits.search_text), self._reactor.clock.monotonic)
        self.under_way += 1
        return Searching(self._reactor, search, limits, on_done, self._gone)

    def _gone(self) -> None:
        self.under_way -= 1
