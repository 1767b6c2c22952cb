"""STARTTLS: plain text first, then TLS on the same connection, and nothing of the first counts in the second."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.errors import DeadlineExceeded, ProgramFault, TLSError, TLSTruncated
from poise.limits import TLSLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.connect import Connecting, connect
from poise.net.ending import RESET
from poise.net.framed import FramedProtocol
from poise.net.listener import Listener, listen
from poise.net.start_tls import start_tls
from poise.net.tls import TLSStream
from poise.readiness.poller import available
from poise.wire.framing import LineFramer
from tests.support.certificates import Authority
from tests.support.loops import Recorder, receive_all, turn_until


class House:
    """A server that consents to ``STARTTLS``, and what connects to it."""

    def __init__(self, reactor: Reactor, authority: Authority) -> None:
        self.reactor = reactor
        self.errors: list[Exception] = []
        reactor.on_error = self.errors.append
        self.tls = ServerTLS(authority.local())
        self.trust = authority.client
        self.plain: Any = Recorder(self.consent)  # the server's protocol in plain text
        self.secret = Recorder()  # and its other one
        self.made = 0
        self.options: dict[str, Any] = {}
        self.listener: Listener = listen(reactor, ("127.0.0.1", 0), lambda: self.plain)
        self.far: list[socket.socket] = []
        self.connecting: list[Connecting] = []

    def secure(self) -> Recorder:
        self.made += 1
        return self.secret

    def consent(self, stream: Any, data: bytes) -> None:
        if b"STARTTLS\n" in data:
            stream.write(b"go ahead\n")
            start_tls(stream, self.tls, self.secure, unread=data.partition(b"\n")[2], **self.options)

    def connect(self, tls: ClientTLS, name: str = "localhost") -> tuple[Recorder, Recorder]:
        """A client that asks for TLS and goes on with it: its two protocols."""
        secret = Recorder()

        def go_on(stream: Any, _data: bytes) -> None:
            assert plain.data == b"go ahead\n"
            start_tls(stream, tls, lambda: secret, server_name=name)

        class Asking(Recorder):
            def connection_made(self, stream: Any) -> None:
                super().connection_made(stream)
                stream.write(b"STARTTLS\n")

        plain = Asking(go_on)
        self.connecting.append(connect(self.reactor, self.listener.address, lambda: plain))
        return plain, secret

    def raw(self, words: bytes) -> socket.socket:
        """A client that says ``words`` in one piece."""
        far = socket.create_connection(self.listener.sockname)
        self.far.append(far)
        far.setblocking(False)
        far.send(words)
        return far

    def asked(self) -> socket.socket:
        """A client that has asked for TLS and heard the consent."""
        far, heard = self.raw(b"STARTTLS\n"), bytearray()
        self.until(lambda: receive_all(far, heard) or heard)
        assert heard == b"go ahead\n"
        return far

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def close(self) -> None:
        for each in self.far:
            each.close()
        for connecting in self.connecting:
            connecting.cancel()
            if connecting.stream is not None:
                connecting.stream.abort()
        self.listener.close()
        for stream in tuple(self.listener.streams):
            stream.abort()
        self.reactor.turn(0)


@pytest.fixture(params=available())
def house(request: pytest.FixtureRequest, authority: Authority) -> Iterator[House]:
    with Reactor(request.param) as reactor:
        made = House(reactor, authority)
        yield made
        made.close()


def test_a_connection_goes_on_with_tls(house: House) -> None:
    plain, secret = house.connect(house.trust)
    house.until(lambda: hasattr(secret, "stream") and hasattr(house.secret, "stream"))
    for each in (secret, house.secret):
        stream: Any = each.stream
        assert isinstance(stream, TLSStream)
        assert stream.get_extra_info("version") == "TLSv1.3"
        each.stream.write(b"nobody else hears it")
    house.until(lambda: secret.data and house.secret.data)
    assert secret.data == house.secret.data == b"nobody else hears it"
    assert house.plain.data == b"STARTTLS\n"
    assert house.secret.stream.peer == secret.stream.get_extra_info("sockname")
    secret.stream.close()
    house.until(lambda: house.secret.lost and secret.lost)
    assert house.secret.lost == secret.lost == [None]
    assert plain.lost == house.plain.lost == []
    assert house.errors == []
    assert not house.listener.streams


def test_a_paused_stream_is_read_again(house: House) -> None:
    def consent(stream: Any, data: bytes) -> None:
        stream.pause_reading()
        house.consent(stream, data)

    house.plain.on_data = consent
    _, secret = house.connect(house.trust)
    house.until(lambda: hasattr(secret, "stream") and hasattr(house.secret, "stream"))


def test_a_client_that_does_not_trust_the_certificate(house: House) -> None:
    plain, secret = house.connect(house.trust, "elsewhere.example")
    house.until(lambda: plain.lost and house.plain.lost)
    assert "certificate verify failed" in str(plain.lost[0])
    assert isinstance(house.plain.lost[0], TLSError)
    assert len(plain.lost) == len(house.plain.lost) == 1
    assert not hasattr(secret, "stream")
    assert house.made == 0
    assert house.errors == []


def test_plain_text_behind_the_request_ends_the_connection(house: House) -> None:
    """CVE-2011-0411: in one piece with the request, so that it waits in the old protocol's hands."""
    far = house.raw(b"STARTTLS\nDELETE ALL\n")
    house.until(lambda: house.plain.lost)
    assert "anybody may have put it there" in str(house.plain.lost[0])
    assert isinstance(house.plain.lost[0], TLSError)
    with pytest.raises(ConnectionResetError):
        receive_all(far, bytearray())
    assert house.made == 0
    assert house.errors == []


