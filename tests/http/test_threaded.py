"""Bodies that threads make, while clients take them, do not, and leave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from poise.http.message import Reply, Request
from poise.http.threaded import threaded
from poise.limits import HttpLimits
from poise.loop.offload import pools
from tests.http.web import SMALL_QUEUE, Web, get, web
from tests.support.loops import turn_until


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "poise-offload":
            thread.join(20)


class Source:
    """Makes bodies of numbered pieces, and knows what became of them."""

    def __init__(self, count: int, size: int = 1000, fault: Exception | None = None, **options: Any) -> None:
        self.count = count
        self.size = size
        self.fault = fault
        self.options = {"most": 5000, "time": 1.0, **options}
        self.made = 0
        self.threads: set[str] = set()
        self.closed = 0
        self.over = 0
        self.site: Web | None = None
        self.gate: threading.Semaphore | None = None
        self.entered = threading.Semaphore(0)

    def pieces(self) -> Iterator[bytes]:
        try:
            for number in range(self.count):
                self.threads.add(threading.current_thread().name)
                self.entered.release()
                if self.gate is not None:
                    assert self.gate.acquire(timeout=20)
                self.made += 1
                yield b""
                yield b"%0*d" % (self.size, number)
            if self.fault is not None:
                raise self.fault
        finally:
            self.closed += 1

    def ended(self) -> None:
        self.over += 1

    def __call__(self, request: Request) -> Reply:
        return self.reply()

    def reply(self) -> Reply:
        assert self.site is not None
        body = threaded(self.site.reactor, self.pieces(), on_close=self.ended, **self.options)
        return Reply(200, body=body)

    @property
    def whole(self) -> bytes:
        return b"".join(b"%0*d" % (self.size, number) for number in range(self.count))


@contextmanager
def serving(source: Source, **options: Any) -> Iterator[Web]:
    with web(source, **options) as site:
        source.site = site
        yield site


@pytest.mark.parametrize("count", [0, 1, 5, 6, 1000])
def test_a_body_is_made_by_threads_and_comes_whole(count: int) -> None:
    source = Source(count)
    with serving(source) as site:
        client = site.client()
        assert client.ask(get()).body == source.whole
        assert client.ask(get()).body == source.whole
    assert (source.closed, source.over) == (2, 2)
    assert source.threads == ({"poise-offload"} if count else set())


def test_pieces_larger_than_a_slice() -> None:
    source = Source(20, size=100_000)
    with serving(source) as site:
        assert site.client().ask(get()).body == source.whole


def test_no_more_is_made_than_the_client_takes() -> None:
    source = Source(1000, limits=HttpLimits(feed=4096))
    with serving(source, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        client.send(get())
        turn_until(site.reactor, lambda: source.made)
        made = -1
        while made != source.made or pools(site.reactor).pending:  # until it stands still
            made = source.made
            turn_until(site.reactor, lambda: pools(site.reactor).pending == 0)
            site.turns(50)
        assert made < 200
        assert pools(site.reactor).pending == 0  # no thread waits for the client
        assert client.answer().body == source.whole
    assert source.over == 1


def test_what_is_asked_for_without_its_body_is_not_made() -> None:
    source = Source(100)
    with serving(source) as site:
        client = site.client()
        client.send(get(method="HEAD"))
        head = client.answer("HEAD")
        assert head.status == 200
        site.turns()
        assert source.over == 1
        assert pools(site.reactor).pending == 0
    assert source.made == 0


def test_a_client_that_leaves_while_a_thread_is_at_work() -> None:
    source = Source(100)
    source.gate = threading.Semaphore(0)
    with serving(source) as site:
        client = site.client()
        client.send(get())
        turn_until(site.reactor, lambda: source.entered.acquire(blocking=False))
        client.close()
        site.gone()
        assert (source.over, source.closed) == (1, 0)
        source.gate.release()
        turn_until(site.reactor, lambda: source.closed)
    assert source.made == 1


def test_a_client_that_leaves_between_slices() -> None:
    source = Source(10_000, limits=HttpLimits(feed=4096))
    with serving(source, stream_limits=SMALL_QUEUE) as site:
        client = site.client(receive_buffer=4096)
        client.send(get())
        client._until(lambda: len(client.data) > 1000)
        client.close()
        site.gone()
        turn_until(site.reactor, lambda: source.closed)
    assert source.over == 1
    assert source.made < 200


@pytest.mark.parametrize("count", [0, 1, 50])
def test_half_a_body_does_not_look_like_a_whole_one(count: int) -> None:
    source = Source(count, fault=ZeroDivisionError("no more"))
    with serving(source, faults=1) as site:
        client = site.client()
        client.send(get())
        data = client.end()
        assert client.reset
        assert not data.endswith(b"0\r\n\r\n")
        site.gone()
        assert [type(error) for error in site.errors] == [ZeroDivisionError]
    assert (source.closed, source.over) == (1, 1)


def test_a_reply_that_is_given_up_before_it_began() -> None:
    source = Source(100)
    with serving(source) as site:
        reply = source.reply()
        reply.close()
        reply.close()
        site.turns()
        assert pools(site.reactor).pending == 0
    assert (source.over, source.made) == (1, 0)


def test_without_anybody_to_tell_that_it_is_over() -> None:
    with web(
        lambda request: Reply(200, body=threaded(site.reactor, iter([b"a", b"b"]), most=1, time=1.0))
    ) as site:
        assert site.client().ask(get()).body == b"ab"
