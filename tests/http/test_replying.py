"""Replies on their way out: bytes, files, and bodies that are produced piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from poise.errors import ProgramFault
from poise.http.message import Reply, Request
from poise.limits import HttpLimits
from poise.readiness.poller import available
from tests.http.web import SMALL_QUEUE, file_of, get, web

POLLERS = pytest.mark.parametrize("poller", available())


class Body:
    """A produced body that counts what was asked of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)
        self.made = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.made += 1
            yield piece

    def close(self) -> None:
        self.closed += 1


def one(body: Any) -> Any:
    return lambda request: Reply(200, body=body() if callable(body) else body)


@POLLERS
def test_a_produced_body_is_chunked(poller: str) -> None:
    body = Body([b"one", b"", b"two", b"", b""])
    with web(one(body), poller=poller) as site:
        client = site.client()
        client.send(get())
        client.wait(20)
        client._until(lambda: client.data.endswith(b"0\r\n\r\n"))
        assert client.data.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        assert client.data.count(b"0\r\n\r\n") == 1  # an empty piece would have ended it
        assert body.closed == 1
        assert site.open == 1


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_a_produced_body_of_nothing(pieces: list[bytes]) -> None:
    with web(one(lambda: iter(pieces))) as site:
        client = site.client()
        assert [client.ask(get()).body for _ in range(3)] == [b""] * 3


def test_in_http_1_0_the_end_of_the_connection_ends_a_produced_body() -> None:
    with web(one(lambda: iter([b"one", b"two"]))) as site:
        client = site.client()
        client.send(get("/", "Connection: keep-alive\r\n", minor=0))
        data = client.end()
        assert data.endswith(b"\r\n\r\nonetwo")
        assert b"Connection: close\r\n" in data
        assert b"chunked" not in data


