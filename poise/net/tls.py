"""TLS: a layer that is a protocol to the stream below it and a stream to the protocol above it.

Cipher text comes in through ``data_received``, plain text goes up; what the protocol above writes goes down
encrypted. The library works on memory only (:mod:`poise.net.tls_engine`), never on the socket. That decides much:
* One ``recv`` and one ``send`` a request, as without TLS: on a socket OpenSSL reads each record's header by itself.
* Wanting to read while writing, and the reverse, cannot hang: what the library has to say goes out after each call.
* What hides in our buffers is never forgotten: after one read budget the rest is read in the next turn, with no event
  of the kernel needed (pitfall 23). Until then the stream below is paused, so no more than one read hides.
* A write that fails costs no input: what was hidden here, and what the kernel still holds, is decrypted and handed up.
* An end without ``close_notify`` is told apart from an orderly one (RFC 8446, 6.1).
* A client that closes first waits for the server's end, for at most ``StreamLimits.linger_time``: the server's session
  tickets may still be on their way, and would meet a closed socket, whose reset destroys what we sent (pitfall 18).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from poise.errors import DeadlineExceeded, TLSError, TLSTruncated
from poise.limits import TLSLimits
from poise.loop.timers import Deadline
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.protocol import AnyProtocol, Protocol, hand_over, holds_input
from poise.net.stream import Stream
from poise.net.tls_engine import KNOWN, Engine
from poise.net.tls_output import CLOSED, CLOSING, HANDSHAKE, OPEN, TLSOutput
from poise.net.transport import Transport

# Each record counts as so many bytes more than it holds: a peer that sends single bytes must not get a longer turn.
RECORD_COST = 512

NOBODY = Protocol()  # stands for the protocol above until the handshake is done


class TLSStream(TLSOutput):
    """A stream with TLS. The protocol from ``factory()`` is made, and told, when the handshake is done."""

    __slots__ = (
        "_cause",
        "_deadline",
        "_direct",
        "_factory",
        "_failed",
        "_is_client",
        "_limits",
        "_read_posted",
        "_rest",
    )
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
        super().__init__()
        self._engine = Engine(context, server_side=server_side, server_name=server_hostname)
        self._is_client = not server_side
        self._factory = factory
        self._failed = failed
        self._limits = limits if limits is not None else TLSLimits()
        self._direct = True  # the protocol takes bytes, and has no buffer of its own to be filled
        self._read_posted = False
        self._cause: Exception | None = None  # what ended the connection, when it was not the stream below
        self._rest = b""  # plain text that did not fit into the protocol's buffer

    # -- a stream to the protocol above ----------------------------------------------------------

    def close(self, *, linger: bool = False) -> None:
        """Flush what is queued, say ``close_notify``, close. A client lingers until the peer has ended too."""
        if self._phase >= CLOSING:
            return
        was, self._phase = self._phase, CLOSING
        self._linger = linger or (self._is_client and not self._ended)
        if self._waiting is not None:
            self._lower.pause_reading()
            return
        if was == OPEN and not self._eof_wanted:
            self._say_goodbye()
        self._lower.close(linger=self._linger)

    def abort(self) -> None:
        """Close at once and drop what is queued; the peer sees a reset."""
        self.fail(None)

    def fail(self, error: Exception | None) -> None:
        """A callback of ours raised ``error``, which has been reported: end as abort() does."""
        self._phase = max(self._phase, CLOSING)
        self._drop_waiting()
        self._lower.fail(error)

    def is_closing(self) -> bool:
        return self._phase >= CLOSING or self._lower.is_closing()

    def is_mute(self) -> bool:
        return self._phase <= OPEN and self._lower.is_mute()

    def pause_reading(self) -> None:
        """No more data_received after this returns, until resume_reading()."""
        self._reading = False
        self._lower.pause_reading()

    def resume_reading(self) -> None:
        if self._reading or self._phase != OPEN or self._ended:
            return
        self._reading = True
        if self._engine.hungry and not self._rest:
            self._lower.resume_reading()
        else:
            self._read_more_later()

    def is_reading(self) -> bool:
        return self._reading and not self._ended and (not self.is_closing() or self.is_mute())

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As for every stream; the stream below, which counts cipher text, keeps to the same marks."""
        try:
            super().set_write_buffer_limits(high, low)
        finally:  # pause_writing may raise, and it is the stream below that finds out when to go on
            self._lower.set_write_buffer_limits(self._high, self._low)

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hand the stream over to another protocol, of either kind."""
        self._protocol = protocol
        self._direct = not hasattr(protocol, "get_buffer")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What Stream knows and, until it is lost: ``alpn``, ``cipher``, ``compression``, ``peercert``, ``version``, ``ssl_object``, ``sslcontext``."""
        ask = KNOWN.get(name)
        if ask is None:
            return self._lower.get_extra_info(name, default)
        known = ask(self._engine.tls) if hasattr(self, "_engine") else None
        return default if known is None else known

    def __repr__(self) -> str:
        return (
            f"<TLSStream {self._phase.name} over {self._lower!r}>"
            if hasattr(self, "_lower")
            else "<TLSStream>"
        )

    # -- a protocol to the stream below ----------------------------------------------------------

    def connection_made(self, stream: Stream) -> None:
        Transport.__init__(self, stream.reactor, NOBODY, stream.peer, stream.limits)
        self._lower = stream
        self._deadline = stream.reactor.deadline(self._limits.handshake_time, self._too_slow)
        self._handshake()

    def data_received(self, data: bytes) -> None:
        engine = self._engine
        engine.feed(data)
        if self._phase is not OPEN or self._rest or self._ended or not self._reading:
            if self._phase is not HANDSHAKE or self._handshake():
                self._read()
            return
        # Nearly always one record has come, whole: it is handed up without the loop that sees to all the rest.
        try:
            plain = engine.read()
        except TLSError as error:
            self._lose(error)
            return
        if engine.outgoing.pending:
            self._send(engine.output())
        if plain:
            if self._direct:
                self._protocol.data_received(plain)  # type: ignore[union-attr]  # told apart when it came
            else:
                self._rest = hand_over(self._protocol, plain)
            if self._rest or not engine.hungry:
                self._read(len(plain) - len(self._rest) + RECORD_COST)
        elif plain is not None:
            self._end_of_input()

    def eof_received(self) -> bool:
        self._engine.cut = True
        if self._phase == HANDSHAKE:
            self._lose(TLSTruncated("the connection ended during the TLS handshake"))
        else:
            self._read()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._phase = CLOSED
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

    def holds_input(self) -> bool:
        """Whether the protocol above has yet to hear something that is here already."""
        if self._phase != OPEN or self._ended:
            return False
        return bool(self._rest) or not self._engine.hungry or holds_input(self._protocol)

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
            self._phase = OPEN
            self.set_protocol(self._factory())
            self._failed = None
            self._protocol.connection_made(self)  # type: ignore[arg-type]  # it is a stream in all but the class
        return done

    def _too_slow(self) -> None:
        self._lose(DeadlineExceeded(f"no TLS handshake within {self._limits.handshake_time:g} s"))

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, taken: int = 0) -> None:
        """Hand up what can be decrypted, at most about one read budget of it, of which so much is ``taken`` already."""
        self._read_posted = False
        if self._lower.is_closing() and not self._lower.is_mute():  # a callback of the protocol has raised
            return
        budget = self.limits.portion - taken
        while self._reading and self._phase == OPEN and not self._ended:
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
        lower = self._lower
        if self._reading and self._phase == OPEN and not (self._ended or lower.is_reading()):
            lower.resume_reading()

    def _read_more_later(self) -> None:
        """What is in our buffers is invisible to the kernel: the next turn takes it up."""
        self._lower.pause_reading()
        if not self._read_posted:
            self._read_posted = True
            self.reactor.call_soon(self._read)

    def _end_of_input(self) -> None:
        self._ended = True
        self._lower.pause_reading()
        if not self._protocol.eof_received() or self._lower.is_mute():
            self.close()

    def _lose(self, error: Exception) -> None:
        """The connection is of no use any more; what was said last still goes out."""
        if not self._lower.is_closing():  # otherwise there was a cause before this one
            self._cause = error
        self._phase = CLOSING
        self._deadline.cancel()
        self._drop_waiting()
        self._send(self._engine.output())  # the alert tells the peer why
        if self._protocol is NOBODY:
            self._tell(error)
        self._lower.close(linger=True)

    def _tell(self, error: Exception) -> None:
        """Whoever waits for the handshake hears, once, that it failed."""
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(error)


def server_side(
    tls: ServerTLS,
    factory: Callable[[], AnyProtocol],
    limits: TLSLimits | None,
    failed: Callable[[Stream, Exception], object],
) -> Callable[[], TLSStream]:
    """A factory for the streams of a listener, with the certificates of the moment for each.

    ``failed`` is told why a handshake failed; the connection below, which it gets, is about to be closed.
    """

    def layer() -> TLSStream:
        made = TLSStream(
            tls.context,
            factory,
            server_side=True,
            limits=limits,
            failed=lambda error: failed(made._lower, error),
        )
        return made

    return layer


def client_side(
    tls: ClientTLS, server_name: str
) -> Callable[[Callable[[], AnyProtocol], Callable[[Exception], object]], TLSStream]:
    """Makes a client's stream from a factory and whom to tell of failure; ValueError for what is no server's name."""
    return lambda factory, failed: TLSStream(
        tls.context, factory, server_side=False, server_hostname=server_name or None, failed=failed
    )
