"""Access logs that say more than the common log format: combined, and JSON.

They cost nothing to a server that has chosen neither: each is a subclass of :class:`~poise.http.log.AccessLog`, put in its
place when the server is made. What a client says of itself is escaped like its request line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

from poise.http.log import AccessLog, Row, escape
from poise.limits import LogLimits
from poise.loop.reactor import Reactor

if TYPE_CHECKING:
    from poise.http.message import Request


class KnownLine(str):
    """A request line that knows more of its request; what was refused, or added by hand, is a plain str.

    ``began`` is the loop's time at the end of its head, 0 when one of many requests to which the same reply was sent.
    """

    __slots__ = ("agent", "began", "method", "referer", "target")

    method: str
    target: str
    referer: str | None
    agent: str | None
    began: float

    @property
    def size(self) -> int:
        """Bytes besides those of the line itself, about."""
        return len(self.referer or "") + len(self.agent or "")


class DetailedLog(AccessLog):
    """What the formats here have in common: lines that know their referer and user agent."""

    looked_at = frozenset({"referer", "user-agent"})

    def line_of(self, request: Request, began: float) -> str:
        line = KnownLine(request.line)
        fields = request.head.fields
        line.method, line.target, line.began = request.head.method, request.head.target, began
        line.referer, line.agent = fields.get("referer"), fields.get("user-agent")
        return line

    def add(self, client: str, line: str, status: int, length: int) -> None:
        if isinstance(line, KnownLine):
            self._size += line.size
        super().add(client, line, status, length)


class CombinedLog(DetailedLog):
    """An AccessLog in the combined format of Apache and nginx: common, and then Referer and User-Agent in quotes."""

    def _lines(self, waiting: Iterable[Row], offset: float) -> Iterator[str]:
        rows = list(waiting)
        for row, text in zip(rows, super()._lines(rows, offset), strict=True):
            line = row[2]
            referer, agent = (line.referer, line.agent) if isinstance(line, KnownLine) else (None, None)
            yield f'{text[:-1]} "{escape(referer or "-")}" "{escape(agent or "-")}"\n'


class JSONLog(DetailedLog):
    """An AccessLog of JSON objects, one a line (https://jsonlines.org), in ASCII, for programs.

    ``time`` (when the reply was handed over; RFC 3339, UTC), ``client``, ``method``, ``target``, ``status``, ``bytes`` of the
    reply's body, ``duration`` (seconds from the request's head to the end of its reply), ``referer`` and ``user_agent``.
    What is not known is null. A request that made no sense has no method and no target, but a ``line``, as it came.
    """

    def __init__(
        self, reactor: Reactor, write: Callable[[str], object], limits: LogLimits | None = None
    ) -> None:
        super().__init__(reactor, write, limits)
        self._durations: list[float | None] = []  # as long as what waits

    def add(self, client: str, line: str, status: int, length: int) -> None:
        reactor = self._reactor
        duration = None
        if isinstance(line, KnownLine):  # one that has begun in this turn did so when the loop heard of it
            duration = reactor.clock.monotonic() - (line.began or reactor.now)
        self._durations.append(duration)
        super().add(client, line, status, length)

    def _lines(self, waiting: Iterable[Row], offset: float) -> Iterator[str]:
        durations, self._durations = self._durations, []
        stamps: dict[int, str] = {}
        for (when, client, line, status, length), duration in zip(waiting, durations, strict=True):
            second, fraction = divmod(when + offset, 1)
            stamp = stamps.get(int(second))
            if stamp is None:
                stamp = stamps[int(second)] = datetime.fromtimestamp(second, UTC).strftime(
                    "%Y-%m-%dT%H:%M:%S"
                )
            method = target = referer = agent = None
            end = "}\n"
            if isinstance(line, KnownLine):
                method, target, referer, agent = line.method, line.target, line.referer, line.agent
            else:
                end = f',"line":{_text(line)}}}\n'
            took = "null" if duration is None else f"{duration:.6f}"
            yield (
                f'{{"time":"{stamp}.{int(fraction * 1000):03}Z","client":{_text(client or None)}'
                f',"method":{_text(method)},"target":{_text(target)},"status":{status},"bytes":{length}'
                f',"duration":{took},"referer":{_text(referer)},"user_agent":{_text(agent)}{end}'
            )


def _text(text: str | None) -> str:
    """A JSON string in ASCII without a control character (RFC 8259, 7), or null."""
    if text is None:
        return "null"
    return encode_basestring_ascii(text).replace("\x7f", "\\u007f")
