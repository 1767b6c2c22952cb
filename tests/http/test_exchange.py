"""One connection's requests and replies: order, bodies, faults, and clients that go away."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from poise.errors import ProgramFault, RequestError
from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.limits import HttpLimits
from poise.readiness.poller import available
from tests.http.web import SMALL_QUEUE, Client, chunked, echo, file_of, get, post, web

POLLERS = pytest.mark.parametrize("poller", available())
BIG = bytes(range(256)) * 4096  # 1 MiB


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def reset(client: Client) -> None:
    """Go away without a word: RST instead of FIN."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# -- keep-alive ---------------------------------------------------------------------------------------------


@POLLERS
def test_a_connection_is_kept(poller: str) -> None:
    with web(poller=poller) as site:
        client = site.client()
        for path in ("/a", "/b", "/c"):
            answer = client.ask(get(path))
            assert (answer.status, answer.body) == (200, f"GET {path} ".encode())
            assert "connection" not in answer.fields
        client.send(get("/d", "Connection: close\r\n"))
        assert client.end().count(b"Connection: close\r\n") == 1
        site.gone()


def test_http_1_0_is_closed_unless_it_asks() -> None:
    with web() as site:
        client = site.client()
        client.send(get("/", minor=0))
        assert b"Connection: close\r\n" in client.end()
        kept = site.client()
        for _ in range(3):
            answer = kept.ask(get("/", "Connection: keep-alive\r\n", minor=0))
            assert answer.fields["connection"] == "keep-alive"


def test_an_empty_line_before_a_request_is_forgiven() -> None:
    with web() as site:
        client = site.client()
        client.send(b"\r\n")
        site.turns()
        assert client.ask(get("/a")).body == b"GET /a "
        assert client.ask(b"\r\n" + get("/b")).body == b"GET /b "


# -- pipelines ----------------------------------------------------------------------------------------------


def varied(request: Request) -> Reply | None:
    """Every way to answer, by the path."""
    kind = request.path[1:2]
    text = f"{request.path};".encode()
    if kind == "s":
        return Reply(200, body=iter([text, b"streamed"]))
    if kind == "f":
        return Reply(200, body=file_of(text + b"x" * 100_000))
    if kind == "e":
        return Reply(404, body=text)
    return Reply(200, body=text)


@POLLERS
def test_replies_keep_the_order_of_the_requests(poller: str) -> None:
    with web(varied, poller=poller) as site:
        client = site.client()
        paths = [f"/{'bsfe'[number % 4]}{number}" for number in range(40)]
        client.send(b"".join(get(path) for path in paths))
        found = client.answers(40)
        assert [each.body.split(b";")[0].decode() for each in found] == paths
        assert len(found[2].body) == 100_004
        assert site.open == 1


@POLLERS
def test_a_late_answer_holds_back_the_ones_behind_it(poller: str) -> None:
    waiting: list[Request] = []

    def later(request: Request) -> Reply | None:
        if request.path.startswith("/later"):
            waiting.append(request)
            return None
        return echo(request)

    with web(later, poller=poller) as site:
        client = site.client()
        client.send(get("/a") + get("/later1") + get("/b") + get("/later2") + get("/c"))
        assert client.answer().body == b"GET /a "
        site.turns()
        assert [each.path for each in waiting] == ["/later1"]
        assert not client.data
        waiting[0].answer(echo(waiting[0]))
        assert [each.body for each in client.answers(2)] == [b"GET /later1 ", b"GET /b "]
        waiting[1].answer(Reply(200, body=iter([b"piece", b"s"])))
        assert [each.body for each in client.answers(2)] == [b"pieces", b"GET /c "]


def test_a_share_of_each_turn() -> None:
    """A client that sends many at once is answered so many, then everybody else has a turn."""
    with web(limits=HttpLimits(requests_per_turn=4)) as site:
        client, other = site.client(), site.client()
        client.send(get("/many") * 20)
        other.send(get("/other"))
        counts = []
        while len(site.server.asked) < 21:
            before = len(site.server.asked)
            site.reactor.turn(0.02)
            counts.append(len([each for each in site.server.asked[before:] if each.path == "/many"]))
        assert max(counts) == 4
        assert "/other" in [each.path for each in site.server.asked[:9]]
        assert len(client.answers(20)) == 20
        assert other.answer().body == b"GET /other "


