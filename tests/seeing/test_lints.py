"""Each lint by a program that has exactly its fault; and a busy, clean server that has none."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from poise.limits.seeing import SeeingLimits
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.loop.seat import SHORT, TURN, Level, Seat
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.readiness.by_epoll import ByEpoll
from poise.readiness.interest import READ, WRITE
from poise.seeing.lints import Lints
from poise.seeing.sampling import Sampler
from poise.seeing.series import Series
from poise.seeing.shorts import Shorts
from poise.seeing.stalls import Stalls
from poise.seeing.texts import TEXTS, say
from tests.support.watched import PATIENCE, Watched, watched

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what the kernel holds is asked in Linux's way"),
]

SOON = SeeingLimits(every=0.05)
MS = 1_000_000


@contextmanager
def tcp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.create_connection(server.getsockname())
        near, _ = server.accept()
        with near, far:
            near.setblocking(False)
            far.settimeout(PATIENCE)
            yield near, far


@contextmanager
def registered(seen: Watched, sock: socket.socket, mask: int, handler: Any) -> Iterator[None]:
    seen.do(lambda: seen.reactor.register(sock.fileno(), mask, handler))
    yield
    seen.do(lambda: seen.reactor.unregister(sock.fileno()))


def sentence(lint: dict[str, Any]) -> str:
    """As a person reads it; every argument that it names is there, in both languages."""
    for language in TEXTS:
        assert "–" not in say(f"lint.{lint['id']}", lint["args"], language)
        assert f"lint.{lint['id']}.fix" in TEXTS[language]
    return say(f"lint.{lint['id']}", lint["args"])


def test_ready_and_unused() -> None:
    def forgets_to_read(mask: int) -> None:
        pass

    with (
        watched(limits=SOON) as seen,
        tcp_pair() as (near, far),
        registered(seen, near, READ, forgets_to_read),
    ):
        far.send(b"never read")
        lint = seen.lint("unused")
        assert (lint["fd"], lint["gen"]) == (near.fileno(), 1)
        assert lint["peer"] == "{}:{}".format(*far.getsockname())
        assert sentence(lint).startswith(f"Descriptor {near.fileno()}.1 (forgets_to_read) is ready ")
        assert seen.state()["verdict"]["id"] == "spinning"


def test_an_end_that_nobody_closes() -> None:
    def reads_the_end(mask: int) -> None:
        near.recv(100)

    with (
        watched(limits=SOON) as seen,
        tcp_pair() as (near, far),
        registered(seen, near, READ, reads_the_end),
    ):
        far.close()
        assert seen.lint("unused")["fd"] == near.fileno()


def test_write_interest_with_nothing_to_send() -> None:
    def has_nothing(mask: int) -> None:
        pass

    with (
        watched(limits=SOON) as seen,
        tcp_pair() as (near, _),
        registered(seen, near, READ | WRITE, has_nothing),
    ):
        lint = seen.lint("write_idle")
        assert lint["fd"] == near.fileno()
        assert sentence(lint).startswith(
            f"Descriptor {near.fileno()}.1 (has_nothing) is watched for WRITE although nothing waits to be sent"
        )


class EdgeTriggered(ByEpoll):
    """A poller that says each thing once."""

    def _watch(self, fd: int, mask: int) -> None:
        self._kernel.register(fd, mask | select.EPOLLET)


def test_an_edge_that_was_not_drained() -> None:
    def reads_a_little(mask: int) -> None:
        near.recv(10)

    with (
        watched(EdgeTriggered(), limits=SOON) as seen,
        tcp_pair() as (near, far),
        registered(seen, near, READ, reads_a_little),
    ):
        far.send(b"x" * 1000)
        lint = seen.lint("not_drained")
        assert lint["fd"] == near.fileno()
        assert "990 B wait to be read" in sentence(lint)


def test_a_short_write_whose_rest_was_dropped() -> None:
    with watched(level=Level.FULL, limits=SOON) as seen, tcp_pair() as (near, far):

        def answer(mask: int) -> None:
            near.recv(100)
            near.send(b"x" * 32_000_000)  # forgets the rest

        with registered(seen, near, READ, answer):
            far.send(b"?")
            lint = seen.lint("short_dropped")
            assert lint["fd"] == near.fileno()
            assert lint["args"]["where"] == f"{__file__}:{line_of('forgets the rest')}"
            assert "of 30.5 MiB, and the rest was forgotten" in sentence(lint)
    assert "send" not in vars(socket.socket), "the class is its own again"


def test_a_short_write_that_is_seen_to_is_none() -> None:
    """By watching for WRITE, as a stream does; by sending the rest in the same call; and whatever other threads send."""

    class Sends(Protocol):
        def connection_made(self, stream: Stream) -> None:
            stream.write(b"x" * 8_000_000)
            stream.close()

    with watched(level=Level.FULL, limits=SOON) as seen, tcp_pair() as (near, far):
        listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Sends))
        with socket.create_connection(listener.sockname) as client:
            client.settimeout(PATIENCE)
            while client.recv(1 << 20):
                pass
        shorts = seen.watching._looking.shorts  # type: ignore[union-attr]  # somebody is attached
        fd = near.fileno()

        def in_two(mask: int) -> None:
            near.recv(1)
            shorts.heard(fd, 1000, 400)
            shorts.heard(fd, 600, 600)

        with registered(seen, near, READ, in_two):
            far.send(b"?")
            seen.until(lambda told: seen.watching.probe.seats[fd].events)
            near.send(b"from another thread")
        begun = seen.watching.probe.turn_n
        seen.until(lambda told: seen.do(lambda: seen.watching.probe.turn_n) > begun + 20)
        assert [lint for lint in seen.state()["lints"] if lint["id"] == "short_dropped"] == []
        seen.do(listener.close)


def test_one_who_takes_more_than_half_of_slow_turns() -> None:
    with watched(limits=SOON) as seen, tcp_pair() as (near, far), tcp_pair() as (other, other_far):

        def computes(mask: int) -> None:
            near.recv(1)
            end = time.thread_time() + 0.03
            while time.thread_time() < end:
                pass

        with (
            registered(seen, near, READ, computes),
            registered(seen, other, READ, lambda mask: other.recv(1)),
        ):

            def press(told: dict[str, Any]) -> bool:
                far.send(b"x")
                other_far.send(b"x")
                return any(lint["id"] == "hog" for lint in told["lints"])

            seen.until(press)
            lint = seen.lint("hog")
            assert lint["fd"] == near.fileno()
            assert f"{near.fileno()}.1 (computes) took more than half" in sentence(lint)


@pytest.mark.parametrize(
    ("whose", "cpu", "hogs"),
    [
        ("aaa", 15, "a"),
        ("aa", 15, ""),
        ("abcabcabc", 15, "abc"),
        ("aaaaa", 1, ""),
        ("aaaaaabb", 1, "a"),
        ("abcdabcdabcdabcdabcdabcd", 1, ""),
    ],
)
def test_what_was_not_computed_is_no_habit_that_all_have(whose: str, cpu: int, hogs: str) -> None:
    """Another thread that keeps the interpreter makes each call long, whoever's it is."""
    with Reactor() as reactor:
        probe = Probe(reactor, nanoseconds=lambda: 1_000 * MS)
        stalls, sampler = Stalls(probe, None), Sampler(probe)
        lints = Lints(probe, sampler, Series(probe), stalls, Shorts(probe))
        seats = {name: Seat(1000 + ord(name), 1, name, READ, 0) for name in whose}
        for name in whose:
            ns = 20 * MS
            probe.slow.append((TURN, 900 * MS, 1, 0, 0, ns, 0, 0, 2, cpu * MS, 0, ns, seats[name]))
        lints.round()
        assert sorted(chr((lint.fd or 0) - 1000) for lint in lints.found) == list(hogs)


