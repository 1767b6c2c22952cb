"""What the four kernel calls do differently, made the same.

``epoll`` refuses a descriptor that it knows already, ``poll`` silently takes it, ``select`` finds out at the next
call and fails as a whole. The rules of the contract (see ``poller.py``) that do not need the kernel are
kept here once, in the rare calls, so that a backend is only its own kernel call:

* one table of who is registered, and so the same two errors for "already" and "not" everywhere;
* **zero interest means not in the kernel**: ``epoll`` and ``poll`` report a hang-up even to a mask of 0, for
  ever, and a paused connection would spin;
* regular files and folders are always ready where the kernel refuses to watch them (``epoll_ctl(2)``: EPERM);
* a full batch starts where the last one ended, so that the tail of a long list is never starved.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from typing import Protocol

from poise.errors import AlreadyRegistered, NotRegistered, ProgramFault
from poise.limits import LoopLimits
from poise.readiness.interest import FAULTS, INTERESTS, READ, WRITE, show

Events = list[tuple[int, int]]

_LARGEST_DESCRIPTOR = 0x7FFF_FFFF  # a C int


class Poll(Protocol):
    """The type of ``Poller.poll``, which may be a method or the kernel's own bound one."""

    def __call__(self, timeout: float | None = None, maxevents: int = -1, /) -> Events:
        """Who is ready, as ``[(fd, mask), …]``."""


def waiting_time(timeout: float | None, longest: float) -> float | None:
    """``timeout`` in seconds as every kernel call takes it: None stays, below zero is 0, above ``longest`` is that.

    Raises ValueError for NaN, TypeError for what is no number.
    """
    if timeout is None:
        return None
    if math.isnan(timeout):
        raise ValueError("a timeout must be a number of seconds, not NaN")
    return min(max(timeout, 0.0), longest)


def check_descriptor(fd: int) -> None:
    """Raise TypeError or ValueError, the same on every backend, when ``fd`` cannot be a file descriptor."""
    if not isinstance(fd, int) or isinstance(fd, bool):
        raise TypeError(f"a descriptor is an int, not {type(fd).__name__}")
    if not 0 <= fd <= _LARGEST_DESCRIPTOR:
        raise ValueError(f"{fd} cannot be a descriptor")


def check_interest(mask: int) -> int:
    """``mask`` without the faults, which are always reported; TypeError or ValueError for what is no interest."""
    if not isinstance(mask, int) or isinstance(mask, bool):
        raise TypeError(f"a mask is an int, not {type(mask).__name__}")
    if mask & ~(INTERESTS | FAULTS):
        raise ValueError(f"{show(mask)} is no interest: only {show(INTERESTS)} can be asked for")
    return mask & INTERESTS


class Levelled:
    """The part of a poller that asks no kernel; a backend adds the few methods that do."""

    name = ""
    remade = 0

    def __init__(self, limits: LoopLimits) -> None:
        self._limits = limits
        self._interests: dict[int, int] = {}
        self._files: dict[int, int] = {}
        self._odd = 0
        self._last = -1
        self._closed = False

    def register(self, fd: int, mask: int) -> None:
        """Watch ``fd`` for ``mask``. AlreadyRegistered; OSError (EBADF) when ``fd`` is not open."""
        check_descriptor(fd)
        mask = check_interest(mask)
        self._check_open()
        if fd in self._interests:
            raise AlreadyRegistered(f"descriptor {fd} is registered already")
        if mask:
            self._watch(fd, mask)
        else:
            self._probe(fd)
        self._interests[fd] = mask

    def modify(self, fd: int, mask: int) -> None:
        """Watch the registered ``fd`` for ``mask`` from now on; 0 pauses it. NotRegistered."""
        before = self.interest(fd)
        mask = check_interest(mask)
        if mask == before:
            return
        if not mask:
            self._forget(fd)
        elif not before:
            self._watch(fd, mask)
        else:
            self._change(fd, mask)
        self._interests[fd] = mask

    def unregister(self, fd: int) -> None:
        """Stop watching ``fd``. NotRegistered. One that was closed too early is forgotten all the same."""
        mask = self.interest(fd)
        try:
            if mask:
                self._forget(fd)
        finally:
            del self._interests[fd]

    def interest(self, fd: int) -> int:
        """The mask that ``fd`` is registered with. NotRegistered."""
        check_descriptor(fd)
        try:
            return self._interests[fd]
        except KeyError:
            raise NotRegistered(f"descriptor {fd} is not registered") from None

    def fileno(self) -> int:
        """The descriptor by which another loop can watch this poller. ProgramFault when it has none."""
        raise ProgramFault(f"{self.name} has no descriptor of its own that another loop could watch")

    def close(self) -> None:
        """Forget everything and give the kernel's object back; further calls raise ValueError. May be repeated."""
        self._closed = True
        self._interests.clear()
        self._files.clear()

    def __len__(self) -> int:
        return len(self._interests)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'closed' if self._closed else f'{len(self)} registered'}>"

    def _watch(self, fd: int, mask: int) -> None:
        raise NotImplementedError

    def _change(self, fd: int, mask: int) -> None:
        raise NotImplementedError

    def _forget(self, fd: int) -> None:
        raise NotImplementedError

    def _ask(self, timeout: float | None, most: int) -> Events:
        raise NotImplementedError

    def _probe(self, fd: int) -> None:
        os.fstat(fd)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"this {self.name} poller is closed")

    def _most(self, maxevents: int) -> int:
        if maxevents == -1:
            return self._limits.events
        if maxevents < 1:
            raise ValueError(f"maxevents must be at least 1, not {maxevents}")
        return maxevents

    def _rotated(self, ready: Events, most: int) -> Events:
        """At most ``most`` events, beginning after the descriptor at which the last full batch ended."""
        if len(ready) <= most:
            return ready
        ready.sort()
        start = bisect_right(ready, self._last, key=_descriptor)
        batch = (ready[start:] + ready[:start])[:most]
        self._last = batch[-1][0]
        return batch

    def _beside_files(self, timeout: float | None, most: int) -> Events:
        """What the kernel has to say, and always-ready files: each gets about half of a full batch.

        The kernel is asked for no more than will be used: epoll moves what it has reported to the end of its
        own queue, and would starve whatever is thrown away here.
        """
        ready = [(fd, mask) for fd, mask in self._files.items() if mask]
        if not ready:
            return self._ask(timeout, most)
        share = (most + self._odd) // 2
        self._odd ^= 1
        files = self._rotated(ready, share) if share else []
        room = most - len(files)
        return files + (self._ask(0, room) if room else [])

    def _set_file(self, fd: int, mask: int) -> None:
        self._files[fd] = mask & (READ | WRITE)


def _descriptor(event: tuple[int, int]) -> int:
    return event[0]
