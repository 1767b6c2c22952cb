"""Bytes of a remembered request are answered from memory only where a request begins and it is its turn.

A connection's input is made of requests of every kind, with remembered ones between them and inside their bodies, and comes in pieces
that begin and end wherever it hurts. Whatever the pieces, every request gets its own reply, in order, and every body arrives as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.http.feed import Feed
from poise.http.message import Reply, Request
from tests.http.web import Web, chunked, file_of, get, post, web

REMEMBERED = ("/remembered/a", "/remembered/b")
LONG = 60_000  # bytes of a reply that the client has yet to take: both buffers of the kernel are smaller
BUFFER = 4096  # bytes, of each
LATER = 3  # turns until a reply comes that is not given at once


class Answers:
    """Says what was asked for, at once or in one of the ways that take time."""

    def __init__(self) -> None:
        self.site: Web | None = None
        self.bodies: list[bytes] = []

    def __call__(self, request: Request) -> Reply | None:
        if request.path in REMEMBERED and not request.body:
            return Reply(200, body=said(request.path), validator=lambda: True)
        if request.method == "POST" or request.body:
            self.bodies.append(request.body)
        body = said(f"{request.path}?{request.query}", long=not request.path.startswith("/short"))
        kind = request.path.rpartition("/")[2]
        if kind == "later":
            self.answer_later(request, Reply(200, body=body), LATER)
            return None
        if kind == "fed":
            feed = Feed()
            self.feed_later(feed, [body[: len(body) // 2], body[len(body) // 2 :]], LATER)
            return Reply(200, body=feed)
        if kind == "file":
            return Reply(200, body=file_of(body))
        return Reply(200, body=pieces(body) if kind == "produced" else body)

    def answer_later(self, request: Request, reply: Reply, turns: int) -> None:
        assert self.site is not None
        if turns:
            self.site.reactor.call_soon(self.answer_later, request, reply, turns - 1)
        else:
            request.answer(reply)

    def feed_later(self, feed: Feed, rest: list[bytes], turns: int) -> None:
        assert self.site is not None
        if turns:
            self.site.reactor.call_soon(self.feed_later, feed, rest, turns - 1)
            return
        feed.write(rest[0])
        if rest[1:]:
            self.feed_later(feed, rest[1:], LATER)
        else:
            feed.end()


def said(what: str, *, long: bool = False) -> bytes:
    body = what.encode()
    return body + b"." * LONG if long else body


def pieces(body: bytes) -> Iterator[bytes]:
    for begin in range(0, len(body), 5000):
        yield body[begin : begin + 5000]


@dataclass
class Sent:
    """A request as it is sent: ``parts`` are where it may be cut for spite; what it is answered with, and its body."""

    parts: list[bytes]
    answer: bytes
    body: bytes | None = None


KINDS = ("whole", "later", "file", "produced", "fed")
PATHS = [f"/{size}/{kind}" for size in ("short", "long") for kind in KINDS]
WAYS = ("remembered", "remembered", "remembered", "get", "in a field", "post", "chunked", "get with a body")


@st.composite
def requests(draw: st.DrawFn, number: int) -> Sent:
    """One request; a body has remembered requests in it."""
    inner = draw(
        st.lists(st.sampled_from([*map(get, REMEMBERED), b"x", b"\r\n\r\n"]), min_size=1, max_size=3)
    )
    body = b"".join(inner)
    path = f"{draw(st.sampled_from(PATHS))}?{number}"
    answer = said(path, long=path.startswith("/long"))
    match draw(st.sampled_from(WAYS)):
        case "remembered":
            known = draw(st.sampled_from(REMEMBERED))
            return Sent([get(known)], said(known))
        case "get":
            return Sent([get(path)], answer)
        case "in a field":
            return Sent(
                [f"GET {path} HTTP/1.1\r\nX: ".encode(), get(draw(st.sampled_from(REMEMBERED)))], answer
            )
        case "post":
            return Sent([post(body, path)[: -len(body)], *inner], answer, body)
        case "chunked":
            parts = [chunked(path=path, whole=False)]
            for each in inner:
                parts += b"%x\r\n" % len(each), each, b"\r\n"
            return Sent([*parts, b"0\r\n\r\n"], answer, body)
        case _:
            head = get(path, f"Content-Length: {len(body)}\r\n")
            return Sent([head, *inner], answer, body)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Sent], list[tuple[bytes, int]]]:
    """Requests, and the pieces in which they are sent, each with the number of turns until the next one."""
    sent = [draw(requests(number)) for number in range(draw(st.integers(1, 6)))]
    parts = [part for each in sent for part in each.parts]
    together = b""
    sending: list[tuple[bytes, int]] = []
    for part in parts:
        together += part
        if draw(st.booleans()):
            cut = draw(st.sampled_from([0, 0, 0, 1, len(part) - 1, len(part) // 2]))
            halves = (together[:-cut], together[-cut:]) if cut else (together,)
            sending.extend((piece, draw(st.integers(0, 2 * LATER))) for piece in halves if piece)
            together = b""
    if together:
        sending.append((together, 0))
    return sent, sending


@pytest.mark.slow
@given(conversations())
def test_every_request_gets_its_own_reply_in_its_turn(
    talk: tuple[list[Sent], list[tuple[bytes, int]]],
) -> None:
    sent, sending = talk
    answers = Answers()
    with web(answers) as site:
        answers.site = site
        for path in REMEMBERED:
            other = site.client()
            for _ in range(3):
                other.ask(get(path))
        assert {get(path) for path in REMEMBERED} <= site.server.memo.young.keys()
        client = site.client(receive_buffer=BUFFER)
        for piece, turns in sending:
            client.send(piece)
            site.turns(turns)
        found = client.answers(len(sent), *(each.parts[0].partition(b" ")[0].decode() for each in sent))
    assert [each.body for each in found] == [each.answer for each in sent]
    assert answers.bodies == [each.body for each in sent if each.body is not None]


@pytest.mark.parametrize("path", ["/short/later", "/short/fed", *PATHS[len(KINDS) :]])
def test_behind_a_reply_in_progress_it_waits(path: str) -> None:
    """Nothing of its reply comes before the end of the one before it, however long that takes."""
    answers = Answers()
    with web(answers) as site:
        answers.site = site
        client = site.client(receive_buffer=BUFFER)
        known = get(REMEMBERED[0])
        for _ in range(3):
            client.ask(known)
        asked = len(site.server.asked)
        client.send(get(f"{path}?1"))
        site.turns(1)
        assert len(site.server.asked) == asked + 1
        client.send(known)
        site.turns(10 * LATER if path.startswith("/long") else 1)
        client.receive()
        assert said(REMEMBERED[0]) not in client.data
        first, second = client.answers(2, "GET", "GET")
        assert first.body == said(f"{path}?1", long=path.startswith("/long"))
        assert second.body == said(REMEMBERED[0])
