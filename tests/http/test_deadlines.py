"""Every phase of a connection has its own deadline, and only that one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poise.http.message import Reply, Request
from poise.limits import StreamLimits
from poise.readiness.poller import available
from poise.wire.http.dates import http_date
from tests.http.web import SMALL_QUEUE, Web, chunked, file_of, get, post, web

BIG = b"x" * 1_000_000


def test_a_silent_connection_is_closed_without_a_word() -> None:
    with web() as site:
        client = site.client()
        site.wait(19.9)
        assert len(site.server.exchanges) == 1
        site.wait(0.2)
        assert client.end() == b""
        assert not client.reset
        site.gone()


def test_a_head_that_does_not_end() -> None:
    with web() as site:
        client = site.client()
        site.wait(10)
        for byte in b"GET / HTTP/1.1\r\nHost: ":  # a byte now and then does not help
            client.send(bytes((byte,)))
            site.turns(2)
            site.wait(0.8)
        assert not client.ended
        site.wait(4)
        answer = client.answer()
        assert (answer.status, answer.fields["connection"]) == (408, "close")
        assert b"head did not arrive" in answer.body
        assert client.end() == b""


def test_a_head_of_a_kept_connection_has_the_same_time() -> None:
    with web() as site:
        client = site.client()
        client.ask(get())
        site.wait(74)
        client.send(b"GET / HT")
        site.turns()
        site.wait(19.9)
        assert not client.ended
        site.wait(0.2)
        assert client.answer().status == 408


def test_an_idle_connection_is_closed_without_a_word() -> None:
    with web() as site:
        client = site.client()
        client.ask(get())
        site.wait(70)
        client.ask(get())  # each request starts the time anew
        site.wait(74.9)
        assert len(site.server.exchanges) == 1
        site.wait(0.2)
        assert client.end() == b""
        assert not client.reset


def test_idle_time_begins_anew_with_a_remembered_reply() -> None:
    with web(lambda request: Reply(200, body=b"x", validator=lambda: True)) as site:
        client = site.client()
        for _ in range(5):
            client.ask(get())
            site.wait(60)
        assert len(site.server.asked) == 2
        site.wait(16)
        assert client.end() == b""


@pytest.mark.parametrize(
    "data", [post(b"hello")[:-3], chunked(b"hello", whole=False)], ids=["length", "chunked"]
)
@pytest.mark.parametrize("poller", available())
def test_a_body_that_stalls(data: bytes, poller: str) -> None:
    with web(poller=poller) as site:
        client = site.client()
        client.send(data)
        site.turns()
        site.wait(29.9)
        assert not client.ended
        site.wait(0.2)
        answer = client.answer()
        assert (answer.status, answer.fields["connection"]) == (408, "close")
        assert b"body did not arrive" in answer.body
        assert client.end() == b""
        assert site.server.asked == []


def drip(site: Web, *, each: int, seconds: float, total: int) -> int:
    """Send a body drop by drop; how many bytes were sent before an answer came."""
    client = site.client()
    client.send(get("/", f"Content-Length: {total}\r\n", method="POST"))
    site.turns()
    sent = 0
    while sent < total and not client.data:
        client.send(b"x" * each)
        sent += each
        site.turns()
        site.wait(seconds)
        client.receive()
    assert client.answer().status == (200 if sent >= total else 408)
    return sent


def test_a_body_that_trickles_is_ended_though_no_pause_is_long() -> None:
    with web() as site:
        assert drip(site, each=1, seconds=5, total=1000) <= 10


def test_a_body_that_is_slow_but_steady_arrives() -> None:
    with web() as site:
        assert drip(site, each=1000, seconds=10, total=20_000) == 20_000


def test_an_answer_that_comes_between_turns_has_the_time_of_then() -> None:
    """As a guest in another loop, whose coroutine answers while this loop has had nothing to do for long."""
    waiting: list[Request] = []

    def later(request: Request) -> None:
        waiting.append(request)

    with web(later) as site:
        client = site.client()
        client.send(get())
        site.turns()
        site.clock.advance(100)
        waiting[0].answer(Reply(200, body=b"at last"))
        assert client.answer().fields["date"] == http_date(site.clock.wall())
        site.wait(74)
        assert not client.ended, "the time for the next request begins with the answer"


def test_an_answer_that_comes_too_late() -> None:
    waiting: list[Request] = []

    def later(request: Request) -> None:
        waiting.append(request)

    with web(later) as site:
        client = site.client()
        client.send(get())
        site.turns()
        site.wait(119)
        assert not client.ended
        site.wait(2)
        answer = client.answer()
        assert (answer.status, answer.fields["retry-after"], answer.fields["connection"]) == (
            503,
            "1",
            "close",
        )
        body = file_of(b"late")
        waiting[0].answer(Reply(200, body=body))  # no error, no leak, nothing sent
        assert body.fd == -1
        assert client.end() == b""


def test_a_download_of_any_length_is_not_cut_and_costs_no_later_request() -> None:
    """The deadlines of the requests behind it begin when the client comes to them."""

    def answer(request: Request) -> Reply:
        return Reply(200, body=file_of(BIG)) if request.path == "/big" else Reply(200, body=b"small")

    with web(answer, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        client.send(get("/big") + get("/small") + b"GET /last HTTP/1.1\r\n")
        taken = 0
        while taken < len(BIG):
            data = b""
            for _ in range(40):
                site.turns(2)
                try:
                    data = client.sock.recv(20_000)
                    break
                except BlockingIOError:
                    continue
            assert data, f"nothing more after {taken} bytes"
            client.data += data
            taken += len(data)
            if taken < len(BIG) - 100_000:
                site.wait(5)
        client.send(b"Host: localhost\r\n\r\n")
        assert [len(each.body) for each in client.answers(3)] == [len(BIG), 5, 5]
        assert b"408" not in client.data


def test_what_was_held_has_its_whole_time_again() -> None:
    with web(lambda request: Reply(200, body=file_of(BIG)), stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        client.send(get() + b"GET /last HTTP/1.1\r\n")
        site.turns()
        site.wait(15)
        assert len(client.answer().body) == len(BIG)
        site.wait(15)
        assert client.ask(b"Host: localhost\r\n\r\n").status == 200


def test_a_client_that_takes_nothing_is_given_up() -> None:
    with web(lambda request: Reply(200, body=file_of(BIG)), stream_limits=StreamLimits(send_stall=8)) as site:
        client = site.client(receive_buffer=4096)
        client.send(get())
        site.turns(20)
        for _ in range(12):
            site.wait(2)
        site.gone()
        client.end()


def test_a_reply_that_is_being_produced_has_no_total_time() -> None:
    def slow() -> Iterator[bytes]:
        while site.clock.monotonic() < 2000:
            yield b""
        yield b"at last"

    with web(lambda request: Reply(200, body=slow())) as site:
        client = site.client()
        client.send(get())
        site.turns()
        for _ in range(4):
            site.wait(250)
        assert client.answer().body == b"at last"
        assert client.ask(get()).status == 200
