"""A reactor as the guest of an asyncio loop, uvloop's included: one readable descriptor and one timer there.

    async def main() -> None:
        with Reactor() as reactor, embed(reactor):
            listen(reactor, ("127.0.0.1", 8000), Echo)
            await …  # anything of asyncio's; both live in one thread

An epoll or a kqueue is itself a descriptor, readable while somebody in it is ready. So the host watches one number, however
many connections the guest has, and gives the guest a turn, which waits for nothing:

* when that descriptor is readable, which a call from another thread brings about like in any reactor;
* when the guest's nearest timer or deadline has come: one timer of the host, set to that moment;
* in the host's next round, while calls are posted. A guest that posts calls without end gets one turn each round.

Between turns the guest hears nothing of the host and the host nothing of the guest, except what brings the next turn
forward (``poise.loop.host``). An idle guest never wakes its host.

uvloop counts whole milliseconds, so a wait is rounded up to them. It may still wake the guest one early; by the guest's
own clock nothing is due then, and the rest is waited for: a guest's timer is never early. A poller may replace the kernel's object behind its descriptor (``Poller.remade``), which drops it
from the host's set without a word; it is then watched anew.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from contextlib import suppress

from poise.errors import NotRegistered, ProgramFault
from poise.loop.reactor import Reactor
from poise.loop.signals import Signals, check_callback


def embed(reactor: Reactor, loop: asyncio.AbstractEventLoop | None = None) -> Embedded:
    """Let ``loop`` (the running one) run ``reactor`` from now on; call it in that loop's thread.

    Meanwhile ``Reactor.run`` is refused, ``Reactor.stop`` ends the embedding, and ``Reactor.signals`` are the host's.

    Raises ProgramFault for a poller without a descriptor (``select``, ``poll``) and for a reactor that is a guest already,
    ValueError when it is closed, RuntimeError when no loop is running.
    """
    return Embedded(reactor, loop if loop is not None else asyncio.get_running_loop())


class Embedded:
    """A guest and its host. Whichever of the two is closed first, the other goes on without it.

    A reactor whose host was closed gets no more turns; once ``close`` was called it may ``run`` by itself.
    """

    def __init__(self, reactor: Reactor, loop: asyncio.AbstractEventLoop) -> None:
        if reactor.host is not None:
            raise ProgramFault("this reactor is the guest of a loop already")
        self.reactor = reactor
        self.loop = loop
        self.signals: Signals = HostSignals(reactor, loop)
        self._fd = reactor.poller.fileno()
        self._remade = reactor.poller.remade
        # The guest's callbacks run in the context of this moment, not in that of whoever happened to post a call.
        self._context = contextvars.copy_context()
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # what that timer is set to, by the guest's clock
        self._soon: asyncio.Handle | None = None
        self._turning = False
        self._ended = asyncio.Event()
        self._context.run(loop.add_reader, self._fd, self._turn)
        reactor.host = self
        reactor.timers.on_sooner = reactor.deadlines.on_sooner = self.sooner
        reactor.at_close.append(self.close)
        self._arm()

    @property
    def closed(self) -> bool:
        """Whether the host gives no more turns."""
        return self._ended.is_set()

    def close(self) -> None:
        """The host lets go of the reactor, which may run by itself again. May be repeated, and called in a turn."""
        if self.closed:
            return
        reactor, loop = self.reactor, self.loop
        reactor.host = reactor.timers.on_sooner = reactor.deadlines.on_sooner = None
        with suppress(ValueError):  # it is the reactor that closes
            reactor.at_close.remove(self.close)
        self._set_timer(math.inf)
        self._call_off()
        if not loop.is_closed():  # a closed one has forgotten us
            loop.remove_reader(self._fd)
            self.signals.close()
        self._ended.set()

    async def wait_closed(self) -> None:
        """Wait until the reactor was stopped or closed, or the embedding was."""
        await self._ended.wait()

    # -- what the reactor says -------------------------------------------------------------------

    def sooner(self) -> None:
        """Bring the next turn forward; during a turn it is looked at afterwards."""
        if not self._turning and not self.loop.is_closed():
            self._arm()

    def stop(self) -> None:
        """Give no more turns after the present one."""
        self.close()

    # -- what the host calls ---------------------------------------------------------------------

    def _turn(self) -> None:
        self._call_off()
        self._turning = True
        try:
            self.reactor.turn(0)
        except Exception:  # not a callback's, whose errors the reactor keeps: no turn is possible any more
            self.close()
            raise
        finally:
            self._turning = False
            if not self.closed:
                self._arm()

    def _on_timer(self) -> None:
        self._timer, self._due = None, math.inf
        self._turn()

    def _arm(self) -> None:
        """Have the host wake for what the guest waits for."""
        if self._remade != self.reactor.poller.remade:
            self._remade = self.reactor.poller.remade
            self.loop.remove_reader(self._fd)
            # A copy, as the host runs a reader in one: this turn may be running in the very context itself.
            self._context.copy().run(self.loop.add_reader, self._fd, self._turn)
        due = self.reactor.next_due
        if due == -math.inf:
            if self._soon is None:
                self._soon = self.loop.call_soon(self._turn, context=self._context)
        elif due < self._due or due == math.inf:
            # One that was put off is left as it is: one turn too many is cheaper than a new timer for each.
            self._set_timer(due)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due != math.inf:
            wait = max(0.0, due - self.reactor.clock.monotonic())
            rounded = math.ceil(wait * 1000) / 1000
            self._timer = self.loop.call_later(rounded, self._on_timer, context=self._context)

    def _call_off(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Embedded {'closed' if self.closed else 'open'} {self.reactor!r}>"


class HostSignals(Signals):
    """Signals that the host catches and the guest's callbacks hear.

    ``remove`` leaves the signal to Python's default, as ``loop.remove_signal_handler`` does.
    """

    def __init__(self, reactor: Reactor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reactor.call_soon_threadsafe, -1)
        self._loop = loop

    def add(self, signum: int, callback: Callable[[], object]) -> None:
        """Call ``callback()`` on the loop when ``signum`` arrives; it replaces the host's handler, if it had one.

        Raises ValueError for what is no signal, cannot be caught, or outside of the main thread, TypeError for no callback.
        """
        check_callback(callback)
        try:
            self._loop.add_signal_handler(signum, self._caught, signum, None)
        except RuntimeError as error:
            raise ValueError(f"signal {signum} cannot be caught: {error}") from error
        self._callbacks[signum] = callback

    def remove(self, signum: int) -> None:
        if signum not in self._callbacks:
            raise NotRegistered(f"signal {signum} has no callback here")
        del self._callbacks[signum]
        self._pending.discard(signum)
        self._loop.remove_signal_handler(signum)
