"""What only one backend does: epoll's bare method and its duplicates, kqueue's two filters, select on Windows."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from poise.limits import LoopLimits
from poise.readiness import ERROR, HANGUP, INVALID, PEER_CLOSED, READ, WRITE
from poise.readiness.by_epoll import ByEpoll
from poise.readiness.by_kqueue import ByKqueue
from poise.readiness.by_select import BySelect
from tests.readiness import fake_kqueue

needs_epoll = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def epoll() -> Iterator[ByEpoll]:
    poller = ByEpoll()
    yield poller
    poller.close()


@pytest.fixture
def kqueue() -> Iterator[ByKqueue]:
    poller = ByKqueue(kernel=fake_kqueue)
    yield poller
    poller.close()


Pair = tuple[socket.socket, socket.socket]


# -- epoll -----------------------------------------------------------------------------------------


@needs_epoll
def test_epoll_is_asked_by_the_kernels_own_method(epoll: ByEpoll, pair: Pair) -> None:
    bare: Any = epoll.poll
    assert isinstance(bare.__self__, select.epoll)
    folder = os.open("/", os.O_RDONLY)
    epoll.register(folder, READ)
    assert epoll.poll != bare
    epoll.unregister(folder)
    os.close(folder)
    assert epoll.poll == bare


@needs_epoll
@pytest.mark.pitfall(3)
def test_epoll_made_anew_keeps_its_descriptor_and_everyone_else(epoll: ByEpoll, pair: Pair) -> None:
    ours, theirs = pair
    folder = os.open("/", os.O_RDONLY)
    reader, writer = os.pipe()
    lost, lost_writer = os.pipe()
    with socket.socket() as paused:
        for fd, mask in (
            (ours.fileno(), READ),
            (folder, READ),
            (paused.fileno(), 0),
            (lost, READ),
            (reader, READ),
        ):
            epoll.register(fd, mask)
        number = epoll.fileno()
        os.close(lost)
        os.close(reader)
        epoll.unregister(reader)
        theirs.send(b"x")
        assert sorted(epoll.poll(5)) == sorted([(ours.fileno(), READ), (folder, READ)])
        assert epoll.fileno() == number
        assert not os.get_inheritable(number)
        epoll.unregister(lost)
        epoll.unregister(folder)
    for fd in (folder, writer, lost_writer):
        os.close(fd)


@needs_epoll
@pytest.mark.pitfall(52)
def test_epoll_that_knows_the_descriptor_still(epoll: ByEpoll, pair: Pair) -> None:
    ours, theirs = pair
    number = ours.fileno()
    epoll.register(number, READ)
    other = os.dup(number)
    os.close(number)
    epoll.unregister(number)
    os.dup2(other, number)  # the same open file under the same number: EEXIST
    os.close(other)
    epoll.register(number, WRITE)
    theirs.send(b"x")
    assert epoll.poll(5) == [(number, WRITE)]


@needs_epoll
def test_epoll_lets_other_errors_out_while_it_is_made_anew(
    epoll: ByEpoll, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    epoll.register(reader, READ)
    epoll.register(writer, WRITE)
    os.close(reader)
    epoll.unregister(reader)

    def refuse(fd: int, mask: int) -> None:
        raise OSError(errno.ENOSPC, "too many watches")

    monkeypatch.setattr(epoll, "_watch", refuse)
    with pytest.raises(OSError, match="too many watches"):
        epoll.poll(0)
    os.close(writer)


@needs_epoll
@pytest.mark.pitfall(52)
@pytest.mark.parametrize("step", ["modify", "unregister"])
def test_epoll_and_a_number_that_is_a_file_now(epoll: ByEpoll, step: str) -> None:
    reader, writer = os.pipe()
    epoll.register(writer, WRITE)
    os.close(writer)
    folder = os.open("/", os.O_RDONLY)
    os.dup2(folder, writer)
    if step == "modify":
        epoll.modify(writer, READ)
        assert epoll.poll(5) == [(writer, READ)]
    epoll.unregister(writer)
    assert epoll.poll(0) == []
    for fd in {reader, writer, folder}:  # the folder may well have got the number at once
        os.close(fd)


@needs_epoll
def test_epoll_out_of_descriptors_serves_on_and_tries_again(
    epoll: ByEpoll, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "too many open files")

    reader, writer = os.pipe()
    epoll.register(reader, READ)
    epoll.register(pair[0].fileno(), WRITE)
    with os.fdopen(os.dup(reader), "rb", 0):
        os.close(reader)
        os.close(writer)  # a hang-up that nobody can stop hearing
        epoll.unregister(reader)
        with monkeypatch.context() as patch:
            patch.setattr(select, "epoll", refuse)
            assert (pair[0].fileno(), WRITE) in epoll.poll(5)
        assert epoll.poll(5) == [(pair[0].fileno(), WRITE)]


# -- kqueue ----------------------------------------------------------------------------------------


def kernel_of(poller: ByKqueue) -> fake_kqueue.kqueue:
    kernel: Any = poller._kernel
    assert isinstance(kernel, fake_kqueue.kqueue)
    return kernel


@pytest.mark.pitfall(53)
def test_kqueue_merges_the_two_filters(kqueue: ByKqueue, pair: Pair) -> None:
    ours, theirs = pair
    kqueue.register(ours.fileno(), READ | WRITE)
    assert list(kernel_of(kqueue).pairs) == [
        (ours.fileno(), fake_kqueue.KQ_FILTER_READ),
        (ours.fileno(), fake_kqueue.KQ_FILTER_WRITE),
    ]
    theirs.send(b"x")
    assert kqueue.poll(5) == [(ours.fileno(), READ | WRITE)]
    kqueue.modify(ours.fileno(), READ)
    assert list(kernel_of(kqueue).pairs) == [(ours.fileno(), fake_kqueue.KQ_FILTER_READ)]
    kqueue.modify(ours.fileno(), WRITE)
    assert list(kernel_of(kqueue).pairs) == [(ours.fileno(), fake_kqueue.KQ_FILTER_WRITE)]
    kqueue.unregister(ours.fileno())
    assert not kernel_of(kqueue).pairs


@pytest.mark.pitfall(53)
def test_kqueue_half_of_a_registration_is_none(kqueue: ByKqueue, pair: Pair) -> None:
    kernel_of(kqueue).refuse_write_filter = True
    with pytest.raises(BrokenPipeError):
        kqueue.register(pair[0].fileno(), READ | WRITE)
    assert not kernel_of(kqueue).pairs
    assert len(kqueue) == 0


@pytest.mark.pitfall(53)
@pytest.mark.parametrize(
    ("which", "flags", "fflags", "data", "mask"),
    [
        ("KQ_FILTER_READ", 0, 0, 0, READ),
        ("KQ_FILTER_READ", fake_kqueue.KQ_EV_EOF, 0, 0, READ | PEER_CLOSED),
        ("KQ_FILTER_READ", fake_kqueue.KQ_EV_EOF, errno.ECONNRESET, 0, READ | PEER_CLOSED | ERROR),
        ("KQ_FILTER_WRITE", 0, 0, 0, WRITE),
        ("KQ_FILTER_WRITE", fake_kqueue.KQ_EV_EOF, 0, 0, WRITE | HANGUP),
        ("KQ_FILTER_WRITE", fake_kqueue.KQ_EV_EOF, errno.EPIPE, 0, WRITE | HANGUP | ERROR),
        ("KQ_FILTER_READ", fake_kqueue.KQ_EV_ERROR, 0, errno.EBADF, INVALID),
        ("KQ_FILTER_READ", fake_kqueue.KQ_EV_ERROR, 0, errno.EIO, ERROR),
    ],
)
def test_kqueue_flags(
    kqueue: ByKqueue, pair: Pair, which: str, flags: int, fflags: int, data: int, mask: int
) -> None:
    fd = pair[0].fileno()
    kqueue.register(fd, READ | WRITE | PEER_CLOSED)
    kernel_of(kqueue).injected = [fake_kqueue.kevent(fd, getattr(fake_kqueue, which), flags, fflags, data)]
    assert kqueue.poll(0) == [(fd, mask)]


@pytest.mark.pitfall(53)
def test_kqueue_end_of_input_without_being_asked_is_read(kqueue: ByKqueue, pair: Pair) -> None:
    ours, theirs = pair
    kqueue.register(ours.fileno(), READ)
    theirs.shutdown(socket.SHUT_WR)
    assert kqueue.poll(5) == [(ours.fileno(), READ)]


@pytest.mark.pitfall(53)
def test_kqueue_is_never_asked_for_nothing(kqueue: ByKqueue, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def control(changes: object, most: int, timeout: float | None) -> list[fake_kqueue.kevent]:
        asked.append(most)
        return []

    monkeypatch.setattr(kernel_of(kqueue), "control", control)
    kqueue.poll(0)
    kqueue.poll(0, 1)
    assert asked == [LoopLimits().events, 1]


@pytest.mark.pitfall(53)
def test_kqueue_of_which_a_descriptor_vanished(kqueue: ByKqueue) -> None:
    reader, writer = os.pipe()
    kqueue.register(reader, READ)
    os.close(reader)
    os.close(writer)
    assert kqueue.poll(0) == []
    kqueue.unregister(reader)
    assert len(kqueue) == 0


def test_kqueue_other_errors_get_out(kqueue: ByKqueue, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def control(changes: object, most: int, timeout: float | None) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    kqueue.register(pair[0].fileno(), READ)
    monkeypatch.setattr(kernel_of(kqueue), "control", control)
    with pytest.raises(OSError, match="no memory"):
        kqueue.unregister(pair[0].fileno())
    assert len(kqueue) == 0


# -- select ----------------------------------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[BySelect]:
    """select as it behaves on Windows: sets are lists, and a failed connect shows only in the third one."""
    monkeypatch.setattr(BySelect, "windows", True)
    monkeypatch.setattr(BySelect, "set_size", 2)
    poller = BySelect()
    yield poller
    poller.close()


def test_select_on_windows_counts_sockets(windows: BySelect, pair: Pair) -> None:
    with socket.socket() as third:
        windows.register(pair[0].fileno(), READ)
        windows.register(pair[1].fileno(), WRITE)
        with pytest.raises(OSError, match="another poller can"):
            windows.register(third.fileno(), READ)
        windows.unregister(pair[0].fileno())
        windows.register(third.fileno(), READ)


@pytest.mark.parametrize("mask", [WRITE, READ | WRITE])
def test_select_on_windows_hears_of_a_failed_connect(
    windows: BySelect, pair: Pair, mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fd = pair[0].fileno()
    windows.register(fd, mask)

    def failed(readers: set[int], writers: set[int], urgent: set[int], seconds: float | None) -> Any:
        assert fd in urgent
        return [], [], [fd]

    monkeypatch.setattr(select, "select", failed)
    assert windows.poll(0) == [(fd, mask)]
