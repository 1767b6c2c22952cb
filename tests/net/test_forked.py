"""A forked child: it has what it was given, nothing else, and never comes back."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator

import pytest

from poise.errors import AlreadyRegistered, ProgramFault
from poise.loop import signals
from poise.loop.offload import pools
from poise.loop.reactor import Reactor
from poise.net import forked
from poise.net.forked import Forked, close_all_but, fork
from poise.net.process import Process, ProcessProtocol
from poise.readiness.poller import available
from tests.support.loops import turn_until


class Child(ProcessProtocol):
    """Keeps what a child has said and how it has ended."""

    def __init__(self, reactor: Reactor, work: Callable[[int], int], *pass_fds: int) -> None:
        self.said = b""
        self.codes: list[int | None] = []
        self.over = False
        self.reactor = reactor
        self.process = fork(reactor, work, self, pass_fds=pass_fds)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        assert fd == 1
        self.said += data

    def process_exited(self) -> None:
        self.codes.append(self.process.returncode)

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True

    def end(self) -> int | None:
        turn_until(self.reactor, lambda: self.over)
        assert len(self.codes) == 1
        return self.codes[0]


@pytest.fixture(params=available())
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    with Reactor(request.param) as made:
        yield made


def test_it_works_says_something_and_ends_with_its_code(reactor: Reactor) -> None:
    parent = os.getpid()

    def work(status: int) -> int:
        os.write(status, f"{os.getpid()} {os.getppid()}".encode())
        return 7

    child = Child(reactor, work)
    assert child.end() == 7
    assert child.said == f"{child.process.pid} {parent}".encode()
    assert isinstance(child.process.popen, Forked)
    assert len(reactor.poller) == 1


def test_it_has_no_descriptor_but_those_it_was_given(reactor: Reactor) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with socket.create_server(("127.0.0.1", 0)) as given, socket.create_server(("127.0.0.1", 0)) as other:

        def work(status: int) -> int:
            found = sorted(map(int, os.listdir("/proc/self/fd")))
            os.write(status, f"{status} {' '.join(map(str, found))}".encode())
            return 0

        child = Child(reactor, work, given.fileno())
        assert child.end() == 0
        status, *found = map(int, child.said.split())
        listing = 1  # the one that looks
        assert {0, 1, 2, status, given.fileno()} <= set(found)
        assert len(found) == 5 + listing
        assert other.fileno() not in found or found.index(other.fileno()) == len(found) - 1
    assert set(os.listdir("/proc/self/fd")) == before


def test_an_exception_ends_the_child_loudly_and_goes_no_further(
    reactor: Reactor, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(_status: int) -> int:
        raise SystemExit("not this way")

    def fail(_status: int) -> int:
        raise ValueError("of the child")

    assert Child(reactor, work).end() == 1
    assert Child(reactor, fail).end() == 1
    err = capfd.readouterr().err
    assert "not this way" in err
    assert "ValueError: of the child" in err
    assert "_pytest" not in err  # the parent's frames have no part in it


def test_a_child_that_can_tell_nobody_ends_all_the_same(reactor: Reactor) -> None:
    def work(_status: int) -> int:
        os.close(2)
        raise ValueError("nobody hears it")

    assert Child(reactor, work).end() == 1


@pytest.mark.pitfall(4)
def test_the_parents_loop_and_signals_are_not_the_childs(reactor: Reactor) -> None:
    heard: list[str] = []
    reactor.signals.add(signal.SIGUSR1, lambda: heard.append("parent"))
    reactor.signals.add(signal.SIGINT, lambda: heard.append("parent"))

    def work(status: int) -> int:
        try:
            reactor.call_soon(heard.append, "child")
        except ProgramFault:
            os.write(status, b"refused ")
        with Reactor() as own:
            own.signals.add(signal.SIGUSR1, own.stop)
            os.write(status, b"ready")
            signals.let_through()
            own.run()
        handlers = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGINT)
        return 0 if handlers == (signal.SIG_DFL, signal.default_int_handler) else 1

    child = Child(reactor, work)
    turn_until(reactor, lambda: child.said == b"refused ready")
    child.process.send_signal(signal.SIGUSR1)
    assert child.end() == 0
    assert heard == []


def test_a_signal_that_comes_before_the_child_can_hear_it_waits(reactor: Reactor) -> None:
    reader, writer = os.pipe()

    def work(_status: int) -> int:
        os.read(reader, 1)  # the signal is there now
        with Reactor() as own:
            own.signals.add(signal.SIGTERM, own.stop)
            signals.let_through()
            own.run()
        return 5

    child = Child(reactor, work, reader)
    child.process.terminate()
    os.write(writer, b"1")
    assert child.end() == 5
    os.close(reader)
    os.close(writer)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def test_it_can_be_killed_and_a_stranger_cannot(reactor: Reactor) -> None:
    reader, writer = os.pipe()
    child = Child(reactor, lambda _: len(os.read(reader, 1)), reader)
    child.process.kill()
    assert child.end() == -signal.SIGKILL
    popen = child.process.popen
    assert popen.wait() == popen.poll() == -signal.SIGKILL
    popen.kill()  # its number may be anybody's
    os.close(reader)
    os.close(writer)


def test_a_child_that_somebody_else_has_waited_for(reactor: Reactor) -> None:
    child = Child(reactor, lambda _: 9)
    os.waitpid(child.process.pid, 0)
    assert child.end() == 0


def test_a_reactor_that_closes_ends_the_child() -> None:
    reader, writer = os.pipe()
    with Reactor() as reactor:
        child = Child(reactor, lambda _: len(os.read(reader, 1)), reader)
    assert child.process.returncode == -signal.SIGKILL
    os.close(reader)
    os.close(writer)


def test_what_cannot_be_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Reactor() as reactor:

        def refused() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fork", refused)
            with pytest.raises(BlockingIOError):
                Child(reactor, lambda _: 0)
        pools(reactor)
        with pytest.raises(ProgramFault, match="threads"):
            Child(reactor, lambda _: 0)
    with pytest.raises(ProgramFault, match="closed"):
        Child(reactor, lambda _: 0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def test_a_child_that_the_loop_does_not_take_is_not_left(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Process] = []

    def begin(self: Process, limits: object) -> None:
        made.append(self)
        raise AlreadyRegistered("it is there")

    monkeypatch.setattr(Process, "_begin", begin)
    reader, writer = os.pipe()
    with pytest.raises(AlreadyRegistered):
        Child(reactor, lambda _: len(os.read(reader, 1)), reader)
    assert made[0].returncode == -signal.SIGKILL
    os.close(reader)
    os.close(writer)


def test_ranges_that_are_empty_close_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "closerange", lambda low, high: closed.append((low, high)))
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    close_all_but({0, 1, 2, 5, 6, 9})
    assert closed == [(3, 5), (7, 9), (10, 100)]
    closed.clear()
    close_all_but({1, 99})
    assert closed == [(0, 1), (2, 99)]


def test_the_numbers_of_signals() -> None:
    assert (forked.SIGKILL, forked.SIGTERM) == (signal.SIGKILL, signal.SIGTERM)