def test_a_peer_that_does_not_read() -> None:
    class Floods(Protocol):
        def connection_made(self, stream: Stream) -> None:
            stream.write(b"x" * 16_000_000)

    with watched(limits=SOON.but(unread=300 * MS)) as seen:
        listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Floods))
        with socket.create_connection(listener.sockname) as client:
            lint = seen.lint("peer_not_reading")
            assert lint["peer"] == "{}:{}".format(*client.getsockname())
            assert sentence(lint).startswith(
                f"{lint['peer']} on descriptor {lint['fd']}.{lint['gen']} has taken nothing"
            )
            [row] = [
                each for each in seen.watching.state(type(seen.cursor)())["rows"] if each["fd"] == lint["fd"]
            ]
            assert row["out"] > 0
            assert row["queue"] > 0
            assert row["state"] == "writing"
        seen.do(listener.close)
        seen.until(lambda told: not listener.streams)


def test_the_limit_of_descriptors_is_near() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with watched(limits=SOON) as seen, tcp_pair() as (near, _):
        high = 900
        os.dup2(near.fileno(), high)
        with socket.socket(fileno=high) as sock, registered(seen, sock, READ, lambda mask: None):
            resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
            try:
                lint = seen.lint("descriptors")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert lint["fd"] == high
            assert (
                sentence(lint)
                == "Descriptor 900 is open, and the limit is 1,000: soon nobody can be accepted."
            )