@POLLERS
def test_a_handler_may_answer_while_it_is_asked(poller: str) -> None:
    def at_once(request: Request) -> Reply | None:
        request.answer(
            Reply(200, body=iter([b"at ", b"once"])) if request.path == "/pieces" else echo(request)
        )
        return None

    with web(at_once, poller=poller) as site:
        client = site.client()
        client.send(get("/a") + get("/pieces") + get("/b"))
        assert [each.body for each in client.answers(3)] == [b"GET /a ", b"at once", b"GET /b "]


def test_a_handler_that_answers_twice_is_told() -> None:
    def twice(request: Request) -> Reply | None:
        request.answer(echo(request))
        return Reply(200, body=file_of(b"never sent"))

    with web(twice) as site:
        client = site.client()
        assert client.ask(get("/a")).body == b"GET /a "
        assert [type(error) for error in site.errors] == [ProgramFault]
        site.errors.clear()
        assert client.ask(get("/b")).body == b"GET /b ", "the connection is as good as before"
        site.errors.clear()


def test_input_that_nobody_has_read_does_not_reset_the_last_reply() -> None:
    """It arrives after the request was read and before the reply has ended: closing at once would be a reset."""
    clients: list[Client] = []

    def late_input(request: Request) -> Reply | None:
        clients[0].send(b"junk behind the last request")
        return echo(request)

    with web(late_input) as site:
        clients.append(site.client())
        clients[0].send(get("/last", "Connection: close\r\n"))
        assert clients[0].end().endswith(b"GET /last ")
        assert not clients[0].reset


def test_a_share_that_ends_with_the_input() -> None:
    with web(limits=HttpLimits(requests_per_turn=4)) as site:
        client = site.client()
        client.send(get() * 4)
        client.answers(4)
        assert client.ask(get("/more")).body == b"GET /more "


