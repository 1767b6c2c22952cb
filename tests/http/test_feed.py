"""Bodies that are written when there is something to say, and cost nothing while there is not."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import poise
from poise.errors import PeerFault, ProgramFault
from poise.http.feed import Feed
from poise.http.message import Reply, Request
from poise.limits import HttpLimits
from poise.loop.reactor import Reactor
from poise.readiness.poller import available
from tests.http.web import SMALL_QUEUE, Client, Web, get, web
from tests.support.loops import receive_all, turn_until

POLLERS = pytest.mark.parametrize("poller", available())
LAST = b"0\r\n\r\n"


class Source:
    """What a program has at its end: a feed for each request, and what each was told."""

    def __init__(self, **options: Any) -> None:
        self.feeds: list[Feed] = []
        self.said: list[str] = []
        self.options = options

    def __call__(self, request: Request) -> Reply:
        if request.path == "/other":
            return Reply(200, body=b"other")
        return Reply(200, body=self.make())

    def make(self) -> Feed:
        feed = Feed(on_close=lambda: self.said.append("closed"), **self.options)
        self.feeds.append(feed)
        return feed

    @property
    def feed(self) -> Feed:
        return self.feeds[-1]


def begun(site: Web, source: Source, request: bytes = b"", **options: Any) -> Client:
    """A client that has the head of its reply."""
    client = site.client(**options)
    client.send(request or get())
    client._until(lambda: b"\r\n\r\n" in client.data and source.feeds)
    return client


def sleeps(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the next turn would wait, with nobody ready and nothing posted."""
    waits: list[float] = []
    real = reactor.poller.poll

    def poll(timeout: float, most: int) -> Any:
        waits.append(timeout)
        return real(0, most)

    with monkeypatch.context() as patch:
        patch.setattr(reactor.poller, "poll", poll)
        reactor.turn(5.0)
    return waits == [5.0]


# -- while nothing is said ----------------------------------------------------------------------------------


