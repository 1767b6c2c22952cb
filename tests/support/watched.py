"""A reactor that runs in a thread of its own while it is watched, and what the watching says of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from poise.limits.seeing import SeeingLimits
from poise.loop.reactor import Reactor
from poise.loop.seat import Level
from poise.readiness.poller import Poller
from poise.seeing.state import Cursor
from poise.seeing.watching import Watching

T = TypeVar("T")
PATIENCE = 20.0  # seconds


class Watched:
    """A running reactor and its watching, with one viewer."""

    def __init__(self, reactor: Reactor, watching: Watching) -> None:
        self.reactor = reactor
        self.watching = watching
        self.cursor = Cursor()
        self.stalls: list[dict[str, Any]] = []

    def do(self, call: Callable[[], T]) -> T:
        """Have it called on the loop, and wait for what it returns."""
        outcome: list[T] = []
        done = threading.Event()

        def run() -> None:
            outcome.append(call())
            done.set()

        self.reactor.call_soon_threadsafe(run)
        assert done.wait(PATIENCE)
        return outcome[0]

    def state(self) -> dict[str, Any]:
        told = self.watching.state(self.cursor)
        self.stalls += told["stalls"]
        return told

    def until(self, judge: Callable[[dict[str, Any]], T | None]) -> T:
        """Ask again and again until ``judge`` finds something in a state."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = judge(self.state())
            if found:
                return found
            time.sleep(0.01)  # a viewer asks: nobody tells it
        raise AssertionError(f"never said; last: {self.watching.state(Cursor())}")

    def lint(self, id: str) -> dict[str, Any]:  # noqa: A002 - as in the State
        """Wait until it is found."""

        def found(told: dict[str, Any]) -> dict[str, Any] | None:
            return next((each for each in told["lints"] if each["id"] == id), None)

        return self.until(found)

    def stall(self) -> dict[str, Any]:
        """Wait for the first stall that is over."""
        return self.until(lambda told: self.stalls[0] if self.stalls else None)


@contextmanager
def watched(
    poller: str | Poller | None = None,
    level: Level = Level.RECORDER,
    limits: SeeingLimits | None = None,
    *,
    stacks: bool = False,
) -> Iterator[Watched]:
    """What is registered by ``do`` is unregistered or closed there, too, before the end."""
    errors: list[Exception] = []
    reactor = Reactor(poller, on_error=errors.append)
    watching = Watching(reactor, limits, stacks=stacks)
    watching.set_level(level)
    watching.attach()
    thread = threading.Thread(target=reactor.run)
    thread.start()
    try:
        seen = Watched(reactor, watching)
        seen.until(lambda told: told["level"] != "off")
        yield seen
    finally:
        reactor.call_soon_threadsafe(reactor.stop)
        thread.join(PATIENCE)
        reactor.close()
    assert errors == []
