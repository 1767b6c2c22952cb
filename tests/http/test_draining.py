"""How a server stops: what has come is answered, what is idle is ended now or, when another server goes on, much later."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from poise.http.message import Reply
from poise.http.server import HTTPServer
from poise.limits import HttpLimits
from poise.loop.reactor import Reactor
from poise.net.certificates import ServerTLS
from poise.readiness.poller import available
from tests.http.web import App, Web, echo, get, post, web
from tests.support.certificates import Authority
from tests.support.loops import turn_until
from tests.support.secure import FarEnd

POLLERS = pytest.mark.parametrize("poller", available())


class Ended:
    """Whether a server that was told to stop has."""

    def __init__(self, site: Web, *, patient: bool) -> None:
        self.times = 0
        site.server.drain(self.now, patient=patient)

    def now(self) -> None:
        self.times += 1


def refused(site: Web) -> bool:
    assert isinstance(site.listener.address, tuple)
    try:
        with socket.create_connection(site.listener.address):
            return False
    except ConnectionRefusedError:
        return True


# -- a patient one ------------------------------------------------------------------------------------------


@POLLERS
def test_each_connection_gets_one_more_reply_that_says_so(poller: str) -> None:
    with web(poller=poller) as site:
        fresh, idle, partial, body = (site.client() for _ in range(4))
        idle.ask(get())
        partial.send(get("/partial")[:10])
        body.send(post(b"hello")[:-2])
        site.turns()
        ended = Ended(site, patient=True)
        site.wait(5)
        assert refused(site)
        assert site.open == 4
        partial.send(get("/partial")[10:])
        body.send(b"lo")
        fresh.send(get("/fresh"))
        idle.send(get("/idle"))
        for client, path in ((fresh, "/fresh"), (idle, "/idle"), (partial, "/partial"), (body, "/")):
            answer = client.answer()
            assert answer.status == 200
            assert answer.fields["connection"] == "close"
            assert answer.body.split()[1].startswith(path.encode())
            assert client.end() == b""
            assert not client.reset
            client.close()
        site.gone()
        assert ended.times == 1


def test_a_second_request_is_not_answered() -> None:
    """Whoever pipelines has to ask again elsewhere what was not answered (RFC 9112, 9.3.2)."""
    with web() as site:
        client = site.client()
        Ended(site, patient=True)
        client.send(get("/one") + get("/two"))
        assert client.answer().fields["connection"] == "close"
        assert client.end() == b""
        assert [each.path for each in site.server.asked] == ["/one"]


def test_who_asks_nothing_is_ended_when_the_time_is_over() -> None:
    with web(limits=HttpLimits(drain_time=3)) as site:
        fresh, idle = site.client(), site.client()
        idle.ask(get())
        ended = Ended(site, patient=True)
        site.wait(2.9)
        assert (site.open, ended.times) == (2, 0)
        site.wait(0.2)
        for client in (fresh, idle):
            assert client.end() == b""
            assert not client.reset
        site.turns()
        assert ended.times == 1


def test_patience_may_end_early() -> None:
    with web() as site:
        idle = site.client()
        idle.ask(get())
        patient = Ended(site, patient=True)
        site.turns()
        assert site.open == 1
        hurried = Ended(site, patient=False)
        assert idle.end() == b""
        site.gone()
        assert (patient.times, hurried.times) == (0, 1)
        assert site.reactor.timers.next_due == float("inf")


@pytest.fixture
def secure(authority: Authority) -> Iterator[tuple[App, Reactor, ssl.SSLContext]]:
    with Reactor() as reactor:
        server = App(reactor, echo)
        server.listen(("127.0.0.1", 0), tls=ServerTLS(authority.local()))
        yield server, reactor, authority.client.context
        server.close()
        reactor.turn(0)


def far_end(server: HTTPServer, context: ssl.SSLContext) -> FarEnd:
    address = server.listeners[0].address
    assert isinstance(address, tuple)
    return FarEnd(socket.create_connection(address), context, "localhost")


def test_a_handshake_is_waited_for_and_its_request_answered(
    secure: tuple[App, Reactor, ssl.SSLContext],
) -> None:
    server, reactor, context = secure
    far = far_end(server, context)
    far.shake()
    turn_until(reactor, lambda: server.listeners[0].streams)
    assert not server.exchanges
    ended: list[int] = []
    server.drain(lambda: ended.append(1), patient=True)
    assert ended == []
    far.open(reactor)
    far.write(get())
    turn_until(reactor, lambda: far.read().ended)
    assert b"\r\nConnection: close\r\n" in far.data
    far.close()
    turn_until(reactor, lambda: ended)


def test_a_handshake_that_fails_is_not_waited_for_any_more(
    secure: tuple[App, Reactor, ssl.SSLContext],
) -> None:
    server, reactor, context = secure
    far = far_end(server, context)
    far.shake()
    turn_until(reactor, lambda: server.listeners[0].streams)
    ended: list[int] = []
    server.drain(lambda: ended.append(1), patient=True)
    far.close()
    turn_until(reactor, lambda: ended)
    assert ended == [1]


# -- the last one -------------------------------------------------------------------------------------------


@pytest.mark.pitfall(39)
@POLLERS
def test_requests_of_those_who_wait_in_the_kernels_queue_are_answered(poller: str) -> None:
    with web(poller=poller) as site:
        assert isinstance(site.listener.address, tuple)
        clients = [socket.create_connection(site.listener.address) for _ in range(100)]
        for number, client in enumerate(clients):
            client.sendall(get(f"/{number}"))
        ended = Ended(site, patient=False)
        assert refused(site)
        site.gone()
        for number, client in enumerate(clients):
            data = b""
            while more := client.recv(1000):
                data += more
            client.close()
            assert data.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nConnection: close\r\n" in data
            assert data.endswith(f"GET /{number} ".encode())
        assert ended.times == 1


def test_a_request_that_has_come_but_was_not_read_is_answered() -> None:
    with web() as site:
        idle, asks = site.client(), site.client()
        for client in (idle, asks):
            client.ask(get())
        asks.sock.sendall(get("/last"))
        ended = Ended(site, patient=False)
        last = asks.answer()
        assert (last.fields["connection"], last.body) == ("close", b"GET /last ")
        assert idle.end() == asks.end() == b""
        site.gone()
        assert ended.times == 1


def test_half_a_request_is_not_waited_for() -> None:
    with web() as site:
        client = site.client()
        client.sock.sendall(get("/half")[:-2])
        ended = Ended(site, patient=False)
        assert client.end() == b""
        site.gone()
        assert ended.times == 1


def test_who_has_just_come_is_heard() -> None:
    """The request of a client follows its connection at once, but not in the same moment."""
    moment = HttpLimits().first_words_time
    with web() as site:
        speaks, silent, idle = (site.client() for _ in range(3))
        idle.ask(get())
        ended = Ended(site, patient=False)
        assert idle.end() == b""
        site.wait(moment / 2)
        assert site.open == 2
        speaks.send(get("/late"))
        answer = speaks.answer()
        assert (answer.status, answer.fields["connection"]) == (200, "close")
        assert speaks.end() == b""
        assert site.open == 1
        site.wait(moment)
        assert silent.end() == b""
        site.gone()
        assert ended.times == 1


def test_more_of_a_request_than_is_read_at_once_is_read_first() -> None:
    """What has come is looked at turn after turn, as long as there is more."""
    with web(lambda request: Reply(200, body=str(len(request.body)).encode())) as site:
        client = site.client()
        client.ask(get())
        client.send(get("/", f"X: {'x' * 20_000}\r\n"))
        Ended(site, patient=False)
        assert client.answer().fields["connection"] == "close"


def test_what_cannot_be_accepted_does_not_keep_it_from_stopping() -> None:
    with web(faults=1) as site:
        assert isinstance(site.listener.address, tuple)

        def broken() -> App:
            raise ValueError("no protocol today")

        site.listener.factory = broken  # type: ignore[assignment]
        with socket.create_connection(site.listener.address):
            ended = Ended(site, patient=False)
        assert ended.times == 1