def test_messages_behind_the_request_end_the_connection(house: House) -> None:
    """The same in the framer of a FramedProtocol, which is asked by ``start_tls`` itself."""
    messages: list[bytes] = []
    lost: list[Exception | None] = []

    class Lines(FramedProtocol):
        def message_received(self, message: bytes) -> None:
            messages.append(message)
            if message == b"STARTTLS":
                self.stream.write(b"go ahead\n")
                start_tls(self.stream, house.tls, house.secure)

        def connection_lost(self, error: Exception | None) -> None:
            lost.append(error)

    house.plain = Lines(LineFramer())
    house.raw(b"HELLO\nSTARTTLS\nDELETE ALL\nDELETE")
    house.until(lambda: lost)
    assert messages == [b"HELLO", b"STARTTLS"]
    assert isinstance(lost[0], TLSError)

    house.plain = Lines(LineFramer())
    plain, secret = house.connect(house.trust)
    house.until(lambda: hasattr(secret, "stream") and hasattr(house.secret, "stream"))
    assert messages[2:] == [b"STARTTLS"]
    assert len(lost) == 1
    assert not plain.lost


def test_plain_text_that_the_kernel_holds_is_no_handshake(house: House) -> None:
    far = house.asked()
    far.send(b"DELETE ALL\n")
    house.until(lambda: house.plain.lost)
    assert isinstance(house.plain.lost[0], TLSError)
    assert house.plain.data == b"STARTTLS\n"
    assert house.made == 0
    assert house.errors == []


def test_a_client_that_goes_away_instead(house: House) -> None:
    house.asked().close()
    house.until(lambda: house.plain.lost)
    assert [type(each) for each in house.plain.lost] == [TLSTruncated]


def test_the_old_protocol_cannot_be_the_new_one(house: House) -> None:
    house.secret = house.plain
    plain, secret = house.connect(house.trust)
    house.until(lambda: (house.plain.lost and plain.lost) or secret.lost)
    assert [type(each) for each in house.errors] == [ProgramFault]
    assert house.plain.lost == house.errors
    assert house.plain.data == b"STARTTLS\n"


def test_a_handshake_that_takes_too_long(authority: Authority) -> None:
    clock = ManualClock()
    with Reactor(clock=clock) as reactor:
        house = House(reactor, authority)
        house.options["limits"] = TLSLimits(handshake_time=5.0)
        house.asked()
        clock.advance(5.1)
        house.until(lambda: house.plain.lost)
        assert [type(each) for each in house.plain.lost] == [DeadlineExceeded]
        house.close()


def test_misuse_is_told_at_once_and_changes_nothing(house: House) -> None:
    house.connecting.append(connect(house.reactor, house.listener.address, lambda: client))
    client = Recorder()
    house.until(lambda: hasattr(client, "stream"))
    stream: Any = client.stream
    for tls, factory, options, error, words in (
        (house.trust, Recorder(), {}, TypeError, "a factory makes a protocol"),
        ("cert.pem", Recorder, {}, TypeError, "needs a ServerTLS or a ClientTLS, not 'cert.pem'"),
        (house.tls, Recorder, {"server_name": "localhost"}, ValueError, "for the other side"),
        (house.trust, Recorder, {}, ValueError, "a server name is needed"),
    ):
        with pytest.raises(error, match=words):
            start_tls(stream, tls, factory, **options)  # type: ignore[arg-type]
    assert stream.get_protocol() is client


def test_a_peer_that_leaves_before_the_consent_is_nobodys_fault(house: House) -> None:
    def consent(stream: Any, data: bytes) -> None:
        (far,) = house.far
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        far.close()
        stream.write(b"go ahead\n" * 2)
        house.consent(stream, data)

    house.plain.on_data = consent
    house.raw(b"STARTTLS\n")
    house.until(lambda: house.plain.lost)
    assert isinstance(house.plain.lost[0], ConnectionError)
    assert house.errors == []
    assert house.made == 0


def test_a_stream_that_closes_goes_on_closing(house: House) -> None:
    def consent(stream: Any, data: bytes) -> None:
        stream.close()
        house.consent(stream, data)

    house.plain.on_data = consent
    house.raw(b"STARTTLS\n")
    house.until(lambda: house.plain.lost)
    assert house.plain.lost == [None]
    assert house.made == len(house.reactor.deadlines) == 0


def test_tls_does_not_start_inside_tls(house: House) -> None:
    _, secret = house.connect(house.trust)
    house.until(lambda: hasattr(secret, "stream"))
    with pytest.raises(TypeError, match="on a plain Stream"):
        start_tls(secret.stream, house.trust, Recorder, server_name="localhost")
