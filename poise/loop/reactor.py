"""The reactor: ask the kernel who is ready, serve them, ask again.

One turn, always in this order:

1. wait for readiness, no longer than the nearest timer or deadline (not at all while calls are posted);
2. call the handler of each ``(fd, mask)`` with the mask;
3. run what is due: timers, then deadlines;
4. run the calls that were posted before the handlers ran (so neither a call that posts itself can starve I/O, nor a
   connection that is taken up again for the rest of its input gets two shares of one turn);
5. close what was retired.

Rules that the rooms above rely on:

* **Retire, then close.** A descriptor that we own leaves the poller at once and is closed at the end of the
  turn, so the kernel cannot hand its number out again while events for the old one are still in the batch.
* **Interest of now.** A handler hears only what is wanted at the moment of the call: registrations that
  changed during the batch have their mask cut, those that were made during it hear nothing from it. The kernel
  is level-triggered, so whatever is still true is said again in the next turn.
* **One clock reading per turn** is enough for everyone: it is ``reactor.now``.
* **Errors go to one place** (``on_error``) and never end the loop. The owner of a method that raised is told by its
  ``fail(error)`` if it has one; any other descriptor is unregistered, or the kernel would call it again for ever.
* **A reactor belongs to the process that made it.** An epoll or kqueue is shared across ``fork``: what a
  child unregisters is gone for its parent too. So a child's copy is closed: nothing begins on it any more.
"""

from __future__ import annotations

import math
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from poise.errors import NotRegistered, ProgramFault
from poise.limits import LoopLimits
from poise.loop.clock import Clock, RealClock
from poise.loop.handle import Handle
from poise.loop.signals import Signals
from poise.loop.timers import Deadline, Deadlines, TimerHandle, Timers
from poise.loop.wakeup import Wakeup
from poise.readiness.interest import FAULTS, READ, show
from poise.readiness.poller import Poller, choose

if TYPE_CHECKING:
    from poise.loop.host import Host
    from poise.loop.offload import Pools

Handler = Callable[[int], None]
OnError = Callable[[Exception], None]


class Closable(Protocol):
    """What ``retire`` takes: a socket, a file, anything with a descriptor that closes."""

    def fileno(self) -> int:
        """The descriptor."""

    def close(self) -> None:
        """Let go of it."""


def print_error(error: Exception) -> None:
    """Our fault is loud: the traceback goes to stderr."""
    sys.excepthook(type(error), error, error.__traceback__)


