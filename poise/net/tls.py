"""TLS: a layer that is a protocol to the stream below it and a stream to the protocol above it.

Cipher text comes in through ``data_received``, plain text goes up; what the protocol above writes goes down
encrypted. The library (``ssl``, OpenSSL) works on memory only and never touches the socket. That decides much:

* One ``recv`` and one ``send`` a request, as without TLS. On a socket of its own OpenSSL reads the five bytes of each
  record's header by a call of their own.
* Wanting to read while writing, and the reverse, cannot hang: whatever the library has to say is in its outgoing
  buffer after each call, and goes to the stream.
* What hides in the library's buffers is never forgotten: after one read budget the rest is read in the next turn, with
  no event of the kernel needed (pitfall 23).
* An end without ``close_notify`` is an attack or an accident (RFC 8446, 6.1): it is told apart from an orderly end.
* Plain text is encrypted one record at a time: OpenSSL's memory buffers keep the largest size they ever had.
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
from poise.net.transport import Transport

RECORD = 16 * 1024  # the largest fragment of a record (RFC 8446, 5.1)


NOBODY = Protocol()  # stands for the protocol above until the handshake is done


KNOWN: dict[str, Callable[[ssl.SSLObject], Any]] = {
    "cipher": ssl.SSLObject.cipher,
    "compression": ssl.SSLObject.compression,
    "peercert": ssl.SSLObject.getpeercert,
    "alpn": ssl.SSLObject.selected_alpn_protocol,
    "version": ssl.SSLObject.version,
}


class Phase(enum.IntEnum):
    HANDSHAKE = 0
    OPEN = 1
    CLOSING = 2  # close() was called; what waits is still sent
    CLOSED = 3


class TLSStream(Protocol, Transport):
    """A stream with TLS. The protocol from ``factory()`` is made, and told, when the handshake is done."""

    __slots__ = (
        "_cause",
        "_deadline",
        "_eof_wanted",
        "_factory",
        "_failed",
        "_incoming",
        "_limits",
        "_linger",
        "_lower",
        "_more_posted",
        "_outgoing",
        "_phase",
        "_tls",
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
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self._factory = factory
        self._failed = failed
        self._limits = limits if limits is not None else TLSLimits()
        self._phase = Phase.HANDSHAKE
        self._more_posted = False
        self._eof_wanted = False
        self._linger = False
        self._cause: Exception | None = None  # what ended the connection, when it was not the stream below
        self._waiting: PlainQueue | None = None  # a file that is being sent, and what was written behind it

    # -- a stream to the protocol above ----------------------------------------------------------

    @property
    def outgoing(self) -> object | None:
        """None while nothing waits to be sent."""
        return self._waiting if self._waiting is not None else self._lower.outgoing

    def write(self, data: bytes | bytearray | memoryview, *, more: bool = False) -> None:
        """Encrypt and send ``data``, as Stream.write does. ``more`` has no effect: a record is sent whole."""
        del more
        if self._phase != Phase.OPEN or self._eof_wanted:
            self._refuse_write()
        elif self._waiting is not None:
            self._wait(bytes(data))
        else:
            self._encrypt(data)

    def sendfile(self, fd: int, offset: int, count: int) -> None:
        """Queue a part of a file, to be encrypted as the peer takes it. The stream owns ``fd``."""
        part = FilePart(fd, offset, count)
        if self._phase != Phase.OPEN or self._eof_wanted or not count:
            part.close()
            if count:
                self._refuse_write()
            return
        self._wait(part)
        self._send_waiting()

    def write_eof(self) -> None:
        """Send ``close_notify`` once everything queued is sent; reading goes on (RFC 8446, 6.1)."""
        if self._phase == Phase.OPEN and not self._eof_wanted:
            self._eof_wanted = True
            if self._waiting is None:
                self._say_goodbye()

    def close(self, *, linger: bool = False) -> None:
        """Flush what is queued, say ``close_notify``, close."""
        if self._phase >= Phase.CLOSING:
            return
        self._linger = linger
        handshaken = self._phase == Phase.OPEN
        self._phase = Phase.CLOSING
        if self._waiting is None:
            if handshaken:
                self._say_goodbye()
            self._lower.close(linger=linger)

    def abort(self) -> None:
        self._lower.abort()

    def fail(self, error: Exception | None) -> None:
        """A callback of ours raised ``error``, which has been reported."""
        self._lower.fail(error)

    def is_closing(self) -> bool:
        return self._phase >= Phase.CLOSING or self._lower.is_closing()

    def pause_reading(self) -> None:
        """No more data_received after this returns, until resume_reading()."""
        self._reading = False
        self._lower.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._lower.resume_reading()
            self._read_more_later()

    def is_reading(self) -> bool:
        return self._reading and self._lower.is_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait: plain text that is not encrypted yet, and cipher text that the kernel has not taken."""
        waiting = self._waiting.size if self._waiting is not None else 0
        return waiting + self._lower.get_write_buffer_size()

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hand the stream over to another protocol, of either kind."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``ssl_object``, ``cipher``, ``compression``, ``peercert``, ``alpn``, ``version``, and what Stream knows."""
        if name == "ssl_object":
            return self._tls
        ask = KNOWN.get(name)
        return ask(self._tls) if ask is not None else self._lower.get_extra_info(name, default)

    # -- a protocol to the stream below ----------------------------------------------------------

    def connection_made(self, stream: Stream) -> None:
        Transport.__init__(self, stream.reactor, NOBODY, stream.peer, stream.limits)
        self._lower = stream
        self._deadline = stream.reactor.deadline(self._limits.handshake_time, self._too_slow)
        self._handshake()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._phase == Phase.HANDSHAKE and not self._handshake():
            return
        if not self._more_posted:
            self._read()

    def eof_received(self) -> bool:
        self._incoming.write_eof()
        if self._phase == Phase.HANDSHAKE:
            self._lose(TLSTruncated("the connection ended during the TLS handshake"))
        elif not self._more_posted:
            self._read()
        return True

    def pause_writing(self) -> None:
        if not self._paused_writing:
            self._paused_writing = True
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._waiting is not None:
            self._send_waiting()
        self._check_room()

    def connection_lost(self, error: Exception | None) -> None:
        was, self._phase = self._phase, Phase.CLOSED
        self._deadline.cancel()
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
        error = self._cause or error
        if self._protocol is not NOBODY:
            self._protocol.connection_lost(error)
        elif was != Phase.CLOSED and self._failed is not None:
            self._failed(
                error
                if error is not None
                else TLSTruncated("the connection was closed during the TLS handshake")
            )

    # -- the handshake ---------------------------------------------------------------------------

    def _handshake(self) -> bool:
        """Go on with it; True when it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._flush()  # the alert tells the peer why
            self._lose(TLSError(f"the TLS handshake failed: {_reason(error)}"))
            return False
        except ssl.CertificateError as error:
            self._lose(TLSError(f"the peer's certificate is not good: {error}"))
            return False
        self._flush()
        self._deadline.cancel()
        self._phase = Phase.OPEN
        self._protocol = self._factory()
        self._protocol.connection_made(self)  # type: ignore[arg-type]  # it is a stream in all but the class
        return True

    def _too_slow(self) -> None:
        self._lose(DeadlineExceeded(f"no TLS handshake within {self._limits.handshake_time:g} s"))

    # -- reading ---------------------------------------------------------------------------------

    def _read(self) -> None:
        """Hand up what can be decrypted, at most one read budget of it."""
        self._more_posted = False
        budget = self._lower.limits.read_size
        try:
            while self._reading and self._phase == Phase.OPEN and budget > 0:
                data = self._tls.read(min(budget, RECORD))
                if not data:
                    self._end_of_input()
                    return
                budget -= len(data)
                hand_over(self._protocol, data)
                if not self._incoming.pending and not self._tls.pending() and not self._incoming.eof:
                    break
            else:
                self._read_more_later()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._end_of_input()
        except ssl.SSLEOFError:
            self._lose(TLSTruncated("the connection ended without close_notify"))
        except ssl.SSLError as error:
            self._flush()
            self._lose(TLSError(f"what came is no good TLS: {_reason(error)}"))
            return
        self._flush()

    def _read_more_later(self) -> None:
        """Bytes in the library's buffers are invisible to the kernel: the next turn takes them up."""
        if self._reading and self._phase == Phase.OPEN and not self._more_posted:
            self._more_posted = True
            self.reactor.call_soon(self._read)

    def _end_of_input(self) -> None:
        self._reading = False
        self._lower.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    # -- writing ---------------------------------------------------------------------------------

    def _refuse_write(self) -> None:
        if self._phase == Phase.HANDSHAKE:
            raise ProgramFault("write before connection_made()")
        if self._eof_wanted and self._phase == Phase.OPEN:
            raise ProgramFault("write after write_eof(): the peer has been told that no more comes")

    def _encrypt(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) <= RECORD:
            self._tls.write(data)
            self._lower.write(self._outgoing.read())
            return
        view = memoryview(data)
        records = []
        for start in range(0, len(view), RECORD):
            self._tls.write(view[start : start + RECORD])
            records.append(self._outgoing.read())
        self._lower.write(b"".join(records))

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._lower.write(self._outgoing.read())

    def _wait(self, part: bytes | FilePart) -> None:
        if self._waiting is None:
            self._waiting = PlainQueue()
        self._waiting.append(part)
        self._check_water()

    def _send_waiting(self) -> None:
        """Encrypt what waits, as far as the stream below takes it, at most one write budget of it in a turn."""
        waiting = self._waiting
        if waiting is None:
            return
        budget = self.limits.write_size
        try:
            while waiting.parts and budget > 0 and not self._lower.is_paused_writing():
                data = waiting.take()
                budget -= len(data)
                self._encrypt(data)
        except OSError as error:
            self._lose(error)
            return
        if not waiting.parts:
            self._waiting = None
            self._all_sent()
        elif not self._lower.is_paused_writing():
            self.reactor.call_soon(self._send_waiting)
        self._check_room()

    def _all_sent(self) -> None:
        if self._phase == Phase.CLOSING:
            self._say_goodbye()
            self._lower.close(linger=self._linger)
        elif self._eof_wanted:
            self._say_goodbye()

    def _check_room(self) -> None:
        if self._paused_writing and self._phase == Phase.OPEN:
            self._check_water()

    def _say_goodbye(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:  # it waits for the peer's own, which we read like any other input
            pass
        self._flush()

    def _lose(self, error: Exception) -> None:
        """The connection is of no use any more; what was said last still goes out."""
        if self._phase == Phase.HANDSHAKE and self._failed is not None:
            failed, self._failed = self._failed, None
            failed(error)
        self._cause = error
        self._phase = Phase.CLOSING
        self._lower.close(linger=True)


def server_side(
    tls: ServerTLS, factory: Callable[[], AnyProtocol], limits: TLSLimits | None = None
) -> Callable[[], TLSStream]:
    """A factory for the streams of a listener, with the certificates of the moment for each."""
    return lambda: TLSStream(tls.context, factory, server_side=True, limits=limits)


def client_side(
    tls: ClientTLS, server_name: str
) -> Callable[[Callable[[], AnyProtocol], Callable[[Exception], object]], TLSStream]:
    """Makes a client's stream, from the protocol's factory and whom to tell when the handshake fails."""
    return lambda factory, failed: TLSStream(
        tls.context, factory, server_side=False, server_hostname=server_name or None, failed=failed
    )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
