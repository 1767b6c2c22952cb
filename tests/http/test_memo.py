"""The reply memo: what it remembers, for how long, and above all what it must never answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from poise.http.clock import DateClock
from poise.http.memo import ENTRY_BYTES, SEEN, Memo, Remembered
from poise.http.message import Reply, Request
from poise.limits import FileLimits
from poise.loop.clock import ManualClock
from poise.wire.http.dates import http_date
from tests.http.web import Web, chunked, file_of, get, post, web


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
    site.wait(0.09)
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
    site.wait(0.2)
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
def test_a_connection_that_closes_is_not_remembered(fields: str, site: Web, pages: Pages) -> None:
    for number in range(1, 5):
        client = site.client()
        assert client.ask(get("/a", fields)).body == f"/a {number}".encode()
        client.end()


def test_http_1_0_is_remembered_only_with_keep_alive(site: Web, pages: Pages) -> None:
    for number in range(1, 5):
        client = site.client()
        client.send(get("/a", minor=0))
        assert client.end().endswith(f"/a {number}".encode())
    client = site.client()
    for expected in (5, 6, 6, 6):
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
        assert site.server.memo.wants(b"a") is False


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


def entry(key: bytes, size: int = 100, date: str = "") -> Remembered:
    date = date or http_date(0)
    head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\n\r\n".encode()
    return Remembered(head, b"x" * size, date, lambda: True, key=key, line="GET / HTTP/1.1", status=200)


def memo(memo_bytes: int = 1_000_000, **limits: float) -> Memo:
    return Memo(FileLimits(memo_bytes=memo_bytes, **limits), DateClock(ManualClock()))  # type: ignore[arg-type]


def total(held: Memo) -> int:
    return sum(each.size for each in (*held.young.values(), *held._old.values()))


def test_memory_is_bounded_by_two_generations() -> None:
    held = memo(100_000)
    for number in range(2000):
        key = b"%d" % number
        held.keep(key, entry(key, size=number % 500), 0.0)
        assert total(held) <= 100_000
        assert held._size == sum(each.size for each in held.young.values())
    assert len(held.young) + len(held._old) > 20
    assert held._old
    assert held.find_old(b"0") is None


def test_what_is_still_asked_for_stays() -> None:
    held = memo(20_000)
    loved = b"loved"
    held.keep(loved, entry(loved), 0.0)
    for number in range(500):
        key = b"%d" % number
        held.keep(key, entry(key), 0.0)
        assert held.young.get(loved) or held.find_old(loved), number
        assert total(held) <= 20_000
    assert held.find_old(b"3") is None


def test_a_reply_that_is_kept_again_is_counted_once() -> None:
    held = memo()
    for size in (10, 1000, 10):
        held.keep(b"key", entry(b"key", size=size), 0.0)
        assert held._size == total(held)
    held.forget(b"key")
    held.forget(b"key")
    assert (held._size, total(held)) == (0, 0)


def test_an_old_reply_can_be_forgotten_and_all_of_them() -> None:
    held = memo(4000)
    for key in (b"a", b"b", b"c", b"d"):
        held.keep(key, entry(key), 0.0)
    assert held._old
    old = next(iter(held._old))
    held.forget(old)
    assert held.find_old(old) is None
    assert held.wants(b"a") is False
    held.clear()
    assert (total(held), held._size) == (0, 0)
    assert held.wants(b"a") is False


def test_the_heads_that_were_seen_once_are_bounded() -> None:
    held = memo()
    for number in range(3 * SEEN):
        assert not held.wants(b"%d" % number)
        assert len(held._seen) <= SEEN
    assert held.wants(b"%d" % (3 * SEEN - 1))


def test_an_entry_counts_what_it_holds() -> None:
    one = entry(b"k" * 50, size=300)
    assert one.size >= ENTRY_BYTES + 50 + 2 * 300
    assert one.data == one.before + http_date(0).encode() + one.after
    assert one.length == 300
