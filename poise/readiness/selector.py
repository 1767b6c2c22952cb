"""Each poller as a ``selectors.BaseSelector``, so that what is written for the standard library runs on it.

    loop = asyncio.SelectorEventLoop(PoiseSelector("poll"))

The differences between the two contracts, all met here:

* A selector knows *file objects* and remembers data for each; a poller knows numbers. A file object that was
  closed too early has no number any more and is found by identity, so that it can still be unregistered.
* A selector's two events are EVENT_READ and EVENT_WRITE; the numbers are not those of a mask. A fault wakes both
  the reader and the writer, whichever there is: they meet the error when they read or write.
* Registering twice and unregistering the unknown are KeyError, and a number that is no descriptor is ValueError.
* ``select`` takes any timeout; below zero does not wait. It may return empty-handed earlier than asked for when the
  timeout is longer than LoopLimits.longest_wait.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from poise.errors import ProgramFault
from poise.limits import LoopLimits
from poise.readiness.interest import READ, WRITE
from poise.readiness.poller import Poller, choose, waiting_time

EVENTS = selectors.EVENT_READ | selectors.EVENT_WRITE


class PoiseSelector(selectors.BaseSelector):
    """A poller with the interface of the standard library's selectors.

    ``poller`` is a name (``"epoll"``, ``"kqueue"``, ``"poll"``, ``"select"``), a poller that is not used otherwise, or
    None for the best that the machine has. Raises what ``choose`` raises. ``close`` closes the poller too.
    """

    def __init__(self, poller: str | Poller | None = None, *, limits: LoopLimits | None = None) -> None:
        self._limits = limits or LoopLimits()
        self.poller: Poller = (
            choose(poller, self._limits) if poller is None or isinstance(poller, str) else poller
        )
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._map: _Keys | None = _Keys(self)
        with suppress(ProgramFault):
            self.poller.fileno()
            self.fileno = self.poller.fileno

    fileno: Callable[[], int]
    """The descriptor by which another loop can watch this selector; absent, as in the standard library, without one."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch ``fileobj``. ValueError for odd events or what has no descriptor, KeyError when it is watched already.

        OSError when the poller refuses it: EBADF, or a descriptor beyond the set of ``select``.
        """
        mask = _mask(events)
        key = selectors.SelectorKey(fileobj, self._find(fileobj), events, data)
        if key.fd in self._keys:
            raise KeyError(f"{fileobj!r} (descriptor {key.fd}) is already registered")
        self.poller.register(key.fd, mask)
        self._keys[key.fd] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Stop watching ``fileobj``, which may be closed by now. KeyError, or ValueError for what has no descriptor."""
        key = self._key(fileobj)
        del self._keys[key.fd]
        self.poller.unregister(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch ``fileobj`` for other events, with other data. Raises what ``register`` and ``unregister`` raise."""
        mask = _mask(events)
        key = self._key(fileobj)
        if events != key.events:
            try:
                self.poller.modify(key.fd, mask)
            except Exception:  # closed, or beyond the poller's reach: it is not watched any more
                self.unregister(fileobj)
                raise
        key = self._keys[key.fd] = key._replace(events=events, data=data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Who is ready, waiting for at most ``timeout`` seconds (None: until somebody is; 0 or less: not at all)."""
        seconds = waiting_time(timeout, self._limits.longest_wait)
        ready = []
        # Room for two at least: files that are always ready get half of a batch.
        for fd, mask in self.poller.poll(seconds, max(len(self._keys), 2)):
            # What is not "may write" concerns the reader, and what is not "may read" the writer: faults both.
            events = (selectors.EVENT_READ if mask & ~WRITE else 0) | (
                selectors.EVENT_WRITE if mask & ~READ else 0
            )
            key = self._keys[fd]
            events &= key.events
            if events:
                ready.append((key, events))
        return ready

    def close(self) -> None:
        """Forget everything and close the poller; may be repeated."""
        self._keys.clear()
        self._map = None
        self.poller.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """File object (or descriptor) → key; iterating gives descriptors. None once closed, as in the standard library."""
        return self._map  # type: ignore[return-value]  # None after close(), which typeshed leaves out

    def _key(self, fileobj: Any) -> selectors.SelectorKey:
        try:
            return self._keys[self._find(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def _find(self, fileobj: Any) -> int:
        """The number of ``fileobj``; of a closed one, that under which it was registered. ValueError."""
        try:
            return _descriptor(fileobj)
        except ValueError:
            for key in self._keys.values():
                if key.fileobj is fileobj:
                    return key.fd
            raise

    def __repr__(self) -> str:
        return f"<PoiseSelector on {self.poller!r}>"


class _Keys(Mapping[Any, selectors.SelectorKey]):
    """What ``get_map`` gives: a live view."""

    def __init__(self, selector: PoiseSelector) -> None:
        self._selector = selector

    def __len__(self) -> int:
        return len(self._selector._keys)

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector._key(fileobj)

    def __iter__(self) -> Iterator[int]:
        return iter(self._selector._keys)


def _mask(events: int) -> int:
    if not events or events & ~EVENTS:
        raise ValueError(f"{events!r} is neither EVENT_READ nor EVENT_WRITE nor both")
    return (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0)


def _descriptor(fileobj: Any) -> int:
    if isinstance(fileobj, int):
        fd = fileobj
    else:
        try:
            fd = int(fileobj.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"{fileobj!r} is no file object: it has no descriptor") from None
    if fd < 0:
        raise ValueError(f"{fd} cannot be a descriptor")
    return fd
