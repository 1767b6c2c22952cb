"""Signals arrive as posted calls, and everything is given back."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.errors import NotRegistered, ProgramFault
from poise.loop.signals import Signals, held, inherit_nothing, let_through
from poise.loop.wakeup import Wakeup


class Loop:
    """As much of a loop as signals need: a queue and something that wakes."""

    def __init__(self) -> None:
        self.wakeup = Wakeup()
        self.posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.signals = Signals(self.post, self.wakeup.signal_fileno())

    def post(self, callback: Callable[..., object], /, *args: Any) -> None:
        self.posted.append((callback, args))
        self.wakeup.wake()

    def turn(self) -> None:
        assert select.select([self.wakeup.fileno()], [], [], 20)[0]
        self.wakeup.drain()
        while self.posted:
            callback, args = self.posted.popleft()
            callback(*args)


@pytest.fixture
def loop() -> Iterator[Loop]:
    before = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGUSR2)
    made = Loop()
    yield made
    made.signals.close()
    made.wakeup.close()
    assert (signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGUSR2)) == before
    fd = signal.set_wakeup_fd(-1)
    assert fd == -1


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


def send_here(signum: int) -> None:
    """To this thread alone: one for the process goes to any thread that does not hold it, and a test runner has others."""
    signal.pthread_kill(threading.get_ident(), signum)


def test_what_cannot_be_called_is_refused(loop: Loop) -> None:
    nothing: Any = None  # what ``reactor.stop()`` returns, where ``reactor.stop`` was meant
    with pytest.raises(TypeError, match="a signal calls a function"):
        loop.signals.add(signal.SIGUSR1, nothing)


def test_a_signal_becomes_a_call(loop: Loop) -> None:
    got: list[str] = []
    loop.signals.add(signal.SIGUSR1, lambda: got.append("one"))
    loop.signals.add(signal.SIGUSR2, lambda: got.append("two"))
    send(signal.SIGUSR1)
    assert got == []  # not in the handler: on the loop
    loop.turn()
    send(signal.SIGUSR2)
    loop.turn()
    assert got == ["one", "two"]


def test_a_later_callback_replaces_the_earlier_one(loop: Loop) -> None:
    got: list[str] = []
    loop.signals.add(signal.SIGUSR1, lambda: got.append("old"))
    loop.signals.add(signal.SIGUSR1, lambda: got.append("new"))
    send(signal.SIGUSR1)
    loop.turn()
    assert got == ["new"]


def test_a_signal_that_comes_again_before_its_call_is_the_same_one(loop: Loop) -> None:
    got: list[int] = []
    loop.signals.add(signal.SIGUSR1, lambda: got.append(1))
    for _ in range(100):
        send(signal.SIGUSR1)
    assert len(loop.posted) == 1
    loop.turn()
    send(signal.SIGUSR1)
    loop.turn()
    assert got == [1, 1]


def test_removed_between_the_signal_and_its_call(loop: Loop) -> None:
    loop.signals.add(signal.SIGUSR1, lambda: pytest.fail("removed, and yet called"))
    send(signal.SIGUSR1)
    loop.signals.remove(signal.SIGUSR1)
    loop.turn()
    with pytest.raises(NotRegistered, match="no callback"):
        loop.signals.remove(signal.SIGUSR1)


def test_the_former_handler_comes_back(loop: Loop) -> None:
    def mine(_number: int, _frame: object) -> None:
        """Whoever was here before."""

    before = signal.signal(signal.SIGUSR1, mine)
    try:
        loop.signals.add(signal.SIGUSR1, lambda: None)
        assert signal.getsignal(signal.SIGUSR1) != mine
        loop.signals.remove(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) == mine
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_former_handler_that_python_does_not_know(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = signal.signal

    def from_c(signum: int, handler: Any) -> Any:
        real(signum, handler)

    with monkeypatch.context() as patch:
        patch.setattr(signal, "signal", from_c)
        loop.signals.add(signal.SIGUSR1, lambda: None)
    loop.signals.remove(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_the_former_wakeup_descriptor_comes_back(loop: Loop) -> None:
    host = Wakeup()
    signal.set_wakeup_fd(host.signal_fileno())
    loop.signals.add(signal.SIGUSR1, lambda: None)
    loop.signals.add(signal.SIGUSR2, lambda: None)
    loop.signals.remove(signal.SIGUSR1)
    loop.signals.remove(signal.SIGUSR2)
    assert signal.set_wakeup_fd(-1) == host.signal_fileno()
    host.close()


def test_a_wakeup_descriptor_taken_over_by_another_stays_theirs(loop: Loop) -> None:
    loop.signals.add(signal.SIGUSR1, lambda: None)
    other = Wakeup()
    signal.set_wakeup_fd(other.signal_fileno())
    loop.signals.close()
    loop.signals.close()
    assert signal.set_wakeup_fd(-1) == other.signal_fileno()
    other.close()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP, 0, 10_000])
def test_what_cannot_be_caught_changes_nothing(loop: Loop, signum: int) -> None:
    with pytest.raises(ValueError, match="signal"):
        loop.signals.add(signum, lambda: None)
    assert signal.set_wakeup_fd(-1) == -1


def test_only_in_the_main_thread(loop: Loop) -> None:
    caught: list[BaseException] = []
    calls: list[Callable[[], None]] = [
        lambda: loop.signals.add(signal.SIGUSR1, print),
        lambda: loop.signals.remove(signal.SIGUSR1),
    ]

    def elsewhere() -> None:
        for call in calls:
            try:
                call()
            except ProgramFault as error:
                caught.append(error)

    worker = threading.Thread(target=elsewhere)
    worker.start()
    worker.join()
    assert [str(error) for error in caught] == [
        "signals can only be handled by a loop in the main thread"
    ] * 2


def test_the_wait_ends_though_the_signal_hit_another_thread(loop: Loop) -> None:
    """The C level writes the byte at once; the Python handler alone would wait for the main thread to look."""
    got: list[int] = []
    loop.signals.add(signal.SIGUSR1, lambda: got.append(1))
    ready = threading.Event()

    def hit() -> None:
        ready.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    worker = threading.Thread(target=hit)
    worker.start()
    ready.set()
    while not got:
        loop.turn()
    worker.join()


def test_a_signal_waits_while_they_are_held(loop: Loop) -> None:
    got: list[int] = []
    loop.signals.add(signal.SIGUSR1, lambda: got.append(1))
    with held():
        send_here(signal.SIGUSR1)
        assert signal.SIGUSR1 in signal.sigpending()
        assert not loop.posted
    loop.turn()
    assert got == [1]


def test_one_who_was_forked_while_they_were_held_lets_them_through(loop: Loop) -> None:
    got: list[int] = []
    loop.signals.add(signal.SIGUSR1, lambda: got.append(1))
    with held():
        send_here(signal.SIGUSR1)
        let_through()
        loop.turn()
        assert got == [1]


def test_what_was_inherited_is_forgotten(loop: Loop) -> None:
    """In this process, which then puts back what it had."""
    kept = {number: signal.getsignal(number) for number in signal.valid_signals()}
    loop.signals.add(signal.SIGUSR1, lambda: None)
    loop.signals.add(signal.SIGINT, lambda: None)
    former = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        inherit_nothing()
        assert signal.set_wakeup_fd(-1) == -1
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
        assert not any(map(callable, map(signal.getsignal, signal.valid_signals() - {signal.SIGINT})))
    finally:
        for number, handler in kept.items():
            if callable(handler):
                signal.signal(number, handler)
        signal.signal(signal.SIGUSR2, former)
