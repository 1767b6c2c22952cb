"""TLS between two streams, and against far ends that misbehave, on every poller, over TCP and unix sockets."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poise.errors import DeadlineExceeded, ProgramFault, TLSError, TLSTruncated
from poise.limits import StreamLimits, TLSLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import tls as room
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.connect import Connecting, connect
from poise.net.listener import Listener, listen
from poise.net.outgoing import Truncated
from poise.net.protocol import BufferedProtocol
from poise.net.stream import Stream
from poise.net.tls import TLSStream
from poise.net.tls_engine import Engine
from poise.net.tls_output import Phase
from poise.readiness.poller import available
from tests.support.certificates import Authority
from tests.support.loops import Recorder, receive_all, turn_until
from tests.support.secure import FarEnd

MIB = 1 << 20


class House:
    """A TLS listener on a reactor and what connects to it."""

    def __init__(self, reactor: Reactor, authority: Authority, where: tuple[str, int] | str) -> None:
        self.reactor = reactor
        self.authority = authority
        self.where = where
        self.errors: list[Exception] = []
        self.failures: list[Exception] = []
        self.server = ServerTLS(authority.local())
        self.listener: Listener | None = None
        self._open: list[Any] = []
        self._connecting: list[Connecting] = []
        reactor.on_error = self.errors.append

    def serve(self, factory: Callable[[], Any], *, handshake_time: float = 20.0, **limits: Any) -> Listener:
        self.listener = listen(
            self.reactor,
            self.where,
            factory,
            tls=self.server,
            tls_limits=TLSLimits(handshake_time=handshake_time),
            stream_limits=StreamLimits(**limits),
        )
        return self.listener

    def connect(
        self,
        factory: Callable[[], Any],
        *,
        tls: ClientTLS | None = None,
        name: str = "localhost",
        **limits: Any,
    ) -> Connecting:
        assert self.listener is not None
        connecting = connect(
            self.reactor,
            self.listener.address,
            factory,
            tls=tls or self.authority.client,
            server_name=name,
            on_failure=self.failures.append,
            stream_limits=StreamLimits(**limits),
        )
        self._connecting.append(connecting)
        return connecting

    def pair(self, server: Recorder, client: Recorder, **limits: Any) -> tuple[TLSStream, TLSStream]:
        """The server's stream and the client's, both open."""
        self.serve(lambda: server, **limits)
        self.connect(lambda: client, **limits)
        self.until(lambda: hasattr(server, "stream") and hasattr(client, "stream"))
        return of(server), of(client)

    def plain(self) -> socket.socket:
        """A plain connection to the listener."""
        assert self.listener is not None
        if isinstance(self.where, str):
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.listener.sockname)
        else:
            far = socket.create_connection(self.listener.sockname)
        self._open.append(far)
        far.setblocking(False)
        return far

    def far(self, **versions: Any) -> FarEnd:
        """A client of the standard library, before its handshake."""
        context = ssl.create_default_context(cafile=self.authority.file)
        for name, value in versions.items():
            setattr(context, name, value)
        return FarEnd(self.plain(), context, "localhost")

    def until(self, condition: Callable[[], object]) -> None:
        turn_until(self.reactor, condition)

    def close(self) -> None:
        for each in self._open:
            each.close()
        for connecting in self._connecting:
            connecting.cancel()
            if connecting.stream is not None:
                connecting.stream.abort()
        if self.listener is not None:
            self.listener.close()
            for stream in tuple(self.listener.streams):
                stream.abort()
        self.reactor.turn(0)


def of(recorder: Recorder) -> TLSStream:
    stream: Any = recorder.stream
    assert isinstance(stream, TLSStream)
    return stream


def lost(*recorders: Recorder) -> Callable[[], bool]:
    return lambda: all(each.lost for each in recorders)


@pytest.fixture(
    params=[(name, kind) for name in available() for kind in ("tcp", "unix")],
    ids=[f"{name}-{kind}" for name in available() for kind in ("tcp", "unix")],
)
def house(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> Iterator[House]:
    name, kind = request.param
    with Reactor(name) as reactor:
        made = House(reactor, authority, ("127.0.0.1", 0) if kind == "tcp" else f"unix:{tmp_path / 's'}")
        yield made
        made.close()


@pytest.fixture
def tcp(authority: Authority) -> Iterator[House]:
    with Reactor() as reactor:
        made = House(reactor, authority, ("127.0.0.1", 0))
        yield made
        made.close()


# -- bytes both ways ---------------------------------------------------------------------------------


def test_large_data_goes_both_ways_at_once(house: House) -> None:
    up, down = os.urandom(3 * MIB), os.urandom(3 * MIB)
    server, client = Recorder(), Recorder()
    served, asked = house.pair(server, client)
    served.write(down)
    asked.write(up)
    house.until(lambda: len(server.data) == len(up) and len(client.data) == len(down))
    assert server.data == up
    assert client.data == down
    asked.close()
    house.until(lost(server, client))
    assert (server.lost, client.lost) == ([None], [None])
    assert served.get_write_buffer_size() == asked.get_write_buffer_size() == 0
    assert house.errors == house.failures == []


def test_answers_from_inside_data_received(house: House) -> None:
    server, client = Recorder(lambda stream, data: stream.write(data.upper())), Recorder()
    _, asked = house.pair(server, client)
    for word in (b"one", b"two"):
        asked.write(word)
    house.until(lambda: client.data == b"ONETWO")


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: memoryview(data).cast("H")])
def test_every_kind_of_buffer_can_be_written(tcp: House, kind: Callable[[bytes], Any]) -> None:
    server, client = Recorder(), Recorder()
    _, asked = tcp.pair(server, client)
    asked.write(b"")
    asked.write(kind(b"x" * 50_000))
    asked.writelines([b"a", b"b"])
    tcp.until(lambda: len(server.data) == 50_002)
    assert server.data == b"x" * 50_000 + b"ab"


def test_a_buffered_protocol_gets_every_byte(house: House) -> None:
    class Counted(BufferedProtocol):
        data = b""
        buffer = bytearray(1000)

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.data += self.buffer[:nbytes]

    server, client = Counted(), Recorder()
    house.serve(lambda: server)
    house.connect(lambda: client)
    house.until(lambda: hasattr(client, "stream"))
    sent = os.urandom(100_000)
    client.stream.write(sent)
    client.stream.close()
    house.until(lambda: client.lost)
    assert server.data == sent


def test_what_is_known_about_a_connection(tcp: House, authority: Authority) -> None:
    tcp.server = ServerTLS(authority.local(), alpn=["http/1.1"])
    server, client = Recorder(), Recorder()
    tcp.serve(lambda: server)
    connecting = tcp.connect(lambda: client, tls=ClientTLS(authorities=authority.file, alpn=["http/1.1"]))
    assert connecting.stream is None
    tcp.until(lambda: hasattr(server, "stream") and hasattr(client, "stream"))
    stream = of(client)
    assert connecting.stream is stream
    assert stream.get_extra_info("version") == "TLSv1.3"
    assert stream.get_extra_info("alpn") == of(server).get_extra_info("alpn") == "http/1.1"
    assert stream.get_extra_info("cipher")[1] == "TLSv1.3"
    assert stream.get_extra_info("compression", "none") == "none"
    assert isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject)
    assert stream.get_extra_info("sslcontext").verify_mode == ssl.CERT_REQUIRED
    assert ("DNS", "localhost") in stream.get_extra_info("peercert")["subjectAltName"]
    assert of(server).get_extra_info("peercert", "nobody") == "nobody"
    assert stream.get_extra_info("peername") == tcp.listener.sockname
    assert stream.get_extra_info("fd") >= 0
    assert stream.get_extra_info("weather", "fine") == "fine"
    assert of(server).client == "127.0.0.1"
    assert stream.can_write_eof()
    assert stream.get_protocol() is client
    assert repr(stream).startswith("<TLSStream OPEN over <Stream fd=")
    stream.close()
    tcp.until(lost(client))
    assert stream.get_extra_info("cipher", "gone") == "gone"
    assert "CLOSED" in repr(stream)
    assert repr(TLSStream(tcp.server.context, Recorder, server_side=True)) == "<TLSStream>"


def test_another_protocol_takes_over(tcp: House) -> None:
    first, second = Recorder(), Recorder()
    served, asked = tcp.pair(first, Recorder())
    asked.write(b"one")
    tcp.until(lambda: first.data == b"one")
    served.set_protocol(second)
    asked.write(b"two")
    tcp.until(lambda: second.data == b"two")
    asked.close()
    tcp.until(lambda: second.lost)
    assert first.lost == []


# -- the end -----------------------------------------------------------------------------------------


def test_half_close_lets_the_other_way_go_on(house: House) -> None:
    server, client = Recorder(keep_open=True), Recorder(keep_open=True)
    served, asked = house.pair(server, client)
    asked.write(b"question")
    asked.write_eof()
    asked.write_eof()
    house.until(lambda: server.eof)
    assert server.data == b"question"
    answer = os.urandom(2 * MIB)
    served.write(answer)
    served.write_eof()
    house.until(lambda: client.eof)
    assert client.data == answer
    assert (server.eof, client.eof) == (1, 1)
    assert not served.is_reading()
    served.resume_reading()
    served.pause_reading()
    served.resume_reading()  # there is no more, and no second end
    served.close()
    asked.close()
    house.until(lost(server, client))
    assert (server.eof, server.lost, client.lost) == (1, [None], [None])


def test_ending_ones_own_side_keeps_what_has_come_already(house: House) -> None:
    """The library's own shutdown would read, and fail for good at the first record."""
    server = Recorder()

    def end_at_first(stream: Stream, data: bytes) -> None:
        if len(server.data) == len(data):
            stream.write(b"enough")
            stream.write_eof()

    server.on_data = end_at_first
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    for number in range(8):
        far.tls.write(bytes([number]) * 1000)
    far.push()  # eight records in one packet
    house.until(lambda: len(server.data) == 8000)
    house.until(lambda: far.read().ended)
    assert far.data == b"enough"
    assert server.lost == []
    far.write(b"more")
    far.say_goodbye()
    house.until(lost(server))
    assert server.data[8000:] == b"more"
    assert server.lost == [None]


