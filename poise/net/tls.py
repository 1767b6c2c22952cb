"""TLS: a layer that is a protocol to the stream below it and a stream to the protocol above it.

Cipher text comes in through ``data_received``, plain text goes up; what the protocol above writes goes down
encrypted. The library works on memory only (:mod:`poise.net.tls_engine`), never on the socket. That decides much:
* One ``recv`` and one ``send`` a request, as without TLS: on a socket OpenSSL reads each record's header by itself.
* Wanting to read while writing, and the reverse, cannot hang: what the library has to say goes out after each call.
* What hides in our buffers is never forgotten: after one read budget the rest is read in the next turn, with no event
  of the kernel needed (pitfall 23). Until then the stream below is paused, so no more than one read hides.
* An end without ``close_notify`` is told apart from an orderly one (RFC 8446, 6.1).
* A client that closes first waits for the server's end, for at most ``StreamLimits.linger_time``: the server's session
  tickets may still be on their way, and would meet a closed socket, whose reset destroys what we sent (pitfall 18).
"""

from __future__ import annotations

import enum
import ssl
from collections.abc import Callable
from typing import Any

from poise.errors import DeadlineExceeded, ProgramFault, TLSError, TLSTruncated
from poise.limits import TLSLimits
from poise.loop.timers import Deadline
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.outgoing import FilePart, PlainQueue
from poise.net.protocol import AnyProtocol, Protocol, hand_over
from poise.net.stream import Stream
from poise.net.tls_engine import KNOWN, Engine
from poise.net.transport import Transport

# Each record counts as so many bytes more than it holds: a peer that sends single bytes must not get a longer turn.
RECORD_COST = 512

NOBODY = Protocol()  # stands for the protocol above until the handshake is done


class Phase(enum.IntEnum):
    HANDSHAKE = 0
    OPEN = 1
    CLOSING = 2  # nothing is read any more; what waits is still sent, unless the connection is lost
    CLOSED = 3


