"""One suite for every poller: what the contract of ``poise/readiness/poller.py`` promises, and nothing else.

It compares progress, not masks: a backend may say HANGUP where another says READ and WRITE.
kqueue runs over a fake kernel where there is no real one.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from poise.errors import AlreadyRegistered, NotRegistered, ProgramFault
from poise.limits import LoopLimits
from poise.readiness import ERROR, FAULTS, HANGUP, INVALID, PEER_CLOSED, PRIORITY, READ, WRITE
from poise.readiness.by_kqueue import ByKqueue
from poise.readiness.poller import BEST_FIRST, Poller, available, waiting_time
from tests.readiness import fake_kqueue

LIMITS = LoopLimits(events=8)


def fake(limits: LoopLimits) -> Poller:
    return ByKqueue(limits, kernel=fake_kqueue)


MAKERS: dict[str, Callable[[LoopLimits], Poller]] = {name: BEST_FIRST[name] for name in available()}
MAKERS["kqueue (fake)"] = fake


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[LoopLimits], Poller]:
    return MAKERS[request.param]


@pytest.fixture
def poller(make: Callable[[LoopLimits], Poller]) -> Iterator[Poller]:
    made = make(LIMITS)
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[Callable[[int], list[Pair]]]:
    made: list[Pair] = []

    def make_pairs(count: int) -> list[Pair]:
        made.extend(socket.socketpair() for _ in range(count))
        return made

    yield make_pairs
    for ours, theirs in made:
        ours.close()
        theirs.close()


def told(poller: Poller, fd: int, timeout: float = 0) -> int:
    """What one call says about ``fd``."""
    return dict(poller.poll(timeout)).get(fd, 0)


# -- register, modify, unregister ------------------------------------------------------------------


def test_reports_what_was_asked_for(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    assert poller.poll(0) == []
    theirs.send(b"x")
    assert poller.poll(1) == [(ours.fileno(), READ)]
    poller.modify(ours.fileno(), READ | WRITE)
    assert told(poller, ours.fileno()) == READ | WRITE
    poller.modify(ours.fileno(), WRITE)
    assert told(poller, ours.fileno()) == WRITE
    poller.unregister(ours.fileno())
    assert poller.poll(0) == []


def test_level_triggered_until_read(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    theirs.send(b"xy")
    assert told(poller, ours.fileno(), 1) == READ
    ours.recv(1)
    assert told(poller, ours.fileno()) == READ
    ours.recv(1)
    assert told(poller, ours.fileno()) == 0


def test_twice_and_unknown_are_the_same_two_errors(poller: Poller, pair: Pair) -> None:
    fd = pair[0].fileno()
    with pytest.raises(NotRegistered):
        poller.modify(fd, READ)
    with pytest.raises(NotRegistered):
        poller.unregister(fd)
    with pytest.raises(NotRegistered):
        poller.interest(fd)
    poller.register(fd, READ)
    with pytest.raises(AlreadyRegistered):
        poller.register(fd, WRITE)
    assert (poller.interest(fd), len(poller)) == (READ, 1)
    poller.modify(fd, READ)
    poller.unregister(fd)
    with pytest.raises(NotRegistered):
        poller.unregister(fd)
    assert len(poller) == 0


@pytest.mark.parametrize(
    ("fd", "error"),
    [
        (-1, ValueError),
        (2**31, ValueError),
        (2**70, ValueError),
        (True, TypeError),
        ("1", TypeError),
        (1.0, TypeError),
    ],
)
def test_what_is_no_descriptor_is_refused_alike(poller: Poller, fd: int, error: type[Exception]) -> None:
    calls: list[Callable[[], object]] = [
        lambda: poller.register(fd, READ),
        lambda: poller.modify(fd, READ),
        lambda: poller.unregister(fd),
        lambda: poller.interest(fd),
    ]
    for call in calls:
        with pytest.raises(error):
            call()


@pytest.mark.pitfall(22)  # EPOLLET is 1 << 31: nothing edge-triggered can be asked for
@pytest.mark.pitfall(
    40
)  # EPOLLEXCLUSIVE is 1 << 28, EPOLLONESHOT 1 << 30: nor anything that modify() cannot change
@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (1 << 31, ValueError),
        (1 << 30, ValueError),
        (1 << 28, ValueError),
        (-1, ValueError),
        (True, TypeError),
        ("r", TypeError),
    ],
)
def test_what_is_no_interest_is_refused_alike(
    poller: Poller, pair: Pair, mask: int, error: type[Exception]
) -> None:
    fd = pair[0].fileno()
    with pytest.raises(error):
        poller.register(fd, mask)
    poller.register(fd, READ)
    with pytest.raises(error):
        poller.modify(fd, mask)
    assert poller.interest(fd) == READ


def test_faults_need_not_be_asked_for(poller: Poller, pair: Pair) -> None:
    poller.register(pair[0].fileno(), READ | FAULTS)
    assert poller.interest(pair[0].fileno()) == READ


@pytest.mark.parametrize("mask", [0, READ, WRITE, READ | WRITE])
def test_a_closed_descriptor_is_refused(poller: Poller, mask: int) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    os.close(reader)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        poller.register(reader, mask)
    assert caught.value.errno == errno.EBADF
    assert len(poller) == 0


def test_a_descriptor_or_a_clear_refusal(poller: Poller) -> None:
    if poller.name in ("epoll", "kqueue"):
        assert poller.fileno() >= 0
    else:
        with pytest.raises(ProgramFault, match=poller.name):
            poller.fileno()


def test_closed_for_good(poller: Poller, pair: Pair) -> None:
    poller.register(pair[0].fileno(), READ | WRITE | PRIORITY)
    assert "1 registered" in repr(poller)
    poller.close()
    poller.close()
    assert len(poller) == 0
    assert "closed" in repr(poller)
    with pytest.raises(ValueError, match="closed"):
        poller.poll(0)
    with pytest.raises(ValueError, match="closed"):
        poller.register(pair[0].fileno(), READ)


# -- zero interest ---------------------------------------------------------------------------------


@pytest.mark.pitfall(8)
def test_zero_interest_hears_nothing_not_even_a_reset(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    fresh = socket.socket()  # unconnected: epoll and poll report a hang-up to a mask of 0
    with fresh:
        poller.register(fresh.fileno(), 0)
        poller.register(ours.fileno(), READ)
        poller.modify(ours.fileno(), 0)
        theirs.close()
        assert poller.poll(0.001) == []
        assert poller.interest(ours.fileno()) == 0
        poller.modify(ours.fileno(), READ)  # and the fault is delivered as soon as anybody asks
        assert told(poller, ours.fileno(), 1) & READ
        poller.unregister(fresh.fileno())


@pytest.mark.pitfall(8)
@pytest.mark.parametrize("mask", [READ, WRITE, READ | WRITE])
def test_a_reset_reaches_whoever_asks_for_anything(poller: Poller, mask: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        with ours:
            poller.register(ours.fileno(), mask)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            assert told(poller, ours.fileno(), 5) & (mask | ERROR | HANGUP)
            poller.unregister(ours.fileno())


@pytest.mark.pitfall(56)
def test_a_pipe_whose_reader_is_gone_is_heard_of_by_the_writer(poller: Poller) -> None:
    reader, writer = os.pipe()
    poller.register(writer, WRITE)
    os.close(reader)
    assert told(poller, writer, 5)
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    poller.modify(writer, 0)
    assert poller.poll(0) == []
    poller.unregister(writer)
    os.close(writer)


def test_the_end_of_the_input_is_read(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ | PEER_CLOSED)
    theirs.shutdown(socket.SHUT_WR)
    assert told(poller, ours.fileno(), 5) & READ
    assert ours.recv(1) == b""


# -- descriptors of every kind ---------------------------------------------------------------------


@pytest.mark.pitfall(7)
def test_a_descriptor_beyond_the_set_of_select(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2048, hard)), hard))
    high = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD_CLOEXEC, 1500)
    try:
        poller.register(ours.fileno(), READ)
        for mask in (READ, 0):
            if poller.name == "select":
                with pytest.raises(OSError, match="descriptor 1500"):
                    poller.register(high, mask)
            else:
                poller.register(high, mask)
                poller.unregister(high)
        theirs.send(b"x")
        assert told(poller, ours.fileno(), 1) == READ
    finally:
        os.close(high)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.pitfall(10)
@pytest.mark.parametrize("kind", ["file", "empty file", "folder"])
def test_files_and_folders_are_always_ready(poller: Poller, pair: Pair, tmp_path: Path, kind: str) -> None:
    ours, theirs = pair
    path = tmp_path / "file"
    path.write_bytes(b"" if kind == "empty file" else b"text")
    fd = os.open(tmp_path if kind == "folder" else path, os.O_RDONLY)
    try:
        poller.register(fd, READ)
        poller.register(ours.fileno(), READ)
        for _ in range(3):
            assert poller.poll() == [(fd, READ)]  # for ever, and does not wait
        theirs.send(b"x")
        assert sorted(poller.poll(5)) == sorted([(fd, READ), (ours.fileno(), READ)])
        poller.modify(fd, READ | WRITE)
        assert told(poller, fd) == READ | WRITE
        ours.recv(1)
        poller.modify(fd, PRIORITY)
        assert poller.poll(0) == []
        poller.modify(fd, WRITE)
        assert told(poller, fd) == WRITE
        poller.modify(fd, 0)
        assert told(poller, fd) == 0
        poller.unregister(fd)
        assert poller.poll(0) == []
    finally:
        os.close(fd)


@pytest.mark.pitfall(10)
@pytest.mark.parametrize("cap", [1, 2, 3, 8])
def test_files_and_sockets_share_a_batch(
    poller: Poller, pairs: Callable[[int], list[Pair]], cap: int
) -> None:
    files = [os.open("/", os.O_RDONLY) for _ in range(6)]
    sockets = [ours.fileno() for ours, _ in pairs(6)]
    try:
        for fd in files + sockets:
            poller.register(fd, READ | WRITE)
        seen = dict.fromkeys(files + sockets, 0)
        for _ in range(48):
            batch = poller.poll(5, cap)
            assert 1 <= len(batch) <= cap
            for fd, mask in batch:
                assert mask & WRITE
                seen[fd] += 1
        assert min(seen.values()) > 0
        assert max(seen.values()) <= 3 * min(seen.values())
    finally:
        for fd in files:
            os.close(fd)


@pytest.mark.pitfall(55)
def test_urgent_data_is_told_only_to_who_asks(poller: Poller) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        ours, _ = server.accept()
        with ours:
            poller.register(ours.fileno(), READ)
            client.send(b"!", socket.MSG_OOB)
            ours.settimeout(5)
            with select.epoll() as arrived:
                arrived.register(ours.fileno(), PRIORITY)
                assert arrived.poll(5)
            assert poller.poll(0) == []
            poller.modify(ours.fileno(), READ | PRIORITY)
            assert told(poller, ours.fileno()) == (0 if poller.name == "kqueue" else PRIORITY)
            poller.unregister(ours.fileno())


# -- batches ---------------------------------------------------------------------------------------


@pytest.mark.pitfall(25)
@pytest.mark.parametrize("cap", [8, -1])
def test_a_full_batch_never_starves_the_tail(
    poller: Poller, pairs: Callable[[int], list[Pair]], cap: int
) -> None:
    if poller.name == "epoll" and cap == -1:
        pytest.skip("the kernel's bare method has its own bound")
    sockets = [ours.fileno() for ours, _ in pairs(64)]
    for fd in sockets:
        poller.register(fd, WRITE)
    counts = dict.fromkeys(sockets, 0)
    for _ in range(80):
        batch = poller.poll(5, cap)
        assert len(batch) == 8
        for fd, _ in batch:
            counts[fd] += 1
    assert sum(counts.values()) == 640
    assert max(counts.values()) <= 2 * min(counts.values())


@pytest.mark.parametrize("cap", [0, -2])
def test_a_batch_of_nothing_is_refused(poller: Poller, pair: Pair, cap: int) -> None:
    if poller.name == "epoll" and cap == -2:
        pytest.skip("the kernel's bare method takes any negative bound for none")
    poller.register(pair[0].fileno(), READ)
    with pytest.raises(ValueError, match="maxevents"):
        poller.poll(0, cap)


def test_a_batch_may_be_larger_than_what_is_ready(poller: Poller, pair: Pair) -> None:
    poller.register(pair[0].fileno(), READ | WRITE)
    assert poller.poll(0, 100) == [(pair[0].fileno(), WRITE)]


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.pitfall(30)
@pytest.mark.parametrize("timeout", [0.0001, 0.0004, 0.0015])
def test_never_early(poller: Poller, pair: Pair, timeout: float) -> None:
    poller.register(pair[0].fileno(), READ)
    for _ in range(20):
        start = time.monotonic()
        assert poller.poll(timeout) == []
        assert time.monotonic() - start >= timeout


@pytest.mark.pitfall(31)
@pytest.mark.parametrize("timeout", [1e12, 1e300, math.inf, -1, -1e300, -math.inf, 0, 10**30])
def test_any_number_can_be_made_a_timeout(poller: Poller, pair: Pair, timeout: float) -> None:
    level = waiting_time(timeout, LIMITS.longest_wait)
    assert level is not None
    assert 0 <= level <= LIMITS.longest_wait
    poller.register(pair[0].fileno(), READ | WRITE)
    assert told(poller, pair[0].fileno(), level) == WRITE
    poller.modify(pair[0].fileno(), READ)
    if timeout <= 0:
        assert poller.poll(level) == []


@pytest.mark.pitfall(31)
def test_nan_is_no_timeout(poller: Poller) -> None:
    with pytest.raises(ValueError, match="NaN"):
        waiting_time(math.nan, 1)
    with pytest.raises(ValueError, match="NaN"):
        poller.poll(math.nan)
    with pytest.raises(TypeError):
        poller.poll("soon")  # type: ignore[arg-type]


def test_none_waits_until_something_happens(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    sender = threading.Timer(0.01, theirs.send, (b"x",))
    sender.start()
    assert poller.poll() == [(ours.fileno(), READ)]
    sender.join()
    assert waiting_time(None, 1) is None


@pytest.mark.pitfall(54)
def test_a_signal_does_not_end_the_wait(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ)

    def handler(_number: int, _frame: object) -> None:
        theirs.send(b"x")

    former = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert poller.poll(20) == [(ours.fileno(), READ)]
    finally:
        signal.signal(signal.SIGALRM, former)


@pytest.mark.pitfall(54)
def test_a_signal_handler_that_raises_ends_the_wait(poller: Poller, pair: Pair) -> None:
    poller.register(pair[0].fileno(), READ)

    def handler(_number: int, _frame: object) -> None:
        raise InterruptedError("enough")

    former = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(InterruptedError, match="enough"):
            poller.poll(20)
    finally:
        signal.signal(signal.SIGALRM, former)


# -- closed behind the poller's back ---------------------------------------------------------------


@pytest.mark.pitfall(9)
def test_closed_too_early_leaves_the_others_served(
    poller: Poller, pairs: Callable[[int], list[Pair]]
) -> None:
    (first, _), (second, theirs), *_ = pairs(2)
    gone = first.fileno()
    poller.register(gone, READ)
    poller.register(second.fileno(), READ)
    first.close()
    theirs.send(b"x")
    seen: dict[int, int] = {}
    for _ in range(2):
        seen.update(poller.poll(5))
    assert seen.pop(gone, INVALID) == INVALID
    assert seen == {second.fileno(): READ}
    poller.unregister(gone)
    assert len(poller) == 1
    assert poller.poll(0) == [(second.fileno(), READ)]


@pytest.mark.pitfall(3)
def test_a_duplicate_does_not_haunt_a_number(poller: Poller, pairs: Callable[[int], list[Pair]]) -> None:
    (first, theirs), (other, _), *_ = pairs(2)
    number = first.fileno()
    poller.register(number, READ)
    poller.register(other.fileno(), READ | WRITE)
    with first.dup():
        first.close()
        theirs.send(b"x")
        poller.unregister(number)
        for _ in range(3):
            assert poller.poll(5) == [(other.fileno(), WRITE)]
        os.dup2(other.fileno(), number)
        poller.register(number, READ)
        assert poller.poll(0) == [(other.fileno(), WRITE)]
        poller.unregister(number)
        os.close(number)


@pytest.mark.pitfall(52)
@pytest.mark.parametrize("mask", [READ | WRITE, WRITE])
def test_a_number_that_is_another_file_now(
    poller: Poller, pairs: Callable[[int], list[Pair]], mask: int
) -> None:
    (first, _), (second, _), *_ = pairs(2)
    number = first.fileno()
    poller.register(number, READ)
    first.close()
    os.dup2(second.fileno(), number)
    poller.modify(number, mask)
    assert told(poller, number, 5) == WRITE
    poller.unregister(number)
    assert poller.poll(0) == []
    poller.register(number, WRITE)
    assert told(poller, number, 5) == WRITE
    poller.unregister(number)
    os.close(number)