def test_an_end_in_the_middle_of_a_record_goes_on_where_it_was(house: House) -> None:
    server, client = Recorder(), Recorder()
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    house.until(lambda: hasattr(server, "stream"))
    far.tls.write(b"x" * 5000)
    record = far.cipher_text()
    far.sock.send(record[:3000])
    stream = of(server)
    house.until(lambda: stream._engine.tls.pending() == 0 and not stream.has_unread_input())
    stream.write_eof()
    far.sock.send(record[3000:])
    house.until(lambda: len(server.data) == 5000)
    assert client.lost == []


@pytest.mark.parametrize("by", ["server", "client"])
def test_a_clean_end_is_no_error(house: House, by: str) -> None:
    server, client = Recorder(), Recorder()
    streams = dict(zip(("server", "client"), house.pair(server, client), strict=True))
    streams[by].write(b"last words")
    streams[by].close()
    streams[by].close()
    assert streams[by].is_closing()
    house.until(lost(server, client))
    assert (server.lost, client.lost) == ([None], [None])
    assert (server.data or client.data) == b"last words"


def test_an_end_without_close_notify_is_told_apart(house: House) -> None:
    server = Recorder()
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    far.write(b"to be cont")
    far.sock.shutdown(socket.SHUT_WR)
    house.until(lost(server))
    assert server.data == b"to be cont"
    assert server.eof == 0
    assert [type(error) for error in server.lost] == [TLSTruncated]


