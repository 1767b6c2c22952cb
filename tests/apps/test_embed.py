"""A reactor inside asyncio and inside uvloop: readiness, time, posted calls, signals, errors, and both ends."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.apps.embed import Embedded, embed
from poise.errors import NotRegistered, ProgramFault
from poise.loop.host import Host
from poise.loop.offload import offload
from poise.loop.reactor import Reactor
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.readiness.interest import READ
from tests.apps.hosts import GUESTS, HOSTS, OTHERS, factory, run_in
from tests.support.observed import ObservedReactor

pytestmark = pytest.mark.skipif(not GUESTS, reason="no poller of this machine has a descriptor")


@pytest.fixture(params=["bare", "observed"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "observed":
        monkeypatch.setattr(sys.modules[__name__], "Reactor", ObservedReactor)


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    factory(name)
    return name


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture(params=GUESTS)
def reactor(request: pytest.FixtureRequest, errors: list[Exception]) -> Iterator[Reactor]:
    with Reactor(request.param, on_error=errors.append) as made:
        yield made


class Turns:
    """Counts the turns that a reactor is given."""

    def __init__(self, reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._turn = reactor.turn
        monkeypatch.setattr(reactor, "turn", self)

    def __call__(self, longest: float) -> None:
        assert longest == 0, "a guest never waits"
        self.count += 1
        self._turn(longest)


class Echo(Protocol):
    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.stream.write(data)


async def until(condition: Callable[[], object]) -> None:
    """Looks again and again, on purpose: waiting for an event would test the host's way of waking, not ours."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def converse(port: int, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


# --- readiness --------------------------------------------------------------------------------------------


def test_it_is_all_that_a_reactor_asks_of_its_host(host: str, reactor: Reactor) -> None:
    async def main() -> None:
        with embed(reactor) as embedded:
            assert reactor.host is embedded
            asked = {name for name in vars(Host) if not name.startswith("_")}
            assert asked == {"signals", "sooner", "stop"}
            assert asked <= {*dir(embedded)}

    run_in(host, main)


def test_both_serve_in_one_thread(host: str, reactor: Reactor) -> None:
    message = os.urandom(300_000)

    async def main() -> None:
        with embed(reactor):
            ours = listen(reactor, ("127.0.0.1", 0), Echo)
            theirs = await asyncio.start_server(echo, "127.0.0.1", 0)
            ports = [ours.sockname[1], theirs.sockets[0].getsockname()[1]] * 5
            answers = await asyncio.gather(*(converse(port, message) for port in ports))
            assert answers == [message] * 10
            await until(lambda: not ours.streams)
            ours.close()
            theirs.close()
            await theirs.wait_closed()

    run_in(host, main)


