"""Whatever a listener does to whoever connects, there is one answer, in time: a connection, a failure, or silence after cancel()."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.errors import DeadlineExceeded, TLSError
from poise.limits import ListenLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.connect import ConnectError, Connecting, connect
from poise.net.listener import Listener, listen
from poise.net.stream import Stream
from poise.readiness.poller import available
from tests.property.house import Secrets
from tests.property.settling import nothing_left_open, settle
from tests.support.certificates import Authority
from tests.support.loops import Recorder

TIMEOUT = 5.0  # seconds for a connection
TICK = 0.5
ABSENT = {errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET}
BACKLOG = 1  # connections that the kernel keeps for a listener that does not accept, and one more

often, seldom = ["turn", "turn", "tick"], ["pause", "resume", "crowd", "vanish", "unlink", "return", "cancel"]
actions = st.one_of(st.sampled_from(often), st.sampled_from(seldom))


class Plan(NamedTuple):
    steps: list[str]
    accepts_at_once: bool
    server_raises: bool
    client_raises: bool
    cancels_in: str | None


plans = st.builds(
    Plan,
    st.lists(actions, max_size=15),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([None, None, "factory", "made", "failure"]),
)


class Refusal(Exception):
    """A factory raises it."""


class Caller(Recorder):
    """The protocol of the one who connects."""

    def __init__(self, meeting: Meeting) -> None:
        super().__init__()
        self.meeting = meeting
        self.made = 0

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        self.made += 1
        self.meeting.over()
        self.meeting.cancel_in("made")


class Meeting:
    """One attempt to connect, and the listener, which is there or not."""

    def __init__(self, reactor: Reactor, clock: ManualClock, plan: Plan, tls: ServerTLS | None) -> None:
        self.reactor = reactor
        self.clock = clock
        self.plan = plan
        self.tls = tls
        self.errors: list[Exception] = []
        reactor.on_error = self.errors.append
        self.failures: list[Exception] = []
        self.answered_at: float | None = None
        self.cancelled = self.vanished = False
        self.callers: list[Recorder] = []
        self.crowd: list[socket.socket] = []
        self.listener: Listener | None = None
        self.where: Any = None
        self.client = Caller(self)
        self.connecting: Connecting

    def begin(self, kind: str, path: Path, tls: ClientTLS | None) -> None:
        self.where = f"unix:{path}" if kind == "unix" else ("127.0.0.1", 0)
        self.come_back()
        if not self.plan.accepts_at_once:
            self.pause()
        self.connecting = connect(
            self.reactor,
            ("localhost", self.where[1]) if kind == "name" else self.where,
            self.make,
            tls=tls,
            server_name=None if tls is None else "localhost",
            timeout=TIMEOUT,
            on_failure=self.failed,
        )

    # -- what the two sides are told -------------------------------------------------------------

    def make(self) -> Caller:
        self.cancel_in("factory")
        if self.plan.client_raises:
            raise Refusal
        return self.client

    def failed(self, error: Exception) -> None:
        self.failures.append(error)
        self.over()
        self.cancel_in("failure")

    def over(self) -> None:
        assert self.answered_at is None, "answered twice"
        assert not self.cancelled, "answered after cancel()"
        self.answered_at = self.clock.monotonic()

    def cancel_in(self, place: str) -> None:
        if self.plan.cancels_in == place:
            self.connecting.cancel()

    def accepted(self) -> Recorder:
        if self.plan.server_raises:
            raise Refusal
        self.callers.append(Recorder())
        return self.callers[-1]

    # -- what happens ----------------------------------------------------------------------------

    def turn(self) -> None:
        self.reactor.turn(0.0)

    def tick(self) -> None:
        self.clock.advance(TICK)
        self.turn()

    def pause(self) -> None:
        if self.listener is not None:
            self.listener.pause()

    def resume(self) -> None:
        if self.listener is not None:
            self.listener.resume()

    def vanish(self) -> None:
        self.vanished = True
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def unlink(self) -> None:
        if isinstance(self.where, str):
            self.vanished = True
            Path(self.where.removeprefix("unix:")).unlink(missing_ok=True)

    def come_back(self) -> None:
        if self.listener is None:
            self.listener = listen(
                self.reactor, self.where, self.accepted, tls=self.tls, limits=ListenLimits(backlog=BACKLOG)
            )
            self.where = self.listener.address

    def fill(self) -> None:
        """Another client, who waits in the same queue and says nothing."""
        if isinstance(self.where, str):
            another = socket.socket(socket.AF_UNIX)
            self.crowd.append(another)
            another.setblocking(False)
            another.connect_ex(self.where.removeprefix("unix:"))

    def cancel(self) -> None:
        self.cancelled |= self.answered_at is None
        self.connecting.cancel()

    def until(self, condition: Callable[[], object]) -> None:
        settle(self.reactor, self.clock, condition, self.state)

    def state(self) -> tuple[object, ...]:
        heard = self.client.made, len(self.client.lost), len(self.failures), len(self.callers)
        return *heard, sum(len(each.lost) for each in self.callers), len(self.reactor._handlers)

    # -- what must be true -----------------------------------------------------------------------

    def finish(self) -> None:
        self.resume()
        self.until(lambda: self.answered_at is not None or self.cancelled)
        if self.client.made:
            self.client.stream.close()
        for each in self.crowd:
            each.close()
        self.until(lambda: len(self.client.lost) == self.client.made)
        listener = self.listener
        self.until(lambda: listener is None or not listener.streams)
        for _ in range(3):
            self.turn()
        self.vanish()
        self.until(lambda: len(self.reactor._handlers) == 1)  # the wake-up

    def check(self) -> None:
        assert all(isinstance(error, Refusal) for error in self.errors), self.errors
        assert len(self.client.lost) == self.client.made
        assert all(len(each.lost) == 1 for each in self.callers)
        assert self.client.made + len(self.failures) == (not self.cancelled)
        assert (self.connecting.stream is None) == (not self.client.made)
        for error in self.failures:
            self.check_failure(error)
        if self.client.made and not (self.plan.server_raises or self.vanished):
            assert self.client.lost == [None]

    def check_failure(self, error: Exception) -> None:
        assert self.answered_at is not None
        if isinstance(error, Refusal):
            assert self.plan.client_raises
        elif isinstance(error, DeadlineExceeded):
            assert TIMEOUT <= self.answered_at <= TIMEOUT + 1.0
        elif isinstance(error, ConnectError):
            assert self.vanished
            assert error.errors
            assert {each.errno for each in error.errors} <= ABSENT
        else:
            assert self.tls is not None
            assert self.vanished
            assert isinstance(error, TLSError | OSError)

    def close(self) -> None:
        self.connecting.cancel()
        for each in self.crowd:
            each.close()
        if self.client.made:
            self.client.stream.abort()
        if self.listener is not None:
            for stream in tuple(self.listener.streams):
                stream.abort()
            self.listener.close()
        self.reactor.turn(0)


DEEDS: dict[str, Callable[[Meeting], object]] = {
    "turn": Meeting.turn,
    "tick": Meeting.tick,
    "pause": Meeting.pause,
    "resume": Meeting.resume,
    "crowd": Meeting.fill,
    "vanish": Meeting.vanish,
    "unlink": Meeting.unlink,
    "return": Meeting.come_back,
    "cancel": Meeting.cancel,
}


def meet(poller: str, kind: str, security: Secrets | None, plan: Plan, path: Path) -> None:
    theirs, ours = security or (None, None)
    clock = ManualClock()
    with nothing_left_open(), Reactor(poller, clock=clock) as reactor:
        meeting = Meeting(reactor, clock, plan, theirs)
        meeting.begin(kind, path, ours)
        try:
            for step in plan.steps:
                DEEDS[step](meeting)
            meeting.finish()
            meeting.check()
        finally:
            meeting.close()


@pytest.fixture(scope="module", params=["plain", "tls"])
def security(request: pytest.FixtureRequest, authority: Authority) -> Secrets | None:
    return (ServerTLS(authority.local()), authority.client) if request.param == "tls" else None


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("connecting") / "socket"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["number", "name", "unix"])
@pytest.mark.parametrize("poller", available())
@settings(max_examples=40)
@given(plan=plans)
def test_there_is_one_answer(
    poller: str, kind: str, security: Secrets | None, path: Path, plan: Plan
) -> None:
    meet(poller, kind, security, plan, path)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["number", "name", "unix"])
@pytest.mark.parametrize("poller", available())
@settings(max_examples=1000)
@given(plan=plans)
def test_there_is_one_answer_at_length(
    poller: str, kind: str, security: Secrets | None, path: Path, plan: Plan
) -> None:
    meet(poller, kind, security, plan, path)
