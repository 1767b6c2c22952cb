"""The loops that a reactor can be a guest of, by name; one that is not installed is skipped by that name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from poise.errors import ProgramFault
from poise.readiness.poller import available, choose

T = TypeVar("T")
HOSTS = ("asyncio", "uvloop")


def run_in(host: str, main: Callable[[], Coroutine[Any, Any, T]], patience: float = 20.0) -> T:
    """``asyncio.run`` on the loop called ``host``; TimeoutError when it takes longer than ``patience`` seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(patience):
            return await main()

    with asyncio.Runner(loop_factory=factory(host)) as runner:
        return runner.run(bounded())


def factory(host: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if host == "asyncio":
        return asyncio.new_event_loop
    uvloop = pytest.importorskip("uvloop")
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def has_descriptor(poller: str) -> bool:
    made = choose(poller)
    try:
        made.fileno()
    except ProgramFault:
        return False
    finally:
        made.close()
    return True


GUESTS = tuple(name for name in available() if has_descriptor(name))
OTHERS = tuple(name for name in available() if name not in GUESTS)
