"""``poise.watch``: a reactor's page in one line, alive while the loop is not, and gone without a trace."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import poise
from poise.errors import MachineFault, ProgramFault
from poise.loop.reactor import Reactor
from poise.seeing import runtime
from poise.seeing.server import PageServer
from poise.seeing.session import program
from poise.seeing.shared import watching_of
from tests.support.loops import turn_until

PATIENCE = 20.0
AT_ONCE = 200_000_000  # nanoseconds after it has begun: 50 of it until it is a stall
ATTEMPTS = 3  # on a machine that runs others meanwhile


class Viewer:
    """One who reads the feed of ``url``, in this thread."""

    def __init__(self, url: str) -> None:
        where, _, token = url.removeprefix("http://").partition("/#")
        host, _, port = where.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.socket.sendall(
            f"GET /feed HTTP/1.1\r\nHost: {where}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        self._lines = self.socket.makefile("rb")

    def told(self, name: str) -> dict[str, Any]:
        """What the next event of that name says."""
        while line := self._lines.readline():
            if line == f"event: {name}\n".encode():
                return dict(json.loads(self._lines.readline().removeprefix(b"data: ")))
        raise AssertionError("the feed has ended")

    def rest(self) -> bytes:
        """All until the feed ends."""
        return self._lines.read()

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self.socket.close()


class Asker(Viewer):
    """One who watches by the control socket at ``path``, as ``poise top`` does."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.socket.sendall(b'{"ask": "watch"}\n')
        self._lines = self.socket.makefile("rb")

    def told(self, name: str) -> dict[str, Any]:
        while line := self._lines.readline():
            if name in (told := json.loads(line)):
                return dict(told[name])
        raise AssertionError("nothing more is told")


def by_page(shown: poise.Watch) -> Viewer:
    return Viewer(shown.url)


def by_control(shown: poise.Watch) -> Viewer:
    assert shown.control is not None
    return Asker(shown.control)


