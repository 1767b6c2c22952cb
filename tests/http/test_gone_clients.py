"""A client that has gone is served no more: what it had asked for is not done for nobody."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from poise.http.message import Reply, Request
from poise.readiness.poller import available
from tests.http.web import SMALL_QUEUE, Client, get, web

RESET = struct.pack("ii", 1, 0)
PADDING = f"X-Padding: {'x' * 2000}\r\n"


def leave(client: Client) -> None:
    """Without a word: RST instead of FIN."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


@pytest.mark.parametrize("poller", available())
def test_the_rest_of_a_pipeline_is_not_answered(poller: str) -> None:
    with web(poller=poller) as site:
        client = site.client()
        client.sock.send(b"".join(get(f"/{number}") for number in range(500)))
        leave(client)
        site.gone()
        assert len(site.server.asked) == site.server.limits.requests_per_turn


def test_an_endless_reply_ends_although_there_is_more_input() -> None:
    closed: list[str] = []

    def endless(request: Request) -> Reply:
        def body() -> Iterator[bytes]:
            try:
                while True:
                    yield b"again and again"
            finally:
                closed.append(request.path)

        return Reply(200, body=body())

    with web(endless, stream_limits=SMALL_QUEUE.but(read_size=4096)) as site:
        client = site.client()
        client.send(get("/endless"))
        client.wait(1000)
        client.sock.send(get("/later", PADDING) * 10)
        leave(client)
        site.gone()
        assert closed == ["/endless"]
        assert [request.path for request in site.server.asked] == ["/endless"]


def test_who_works_on_an_answer_is_told_when_nobody_waits_for_it() -> None:
    told: list[str] = []

    def later(request: Request) -> None:
        request.on_gone = lambda: told.append(request.path)

    with web(later) as site:
        clients = [site.client() for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(get(f"/{number}"))
        site.turns()
        assert len(site.server.asked) == 3
        leave(clients[0])
        clients[1].sock.shutdown(socket.SHUT_WR)  # it asks no more, and still waits
        site.turns(20)
        assert told == ["/0"]
        for request in site.server.asked:
            request.answer(Reply(200))
        assert [client.answer().status for client in clients[1:]] == [200, 200]
        leave(clients[2])
        site.turns(20)
    assert told == ["/0"]