def test_a_reset_is_told_as_what_it_is(tcp: House) -> None:
    server, client = Recorder(), Recorder()
    _, asked = tcp.pair(server, client)
    asked.abort()
    asked.abort()
    assert asked.is_closing()
    asked.write(b"dropped")
    tcp.until(lost(server, client))
    assert client.lost == [None]
    assert [type(error) for error in server.lost] == [ConnectionResetError]
    assert server.data == b""


def test_nothing_is_heard_after_abort(house: House) -> None:
    server = Recorder(lambda stream, data: stream.abort())
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    far.tls.write(b"one")
    far.tls.write(b"two")
    far.push()
    house.until(lost(server))
    assert server.data == b"one"


def test_what_is_written_after_close_is_dropped_and_after_the_end_a_fault(tcp: House) -> None:
    server, client = Recorder(), Recorder()
    _, asked = tcp.pair(server, client)
    asked.write_eof()
    with pytest.raises(ProgramFault, match="write_eof"):
        asked.write(b"x")
    with pytest.raises(ProgramFault, match="write_eof"):
        asked.sendfile(os.dup(0), 0, 1)
    asked.close()
    asked.write(b"x")
    asked.sendfile(os.dup(0), 0, 1)
    asked.write_eof()
    tcp.until(lost(server, client))
    asked.write(b"x")
    asked.resume_reading()
    assert server.data == b""


@pytest.mark.pitfall(18)
def test_a_clients_last_words_survive_the_servers_tickets(house: House) -> None:
    """TLS 1.3 servers send tickets after the handshake; a closed socket would answer them with a reset."""
    sent = os.urandom(4 * MIB)

    class Hasty(Recorder):
        def connection_made(self, stream: Stream) -> None:
            stream.write(sent)
            stream.close()

    server, client = Recorder(), Hasty()
    house.serve(lambda: server)
    house.connect(lambda: client)
    house.until(lost(server, client))
    assert len(server.data) == len(sent)
    assert (server.lost, client.lost) == ([None], [None])