def beside(function: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    """Run it in a thread; what it raised stands in the list."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failed


pytestmark = pytest.mark.usefixtures("folder")


def bare(reactor: Reactor) -> bool:
    """Whether the reactor runs its own code."""
    return not {"turn", "register", "unregister", "retire", "modify"} & set(vars(reactor))


def test_a_loop_is_seen_and_then_left_as_it_was() -> None:
    with Reactor() as reactor:
        shown = poise.watch(reactor)
        assert bare(reactor)  # nobody looks yet
        reactor.call_later(0.001, int)
        seen: list[dict[str, Any]] = []

        def look() -> None:
            viewer = Viewer(shown.url)
            try:
                seen.append(viewer.told("hello"))
                while not seen[1:] or seen[-1]["level"] == "off":
                    seen.append(viewer.told("state"))
            finally:
                viewer.close()

        thread, failed = beside(look)
        turn_until(reactor, lambda: not thread.is_alive())
        assert failed == []
        assert seen[0]["program"] == program()
        assert seen[-1]["level"] == "recorder"
        assert seen[-1]["cost"]["viewers"] == 1
        turn_until(reactor, lambda: bare(reactor))
        shown.close()
        shown.close()
        assert shown.close not in reactor.at_close
        with pytest.raises(OSError):
            socket.create_connection(shown.address[:2], PATIENCE)


@pytest.mark.slow
def test_the_page_stays_alive_while_the_loop_is_stuck_and_sees_it_grow() -> None:
    free = threading.Event()

    def slow() -> None:
        free.wait(PATIENCE)

    with Reactor() as reactor:
        shown = poise.watch(reactor)
        seen: list[int] = []

        def look() -> None:
            viewer = Viewer(shown.url)
            try:
                while viewer.told("state")["level"] == "off":
                    pass
                reactor.call_soon_threadsafe(slow)
                while len(seen) < 3:
                    state = viewer.told("state")
                    stuck = state["turn"]["stuck"]
                    if stuck is not None:
                        assert state["verdict"]["id"] == "stuck"
                        assert "slow" in stuck["name"]
                        assert any("slow" in function for _, _, function in stuck["stack"])
                        seen.append(stuck["ns"])
            finally:
                free.set()
                viewer.close()

        thread, failed = beside(look)
        turn_until(reactor, lambda: not thread.is_alive())
        assert failed == []
        assert seen == sorted(seen)
        assert seen[2] - seen[0] > 100_000_000


@pytest.mark.slow
@pytest.mark.parametrize("way", [by_page, by_control])
def test_a_stall_is_told_at_once_and_not_with_the_next_state(way: Callable[[poise.Watch], Viewer]) -> None:
    free = threading.Event()

    def slow() -> None:
        free.wait(1.0)

    with Reactor() as reactor:
        viewers: list[Viewer] = []
        told: list[int] = []

        def look() -> None:
            viewers.append(viewer := way(poise.watch(reactor)))
            while viewer.told("state")["level"] == "off":
                pass
            while len(told) < ATTEMPTS and min(told, default=AT_ONCE + 1) > AT_ONCE:
                reactor.call_soon_threadsafe(slow)
                while (stuck := viewer.told("state")["turn"]["stuck"]) is None:
                    pass
                assert stuck["name"].endswith("slow")
                told.append(stuck["ns"])
                free.set()
                while viewer.told("state")["turn"]["stuck"] is not None:
                    pass
                free.clear()

        thread, failed = beside(look)
        turn_until(reactor, lambda: not thread.is_alive())
        viewers[0].close()
        assert failed == []
        assert min(told) <= AT_ONCE, told


def test_the_page_goes_with_its_reactor() -> None:
    before = set(threading.enumerate())
    reactor = Reactor()
    shown = poise.watch(reactor)
    viewers: list[Viewer] = []

    def look() -> None:
        viewers.append(Viewer(shown.url))
        viewers[0].told("state")

    thread, failed = beside(look)
    turn_until(reactor, lambda: not thread.is_alive())
    assert failed == []
    reactor.close()
    viewers[0].rest()
    viewers[0].close()
    end = time.monotonic() + PATIENCE
    while set(threading.enumerate()) - before:
        assert time.monotonic() < end, set(threading.enumerate()) - before


def test_poise_top_finds_the_program_too_unless_it_must_not(folder: Path) -> None:
    with Reactor() as reactor:
        assert poise.watch(reactor, control=False).control is None
        assert not folder.exists()
        shown = poise.watch(reactor)
        assert shown.control is not None
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(shown.control)
            connection.sendall(b'{"ask": "who"}\n')
            assert b'"who"' in connection.recv(65536)
        shown.close()
        assert list(folder.iterdir()) == []


def test_without_a_runtime_folder_there_is_a_page_all_the_same(folder: Path) -> None:
    for place in runtime.places():
        Path(place).write_text("")
    with Reactor() as reactor:
        assert poise.watch(reactor).control is None


def test_a_reactor_that_was_watched_and_closed_is_let_go() -> None:
    with Reactor() as reactor:
        poise.watch(reactor)
        kept = weakref.ref(reactor)
    del reactor
    gc.collect()
    assert kept() is None


def test_all_doors_of_a_reactor_lead_to_one_watching() -> None:
    with Reactor() as one, Reactor() as other:
        assert watching_of(one) is watching_of(one)
        assert watching_of(one) is not watching_of(other)
        first, second = watching_of(one).attach(), watching_of(one).attach()
        turn_until(one, lambda: not bare(one))
        first.close()
        first.close()
        assert second.state()["cost"]["viewers"] == 1
        second.told(1000)
        second.close()
        turn_until(one, lambda: bare(one))


def test_everything_is_recorded_as_long_as_somebody_wants_it() -> None:
    with Reactor() as reactor:
        watching = watching_of(reactor)
        usual, first, second = watching.attach(), watching.attach(full=True), watching.attach(full=True)
        turn_until(reactor, lambda: usual.state()["level"] == "full")
        first.close()
        reactor.turn(0)
        assert usual.state()["level"] == "full"
        second.close()
        turn_until(reactor, lambda: usual.state()["level"] == "recorder")
        usual.close()
        turn_until(reactor, lambda: bare(reactor))


def test_what_viewers_cost_is_told() -> None:
    with Reactor() as reactor:
        viewer = watching_of(reactor).attach()
        for _ in range(2000):
            viewer.hello()
        viewer.told(123_456)
        looking = viewer._watching._looking
        assert looking is not None
        assert looking.sent == 123_456
        assert looking.spent_ns > 1000
        viewer.close()


def test_nothing_can_be_seen_of_a_reactor_that_is_closed() -> None:
    reactor = Reactor()
    viewer = watching_of(reactor).attach()
    watching = watching_of(reactor)
    reactor.close()
    viewer.close()  # nobody minds
    with pytest.raises(ProgramFault):
        watching.attach()
    with pytest.raises(ProgramFault):
        poise.watch(reactor)


def test_an_address_that_cannot_be_had() -> None:
    with Reactor() as reactor:
        with pytest.raises(ProgramFault, match="anywhere"):
            poise.watch(reactor, ("0.0.0.0", 0))
        with pytest.raises(MachineFault, match="cannot resolve"):
            poise.watch(reactor, ("no.such.name.invalid", 0))
        with poise_page(reactor) as (taken, _), pytest.raises(OSError):
            poise.watch(reactor, taken)
        assert bare(reactor)


class poise_page:  # noqa: N801 - it is used like a function
    """A page that is closed in the end."""

    def __init__(self, reactor: Reactor) -> None:
        self._shown = poise.watch(reactor)

    def __enter__(self) -> tuple[tuple[str, int], str]:
        return self._shown.address, self._shown.url

    def __exit__(self, *_: object) -> None:
        self._shown.close()


def test_the_page_of_a_program_that_is_ending_is_refused_and_nobody_is_told_a_traceback() -> None:
    """Between the end of the reactor and that of its page somebody may come."""
    reactor = Reactor()
    watching = watching_of(reactor)
    server = PageServer(watching)
    reactor.close()
    try:
        viewer = Viewer(server.url)
        with pytest.raises(AssertionError, match="has ended"):
            viewer.told("hello")
        viewer.close()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("argv", "called"),
    [
        (["/usr/bin/poise", "serve", "."], "poise serve ."),
        (["/src/poise/__main__.py", "top"], "poise top"),
        (["app.py"], "app.py"),
        (["-c"], "-c"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_what_a_program_is_called(argv: list[str], called: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", argv)
    assert program() == called