@pytest.mark.parametrize("minor", [0, 1])
def test_a_producer_that_fails_cuts_the_connection(minor: int) -> None:
    """An orderly end would tell the client that it has everything."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    with web(one(broken), faults=1, logged=True) as site:
        client = site.client()
        client.send(get(minor=minor))
        data = client.end()
        assert client.reset
        assert not data.endswith(b"0\r\n\r\n")
        site.gone()
        assert site.lines() == [f'GET / HTTP/1.{minor}" 200 4']


@pytest.mark.parametrize("piece", ["text", 5, None, bytearray(b"ok")])
def test_a_piece_that_is_no_bytes(piece: object) -> None:
    bad = not isinstance(piece, bytearray) and piece is not None
    with web(one(lambda: iter([piece])), faults=int(bad)) as site:
        client = site.client()
        client.send(get())
        if bad:
            client.end()
            assert client.reset
        else:
            client.answer()


def promised(pieces: Iterable[bytes], length: int) -> Any:
    return lambda request: Reply(200, body=Body(pieces), length=length)


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("pieces", [[b"one", b"", b"two"], [b"", b"onetwo", b""]])
def test_a_produced_body_of_known_length_needs_no_chunks(minor: int, pieces: list[bytes]) -> None:
    with web(promised(pieces, 6), logged=True) as site:
        client = site.client()
        keep_alive = "Connection: keep-alive\r\n"  # in HTTP/1.0 too the body need not end the connection
        first, second = (client.ask(get("/", keep_alive, minor=minor)) for _ in range(2))
        assert first == second
        assert (first.body, first.fields["content-length"]) == (b"onetwo", "6")
        assert "transfer-encoding" not in first.fields
        client.send(get("/", keep_alive, method="HEAD", minor=minor))
        assert client.answer("HEAD").fields == first.fields
        assert site.lines()[0] == f'GET / HTTP/1.{minor}" 200 6'


def test_a_produced_body_of_no_length_at_all() -> None:
    with web(promised([b""], 0)) as site:
        client = site.client()
        assert [client.ask(get()).fields["content-length"] for _ in range(2)] == ["0", "0"]


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        ([b"four"], b"four"),
        ([], b""),
        ([b"four", b"many"], b"four"),  # the piece that would make it too long is not sent
        ([b"seven.."], b""),
        ([b"s", b"ixxxx", b"."], b"sixxxx"),
    ],
)
def test_a_body_that_breaks_its_promise_cuts_the_connection(pieces: list[bytes], sent: bytes) -> None:
    """It is our fault, so it is loud; and what was not sent is never made up for."""
    with web(promised(pieces, 6), faults=1, logged=True) as site:
        client = site.client()
        client.send(get() + get())
        data = client.end()
        assert client.reset
        assert data.partition(b"\r\n\r\n")[2] in (sent, b"")  # a reset may overtake what was sent before it
        assert data.count(b"HTTP/1.1 ") <= 1
        site.gone()
        assert site.lines() == [f'GET / HTTP/1.1" 200 {len(sent)}']
        assert isinstance(site.errors[0], ProgramFault)


@POLLERS
def test_a_slow_reader_costs_a_slow_producer_and_no_memory(poller: str) -> None:
    body = Body(b"x" * 1000 for _ in range(500))
    with web(one(body), poller=poller, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        client.send(get())
        site.turns(400)
        made = body.made
        site.turns(100)
        assert body.made == made < 200
        (stream,) = site.listener.streams
        assert stream.get_write_buffer_size() < 2 * stream.limits.high_water
        assert len(client.answer().body) == 500_000
        assert (body.made, body.closed) == (500, 1)


@pytest.mark.parametrize("piece", [b"", b"x"], ids=["empty", "byte"])
def test_a_producer_of_very_small_pieces_does_not_hold_the_loop(piece: bytes) -> None:
    released: list[bool] = []

    def endless() -> Iterator[bytes]:
        while not released:
            yield piece

    body = Body(endless())
    with web(one(body), limits=HttpLimits(pieces=10)) as site:
        client = site.client()
        client.send(get())
        turns = 0
        while not body.made:
            site.reactor.turn(0.02)
            turns += 1
        before = body.made
        site.turns(10)
        assert before <= 20
        assert body.made - before == 100
        released.append(True)
        client.answer()


def test_a_produced_body_is_not_started_for_head() -> None:
    body = Body([b"x"])
    with web(one(body)) as site:
        client = site.client()
        client.send(get(method="HEAD"))
        assert client.answer("HEAD").body == b""
        assert (body.made, body.closed) == (0, 1)


def test_a_produced_body_with_204_or_304() -> None:
    for status in (204, 304):
        body = Body([b"x"])

        def answer(_request: Request, status: int = status, body: Body = body) -> Reply:
            return Reply(status, body=body)

        with web(answer) as site:
            client = site.client()
            assert [client.ask(get()).status, client.ask(get()).status] == [status, status]
            assert (body.made, body.closed) == (0, 2)


@POLLERS
def test_files_of_any_size_and_their_descriptors(poller: str) -> None:
    sizes = [0, 1, 65_536, 3_000_000]

    def answer(request: Request) -> Reply:
        return Reply(200, body=file_of(b"f" * sizes[int(request.path[1:])]))

    with web(answer, poller=poller, logged=True) as site:
        client = site.client()
        before = len(os.listdir("/proc/self/fd"))
        client.send(b"".join(get(f"/{number}") for number in range(4)))
        assert [len(each.body) for each in client.answers(4)] == sizes
        assert len(os.listdir("/proc/self/fd")) == before
        assert [int(line.split()[-1]) for line in site.lines()] == sizes


def test_a_file_that_shrinks_cuts_the_connection() -> None:
    def answer(_request: Request) -> Reply:
        body = file_of(b"x" * 100)
        body.count = 200
        return Reply(200, body=body)

    with web(answer) as site:
        client = site.client()
        client.send(get() + get())
        data = client.end()
        assert b"Content-Length: 200\r\n" in data
        assert data.count(b"HTTP/1.1 ") == 1
        site.gone()


def test_a_body_whose_close_raises_is_told_and_ends_only_its_connection() -> None:
    class Bad(Body):
        def close(self) -> None:
            raise ZeroDivisionError

    with web(one(lambda: Bad([b"x"])), faults=1) as site:
        client = site.client()
        client.send(get())
        client.end()
        site.gone()
        site.server.answer = one(b"fine")
        assert site.client().ask(get()).body == b"fine"
