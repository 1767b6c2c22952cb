"""One watching for each reactor, however many doors lead to it: two would write everything down twice."""

from __future__ import annotations

import threading
import weakref

from poise.loop.reactor import Reactor
from poise.seeing.watching import Watching

_lock = threading.Lock()
_watchings: weakref.WeakKeyDictionary[Reactor, Watching] = weakref.WeakKeyDictionary()


def watching_of(reactor: Reactor) -> Watching:
    """The one that watches ``reactor``, made on first use. From any thread."""
    with _lock:
        found = _watchings.get(reactor)
        if found is None:
            found = _watchings[reactor] = Watching(reactor)
        return found
