"""A protocol over TLS that raises hears nothing more but its end, although input may be hidden in our buffers."""

from __future__ import annotations

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


class Failing(Recorder):
    """Asks for more, and then raises."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.stream.pause_reading()
        self.stream.resume_reading()
        raise KeyError("mine")


@pytest.mark.parametrize("poller", available())
def test_whoever_raises_hears_nothing_more(poller: str, authority: Authority) -> None:
    server, client = Failing(), Recorder(keep_open=True)
    errors: list[Exception] = []
    with Reactor(poller, on_error=errors.append) as reactor:
        listener = listen(reactor, ("127.0.0.1", 0), lambda: server, tls=ServerTLS(authority.local()))
        connect(reactor, listener.address, lambda: client, tls=authority.client)
        turn_until(reactor, lambda: hasattr(server, "stream") and hasattr(client, "stream"))
        for _ in range(RECORDS):
            client.stream.write(RECORD)
        turn_until(reactor, lambda: server.lost)
        client.stream.abort()
        turn_until(reactor, lambda: client.lost)
        listener.close()
    assert server.data == RECORD
    assert server.lost == errors
    assert [type(error) for error in errors] == [KeyError]