@pytest.mark.pitfall(18)
def test_a_clients_last_words_survive_tickets_that_come_late(authority: Authority) -> None:
    """The same with little data and a server that takes it slowly: only lingering keeps the socket for the tickets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.local())
    sent = os.urandom(50_000)

    class Hasty(Recorder):
        def connection_made(self, stream: Stream) -> None:
            stream.write(sent)
            stream.close()
            self.stream = stream

    with Reactor() as reactor, socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        client = Hasty()
        connecting = connect(
            reactor, server.getsockname(), lambda: client, tls=authority.client, server_name="localhost"
        )
        turn_until(reactor, lambda: connecting._carrier)
        far = FarEnd(server.accept()[0], context, server_side=True)
        while not hasattr(client, "stream"):
            far.shake()
            reactor.turn(0.02)
        for _ in range(
            3
        ):  # the client has closed: now its end of the handshake is read, and the tickets are sent
            reactor.turn(0)
        turn_until(reactor, far.shake)
        for _ in range(3):
            reactor.turn(0)
        turn_until(reactor, lambda: far.read().ended)
        assert far.data == sent
        far.close()
        turn_until(reactor, lambda: client.lost)


def test_a_client_does_not_wait_for_ever_for_the_servers_end(authority: Authority) -> None:
    clock = ManualClock()
    with Reactor(clock=clock) as reactor, socket.create_server(("127.0.0.1", 0)) as server:
        client = Recorder()
        connecting = connect(
            reactor, server.getsockname(), lambda: client, tls=authority.client, server_name="localhost"
        )
        reactor.turn(1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.local())
        far = FarEnd(server.accept()[0], context, server_side=True)
        turn_until(reactor, lambda: far.shake() and hasattr(client, "stream"))
        assert connecting.stream is not None
        connecting.stream.close()
        turn_until(reactor, lambda: far.read().cut)
        assert far.ended
        assert client.lost == []
        turn_until(reactor, lambda: clock.advance(1.0) or client.lost)  # type: ignore[func-returns-value]
        assert client.lost == [None]
        far.close()


# -- the handshake -----------------------------------------------------------------------------------


def test_a_handshake_may_come_byte_by_byte(house: House) -> None:
    server = Recorder()
    house.serve(lambda: server)
    far = house.far()
    done = False
    while not done:
        far.pull()
        try:
            far.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        for byte in far.cipher_text():
            far.sock.send(bytes([byte]))
            house.reactor.turn(0.02)
    far.tls.write(b"hello")
    for byte in far.cipher_text():
        far.sock.send(bytes([byte]))
        house.reactor.turn(0.02)
    house.until(lambda: server.data == b"hello")


def test_a_handshake_that_takes_too_long_ends(authority: Authority) -> None:
    clock = ManualClock()
    with Reactor(clock=clock) as reactor:
        house = House(reactor, authority, ("127.0.0.1", 0))
        listener = house.serve(Recorder, handshake_time=5.0)
        far = house.plain()
        house.until(lambda: listener.streams)
        far.send(b"\x16\x03\x01")
        clock.advance(4.9)
        reactor.turn(0)
        (stream,) = listener.streams
        assert not stream.is_closing()
        clock.advance(0.2)
        house.until(lambda: receive_all(far, bytearray()))
        far.close()
        house.until(lambda: not listener.streams)
        house.close()


def test_a_client_hears_that_the_server_never_answers(authority: Authority) -> None:
    clock = ManualClock()
    failures: list[Exception] = []
    with Reactor(clock=clock) as reactor, socket.create_server(("127.0.0.1", 0)) as server:
        stream = connect(
            reactor,
            server.getsockname(),
            Recorder,
            tls=authority.client,
            timeout=60.0,
            on_failure=failures.append,
        )
        turn_until(reactor, lambda: stream._carrier)
        clock.advance(21.0)  # the handshake's own limit comes before
        turn_until(reactor, lambda: failures)
        assert isinstance(failures[0], DeadlineExceeded)
        assert "TLS handshake" in str(failures[0])
        far, _ = server.accept()
        far.close()
        turn_until(reactor, lambda: len(reactor.poller) == 1)
        clock.advance(100.0)
        reactor.turn(0)
    assert len(failures) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        bytes(range(256)) * 20,
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x80\x2e\x01",
    ],
    ids=["http", "noise", "alert", "ssl2"],
)
def test_what_is_no_handshake_is_turned_away(house: House, said: bytes) -> None:
    made: list[Recorder] = []
    listener = house.serve(lambda: made.append(Recorder()) or made[-1])  # type: ignore[func-returns-value]
    far = house.plain()
    far.send(said)
    far.shutdown(socket.SHUT_WR)
    house.until(lambda: receive_all(far, bytearray()))
    house.until(lambda: not listener.streams)
    assert made == []
    assert house.errors == []


def test_an_older_version_is_refused(tcp: House) -> None:
    listener = tcp.serve(Recorder)
    context = ssl.create_default_context(cafile=tcp.authority.file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    far = FarEnd(tcp.plain(), context, "localhost")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version|alert"):
        far.open(tcp.reactor)
    far.close()
    tcp.until(lambda: not listener.streams)


def test_version_1_2_is_spoken(house: House) -> None:
    server = Recorder(lambda stream, data: stream.write(data))
    house.serve(lambda: server)
    far = house.far(maximum_version=ssl.TLSVersion.TLSv1_2).open(house.reactor)
    far.write(b"ping")
    house.until(lambda: far.read().data == b"ping")
    assert of(server).get_extra_info("version") == "TLSv1.2"
    far.say_goodbye()
    house.until(lost(server))
    assert server.lost == [None]


@pytest.mark.parametrize("trust", ["name", "authority"])
def test_a_client_refuses_whom_it_cannot_trust(house: House, trust: str) -> None:
    """And the server learns why before the connection ends."""
    told: list[bytes] = []
    listener = house.serve(Recorder)
    real = TLSStream.data_received

    def spy(self: TLSStream, data: bytes) -> None:
        if self._phase == Phase.HANDSHAKE and not self._is_client:
            told.append(data)
        real(self, data)

    client = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TLSStream, "data_received", spy)
        if trust == "name":
            connecting = house.connect(lambda: client, name="other.example")
        else:
            connecting = house.connect(lambda: client, tls=ClientTLS())
        house.until(lambda: house.failures and not listener.streams)
        house.until(lambda: len(house.reactor.poller) == 2)
    assert [type(error) for error in house.failures] == [TLSError]
    assert re.search("(?i)mismatch|unable to get local issuer|self-signed", str(house.failures[0]))
    assert b"\x15\x03\x03\x00\x02\x02" in b"".join(told)  # a fatal alert (RFC 8446, 6.2)
    assert not hasattr(client, "stream")
    assert connecting.stream is None


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_that_leaves_in_the_handshake(authority: Authority, reset: bool) -> None:
    failures: list[Exception] = []
    with Reactor() as reactor, socket.create_server(("127.0.0.1", 0)) as server:
        connecting = connect(
            reactor, server.getsockname(), Recorder, tls=authority.client, on_failure=failures.append
        )
        turn_until(reactor, lambda: connecting._carrier)
        far, _ = server.accept()
        assert far.recv(1)
        if not reset:
            while len(far.recv(65536)) == 65536:
                pass
        far.close()
        turn_until(reactor, lambda: failures)
        turn_until(reactor, lambda: len(reactor.poller) == 1)
    assert [type(error) for error in failures] == [ConnectionResetError if reset else TLSTruncated]


def test_a_stream_that_is_closed_under_its_handshake(tcp: House) -> None:
    """A server that goes down closes every stream of its listener, whatever they are at."""
    listener = tcp.serve(Recorder)
    tcp.connect(Recorder)
    tcp.until(lambda: listener.streams)
    (stream,) = listener.streams
    above = stream.get_protocol()
    assert isinstance(above, TLSStream)
    above.close()
    tcp.until(lambda: tcp.failures)
    assert isinstance(tcp.failures[0], TLSError | ConnectionError)
    assert tcp.errors == []


def test_a_handshake_that_was_closed_from_below_is_told(tcp: House, authority: Authority) -> None:
    tcp.serve(Recorder)
    connecting = tcp.connect(Recorder)
    tcp.until(lambda: connecting._carrier)
    assert connecting._carrier is not None
    connecting._carrier.close()
    tcp.until(lambda: tcp.failures)
    assert [str(error) for error in tcp.failures] == ["the connection was closed during the TLS handshake"]


def test_new_certificates_for_new_connections(house: House, authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    shutil.copy(authority.local(), file)
    house.server = ServerTLS(str(file))
    servers: list[Recorder] = []

    def factory() -> Recorder:
        servers.append(Recorder(lambda stream, data: stream.write(data)))
        return servers[-1]

    house.serve(factory)
    old, new = Recorder(), Recorder()
    house.connect(lambda: old)
    house.until(lambda: hasattr(old, "stream"))
    shutil.copy(authority.issue("new.example"), file)
    house.server.reload()
    house.connect(lambda: new, name="new.example")
    house.until(lambda: hasattr(new, "stream"))
    old.stream.write(b"still here")
    house.until(lambda: old.data == b"still here")
    old.stream.close()
    new.stream.close()
    house.until(lost(old, new, *servers))


# -- what hides ----------------------------------------------------------------------------------------


@pytest.mark.pitfall(23)
@pytest.mark.parametrize("size", [10, 1000, 16384])
def test_hidden_records_never_stall(house: House, size: int) -> None:
    """1 MiB in records, a read budget of 16 KiB and no word from the kernel in between."""
    server = Recorder()
    house.serve(lambda: server, read_size=16 * 1024)
    far = house.far().open(house.reactor)
    house.until(lambda: hasattr(server, "stream"))
    total = MIB if size > 10 else 20_000
    sent = os.urandom(total)
    for start in range(0, total, size):
        far.tls.write(sent[start : start + size])
    house.until(lambda: far.push() and len(server.data) == total)
    assert server.data == sent
    assert server.lost == []


@pytest.mark.pitfall(23)
@pytest.mark.pitfall(51)
def test_what_hides_waits_while_reading_is_paused(house: House) -> None:
    server = Recorder()
    server.on_data = lambda stream, data: stream.pause_reading()
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    house.until(lambda: hasattr(server, "stream"))
    for number in range(10):
        far.tls.write(bytes([number]) * 100)
    far.say_goodbye()
    far.sock.shutdown(socket.SHUT_WR)
    for heard in range(1, 11):
        house.until(lambda heard=heard: len(server.pieces) == heard)  # type: ignore[misc]
        for _ in range(3):
            house.reactor.turn(0)
        assert len(server.pieces) == heard
        assert not server.stream.is_reading()
        server.stream.resume_reading()
        server.stream.resume_reading()
    assert server.data == b"".join(bytes([number]) * 100 for number in range(10))
    house.until(lost(server))
    assert (server.eof, server.lost) == (1, [None])


def test_a_paused_reader_hears_of_the_end_when_it_reads_again(house: House) -> None:
    server = Recorder()
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    house.until(lambda: hasattr(server, "stream"))
    server.stream.pause_reading()
    far.write(b"last")
    far.sock.shutdown(socket.SHUT_WR)
    for _ in range(5):
        house.reactor.turn(0)
    assert server.data == b""
    assert server.lost == []
    server.stream.resume_reading()
    house.until(lost(server))
    assert server.data == b"last"
    assert isinstance(server.lost[0], TLSTruncated)


def test_single_bytes_do_not_get_a_longer_turn(tcp: House) -> None:
    server = Recorder()
    tcp.serve(lambda: server)
    far = tcp.far().open(tcp.reactor)
    tcp.until(lambda: hasattr(server, "stream"))
    for _ in range(2000):
        far.tls.write(b"x")
    assert far.push()
    most = 0
    while len(server.data) < 2000:
        before = len(server.data)
        tcp.reactor.turn(1)
        most = max(most, len(server.data) - before)
    assert most <= 64 * 1024 // room.RECORD_COST


def test_input_is_not_collected_while_the_rest_is_sent(tcp: House, tmp_path: Path) -> None:
    """A peer that only sends must not fill the memory of a server that has closed and waits for it to read."""
    server = Recorder()
    file = tmp_path / "file"
    file.write_bytes(bytes(8 * MIB))
    tcp.serve(lambda: server)
    far = tcp.far().open(tcp.reactor)
    tcp.until(lambda: hasattr(server, "stream"))
    stream = of(server)
    stream.sendfile(os.open(file, os.O_RDONLY), 0, 8 * MIB)
    stream.close()
    for _ in range(200):
        if far.push():
            far.write(bytes(65536))
        tcp.reactor.turn(0)
    assert len(stream._engine._input) <= 64 * 1024
    assert server.data == b""
    far.close()
    tcp.until(lost(server))


# -- backpressure --------------------------------------------------------------------------------------


def test_a_slow_reader_pauses_the_writer(house: House) -> None:
    server, client = Recorder(), Recorder()
    served, asked = house.pair(server, client)
    asked.pause_reading()
    sent = 0
    while not server.pauses:
        served.write(bytes(65536))
        sent += 65536
        house.reactor.turn(0)
    assert served.is_paused_writing()
    assert served.get_write_buffer_size() > served.limits.high_water
    assert served.outgoing is not None
    for _ in range(5):
        house.reactor.turn(0)
    assert server.pauses == ["pause"]
    asked.resume_reading()
    house.until(lambda: len(client.data) == sent)
    assert server.pauses == ["pause", "resume"]
    assert served.get_write_buffer_size() == 0
    assert served.outgoing is None


def test_the_marks_can_be_moved(tcp: House) -> None:
    server, client = Recorder(), Recorder()
    served, asked = tcp.pair(server, client)
    served.set_write_buffer_limits(high=0)
    assert served.get_write_buffer_limits() == (0, 0)
    asked.pause_reading()
    total = 0
    while not server.pauses:
        served.write(bytes(10_000))
        total += 10_000
    assert served.get_write_buffer_size() <= 11_000
    asked.resume_reading()
    tcp.until(lambda: server.pauses == ["pause", "resume"])
    tcp.until(lambda: len(client.data) == total)


def test_a_protocol_that_writes_when_it_may_go_on(house: House) -> None:
    total = 3 * MIB

    class Writer(Recorder):
        left = total

        def connection_made(self, stream: Stream) -> None:
            super().connection_made(stream)
            self.go_on()

        def go_on(self) -> None:
            while self.left and not self.stream.is_paused_writing():
                self.stream.write(bytes(32768))
                self.left -= 32768
            if not self.left:
                self.stream.close()

        def resume_writing(self) -> None:
            super().resume_writing()
            self.go_on()

    server, client = Writer(), Recorder()
    house.serve(lambda: server)
    house.connect(lambda: client)
    house.until(lambda: hasattr(client, "stream"))
    house.until(lost(server, client))
    assert len(client.data) == total


def test_a_peer_that_takes_nothing_is_given_up(authority: Authority) -> None:
    clock = ManualClock()
    with Reactor(clock=clock) as reactor:
        house = House(reactor, authority, ("127.0.0.1", 0))
        server, client = Recorder(), Recorder()
        served, asked = house.pair(server, client)
        asked.pause_reading()
        served.write(bytes(16 * MIB))
        served.close()
        house.until(lambda: clock.advance(5.0) or server.lost)  # type: ignore[func-returns-value]
        assert isinstance(server.lost[0], DeadlineExceeded)
        assert served.unsent > 0
        asked.resume_reading()
        house.until(lost(client))
        house.close()


# -- files ---------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> tuple[Path, bytes]:
    content = os.urandom(3 * MIB + 123)
    (tmp_path / "file").write_bytes(content)
    return tmp_path / "file", content


def test_a_file_arrives_as_it_is(house: House, file: tuple[Path, bytes]) -> None:
    path, content = file
    server, client = Recorder(), Recorder()
    served, _ = house.pair(server, client)
    served.write(b"<")
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    served.write(b"|")
    served.sendfile(os.open(path, os.O_RDONLY), 5, 10)
    served.sendfile(os.open(path, os.O_RDONLY), 0, 0)
    served.write(memoryview(b">"))
    assert server.pauses == ["pause"]
    served.close()
    house.until(lost(server, client))
    assert client.data == b"<" + content + b"|" + content[5:15] + b">"
    assert (server.lost, client.lost) == ([None], [None])
    assert served.get_write_buffer_size() == served.unsent == 0


def test_a_file_and_then_the_end_of_one_direction(house: House, file: tuple[Path, bytes]) -> None:
    path, content = file
    server, client = Recorder(keep_open=True), Recorder(keep_open=True)
    served, asked = house.pair(server, client)
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    served.write_eof()
    with pytest.raises(ProgramFault):
        served.write(b"x")
    house.until(lambda: client.eof)
    assert client.data == content
    assert server.pauses == ["pause", "resume"]
    asked.write(b"thanks")
    asked.write_eof()
    house.until(lambda: server.eof)
    assert server.data == b"thanks"


@pytest.mark.parametrize("closing", [False, True])
def test_a_file_that_shrinks_ends_the_connection_without_close_notify(
    house: House, file: tuple[Path, bytes], closing: bool
) -> None:
    path, content = file
    server, client = Recorder(), Recorder()
    served, _ = house.pair(server, client)
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    if closing:
        served.close()
    os.truncate(path, 100_000)
    house.until(lost(server, client))
    assert [type(error) for error in server.lost] == [Truncated]
    assert [type(error) for error in client.lost] == [TLSTruncated]
    assert len(client.data) < len(content)
    assert served.unsent == 0 or served.unsent <= len(content)


@pytest.mark.parametrize("how", ["abort", "reset"])
def test_a_file_that_is_given_up_is_closed(tcp: House, file: tuple[Path, bytes], how: str) -> None:
    path, content = file
    server, client = Recorder(), Recorder()
    served, asked = tcp.pair(server, client)
    asked.pause_reading()
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    (served if how == "abort" else asked).abort()
    tcp.until(lost(server))
    assert served.unsent > 0


def test_a_large_file_gives_the_others_their_turn(tcp: House, file: tuple[Path, bytes]) -> None:
    """The peer takes as fast as we give: one write budget a turn all the same."""
    path, content = file
    server, client = Recorder(), Recorder()
    served, asked = tcp.pair(server, client, write_size=65536, high_water=64 * MIB, low_water=0)
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    assert served.get_write_buffer_size() >= 2 * len(content) - 2 * 65536
    asked.close()
    tcp.until(lost(server, client))


def test_a_protocol_that_aborts_when_it_is_asked_to_pause(tcp: House, file: tuple[Path, bytes]) -> None:
    path, content = file

    class Impatient(Recorder):
        def pause_writing(self) -> None:
            super().pause_writing()
            self.stream.abort()

    server, client = Impatient(), Recorder()
    served, _ = tcp.pair(server, client)
    with open(path, "rb") as opened:
        served.sendfile(os.dup(opened.fileno()), 0, len(content))
    tcp.until(lost(server, client))
    assert server.pauses == ["pause"]
    assert tcp.errors == []


# -- faults of the protocol ----------------------------------------------------------------------------


class Faulty(Recorder):
    """Raises in one of its callbacks. The error is one that the TLS room itself listens for."""

    def __init__(self, where: str, error: type[Exception]) -> None:
        super().__init__()
        self.where = where
        self.error = error

    def _raise(self, where: str) -> None:
        if where == self.where:
            raise self.error(where)

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        self._raise("connection_made")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._raise("data_received")

    def eof_received(self) -> bool:
        self._raise("eof_received")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._raise("connection_lost")


@pytest.mark.parametrize("error", [ValueError, ssl.SSLWantReadError, OSError])
@pytest.mark.parametrize("where", ["connection_made", "data_received", "eof_received", "connection_lost"])
def test_a_protocol_that_raises_loses_its_connection_only(
    tcp: House, where: str, error: type[Exception]
) -> None:
    server = Faulty(where, error)
    listener = tcp.serve(lambda: server)
    far = tcp.far()
    turn_until(tcp.reactor, far.shake)
    far.write(b"hello")
    far.say_goodbye()
    far.sock.shutdown(socket.SHUT_WR)
    tcp.until(lost(server))
    assert [type(each) for each in tcp.errors] == [error]
    assert len(server.lost) == 1
    assert (server.lost[0] is None) == (where == "connection_lost")
    assert not listener.streams
    far.close()


def test_a_protocol_that_raises_when_it_pauses(tcp: House, file: tuple[Path, bytes]) -> None:
    path, content = file

    class Bad(Recorder):
        def pause_writing(self) -> None:
            raise OSError("pause")

    server, client = Bad(), Recorder()
    served, asked = tcp.pair(server, client)
    asked.pause_reading()
    with pytest.raises(OSError, match="pause"):
        served.sendfile(os.open(path, os.O_RDONLY), 0, len(content))
    asked.resume_reading()
    served.close()
    tcp.until(lost(server, client))
    assert client.data == content


def test_hidden_input_and_a_protocol_that_raises_in_a_later_turn(tcp: House) -> None:
    server = Recorder()
    tcp.serve(lambda: server, read_size=100)

    def fail_late(stream: Stream, data: bytes) -> None:
        if len(server.pieces) == 5:
            raise ValueError("late")

    server.on_data = fail_late
    far = tcp.far().open(tcp.reactor)
    for _ in range(10):
        far.tls.write(b"x" * 50)
    far.push()
    tcp.until(lost(server))
    assert [type(error) for error in (*server.lost, *tcp.errors)] == [ValueError, ValueError]
    assert len(server.data) == 250


def test_a_factory_that_raises(tcp: House) -> None:
    def factory() -> Recorder:
        raise ValueError("no protocol")

    listener = tcp.serve(factory)
    far = tcp.far()
    turn_until(tcp.reactor, far.shake)
    tcp.until(lambda: not listener.streams)
    assert [str(error) for error in tcp.errors] == ["no protocol"]


def test_what_is_no_good_tls_ends_the_connection(house: House) -> None:
    server = Recorder()
    house.serve(lambda: server)
    far = house.far().open(house.reactor)
    far.tls.write(b"hello")
    record = bytearray(far.cipher_text())
    record[-1] ^= 1
    far.sock.send(record)
    house.until(lambda: server.lost or receive_all(far.sock, bytearray()))
    far.close()
    house.until(lost(server))
    assert [type(error) for error in server.lost] == [TLSError]
    assert "mac" in str(server.lost[0])
    assert server.data == b""


def test_the_first_cause_is_told(tcp: House) -> None:
    """Broken cipher text behind a broken pipe: the pipe came first."""
    server = Recorder()
    tcp.serve(lambda: server)
    far = tcp.far().open(tcp.reactor)
    tcp.until(lambda: hasattr(server, "stream"))
    stream = of(server)
    stream._lower.fail(ConnectionAbortedError("first"))
    stream._engine.cut = True
    stream._read()
    tcp.until(lost(server))
    assert [str(error) for error in server.lost] == ["first"]
    far.close()


# -- other corners -------------------------------------------------------------------------------------


def _differ(updates: Callable[[], int], number: int, server: Recorder, heard: int) -> bool:
    return updates() > number or len(server.data) > heard


def test_keys_are_updated_on_the_way(tcp: House, tmp_path: Path) -> None:
    """TLS 1.3 key updates from a client, answered in the middle of our writing (RFC 8446, 4.6.3)."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program to ask for a key update")
    server = Recorder(lambda stream, data: stream.write(data.upper()))
    listener = tcp.serve(lambda: server)
    command = [program, "s_client", "-connect", f"127.0.0.1:{listener.address[1]}"]
    said = tmp_path / "said"
    with (
        open(said, "wb") as out,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT) as running,
    ):
        assert running.stdin is not None

        def say(words: bytes, answer: Callable[[], bool]) -> None:
            assert running.stdin is not None
            running.stdin.write(words)
            running.stdin.flush()
            tcp.until(answer)

        def updates() -> int:
            return said.read_bytes().count(b"KEYUPDATE")

        try:
            say(b"ready\n", lambda: b"READY" in said.read_bytes())
            for number, word in enumerate((b"one", b"two", b"three")):
                while updates() == number:
                    heard = len(server.data)
                    # A command, to update the keys and ask for an update of ours; at times the program sends it on.
                    say(b"K\n", partial(_differ, updates, number, server, heard))
                say(word + b"\n", lambda word=word: word.upper() in said.read_bytes())  # type: ignore[misc]
            running.stdin.close()
            tcp.until(lost(server))
        finally:
            running.kill()
    assert server.data.replace(b"K\n", b"") == b"ready\none\ntwo\nthree\n"


