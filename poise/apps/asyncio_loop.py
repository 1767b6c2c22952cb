"""An asyncio loop, as those who look at a reactor ask one: who is registered, with which handler, and what is due.

Nothing is kept here: every answer is the loop's own, at the moment that it is asked, from whichever thread. What changes in that
moment is left out.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from poise.errors import ProgramFault
from poise.loop.clock import RealClock
from poise.readiness.interest import READ, WRITE

AnyLoop = asyncio.AbstractEventLoop

EVENT_READ: Final = 1  # selectors.EVENT_READ
NOTHING_DUE: Final = 1023  # entries of a heap that are looked at: its ten smallest are among them
DEEPEST: Final = 4  # protocols one above the other; more is a ring


class SelfPipe:
    """By which an asyncio loop wakes itself, for calls from other threads and for signals."""


WAKER: Final = SelfPipe()


class Ear:
    """What hears of a descriptor: callable as a handler, named for people, and owned by a transport where there is one."""

    __slots__ = ("__qualname__", "__self__", "_callback")

    def __init__(self, callback: Callable[..., object]) -> None:
        owner = getattr(callback, "__self__", None)
        self._callback = callback
        self.__self__: Any = owner if hasattr(owner, "get_write_buffer_size") else None
        name = of_transport(owner) or name_of_call(callback)
        if name.endswith("EventLoop._read_from_self"):
            self.__self__ = WAKER
        self.__qualname__ = "accept" if name.endswith("._accept_connection") else name

    def __call__(self, mask: int) -> None:
        """Nobody calls it: the loop has handles for that."""
        del mask
        self._callback()


def of_transport(owner: Any) -> str:
    """``RequestHandler.data_received``: the protocol on top of the transport ``owner``; empty when it is none."""
    protocol = None
    for _ in range(DEEPEST):
        ask = getattr(owner, "get_protocol", None)
        if ask is None:
            break
        protocol = ask()
        owner = getattr(protocol, "_app_transport", None)  # of TLS
    if protocol is None:
        return ""
    method = "buffer_updated" if hasattr(protocol, "get_buffer") else "data_received"
    return f"{type(protocol).__qualname__}.{method}"


def name_of_call(callback: Any) -> str:
    """What ``callback`` is called for people: a task by its coroutine's own name."""
    owner = getattr(callback, "__self__", None)
    ask = getattr(owner, "get_coro", None)
    if ask is not None:
        callback = ask()
    name = getattr(callback, "__qualname__", None)
    if name is None:
        inner = getattr(callback, "func", None)  # functools.partial
        return name_of_call(inner) if inner is not None else type(callback).__qualname__
    return str(name)


class Registered:
    """The descriptors of the loop's selector, as the mapping ``fd → handler`` that a reactor has."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._map()))

    def get(self, fd: int, default: Any = None) -> Any:
        """The handler of ``fd``, an :class:`Ear`."""
        key = self._map().get(fd)
        if key is None:
            return default
        handle = next((each for each in key.data or () if each is not None), None)
        callback = getattr(handle, "_callback", None)
        return default if callback is None else Ear(callback)

    def __getitem__(self, fd: int) -> Any:
        found = self.get(fd)
        if found is None:
            raise KeyError(fd)
        return found

    def __contains__(self, fd: object) -> bool:
        return isinstance(fd, int) and fd in self._map()

    def __len__(self) -> int:
        return len(self._map())

    def _map(self) -> Any:
        return self._loop._selector.get_map() or {}


class Kernel:
    """The selector of the loop: its name, and what is wanted of a descriptor."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.name = type(loop._selector).__name__.removesuffix("Selector").lower()

    def interest(self, fd: int) -> int:
        """The mask in the bits of poll(2); 0 when it is not watched."""
        key = (self._loop._selector.get_map() or {}).get(fd)
        return 0 if key is None else mask_of(key.events)


def mask_of(events: int) -> int:
    """The bits of poll(2) for those of ``selectors``."""
    return (READ if events & EVENT_READ else 0) | (WRITE if events & ~EVENT_READ else 0)


class Due:
    """A call of the future."""

    __slots__ = ("callback",)

    def __init__(self, handle: Any) -> None:
        self.callback = None if handle._cancelled else Ear(handle._callback)


class Scheduled:
    """The timers of the loop, as those of a reactor."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    @property
    def _heap(self) -> list[tuple[float, int, Due]]:
        return [(handle._when, 0, Due(handle)) for handle in self._loop._scheduled[:NOTHING_DUE]]

    def __len__(self) -> int:
        return len(self._loop._scheduled)


class NoDeadlines:
    """asyncio has timers only."""

    _queues: Final[dict[float, Any]] = {}

    def __len__(self) -> int:
        return 0


class AsyncioLoop:
    """``loop``, or the running one, if it is one of asyncio's own that wait with a selector.

    ProgramFault for others, whose inside cannot be seen; RuntimeError when none is running.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        given: Any = loop if loop is not None else asyncio.get_running_loop()
        if not isinstance(given, asyncio.selector_events.BaseSelectorEventLoop):
            kind = f"{type(given).__module__}.{type(given).__qualname__}"
            raise ProgramFault(
                f"a loop of the kind {kind} cannot be watched, only asyncio's own that wait with a selector"
                " (uvicorn: --loop asyncio)"
            )
        self.loop = cast("Any", given)  # of which more is used here than its interface
        self.clock = RealClock()
        self.poller = Kernel(self.loop)
        self.timers = Scheduled(self.loop)
        self.deadlines = NoDeadlines()
        self.at_close: list[Callable[[], object]] = []
        """Called when the loop closes, the last one first."""
        self._handlers = Registered(self.loop)
        self._wakeup = self.loop._ssock
        self._process = os.getpid()

    def hold(self) -> None:
        """Hear of the loop's end, until ``release()``."""
        self.loop.close = self._closing

    def check_open(self) -> None:
        """Raises ProgramFault when the loop is closed."""
        if self.loop.is_closed():
            raise ProgramFault("this asyncio loop is closed")

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> None:
        """As the loop's own; after its close it has no effect."""
        try:
            self.loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def release(self) -> None:
        """Hear no more of the loop's end. Twice is no error."""
        self.loop.__dict__.pop("close", None)

    def _closing(self) -> None:
        while self.at_close and os.getpid() == self._process:  # a forked child has nothing of ours to end
            self.at_close.pop()()
        self.release()
        self.loop.close()


def each_first_run(told: Callable[[asyncio.AbstractEventLoop], object]) -> None:
    """Call ``told(loop)`` when one of asyncio's own loops runs for the first time, before it does. For all that are made."""
    known: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
    run_forever = asyncio.BaseEventLoop.run_forever

    def run(loop: asyncio.BaseEventLoop) -> None:
        if loop not in known:
            known.add(loop)
            told(loop)
        run_forever(loop)

    asyncio.BaseEventLoop.run_forever = run  # type: ignore[method-assign, assignment]  # a program is to need no change
