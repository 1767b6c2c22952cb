"""POSIX signals as ordinary calls on the loop.

A Python signal handler runs between two bytecodes of the main thread, wherever that is: in the middle of anybody's
work. So it does nothing but post; the callback runs on the loop like any other call.

The handler alone is not enough. Python runs it only when the main thread gets back to the interpreter, and when
the signal arrives just before the kernel's wait begins, or in another thread, the wait goes on. The C level
of the interpreter therefore writes a byte to the wake-up descriptor at once (``signal.set_wakeup_fd``): the wait
ends, the interpreter runs the handler, and the handler posts.

Like the kernel, which keeps one pending mark per signal, a signal that comes again before its callback
has run is the same signal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from poise.errors import NotRegistered, ProgramFault

Post = Callable[..., object]
"""Has ``callback(*args)`` called on the loop; may be called at any moment (``call_soon_threadsafe``)."""

HARMLESS: int = getattr(signal, "SIGURG", 0)
"""A signal that does nothing to a process that has not asked for it: for who must name one and wants none. 0 on Windows."""


class Signals:
    """Callbacks for signals. Main thread only, as Python demands; anything else raises ProgramFault.

    ``wakeup_fd`` is the non-blocking descriptor that ends the loop's wait when a byte is written to it.
    """

    def __init__(self, post: Post, wakeup_fd: int) -> None:
        self._post = post
        self._wakeup_fd = wakeup_fd
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._former: dict[int, Any] = {}
        self._former_fd = -1
        self._pending: set[int] = set()

    def add(self, signum: int, callback: Callable[[], object]) -> None:
        """Call ``callback()`` on the loop when ``signum`` arrives; an earlier callback for it is replaced.

        Raises ValueError for a number that is no signal or cannot be caught (SIGKILL, SIGSTOP), TypeError for no callback.
        """
        check_callback(callback)
        if signum in self._callbacks:
            _check_main_thread()
        else:
            try:
                former = signal.signal(signum, self._caught)
            except OSError as error:
                raise ValueError(f"signal {signum} cannot be caught: {error.strerror}") from error
            except ValueError:
                _check_main_thread()  # Python says of both faults that they are of the value
                raise
            if not self._callbacks:
                self._former_fd = signal.set_wakeup_fd(self._wakeup_fd, warn_on_full_buffer=False)
            # None: the handler was not set from Python, which cannot set it again.
            self._former[signum] = signal.SIG_DFL if former is None else former
        self._callbacks[signum] = callback

    def remove(self, signum: int) -> None:
        """Give ``signum`` back to whoever handled it before. NotRegistered."""
        _check_main_thread()
        if signum not in self._callbacks:
            raise NotRegistered(f"signal {signum} has no callback here")
        signal.signal(signum, self._former.pop(signum))
        del self._callbacks[signum]
        self._pending.discard(signum)
        if not self._callbacks:
            self._restore_wakeup()

    def close(self) -> None:
        """Remove every callback; may be repeated."""
        for signum in list(self._callbacks):
            self.remove(signum)

    def _restore_wakeup(self) -> None:
        present = signal.set_wakeup_fd(self._former_fd)
        if present != self._wakeup_fd:  # someone took it over from us: it stays theirs
            signal.set_wakeup_fd(present)

    def _caught(self, signum: int, _frame: FrameType | None) -> None:
        if signum not in self._pending:
            self._pending.add(signum)
            self._post(self._deliver, signum)

    def _deliver(self, signum: int) -> None:
        self._pending.discard(signum)
        callback = self._callbacks.get(signum)
        if callback is not None:  # it may have been removed since the signal came
            callback()


def check_callback(callback: object) -> None:
    """Raises TypeError for what cannot be called: mostly it is what a call has returned, and the signal would be lost."""
    if not callable(callback):
        raise TypeError(f"a signal calls a function, and this is none: {callback!r}")


def _check_main_thread() -> None:
    import threading  # a server that starts does without it

    if threading.current_thread() is not threading.main_thread():
        raise ProgramFault("signals can only be handled by a loop in the main thread")


@contextmanager
def held() -> Iterator[None]:
    """Signals to this thread wait meanwhile, so that a child that is forked inside can hear its first ones, too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """Let those come that wait: in a forked child, once it has callbacks for them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())


def inherit_nothing() -> None:
    """In a forked child: each signal that somebody had a handler for does what it does to a new program.

    The parent's handlers would post to a loop that is not ours, and write to a descriptor that may soon be a client's.
    """
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals():
        if callable(signal.getsignal(signum)):  # not SIG_DFL, nor SIG_IGN, which stays as at exec(2)
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
