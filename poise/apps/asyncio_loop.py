"""An asyncio loop, as those who look at a reactor ask one: who is registered, with which handler, and what is due.

Nothing is kept here: every answer is the loop's own, at the moment that it is asked, from whichever thread. What changes in that
moment is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

from poise.errors import ProgramFault
from poise.loop.clock import RealClock
from poise.readiness.interest import READ, WRITE

Handler = Callable[[int], None]

EVENT_READ: Final = 1  # selectors.EVENT_READ
NOTHING_DUE: Final = 1023  # entries of a heap that are looked at: its ten smallest are among them
DEEPEST: Final = 4  # protocols one above the other; more is a ring


class Ear:
    """What hears of a descriptor: callable as a handler, named for people, and owned by a transport where there is one."""

    __slots__ = ("__self__", "_callback", "__qualname__")

    def __init__(self, callback: Callable[..., object]) -> None:
        owner = getattr(callback, "__self__", None)
        self._callback = callback
        self.__self__ = owner if hasattr(owner, "get_write_buffer_size") else None
        self.__qualname__ = of_transport(owner) or name_of_call(callback)

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
    """``loop``, one of asyncio's own that wait with a selector. ProgramFault for others, whose inside cannot be seen."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        if not isinstance(loop, asyncio.selector_events.BaseSelectorEventLoop):
            kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
            raise ProgramFault(
                f"{kind} cannot be watched: only asyncio's own selector loops can"
                " (uvicorn: --loop asyncio; elsewhere leave out uvloop.install())"
            )
        self.loop: Any = loop
        self.clock = RealClock()
        self.poller = Kernel(loop)
        self.timers = Scheduled(loop)
        self.deadlines = NoDeadlines()
        self.at_close: list[Callable[[], object]] = []
        self.call_soon_threadsafe = loop.call_soon_threadsafe
        self._handlers = Registered(loop)
        self._wakeup = self.loop._ssock

    def check_open(self) -> None:
        """Raises ProgramFault when the loop is closed."""
        if self.loop.is_closed():
            raise ProgramFault("this asyncio loop is closed")
