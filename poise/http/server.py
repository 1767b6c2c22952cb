"""An HTTP/1.1 server to subclass::

    class Hello(HTTPServer):
        def respond(self, request):
            return Reply(200, [("Content-Type", "text/plain")], b"hello")

    reactor = Reactor()
    server = Hello(reactor)
    server.listen(("127.0.0.1", 8000))
    reactor.run()

``respond`` answers at once with a Reply whose body is bytes; or streams, with a body that is an iterable of bytes,
pulled as the client takes it; or returns None and answers later with ``request.answer(reply)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.errors import RequestError
from poise.http.clock import DateClock
from poise.http.errorpage import error_reply
from poise.http.exchange import Exchange
from poise.http.gist import Gists
from poise.http.heads import HeadMemo
from poise.http.known import greeter
from poise.http.memo import Memo
from poise.http.message import Reply, Request
from poise.http.remembered import Remembered
from poise.http.replying import Replying
from poise.limits import FileLimits, HttpLimits, ListenLimits, StreamLimits, TLSLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net.address import Address
from poise.net.listener import Listener, listen
from poise.wire.http.connection import ServerConnection

if TYPE_CHECKING:
    from poise.http.log import AccessLog
    from poise.net.certificates import ServerTLS
    from poise.net.options import SocketOptions
    from poise.net.stream import Stream


class HTTPServer:
    """Listeners, their connections and what they share: the date, the memo, the log.

    ``allows_host`` is asked with the Host of each request (None in HTTP/1.0 without one); False is answered 421.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        limits: HttpLimits | None = None,
        listen_limits: ListenLimits | None = None,
        stream_limits: StreamLimits | None = None,
        tls_limits: TLSLimits | None = None,
        memo_limits: FileLimits | None = None,
        log: AccessLog | None = None,
        allows_host: Callable[[str | None], bool] | None = None,
    ) -> None:
        self.reactor = reactor
        self.limits = limits if limits is not None else HttpLimits()
        self.listen_limits = listen_limits
        self.stream_limits = stream_limits
        self.tls_limits = tls_limits
        self.logging = log
        """The log, as exchanges read it: a plain attribute, since each request does."""
        self.allows_host = allows_host
        self.dates = DateClock(reactor.clock)
        self.memo_limits = memo_limits if memo_limits is not None else FileLimits()
        self.parse = HeadMemo(self.memo_limits.head_memo_bytes).parse
        self.memo = Memo(self.memo_limits, self.dates, self._gists())
        """What is remembered for plain connections; replies may say which scheme they came by, so TLS has its own."""
        self.secure_memo: Memo | None = None
        self.listeners: list[Listener] = []
        self.exchanges: set[Exchange] = set()
        self.draining = False
        self._patient = False
        self._on_drained: Callable[[], object] | None = None
        self._drain_timer: TimerHandle | None = None

    # -- to override -----------------------------------------------------------------------------

    looked_at: frozenset[str] | None = None
    """The request fields, in lower case, that a reply with a validator may depend on: two requests that agree in them
    get the same one. None: on any. Those of ``gist.CHOOSING`` count only where the reply names them in its Vary, too."""

    def respond(self, request: Request) -> Reply | None:
        """Answer ``request``, whose body is whole; None when ``request.answer`` will be called later.

        A RequestError raised here is answered with its status; any other exception is our fault: 500.
        """
        return error_reply(404, f"There is nothing at {request.path}.")

    def refuse_body(self, request: Request) -> Reply | None:
        """A reply that makes reading the body of ``request`` needless; None to read it (``limits.body`` at most).

        Called when a head has announced a body, before ``100 Continue``; the connection closes after the reply.
        """
        del request  # the base class reads every body
        return None

    # -- what a program calls --------------------------------------------------------------------

    def listen(
        self, address: Address, *, tls: ServerTLS | None = None, options: SocketOptions | None = None
    ) -> Listener:
        """Serve ``address``, over TLS when ``tls`` is given; more than one may be served. Raises OSError as bind(2).

        ``options`` are set before binding, and hold for the connections too.
        """
        memo = self.memo
        if tls is not None:
            if self.secure_memo is None:
                self.secure_memo = Memo(self.memo_limits, self.dates, self._gists())
            memo = self.secure_memo
        scheme = "http" if tls is None else "https"
        listener = listen(
            self.reactor,
            address,
            lambda: Exchange(self, scheme, memo),
            tls=tls,
            options=options,
            tls_limits=self.tls_limits,
            limits=self.listen_limits,
            stream_limits=self.stream_limits,
        )
        if tls is None:
            listener.at_once = greeter(self, memo)
        listener.on_handshake_failed = self._handshake_failed
        listener.on_empty = self._check_drained
        self.listeners.append(listener)
        return listener

    @property
    def log(self) -> AccessLog | None:
        """The access log. Another one may be given at any time: what is remembered in the way of the former is forgotten."""
        return self.logging

    @log.setter
    def log(self, log: AccessLog | None) -> None:
        self.logging = log
        for memo in (self.memo, self.secure_memo):
            if memo is not None:
                memo.gists = self._gists()
                memo.clear()

    @property
    def in_flight(self) -> int:
        """How many connections have a request to be answered or a reply to be taken."""
        return sum(exchange.busy for exchange in self.exchanges)

    def drain(self, on_drained: Callable[[], object] | None = None, *, patient: bool = False) -> None:
        """Stop accepting and let replies in flight finish, within ``limits.drain_time`` seconds.

        What has arrived by now is still answered: requests of connections that the kernel has queued, too, and those of
        clients that have only just come. Idle connections are ended, unless the server is ``patient``, as one should be whose
        successor listens already: it answers the next request of each, with ``Connection: close``, and ends those that ask
        nothing only when the time is over. May be called again without it.
        """
        self._on_drained = on_drained
        self._patient = patient
        if not self.draining:
            self.draining = True
            self._drain_timer = self.reactor.call_later(self.limits.drain_time, self.close)
            for memo in (self.memo, self.secure_memo):
                if memo is not None:
                    memo.retire()  # no reply that was made before says that it is the last one
        for listener in self.listeners:
            if not patient:  # else the successor has the same queue
                listener.take_waiting()
            listener.close()
        for exchange in list(self.exchanges):
            exchange.drain(patient=True)
        self._check_drained()
        if not patient and self.exchanges:
            self.reactor.call_soon(
                self._end_idle
            )  # after the next turn's reads: they bring what is here already

    def _end_idle(self) -> None:
        """End the connections that want nothing; whoever has only just come is heard first."""
        moment = self.limits.first_words_time
        since = self.reactor.now - moment
        idle = [exchange for exchange in self.exchanges if not exchange.has_just_come(since)]
        newcomers = len(self.exchanges) - len(idle)
        done = [exchange.drain(patient=False) for exchange in idle]
        if not all(done):
            self.reactor.call_soon(self._end_idle)
        elif newcomers:
            self.reactor.call_later(moment, self._end_idle)

    def close(self) -> None:
        """Stop at once: what is still under way is cut."""
        self.draining = True
        self._patient = False
        for listener in self.listeners:
            listener.close()
        for exchange in list(self.exchanges):
            exchange.drain(patient=False)  # where nothing is under way, nothing is cut
            exchange.fail(None)
        for listener in self.listeners:
            for stream in list(
                listener.streams
            ):  # in the middle of its TLS handshake, and nobody's exchange yet
                stream.abort()
        self._check_drained()

    def _gists(self) -> Gists | None:
        if self.looked_at is None:
            return None
        logged = self.log.looked_at if self.log is not None else frozenset()
        return Gists(self.limits, self.looked_at | logged)

    # -- what exchanges call ---------------------------------------------------------------------

    def handle(self, request: Request) -> Reply | None:
        """``respond``, with every way to fail turned into a reply."""
        return self._asked(self.respond, request)

    def refuse(self, request: Request) -> Reply | None:
        """``refuse_body``, likewise."""
        return self._asked(self.refuse_body, request)

    def _asked(self, method: Callable[[Request], Reply | None], request: Request) -> Reply | None:
        if self.allows_host is not None and not self.allows_host(request.head.host):
            return error_reply(421, "This server answers only to local names; --allow-host adds others.")
        try:
            reply = method(request)
            if reply is not None and not isinstance(reply, Reply):
                raise TypeError(f"{method.__name__}() returns a Reply or None, not {reply!r}")
            return reply
        except RequestError as fault:
            return error_reply(fault.status, fault.detail)
        except Exception as error:  # noqa: BLE001 - the client gets its answer, the log the traceback
            self.reactor.on_error(error)
            return error_reply(500, "The server made a mistake while it answered; its log says more.")

    def remember(
        self, memo: Memo, raw: bytes, request: Request, reply: Reply, head: bytes, date: str, *, last: bool
    ) -> None:
        """Offer a reply to ``memo``: ``raw`` is the head that asked for it, ``head`` that of the reply, as it went out."""
        body, validator = reply.body, reply.validator
        if validator is None or not isinstance(body, bytes) or "authorization" in request.fields:
            return
        sent = b"" if request.method == "HEAD" else body

        def logged(asked: Request) -> str:
            return (
                ""
                if self.log is None
                else self.log.ending(self.log.line_of(asked, 0.0), reply.status, len(sent))
            )

        if reply.covers is not None:
            from poise.http.refusals import IN_ITS_PLACE, Refusal  # for what is not there

            covers = reply.covers
            line = logged(request.for_target(IN_ITS_PLACE))
            if line.count(IN_ITS_PLACE) == (self.log is not None):
                memo.offer_refusal(
                    raw,
                    lambda: Refusal(head, sent, date, validator, covers, logged=line, last=last),
                    now=self.reactor.now,
                )
            return
        varies = any(name.lower() == "vary" for name, _ in reply.fields)
        memo.offer(
            raw,
            lambda: Remembered(head, sent, date, validator, logged=logged(request), last=last),
            varies=varies,
            now=self.reactor.now,
        )

    def _handshake_failed(self, stream: Stream, error: Exception) -> None:
        """One line in the log. Who has spoken plain HTTP is told so; ``stream`` is the connection below TLS."""
        from poise.net.tls_engine import spoke_http  # who comes here has loaded the library

        length = 0
        if spoke_http(error):
            wire = ServerConnection(self.limits)
            wire.refuse()
            replying = Replying(stream, wire, lambda: None)
            reply = error_reply(400, "This port speaks HTTPS: its address begins with https://")
            replying.start(reply, self.dates.current(self.reactor.now))
            length = replying.sent
        if self.log is not None and not self.draining:  # a server that stops ends handshakes itself
            words = str(error)
            if isinstance(error, OSError) and error.strerror:
                words = f"the TLS handshake failed: {error.strerror}"
            self.log.add(stream.client, words, 400, length)

    def exchange_gone(self, exchange: Exchange) -> None:
        self.exchanges.discard(exchange)
        if self.draining:
            self._check_drained()

    def _check_drained(self) -> None:
        if not self.draining or self.exchanges:
            return
        if self._patient and any(listener.streams for listener in self.listeners):
            return  # in the middle of its TLS handshake: a request will follow
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        on_drained, self._on_drained = self._on_drained, None
        if on_drained is not None:
            on_drained()
