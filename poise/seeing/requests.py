"""HTTP requests as one thing each, from the first byte of the head to the last of the reply. At the level FULL only.

What the loop does for a request is spread over calls, and many turns where it is slow. So while somebody watches at that level
the steps at which one begins and ends are hidden by functions that note them and go on (:mod:`poise.seeing.swapping`), and
given back afterwards: a request that nobody wants to see makes the calls that it always made.

* A reply that is made ends when it was handed over and, as in the log, when a client that is behind has taken it, or has left.
* A reply that is **remembered** is a step by itself. Which one it was is asked of the memo, of which nothing is taken.
* A **newcomer** that is answered before it is let in never has a descriptor that the loop knows: its request is the listener's.

A record is written when a head was read, as under way, and another one when its reply has ended: a loop that is stuck in a request
has not ended it. Of its target the path is kept, shortened, and not the query, which may have secrets in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poise.http import known
from poise.http.exchange import GONE, Exchange
from poise.http.known import HANDLING, IDLE
from poise.http.memo import Memo
from poise.http.remembered import Remembered
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.loop.seat import REQUEST, Seat
from poise.net.stream import Stream
from poise.seeing.stacks import running
from poise.seeing.swapping import Function, Make, Swap
from poise.wire.http.head import HEAD_END, RequestHead

if TYPE_CHECKING:
    from poise.http.server import HTTPServer

UNDER_WAY: Final = -1  # in place of how long it took


class Asked:
    """A request that has begun."""

    __slots__ = ("began", "method", "path", "seat", "unanswered")

    def __init__(self, began: int, seat: Seat | None) -> None:
        self.began = began
        self.seat = seat
        self.method = self.path = ""
        self.unanswered = False  # nobody is left to hear the reply, of which nothing was sent


class Answer(NamedTuple):
    """A reply that was handed over, and waits for a client that is behind."""

    asked: Asked
    status: int
    sent: int


class Way:
    """One portion of input on its way through an exchange."""

    __slots__ = ("exchange", "fed", "found", "known", "mark")

    def __init__(self, exchange: Exchange, now: int, found: Remembered | None) -> None:
        self.exchange = exchange
        self.mark = now  # when the last of its requests was answered
        self.found = found  # what the memo has for it
        self.known = False  # some of it was answered from the memo, and is written down
        self.fed = False  # some of it went the longer way


class Requests:
    """The requests of the servers on one reactor, from ``begin()`` to ``end()``."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._since = 0
        self._asked: dict[Exchange, Asked] = {}
        self._behind: dict[Exchange, Answer] = {}
        self._lines: dict[bytes, tuple[str, str]] = {}
        self._kept = 0  # bytes of their heads
        self._way: Way | None = None

    def begin(self) -> None:
        """Note them from now on. For the loop's thread; twice is no error."""
        if _hearing.get(self._probe.reactor) is not self:
            self._forget()
            self._since = self._probe.nanoseconds()
            _hearing[self._probe.reactor] = self
            for swap in _swaps:
                swap.put()

    def end(self) -> None:
        """Note none. From any thread; twice is no error."""
        if _hearing.get(self._probe.reactor) is self:
            del _hearing[self._probe.reactor]
            self._forget()
            if not _hearing:
                for swap in _swaps:
                    swap.take_back()

    def _forget(self) -> None:
        self._asked.clear()
        self._behind.clear()
        self._lines.clear()
        self._kept = 0

    # -- the steps of a request ------------------------------------------------------------------

    def received(self, exchange: Exchange, data: bytes, go_on: Function) -> None:
        """Input has come; what the memo answers is over when this returns."""
        before = self._way
        way = self._way = Way(exchange, self._probe.nanoseconds(), exchange._memo.young.get(data))
        seat = self._seat(exchange)  # the last reply of a connection takes it away
        try:
            go_on(exchange, data)
        finally:
            self._way = before
        if way.found is not None and not way.known and not way.fed:
            self._remembered(seat, data, way.found, way.mark)

    def takes(self, exchange: Exchange, _data: bytes) -> None:
        """Input goes the longer way; between two requests it is the beginning of one."""
        way = self._way
        if way is not None and way.exchange is exchange:
            way.fed = True
        if exchange._phase is IDLE:
            now = self._probe.nanoseconds() if way is None else way.mark
            self._asked[exchange] = Asked(now, self._seat(exchange))

    def found(self, memo: Memo, entry: Remembered) -> None:
        """The memo has ``entry`` for somebody, under another key than all that was said."""
        way = self._way
        if way is not None and way.exchange._memo is memo:
            way.found = entry

    def known(self, head: bytes, entry: Remembered) -> None:
        """The memo answers ``head``, one of several that came at once, or the only one of its connection."""
        way = self._way
        now = self._probe.nanoseconds()
        if way is None:
            self._remembered(self._listener(), head, entry, now)
            return
        way.known = True
        self._remembered(self._seat(way.exchange), head, entry, way.mark)
        way.mark = now

    def begins(self, exchange: Exchange, head: RequestHead) -> None:
        """A head was read."""
        asked = self._asked.get(exchange)
        if asked is None:  # it came together with the one before it
            asked = self._asked[exchange] = Asked(self._probe.nanoseconds(), self._seat(exchange))
        asked.method, asked.path = head.method, self._shown(head.target)
        asked.seat = asked.seat or self._seat(exchange)
        if asked.seat is not None:
            self._write(asked.began, UNDER_WAY, asked.seat, asked.method, asked.path, 0, 0)

    def ends(self, exchange: Exchange) -> None:
        """Its reply was handed over, or cut short."""
        asked = self._asked.pop(exchange, None) or Asked(self._since, self._seat(exchange))
        request, wire, replying = exchange._request, exchange._wire, exchange._replying
        if wire is None or replying is None:
            return
        if not asked.method and request is not None:  # it was under way before anybody looked
            asked.method, asked.path = request.method, self._shown(request.head.target)
        elif not asked.method:
            asked.path = self._shown(wire.refused_line)
        answer = Answer(asked, replying.status or GONE, replying.sent)
        if asked.unanswered:
            answer = Answer(asked, GONE, 0)
        if exchange._held:
            self._behind[exchange] = answer
        else:
            self._over(exchange, answer)

    def taken(self, exchange: Exchange, unsent: int) -> None:
        """The client has taken its reply, or has left all but that."""
        answer = self._behind.pop(exchange, None)
        if answer is not None:
            self._over(exchange, answer._replace(sent=max(0, answer.sent - unsent)))

    def leaves(self, exchange: Exchange) -> None:
        """The connection is about to be lost."""
        asked = self._asked.get(exchange)
        if asked is not None:
            asked.unanswered = exchange._phase <= HANDLING

    def left(self, exchange: Exchange) -> None:
        """It was lost, and what was not asked to the end never will be."""
        self._asked.pop(exchange, None)

    # -- what is written down --------------------------------------------------------------------

    def _over(self, exchange: Exchange, answer: Answer) -> None:
        asked = answer.asked
        seat = asked.seat or self._seat(exchange) or self._listener()
        if seat is not None:
            now = self._probe.nanoseconds()
            self._write(now, now - asked.began, seat, asked.method, asked.path, answer.status, answer.sent)

    def _remembered(self, seat: Seat | None, head: bytes, entry: Remembered, began: int) -> None:
        if self._way is not None:
            self._asked.pop(self._way.exchange, None)  # its first bytes
        if seat is not None:
            line = self._lines.get(head) or self._line(head)
            data = entry.data
            status = int(data[9:12])  # HTTP/1.1 200
            sent = len(data) - data.find(HEAD_END) - len(HEAD_END)
            now = self._probe.nanoseconds()
            self._probe.write((REQUEST, now, now - began, seat, *line, status, sent))

    def _line(self, head: bytes) -> tuple[str, str]:
        """Method and path of a head. The same ones come again and again."""
        method, target, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ", 2)
        line = method, self._shown(target)
        self._kept += len(head)
        if self._kept <= self._probe.limits.heads:
            self._lines[head] = line
        return line

    def _write(self, at: int, took: int, seat: Seat, *about: Any) -> None:
        self._probe.write((REQUEST, at, took, seat, *about))

    def _seat(self, exchange: Exchange) -> Seat | None:
        stream = exchange._stream
        fd = stream._fd if type(stream) is Stream else stream.get_extra_info("fd", -1)
        return self._probe.seats.get(fd)

    def _listener(self) -> Seat | None:
        """Who is being called: what a newcomer asks for is answered in the call that lets it in."""
        found = running(sys._getframe())
        return None if found is None else found.seat

    def _shown(self, target: str) -> str:
        path, query, _ = target.partition("?")
        most = self._probe.limits.path
        cut = path if len(path) <= most else path[: most - 1] + "…"
        safe = "".join(letter if letter.isprintable() else "\ufffd" for letter in cut)
        return safe + "?…" if query else safe


