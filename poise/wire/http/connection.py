"""The server's side of one HTTP/1.1 connection, without I/O: bytes in, events out, replies to bytes.

The rules:

* Requests are handed out one at a time. The next one, however much of it is there, waits until the reply to
  this one has ended: that is what keeps pipelined replies in order (RFC 9112 section 9.3.2).
* A fault in the input is raised once, at its place among the events. After it nothing is read any more,
  because nobody can tell where the next message would begin; one reply may be sent, and it says that the
  connection closes.
* The framing of a reply is decided here and nowhere else (RFC 9112 section 6): the caller gives a length or
  None and never writes Content-Length, Transfer-Encoding or Connection itself. A body that does not keep its
  declared length is our fault.
* A reply that ends before the request's body has arrived leaves the rest to be read away, which costs nothing
  when its length is known. A chunked rest is not worth the work, and a client that waits for ``100 Continue``
  and was never asked to go on may send its body or not (RFC 9110 section 10.1.1): both get ``Connection:
  close``.

The states and their table are in :mod:`poise.wire.http.states`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import NamedTuple

from poise.errors import ProgramFault, RequestError
from poise.limits import HttpLimits
from poise.wire.buffer import Buffer
from poise.wire.http import reply
from poise.wire.http.body import NO_TRAILERS, BodyReader, LengthReader
from poise.wire.http.head import (
    HEAD_END,
    LOGGED_LINE,
    Fields,
    RequestHead,
    first_line,
    parse_head,
    parse_request_line,
    request_line_length,
)
from poise.wire.http.states import (
    OWES_REPLY,
    READS_BODY,
    READS_HEAD,
    READS_NOTHING,
    SENDS_REPLY,
    STEPS,
    State,
    Step,
)

Parse = Callable[[bytes, HttpLimits], RequestHead]
# Fields that say how a message is framed; only this module writes them.
OWN_FIELDS = frozenset(("content-length", "transfer-encoding", "connection", "date"))
WITHOUT_CONTENT = frozenset((204, 304))


class Data(NamedTuple):
    """Some bytes of a request's body, as they arrived."""

    data: bytes


class EndOfMessage(NamedTuple):
    """The request is whole. ``trailers`` came after a chunked body; they are not part of the head."""

    trailers: Fields = NO_TRAILERS


class Framing(Enum):
    """How the end of the reply's body is found (RFC 9112 section 6.3)."""

    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()
    SUPPRESSED = auto()  # a reply to HEAD: its fields tell of a body that is not sent
    NONE = auto()


Event = RequestHead | Data | EndOfMessage
END_OF_MESSAGE = EndOfMessage()
NO_BODY = LengthReader(0)