class Reactor:
    """One readiness loop.

    ``poller`` is a name (``"epoll"``, ``"kqueue"``, ``"poll"``, ``"select"``), a poller, or None for the best
    that the machine has. ``on_error`` is called with every exception that a callback lets escape.

    ``now`` is the monotonic time, in seconds, at which the present (or the last) turn began to handle its events.
    """

    def __init__(
        self,
        poller: str | Poller | None = None,
        *,
        clock: Clock | None = None,
        limits: LoopLimits | None = None,
        on_error: OnError = print_error,
    ) -> None:
        self.clock: Clock = clock if clock is not None else RealClock()
        self.limits = limits if limits is not None else LoopLimits()
        self.on_error = on_error
        self.poller: Poller = (
            choose(poller, self.limits) if poller is None or isinstance(poller, str) else poller
        )
        self.now = self.clock.monotonic()
        self.timers = Timers(self.limits)
        self.deadlines = Deadlines(self.limits)
        self._handlers: dict[int, Handler] = {}
        self._changed: dict[int, bool] = {}  # fd → made anew; only what happened since the last wait
        self._posted: deque[Handle | TimerHandle | Deadline] = deque()
        self._retired: list[Closable] = []
        self._in_turn = False
        self._stopping = False
        self._closed = False
        self._signals: Signals | None = None
        self.host: Host | None = None
        self.pools: Pools | None = None  # of ``offload``, on first use
        self.at_close: list[Callable[[], object]] = []
        """Called when the reactor closes, the last one first, while everything still works."""
        self._wakeup = Wakeup()
        self._handlers[self._wakeup.fileno()] = self._woken
        self.poller.register(self._wakeup.fileno(), READ)
        _alive.add(self)

    # -- descriptors -----------------------------------------------------------------------------

    def register(self, fd: int, mask: int, handler: Handler) -> None:
        """Call ``handler(mask)`` whenever ``fd`` is ready for something in ``mask``, or has a fault.

        Raises AlreadyRegistered, or what the kernel says (EBADF; FD_SETSIZE with select).
        """
        self.poller.register(fd, mask)
        self._handlers[fd] = handler
        self._changed[fd] = True

    def modify(self, fd: int, mask: int) -> None:
        """Change what ``fd`` is watched for; 0 keeps the registration but asks the kernel nothing."""
        self.poller.modify(fd, mask)
        self._changed.setdefault(fd, False)

    def unregister(self, fd: int) -> None:
        """Hear no more of ``fd``, not even from the batch that is being handled. Raises NotRegistered."""
        if self._handlers.pop(fd, _refuse) is _refuse:
            raise NotRegistered(f"descriptor {fd} is not registered with this reactor")
        self._changed[fd] = True
        self.poller.unregister(fd)

    def retire(self, owned: Closable) -> None:
        """Unregister a descriptor that we own and close it once no event of this batch can name it."""
        fd = owned.fileno()
        if fd in self._handlers:
            self.unregister(fd)
        if self._in_turn:
            self._retired.append(owned)
        else:
            owned.close()

    # -- calls and time --------------------------------------------------------------------------

    def call_soon(self, callback: Callable[..., object], *args: Any) -> Handle:
        """Call it in the next turn, after its events; that turn does not wait. Raises ProgramFault after close()."""
        handle = Handle(callback, args)
        self._posted.append(handle)
        if self.host is not None:
            self.host.sooner()
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> Handle:
        """The same from any thread or signal handler: the loop is woken. After close() it has no effect."""
        handle = Handle(callback, args)
        self._posted.append(handle)  # first the call, then the wake-up: otherwise it could be missed
        self._wakeup.wake()
        return handle

    def call_last(self, callback: Callable[..., object], *args: Any) -> None:
        """call_soon for the last word of something that ends, as it may after close(): then nobody is left to hear."""
        if not self._closed:
            self.call_soon(callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> TimerHandle:
        """Call it once, ``delay`` seconds from now (0 or less: in the next turn). Raises ProgramFault after close()."""
        return self.timers.call_at(self.clock.monotonic() + delay, callback, args)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> TimerHandle:
        """Call it once when the reactor's monotonic clock shows ``when`` seconds. Raises ProgramFault after close()."""
        return self.timers.call_at(when, callback, args)

    def deadline(self, duration: float, callback: Callable[[], object]) -> Deadline:
        """Call it unless the deadline is restarted (``deadline.since = reactor.now``) within ``duration`` seconds."""
        return self.deadlines.start(duration, callback, self.now if self._in_turn else self.clock.monotonic())

    @property
    def signals(self) -> Signals:
        """Signals as callbacks on the loop; made on first use, in the main thread only. ProgramFault after close()."""
        self.check_open()
        if self.host is not None:
            return self.host.signals
        if self._signals is None:
            self._signals = Signals(self.call_soon_threadsafe, self._wakeup.signal_fileno())
        return self._signals

    # -- the turn --------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until ``stop()``. Raises ProgramFault in a turn, after a fork or close, and as a guest."""
        self._check_usable()
        if self.host is not None:
            raise ProgramFault("this reactor is a guest of another loop, which runs it")
        self._stopping = False
        while not self._stopping:
            self.turn()

    def stop(self) -> None:
        """Let ``run`` return when the present turn is over (from another thread: post this call)."""
        self._stopping = True
        if self.host is not None:
            self.host.stop()

    @property
    def next_due(self) -> float:
        """When a turn is due by the clock: minus infinity for at once, infinity for not before somebody is ready."""
        if self._posted:
            return -math.inf
        return min(self.timers.next_due, self.deadlines.next_due)

    def turn(self, longest: float = math.inf) -> None:
        """One turn that waits at most ``longest`` seconds for something to happen."""
        if self._in_turn or self._closed:
            self._check_usable()
        self._in_turn = True
        try:
            if self._changed:
                self._changed.clear()
            events = self.poller.poll(self._wait_time(longest), self.limits.events)
            self.now = now = self.clock.monotonic()
            posted = len(self._posted)  # what is posted from here on waits for the next turn
            if events:
                self._dispatch(events)
            if now >= self.timers.next_due or now >= self.deadlines.next_due:
                self._run_due(now)
            if posted:
                self._run_posted(posted)
        finally:
            self._in_turn = False
            if self._retired:
                self._close_retired()

    def _wait_time(self, longest: float) -> float | None:
        if self._posted:
            return 0.0
        # Compared by hand: it is done in every turn, and a call of min() costs as much as three comparisons.
        due = self.timers.next_due
        if self.deadlines.next_due < due:
            due = self.deadlines.next_due
        if due != math.inf:
            due -= self.clock.monotonic()  # read again: what the last turn did has taken time
            if due < longest:
                longest = due
        elif longest == math.inf:
            return None
        if longest <= 0:
            return 0.0
        if longest > self.limits.longest_wait:
            return self.limits.longest_wait
        return longest

    def _dispatch(self, events: list[tuple[int, int]]) -> None:
        handlers = self._handlers
        changed = self._changed
        batch = iter(events)
        fd = -1
        while True:
            try:
                for fd, mask in batch:
                    if changed and fd in changed:
                        mask = self._cut(fd, mask)
                        if not mask:
                            continue
                    try:
                        handler = handlers[fd]
                    except KeyError:
                        raise ProgramFault(f"{show(mask)} for unregistered descriptor {fd}") from None
                    handler(mask)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the loop
                self._handler_failed(fd, error)

    def _cut(self, fd: int, mask: int) -> int:
        """What of ``mask`` may still be told to ``fd``, whose registration changed during this batch."""
        if self._changed[fd] or fd not in self._handlers:
            return 0
        return mask & (self.poller.interest(fd) | FAULTS)

    def _run_due(self, now: float) -> None:
        for take in (self.timers.pop_due, self.deadlines.expire):
            due: Iterator[TimerHandle | Deadline] = iter(take(now))
            try:
                for timer in due:
                    if timer.callback is not None:
                        self._call(timer.callback, timer.args)
            finally:
                self._posted.extend(due)  # Ctrl-C came in between: whoever goes on loses none of them

    def _run_posted(self, count: int) -> None:
        for _ in range(count):
            handle = self._posted.popleft()
            callback = handle.callback
            if callback is not None:
                self._call(callback, handle.args)

    def _call(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            callback(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the loop
            self._report(callback, error)

    def _close_retired(self) -> None:
        retired, self._retired = self._retired, []
        for owned in retired:
            try:
                owned.close()
            except OSError as error:  # the kernel has let go of the descriptor all the same (close(2))
                self.on_error(error)

    # -- when something goes wrong ---------------------------------------------------------------

    def _handler_failed(self, fd: int, error: Exception) -> None:
        if fd not in self._handlers:  # it unregistered itself and then raised: there is nobody left to tell
            self.on_error(error)
        elif not self._report(self._handlers[fd], error) and fd in self._handlers:
            self.unregister(fd)

    def _report(self, callback: Callable[..., object], error: Exception) -> bool:
        """Report ``error`` and tell the owner of ``callback``; True when the owner took care of itself."""
        self.on_error(error)
        fail = getattr(getattr(callback, "__self__", None), "fail", None)
        if fail is None:
            return False
        try:
            fail(error)
        except Exception as second:  # noqa: BLE001 - whatever it is, it must not end the loop
            self.on_error(second)
            return False
        return True

    def check_open(self) -> None:
        """Raises ProgramFault after close()."""
        if self._closed:
            _refuse()

    def _check_usable(self) -> None:
        self.check_open()
        if self._in_turn:
            raise ProgramFault("the reactor is running a turn: a callback cannot run another inside it")

    def _woken(self, _mask: int) -> None:
        self._wakeup.drain()

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the poller, the wake-up and the signals. Registered descriptors stay their owners'."""
        if self._in_turn:
            raise ProgramFault("close() from inside a turn: call stop() and close after run() has returned")
        if self._closed:
            return
        while self.at_close:
            self._call(self.at_close.pop(), ())
        if self._signals is not None:
            self._signals.close()
        self._release()

    def _release(self) -> None:
        self._closed = True
        _alive.discard(self)
        self._close_retired()
        self._handlers.clear()
        self._posted.clear()
        self.host = None
        self.poller.close()
        self._wakeup.close()
        # Swapped instead of tested for: on an open reactor it must cost nothing.
        for begin in ("register", "call_soon", "call_later", "call_at"):
            setattr(self, begin, _refuse)

    def __enter__(self) -> Reactor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._handlers) - 1} descriptors"
        return f"<Reactor {self.poller.name} {state}>"


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ProgramFault("this reactor is closed, or belongs to the process that forked this one")


_alive: weakref.WeakSet[Reactor] = weakref.WeakSet()


def _disown_after_fork() -> None:  # pragma: no cover - a forked child ends before it could report what it ran
    """In a forked child: close our copies of the kernel objects (the parent keeps its own) and refuse to work."""
    for reactor in list(_alive):
        reactor._in_turn = False
        reactor._release()


if hasattr(os, "register_at_fork"):  # pragma: no branch - absent only on Windows, which cannot fork
    os.register_at_fork(after_in_child=_disown_after_fork)
