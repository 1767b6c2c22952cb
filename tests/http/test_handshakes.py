"""TLS handshakes that fail: a peer's fault, answered as far as that is possible, and one line in the log."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.http.feed import Feed
from poise.http.log import AccessLog
from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.limits import TLSLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.certificates import ServerTLS
from tests.http.web import App, get
from tests.support.certificates import Authority
from tests.support.client import answers
from tests.support.loops import receive_all, turn_until
from tests.support.program import TRACEBACK, serving
from tests.support.secure import FarEnd

WRONG = "the TLS handshake failed: "


class House:
    """A server over TLS with a log, and what connects to it."""

    def __init__(self, authority: Authority, *, logged: bool = True) -> None:
        self.clock = ManualClock(1000.0, wall=1_800_000_000.0)
        self.errors: list[Exception] = []
        self.reactor = Reactor(clock=self.clock, on_error=self.errors.append)
        self.written: list[str] = []
        self.feed = Feed()
        self.server: HTTPServer = App(
            self.reactor,
            self.answer,
            tls_limits=TLSLimits(handshake_time=5.0),
            log=AccessLog(self.reactor, self.written.append) if logged else None,
        )
        self.tls = ServerTLS(authority.local())
        self.listener = self.server.listen(("127.0.0.1", 0), tls=self.tls)
        self.trusting = ssl.create_default_context(cafile=authority.file)
        self.sockets: list[socket.socket] = []

    def answer(self, request: Request) -> Reply:
        return Reply(200, body=self.feed if request.path == "/feed" else b"secret")

    def plain(self) -> socket.socket:
        """A connection of which the server knows."""
        before = len(self.listener.streams)
        sock = socket.create_connection(self.listener.sockname)
        sock.setblocking(False)
        self.sockets.append(sock)
        turn_until(self.reactor, lambda: len(self.listener.streams) > before)
        return sock

    def far(self, context: ssl.SSLContext | None = None) -> FarEnd:
        return FarEnd(self.plain(), context or self.trusting, "localhost")

    def rest(self, sock: socket.socket) -> bytes:
        """Everything that the server says until it ends the connection."""
        data = bytearray()

        def ended() -> bool:
            try:
                return receive_all(sock, data)
            except ConnectionResetError:
                return True

        turn_until(self.reactor, ended)
        sock.close()
        turn_until(self.reactor, lambda: not self.listener.streams)
        for _ in range(3):  # and whoever is told of it has heard it
            self.reactor.turn(0)
        return bytes(data)

    def fails(self, far: FarEnd) -> bytes:
        """Shake hands until it fails; what the server says then."""

        def failed() -> bool:
            try:
                return far.shake()
            except ssl.SSLError:
                far.push()
                return True

        turn_until(self.reactor, failed)
        return self.rest(far.sock)

    def lines(self) -> list[tuple[str, str]]:
        """What is quoted in each line of the log, and what follows it."""
        assert self.server.log is not None
        self.server.log.flush()
        found = re.findall(r'127\.0\.0\.1 - - \[[^]]*\] "([^"]*)" ([0-9]+ [0-9]+)\n', "".join(self.written))
        assert len(found) == "".join(self.written).count("\n")
        return found

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.server.close()
        turn_until(self.reactor, lambda: not self.listener.streams and not self.server.exchanges)
        self.reactor.close()


@pytest.fixture
def house(authority: Authority) -> Iterator[House]:
    made = House(authority)
    yield made
    made.close()
    assert made.errors == []


@pytest.mark.parametrize(
    "request_", [get(), get(method="HEAD", minor=0), get(method="POST") + b"x" * 100_000]
)
def test_plain_http_is_answered_in_plain_http(house: House, request_: bytes) -> None:
    sock = house.plain()
    sock.send(request_)
    (answer,) = answers(house.rest(sock))
    assert (answer.status, answer.fields["connection"], answer.whole) == (400, "close", True)
    assert b"This port speaks HTTPS" in answer.body
    assert b"secret" not in answer.body
    assert house.lines() == [(f"{WRONG}plain HTTP was spoken (http request)", f"400 {len(answer.body)}")]


def test_plain_http_is_answered_without_a_log_too(authority: Authority) -> None:
    house = House(authority, logged=False)
    sock = house.plain()
    sock.send(get())
    assert b"This port speaks HTTPS" in house.rest(sock)
    house.close()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what came is no TLS (wrong version number)"),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", "a proxy was asked for, in plain HTTP (https proxy request)"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "unexpected message"),
    ],
)
def test_what_is_no_handshake(house: House, said: bytes, words: str) -> None:
    sock = house.plain()
    sock.send(said)
    assert b"HTTP/" not in house.rest(sock)
    assert house.lines() == [(WRONG + words, "400 0")]


def test_no_version_in_common(house: House) -> None:
    house.tls.context.minimum_version = ssl.TLSVersion.TLSv1_3
    house.trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    house.fails(house.far())
    words = "there is no version of TLS that both sides speak (unsupported protocol)"
    assert house.lines() == [(WRONG + words, "400 0")]


def test_no_cipher_in_common(house: House) -> None:
    house.tls.context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    house.trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    house.trusting.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    house.fails(house.far())
    words = "there is no cipher that both sides know (no shared cipher)"
    assert house.lines() == [(WRONG + words, "400 0")]


def test_a_client_that_does_not_trust_us(house: House) -> None:
    house.fails(house.far(ssl.create_default_context()))
    ((words, rest),) = house.lines()
    assert words.startswith(f"{WRONG}the other side does not trust our certificate (")
    assert rest == "400 0"


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GE"])
def test_a_client_that_leaves(house: House, said: bytes) -> None:
    sock = house.plain()
    sock.send(said)
    sock.shutdown(socket.SHUT_WR)
    house.rest(sock)
    assert house.lines() == [("the connection ended during the TLS handshake", "400 0")]


def test_a_client_that_is_cut_off(house: House) -> None:
    sock = house.plain()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    turn_until(house.reactor, lambda: not house.listener.streams)
    house.reactor.turn(0)
    assert house.lines() == [(f"{WRONG}Connection reset by peer", "400 0")]


def test_a_client_that_says_nothing(house: House) -> None:
    sock = house.plain()
    house.clock.advance(5.1)
    house.rest(sock)
    assert house.lines() == [("no TLS handshake within 5 s", "400 0")]


def test_a_server_that_stops_says_nothing_of_what_it_ends_itself(house: House) -> None:
    sock = house.plain()
    house.server.close()
    house.rest(sock)
    assert house.lines() == []


def test_the_others_are_served_meanwhile(house: House) -> None:
    sock = house.plain()
    sock.send(get())
    far = house.far().open(house.reactor)
    far.write(get())
    turn_until(house.reactor, lambda: far.read().data.endswith(b"secret"))
    sock.close()
    far.close()
    turn_until(house.reactor, lambda: not house.listener.streams)
    assert sorted(words for words, _ in house.lines()) == [
        "GET / HTTP/1.1",
        f"{WRONG}plain HTTP was spoken (http request)",
    ]


def test_a_protocol_that_cannot_be_made_is_our_fault_and_no_failed_handshake(house: House) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    real: Callable[[], Any] = house.listener.factory

    def factory() -> Any:
        layer = real()
        layer._factory = broken
        return layer

    house.listener.factory = factory
    far = house.far()
    house.fails(far)
    assert [type(error) for error in house.errors] == [ZeroDivisionError]
    house.errors.clear()
    assert house.lines() == []


def test_a_feed_over_tls(house: House) -> None:
    far = house.far().open(house.reactor)
    far.write(get("/feed"))
    turn_until(house.reactor, lambda: far.read().data.endswith(b"\r\n\r\n"))
    for _ in range(10):
        house.clock.advance(100)
        house.reactor.turn(0)
    far.data.clear()
    house.feed.write(b"at last")
    turn_until(house.reactor, lambda: far.read().data == b"7\r\nat last\r\n")
    house.feed.end()
    far.write(get())
    turn_until(house.reactor, lambda: far.read().data.endswith(b"secret"))


@pytest.mark.live
@pytest.mark.slow
def test_the_program_says_what_went_wrong_and_serves_on(authority: Authority, tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    trusting = ssl.create_default_context(cafile=authority.file)
    with serving(tmp_path, "--tls-cert", authority.local()) as served:
        assert served.url.startswith("https://127.0.0.1:")
        with socket.create_connection(("127.0.0.1", served.port), 10) as plain:
            plain.sendall(get("/a.txt"))
            said = b""
            while data := plain.recv(65536):
                said += data
            assert said.startswith(b"HTTP/1.1 400 ")
        with (
            socket.create_connection(("127.0.0.1", served.port), 10) as sock,
            trusting.wrap_socket(sock, server_hostname="localhost") as secure,
        ):
            secure.sendall(get("/a.txt", "Connection: close\r\n"))
            said = b""
            while data := secure.recv(65536):
                said += data
            assert said.endswith(b"\r\n\r\ncontent")
        served.stop()
        assert TRACEBACK not in served.stderr
        assert "plain HTTP was spoken" in served.stderr
        assert served.stderr.count("\n") == 2