class TLSStream(Protocol, Transport):
    """A stream with TLS. The protocol from ``factory()`` is made, and told, when the handshake is done."""

    __slots__ = (
        "_all_said",
        "_cause",
        "_deadline",
        "_dropped",
        "_ended",
        "_engine",
        "_eof_wanted",
        "_factory",
        "_failed",
        "_is_client",
        "_limits",
        "_linger",
        "_lower",
        "_phase",
        "_read_posted",
        "_rest",
        "_send_posted",
        "_waiting",
    )
    _lower: Stream
    _deadline: Deadline

    def __init__(
        self,
        context: ssl.SSLContext,
        factory: Callable[[], AnyProtocol],
        *,
        server_side: bool,
        server_hostname: str | None = None,
        limits: TLSLimits | None = None,
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        self._engine = Engine(context, server_side=server_side, server_name=server_hostname)
        self._is_client = not server_side
        self._factory = factory
        self._failed = failed
        self._limits = limits if limits is not None else TLSLimits()
        self._phase = Phase.HANDSHAKE
        self._read_posted = self._send_posted = False
        self._ended = False  # the peer has said close_notify
        self._eof_wanted = self._linger = self._all_said = False
        self._cause: Exception | None = None  # what ended the connection, when it was not the stream below
        self._waiting: PlainQueue | None = None  # a file that is being sent, and what was written behind it
        self._rest = b""  # plain text that did not fit into the protocol's buffer
        self._dropped = 0  # bytes of it that nobody will get

    # -- a stream to the protocol above ----------------------------------------------------------

    @property
    def outgoing(self) -> object | None:
        """None while nothing waits to be sent."""
        return self._waiting if self._waiting is not None else self._lower.outgoing

    @property
    def unsent(self) -> int:
        """Bytes that were still waiting when the connection was lost, as get_write_buffer_size() counts them."""
        return self._dropped + self._lower.unsent

    def write(self, data: bytes | bytearray | memoryview, *, more: bool = False) -> None:
        """Encrypt and send ``data``, as Stream.write does. ``more`` has no effect: a record is sent whole."""
        del more
        if self._phase != Phase.OPEN or self._eof_wanted:
            self._refuse_write()
        elif self._waiting is not None:
            self._wait(memoryview(data).tobytes())
            self._check_water()
        else:
            self._send(self._engine.encrypt(data))

    def sendfile(self, fd: int, offset: int, count: int) -> None:
        """Queue a part of a file, to be encrypted as the peer takes it. The stream owns ``fd``, as Stream does."""
        part = FilePart(fd, offset, count)
        if self._phase != Phase.OPEN or self._eof_wanted:
            part.close()
            self._refuse_write()
        elif not count:
            part.close()
        else:
            self._wait(part)
            self._send_waiting()
            self._check_water()

    def write_eof(self) -> None:
        """Send ``close_notify`` once everything queued is sent; reading goes on (RFC 8446, 6.1)."""
        if self._phase == Phase.OPEN and not self._eof_wanted:
            self._eof_wanted = True
            if self._waiting is None:
                self._say_goodbye()

    def close(self, *, linger: bool = False) -> None:
        """Flush what is queued, say ``close_notify``, close. A client lingers until the peer has ended too."""
        if self._phase >= Phase.CLOSING:
            return
        was, self._phase = self._phase, Phase.CLOSING
        self._linger = linger or (self._is_client and not self._ended)
        if self._waiting is not None:
            self._lower.pause_reading()
            return
        if was == Phase.OPEN and not self._eof_wanted:
            self._say_goodbye()
        self._lower.close(linger=self._linger)

    def abort(self) -> None:
        """Close at once and drop what is queued; the peer sees a reset."""
        self.fail(None)

    def fail(self, error: Exception | None) -> None:
        """A callback of ours raised ``error``, which has been reported: end as abort() does."""
        self._phase = max(self._phase, Phase.CLOSING)
        self._drop_waiting()
        self._lower.fail(error)

    def is_closing(self) -> bool:
        return self._phase >= Phase.CLOSING or self._lower.is_closing()

    def pause_reading(self) -> None:
        """No more data_received after this returns, until resume_reading()."""
        self._reading = False
        self._lower.pause_reading()

    def resume_reading(self) -> None:
        if self._reading or self._phase != Phase.OPEN or self._ended:
            return
        self._reading = True
        if self._engine.hungry and not self._rest:
            self._lower.resume_reading()
        else:
            self._read_more_later()

    def is_reading(self) -> bool:
        return self._reading and not self._ended and not self.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait: plain text that is not encrypted yet, and cipher text that the kernel has not taken."""
        waiting = self._waiting.size if self._waiting is not None else 0
        return waiting + self._lower.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As for every stream; the stream below, which counts cipher text, keeps to the same marks."""
        super().set_write_buffer_limits(high, low)
        self._lower.set_write_buffer_limits(self._high, self._low)

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hand the stream over to another protocol, of either kind."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The names of ``tls_engine.KNOWN``, until the connection is lost, and what Stream knows."""
        ask = KNOWN.get(name)
        if ask is None:
            return self._lower.get_extra_info(name, default)
        known = ask(self._engine.tls) if hasattr(self, "_engine") else None
        return default if known is None else known

    # -- a protocol to the stream below ----------------------------------------------------------

    def connection_made(self, stream: Stream) -> None:
        Transport.__init__(self, stream.reactor, NOBODY, stream.peer, stream.limits)
        self._lower = stream
        self._deadline = stream.reactor.deadline(self._limits.handshake_time, self._too_slow)
        self._handshake()

    def data_received(self, data: bytes) -> None:
        self._engine.feed(data)
        if self._phase != Phase.HANDSHAKE or self._handshake():
            self._read()

    def eof_received(self) -> bool:
        self._engine.cut = True
        if self._phase == Phase.HANDSHAKE:
            self._lose(TLSTruncated("the connection ended during the TLS handshake"))
        else:
            self._read()
        return True

    def pause_writing(self) -> None:
        if self._phase == Phase.OPEN and not self._paused_writing:
            self._paused_writing = True
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._send_waiting()
        self._check_room()

    def connection_lost(self, error: Exception | None) -> None:
        self._phase = Phase.CLOSED
        self._deadline.cancel()
        self._drop_waiting()
        error = self._cause or (None if self._all_said else error)
        try:
            if self._protocol is not NOBODY:
                self._protocol.connection_lost(error)
            else:
                self._tell(error or TLSTruncated("the connection was closed during the TLS handshake"))
        finally:
            del self._engine  # its memory must not wait for the collector, which does not see how much it is

    # -- the handshake ---------------------------------------------------------------------------

    def _handshake(self) -> bool:
        """Go on with it; True when it is done."""
        try:
            done = self._engine.handshake()
        except TLSError as error:
            self._lose(error)
            return False
        self._send(self._engine.output())
        if done:
            self._deadline.cancel()
            self._phase = Phase.OPEN
            self._protocol = self._factory()
            self._protocol.connection_made(self)  # type: ignore[arg-type]  # it is a stream in all but the class
        return done

    def _too_slow(self) -> None:
        self._lose(DeadlineExceeded(f"no TLS handshake within {self._limits.handshake_time:g} s"))

    # -- reading ---------------------------------------------------------------------------------

    def _read(self) -> None:
        """Hand up what can be decrypted, at most about one read budget of it."""
        self._read_posted = False
        budget = self.limits.read_size
        while self._reading and self._phase == Phase.OPEN and not self._ended:
            if budget <= 0:
                self._read_more_later()
                return
            try:
                data = self._rest or self._engine.read()
            except TLSError as error:
                self._lose(error)
                return
            self._send(self._engine.output())
            if data is None:
                break
            if data:
                self._rest = b""  # the protocol may raise
                self._rest = hand_over(self._protocol, data)
                budget -= len(data) - len(self._rest) + RECORD_COST
            else:
                self._end_of_input()
            if self._engine.hungry and not self._rest:
                break
        if self._reading and self._phase == Phase.OPEN and not self._ended:
            self._lower.resume_reading()

    def _read_more_later(self) -> None:
        """What is in our buffers is invisible to the kernel: the next turn takes it up."""
        self._lower.pause_reading()
        if not self._read_posted:
            self._read_posted = True
            self.reactor.call_soon(self._read)

    def _end_of_input(self) -> None:
        self._ended = True
        self._lower.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    # -- writing ---------------------------------------------------------------------------------

    def _refuse_write(self) -> None:
        if self._phase == Phase.OPEN:
            raise ProgramFault("write after write_eof(): the peer has been told that no more comes")

    def _send(self, data: bytes) -> None:
        if data:
            self._lower.write(data)

    def _wait(self, part: bytes | FilePart) -> None:
        self._waiting = self._waiting or PlainQueue()
        self._waiting.append(part)

    def _send_waiting(self) -> None:
        """Encrypt what waits, as far as the stream below takes it, at most one write budget of it in a turn."""
        self._send_posted = False
        waiting = self._waiting
        if waiting is None:
            return
        budget = self.limits.write_size
        while waiting.parts and budget > 0 and not self._lower.is_paused_writing():
            try:
                data = waiting.take()
            except OSError as error:
                self._lose(error)
                return
            budget -= len(data)
            self._send(self._engine.encrypt(data))
        if not waiting.parts:
            self._waiting = None
            self._all_sent()
        elif not self._lower.is_paused_writing() and not self._send_posted:
            self._send_posted = True
            self.reactor.call_soon(self._send_waiting)
        self._check_room()

    def _all_sent(self) -> None:
        if self._eof_wanted or self._phase == Phase.CLOSING:
            self._say_goodbye()
        if self._phase == Phase.CLOSING:
            self._lower.close(linger=self._linger)

    def _say_goodbye(self) -> None:
        # When the peer has ended and nothing waits, it may well have left: our goodbye need not arrive.
        self._all_said = self._ended and self._lower.outgoing is None
        self._send(self._engine.goodbye())

    def _check_room(self) -> None:
        if self._paused_writing and self._phase == Phase.OPEN:
            self._check_water()
            if self._paused_writing and self._waiting is None:  # else nobody would look again
                self._lower.tell_when_drained()

    def _drop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._dropped += waiting.size
            waiting.close()

    def _lose(self, error: Exception) -> None:
        """The connection is of no use any more; what was said last still goes out."""
        if not self._lower.is_closing():  # otherwise there was a cause before this one
            self._cause = error
        self._phase = Phase.CLOSING
        self._deadline.cancel()
        self._drop_waiting()
        self._send(self._engine.output())  # the alert tells the peer why
        self._lower.close(linger=True)
        if self._protocol is NOBODY:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Whoever waits for the handshake hears, once, that it failed."""
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(error)


def server_side(
    tls: ServerTLS, factory: Callable[[], AnyProtocol], limits: TLSLimits | None = None
) -> Callable[[], TLSStream]:
    """A factory for the streams of a listener, with the certificates of the moment for each."""
    return lambda: TLSStream(tls.context, factory, server_side=True, limits=limits)


def client_side(
    tls: ClientTLS, server_name: str
) -> Callable[[Callable[[], AnyProtocol], Callable[[Exception], object]], TLSStream]:
    """Makes a client's stream from a factory and whom to tell of failure; ValueError for what is no server's name."""
    return lambda factory, failed: TLSStream(
        tls.context, factory, server_side=False, server_hostname=server_name or None, failed=failed
    )
