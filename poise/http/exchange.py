"""One connection's requests and replies: where bytes, grammar and handlers meet.

A head that the reply memo knows is answered before it comes here (:mod:`poise.http.known`); everything else goes
through the wire's grammar (``_advance``), one request at a time and in order:

    FRESH ──▶ IDLE ◀────────────────┐
                │ bytes             │ reply ended
                ▼                   │
              HEAD ─▶ BODY ─▶ HANDLING ─▶ REPLYING          any fault ─▶ CLOSING

Fairness: at most ``requests_per_turn`` requests are answered for one connection in one turn; what is left waits in
user space, reading pauses, and the rest is taken up in the next turn. While the client does not take its replies
(``pause_writing``) no further request of its is looked at, which bounds memory and open files.

Every phase has its own deadline, kept by one Deadline object; the hot path only stores ``since``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poise.errors import ProgramFault, RequestError
from poise.http.errorpage import error_reply
from poise.http.known import BODY, CLOSING, FRESH, HANDLING, HEAD, IDLE, REPLYING, Known, Phase
from poise.http.memo import Memo
from poise.http.message import Reply, Request
from poise.http.replying import Replying
from poise.wire.http.connection import Data, ServerConnection
from poise.wire.http.head import RequestHead

if TYPE_CHECKING:
    from poise.http.server import HTTPServer
    from poise.net.stream import Stream


GONE = 499  # what the log says of a request whose client left before any reply; nginx's number, known to log readers
NO_BODY: list[bytes] = []  # shared and never filled: most requests have none


class Exchange(Known):
    """The protocol that HTTPServer gives to each stream."""

    __slots__ = (
        "_body",
        "_body_size",
        "_candidate",
        "_held",
        "_replying",
        "_request",
        "_scheme",
        "_share_used",
        "_started",
        "_unlogged",
        "_wire",
    )

    def __init__(self, server: HTTPServer, scheme: str, memo: Memo) -> None:
        self._server = server
        self._scheme = scheme
        self._memo = memo
        self._phase = FRESH
        self._wire: ServerConnection | None = None
        self._deadline = server.reactor.deadline(server.limits.head_time, self._expired)
        self._replying: Replying | None = None  # comes and stays with the wire
        self._unlogged: tuple[str, int, int] | None = None
        self._held = False  # the client does not take its replies
        self._share_used = False  # it has had its share of this turn
        self._request: Request | None = None
        self._candidate: bytes | None = None  # the head as it came, when its reply may be remembered
        self._body: list[bytes] = NO_BODY
        self._body_size = 0
        self._started = 0.0

    def connection_made(self, stream: Stream) -> None:
        self._stream = stream
        self._client = stream.client
        self._server.exchanges.add(self)

    def eof_received(self) -> bool:
        """The client will send no more; what it has asked for is still answered (RFC 9112, 9.6)."""
        if self._wire is None or self._replying is None or self._phase <= IDLE:
            return False
        self._wire.feed_eof()
        self._replying.end_endless()
        self._advance()
        return self._phase >= HANDLING or self._held or self._share_used  # it may have asked for more

    def pause_writing(self) -> None:
        self._held = True
        if self._replying is not None:
            self._replying.hold()
        self._stream.pause_reading()

    def resume_writing(self) -> None:
        self._held = False
        self._log_now(self._stream.unsent)  # all was sent, or nothing more can be
        self._deadline.since = self._server.reactor.now  # while it was held, the stream watched over it
        if self._replying is not None:
            self._replying.go_on()
        self._go_on()

    def connection_lost(self, _error: Exception | None) -> None:
        self._phase = CLOSING
        self._deadline.cancel()
        if (request := self._request) is not None:
            self._log_request()  # it was cut short: what was sent of it is what is logged
            self._request = None
        self._log_now(self._stream.unsent)
        self._server.exchange_gone(self)
        if self._replying is not None:
            self._replying.close()
        if request is not None:
            request.abandon()

    # -- requests, through the grammar -----------------------------------------------------------

    def _take(self, data: bytes, *, later: bool = False) -> None:
        if self._phase is FRESH:
            if not self._take_first(data):
                self._enter(IDLE, self._server.limits.idle_time)
                self.data_received(data)
            return
        wire, replying = self._wire, self._replying
        if wire is None or replying is None:
            wire = self._wire = ServerConnection(self._server.limits, self._server.parse)
            replying = self._replying = Replying(self._stream, wire, self._reply_ended)
        if self._phase is IDLE:
            self._enter(HEAD, self._server.limits.head_time)
        wire.feed(data)
        if self._phase is BODY:
            self._check_body_rate()
        elif self._phase >= HANDLING and wire.buffered > self._stream.limits.portion:
            self._stream.pause_reading()  # it sends on and on while its reply is being made
            replying.end_endless()  # it would never be heard again
        if later:
            self._take_up_later()
        self._advance()

    def _advance(self) -> None:
        """Take requests from what was fed until it ends, a reply is under way, or this turn's share is used up."""
        wire = self._wire
        if wire is None:
            return
        clock = self._server.reactor.clock.monotonic
        limits = self._server.limits
        share, end = limits.requests_per_turn, clock() + limits.turn_time
        try:
            while self._phase <= BODY and not self._held and not self._share_used:
                event = wire.next_event()
                if event is None:
                    break
                if isinstance(event, RequestHead):
                    self._begin_request(event)
                    continue
                if isinstance(event, Data):
                    self._body_size += len(event.data)  # no more than limits.body: the wire sees to that
                    self._body.append(event.data)
                else:
                    self._respond()
                share -= 1
                if wire.buffered and (share <= 0 or clock() >= end):
                    self._take_up_later()
        except RequestError as fault:
            self._refuse(fault)
        if self._phase is HEAD and wire.must_close:
            self._close(linger=False)  # the client had ended its side while a reply was on its way
        elif self._phase is HEAD and wire.idle:
            self._enter(IDLE, self._server.limits.idle_time)

    def _take_up_later(self) -> None:
        self._share_used = True
        self._stream.pause_reading()
        self._server.reactor.call_soon(self._take_up)

    def _take_up(self) -> None:
        self._share_used = False
        self._go_on()

    def _go_on(self) -> None:
        """Read and parse again, unless another reason to wait remains."""
        if self._held or self._share_used or self._phase is CLOSING:
            return
        if self._wire is None or self._wire.buffered <= self._stream.limits.portion:
            self._stream.resume_reading()
        self._advance()

    def _begin_request(self, head: RequestHead) -> None:
        self._request = request = Request(head, b"", self._stream.peer, self._scheme, self._answer)
        self._started = self._server.reactor.now
        if self._server.draining and self._wire is not None:
            self._wire.close_after_reply()
        if head.length == 0:
            self._candidate = self._wire.raw if self._wire is not None else None
            return
        self._candidate = None
        self._body = []
        self._body_size = 0
        refusal = self._server.refuse(request)
        if refusal is not None:
            self._reply(refusal, close=True)
            return
        if head.length is not None and head.length > self._server.limits.body:
            raise RequestError(413, f"A request body may have {self._server.limits.body} bytes here.")
        self._enter(BODY, self._server.limits.body_stall)
        if head.expect_continue and self._wire is not None and not self._wire.buffered:
            self._stream.write(self._wire.send_continue())

    def _check_body_rate(self) -> None:
        """A body that trickles is ended although no single pause in it is long enough."""
        limits = self._server.limits
        now = self._deadline.since = self._server.reactor.now
        if self._body_size < limits.body_rate * (now - self._started - limits.body_stall):
            self._expired()

    def _respond(self) -> None:
        """The request is whole: ask the handler."""
        request = self._request
        if request is None:
            return
        if self._body:
            request.body = b"".join(self._body)
            self._body = NO_BODY
        self._phase = HANDLING
        reply = self._server.handle(request)
        answered = self._phase is not HANDLING or self._request is not request  # by answer() in the handler
        if self._phase is CLOSING:
            if reply is not None:
                reply.close()
        elif reply is None:
            if not answered:
                self._candidate = None
                self._enter(HANDLING, self._server.limits.reply_time)
        elif answered:
            reply.close()
            self._server.reactor.on_error(
                ProgramFault("respond() returned a reply to a request that it had answered")
            )
        else:
            self._reply(reply)

    def _answer(self, request: Request, reply: Reply) -> None:
        """The answer to a request whose handler returns, or had returned, None."""
        if self._phase is CLOSING:
            reply.close()
        elif request is not self._request or self._phase is not HANDLING:
            reply.close()
            raise ProgramFault("this request has been answered already")
        else:
            self._server.reactor.now = self._server.reactor.clock.monotonic()  # the last turn may be long ago
            self._reply(reply)
            self._server.reactor.call_soon(self._go_on)  # not now: the handler itself may be what answers

    # -- replies ---------------------------------------------------------------------------------

    def _reply(self, reply: Reply, *, close: bool = False) -> None:
        server, wire, request, replying = self._server, self._wire, self._request, self._replying
        if wire is None or replying is None:
            return  # nothing was ever asked
        if close:
            wire.close_after_reply()
        candidate, self._candidate = self._candidate, None
        self._enter(REPLYING, server.limits.reply_time)
        head = replying.start(reply, date := server.dates.current(server.reactor.now))
        if candidate is not None and request is not None and reply.validator is not None:
            # Closing has to be the head's own wish: the same head comes again on connections that nobody else ends.
            last = wire.must_close
            if not last or not (close or request.head.keep_alive or server.draining):
                server.remember(self._memo, candidate, request, reply, head, date, last=last)

    def _reply_ended(self) -> None:
        """The last byte of the reply was handed to the stream."""
        self._log_request()
        had_body = self._request is None or self._request.head.length != 0
        self._request = None
        wire = self._wire
        if self._phase is CLOSING or wire is None:
            return
        if wire.must_close:
            self._close(linger=had_body or wire.buffered > 0)
        else:
            self._enter(HEAD, self._server.limits.head_time)  # _advance finds out whether more has come
            if self._replying is not None and self._replying.late:
                self._server.reactor.call_soon(self._go_on)

    def _refuse(self, fault: RequestError) -> None:
        """Answer a request that broke the rules, if an answer can still be sent, and close."""
        if self._wire is not None and self._wire.can_reply:
            self._reply(error_reply(fault.status, fault.detail), close=True)
        self._close(linger=True)

    def _close(self, *, linger: bool) -> None:
        """``linger`` when input may still come: the kernel would answer it with a reset (RFC 9112, 9.6)."""
        if self._phase is not CLOSING:
            self._phase = CLOSING
            self._deadline.cancel()
            self._stream.close(linger=linger)

    def _log_request(self) -> None:
        """Log it when it was handed over; when the client has yet to take much of it, when it has, or has left."""
        replying, wire, log, request = self._replying, self._wire, self._server.log, self._request
        if log is None or replying is None or wire is None:
            return
        line = log.line_of(request, self._started) if request is not None else wire.refused_line or "-"
        self._unlogged = (line, replying.status or GONE, replying.sent)
        replying.status = replying.sent = 0
        if not self._held:
            self._log_now(0)

    def _log_now(self, unsent: int) -> None:
        unlogged, self._unlogged = self._unlogged, None
        if unlogged is not None and self._server.log is not None:
            line, status, sent = unlogged
            self._server.log.add(self._client, line, status, max(0, sent - unsent))

    # -- deadlines and the end -------------------------------------------------------------------

    def _enter(self, phase: Phase, duration: float) -> None:
        self._phase = phase
        self._deadline.change(duration, self._server.reactor.now)

    def _expired(self) -> None:
        """The deadline of the present phase is over."""
        server, phase = self._server, self._phase
        if self._held and phase <= BODY:
            # It is busy with the replies that it was sent, and the stream watches over that.
            self._deadline = server.reactor.deadline(self._deadline.duration, self._expired)
            return
        if phase <= IDLE:
            self._close(linger=False)
            return
        # A deadline that is over is over for good; what is sent from here on is watched over by the stream.
        self._deadline.cancel()
        self._deadline = server.reactor.deadline(server.limits.reply_time, self._expired)
        if phase <= BODY:
            if self._wire is not None:
                self._wire.refuse()
            what = "head" if phase is HEAD else "body"
            self._refuse(RequestError(408, f"The request's {what} did not arrive in time."))
        elif phase is HANDLING:
            late = error_reply(503, "the answer was not ready in time", limits=server.limits)
            self._reply(late, close=True)

    def drain(self, *, patient: bool) -> bool:
        """The server stops; ``patient`` waits for a request to answer. False when there is input to be read before."""
        if self._phase <= HEAD:
            held = self._stream.outgoing is not None  # its last reply stays on its way to the client
            if patient or (not held and self._stream.has_unread_input()):
                return patient
            self._close(linger=held)
        elif self._wire is not None and self._replying is not None and self._phase is not CLOSING:
            self._wire.close_after_reply()
            self._replying.end_endless()
        return True

    def has_just_come(self, since: float) -> bool:
        """Whether the client has come after the monotonic time ``since``, and has yet to say something."""
        return self._phase is FRESH and self._deadline.since > since

    @property
    def busy(self) -> bool:
        return IDLE < self._phase < CLOSING or self._stream.outgoing is not None

    def fail(self, error: Exception | None) -> None:
        """A callback of this exchange raised, which has been reported; None for the end of the server."""
        self._stream.fail(error)