def test_a_peer_that_asks_for_small_fragments_gets_everything(tcp: House, tmp_path: Path) -> None:
    """Smaller than ours (RFC 6066, 4)."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program to ask for small fragments")
    sent = b"".join(b"%06d\n" % number for number in range(20_000))
    server = Recorder()
    listener = tcp.serve(lambda: server)
    command = [program, "s_client", "-quiet", "-maxfraglen", "512", "-connect"]
    command += [f"127.0.0.1:{listener.address[1]}", "-CAfile", tcp.authority.file]
    said = tmp_path / "said"
    with (
        open(said, "wb") as out,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL) as running,
    ):
        try:
            tcp.until(lambda: hasattr(server, "stream"))
            server.stream.write(sent)
            server.stream.close()
            tcp.until(lambda: server.lost and running.poll() is not None)
        finally:
            running.kill()
    assert said.read_bytes() == sent


def test_a_write_that_takes_a_part_is_continued(authority: Authority) -> None:
    class Sparing:
        def __init__(self, real: ssl.SSLObject) -> None:
            self.write = lambda data: real.write(data[:1000])

    ours = Engine(ServerTLS(authority.local()).context, server_side=True, server_name=None)
    theirs = Engine(authority.client.context, server_side=False, server_name="localhost")
    while not (theirs.handshake() & ours.handshake()):
        ours.feed(theirs.output())
        ours.handshake()
        theirs.feed(ours.output())
    sent = os.urandom(10_500)
    ours.tls = Sparing(ours.tls)  # type: ignore[assignment]
    theirs.feed(ours.encrypt(sent))
    got = b""
    while piece := theirs.read():
        got += piece
    assert got == sent


def test_twenty_thousand_writes_do_not_recurse(tcp: House) -> None:
    server, client = Recorder(), Recorder()
    _, asked = tcp.pair(server, client)
    for _ in range(20_000):
        asked.write(b"x")
    asked.close()
    tcp.until(lost(server, client))
    assert len(server.data) == 20_000


def test_lost_connections_leave_no_memory_behind(tcp: House) -> None:
    """Not even until the collector comes by: it cannot see how much the library holds."""
    import gc
    import weakref

    engines: list[weakref.ref[Any]] = []
    real = Engine.__init__

    class Watched(Engine):
        __slots__ = ("__weakref__",)

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            real(self, *args, **kwargs)
            engines.append(weakref.ref(self))

    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, "Engine", Watched)
            tcp.serve(Recorder)
            for _ in range(10):
                client = Recorder()
                tcp.connect(lambda client=client: client)  # type: ignore[misc]
                tcp.until(lambda client=client: hasattr(client, "stream"))  # type: ignore[misc]
                client.stream.close()
                tcp.until(lost(client))
            tcp.until(lambda: not tcp.listener.streams)  # type: ignore[union-attr]
        tcp.reactor.turn(0)
        assert len(engines) == 20
        assert [engine for engine in engines if engine() is not None] == []
    finally:
        gc.enable()