_hearing: dict[Reactor, Requests] = {}


def _of(exchange: Exchange, alive: list[bool]) -> Requests | None:
    return _hearing.get(exchange._server.reactor) if alive else None


def _data_received(before: Function, alive: list[bool]) -> Function:
    def data_received(self: Exchange, data: bytes) -> None:
        requests = _of(self, alive)
        if requests is None:
            before(self, data)
        else:
            requests.received(self, data, before)

    return data_received


def _noting(note: Callable[..., None]) -> Make:
    """``note(requests, exchange, …)`` with what the method of an exchange is called with, and then the method."""

    def make(before: Function, alive: list[bool]) -> Function:
        def noted(self: Exchange, *arguments: Any, **options: Any) -> None:
            if (requests := _of(self, alive)) is not None:
                note(requests, self, *arguments)
            before(self, *arguments, **options)

        return noted

    return make


def _connection_lost(before: Function, alive: list[bool]) -> Function:
    def connection_lost(self: Exchange, error: Exception | None) -> None:
        requests = _of(self, alive)
        if requests is not None:
            requests.leaves(self)
        before(self, error)
        if requests is not None:
            requests.left(self)

    return connection_lost


def _find(before: Function, alive: list[bool]) -> Function:
    def find(self: Memo, head: bytes) -> Remembered | None:
        found: Remembered | None = before(self, head)
        if found is not None and alive:
            for requests in list(_hearing.values()):
                requests.found(self, found)
        return found

    return find


def _entry_for(before: Function, alive: list[bool]) -> Function:
    def entry_for(server: HTTPServer, memo: Memo, head: bytes, last: bool) -> Remembered | None:
        found: Remembered | None = before(server, memo, head, last)
        requests = _hearing.get(server.reactor) if alive else None
        if found is not None and requests is not None:
            requests.known(head, found)
        return found

    return entry_for


_swaps: Final = (
    Swap(Exchange, "data_received", _data_received),
    Swap(Exchange, "_take", _noting(Requests.takes)),
    Swap(Exchange, "_begin_request", _noting(Requests.begins)),
    Swap(Exchange, "_log_request", _noting(Requests.ends)),
    Swap(Exchange, "_log_now", _noting(Requests.taken)),
    Swap(Exchange, "connection_lost", _connection_lost),
    Swap(Memo, "find", _find),
    Swap(known, "entry_for", _entry_for),
)
