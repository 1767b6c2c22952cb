"""Protocols over TLS that raise: what they hear afterwards, although their input may be hidden in our buffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from poise.loop.reactor import Reactor
from poise.net.certificates import ServerTLS
from poise.net.connect import connect
from poise.net.listener import listen
from poise.readiness.poller import available
from tests.support.certificates import Authority
from tests.support.loops import Recorder, turn_until

RECORDS = 3
RECORD = b"x" * 1000
MUCH = 20_000_000  # bytes, more than the kernel takes at once


@contextmanager
def connected(poller: str, authority: Authority, server: Recorder, client: Recorder) -> Iterator[Reactor]:
    with Reactor(poller) as reactor:
        listener = listen(reactor, ("127.0.0.1", 0), lambda: server, tls=ServerTLS(authority.local()))
        connect(reactor, listener.address, lambda: client, tls=authority.client)
        turn_until(reactor, lambda: hasattr(server, "stream") and hasattr(client, "stream"))
        listener.close()
        yield reactor


class Failing(Recorder):
    """Asks for more, and then raises."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.stream.pause_reading()
        self.stream.resume_reading()
        raise KeyError("mine")


class Unwilling(Recorder):
    """Does not want to pause."""

    def pause_writing(self) -> None:
        super().pause_writing()
        raise KeyError("mine")


@pytest.mark.parametrize("poller", available())
def test_whoever_raises_hears_nothing_more(poller: str, authority: Authority) -> None:
    server, client = Failing(), Recorder(keep_open=True)
    errors: list[Exception] = []
    with connected(poller, authority, server, client) as reactor:
        reactor.on_error = errors.append
        for _ in range(RECORDS):
            client.stream.write(RECORD)
        turn_until(reactor, lambda: server.lost)
        client.stream.abort()
        turn_until(reactor, lambda: client.lost)
    assert server.data == RECORD
    assert server.lost == errors
    assert [type(error) for error in errors] == [KeyError]


@pytest.mark.parametrize("poller", available())
def test_whoever_raises_when_asked_to_pause_is_asked_to_go_on_all_the_same(
    poller: str, authority: Authority
) -> None:
    server, client = Unwilling(), Recorder(keep_open=True)
    with connected(poller, authority, server, client) as reactor:
        server.stream.set_write_buffer_limits(MUCH)
        client.stream.pause_reading()
        server.stream.write(bytes(MUCH))
        assert server.stream.get_write_buffer_size() > 0
        with pytest.raises(KeyError):
            server.stream.set_write_buffer_limits(0)
        client.stream.resume_reading()
        turn_until(reactor, lambda: len(client.data) == MUCH)
        for each in server, client:
            each.stream.abort()
        turn_until(reactor, lambda: server.lost and client.lost)
    assert server.pauses == ["pause", "resume"]
