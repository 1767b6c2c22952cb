"""The wake-up: never lost, never blocking, and one byte for any number of wakes."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import threading
from collections import deque
from collections.abc import Iterator

import pytest

from poise.loop.wakeup import Wakeup


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    made = Wakeup()
    yield made
    made.close()


def readable(wakeup: Wakeup, timeout: float = 0) -> bool:
    return bool(select.select([wakeup.fileno()], [], [], timeout)[0])


def waiting(wakeup: Wakeup) -> int:
    """How many bytes lie in the pair."""
    reader = socket.socket(fileno=os.dup(wakeup.fileno()))
    with reader:
        return len(reader.recv(1 << 20, socket.MSG_PEEK))


def test_wake_and_drain(wakeup: Wakeup) -> None:
    assert not readable(wakeup)
    for _ in range(3):
        wakeup.wake()
        assert readable(wakeup)
        wakeup.drain()
        assert not readable(wakeup)
    wakeup.drain()


def test_both_ends_are_non_blocking_and_private(wakeup: Wakeup) -> None:
    for fd in (wakeup.fileno(), wakeup.signal_fileno()):
        assert not os.get_blocking(fd)
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


@pytest.mark.pitfall(47)
def test_a_hundred_thousand_wakes_write_one_byte(wakeup: Wakeup) -> None:
    for _ in range(100_000):
        wakeup.wake()
    assert waiting(wakeup) == 1


@pytest.mark.pitfall(47)
def test_a_full_pair_is_no_error(wakeup: Wakeup) -> None:
    def fill() -> None:
        while True:
            os.write(wakeup.signal_fileno(), b"\0" * 4096)

    with pytest.raises(BlockingIOError):
        fill()
    wakeup.wake()
    assert readable(wakeup)
    turns = 0
    while readable(wakeup):
        wakeup.drain()
        turns += 1
    assert turns > 1
    wakeup.wake()
    assert readable(wakeup)


@pytest.mark.pitfall(48)
def test_no_wake_is_lost_between_threads(wakeup: Wakeup) -> None:
    posted: deque[int] = deque()
    each, threads = 5_000, 4

    def poster() -> None:
        for number in range(each):
            posted.append(number)  # first append, then wake
            wakeup.wake()

    workers = [threading.Thread(target=poster) for _ in range(threads)]
    for worker in workers:
        worker.start()
    seen = 0
    while seen < each * threads:
        assert readable(wakeup, 20), f"{len(posted)} posted and nobody woken"
        wakeup.drain()  # first drain, then look
        while posted:
            posted.popleft()
            seen += 1
    for worker in workers:
        worker.join()


@pytest.mark.pitfall(48)
def test_a_wake_between_read_and_clear_is_seen_by_the_look_that_follows(wakeup: Wakeup) -> None:
    """The order inside drain: clearing the flag first would leave it set with an empty pair, for ever."""
    real = wakeup._reader

    class Interrupting:
        def recv(self, size: int) -> bytes:
            got = real.recv(size)
            wakeup.wake()
            return got

    wakeup.wake()
    wakeup._reader = Interrupting()  # type: ignore[assignment]
    wakeup.drain()
    wakeup._reader = real
    assert not readable(wakeup)
    wakeup.wake()
    assert readable(wakeup)


def test_from_a_signal_handler(wakeup: Wakeup) -> None:
    former = signal.signal(signal.SIGUSR1, lambda _number, _frame: wakeup.wake())
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert readable(wakeup, 20)
    finally:
        signal.signal(signal.SIGUSR1, former)


def test_as_the_target_of_set_wakeup_fd(wakeup: Wakeup) -> None:
    former = signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    former_fd = signal.set_wakeup_fd(wakeup.signal_fileno())
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert readable(wakeup, 20)
        wakeup.drain()
        assert not readable(wakeup)
    finally:
        signal.set_wakeup_fd(former_fd)
        signal.signal(signal.SIGUSR1, former)


def test_closed_wakes_do_nothing(wakeup: Wakeup) -> None:
    wakeup.close()
    wakeup.close()
    wakeup.wake()
    assert (wakeup.fileno(), wakeup.signal_fileno()) == (-1, -1)


def test_a_wake_that_meets_the_close_in_the_middle(wakeup: Wakeup) -> None:
    wakeup._writer.close()
    wakeup.wake()