def test_an_idle_guest_never_wakes_its_host(
    host: str, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(reactor, monkeypatch)

    async def main() -> None:
        with embed(reactor):
            listener = listen(reactor, ("127.0.0.1", 0), Echo)
            reactor.call_later(3600, print)
            assert await converse(listener.sockname[1], b"once") == b"once"
            await until(lambda: not listener.streams)
            await asyncio.sleep(0.01)
            before = turns.count
            await asyncio.sleep(0.1)
            assert turns.count == before
            listener.close()

    run_in(host, main)


@pytest.mark.pitfall(3)
def test_the_host_still_hears_of_a_set_that_was_made_anew(host: str, reactor: Reactor) -> None:
    one, other = socket.socketpair()
    gone, peer = socket.socketpair()
    heard: list[bytes] = []

    async def main() -> None:
        with embed(reactor):
            reactor.register(one.fileno(), READ, lambda mask: heard.append(one.recv(10)))
            reactor.register(gone.fileno(), READ, lambda mask: None)
            number = gone.fileno()
            left = gone.dup()
            gone.close()
            peer.send(b"x")  # it goes on under the number of the closed one
            reactor.unregister(number)
            reactor.call_soon(
                int
            )  # so the turn in which the set is made anew is one that the host was asked for
            await asyncio.sleep(0.01)
            other.send(b"heard")
            await until(lambda: heard)
            left.close()
            other.send(b"again")
            await until(lambda: len(heard) == 2)
            reactor.unregister(one.fileno())

    with one, other, peer:
        run_in(host, main)
    assert heard == [b"heard", b"again"]
    if reactor.poller.name == "epoll":
        assert reactor.poller.remade == 1


# --- time -------------------------------------------------------------------------------------------------


def test_timers_are_never_early_and_in_order(host: str, reactor: Reactor) -> None:
    fired: list[tuple[int, float]] = []

    def note(number: int, due: float) -> None:
        fired.append((number, reactor.clock.monotonic() - due))

    async def main() -> None:
        with embed(reactor):
            now = reactor.clock.monotonic()
            for number in (3, 1, 2, 0):
                due = now + 0.0137 * number
                reactor.call_at(due, note, number, due)
            await until(lambda: len(fired) == 4)

    run_in(host, main)
    assert [number for number, _ in fired] == [0, 1, 2, 3]
    assert all(0 <= late < 1 for _, late in fired), fired


def test_the_earliest_is_what_the_host_waits_for(
    host: str, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(reactor, monkeypatch)
    fired: list[str] = []

    async def main() -> None:
        late = reactor.call_later(3600, fired.append, "late")  # from before
        with embed(reactor):
            reactor.call_later(0.03, fired.append, "later")
            reactor.call_later(0.01, fired.append, "sooner")
            put_off = reactor.deadline(0.01, lambda: fired.append("deadline"))
            put_off.since = reactor.clock.monotonic() + 0.01
            await until(lambda: len(fired) == 3)
            # One for each, and one for the deadline that was put off; uvloop may wake a millisecond early each time.
            assert turns.count <= (4 if host == "asyncio" else 8)
            cancelled = reactor.call_later(0.01, fired.append, "cancelled")
            cancelled.cancel()
            late.cancel()
            before = turns.count
            await asyncio.sleep(0.05)
            assert turns.count <= before + 2

    run_in(host, main)
    assert sorted(fired) == ["deadline", "later", "sooner"]
    assert fired.index("sooner") < fired.index("later")


def test_a_deadline_that_is_set_between_turns(host: str, reactor: Reactor) -> None:
    fired: list[str] = []

    async def main() -> None:
        with embed(reactor):
            await asyncio.sleep(0.001)
            reactor.deadline(0.01, lambda: fired.append("first"))
            await until(lambda: fired)
            later = reactor.deadline(3600, lambda: fired.append("second"))
            later.change(0.01, reactor.clock.monotonic())
            await until(lambda: len(fired) == 2)

    run_in(host, main)


def test_a_timer_set_by_a_timer(host: str, reactor: Reactor) -> None:
    fired: list[int] = []

    def again(left: int) -> None:
        fired.append(left)
        if left:
            reactor.call_later(0.002, again, left - 1)

    async def main() -> None:
        with embed(reactor):
            reactor.call_later(0, again, 3)
            await until(lambda: len(fired) == 4)

    run_in(host, main)


# --- posted calls -----------------------------------------------------------------------------------------


def test_calls_posted_between_turns_run_in_one(
    host: str, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(reactor, monkeypatch)
    ran: list[int] = []

    async def main() -> None:
        reactor.call_soon(ran.append, 0)  # from before
        with embed(reactor):
            for number in range(1, 100):
                reactor.call_soon(ran.append, number)
            assert ran == []
            await until(lambda: ran)

    run_in(host, main)
    assert ran == list(range(100))
    assert turns.count == 1


def test_calls_from_threads(host: str, reactor: Reactor) -> None:
    ran: list[int] = []

    async def main() -> None:
        with embed(reactor):
            threads = [
                threading.Thread(
                    target=lambda: [reactor.call_soon_threadsafe(ran.append, 1) for _ in range(500)]
                )
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            await until(lambda: len(ran) == 2000)
            for thread in threads:
                thread.join()
            answers: list[Any] = []
            offload(reactor, divmod, 7, 2).on_done(lambda result, error: answers.append(result))
            await until(lambda: answers)
            assert answers == [(3, 1)]

    run_in(host, main)


def test_a_call_that_posts_itself_leaves_the_host_its_rounds(host: str, reactor: Reactor) -> None:
    calls = 0

    def again() -> None:
        nonlocal calls
        calls += 1
        reactor.call_soon(again)

    async def main() -> None:
        with embed(reactor):
            reactor.call_soon(again)
            for _ in range(50):
                await asyncio.sleep(0)

    run_in(host, main)
    assert 0 < calls <= 60


def test_callbacks_run_in_the_context_of_the_embedding(host: str, reactor: Reactor) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    async def other() -> None:
        who.set("other")
        reactor.call_soon(lambda: seen.append(who.get()))
        reactor.call_later(0, lambda: seen.append(who.get()))
        reactor.call_soon_threadsafe(lambda: seen.append(who.get()))

    async def main() -> None:
        who.set("main")
        with embed(reactor):
            await asyncio.create_task(other())
            await until(lambda: len(seen) == 3)

    run_in(host, main)
    assert seen == ["main"] * 3


# --- signals ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal here")
def test_signals_come_through_the_host(host: str, reactor: Reactor, errors: list[Exception]) -> None:
    heard: list[str] = []
    before = signal.getsignal(signal.SIGUSR1)

    def fail() -> None:
        heard.append("failing")
        raise KeyError("mine")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, heard.append, "host")
        with embed(reactor):
            reactor.signals.add(signal.SIGUSR1, lambda: heard.append("guest"))
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR2)
            await until(lambda: len(heard) == 2)
            reactor.signals.add(signal.SIGUSR1, fail)
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: len(heard) == 3)
            reactor.signals.remove(signal.SIGUSR1)
            with pytest.raises(NotRegistered):
                reactor.signals.remove(signal.SIGUSR1)
            with pytest.raises(ValueError, match="cannot be caught"):
                reactor.signals.add(signal.SIGKILL, fail)
            nothing: Any = None
            with pytest.raises(TypeError, match="a signal calls a function"):
                reactor.signals.add(signal.SIGUSR1, nothing)
            reactor.signals.add(signal.SIGUSR1, fail)
        loop.remove_signal_handler(signal.SIGUSR2)

    run_in(host, main)
    assert sorted(heard) == ["failing", "guest", "host"]
    assert [type(error) for error in errors] == [KeyError]
    assert signal.getsignal(signal.SIGUSR1) == before == signal.SIG_DFL


# --- errors -----------------------------------------------------------------------------------------------


def test_an_error_stays_with_the_guest(host: str, reactor: Reactor, errors: list[Exception]) -> None:
    def fail() -> None:
        raise KeyError("mine")

    async def main() -> None:
        with embed(reactor) as guest:
            reactor.call_soon(fail)
            await until(lambda: errors)
            assert not guest.closed

    run_in(host, main)


def test_an_exit_is_the_hosts(host: str, reactor: Reactor) -> None:
    ran: list[int] = []

    def leave() -> None:
        raise SystemExit(3)

    async def main() -> None:
        guest = embed(reactor)
        reactor.call_soon(leave)
        reactor.call_soon(ran.append, 1)
        await guest.wait_closed()

    with pytest.raises(SystemExit):
        run_in(host, main)


def test_a_poller_that_fails_ends_the_embedding(
    host: str, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[dict[str, Any]] = []

    def fail(longest: float) -> None:
        raise OSError(errno.EBADF, "the poller is gone")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
        guest = embed(reactor)
        monkeypatch.setattr(reactor, "turn", fail)
        reactor.call_soon(print)
        await guest.wait_closed()

    run_in(host, main)
    assert isinstance(reported[0]["exception"], OSError)


# --- both ends --------------------------------------------------------------------------------------------


def test_the_host_ends_first(host: str, reactor: Reactor) -> None:
    kept: list[Embedded] = []
    ran: list[int] = []

    async def main() -> None:
        guest = embed(reactor)
        assert repr(guest).startswith("<Embedded open <Reactor")
        kept.append(guest)
        reactor.call_later(3600, print)

    run_in(host, main)
    reactor.call_soon(ran.append, 1)  # nobody is there to be told
    reactor.call_later(0, ran.append, 2)
    (guest,) = kept
    assert not guest.closed
    guest.close()
    guest.close()
    assert repr(guest).startswith("<Embedded closed")
    reactor.call_later(0, reactor.stop)
    reactor.run()
    assert sorted(ran) == [1, 2]


def test_the_reactor_is_closed_first(host: str) -> None:
    async def main() -> None:
        reactor = Reactor(GUESTS[0])
        guest = embed(reactor)
        number = reactor.poller.fileno()
        reactor.call_soon(print)
        reactor.close()
        assert guest.closed
        assert not asyncio.get_running_loop().remove_reader(number)

    run_in(host, main)


def test_the_reactor_runs_alone_again(host: str, reactor: Reactor) -> None:
    async def main() -> None:
        with embed(reactor):
            with pytest.raises(ProgramFault, match="guest of another loop"):
                reactor.run()
            with pytest.raises(ProgramFault, match="guest of a loop already"):
                embed(reactor)
        with embed(reactor):
            pass

    run_in(host, main)
    reactor.call_soon(reactor.stop)
    reactor.run()


def test_stop_ends_the_embedding(host: str, reactor: Reactor) -> None:
    async def main() -> None:
        guest = embed(reactor)
        reactor.call_soon(reactor.stop)  # in a turn
        await guest.wait_closed()
        guest = embed(reactor)
        reactor.stop()  # between two
        assert guest.closed
        await guest.wait_closed()
        with embed(reactor):  # stopping belonged to the former run
            ran: list[int] = []
            reactor.call_soon(ran.append, 1)
            await until(lambda: ran)

    run_in(host, main)


@pytest.mark.parametrize("poller", OTHERS)
def test_a_poller_without_a_descriptor_is_refused(poller: str) -> None:
    async def main() -> None:
        with (
            Reactor(poller) as reactor,
            pytest.raises(ProgramFault, match=f"{poller} has no descriptor of its own"),
        ):
            embed(reactor)

    run_in("asyncio", main)


def test_without_a_loop() -> None:
    with Reactor(GUESTS[0]) as reactor, pytest.raises(RuntimeError, match="no running event loop"):
        embed(reactor)


def test_a_loop_that_does_not_run_yet(host: str, reactor: Reactor) -> None:
    ran: list[int] = []
    loop = factory(host)()
    with embed(reactor, loop):
        reactor.call_later(0.001, ran.append, 1)
        loop.run_until_complete(until(lambda: ran))
    loop.close()