class ServerConnection:
    """One connection from its first byte to its last; ``parse`` turns a head's bytes into a RequestHead."""

    __slots__ = (
        "_body",
        "_buffer",
        "_closing",
        "_continue_owed",
        "_empty_line",
        "_framing",
        "_last",
        "_left",
        "_line_checked",
        "_parse",
        "head",
        "input_ended",
        "limits",
        "raw",
        "refused_line",
        "state",
    )

    def __init__(self, limits: HttpLimits, parse: Parse = parse_head) -> None:
        self.limits = limits
        self.state = State.IDLE
        self.head: RequestHead | None = None
        """The request that is read or answered; None between requests and when a head made no sense."""
        self.raw: bytes | None = None  # the head of that request, as it came
        self.refused_line = ""
        """What came in place of a request line then, for a log."""
        self._parse = parse
        self._buffer = Buffer()
        self._body: BodyReader = NO_BODY
        self._framing = Framing.NONE
        self._left = 0
        self.input_ended = False  # the client has said that it sends nothing more
        self._closing = False
        self._last = False
        self._empty_line = False  # the one that RFC 9112 section 2.2 lets a client send before a request line
        self._line_checked = False
        self._continue_owed = False

    def __repr__(self) -> str:
        return f"<ServerConnection {self.state.name} {len(self._buffer)} bytes unread>"

    # What the connection is doing

    @property
    def idle(self) -> bool:
        """True between messages with no input: what comes next is the beginning of a request."""
        return self.state is State.IDLE and not self._buffer and not self._empty_line

    @property
    def can_reply(self) -> bool:
        """True when :meth:`send_reply` is allowed: a request or a fault waits for its reply."""
        return self.state in OWES_REPLY

    @property
    def must_close(self) -> bool:
        """True when no further request will be read: close as soon as the present reply has ended."""
        return self._last

    @property
    def buffered(self) -> int:
        """Bytes of input that no event has taken yet."""
        return len(self._buffer)

    @property
    def reply_has_body(self) -> bool:
        """Whether the reply that has begun carries a body at all: not for HEAD, 204 and 304."""
        return self._framing not in (Framing.NONE, Framing.SUPPRESSED)

    @property
    def trailing_data(self) -> bytes:
        """Input that belongs to no message that was handed out."""
        return self._buffer.peek()

    # Input

    def feed(self, data: bytes) -> None:
        """Take what was received. All of it is kept until :meth:`next_event` comes to it, so a caller that
        gets no events because a reply is due reads no more from the client."""
        if self.state not in READS_NOTHING:
            self._buffer.feed(data)

    def feed_eof(self) -> None:
        """The client sends nothing more; the requests that are here already are still handed out."""
        self.input_ended = True

    def next_event(self) -> Event | None:
        """The next thing that happened, or None: more input is needed, or the reply must end first.

        Raises RequestError once when the input breaks the protocol; ``can_reply`` tells whether its status
        can still be sent.
        """
        try:
            if self.state in READS_BODY:
                return self._read_body()
            if self.state is State.DRAINING:
                self._drain()
            if self.state in READS_HEAD:
                return self._read_head()
        except RequestError:
            self.refuse()
            raise
        return None

    def refuse(self) -> None:
        """Give the request up: it is malformed, its time is over, or the server stops. A reply that has begun
        may go on to its end, else one last reply may be sent."""
        if not self.refused_line and self.head is None:
            self.refused_line = first_line(self._buffer.peek(LOGGED_LINE))
        self.state = STEPS.get((self.state, Step.FAULT), self.state)
        self._last = True
        self._buffer.clear()

    def close_after_reply(self) -> None:
        """Read no further request after the current one. A reply that has begun cannot announce it."""
        self._closing = True
        if not self.can_reply:
            self._last = True

    def _step(self, step: Step) -> None:
        try:
            self.state = STEPS[self.state, step]
        except KeyError:
            raise ProgramFault(f"{step.name} is not possible in the state {self.state.name}") from None

    def _read_head(self) -> RequestHead | None:
        buffer, limits = self._buffer, self.limits
        if self._closing:
            return None
        if self.state is State.IDLE:
            if buffer.startswith(b"\r\n") and not self._empty_line:
                buffer.take(2)
                self._empty_line = True
            if not buffer or (len(buffer) == 1 and buffer.startswith(b"\r") and not self._empty_line):
                self._rest()
                return None
            self._step(Step.HEAD_BEGUN)
        end = buffer.find(HEAD_END)
        if end < 0 or end > limits.head - len(HEAD_END):
            self._check_partial_head()
            return None
        self._empty_line = self._line_checked = False
        raw = buffer.take(end + len(HEAD_END))
        try:
            head = self.head = self._parse(raw, limits)
        except RequestError:
            self.refused_line = first_line(raw)
            raise
        self.raw = raw
        if head.length != 0:
            self._body = self._body_reader(head)
            self._continue_owed = head.expect_continue and not buffer
        self._step(Step.HEAD_READ)
        return head

    def _rest(self) -> None:
        """Between messages and without input."""
        if self.input_ended:
            self._step(Step.INPUT_ENDED)
            self._last = True

    def _check_partial_head(self) -> None:
        """Find out as early as possible that what is there will never be a head."""
        buffer, limits = self._buffer, self.limits
        if not self._line_checked:
            start = buffer.peek(limits.request_line + 2)
            length = request_line_length(start, limits)
            if length >= 0:
                parse_request_line(start[:length], limits)
                self._line_checked = True
        if len(buffer) >= limits.head:
            raise RequestError(431, f"the request head is longer than {limits.head} bytes")
        if self.input_ended:
            raise RequestError(400, "the connection ended inside a request head")

    def _body_reader(self, head: RequestHead) -> BodyReader:
        if head.length is None:
            from poise.wire.http.chunked import ChunkedReader  # few bodies come in chunks

            return ChunkedReader(self.limits)
        return LengthReader(head.length, self.limits.body)

    def _read_body(self) -> Data | EndOfMessage | None:
        body = self._body
        data = body.read(self._buffer)
        if data:
            self._continue_owed = False
            return Data(data)
        if body.done:
            self._body = NO_BODY
            self._step(Step.REQUEST_READ)
            return EndOfMessage(body.trailers) if body.trailers else END_OF_MESSAGE
        if self.input_ended:
            raise RequestError(400, "the connection ended inside a request body")
        return None

    def _drain(self) -> None:
        """Read away the rest of a body whose request has been answered."""
        self._body.read(self._buffer)
        if self._body.done:
            self._body = NO_BODY
            self.head = self.raw = None
            self._step(Step.REQUEST_READ)
        elif self.input_ended:
            self.refuse()

    # Output

    def send_continue(self) -> bytes:
        """``100 Continue`` when the client waits for it, else nothing."""
        if not self._continue_owed:
            return b""
        self._continue_owed = False
        return reply.CONTINUE

    def send_reply(
        self, status: int, fields: Iterable[tuple[str, str]], *, length: int | None, date: str
    ) -> bytes:
        """The head of the final reply to the current request, or to the fault that ended the input.

        ``length`` is that of the body in bytes; None when it is not known beforehand. For HEAD it is that of
        the body which GET would have got. ``date`` is an HTTP-date. Raises ProgramFault when no reply is due,
        when ``status`` is not final, or when ``fields`` has one that only this module may write; ValueError
        when a field breaks the grammar.
        """
        own = list(fields)
        for name, _ in own:
            if name.lower() in OWN_FIELDS:
                raise ProgramFault(f"the field {name} is written by the connection itself")
        if status < 200:
            raise ProgramFault(f"{status} is not the status of a final reply")
        if not self.can_reply:
            raise ProgramFault(f"no reply is due in the state {self.state.name}")
        framing = self._choose_framing(status, length)
        last = self._is_last() or framing is Framing.CLOSE
        old = self.head is not None and self.head.minor == 0
        if length is not None and framing in (Framing.LENGTH, Framing.SUPPRESSED):
            own.append(("Content-Length", str(length)))
        elif framing is Framing.CHUNKED or (framing is Framing.SUPPRESSED and not old):
            own.append(("Transfer-Encoding", "chunked"))  # RFC 9112, 6.1: in a reply to HEAD, too
        if last:
            own.append(("Connection", "close"))
        elif old:
            own.append(("Connection", "keep-alive"))
        raw = reply.reply_head(status, own, date=date)
        self._step(Step.REPLY_BEGUN)
        self._framing, self._left, self._last = framing, length or 0, last
        self._continue_owed = False
        return raw

    def send_data(self, data: bytes) -> bytes:
        """The bytes that carry ``data``, a part of the reply's body; none in a reply to HEAD.

        Raises ProgramFault when no reply is under way or when the body outgrows its declared length.
        """
        self._check_replying()
        match self._framing:
            case Framing.CHUNKED:
                return reply.chunk(data)
            case Framing.SUPPRESSED:
                return b""
        self.count_sent(len(data))
        return data

    def count_sent(self, count: int) -> None:
        """Note ``count`` bytes of the body that are sent past this object (by sendfile); never for chunked
        bodies."""
        self._check_replying()
        if self._framing is Framing.CLOSE:
            return
        if self._framing in (Framing.CHUNKED, Framing.SUPPRESSED) or count > self._left:
            self._last = True
            raise ProgramFault("the reply has more body than its head declared")
        self._left -= count

    def end_reply(self) -> bytes:
        """What ends the reply's body. Raises ProgramFault when the body is shorter than declared: then only a
        closed connection tells the client so."""
        self._check_replying()
        if self._framing is Framing.LENGTH and self._left:
            self._last = True
            raise ProgramFault(f"the reply's body is {self._left} bytes shorter than its head declared")
        self._step(Step.LAST_REPLY_ENDED if self._last else Step.REPLY_ENDED)
        if self.state is State.IDLE:
            self.head = self.raw = None
        return reply.LAST_CHUNK if self._framing is Framing.CHUNKED else b""

    def _choose_framing(self, status: int, length: int | None) -> Framing:
        head = self.head
        if status in WITHOUT_CONTENT:
            if length:
                raise ProgramFault(f"a reply with the status {status} has no body")
            return Framing.NONE
        if head is not None and head.method == "HEAD":
            return Framing.SUPPRESSED
        if length is not None:
            return Framing.LENGTH
        return Framing.CLOSE if head is not None and head.minor == 0 else Framing.CHUNKED

    def _is_last(self) -> bool:
        head = self.head
        if self._last or self._closing or head is None or not head.keep_alive:
            return True
        if self.input_ended and not self._buffer:
            return True
        # A body of which something is still to come.
        return not self._body.done and (self._continue_owed or head.chunked)

    def _check_replying(self) -> None:
        if self.state not in SENDS_REPLY:
            raise ProgramFault(f"no reply is under way in the state {self.state.name}")
