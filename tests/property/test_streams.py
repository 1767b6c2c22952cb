"""Whatever two ends do to each other, every byte is accounted for: over TCP, unix sockets and TLS, on every poller."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.protocol import AnyProtocol
from poise.net.stream import Stream
from poise.net.tls import client_side, server_side
from poise.readiness.poller import available
from tests.support.certificates import Authority
from tests.support.loops import Recorder, turn_until

# Small budgets, so that short scripts come to every corner.
LIMITS = StreamLimits(read_size=20_000, write_size=30_000, high_water=8_000, low_water=2_000)

writes = st.tuples(st.just("write"), st.integers(1, 150_000))
others = st.sampled_from(["pause", "resume", "write_eof", "turn", "turn"]).map(lambda name: (name, 0))
ends = st.sampled_from(["close", "abort"]).map(lambda name: (name, 0))
steps = st.tuples(st.integers(0, 1), st.one_of(writes, writes, others, others, ends))


@dataclass
class End:
    """One of the two ends, what it did and what it heard."""

    heard: Recorder = field(default_factory=lambda: Recorder(keep_open=True))
    sent: bytearray = field(default_factory=bytearray)
    ended: bool = False
    tried: bool = False
    closed: bool = False
    aborted: bool = False

    @property
    def stream(self) -> Stream:
        return self.heard.stream

    def do(self, name: str, size: int) -> None:
        if name == "write" and not self.ended:
            data = bytes([len(self.sent) % 251]) * size
            self.tried = True
            self.stream.write(data)
            if not (self.closed or self.aborted or self.stream.is_closing()):
                self.sent += data
        elif name == "pause":
            self.stream.pause_reading()
        elif name == "resume":
            self.stream.resume_reading()
        elif name == "write_eof":
            self.stream.write_eof()
            self.ended = True
        elif name == "close":
            self.stream.close()
            self.closed = True
        elif name == "abort":
            self.stream.abort()
            self.aborted = True


def sockets(kind: str) -> tuple[socket.socket, socket.socket]:
    if kind == "unix":
        pair = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            pair = server.accept()[0], client
    for each in pair:
        each.setblocking(False)
    return pair


def joined(
    reactor: Reactor, kind: str, server: End, client: End, tls: tuple[ServerTLS, ClientTLS] | None
) -> None:
    protocols: list[AnyProtocol] = [server.heard, client.heard]
    if tls is not None:
        failures: list[Exception] = []
        protocols = [
            server_side(tls[0], lambda: server.heard)(),
            client_side(tls[1], "localhost")(lambda: client.heard, failures.append),
        ]
    for sock, protocol in zip(sockets(kind), protocols, strict=True):
        Stream(reactor, sock, protocol, sock.getpeername(), LIMITS).begin()
    turn_until(reactor, lambda: hasattr(server.heard, "stream") and hasattr(client.heard, "stream"))


def finish(reactor: Reactor, ends: tuple[End, End]) -> None:
    """Whoever is still there reads to the other's end, and then closes."""
    for end in ends:
        end.stream.resume_reading()
        end.stream.write_eof()
    turn_until(reactor, lambda: all(end.heard.lost or end.closed or end.heard.eof for end in ends))
    for end in ends:
        end.stream.close()
    turn_until(reactor, lambda: all(end.heard.lost for end in ends))
    reactor.turn(0)


def check(sender: End, receiver: End, *, secure: bool) -> None:
    arrived, lost = receiver.heard.data, receiver.heard.lost
    assert sender.sent.startswith(arrived)
    assert len(lost) == 1
    assert receiver.stream.get_write_buffer_size() == 0
    if sender.aborted or receiver.aborted or receiver.closed:
        return
    if lost == [None]:
        assert len(arrived) == len(sender.sent)
    else:  # only somebody who left in the middle of our words can make that of an orderly end; close_notify is a word
        assert sender.closed
        assert receiver.tried or secure
    assert receiver.heard.eof <= 1


@pytest.fixture(scope="module")
def secrets(authority: Authority) -> tuple[ServerTLS, ClientTLS]:
    return ServerTLS(authority.local()), authority.client


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("poller", available())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(steps, max_size=25))
def test_every_byte_is_accounted_for(
    secrets: tuple[ServerTLS, ClientTLS],
    poller: str,
    kind: str,
    secure: bool,
    script: list[tuple[int, tuple[str, int]]],
) -> None:
    errors: list[Exception] = []
    server, client = both = End(), End()
    with Reactor(poller, on_error=errors.append) as reactor:
        joined(reactor, kind, server, client, secrets if secure else None)
        for who, (name, size) in script:
            if name == "turn":
                reactor.turn(0)
            else:
                both[who].do(name, size)
        finish(reactor, both)
    assert errors == []
    check(server, client, secure=secure)
    check(client, server, secure=secure)