@POLLERS
def test_a_silent_feed_costs_no_turn_of_the_loop(poller: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    with web(source, poller=poller) as site:
        client = begun(site, source)
        site.turns()
        assert all(sleeps(site.reactor, monkeypatch) for _ in range(10))
        for word in (b"one", b"two"):
            source.feed.write(word)
            assert not sleeps(site.reactor, monkeypatch)  # the turn that sends it
            site.turns()
            assert all(sleeps(site.reactor, monkeypatch) for _ in range(10))
        client._until(lambda: client.data.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n"))
        source.feed.end()
        assert client.answer().body == b"onetwo"


def test_an_iterator_with_nothing_to_say_is_asked_in_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above can see."""
    over: list[bool] = []
    with web(lambda request: Reply(200, body=iter(lambda: None if over else b"", None))) as site:
        client = site.client()
        client.send(get())
        client._until(lambda: client.data)
        assert not sleeps(site.reactor, monkeypatch)
        over.append(True)
        client.answer()


def test_silence_is_no_stall_and_no_idleness() -> None:
    source = Source()
    with web(source) as site:
        client = begun(site, source)
        for _ in range(50):
            site.wait(100)  # more than any deadline there is
        source.feed.write(b"still here")
        source.feed.end()
        assert client.answer().body == b"still here"
        assert source.said == ["closed"]


def test_a_client_that_takes_nothing_of_what_is_said_is_given_up() -> None:
    source = Source()
    with web(source, stream_limits=SMALL_QUEUE) as site:
        begun(site, source, receive_buffer=4096)
        while not source.feed.is_full:
            source.feed.write(b"x" * 10_000)
            site.turns(2)
        for _ in range(6):
            site.wait(15)
        site.gone()
        assert source.said == ["closed"]
        assert source.feed.is_closing


# -- what is written ----------------------------------------------------------------------------------------


def test_what_is_said_in_one_turn_goes_as_one_piece() -> None:
    source = Source()
    with web(source) as site:
        client = begun(site, source)
        for part in (b"a", bytearray(b"bc"), memoryview(b"def"), memoryview(b"g1h2"[::2]), b"", bytearray()):
            source.feed.write(part)
        client._until(lambda: client.data.endswith(b"\r\n8\r\nabcdefgh\r\n"))
        source.feed.end()
        client._until(lambda: client.data.endswith(LAST))


def test_what_was_written_and_ended_before_the_reply_began() -> None:
    def answer(request: Request) -> Reply:
        feed = Feed()
        feed.write(b"all of ")
        feed.write(b"it")
        feed.end()
        feed.end()
        return Reply(200, body=feed)

    with web(answer) as site:
        client = site.client()
        assert [client.ask(get()).body for _ in range(3)] == [b"all of it"] * 3


def test_a_feed_of_a_known_length() -> None:
    source = Source()
    with web(lambda request: Reply(200, body=source.make(), length=10)) as site:
        client = begun(site, source)
        assert b"\r\nContent-Length: 10\r\n" in client.data
        source.feed.write(b"01234")
        site.turns()
        source.feed.write(b"56789")
        source.feed.end()
        assert client.answer().body == b"0123456789"
        assert site.open == 1


def test_a_feed_of_nothing() -> None:
    source = Source()
    with web(source) as site:
        client = begun(site, source)
        source.feed.end()
        assert client.answer().body == b""
        assert client.ask(get("/other")).body == b"other"


@pytest.mark.parametrize("minor", [0, 1])
def test_pipelined_requests_wait_until_it_has_ended(minor: int) -> None:
    source = Source()
    with web(source, logged=True) as site:
        client = begun(site, source, get(minor=minor) + get("/other") + get())
        site.turns()
        assert len(site.server.asked) == 1
        source.feed.write(b"first")
        source.feed.end()
        if minor == 0:
            assert client.end().endswith(b"\r\n\r\nfirst")  # nothing else tells where it ends
            return
        client._until(lambda: len(source.feeds) == 2)
        source.feed.write(b"third")
        source.feed.end()
        assert [each.body for each in client.answers(3, *["GET"] * 3)] == [b"first", b"other", b"third"]
        assert site.open == 1
        assert [int(line.split()[-1]) for line in site.lines()] == [5, 5, 5]


def test_no_body_means_that_nobody_listens() -> None:
    source = Source()
    with web(source) as site:
        client = site.client()
        client.send(get(method="HEAD"))
        assert client.answer("HEAD").body == b""
        assert source.said == ["closed"]
        source.feed.write(b"to nobody")
        source.feed.end()
        assert source.feed.is_closing


def test_a_feed_may_be_given_later() -> None:
    source = Source()
    with web(lambda request: None) as site:
        client = site.client()
        client.send(get())
        turn_until(site.reactor, lambda: site.server.asked)
        site.server.asked[0].answer(Reply(200, body=source.make()))
        source.feed.write(b"later")
        source.feed.end()
        assert client.answer().body == b"later"


def test_another_thread_posts_what_it_says() -> None:
    source = Source()
    with web(source) as site:
        client = begun(site, source)
        site.reactor.call_soon_threadsafe(source.feed.write, b"from afar")
        site.reactor.call_soon_threadsafe(source.feed.end)
        assert client.answer().body == b"from afar"


@pytest.mark.parametrize("wrong", ["text", 5, None, [b"x"]])
def test_only_bytes_can_be_written(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Feed().write(wrong)


# -- how much waits -----------------------------------------------------------------------------------------


def test_a_full_feed_takes_no_more_until_there_is_room() -> None:
    room: list[bool] = []
    feed = Feed(limits=HttpLimits(feed=10), on_room=lambda: room.append(feed.is_full))
    feed.write(b"1")
    assert (next(feed), room) == (b"1", [])
    feed.write(b"123456789")
    assert not feed.is_full
    feed.write(b"a piece is taken whole")
    assert feed.is_full
    with pytest.raises(ProgramFault, match="31 bytes wait"):
        feed.write(b"x")
    assert repr(feed) == "<Feed OPEN 31 bytes waiting>"
    assert next(feed) == b"123456789a piece is taken whole"
    assert room == [False]
    feed.write(b"x")
    assert next(feed) == b"x"
    assert next(feed) == b""


@POLLERS
@pytest.mark.pitfall(50)
def test_a_slow_reader_makes_the_producer_wait(poller: str) -> None:
    """Whoever writes again as soon as there is room fills neither the memory nor the stack."""
    left = [500]
    source = Source(limits=HttpLimits(feed=5000))
    depths: set[int] = set()

    def fill() -> None:
        depths.add(depth())
        while left[0] and not source.feed.is_full:
            left[0] -= 1
            source.feed.write(b"x" * 1000)
        if not left[0]:
            source.feed.end()

    with web(source, poller=poller, stream_limits=SMALL_QUEUE) as site:
        client = begun(site, source, receive_buffer=4096)
        source.feed.on_room = fill
        fill()
        site.turns(400)
        before = left[0]
        site.turns(100)
        assert left[0] == before > 300
        (stream,) = site.listener.streams
        assert stream.get_write_buffer_size() < 2 * stream.limits.high_water
        assert len(client.answer().body) == 500_000
        assert source.said == ["closed"]
        assert max(depths) - min(depths) < 30


def depth() -> int:
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


def test_a_producer_that_always_has_more_does_not_hold_the_loop() -> None:
    source = Source(limits=HttpLimits(feed=1))
    with web(source, limits=HttpLimits(pieces=10)) as site:
        client = begun(site, source)
        count = [0]

        def more() -> None:
            count[0] += 1
            source.feed.write(b"x")

        source.feed.on_room = more
        more()
        site.turns(2)
        before = count[0]
        site.turns(10)
        assert count[0] - before == 100
        source.feed.on_room = None
        source.feed.end()
        assert len(client.answer().body) == count[0]


def test_a_callback_that_raises_cuts_its_own_connection() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    source = Source(limits=HttpLimits(feed=1), on_room=broken)
    with web(source, faults=1) as site:
        client = begun(site, source)
        source.feed.write(b"full")
        client.end()
        assert client.reset
        site.gone()
        assert source.said == ["closed"]
        assert site.client().ask(get("/other")).body == b"other"


# -- ends that are none -------------------------------------------------------------------------------------


class SomebodyElse(PeerFault):
    """Where the body came from broke a rule."""


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize(
    ("error", "faults"), [(None, 0), (SomebodyElse(), 0), (ConnectionResetError(), 0), (ValueError(), 1)]
)
def test_an_aborted_feed_cuts_the_connection(minor: int, error: Exception | None, faults: int) -> None:
    source = Source()
    with web(source, faults=faults, logged=True) as site:
        client = begun(site, source, get(minor=minor))
        source.feed.write(b"half")
        site.turns()
        source.feed.write(b"and this is dropped")
        source.feed.abort(error)
        source.feed.abort(KeyError())
        source.feed.end()
        with pytest.raises(ProgramFault, match="aborted"):
            source.feed.write(b"x")
        data = client.end()
        assert client.reset
        assert b"half" in data
        assert not data.endswith(LAST)
        assert b"dropped" not in data
        site.gone()
        assert source.said == ["closed"]
        source.feed.abort()
        assert site.lines() == [f'GET / HTTP/1.{minor}" 200 4']


@pytest.mark.parametrize(("error", "faults"), [(None, 0), (ValueError(), 1)])
def test_aborted_before_it_began_it_can_still_be_a_500(error: Exception | None, faults: int) -> None:
    def answer(request: Request) -> Reply:
        feed = Feed()
        feed.write(b"x")
        feed.abort(error)
        return Reply(200, body=feed)

    with web(answer, faults=faults) as site:
        client = site.client()
        assert client.ask(get()).status == 500
        assert site.open == 1


def test_nothing_is_written_after_the_end() -> None:
    feed = Feed()
    feed.write(b"last")
    feed.end()
    with pytest.raises(ProgramFault, match="ended"):
        feed.write(b"x")
    assert repr(feed) == "<Feed ENDED 4 bytes waiting>"
    feed.abort()  # but what waits can still be given up
    assert repr(feed) == "<Feed ABORTED 0 bytes waiting>"
    with pytest.raises(ConnectionAbortedError):
        next(feed)


def test_a_feed_is_the_body_of_one_reply() -> None:
    feed = Feed()
    with web(lambda request: Reply(200, body=feed), faults=2) as site:
        first, second = site.client(), site.client()
        first.send(get())
        first._until(lambda: first.data)
        assert second.ask(get()).status == 500
        first.end()  # it cannot know what became of the rest
        assert first.reset
    assert {str(error) for error in site.errors} == {
        "a feed is the body of one reply only",
        "a feed was closed before its reply was over",
    }


def test_an_end_while_the_client_does_not_read() -> None:
    source = Source()
    with web(source, stream_limits=SMALL_QUEUE) as site:
        client = begun(site, source, receive_buffer=4096)
        sent = 0
        while not source.feed.is_full:
            source.feed.write(b"x" * 10_000)
            sent += 10_000
            site.turns(2)
        source.feed.end()
        site.turns()
        assert source.said == []
        assert len(client.answer().body) == sent
        assert source.said == ["closed"]


# -- the client leaves, or the server -----------------------------------------------------------------------


@POLLERS
@pytest.mark.parametrize("endless", [True, False])
def test_a_client_that_is_cut_off_is_noticed_without_a_word(poller: str, endless: bool) -> None:
    source = Source(endless=endless)
    with web(source, poller=poller) as site:
        client = begun(site, source)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        site.gone()
        assert source.said == ["closed"]
        source.feed.write(b"nobody")


@POLLERS
def test_an_endless_feed_ends_when_its_client_has_left(poller: str) -> None:
    source = Source(endless=True)
    with web(source, poller=poller, logged=True) as site:
        client = begun(site, source)
        client.close()
        site.gone()
        assert source.said == ["closed"]
        assert site.lines() == ['GET / HTTP/1.1" 200 0']


def test_a_finite_one_is_for_who_asked_and_will_not_ask_again() -> None:
    source = Source()
    with web(source) as site:
        client = begun(site, source)
        client.sock.shutdown(socket.SHUT_WR)
        for _ in range(10):
            site.wait(100)
        source.feed.write(b"the answer")
        source.feed.end()
        assert client.end().endswith(b"a\r\nthe answer\r\n" + LAST)
        assert not client.reset


@pytest.mark.parametrize("many", [1, 100])
def test_what_else_was_asked_before_leaving_is_answered(many: int) -> None:
    source = Source(endless=True)
    with web(source) as site:
        client = begun(site, source, get() + get("/other") * many)
        source.feed.write(b"last words")
        client.sock.shutdown(socket.SHUT_WR)
        data = client.end()
        assert data.count(b"\r\n\r\nother") == many
        assert data.count(b"a\r\nlast words\r\n" + LAST) == 1


def test_what_else_was_asked_is_answered_to_a_slow_reader_too() -> None:
    source = Source(endless=True)
    big = b"x" * 100_000

    def answer(request: Request) -> Reply:
        return source(request) if request.path == "/" else Reply(200, body=big)

    with web(answer, stream_limits=SMALL_QUEUE) as site:
        client = begun(site, source, get() + get("/big") * 10, receive_buffer=4096)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.end().count(big) == 10


def test_who_had_said_before_that_it_will_not_ask_again() -> None:
    source = Source(endless=True)
    with web(lambda request: None) as site:
        client = site.client()
        client.send(get())
        client.sock.shutdown(socket.SHUT_WR)
        turn_until(site.reactor, lambda: site.server.asked)
        turn_until(site.reactor, lambda: not next(iter(site.listener.streams)).is_reading())
        feed = source.make()
        feed.write(b"what there is")
        site.server.asked[0].answer(Reply(200, body=feed))
        assert client.end().endswith(b"d\r\nwhat there is\r\n" + LAST)
        assert source.said == ["closed"]


@pytest.mark.parametrize("when", ["after", "before"])
def test_a_client_that_asks_on_and_on_ends_an_endless_reply(when: str) -> None:
    """So much is not read while a reply is made, and then nobody would notice that it has left."""
    source = Source(endless=True)
    waiting: list[Request] = []

    def answer(request: Request) -> Reply | None:
        if request.path == "/later":
            waiting.append(request)
            return None
        return source(request)

    with web(answer) as site:
        client = site.client()
        flood = get("/other", f"X: {'x' * 1000}\r\n") * 100
        if when == "after":
            client.send(get())
            client._until(lambda: source.feeds)
            client.send(flood)
        else:
            client.send(get("/later") + flood)
            turn_until(site.reactor, lambda: waiting and not next(iter(site.listener.streams)).is_reading())
            waiting[0].answer(Reply(200, body=source.make()))
        answers = client.answers(101)
        assert answers[0].body == b""
        assert {each.body for each in answers[1:]} == {b"other"}
        assert source.said == ["closed"]


def test_what_was_posted_for_one_reply_gives_no_second_share_to_the_next() -> None:
    source = Source(endless=True)
    made: list[int] = []
    over: list[bool] = []

    def answer(request: Request) -> Reply:
        if request.path == "/":
            return source(request)
        return Reply(200, body=pieces())

    def pieces() -> Iterator[bytes]:
        while not over:
            made.append(1)
            yield b"x"

    padding = f"X: {'x' * 1000}\r\n"
    with web(answer, limits=HttpLimits(pieces=10)) as site:
        client = begun(site, source, get() + get("/other", padding) * 60)
        site.turns()
        assert client.sock.send(get("/other", padding) * 20) > 20_000
        source.feed.write(b"x")  # posted; but in the next turn so much is read that the reply ends before
        turn_until(site.reactor, lambda: made)
        before = len(made)
        site.turns(10)
        assert len(made) - before == 100
        over.append(True)
        assert len(client.answers(81)) == 81


def test_a_few_requests_behind_an_endless_reply_do_not_end_it() -> None:
    source = Source(endless=True)
    with web(source) as site:
        client = begun(site, source, get() + get("/other") * 3)
        site.turns()
        assert not source.feed.is_closing
        client.close()
        site.gone()


def test_a_server_that_stops_ends_what_has_no_end_and_waits_for_the_rest() -> None:
    endless, finite = Source(endless=True), Source()
    drained: list[bool] = []

    def answer(request: Request) -> Reply:
        return (endless if request.path == "/endless" else finite)(request)

    with web(answer) as site:
        one = begun(site, endless, get("/endless"))
        other = begun(site, finite)
        endless.feed.write(b"last words")
        site.server.drain(lambda: drained.append(True))
        assert site.server.in_flight == 1  # what is left is what somebody waits for
        assert one.end().endswith(b"a\r\nlast words\r\n" + LAST)
        assert (endless.said, finite.said, drained) == (["closed"], [], [])
        finite.feed.write(b"whole")
        finite.feed.end()
        assert other.end().endswith(b"5\r\nwhole\r\n" + LAST)
        site.gone()
        assert drained == [True]


def test_a_server_that_closes_tells_every_producer() -> None:
    source = Source()
    with web(source) as site:
        client = begun(site, source)
        site.server.close()
        client.end()
        site.gone()
        assert source.said == ["closed"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names the option differently")
def test_the_kernel_asks_whether_a_silent_listener_is_still_there() -> None:
    source = Source(endless=True)
    with web(source, limits=HttpLimits(probe=7)) as site:
        begun(site, source)
        (stream,) = site.listener.streams
        assert (stream.get_option("keepalive"), stream.get_option("keepalive_idle")) == (True, 7)
        finite = Source()
        site.server.answer = finite
        before = set(site.listener.streams)
        begun(site, finite)
        (stream,) = site.listener.streams - before
        assert stream.get_option("keepalive") is False


def test_an_endless_reply_to_who_has_just_left() -> None:
    """The socket is closed and takes no option any more; the exchange has yet to hear of it."""
    source = Source(endless=True)
    with web(lambda request: None) as site:
        client = site.client()
        client.send(get())
        turn_until(site.reactor, lambda: site.server.asked)
        (stream,) = site.listener.streams
        stream.abort()
        site.server.asked[0].answer(Reply(200, body=source.make()))
        source.feed.write(b"nobody")
        site.gone()
        assert source.said == ["closed"]


def test_an_endless_reply_over_a_unix_socket(tmp_path: Any) -> None:
    source = Source(endless=True)
    with web(source) as site:
        site.listener.close()
        site.listener = site.server.listen(f"unix:{tmp_path}/s")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "s"))
            sock.sendall(get())
            sock.setblocking(False)
            turn_until(site.reactor, lambda: source.feeds)
            source.feed.write(b"hello")
            data = bytearray()
            turn_until(site.reactor, lambda: receive_all(sock, data) or data.endswith(b"5\r\nhello\r\n"))
        site.gone()
        assert source.said == ["closed"]


# -- as the reference shows it ------------------------------------------------------------------------------


def test_the_program_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {name: getattr(poise, name) for name in poise.__all__}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    with Reactor() as reactor:
        news = names["News"](reactor)
        listener = news.listen(("127.0.0.1", 0))
        with (
            socket.create_connection(listener.address) as one,
            socket.create_connection(listener.address) as two,
        ):
            for sock in (one, two):
                sock.sendall(get())
                sock.setblocking(False)
            turn_until(reactor, lambda: len(news.readers) == 2)
            news.tell(b"a line\n")
            for sock in (one, two):
                data = bytearray()
                turn_until(reactor, lambda: receive_all(sock, data) or data.endswith(b"7\r\na line\n\r\n"))  # noqa: B023
        turn_until(reactor, lambda: not news.readers)
        news.close()
        turn_until(reactor, lambda: not news.exchanges)
