"""The reply memo: what it remembers, for how long, and above all what it must never answer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from poise.http.clock import DateClock
from poise.http.gist import Gists
from poise.http.memo import Memo
from poise.http.message import Reply, Request
from poise.http.remembered import ENTRY_BYTES, PATCHED, Remembered
from poise.http.sights import MARKS, PLACES
from poise.limits import FileLimits, HttpLimits, ListenLimits
from poise.loop.clock import ManualClock
from poise.wire.http.dates import http_date
from tests.http.web import Client, Web, chunked, file_of, get, post, web


class Pages:
    """Answers that may be remembered, numbered in the order of their making; ``good`` is what validators say."""

    def __init__(self) -> None:
        self.made = 0
        self.looked = 0
        self.good = True
        self.change: Callable[[Reply], Reply] = lambda reply: reply

    def __call__(self, request: Request) -> Reply:
        self.made += 1
        body = f"{request.path} {self.made}".encode()
        return self.change(Reply(200, [("X", "y")], body, validator=self.look))

    def look(self) -> bool:
        self.looked += 1
        return self.good


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def site(pages: Pages) -> Iterator[Web]:
    with web(pages, logged=True) as made:
        yield made


def numbers(site: Web, *requests: bytes) -> list[int]:
    """The number of the answer to each request, one after the other on one connection."""
    client = site.client()
    client.ask(get("/first"))  # a connection's first bytes are like any other; this makes it the same for all
    found = []
    for each in requests:
        client.send(each)
        found.append(int(client.answer().body.rpartition(b" ")[2]))
    return found


def test_a_reply_is_remembered_from_the_second_sight_on(site: Web, pages: Pages) -> None:
    assert numbers(site, *[get("/a")] * 5) == [2, 3, 3, 3, 3]
    assert pages.looked == 0


def test_the_log_does_not_know_the_difference(site: Web) -> None:
    numbers(site, *[get("/a")] * 3, get("/b"))
    assert site.lines() == [
        'GET /first HTTP/1.1" 200 8',
        'GET /a HTTP/1.1" 200 4',
        'GET /a HTTP/1.1" 200 4',
        'GET /a HTTP/1.1" 200 4',
        'GET /b HTTP/1.1" 200 4',
    ]


def test_other_clients_get_it_too(site: Web, pages: Pages) -> None:
    numbers(site, *[get("/a")] * 3)
    made = pages.made
    assert site.client().ask(get("/a")).body == b"/a 3"
    assert pages.made == made


def test_another_head_is_another_request(site: Web) -> None:
    heads = [
        get("/a"),
        get("/a", "X: 1\r\n"),
        get("/A"),
        get("/a?"),
        get("/a", minor=0, fields="Connection: keep-alive\r\n"),
    ]
    client = site.client()
    bodies = [client.ask(each).body for each in heads * 3]
    assert len(set(bodies)) == 10
    assert bodies[5:10] == bodies[10:15]


def test_it_is_looked_at_again_when_its_freshness_is_over(site: Web, pages: Pages) -> None:
    client = site.client()
    for _ in range(3):
        client.ask(get("/a"))
    site.wait(0.49)
    assert client.ask(get("/a")).body == b"/a 2"
    assert pages.looked == 0
    site.wait(0.02)
    assert client.ask(get("/a")).body == b"/a 2"
    assert pages.looked == 1
    assert client.ask(get("/a")).body == b"/a 2"
    assert pages.looked == 1


def test_a_validator_that_says_no_is_answered_anew(site: Web, pages: Pages) -> None:
    client = site.client()
    for _ in range(3):
        client.ask(get("/a"))
    pages.good = False
    site.wait(0.6)
    assert client.ask(get("/a")).body == b"/a 3"
    pages.good = True
    assert client.ask(get("/a")).body == b"/a 3"  # what was made then is what is remembered now
    assert pages.looked == 1


def test_freshness_0_asks_each_time(pages: Pages) -> None:
    with web(pages, memo_limits=FileLimits(freshness=0)) as site:
        client = site.client()
        for expected in (0, 0, 1, 2, 3):
            client.ask(get("/a"))
            assert pages.looked == expected
        assert pages.made == 2


@pytest.mark.parametrize(
    "limits", [FileLimits(memo_bytes=0), FileLimits(memo_bytes=1000)], ids=["none", "too small"]
)
def test_a_memo_without_room_remembers_nothing(limits: FileLimits, pages: Pages) -> None:
    with web(pages, memo_limits=limits) as site:
        client = site.client()
        for number in range(1, 6):
            assert client.ask(get("/a")).body == f"/a {number}".encode()
        assert not site.server.memo.young


def test_the_date_is_renewed_every_second(site: Web) -> None:
    client = site.client()
    dates = []
    for _ in range(12):
        answer = client.ask(get("/a"))
        assert answer.fields["date"] == http_date(site.clock.wall())
        assert answer.fields["x"] == "y"
        dates.append(answer.fields["date"])
        site.wait(0.3)
    assert len(set(dates)) == 4


def test_a_new_date_needs_no_look(pages: Pages) -> None:
    with web(pages, memo_limits=FileLimits(freshness=10)) as site:
        client = site.client()
        for _ in range(9):
            assert client.ask(get("/a")).fields["date"] == http_date(site.clock.wall())
            site.wait(1)
        assert (pages.made, pages.looked) == (2, 0)
        site.wait(3)
        client.ask(get("/a"))
        assert (pages.made, pages.looked) == (2, 1)


def test_a_date_elsewhere_in_the_head_stays(pages: Pages) -> None:
    moment = http_date(1_800_000_000.25)
    pages.change = lambda reply: Reply(
        reply.status, [("Last-Modified", moment)], moment.encode(), validator=pages.look
    )
    with web(pages) as site:
        client = site.client()
        for _ in range(3):
            client.ask(get("/a"))
        site.wait(60)
        answer = client.ask(get("/a"))
        assert pages.made == 2
        assert (answer.fields["last-modified"], answer.body.decode()) == (moment, moment)
        assert answer.fields["date"] == http_date(1_800_000_060.25)


@pytest.mark.parametrize("size", [PATCHED - 1000, 100_000], ids=["patched", "copied"])
def test_a_reply_that_is_on_its_way_keeps_its_date(size: int, pages: Pages) -> None:
    """Wherever the kernel has cut the last one that it took of, within a Date too: the rest is of the same reply."""
    pages.change = lambda reply: Reply(200, [], bytes(size), validator=pages.look)
    with web(pages) as site:
        client = site.client(receive_buffer=4096)
        for _ in range(3):
            client.ask(get("/a"))
        (stream,) = site.listener.streams
        asked = 0
        while not stream.get_write_buffer_size():
            client.send(get("/a"))
            site.turns(1)
            asked += 1
            if asked % 7 == 0:
                site.clock.advance(1)
        site.wait(5)
        assert site.client().ask(get("/a")).fields["date"] == http_date(
            site.clock.wall()
        )  # it was renewed meanwhile
        answers = client.answers(asked)
        assert [len(answer.body) for answer in answers] == [size] * asked
        assert len({answer.fields["date"] for answer in answers}) == asked // 7 + 1
        assert all(answer.fields["date"] != http_date(site.clock.wall()) for answer in answers)
        assert pages.made == 2


# -- what is never remembered -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        post(b""),
        post(b"x"),
        chunked(b"x"),
        get("/", "Content-Length: 1\r\n") + b"x",
        get("/", "Authorization: Basic eDp5\r\n"),
        get("/", "AUTHORIZATION: x\r\n"),
    ],
    ids=["empty body", "body", "chunked", "body of a get", "secret", "SECRET"],
)
def test_never_remembered(data: bytes, site: Web, pages: Pages) -> None:
    if data == post(b""):
        assert numbers(site, *[data] * 4) == [2, 3, 3, 3]  # no body at all: a head like any other
    else:
        assert numbers(site, *[data] * 4) == [2, 3, 4, 5]


@pytest.mark.parametrize("fields", ["Connection: close\r\n", "Connection: x, Close\r\n"])
def test_a_head_that_ends_its_connection_is_remembered_with_that(fields: str, site: Web) -> None:
    for expected in (1, 2, 2, 2):
        client = site.client()
        answer = client.ask(get("/a", fields))
        assert (answer.body, answer.fields["connection"]) == (f"/a {expected}".encode(), "close")
        assert client.end() == b""
    client = site.client()  # and when it is not the first on its connection
    client.ask(get("/b"))
    assert client.ask(get("/a", fields)).body == b"/a 2"
    assert client.end() == b""
    assert site.lines()[-1] == 'GET /a HTTP/1.1" 200 4'


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="this system accepts at once")
def test_a_newcomer_that_asks_once_is_answered_before_it_becomes_a_stream(pages: Pages) -> None:
    site = Web(pages, listen_limits=ListenLimits(defer=30), logged=True)
    head = get("/a", "Connection: close\r\n")

    def ask(data: bytes) -> bytes:
        address = site.listener.address
        assert isinstance(address, tuple)
        client = Client(site, address)
        site.clients.append(client)
        client.send(data)
        return client.end()

    try:
        assert [ask(head).rpartition(b"\r\n")[2] for _ in range(4)] == [b"/a 1", b"/a 2", b"/a 2", b"/a 2"]
        assert site.server.exchanges == set()
        assert site.lines() == ['GET /a HTTP/1.1" 200 4'] * 4
        pages.good = False  # what it would be answered with now is something else
        site.wait(1)
        assert ask(head).endswith(b"/a 3")
        for behind in (head, get("/b"), b"x"):  # bytes behind it are no part of any head that is known
            assert ask(head + behind).count(b"HTTP/1.1 ") == 1
        assert len(site.lines()) == 8
    finally:
        site.close()


def test_what_follows_the_last_request_is_not_answered(site: Web) -> None:
    last = get("/a", "Connection: close\r\n")
    for _ in range(3):
        site.client().ask(last)
    for behind in (get("/b"), last):
        client = site.client()
        client.ask(get("/b"))
        client.send(last + behind)
        assert client.answer().body.startswith(b"/a ")
        assert client.end() == b""


@pytest.mark.parametrize("closing", ["draining", "refused"])
def test_a_reply_that_is_the_last_one_for_another_reason_is_not_remembered(
    closing: str, site: Web, pages: Pages
) -> None:
    if closing == "draining":
        client = site.client()
        client.ask(get("/first"))
        site.server.drain(patient=True)
        client.ask(get("/a"))
    else:
        site.server.refusal = lambda request: pages.change(Reply(200, body=b"x", validator=pages.look))
        for _ in range(3):
            site.client().ask(post(b"x"))
    assert not site.server.memo.young


def test_http_1_0_is_remembered_with_and_without_keep_alive(site: Web) -> None:
    for expected in (1, 2, 2, 2):
        client = site.client()
        client.send(get("/a", minor=0))
        assert client.end().endswith(f"/a {expected}".encode())
    client = site.client()
    for expected in (3, 4, 4, 4):
        answer = client.ask(get("/a", "Connection: keep-alive\r\n", minor=0))
        assert (answer.body, answer.fields["connection"]) == (f"/a {expected}".encode(), "keep-alive")


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: Reply(200, body=reply.body),
        lambda reply: Reply(200, body=iter([reply.body]), validator=lambda: True),
        lambda reply: Reply(200, body=file_of(bytes(reply.body)), validator=lambda: True),
    ],
    ids=["no validator", "produced", "file"],
)
def test_replies_that_are_not_remembered(change: Callable[[Reply], Reply], site: Web, pages: Pages) -> None:
    pages.change = change
    assert numbers(site, *[get("/a")] * 4) == [2, 3, 4, 5]


def test_a_late_answer_is_not_remembered() -> None:
    waiting: list[Request] = []

    def later(request: Request) -> None:
        waiting.append(request)

    with web(later) as site:
        client = site.client()
        for number in range(4):
            client.send(get("/a"))
            site.turns()
            assert len(waiting) == number + 1
            waiting[-1].answer(Reply(200, body=b"x", validator=lambda: True))
            client.answer()


def test_head_is_remembered_without_a_body(site: Web, pages: Pages) -> None:
    client = site.client()
    for _ in range(4):
        client.send(get("/a", method="HEAD"))
        answer = client.answer("HEAD")
        assert (answer.body, answer.fields["content-length"]) == (b"", "4")
    assert pages.made == 2
    assert client.ask(get("/a")).body == b"/a 3"


# -- what must never be answered ----------------------------------------------------------------------------


def known(site: Web, path: str = "/known") -> bytes:
    """A request that the memo answers."""
    client = site.client()
    for _ in range(3):
        client.ask(get(path))
    client.close()
    return get(path)


@pytest.mark.parametrize("split", [0, 1, 10])
def test_a_remembered_head_inside_a_body_is_a_body(split: int, site: Web) -> None:
    inner = known(site)
    client = site.client()
    client.ask(inner)
    whole = b"x" * split + inner
    client.send(get("/post", f"Content-Length: {len(whole)}\r\n", method="POST") + b"x" * split)
    site.turns()
    client.send(inner)
    assert client.answer().body.startswith(b"/post ")
    asked = [each for each in site.server.asked if each.path == "/post"]
    assert asked[0].body == whole
    assert not client.data


def test_a_remembered_head_as_a_chunk_is_a_body(site: Web) -> None:
    inner = known(site)
    client = site.client()
    client.ask(inner)
    client.send(chunked(path="/post", whole=False) + b"%x\r\n" % len(inner))
    site.turns()
    client.send(inner)
    site.turns()
    client.send(b"\r\n0\r\n\r\n")
    assert client.answer().body.startswith(b"/post ")
    assert [each.body for each in site.server.asked if each.path == "/post"] == [inner]


def test_a_remembered_head_behind_the_beginning_of_another_belongs_to_it(site: Web) -> None:
    inner = known(site)
    client = site.client()
    client.ask(inner)
    client.send(b"GET /outer HTTP/1.1\r\nX: ")
    site.turns()
    client.send(inner)
    assert client.answer().status == 200
    assert site.server.asked[-1].path == "/outer"
    assert site.server.asked[-1].fields.get("x") == "GET /known HTTP/1.1"


def test_a_remembered_head_waits_for_the_reply_before_it(site: Web, pages: Pages) -> None:
    inner = known(site)
    waiting: list[Request] = []

    def later(request: Request) -> Reply | None:
        if request.path != "/later":
            return pages(request)
        waiting.append(request)
        return None

    site.server.answer = later
    client = site.client()
    client.ask(inner)
    client.send(get("/later"))
    site.turns()
    client.send(inner)
    site.turns()
    client.receive()
    assert not client.data
    waiting[0].answer(Reply(200, body=b"first"))
    first, second = client.answers(2)
    assert first.body == b"first"
    assert second.body.startswith(b"/known ")


def test_two_requests_that_come_together_are_two(site: Web) -> None:
    """The bytes that came are remembered as a head only when they are one head and nothing else."""
    client = site.client()
    client.ask(get("/first"))
    for _ in range(5):
        client.send(get("/a") + get("/b"))
        assert [each.body[:2] for each in client.answers(2)] == [b"/a", b"/b"]


def test_a_request_and_a_half_are_a_request_and_a_half(site: Web) -> None:
    client = site.client()
    client.ask(get("/first"))
    half, rest = get("/b")[:20], get("/b")[20:]
    for _ in range(5):
        client.send(get("/a") + half)
        assert client.answer().body[:2] == b"/a"
        client.send(rest)
        assert client.answer().body[:2] == b"/b"


def test_the_end_of_a_head_is_no_head(site: Web) -> None:
    """What completed a request now and then must not be answered when it comes alone."""
    end = b"Host: localhost\r\n\r\n"
    client = site.client()
    client.ask(get("/first"))
    for _ in range(4):
        client.send(b"GET /a HTTP/1.1\r\n")
        site.turns()
        assert client.ask(end).body[:2] == b"/a"
    assert client.ask(end).status == 400


@pytest.mark.parametrize("patient", [True, False])
def test_a_server_that_stops_answers_no_more_from_memory(patient: bool, site: Web) -> None:
    """What was remembered does not say that it is the last reply."""
    inner = known(site)
    client = site.client()
    assert "connection" not in client.ask(inner).fields
    asked = len(site.server.asked)
    site.server.drain(patient=patient)
    last = client.ask(inner)
    assert (last.status, last.fields["connection"]) == (200, "close")
    assert len(site.server.asked) == asked + 1
    try:
        client.sock.send(inner)
    except OSError:
        return
    assert client.end() == b""


def test_a_memo_that_is_retired_keeps_nothing(site: Web) -> None:
    site.server.drain(patient=True)
    for _ in range(3):
        offer(site.server.memo, b"a")
    assert not site.server.memo.young


def test_a_remembered_reply_is_asked_for_its_host_too() -> None:
    """The Host is in the head, so another Host is another head."""
    pages = Pages()
    with web(pages, allows_host=lambda host: host == "localhost") as site:
        inner = known(site)
        client = site.client()
        for _ in range(3):
            assert client.ask(inner.replace(b"localhost", b"evil.example")).status == 421
        assert client.ask(inner).status == 200


# -- the memo by itself -------------------------------------------------------------------------------------


def entry(size: int = 100, date: str = "", *, good: Callable[[], bool] = lambda: True) -> Remembered:
    date = date or http_date(0)
    head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\n\r\n".encode()
    return Remembered(head, b"x" * size, date, good)


def memo(memo_bytes: int = 1_000_000, *looked_at: str, **limits: float) -> Memo:
    gists = Gists(HttpLimits(), looked_at) if looked_at else None
    return Memo(FileLimits(memo_bytes=memo_bytes, **limits), DateClock(ManualClock()), gists)  # type: ignore[arg-type]


def offer(held: Memo, key: bytes, made: Remembered | None = None, *, varies: bool = False) -> None:
    held.offer(key, lambda: made or entry(), varies=varies, now=0.0)


def keep(held: Memo, key: bytes, size: int = 100) -> None:
    """Offered until it is kept."""
    made = entry(size)
    for _ in range(2):
        offer(held, key, made)


def found(held: Memo, key: bytes) -> Remembered | None:
    return held.young.get(key) or held.find(key)


def total(held: Memo) -> int:
    """Bytes of what is held, each reply once."""
    kept = {id(each): each for each in (*held.young.values(), *held._old.values())}
    return sum(each.size for each in kept.values()) + sum(map(len, (*held.young, *held._old)))


def test_memory_is_bounded_by_two_generations() -> None:
    held = memo(100_000)
    for number in range(2000):
        keep(held, b"%d" % number, size=number % 500)
        assert total(held) <= 100_000
    assert len(held.young) + len(held._old) > 20
    assert held._old
    assert found(held, b"0") is None


def test_what_is_still_asked_for_stays() -> None:
    held = memo(20_000)
    loved = b"loved"
    keep(held, loved)
    for number in range(500):
        keep(held, b"%d" % number)
        assert found(held, loved), number
        assert total(held) <= 20_000
    assert found(held, b"3") is None


def test_many_keys_of_one_reply_cost_it_once() -> None:
    held = memo(100_000)
    made = entry(size=10_000)
    for number in range(100):
        for _ in range(2):
            offer(held, b"%d" % number, made)
    assert len(held.young) == 100
    assert not held._old


def test_a_reply_that_is_kept_again_and_again_counts_until_the_generation_ends() -> None:
    held = memo(20_000)
    for _ in range(100):
        keep(held, b"key", size=1000)
        assert total(held) <= 20_000
    assert found(held, b"key")


def test_a_reply_that_has_no_room_is_not_kept() -> None:
    held = memo(20_000)
    keep(held, b"small")
    keep(held, b"large", size=10_000)
    assert list(held.young) == [b"small"]
    assert not held._old


def test_what_is_not_good_any_more_is_forgotten_in_both_generations() -> None:
    held = memo(4000)
    good = [True]
    for key in (b"a", b"b", b"c", b"d"):
        made = entry(good=lambda: good[0])
        for _ in range(2):
            offer(held, key, made)
    assert held._old
    good[0] = False
    for key in (*held._old, *held.young):
        stale = held.young.get(key) or held._old[key]
        assert held.renew(key, stale, 1e9) is False
    assert (total(held), found(held, b"a")) == (0, None)
    held.clear()
    assert held._size == 0


def test_the_heads_that_were_seen_once_are_bounded() -> None:
    held = memo()
    many = PLACES // 4
    for number in range(many):
        offer(held, b"%d" % number)
    assert len(held.young) <= 4 + many // MARKS  # a mark that says the same of another head is one in so many
    before = len(held.young)
    offer(held, b"%d" % (many - 1))
    assert len(held.young) == before + 1
    assert len(held._sights._marks) == PLACES


@pytest.mark.parametrize("size", [300, PATCHED, PATCHED + 1])
def test_an_entry_counts_what_it_holds(size: int) -> None:
    one = entry(size=size)
    assert one.size >= ENTRY_BYTES + size
    later = http_date(86_400)
    before = bytes(one.data)
    one.say(later)
    assert one.data == before.replace(http_date(0).encode(), later.encode())
    assert one.date == later


# -- heads that differ in what changes no reply -------------------------------------------------------------

LOOKED_AT = ("range", "accept-encoding", "referer")


def head(fields: str = "", path: str = "/a") -> bytes:
    return get(path, fields)


def used_to(*fields: str) -> Memo:
    """A memo that has seen a client with these lines in its head before."""
    held = memo(1_000_000, *LOOKED_AT)
    for each in fields:
        offer(held, head(each, "/before"), varies=True)
    assert not held.young
    return held


def test_a_head_that_differs_in_nothing_that_matters_is_known_at_once() -> None:
    held = used_to("")
    made = entry()
    offer(held, head(), made)
    assert found(held, head("X-Request-Id: 1\r\n")) is made
    assert found(held, head("Connection: Keep-Alive\r\nCookie: a=b\r\n")) is made
    for other in (
        "Range: bytes=1-\r\n",
        "Referer: x\r\n",
        "Connection: close\r\n",
        "Host: x\r\n",
        "content-length: 1\r\n",
    ):
        assert found(held, head(other)) is None, other
    assert found(held, head(path="/b")) is None
    assert found(held, get("/a", minor=0)) is None
    assert found(held, get("/a", method="HEAD")) is None


def test_a_reply_that_varies_is_for_those_who_chose_alike() -> None:
    held = used_to("Accept-Encoding: gzip\r\n")
    plain, packed = entry(), entry()
    offer(held, head(), plain, varies=True)
    offer(held, head("Accept-Encoding: gzip\r\n"), packed, varies=True)
    assert found(held, head("X: 1\r\n")) is plain
    assert found(held, head("X: 1\r\nAccept-Encoding: gzip\r\n")) is packed
    assert found(held, head("Accept-Encoding: gzip\r\nX: 1\r\n")) is packed
    assert found(held, head("Accept-Encoding: br\r\n")) is None
    assert found(held, head("Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n")) is None


@pytest.mark.parametrize("path", ["/a?b", "/%61"])
def test_addresses_that_a_client_makes_up_are_kept_on_second_sight(path: str) -> None:
    held = memo(1_000_000, *LOOKED_AT)
    offer(held, head("X: 1\r\n", path))
    assert not held.young
    offer(held, head("X: 2\r\n", path))
    assert found(held, head("X: 3\r\n", path))


@pytest.mark.parametrize("field", ["Referer", "Range", "Accept-Encoding"])
def test_what_a_client_makes_up_besides_takes_no_memory(field: str) -> None:
    """A reply may depend on it, so each is another gist."""
    held = used_to("")
    for number in range(1000):
        offer(held, head(f"{field}: {number}\r\n"), varies=True)
    assert len(held.young) < 4, "a mark in 65,535 is taken for another's"
    lasting = head(f"X: 1\r\n{field}: 1000\r\n"), head(f"X: 2\r\n{field}: 1000\r\n")
    for each in lasting:
        offer(held, each, varies=True)
    assert found(held, head(f"X: 3\r\n{field}: 1000\r\n")), "what comes again is kept"
    offer(held, head(f"{field}: 1000\r\n", "/b"), varies=True)
    assert found(held, head(f"X: 3\r\n{field}: 1000\r\n", "/b")), "and what is usual at once"


def test_when_one_is_not_good_any_more_no_other_head_gets_it() -> None:
    held = used_to("")
    made = entry(good=lambda: False)
    offer(held, head(), made)
    for number in range(3):
        assert found(held, head(f"X: {number}\r\n")) is made
    assert held.renew(head("X: 1\r\n"), made, 1e9) is False
    assert found(held, head("X: 5\r\n")) is None
