"""Each HTTP request is one span within its connection, however it is answered; and who is not looked at in full pays nothing."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Any

import pytest

import poise
from poise.http import known
from poise.http.exchange import Exchange
from poise.http.log import AccessLog
from poise.http.memo import Memo
from poise.limits import ListenLimits
from poise.loop.probe import Probe
from poise.loop.seat import REQUEST, Level
from poise.net.certificates import ServerTLS
from poise.net.listener import Listener
from poise.seeing.requests import Requests
from poise.seeing.shared import watching_of
from poise.seeing.trace import trace
from tests.seeing import perfetto
from tests.support.certificates import Authority, authority
from tests.support.loops import turn_until
from tests.support.program import PATIENCE
from tests.support.secure import FarEnd

__all__ = ["authority"]
pytestmark = pytest.mark.usefixtures("folder")

OWN = {name: getattr(Exchange, name) for name in ("_take", "_log_request", "_log_now", "connection_lost")}
OWN_ENTRY_FOR, OWN_FIND = known.entry_for, Memo.find


def untouched() -> bool:
    return (
        all(vars(Exchange)[name] is own for name, own in OWN.items())
        and "data_received" not in vars(Exchange)
        and known.entry_for is OWN_ENTRY_FOR
        and Memo.find is OWN_FIND
    )


class Shop(poise.HTTPServer):
    """``/late`` is answered when the test says so, ``/slow`` piece by piece, ``/kept`` is remembered."""

    looked_at = frozenset()

    def __init__(self, reactor: poise.Reactor, **others: Any) -> None:
        super().__init__(reactor, **others)
        self.late: list[poise.Request] = []
        self.valid = True

    def respond(self, request: poise.Request) -> poise.Reply | None:
        if request.path == "/late":
            self.late.append(request)
            return None
        if request.path == "/slow":
            return poise.Reply(200, [], (b"x" * 1000 for _ in range(100)))
        if request.path == "/large":
            return poise.Reply(200, [], b"x" * 5_000_000)
        if request.path == "/kept":
            return poise.Reply(200, [], b"kept", validator=lambda: self.valid)
        return poise.Reply(200, [], b"hello")


def connected(listener: Listener) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(listener.address[1])), PATIENCE)
    client.setblocking(False)
    return client


def arrived(client: socket.socket) -> bytes:
    """What is there; nothing yet."""
    try:
        return client.recv(1 << 20)
    except BlockingIOError:
        return b""


class House:
    """A shop, its clients, and all requests that are noted."""

    def __init__(self, *, logged: bool, tls: ServerTLS | None = None, defer: float = 0) -> None:
        self.reactor = poise.Reactor()
        self.lines: list[str] = []
        log = AccessLog(self.reactor, self.lines.append) if logged else None
        self.shop = Shop(self.reactor, log=log, listen_limits=ListenLimits(defer=defer))
        self.listener = self.shop.listen(("127.0.0.1", 0), tls=tls)
        self.probe = Probe(self.reactor)
        self.requests = Requests(self.probe)
        self.probe.start(Level.FULL)
        self.requests.begin()
        self.requests.begin()
        self.clients: list[socket.socket] = []

    def client(self) -> socket.socket:
        self.clients.append(connected(self.listener))
        return self.clients[-1]

    def noted(self, *, under_way: bool = False) -> list[tuple[Any, ...]]:
        """``(method, path, status, sent)`` of each that is over, or is not."""
        found = [each for each in self.probe.ring if each is not None and each[0] == REQUEST]
        return [each[4:] for each in found if (each[2] < 0) is under_way]

    def took(self) -> list[int]:
        return [
            each[2] for each in self.probe.ring if each is not None and each[0] == REQUEST and each[2] >= 0
        ]

    def until(self, count: int) -> list[tuple[Any, ...]]:
        turn_until(self.reactor, lambda: len(self.noted()) >= count)
        return self.noted()

    def close(self) -> None:
        self.requests.end()
        self.requests.end()
        for client in self.clients:
            client.close()
        self.shop.close()
        self.listener.close()
        self.reactor.turn(0)
        self.reactor.close()
        assert not self.requests._asked
        assert not self.requests._behind
        assert untouched()


@pytest.fixture(params=[False, True], ids=["", "logged"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    made = House(logged=request.param)
    yield made
    made.close()


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", "")).encode()


def test_one_that_is_answered_at_once(house: House) -> None:
    client = house.client()
    client.send(get("/?secret=1"))
    assert house.until(1) == [("GET", "/?…", 200, 5)]
    client.send(get("/a/" + "b" * 200, method="HEAD"))
    assert house.until(2)[1] == ("HEAD", "/a/" + "b" * 116 + "…", 200, 0)
    assert house.noted(under_way=True)[0] == ("GET", "/?…", 0, 0)
    (seat,) = {each[3] for each in house.probe.ring if each is not None and each[0] == REQUEST}
    assert seat in house.probe.seats.values()


def test_it_begins_with_the_first_byte_of_its_head(house: House) -> None:
    now = [10**9]
    house.probe.nanoseconds = lambda: now[0]
    client = house.client()
    head = get("/")
    turn_until(house.reactor, lambda: len(house.shop.exchanges) == 1)
    client.send(head[:5])
    (exchange,) = house.shop.exchanges
    turn_until(house.reactor, lambda: exchange in house.requests._asked)
    assert house.noted(under_way=True) == []
    now[0] += 700
    client.send(head[5:])
    house.until(1)
    assert house.took() == [700]


def test_one_that_takes_several_turns(house: House) -> None:
    client = house.client()
    client.send(get("/slow"))
    turn_until(house.reactor, lambda: (arrived(client), house.noted())[1])
    assert house.noted() == [("GET", "/slow", 200, 100_000)]
    client.send(get("/late"))
    turn_until(house.reactor, lambda: bool(house.shop.late))
    assert house.noted(under_way=True)[-1] == ("GET", "/late", 0, 0)
    house.shop.late.pop().answer(poise.Reply(204, [], b""))
    assert house.until(2)[1] == ("GET", "/late", 204, 0)


def test_one_whose_client_is_behind_ends_when_it_has_taken_it(house: House) -> None:
    client = house.client()
    client.send(get("/large"))
    (exchange,) = turned(house, lambda: [each for each in house.shop.exchanges if each._held])
    assert house.noted() == []
    turn_until(house.reactor, lambda: (arrived(client), house.noted())[1])
    assert house.noted() == [("GET", "/large", 200, 5_000_000)]
    assert not exchange._held


def turned(house: House, found: Any) -> Any:
    turn_until(house.reactor, lambda: bool(found()))
    return found()


def test_one_whose_client_leaves(house: House) -> None:
    client = house.client()
    client.send(get("/"))
    house.until(1)
    client.send(get("/late"))
    turn_until(house.reactor, lambda: bool(house.shop.late))
    client.close()
    assert house.until(2)[1] == ("GET", "/late", 499, 0)
    client = house.client()
    client.send(get("/large"))
    turned(house, lambda: [each for each in house.shop.exchanges if each._held])
    client.close()
    method, path, status, sent = house.until(3)[2]
    assert (method, path, status) == ("GET", "/large", 200)
    assert 0 < sent < 5_000_000
    client = house.client()
    client.send(get("/")[:9])
    turn_until(house.reactor, lambda: bool(house.requests._asked))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # with a reset
    turn_until(house.reactor, lambda: not house.requests._asked)
    assert len(house.noted()) == 3, "nothing was asked"


def test_one_that_breaks_the_rules(house: House) -> None:
    client = house.client()
    client.send(b"GET \x1b[2J\xe2\x80\xae HTTP/1.1\r\n\r\n")
    ((method, path, status, sent),) = house.until(1)
    assert (method, status) == ("", 400)
    assert path.startswith("GET \ufffd[2J")
    assert path.isprintable()
    assert sent > 0


def test_those_that_are_remembered(house: House) -> None:
    client = house.client()
    for count in range(1, 6):
        client.send(get("/kept"))
        assert house.until(count) == [("GET", "/kept", 200, 4)] * count
    assert len(house.noted(under_way=True)) < 5, "the last ones came from the memo"
    client.send(get("/kept") * 3)
    house.until(8)
    client.send(get("/kept", "User-Agent: another"))  # by its gist
    assert house.until(9) == [("GET", "/kept", 200, 4)] * 9
    house.shop.valid = False
    house.reactor.now += 10
    client.send(get("/kept") * 2 + get("/"))
    assert house.until(12)[9:] == [("GET", "/kept", 200, 4)] * 2 + [("GET", "/", 200, 5)]
    assert all(took > 0 for took in house.took())


@pytest.mark.parametrize("defer", [0, 30])
@pytest.mark.parametrize("logged", [False, True])
def test_one_that_is_the_first_and_last_of_a_connection(logged: bool, defer: float) -> None:
    house = House(logged=logged, defer=defer)
    asked = get("/kept", "Connection: close")
    for count in range(1, 6):
        client = house.client()
        client.send(asked)
        assert house.until(count) == [("GET", "/kept", 200, 4)] * count
    last = [each[3] for each in house.probe.ring if each is not None and each[0] == REQUEST][-1]
    # A newcomer that has spoken before it was let in has no descriptor that the loop knows.
    assert last.handler == ("Listener._on_ready" if house.listener._deferred else "Stream._on_ready")
    client = house.client()
    client.send(get("/kept"))  # the first of several
    house.until(6)
    house.close()


def test_those_of_a_secure_connection(authority: Authority) -> None:
    house = House(logged=False, tls=ServerTLS(authority.local()))
    trusting = ssl.create_default_context(cafile=authority.file)
    far = FarEnd(house.client(), trusting, "localhost").open(house.reactor)
    for count in range(1, 6):
        far.write(get("/kept"))
        assert house.until(count) == [("GET", "/kept", 200, 4)] * count
    (seat,) = {each[3] for each in house.probe.ring if each is not None and each[0] == REQUEST}
    assert seat in house.probe.seats.values()
    far.close()
    house.close()


def test_one_that_was_under_way_before_anybody_looked() -> None:
    house = House(logged=False)
    house.requests.end()
    client = house.client()
    client.send(get("/late"))
    turn_until(house.reactor, lambda: bool(house.shop.late))
    assert house.noted() == house.noted(under_way=True) == []
    house.requests.begin()
    house.shop.late.pop().answer(poise.Reply(200, [], b"now"))
    assert house.until(1) == [("GET", "/late", 200, 3)]
    house.close()


def test_another_reactor_of_the_process_is_let_be(house: House) -> None:
    with poise.Reactor() as other:
        shop = Shop(other)
        listener = shop.listen(("127.0.0.1", 0))
        with connected(listener) as client:
            for _ in range(5):
                client.send(get("/kept"))
                turn_until(other, lambda: arrived(client))
        shop.close()
        other.turn(0)
    assert house.noted() == []


def test_in_a_trace_they_lie_within_their_connection() -> None:
    """Three requests, one of which is slow, and one more that is not answered."""
    with poise.Reactor() as reactor:
        shop = Shop(reactor)
        listener = shop.listen(("127.0.0.1", 0))
        looker = watching_of(reactor).attach(full=True)
        turn_until(reactor, lambda: not untouched())
        with connected(listener) as client:
            client.send(get("/first"))
            turn_until(reactor, lambda: arrived(client))
            client.send(get("/late"))
            turn_until(reactor, lambda: bool(shop.late))
            began = looker.state()["at"]
            turn_until(reactor, lambda: looker.state()["at"] - began > 30_000_000)
            shop.late.pop().answer(poise.Reply(200, [], b"late"))
            turn_until(reactor, lambda: arrived(client))
            client.send(get("/last"))
            turn_until(reactor, lambda: arrived(client))
            client.send(get("/late"))
            turn_until(reactor, lambda: bool(shop.late))
            recorded = json.loads(b"".join(looker.recording(7)))
        looker.close()
        shop.close()
        reactor.turn(0)
    assert untouched()
    read = perfetto.read(json.loads(json.dumps(trace(recorded))))
    (connection,) = [each for each in read.spans.values() if each.name.startswith("connection")]
    told = [(each.name, each.args["status"], each.args["bytes"]) for each in connection.inside]
    assert told == [
        ("GET /first", 200, 5),
        ("GET /late", 200, 4),
        ("GET /last", 200, 5),
        ("GET /late", None, None),
    ]
    lengths = [each.end - each.begin for each in connection.inside]
    assert lengths[1] > 30_000_000
    assert max(lengths[0], lengths[2]) < lengths[1]
    assert connection.inside[3].end == connection.end
    for each in connection.inside:
        assert connection.begin <= each.begin <= each.end <= connection.end
