"""What the reactor asks of another loop in which it is a guest.

Alone, the reactor waits for itself. As a guest it must not: the host waits, and gives a turn when the poller's
descriptor is readable or when ``Reactor.next_due`` has come. So whatever brings that moment forward between two
turns has to be told to the host. Each of these is one test of an attribute on a path that is not the hot one.
"""

from __future__ import annotations

from typing import Protocol

from poise.loop.signals import Signals


class Host(Protocol):
    """Another loop that waits in our place and gives the turns (``apps/embed.py``)."""

    def sooner(self) -> None:
        """The next turn is due sooner than ``Reactor.next_due`` has said before; it may be said during a turn."""

    def stop(self) -> None:
        """``Reactor.stop`` was called: give no more turns after the present one."""

    @property
    def signals(self) -> Signals:
        """Signals as callbacks; they are the host's, who has its own way to be woken by them."""
