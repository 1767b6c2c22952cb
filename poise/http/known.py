"""The hot path: a head whose reply is known is answered there and then, without parsing it.

From the turn of the loop to the kernel these are the steps, and there are no others::

    Reactor.turn        the kernel says whose input is there
    Stream._on_ready    one recv(2)
    Known.data_received one look into the memo, one into the clock of this turn
    Output.write        one send(2)

A connection gets here only when it is idle: nothing of its input is unanswered, nothing of its output waits. So what
came begins where a head must begin, and a reply that is found for it is the next one that is due.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from poise.net.address import client_of
from poise.net.protocol import Protocol
from poise.wire.http.head import HEAD_END

if TYPE_CHECKING:
    from poise.http.memo import Memo
    from poise.http.remembered import Remembered
    from poise.http.server import HTTPServer
    from poise.loop.timers import Deadline
    from poise.net.newcomer import AtOnce
    from poise.net.stream import Stream


class Phase(enum.IntEnum):
    FRESH = 0  # connected, nothing received yet
    IDLE = 1  # between requests
    HEAD = 2  # part of a head received
    BODY = 3  # head received, body on its way
    HANDLING = 4  # the handler answers later
    REPLYING = 5  # a reply's body is being produced
    CLOSING = 6


# An enum's members are looked up through its metaclass; on the hot path a plain global is what counts.
FRESH, IDLE, HEAD, BODY, HANDLING, REPLYING, CLOSING = Phase


class Known(Protocol):
    """The part of an exchange that answers what is known. Not used itself: the base of Exchange."""

    __slots__ = ("_client", "_deadline", "_memo", "_phase", "_server", "_stream")

    _client: str  # for the log
    _deadline: Deadline
    _memo: Memo
    _phase: Phase
    _server: HTTPServer
    _stream: Stream

    def data_received(self, data: bytes) -> None:
        server = self._server
        stream = self._stream
        if self._phase is IDLE and stream.outgoing is None:
            memo = self._memo
            entry = memo.young.get(data) or memo.find(data)
            if entry is not None:
                now = server.reactor.now
                if now < entry.good_until or memo.renew(data, entry, now):
                    self._deadline.since = now
                    stream.write(entry.data)
                    if server.logging is not None:
                        server.logging.again(self._client, entry.logged)
                    if entry.last:
                        self._close(linger=False)
                    return
            elif data.find(HEAD_END) != len(data) - len(HEAD_END):
                self._take_several(data)
                return
        self._take(data)

    def _take_first(self, data: bytes) -> bool:
        """Answer the first request of a connection, when it is to have no other; False when that is not known."""
        entry = entry_for(self._server, self._memo, data, True)
        if entry is None:
            return False
        self._stream.write(entry.data, True)  # what follows is the end
        if self._server.logging is not None:
            self._server.logging.again(self._client, entry.logged)
        self._close(linger=False)
        return True

    def _take_several(self, data: bytes) -> None:
        """Answer as many of the heads that ``data`` begins with as are known; the replies leave in one piece."""
        server, memo, stream = self._server, self._memo, self._stream
        share, room = server.limits.requests_per_turn, stream.limits.write_size
        replies: list[bytes | bytearray] = []
        begin, size = 0, len(data)
        while begin < size and room > 0 and len(replies) < share:
            end = data.find(HEAD_END, begin) + len(HEAD_END)
            entry = entry_for(server, memo, data[begin:end], False)
            if entry is None:
                break
            replies.append(entry.data)
            if server.logging is not None:
                server.logging.again(self._client, entry.logged)
            room -= len(entry.data)
            begin = end
        if replies:
            self._deadline.since = server.reactor.now
            stream.write(b"".join(replies))
        if begin < size:
            self._take(data[begin:], later=len(replies) == share or room <= 0)

    def _take(self, data: bytes, *, later: bool = False) -> None:
        """Feed bytes that are not answered here; ``later`` when this turn has had its share."""
        raise NotImplementedError

    def _close(self, *, linger: bool) -> None:
        raise NotImplementedError


def entry_for(server: HTTPServer, memo: Memo, head: bytes, last: bool) -> Remembered | None:
    """What ``head`` is answered with, when that is known and ends the connection or not, as ``last`` says."""
    entry = memo.young.get(head) or memo.find(head)
    if entry is None or entry.last is not last:
        return None
    now = server.reactor.now
    return entry if now < entry.good_until or memo.renew(head, entry, now) else None


def greeter(server: HTTPServer, memo: Memo) -> AtOnce:
    """Who knows all that a newcomer gets whose one request, which is to be its last, has a reply that is known."""

    def at_once(said: bytes, peer: Any) -> bytes | bytearray | None:
        entry = entry_for(server, memo, said, True)
        if entry is None:
            return None
        if server.logging is not None:
            server.logging.again(client_of(peer), entry.logged)
        return entry.data

    return at_once