def test_select_is_near_its_end() -> None:
    with watched("select", limits=SOON) as seen, tcp_pair() as (near, _):
        os.dup2(near.fileno(), 950)
        with socket.socket(fileno=950) as sock, registered(seen, sock, READ, lambda mask: None):
            lint = seen.lint("select_limit")
            assert lint["fd"] == 950
            assert sentence(lint) == "Descriptor 950 is near 1024, beyond which select() cannot see."


def test_a_storm_of_connections() -> None:
    with watched(limits=SOON.but(storm=20)) as seen:
        listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Protocol))

        def press(told: dict[str, Any]) -> bool:
            for _ in range(3):
                socket.create_connection(listener.sockname).close()
            return any(lint["id"] == "storm" for lint in told["lints"])

        seen.until(press)
        lint = seen.lint("storm")
        assert lint["fd"] == listener._fd
        assert (
            f"connections a second come to descriptor {listener._fd}.1 ({listener.address[0]}:"
            in sentence(lint)
        )
        seen.do(listener.close)
        seen.until(lambda told: not listener.streams)


class Echo(Protocol):
    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.stream.write(data)


def busy(seconds: float) -> list[str]:
    """What is said of a clean server under load: every lint that came up, and every stall."""
    said: list[str] = []
    over = threading.Event()
    with watched(level=Level.FULL, limits=SOON) as seen, ExitStack() as stack:
        listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Echo))
        clients = [stack.enter_context(socket.create_connection(listener.sockname)) for _ in range(8)]

        def press(client: socket.socket) -> None:
            size = 1
            while not over.is_set():
                client.sendall(b"x" * size)
                left = size
                while left:
                    left -= len(client.recv(left))
                size = size * 3 % 70_001

        threads = [threading.Thread(target=press, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds

        def judge(told: dict[str, Any]) -> bool:
            said.extend(lint["id"] for lint in told["lints"])
            return time.monotonic() > end

        try:
            seen.until(judge)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        said.extend(stall["kind"] for stall in seen.stalls)
        events = sum(seat.events for seat in seen.watching.probe.seats.values())
        stack.close()
        seen.do(listener.close)
        seen.until(lambda told: not listener.streams)
    assert events > 200 * seconds, "it was no load at all"
    return said


def test_a_server_that_sees_to_the_rest_of_each_short_send_has_none() -> None:
    class Narrow(Echo):
        def connection_made(self, stream: Stream) -> None:
            super().connection_made(stream)
            stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)

    with watched(level=Level.FULL, limits=SOON) as seen:
        listener = seen.do(lambda: listen(seen.reactor, ("127.0.0.1", 0), Narrow))
        with socket.create_connection(listener.sockname) as client:
            client.settimeout(PATIENCE)
            rounds = iter(range(30))

            def over(told: dict[str, Any]) -> bool:
                assert told["lints"] == []
                client.sendall(bytes(60_000))
                left = 60_000
                while left:
                    left -= len(client.recv(min(left, 9_000)))
                return next(rounds, None) is None

            seen.until(over)
            assert any(record[0] == SHORT for record in seen.watching.probe.ring)
        seen.do(listener.close)
        seen.until(lambda told: not listener.streams)


def test_a_clean_server_under_load_has_none() -> None:
    assert [each for each in busy(2.0) if each not in {"preempted", "waiting"}] == []


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_clean_server_has_none_in_a_minute_of_load() -> None:
    for _ in range(6):
        assert [each for each in busy(10.0) if each not in {"preempted", "waiting"}] == []


def line_of(mark: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))
