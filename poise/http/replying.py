"""One reply on its way out: its head, then a body of bytes, of a file, or produced piece by piece.

A produced body is pulled: the next piece is asked for when the client has taken the last ones, so a client that reads
slowly costs a slow producer and no memory. An iterator that has nothing to say is asked again in the next turn; a Feed
says by itself when there is more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from poise.errors import MachineFault, PeerFault, RequestError
from poise.http.errorpage import error_reply
from poise.http.message import FileBody, Reply
from poise.wire.http.connection import WITHOUT_CONTENT, ServerConnection

if TYPE_CHECKING:
    from poise.http.feed import Feed
    from poise.loop.handle import Handle
    from poise.net.stream import Stream


class Replying:
    """Writes the replies of one connection, one at a time; ``ended()`` is called when each is handed over."""

    __slots__ = (
        "_ended",
        "_feed",
        "_held",
        "_posted",
        "_producer",
        "_reply",
        "_unsent",
        "late",
        "sent",
        "status",
        "stream",
        "wire",
    )

    def __init__(self, stream: Stream, wire: ServerConnection, ended: Callable[[], None]) -> None:
        self.stream = stream
        self.wire = wire
        self.status = 0
        self.sent = 0  # bytes of the body
        self.late = False  # the reply goes on after start() has returned
        self._ended = ended
        self._held = False
        self._reply: Reply | None = None  # the one whose body is being produced
        self._producer: Iterator[bytes] | None = None
        self._feed: Feed | None = None  # the same, when it is one
        self._posted: Handle | None = None
        self._unsent = b""  # a head that waits for the first piece of its body

    def start(self, reply: Reply, date: str) -> bytes:
        """Send ``reply``; returns its head as it went out. A reply that cannot be written becomes a 500."""
        try:
            producer = self._begin(reply)
            head = self._head(reply, date)
        except Exception as error:  # noqa: BLE001 - a reply that breaks the rules is our fault, and is not sent
            self._report(error)
            reply.close()
            reply.validator = None  # what goes out instead must not be remembered
            reply = (
                error_reply(error.status, error.detail)
                if isinstance(error, RequestError)  # from a body that could not begin
                else error_reply(500, "the server made an answer that cannot be sent")
            )
            producer = None
            head = self._head(reply, date)
        self.status = reply.status
        self.sent = 0
        self.late = False
        body = reply.body
        last = self.wire.must_close  # then the end follows, and leaves with it
        if not self.wire.reply_has_body:
            reply.close()
            self.stream.write(head, last)
            self._finish()
        elif isinstance(body, bytes):
            self.sent = len(body)
            self.stream.write(head + self.wire.send_data(body) if body else head, last)
            self._finish()
        elif isinstance(body, FileBody):
            self._send_file(head, body)
        else:
            self._unsent = head  # leaves with the first piece
            self._reply = reply
            self._producer = producer
            from poise.http.feed import Feed

            if isinstance(body, Feed):
                self._begin_feed(body)
            self.pump()
            self.late = self._producer is not None
        return head

    def _begin(self, reply: Reply) -> Iterator[bytes] | None:
        """What produces the body, with its first piece made: a producer that fails at once can still be a 500."""
        asked = self.wire.head
        if isinstance(reply.body, (bytes, FileBody)):
            return None
        from poise.http.feed import Feed  # no file is one

        if isinstance(reply.body, Feed):
            reply.body.claim()
        producer = iter(reply.body)
        if asked is None or asked.method == "HEAD" or reply.status in WITHOUT_CONTENT:
            return producer
        first = next(producer, None)
        if first is None:
            return iter(())
        return chain((first,), producer) if first else producer

    def _head(self, reply: Reply, date: str) -> bytes:
        return self.wire.send_reply(reply.status, reply.fields, length=reply.length, date=date)

    def _send_file(self, head: bytes, body: FileBody) -> None:
        self.sent = body.count
        self.stream.write(head, more=bool(body.count))
        self.wire.count_sent(body.count)
        fd, body.fd = body.fd, -1  # the stream owns it now, whatever happens
        self.stream.sendfile(fd, body.offset, body.count)
        self._finish()

    def _begin_feed(self, feed: Feed) -> None:
        self._feed = feed
        if not feed.endless:
            return
        if self.wire.input_ended or self.wire.buffered > self.stream.limits.portion:
            feed.end()
        elif isinstance(self.stream.peer, tuple):
            # Nothing that is sent may ever show that the client has vanished, so the kernel asks now and then.
            try:
                self.stream.set_option("keepalive", True)
                self.stream.set_option("keepalive_idle", self.wire.limits.probe)
            except MachineFault:  # it has left already
                pass

    def end_endless(self) -> None:
        """The client has left, or asks for so much else that nobody reads it, or the server stops."""
        if self._feed is not None and self._feed.endless:
            self._feed.end()
            self.pump()

    def hold(self) -> None:
        """The client does not take what it was sent."""
        self._held = True

    def go_on(self) -> None:
        self._held = False
        if self._producer is not None:
            self.pump()

    def pump(self) -> None:
        """Produce more of the body: of bytes, pieces and time no more than a turn's share."""
        posted, self._posted = self._posted, None
        if posted is not None:
            posted.cancel()
        silent = False
        budget = self.stream.limits.write_size
        pieces = self.wire.limits.pieces
        clock = self.stream.reactor.clock.monotonic
        end = clock() + self.wire.limits.turn_time
        try:
            while self._producer is not None and budget > 0 and pieces and not self._held and not silent:
                pieces -= 1
                data = next(self._producer, None)
                if data is None:
                    self.close()
                    self._finish()
                elif data:
                    budget -= len(data)
                    framed = self.wire.send_data(data)
                    self.sent += len(data)
                    self._write(framed)
                else:
                    silent = self._feed is not None
                if clock() >= end:
                    break
        except Exception as error:  # noqa: BLE001 - whatever a producer raises, the loop goes on
            # Half a reply is out: only cutting the connection tells the client that it is not whole.
            self._report(error)
            self.stream.fail(error)
            return
        if self._producer is not None:
            self._write(b"")  # the first piece is not ready, but what is known of the reply is
            if silent and self._feed is not None:
                self._feed.wake = self._pump_soon
            elif not self._held:
                self._pump_soon()

    def _report(self, error: Exception) -> None:
        """Unless it is nobody's fault here: of somebody out there, whom the body came from, or of a file cut meanwhile."""
        from poise.net.outgoing import Truncated

        if not isinstance(error, (PeerFault, ConnectionError, Truncated)):
            self.stream.reactor.on_error(error)

    def _pump_soon(self) -> None:
        if self._feed is not None:
            self._feed.wake = None  # once is enough
        self._posted = self.stream.reactor.call_soon(self.pump)

    def _finish(self) -> None:
        self._write(self.wire.end_reply())
        self._ended()

    def _write(self, data: bytes) -> None:
        head, self._unsent = self._unsent, b""
        if head or data:
            self.stream.write(head + data)
        if self.stream.is_mute():
            self.stream.abort()  # nobody is left to answer

    def close(self) -> None:
        """Let go of what produces the body: it has ended, or is given up."""
        producer, self._producer = self._producer, None
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.wake = None
        reply, self._reply = self._reply, None
        try:
            close = getattr(producer, "close", None)
            if close is not None:
                close()
        finally:
            if reply is not None:
                reply.close()  # what is iterated over is not always what iterates

    def fail(self, error: Exception) -> None:
        """A posted call of ours raised, which has been reported."""
        self.stream.fail(error)
