"""Turning until nothing more happens: bounded by turns, not by time, and a loop that spins is found out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor

TURNS = 20_000  # to the end of one script
QUIET = 6  # turns without anything new, after which only time can help
HOPELESS = 40  # of them, with half a minute gone by
BUSY = 1000  # turns in which somebody is ready and nothing that can be seen comes of it
PAUSE = 0.01  # seconds; what the kernel does by itself, delayed acknowledgements for one, takes some


def settle(
    reactor: Reactor,
    clock: ManualClock,
    condition: Callable[[], object],
    state: Callable[[], Any],
    turned: Callable[[], object] = lambda: None,
) -> None:
    """Turn until ``condition()``, and call ``turned()`` after each turn; the clock goes on when nothing else does.

    ``state()`` is everything that changes while there is progress.
    """
    quiet = busy = 0
    for _ in range(TURNS):
        if condition():
            return
        before = state()
        reactor.turn(PAUSE if quiet else 0.0)
        turned()
        if state() != before:
            quiet = busy = 0
        elif reactor.poller.poll(0.0):
            busy += 1
            assert busy < BUSY, f"the loop spins: {state()}"
        else:
            quiet += 1
            assert quiet < HOPELESS, f"nothing more happens: {state()}"
            if quiet > QUIET:
                clock.advance(1.0)
    raise AssertionError(f"no end: {state()}")


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """For each example; the fixture that counts descriptors sees only a whole test."""
    before = _open_descriptors()
    yield
    assert _open_descriptors() == before


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
