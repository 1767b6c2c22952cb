"""Which poller is chosen, and what a person is told when it cannot be."""

from __future__ import annotations

import errno
import select

import pytest

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.readiness import poller as room
from poise.readiness.interest import ERROR, HANGUP, INVALID, PEER_CLOSED, PRIORITY, READ, WRITE, show
from poise.readiness.poller import Poller, available, choose


def test_best_first() -> None:
    assert list(room.BEST_FIRST) == ["epoll", "kqueue", "poll", "select"]
    names = available()
    assert names == tuple(name for name in room.BEST_FIRST if name in names)
    assert names[-1] == "select"
    poller = choose()
    assert poller.name == names[0]
    poller.close()


@pytest.mark.parametrize(
    ("missing", "best"),
    [(("epoll", "kqueue"), "poll"), (("epoll", "kqueue", "poll"), "select")],
)
def test_the_next_best_where_the_best_is_missing(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], best: str
) -> None:
    for name in missing:
        monkeypatch.delattr(select, name, raising=False)
    poller = choose()
    assert poller.name == best
    poller.close()
    assert available()[0] == best
    with pytest.raises(MachineFault, match=f"has no epoll; it has .*{best}"):
        choose("epoll")


@pytest.mark.parametrize("name", available())
def test_by_name_and_with_limits(name: str) -> None:
    poller = choose(name, LoopLimits(events=3))
    assert poller.name == name
    poller.close()


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no poller 'iocp'.*select"):
        choose("iocp")


def test_a_kernel_that_refuses_the_call_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_limits: LoopLimits) -> Poller:
        raise OSError(errno.EPERM, "not in this sandbox")

    monkeypatch.setitem(room.BEST_FIRST, "epoll", refuse)
    assert "epoll" not in available()


def test_out_of_descriptors_is_said_and_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_limits: LoopLimits) -> Poller:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setitem(room.BEST_FIRST, "epoll", refuse)
    with pytest.raises(OSError, match="too many"):
        choose()


def test_a_machine_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BEST_FIRST", {})
    with pytest.raises(MachineFault, match="no poller"):
        choose()


def test_the_bits_are_those_of_poll() -> None:
    kernel = (select.POLLIN, select.POLLPRI, select.POLLOUT, select.POLLERR, select.POLLHUP, select.POLLNVAL)
    assert kernel == (READ, PRIORITY, WRITE, ERROR, HANGUP, INVALID)
    assert select.POLLRDHUP == PEER_CLOSED
    epoll = (
        select.EPOLLIN,
        select.EPOLLPRI,
        select.EPOLLOUT,
        select.EPOLLERR,
        select.EPOLLHUP,
        select.EPOLLRDHUP,
    )
    assert epoll == (READ, PRIORITY, WRITE, ERROR, HANGUP, PEER_CLOSED)


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (0, "0"),
        (READ, "READ"),
        (READ | WRITE, "READ|WRITE"),
        (PRIORITY | ERROR | HANGUP, "PRIORITY|ERROR|HANGUP"),
        (INVALID | PEER_CLOSED | 1 << 31, "INVALID|PEER_CLOSED|0x80000000"),
    ],
)
def test_masks_for_people(mask: int, text: str) -> None:
    assert show(mask) == text
