"""Refusals that many addresses share: which addresses, for how long, and what the log says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from poise.http.log import AccessLog
from poise.http.logformats import CombinedLog, JSONLog
from poise.http.message import Reply, Request
from poise.http.refusals import IN_ITS_PLACE, KEPT, REPLY_BYTES, SHARED_BYTES, TARGET_BYTES, Refusal
from tests.http.web import Web, get, web


class Missing:
    """Says of everything that it is not there; ``there`` is what it does not cover."""

    def __init__(self) -> None:
        self.made = 0
        self.covered: list[bytes] = []
        self.there: set[bytes] = set()
        self.good = True
        self.body = b""

    def __call__(self, request: Request) -> Reply:
        self.made += 1
        body = self.body or f"missing {self.made}".encode()
        return Reply(404, [("X", "y")], body, validator=lambda: self.good, covers=self.covers)

    def covers(self, path: bytes) -> bool:
        self.covered.append(path)
        return path not in self.there


@pytest.fixture
def missing() -> Missing:
    return Missing()


@pytest.fixture
def site(missing: Missing) -> Iterator[Web]:
    with web(missing, logged=True) as made:
        yield made


def kept(site: Web) -> dict[bytes, Refusal]:
    refusals = site.server.memo.refusals
    return {} if refusals is None else refusals.kept


def test_from_the_third_address_on_nobody_is_asked(site: Web, missing: Missing) -> None:
    client = site.client()
    answers = [client.ask(get(f"/{number}")) for number in range(6)]
    assert [answer.body for answer in answers] == [b"missing 1"] + [b"missing 2"] * 5
    assert {answer.status for answer in answers} == {404}
    assert missing.made == 2
    assert missing.covered == [b"/2", b"/3", b"/4", b"/5"]


def test_each_is_logged_as_what_was_asked_for(site: Web) -> None:
    client = site.client()
    for name in ("a", "b", "c.html", "d/e"):
        client.ask(get(f"/{name}"))
    assert site.lines() == [f'GET /{name} HTTP/1.1" 404 9' for name in ("a", "b", "c.html", "d/e")]


@pytest.mark.parametrize("kind", [CombinedLog, JSONLog])
def test_in_every_format(kind: type[AccessLog], site: Web) -> None:
    site.server.log = kind(site.reactor, site.log.append)
    client = site.client()
    for name in "abcd":
        client.ask(get(f"/{name}", "Referer: /a\r\nUser-Agent: x\r\n"))
    site.server.log.flush()
    lines = "".join(site.log).splitlines()
    assert len(lines) == 4
    for name, line in zip("abcd", lines, strict=True):
        if kind is JSONLog:
            told = json.loads(line)
            assert (told["target"], told["referer"], told["status"]) == (f"/{name}", "/a", 404)
            assert told["duration"] >= 0
        else:
            assert f'"GET /{name} HTTP/1.1" 404 9 "/a" "x"' in line


def test_a_field_that_says_what_stands_for_the_target_changes_no_line(site: Web, missing: Missing) -> None:
    site.server.log = CombinedLog(site.reactor, site.log.append)
    client = site.client()
    for name in "abcd":
        client.ask(get(f"/{name}", f"Referer: {IN_ITS_PLACE}\r\n"))
    site.server.log.flush()
    assert missing.made == 4
    for name, line in zip("abcd", "".join(site.log).splitlines(), strict=True):
        assert f'"GET /{name} HTTP/1.1" 404 9 "{IN_ITS_PLACE}"' in line


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/x/",
        "//x",
        "/x?y",
        "/%78",
        "/x/../y",
        "/./x",
        "/x/./y",
        "/.x",
        "/x/.y",
        "/x;y",
        "/x:y",
        "/" + "x" * TARGET_BYTES,
        "/x" * 17,
        "http://localhost/x",
    ],
)
def test_an_address_that_is_not_plain_takes_the_long_way(target: str, site: Web, missing: Missing) -> None:
    client = site.client()
    for number in range(3):
        client.ask(get(f"/{number}"))
    made = missing.made
    assert client.ask(get(target)).body == f"missing {made + 1}".encode()
    assert missing.covered == [b"/2"]


@pytest.mark.parametrize(
    "other",
    [
        get("/x", method="HEAD"),
        get("/x", "A: b\r\n"),
        get("/x").replace(b"localhost", b"LOCALHOST"),
        get("/x", "Connection: keep-alive\r\n", minor=0),
        get("/x").replace(b"Host:", b"host:"),
        b"\r\n" + get("/x"),
    ],
)
def test_what_differs_in_anything_else_is_another_request(other: bytes, site: Web, missing: Missing) -> None:
    client = site.client()
    for number in range(3):
        client.ask(get(f"/{number}"))
    client.send(other)
    client.answer("HEAD" if other.startswith(b"HEAD") else "GET")
    assert missing.made == 3


def test_head_has_one_of_its_own(site: Web, missing: Missing) -> None:
    client = site.client()
    for name in "abcd":
        client.send(get(f"/{name}", method="HEAD"))
        answer = client.answer("HEAD")
        assert (answer.status, answer.body) == (404, b"")
        assert answer.fields["content-length"] == "9"
    assert missing.made == 2


def test_what_is_there_all_the_same_is_answered(site: Web, missing: Missing) -> None:
    client = site.client()
    for number in range(4):
        client.ask(get(f"/{number}"))
    missing.there.add(b"/new")
    assert client.ask(get("/new")).body == b"missing 3"
    assert client.ask(get("/other")).body == b"missing 3"  # the newest one is kept


def test_its_words_are_looked_at_again_when_their_freshness_is_over(site: Web, missing: Missing) -> None:
    client = site.client()
    for number in range(3):
        client.ask(get(f"/{number}"))
    missing.good = False
    assert client.ask(get("/x")).body == b"missing 2"
    site.wait(1)
    assert [client.ask(get(f"/{name}")).body for name in "ab"] == [b"missing 3"] * 2
    site.wait(1)
    missing.good = True
    assert [client.ask(get(f"/{name}")).body for name in "abc"] == [b"missing 3"] * 3


def test_it_says_what_the_time_is(site: Web) -> None:
    client = site.client()
    dates = []
    for number in range(5):
        dates.append(client.ask(get(f"/{number}")).fields["date"])
        site.wait(1)
    assert len(set(dates)) == 5


def test_one_that_ends_its_connection_does(site: Web, missing: Missing) -> None:
    for number in range(4):
        client = site.client()
        answer = client.ask(get(f"/{number}", "Connection: close\r\n"))
        assert answer.fields["connection"] == "close"
        assert client.end() == b""
    assert missing.made == 2


def test_several_at_once(site: Web, missing: Missing) -> None:
    client = site.client()
    for number in range(2):
        client.ask(get(f"/{number}"))
    client.send(b"".join(get(f"/{number}") for number in range(8)))
    assert [answer.body for answer in client.answers(8)] == [b"missing 2"] * 8
    assert [line.split()[1] for line in site.lines()[2:]] == [f"/{number}" for number in range(8)]


@pytest.mark.parametrize("much", ["body", "head"])
def test_what_is_large_is_not_kept(much: str, site: Web, missing: Missing) -> None:
    if much == "body":
        missing.body = b"x" * REPLY_BYTES
    fields = f"X: {'x' * SHARED_BYTES}\r\n" if much == "head" else ""
    client = site.client()
    for number in range(4):
        client.ask(get(f"/{number}", fields))
    assert missing.made == 4
    assert not kept(site)


def test_only_so_many_are_kept(site: Web) -> None:
    client = site.client()
    for number in range(KEPT + 3):
        for name in "ab":
            client.ask(get(f"/{name}", f"X: {number}\r\n"))
        assert len(kept(site)) <= KEPT
    assert 0 < len(kept(site)) < KEPT


def test_they_go_with_the_memo(site: Web) -> None:
    client = site.client()
    for number in range(3):
        client.ask(get(f"/{number}"))
    assert kept(site)
    site.server.memo.clear()
    assert not kept(site)
    site.server.drain(patient=True)
    assert client.ask(get("/x")).fields["connection"] == "close"
