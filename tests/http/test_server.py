"""HTTPServer: answers that come later, whose Host it answers to, and how it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.errors import ProgramFault
from poise.files.locate import Root
from poise.files.server import FileServer
from poise.files.site import Site
from poise.http.hosts import is_local
from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.limits import HttpLimits
from poise.loop.reactor import Reactor
from poise.readiness.poller import available
from tests.http.web import SMALL_QUEUE, Web, echo, file_of, get, post, web
from tests.support.loops import turn_until

BIG = b"x" * 1_000_000


class Later:
    """A handler that answers nothing by itself."""

    def __init__(self) -> None:
        self.waiting: list[Request] = []

    def __call__(self, request: Request) -> Reply | None:
        if request.path == "/now":
            return echo(request)
        self.waiting.append(request)
        return None


# -- later --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("poller", available())
def test_an_answer_from_the_loop_and_from_a_thread(poller: str) -> None:
    later = Later()
    with web(later, poller=poller) as site:
        client = site.client()
        client.send(get("/a"))
        turn_until(site.reactor, lambda: later.waiting)
        site.reactor.call_later(0, later.waiting[0].answer, Reply(200, body=b"from the loop"))
        assert client.answer().body == b"from the loop"
        client.send(get("/b"))
        turn_until(site.reactor, lambda: len(later.waiting) == 2)
        post_answer = site.reactor.call_soon_threadsafe
        reply = Reply(200, body=b"from a thread")
        thread = threading.Thread(target=post_answer, args=(later.waiting[1].answer, reply))
        thread.start()
        assert client.answer().body == b"from a thread"
        thread.join()
        assert client.ask(get("/now")).body == b"GET /now "


def test_a_second_answer_is_the_programs_fault() -> None:
    later = Later()
    with web(later) as site:
        client = site.client()
        client.send(get("/a"))
        site.turns()
        later.waiting[0].answer(Reply(200, body=b"first"))
        body = file_of(b"second")
        with pytest.raises(ProgramFault, match="already"):
            later.waiting[0].answer(Reply(200, body=body))
        assert body.fd == -1
        assert client.answer().body == b"first"
        client.send(get("/b"))
        site.turns()
        with pytest.raises(ProgramFault):  # not to the next request either
            later.waiting[0].answer(Reply(200, body=b"third"))
        later.waiting[1].answer(Reply(200, body=b"right"))
        assert client.answer().body == b"right"


def test_a_request_that_was_answered_at_once_cannot_be_answered_later() -> None:
    kept: list[Request] = []

    def at_once(request: Request) -> Reply:
        kept.append(request)
        return echo(request)

    with web(at_once) as site:
        client = site.client()
        client.ask(get())
        with pytest.raises(ProgramFault):
            kept[0].answer(Reply(200))
        assert client.ask(get()).status == 200


def test_a_request_without_a_connection_cannot_be_answered() -> None:
    with web() as site:
        site.client().ask(get())
        request = Request(site.server.asked[0].head, b"", "", "http")
        with pytest.raises(ProgramFault, match="does not belong"):
            request.answer(Reply(200))


def test_an_answer_for_a_client_that_has_gone_is_let_go() -> None:
    later = Later()
    with web(later) as site:
        client = site.client()
        client.send(get("/a"))
        site.turns()
        client.close()
        body = file_of(BIG)
        later.waiting[0].answer(Reply(200, body=body))
        site.turns()
        site.gone()
        assert body.fd == -1
        again = file_of(b"x")
        later.waiting[0].answer(Reply(200, body=again))
        assert again.fd == -1


# -- Host ---------------------------------------------------------------------------------------------------


def test_a_host_that_is_not_allowed() -> None:
    with web(allows_host=is_local) as site:
        client = site.client()
        for data in (
            b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",  # the target's host is the one
        ):
            answer = client.ask(data)
            assert answer.status == 421
            assert b"--allow-host" in answer.body
        assert client.ask(get()).status == 200
        assert client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").status == 200
        assert len(site.server.asked) == 2


def test_a_body_for_a_host_that_is_not_allowed_is_not_read() -> None:
    with web(allows_host=is_local) as site:
        client = site.client()
        client.send(
            b"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.answer().status == 421
        client.end()
        assert site.server.asked == []


# -- the end ------------------------------------------------------------------------------------------------


class Ended:
    def __init__(self, site: Web) -> None:
        self.times = 0
        site.server.drain(self.now)

    def now(self) -> None:
        self.times += 1


def test_draining_ends_idle_connections_at_once() -> None:
    with web() as site:
        fresh, idle, partial = site.client(), site.client(), site.client()
        idle.ask(get())
        partial.send(b"GET / HT")
        site.turns()
        site.wait(HttpLimits().first_words_time)
        ended = Ended(site)
        for client in (fresh, idle, partial):
            assert client.end() == b""
            assert not client.reset
        site.turns()
        assert ended.times == 1
        assert site.reactor.timers.next_due == float("inf")
        assert isinstance(site.listener.address, tuple)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(site.listener.address)


def test_draining_a_server_without_connections() -> None:
    with web() as site:
        assert Ended(site).times == 1
        site.server.drain()
        site.wait(20)


@pytest.mark.parametrize("poller", available())
@pytest.mark.parametrize("path", ["/later", "/file", "/produced", "/body", "/pipeline", "/memo"])
def test_draining_lets_a_reply_in_flight_finish(path: str, poller: str) -> None:
    later = Later()
    released: list[bool] = []

    def produced() -> Iterator[bytes]:
        while not released:
            yield b""
        yield b"last piece"

    def answer(request: Request) -> Reply | None:
        if request.path in ("/later", "/pipeline"):
            return later(request)
        if request.path == "/file":
            return Reply(200, body=file_of(BIG))
        if request.path == "/memo":
            return Reply(200, body=BIG[:60_000], validator=lambda: True)
        return Reply(200, body=produced()) if request.path == "/produced" else echo(request)

    with web(answer, poller=poller, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        if path == "/memo":
            client.ask(get(path))
            client.ask(get(path))
        client.send(
            {
                "/body": post(b"hello")[:-2],
                "/pipeline": get("/pipeline") + get("/never"),
            }.get(path, get(path))
        )
        site.turns()
        ended = Ended(site)
        site.turns()
        assert ended.times == 0
        released.append(True)
        if path == "/body":
            client.send(b"lo")
        for request in later.waiting:
            request.answer(Reply(200, body=b"at last"))
        answer_received = client.answer()
        assert answer_received.status == 200
        assert client.end() == b""
        assert not client.reset
        client.close()
        site.gone()
        assert ended.times == 1
        assert "/never" not in [each.path for each in site.server.asked]
        if path in ("/later", "/body", "/pipeline"):
            assert answer_received.fields["connection"] == "close"
        else:
            assert len(answer_received.body) in (10, 60_000, len(BIG))


def test_draining_has_a_deadline() -> None:
    later = Later()
    with web(later, limits=HttpLimits(drain_time=3)) as site:
        client = site.client()
        client.send(get("/a"))
        site.turns()
        ended = Ended(site)
        site.wait(2.9)
        assert ended.times == 0
        site.wait(0.2)
        site.turns()
        assert ended.times == 1
        client.end()
        assert client.reset
        later.waiting[0].answer(Reply(200))


def test_closing_cuts_everything() -> None:
    later = Later()
    with web(later) as site:
        client = site.client()
        client.send(get("/a"))
        site.turns()
        ended = Ended(site)
        site.server.close()
        site.turns()
        assert ended.times == 1
        client.end()
        assert client.reset


def test_a_callback_of_an_exchange_that_raises_ends_its_connection_alone() -> None:
    with web(faults=1) as site:
        victim = site.client()
        (exchange,) = site.server.exchanges
        other = site.client()
        site.reactor.call_soon(exchange.data_received, 42)  # no bytes: a fault of ours
        victim.end()
        assert victim.reset
        assert other.ask(get()).status == 200


# -- a folder -----------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Web]:
    (tmp_path / "a.txt").write_bytes(b"content")
    with Root(tmp_path) as root, web() as made:
        made.server.close()
        server = FileServer(made.reactor, Site(root, wall=made.clock.wall))
        made.server = server  # type: ignore[assignment]
        made.listener = server.listen(("127.0.0.1", 0))
        yield made


def test_files_are_read_and_never_written(files: Web) -> None:
    client = files.client()
    assert client.ask(get("/a.txt")).body == b"content"
    client.send(get("/a.txt", method="HEAD"))
    assert client.answer("HEAD").fields["content-length"] == "7"
    answer = client.ask(get("/a.txt", method="DELETE"))
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.ask(get("/a.txt", "Content-Length: 1\r\n") + b"x").body == b"content"
    assert client.ask(get("*", method="OPTIONS")).status == 204


def test_a_body_that_nobody_wants_is_refused_before_it_is_sent(files: Web) -> None:
    client = files.client()
    client.send(get("/a.txt", "Content-Length: 1000\r\nExpect: 100-continue\r\n", method="PUT"))
    answer = client.answer()
    assert (answer.status, answer.fields["connection"]) == (405, "close")


def test_the_base_class_reads_bodies() -> None:
    with Reactor() as reactor:
        server = HTTPServer(reactor)
        assert server.refuse_body(None) is None  # type: ignore[arg-type]
        server.close()
