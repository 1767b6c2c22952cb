"""One watching for each reactor, however many doors lead to it: two would write everything down twice."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial

from poise.errors import ProgramFault
from poise.loop.clock import cpu_nanoseconds
from poise.loop.reactor import Reactor
from poise.loop.seat import Level
from poise.seeing.session import program
from poise.seeing.state import Cursor
from poise.seeing.viewing import Value, pieces
from poise.seeing.watching import Watching

_lock = threading.Lock()
_shared: weakref.WeakKeyDictionary[Reactor, Shared] = weakref.WeakKeyDictionary()


def watching_of(reactor: Reactor) -> Shared:
    """The one that watches ``reactor``, made on first use. From any thread. Raises ProgramFault when it is closed."""
    with _lock:
        found = _shared.get(reactor)
        if found is None:
            found = _shared[reactor] = Shared(Watching(reactor, program=program()))
            # What is kept holds the reactor that it is kept by, which would then be there for ever.
            reactor.at_close.append(partial(_shared.pop, reactor, None))
        return found


class Shared:
    """A watching as the doors want it: each viewer a thing of its own."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._lock = threading.Lock()
        self._full = 0  # viewers who want everything

    def attach(self, *, full: bool = False) -> Looker:
        """One more who looks; ``full`` has requests, changes of interest and short writes recorded as well."""
        self._watching.attach()
        if full:
            self._want_full(1)
        return Looker(self._watching, partial(self._want_full, -1) if full else None)

    def _want_full(self, change: int) -> None:
        with self._lock:
            self._full += change
            self._watching.set_level(Level.FULL if self._full else Level.RECORDER)


class Looker:
    """One viewer, in one thread, whose processor time since it came counts as cost of the watching."""

    def __init__(self, watching: Watching, leave: Callable[[], None] | None = None) -> None:
        self._watching = watching
        self._leave = leave
        self._cursor = Cursor()
        self._spent = cpu_nanoseconds()
        self._closed = False
        self._held_since = 0
        self.every = watching.limits.every

    def hello(self) -> Value:
        return self._watching.hello()

    def state(self) -> Value:
        self._held_since = (
            self._watching.held_since()
        )  # first: what begins meanwhile may be missing in the state
        return self._watching.state(self._cursor)

    def urgent(self) -> bool:
        since = self._watching.held_since()
        return since not in (0, self._held_since)

    def recording(self, portion: int) -> Iterator[bytes]:
        made = self._watching.recording()
        return pieces(made.portions(portion), partial(self._watching.about, made))

    def told(self, sent: int) -> None:
        before, self._spent = self._spent, cpu_nanoseconds()
        self._watching.spend(self._spent - before, sent)

    def close(self) -> None:
        """Look no more. Twice is no error; and none when everything has ended meanwhile."""
        if not self._closed:
            self._closed = True
            if self._leave is not None:
                self._leave()
            try:
                self._watching.detach()
            except ProgramFault:  # it was closed, with all its viewers
                pass
