"""A listener tells of each TLS handshake that fails, and may have a last word in plain."""

from __future__ import annotations

import socket

from poise.errors import TLSError, TLSTruncated
from poise.loop.reactor import Reactor
from poise.net.certificates import ServerTLS
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from tests.support.certificates import Authority
from tests.support.loops import receive_all, turn_until


def test_who_failed_and_why(authority: Authority) -> None:
    told: list[tuple[object, Exception]] = []

    def failed(stream: Stream, error: Exception) -> None:
        told.append((stream.peer, error))
        stream.write(b"TLS, please\n")

    errors: list[Exception] = []
    with Reactor(on_error=errors.append) as reactor:
        listener = listen(reactor, ("127.0.0.1", 0), Protocol, tls=ServerTLS(authority.local()))
        for hears in (False, True):  # by default nobody is told
            if hears:
                listener.on_handshake_failed = failed
            for said in (b"hello, is anybody there?", b""):
                with socket.create_connection(listener.sockname) as sock:
                    name = sock.getsockname()
                    sock.sendall(said)
                    sock.shutdown(socket.SHUT_WR)
                    sock.setblocking(False)
                    data = bytearray()
                    turn_until(reactor, lambda s=sock, d=data: receive_all(s, d))  # type: ignore[misc]
                    assert bytes(data) == (b"TLS, please\n" if hears else b"")
                turn_until(reactor, lambda: not listener.streams)
                assert not told or told[-1][0] == name
        listener.close()
    assert [type(error) for _, error in told] == [TLSError, TLSTruncated]
    assert errors == []


def test_a_hook_that_raises_ends_only_its_connection(authority: Authority) -> None:
    def failed(stream: Stream, error: Exception) -> None:
        raise ZeroDivisionError

    errors: list[Exception] = []
    with Reactor(on_error=errors.append) as reactor:
        listener = listen(reactor, ("127.0.0.1", 0), Protocol, tls=ServerTLS(authority.local()))
        listener.on_handshake_failed = failed
        for _ in range(2):
            with socket.create_connection(listener.sockname) as sock:
                sock.sendall(b"hello, is anybody there?")
                turn_until(reactor, lambda: listener.streams)
                turn_until(reactor, lambda: not listener.streams)
        listener.close()
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2
