"""The contract of a poller, and the choice of the best one.

The contract is the interface that ``select.poll`` and ``select.epoll`` share, with the timeout in seconds:

* A mask is made of the bits of ``interest.py``. Registering twice raises AlreadyRegistered; changing or removing
  what is unknown raises NotRegistered; a descriptor that is not open raises OSError with EBADF.
* Readiness is level-triggered: what stays ready is reported again.
* Zero interest keeps the registration, and the kernel is not asked about it: not even a hang-up is reported.
* Faults are reported without being asked for, by the backends that can tell them. ``select`` cannot: it reports
  a fault as READ and WRITE, as far as they were asked for. Who reads or writes then meets the error itself. So what
  the backends agree on is *progress*, not masks.
* A regular file or a folder is always ready.
* Unregister before you close. When it is forgotten, ``select`` and ``poll`` report INVALID until the descriptor is
  unregistered; ``epoll`` and ``kqueue`` forget it in silence. The others are served all the while.
* ``poll(timeout, maxevents)`` waits for at most ``timeout`` seconds, rounded up to what the kernel can count:
  never shorter. None waits for ever, 0 does not wait. **A timeout lies between 0 and LoopLimits.longest_wait**:
  ``epoll`` takes a negative one for "for ever" and fails on a huge one, and its ``poll`` is the kernel's own method
  with nothing in between, because this is the one call that every turn makes. Whoever has a number of unknown origin
  passes it through :func:`waiting_time`. ``maxevents`` bounds the batch; -1 leaves the bound to the backend.
  A signal whose Python handler returns does not end the wait (PEP 475).
* Look ``poll`` up anew for each call: a backend swaps it while something unusual is registered.
* A poller belongs to one thread and one process.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.readiness.levelling import Events, Poll, waiting_time

__all__ = ["BEST_FIRST", "Events", "Poll", "Poller", "available", "choose", "waiting_time"]


class Poller(Protocol):
    """Who is ready? See the module for what each method promises."""

    @property
    def name(self) -> str:
        """The name in the best-first table."""

    @property
    def remade(self) -> int:
        """How often the kernel's object behind ``fileno()`` was replaced: who watches it must then watch it anew."""

    @property
    def poll(self) -> Poll:
        """``poll(timeout, maxevents)``: who is ready. To be looked up anew for each call."""

    def register(self, fd: int, mask: int) -> None:
        """Watch ``fd`` for ``mask``."""

    def modify(self, fd: int, mask: int) -> None:
        """Watch ``fd`` for another mask; 0 pauses it."""

    def unregister(self, fd: int) -> None:
        """Stop watching ``fd``."""

    def interest(self, fd: int) -> int:
        """The mask that ``fd`` is registered with."""

    def fileno(self) -> int:
        """The descriptor by which another loop can watch this poller; ProgramFault without one."""

    def close(self) -> None:
        """Give everything back; may be repeated."""

    def __len__(self) -> int:
        """How many descriptors are registered, paused ones included."""


# A program waits with one of them, and loads that one.


def by_epoll(limits: LoopLimits) -> Poller:
    from poise.readiness.by_epoll import ByEpoll

    return ByEpoll(limits)


def by_kqueue(limits: LoopLimits) -> Poller:
    from poise.readiness.by_kqueue import ByKqueue

    return ByKqueue(limits)


def by_poll(limits: LoopLimits) -> Poller:
    from poise.readiness.by_poll import ByPoll

    return ByPoll(limits)


def by_select(limits: LoopLimits) -> Poller:
    from poise.readiness.by_select import BySelect

    return BySelect(limits)


BEST_FIRST: dict[str, Callable[[LoopLimits], Poller]] = {
    "epoll": by_epoll,
    "kqueue": by_kqueue,
    "poll": by_poll,
    "select": by_select,
}

# Out of descriptors or memory is no reason to go on quietly with a slower backend.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def choose(name: str | None = None, limits: LoopLimits | None = None) -> Poller:
    """The best poller that this machine has, found by trying the call, or the one called ``name``.

    Raises ValueError for a name that is none, MachineFault for one that this machine has not; both say what there is.
    """
    limits = limits or LoopLimits()
    if name is None:
        for candidate in BEST_FIRST:
            poller = _try(candidate, limits)
            if poller is not None:
                return poller
        raise MachineFault(errno.ENOSYS, "this machine has no poller at all")
    if name not in BEST_FIRST:
        raise ValueError(f"there is no poller {name!r}; this machine has {', '.join(available())}")
    poller = _try(name, limits)
    if poller is None:
        raise MachineFault(errno.ENOSYS, f"this machine has no {name}; it has {', '.join(available())}")
    return poller


def available() -> tuple[str, ...]:
    """The names of the pollers that work on this machine, best first."""
    found = []
    for name in BEST_FIRST:
        poller = _try(name, LoopLimits())
        if poller is not None:
            poller.close()
            found.append(name)
    return tuple(found)


def _try(name: str, limits: LoopLimits) -> Poller | None:
    try:
        return BEST_FIRST[name](limits)
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        return None