@pytest.mark.attack(33)
@POLLERS
def test_a_pipeline_that_is_never_read_is_bounded(poller: str) -> None:
    """A thousand requests without reading a reply: neither memory nor open files grow with their number."""

    def big(_request: Request) -> Reply:
        return Reply(200, body=file_of(BIG))

    with web(big, poller=poller, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        before = descriptors()
        requests = memoryview(get("/big") * 1000)
        for _ in range(100):
            try:
                requests = requests[client.sock.send(requests) :]
            except BlockingIOError:
                pass
            site.reactor.turn(0)
        (stream,) = site.listener.streams
        assert descriptors() - before <= 2
        assert stream.get_write_buffer_size() <= 2 * len(BIG)
        assert len(site.server.asked) < 20
        assert not stream.is_reading()
        (exchange,) = site.server.exchanges
        assert exchange._wire is not None
        assert exchange._wire.buffered <= 2 * stream.limits.read_size
        client.receive()  # and it is not cut off: what is read makes room
        site.turns(20)
        assert site.open == 1


def test_a_client_that_sends_on_while_its_reply_is_made_is_held() -> None:
    waiting: list[Request] = []

    def later(request: Request) -> None:
        waiting.append(request)

    with web(later) as site:
        client = site.client()
        flood = memoryview(get("/flood") * 20_000)
        for _ in range(100):
            try:
                flood = flood[client.sock.send(flood) :]
            except BlockingIOError:
                pass
            site.reactor.turn(0)
        (exchange,) = site.server.exchanges
        assert exchange._wire is not None
        assert exchange._wire.buffered <= 3 * 64 * 1024
        assert len(waiting) == 1
        waiting[0].answer(Reply(204))
        site.turns()
        assert len(waiting) == 2


def test_a_fault_in_a_pipeline_comes_after_what_was_good() -> None:
    with web(varied) as site:
        client = site.client()
        client.send(
            get("/b1") + get("/s2") + get("/f3") + b"GET /x HTTP/1.1\r\nHost : bad\r\n\r\n" + get("/never")
        )
        found = client.answers(4)
        assert [each.status for each in found] == [200, 200, 200, 400]
        assert found[3].fields["connection"] == "close"
        assert client.end() == b""
        assert [each.path for each in site.server.asked] == ["/b1", "/s2", "/f3"]


def test_a_fault_gives_one_reply_whatever_follows() -> None:
    with web() as site:
        client = site.client()
        client.send(b"NONSENSE\r\n\r\n" + get("/a"))
        site.turns()
        client.send(get("/b"))
        assert client.end().count(b"HTTP/1.1 ") == 1
        assert site.server.asked == []


# -- bodies -------------------------------------------------------------------------------------------------


@POLLERS
def test_everything_byte_by_byte(poller: str) -> None:
    with web(poller=poller, limits=HttpLimits(body_rate=0)) as site:
        client = site.client()
        for data in (get("/a"), post(b"hello"), chunked(b"he", b"llo"), get("/b")):
            for at in range(len(data)):
                client.send(data[at : at + 1])
                site.reactor.turn(0.02)
        assert [each.body for each in client.answers(4)] == [
            b"GET /a ",
            b"POST / hello",
            b"POST / hello",
            b"GET /b ",
        ]


def test_bodies_in_a_pipeline() -> None:
    with web() as site:
        client = site.client()
        client.send(post(b"one") + chunked(b"two", b"!") + get("/three") + post(b""))
        bodies = [each.body for each in client.answers(4)]
        assert bodies == [b"POST / one", b"POST / two!", b"GET /three ", b"POST / "]


def test_a_body_that_looks_like_a_request_is_a_body() -> None:
    with web() as site:
        client = site.client()
        assert client.ask(post(get("/inner"))).body == b"POST / " + get("/inner")
        assert len(site.server.asked) == 1


def test_continue_is_said_once_and_only_when_it_is_waited_for() -> None:
    with web() as site:
        client = site.client()
        head = get("/", "Expect: 100-continue\r\nContent-Length: 5\r\n", method="POST")
        client.send(head)
        client.wait(1)
        assert client.data == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.answer().body == b"POST / hello"
        assert client.ask(head + b"hello").body == b"POST / hello"
        assert b"100 Continue" not in client.data


@pytest.mark.attack(33)
def test_continue_is_not_said_for_a_request_without_a_body() -> None:
    with web() as site:
        client = site.client()
        client.send(get("/", "Expect: 100-continue\r\n"))
        client.wait(20)
        assert client.data.startswith(b"HTTP/1.1 200")


def test_a_body_can_be_refused_before_it_is_sent() -> None:
    with web() as site:
        site.server.refusal = lambda request: Reply(403, body=b"not here")
        client = site.client()
        client.send(get("/", "Expect: 100-continue\r\nContent-Length: 5\r\n", method="POST"))
        answer = client.answer()
        assert (answer.status, answer.body, answer.fields["connection"]) == (403, b"not here", "close")
        client.end()
        assert site.server.asked == []
        unwilling = site.client()
        unwilling.send(post(b"x" * 100_000))  # sent without asking, it does not cost the client its answer
        assert unwilling.answer().status == 403
        unwilling.end()
        assert not unwilling.reset


def test_a_refusal_that_fails_is_answered_too() -> None:
    def broken(_request: Request) -> Reply:
        raise ZeroDivisionError

    def forbidden(_request: Request) -> Reply:
        raise RequestError(403, "no")

    with web(faults=1) as site:
        for refusal, status in ((broken, 500), (forbidden, 403)):
            site.server.refusal = refusal
            client = site.client()
            client.send(post(b"x"))
            answer = client.answer()
            assert (answer.status, answer.fields["connection"]) == (status, "close")


@pytest.mark.parametrize(
    "request_bytes",
    [
        get("/", "Content-Length: 101\r\n", method="POST"),
        post(b"x" * 101),
        chunked(b"x" * 60, b"x" * 60),
        chunked(b"x" * 101, whole=False),
    ],
    ids=["declared", "sent", "chunked", "chunk"],
)
def test_a_body_that_is_too_long(request_bytes: bytes) -> None:
    with web(limits=HttpLimits(body=100)) as site:
        client = site.client()
        assert client.ask(post(b"x" * 100)).status == 200
        assert client.ask(chunked(b"x" * 50, b"x" * 50)).status == 200
        client.send(request_bytes)
        answer = client.answer()
        assert (answer.status, answer.fields["connection"]) == (413, "close")
        assert client.end() == b""
        assert len(site.server.asked) == 2


# -- HEAD and half-closed clients ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/b", "/s", "/f"])
def test_head_is_answered_without_a_body(path: str) -> None:
    with web(varied) as site:
        client = site.client()
        before = descriptors()
        client.send(get(path, method="HEAD"))
        answer = client.answer("HEAD")
        assert answer.body == b""
        assert descriptors() == before
        client.send(get(path))
        plain = client.answer()
        assert answer.fields.get("content-length") == plain.fields.get("content-length")


@POLLERS
@pytest.mark.parametrize("path", ["/b", "/s", "/f", "/later"])
def test_a_client_that_has_said_all_still_gets_its_reply(path: str, poller: str) -> None:
    """RFC 9112, 9.6: half-closed is not gone."""
    waiting: list[Request] = []

    def answer(request: Request) -> Reply | None:
        if request.path == "/later":
            waiting.append(request)
            return None
        return varied(request)

    with web(answer, poller=poller) as site:
        client = site.client()
        client.send(get(path))
        client.sock.shutdown(socket.SHUT_WR)
        if path == "/later":
            site.turns()
            waiting[0].answer(Reply(200, body=b"late"))
        assert client.end().startswith(b"HTTP/1.1 200 ")
        assert not client.reset
        site.gone()


def test_a_client_that_ends_its_side_during_a_long_reply_is_not_kept_afterwards() -> None:
    released: list[bool] = []

    def slow() -> Iterator[bytes]:
        while not released:
            yield b""
        yield b"done"

    with web(lambda request: Reply(200, body=slow())) as site:
        client = site.client()
        client.send(get())
        client.wait(20)
        client.sock.shutdown(socket.SHUT_WR)
        site.turns()
        released.append(True)
        assert client.end().endswith(b"4\r\ndone\r\n0\r\n\r\n")
        site.gone()


def test_pipelined_requests_before_the_end_of_input_are_answered() -> None:
    with web(varied, limits=HttpLimits(requests_per_turn=2)) as site:
        client = site.client()
        client.send(get("/b1") + get("/s2") + get("/f3") + get("/b4") + get("/s5"))
        client.sock.shutdown(socket.SHUT_WR)
        assert len(client.answers(5)) == 5
        assert client.end() == b""


@pytest.mark.parametrize("data", [b"GET / HT", post(b"hello")[:-2]], ids=["head", "body"])
def test_an_end_in_the_middle_of_a_request_is_a_fault(data: bytes) -> None:
    with web() as site:
        client = site.client()
        client.send(data)
        client.sock.shutdown(socket.SHUT_WR)
        answer = client.answer()
        assert (answer.status, answer.fields["connection"]) == (400, "close")
        assert client.end() == b""


# -- clients that go away -----------------------------------------------------------------------------------


class Produced:
    """A body that knows whether it was closed, and is not its own iterator."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    def close(self) -> None:
        self.closed += 1


@POLLERS
@pytest.mark.parametrize("leave", [reset, Client.close], ids=["reset", "end"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HT",
        get("/b"),
        post(b"hello")[:-2],
        get("/produced"),
        get("/f"),
        get("/later"),
        get("/later") * 9,
    ],
    ids=["fresh", "head", "idle", "body", "produced", "file", "handling", "pipeline"],
)
def test_a_client_may_go_away_at_any_time(leave: object, data: bytes, poller: str) -> None:
    waiting: list[Request] = []
    produced = Produced()
    late = Produced()

    def answer(request: Request) -> Reply | None:
        if request.path == "/later":
            waiting.append(request)
            return None
        if request.path == "/produced":
            return Reply(200, body=produced)
        return Reply(200, body=file_of(BIG)) if request.path == "/f" else echo(request)

    assert callable(leave)
    before = descriptors()
    with web(answer, poller=poller, stream_limits=SMALL_QUEUE, logged=True) as site:
        client = site.client(receive_buffer=4096)
        client.send(data)
        site.turns()
        leave(client)
        site.turns()
        if waiting:
            waiting[0].answer(Reply(200, body=file_of(BIG)))
            site.turns()
        if data[:6] != b"GET /f" and data[:6] != b"GET /p":  # what is queued notices when it is sent
            site.gone()
        site.wait(61)
        site.gone()
        assert produced.closed == (data == get("/produced"))
        for request in waiting:
            request.answer(Reply(200, body=late))
        assert late.closed == len(waiting)
    assert descriptors() == before


def test_the_log_says_of_a_client_that_left_before_its_reply() -> None:
    waiting: list[Request] = []

    def later(request: Request) -> Reply | None:
        if request.path == "/first":
            return Reply(200, body=b"12345")
        waiting.append(request)
        return None

    with web(later, logged=True) as site:
        client = site.client()
        client.ask(get("/first"))
        client.send(get("/gone"))
        site.turns()
        reset(client)
        site.gone()
        assert site.lines() == ['GET /first HTTP/1.1" 200 5', 'GET /gone HTTP/1.1" 499 0']


def test_the_log_has_what_was_never_a_request() -> None:
    with web(logged=True) as site:
        client = site.client()
        client.ask(b"NONSENSE\r\n\r\n")
        client.end()
        client.close()
        site.gone()
        line = site.lines()[0]
        assert line.startswith('NONSENSE" 400 ')
        assert int(line.split()[-1]) > 100
        assert site.log[0].startswith("127.0.0.1 - - [")


def test_the_log_says_what_was_refused_and_why() -> None:
    with web(logged=True, limits=HttpLimits(request_line=64, body=10)) as site:
        for data in (
            get("/" + "x" * 100),
            b"GET /no-host HTTP/1.1\r\n\r\n",
            post(b"x" * 20, "/long"),
            b"GET /half HTTP/1.1\r\nHos",
        ):
            client = site.client()
            client.send(data)
            if data.endswith(b"Hos"):
                client.sock.shutdown(socket.SHUT_WR)
            client.end()
            client.close()
            site.gone()
        lines = site.lines()
        assert [line.split('"')[0][:14] for line in lines] == [
            "GET /xxxxxxxxx",
            "GET /no-host H",
            "POST /long HTT",
            "GET /half HTTP",
        ]
        assert [line.split('"')[1].split()[0] for line in lines] == ["414", "400", "413", "400"]


def test_a_download_that_was_cut_short_is_logged_with_what_was_sent() -> None:
    def big(_request: Request) -> Reply:
        return Reply(200, body=file_of(BIG))

    with web(big, logged=True, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        client.send(get("/big"))
        client.wait(1000)
        assert site.lines() == [], "much of it is still to be taken"
        client.close()
        site.gone()
        status, sent = site.lines()[0].split()[-2:]
        assert status == "200"
        assert 0 < int(sent) < len(BIG)


# -- handlers that fail -------------------------------------------------------------------------------------


def test_a_handler_that_raises_is_a_500_and_told() -> None:
    def broken(request: Request) -> Reply:
        if request.path == "/ok":
            return echo(request)
        raise ZeroDivisionError("secret of the house")

    with web(broken, faults=1) as site:
        client = site.client()
        client.send(get("/x") + get("/ok"))
        bad, good = client.answers(2)
        assert (bad.status, good.status) == (500, 200)
        assert b"secret" not in bad.body
        assert b"Zero" not in bad.body
        assert isinstance(site.errors[0], ZeroDivisionError)


def test_a_handler_may_raise_a_request_error() -> None:
    def missing(_request: Request) -> Reply:
        raise RequestError(410, "it is <gone>")

    with web(missing) as site:
        client = site.client()
        answer = client.ask(get())
        assert answer.status == 410
        assert b"It is &lt;gone&gt;." in answer.body
        assert client.ask(get()).status == 410  # the connection lives on


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Reply(200, [("X-Name", "a\r\nSet-Cookie: b=c")], b"body"),
        lambda: Reply(200, [("X-Name\r\nSet-Cookie", "c")], b"body"),
        lambda: Reply(200, [("X-Name", "a\nb")], iter([b"body"])),
        lambda: Reply(200, [("X-Name", "a\0b")], b"body"),
        lambda: Reply(200, [("X-Name", "就绪")], b"body"),
        lambda: Reply(200, [("X-Name", "a\rb")], file_of(b"body")),
        lambda: Reply(200, [("Content-Length", "3")], b"body"),
        lambda: Reply(200, [("Transfer-Encoding", "chunked")], b"body"),
        lambda: Reply(204, body=b"body"),
        lambda: Reply(101),
        lambda: Reply(9999),
        lambda: Reply(200, body=None),  # type: ignore[arg-type]
        lambda: Reply(200, body=42),  # type: ignore[arg-type]
    ],
)
def test_a_reply_that_breaks_the_rules_is_a_500_and_nothing_of_it_is_sent(bad: object) -> None:
    """Attack 22 at its root: no value reaches the wire that could end its line."""
    assert callable(bad)
    waiting: list[Request] = []

    def answer(request: Request) -> Reply | None:
        if request.path == "/later":
            waiting.append(request)
            return None
        return echo(request) if request.path == "/ok" else bad()

    with web(answer, faults=2) as site:
        client = site.client()
        client.send(get("/bad") + get("/ok"))
        found = client.answers(2)
        assert [each.status for each in found] == [500, 200]
        assert "x-name" not in found[0].fields
        assert "set-cookie" not in found[0].fields
        client.send(get("/later"))
        site.turns()
        waiting[0].answer(bad())
        assert client.answer().status == 500


def test_what_goes_out_instead_of_a_broken_reply_is_not_remembered() -> None:
    """The memo keeps what was sent, and this was not."""

    def broken(_request: Request) -> Reply:
        return Reply(200, [("X", "a\nb")], b"body", validator=lambda: True)

    with web(broken, faults=4) as site:
        client = site.client()
        first = client.ask(get())
        for _ in range(3):
            assert client.ask(get()).body == first.body
        assert len(site.server.asked) == 4


def test_the_base_class_has_nothing() -> None:
    with web() as site:
        site.server.answer = lambda request: HTTPServer.respond(site.server, request)
        answer = site.client().ask(get("/%3Cb%3E"))
        assert answer.status == 404
        assert b"%3Cb%3E" in answer.body


# -- nobody holds the loop ----------------------------------------------------------------------------------


@pytest.mark.pitfall(24)
def test_costly_requests_end_a_turn_sooner() -> None:
    """The share of a turn is counted in requests, and in time: a handler may cost more than most."""

    def costly(request: Request) -> Reply:
        site.clock.advance(0.003)
        return echo(request)

    with web(costly, limits=HttpLimits(requests_per_turn=32, turn_time=0.005)) as site:
        client = site.client()
        client.send(get("/costly") * 9)
        counts = []
        while len(site.server.asked) < 9:
            before = len(site.server.asked)
            site.reactor.turn(0.02)
            counts.append(len(site.server.asked) - before)
        assert max(counts) == 2
        assert len(client.answers(9)) == 9


@pytest.mark.pitfall(24)
def test_costly_pieces_end_a_turn_sooner() -> None:
    made = 0

    def pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(9):
            made += 1
            site.clock.advance(0.003)
            yield b"piece"

    with web(lambda _: Reply(200, body=pieces()), limits=HttpLimits(turn_time=0.005)) as site:
        client = site.client()
        client.send(get())
        counts = []
        while made < 9:
            before = made
            site.reactor.turn(0.02)
            counts.append(made - before)
        assert max(counts) <= 3  # the first one is made before the head is sent
        assert client.answer().body == b"piece" * 9


@pytest.mark.pitfall(24)
def test_small_chunks_are_a_share_too() -> None:
    """Sixty-four kilobytes of one-byte chunks are eleven thousand of them."""
    body = [b"x"] * 4000
    with web(limits=HttpLimits(chunks=8, requests_per_turn=4)) as site:
        client = site.client()
        client.send(chunked(*body))
        turns = 0
        while not site.server.asked:
            site.reactor.turn(0.02)
            turns += 1
        assert turns >= 4000 / (8 * 4)
        assert client.answer().body == b"POST / " + b"x" * 4000


def test_input_is_bounded_while_a_body_is_produced() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"y" * 4000

    with web(lambda _: Reply(200, body=endless()), stream_limits=SMALL_QUEUE) as site:
        client = site.client()
        client.send(get())
        exchange = next(iter(site.server.exchanges))
        for _ in range(300):
            try:
                client.sock.send(b"junk" * 4000)
            except BlockingIOError:
                pass
            client.receive()
            client.data.clear()
            site.reactor.turn(0)
        assert exchange._wire is not None
        assert exchange._wire.buffered <= 3 * SMALL_QUEUE.read_size


@pytest.mark.pitfall(18)
def test_junk_that_comes_while_a_large_reply_is_flushed() -> None:
    with web(lambda _: Reply(200, body=file_of(BIG))) as site:
        client = site.client(receive_buffer=4096)
        client.send(get("/big", "Connection: close\r\n"))
        client.wait(1000)
        client.sock.send(b"\r\n")
        assert len(client.end()) > len(BIG)
        assert not client.reset


@pytest.mark.parametrize("bad", ["text", 5, object()])
def test_what_is_no_reply_is_a_500(bad: object) -> None:
    with web(lambda _: bad, faults=1) as site:  # type: ignore[arg-type, return-value]
        assert site.client().ask(get()).status == 500


def test_other_kinds_of_bytes_are_bytes() -> None:
    bodies: dict[str, bytearray | memoryview] = {
        "/bytearray": bytearray(b"one"),
        "/memoryview": memoryview(b"two"),
    }
    with web(lambda request: Reply(200, body=bodies[request.path])) as site:
        client = site.client()
        assert [client.ask(get(path)).body for path in bodies] == [b"one", b"two"]
    with pytest.raises(TypeError, match="encode"):
        Reply(200, body="text")  # type: ignore[arg-type]


def test_a_producer_that_fails_at_once_is_a_500() -> None:
    def broken() -> Iterator[bytes]:
        raise LookupError("nothing was sent yet")
        yield b""

    with web(lambda _: Reply(200, body=broken()), faults=1) as site:
        assert site.client().ask(get()).status == 500
