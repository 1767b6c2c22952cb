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


TOOK = "\0"


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


class DetailedLog(AccessLog):
    """What the formats here have in common: lines that know their referer and user agent."""

    looked_at = frozenset({"referer", "user-agent"})

    def line_of(self, request: Request, began: float) -> str:
        line = KnownLine(request.line)
        fields = request.head.fields
        line.method, line.target, line.began = request.head.method, request.head.target, began
        line.referer, line.agent = fields.get("referer"), fields.get("user-agent")
        return line


class CombinedLog(DetailedLog):
    """An AccessLog in the combined format of Apache and nginx: common, and then Referer and User-Agent in quotes."""

    def ending(self, line: str, status: int, length: int) -> str:
        referer, agent = (line.referer, line.agent) if isinstance(line, KnownLine) else (None, None)
        return f'{super().ending(line, status, length)[:-1]} "{escape(referer or "-")}" "{escape(agent or "-")}"\n'


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

    def ending(self, line: str, status: int, length: int) -> str:
        """With TOOK where the duration goes: what is in quotes has none."""
        method = target = referer = agent = None
        end = "}\n"
        if isinstance(line, KnownLine):
            method, target, referer, agent = line.method, line.target, line.referer, line.agent
        else:
            end = f',"line":{_text(line)}}}\n'
        return (
            f',"method":{_text(method)},"target":{_text(target)},"status":{status},"bytes":{length}'
            f',"duration":{TOOK},"referer":{_text(referer)},"user_agent":{_text(agent)}{end}'
        )

    def add(self, client: str, line: str, status: int, length: int) -> None:
        duration = None
        if isinstance(line, KnownLine):
            duration = self._reactor.clock.monotonic() - (line.began or self._reactor.now)
        self._durations.append(duration)
        super().again(client, self.ending(line, status, length))

    def again(self, client: str, ending: str) -> None:
        reactor = self._reactor
        self._durations.append(reactor.clock.monotonic() - reactor.now)  # it began when the loop heard of it
        super().again(client, ending)

    def _lines(self, waiting: Iterable[Row], offset: float) -> Iterator[str]:
        durations, self._durations = self._durations, []
        stamps: dict[int, str] = {}
        for (when, client, ending), duration in zip(waiting, durations, strict=True):
            second, fraction = divmod(when + offset, 1)
            stamp = stamps.get(int(second))
            if stamp is None:
                stamp = stamps[int(second)] = datetime.fromtimestamp(second, UTC).strftime(
                    "%Y-%m-%dT%H:%M:%S"
                )
            took = "null" if duration is None else f"{duration:.6f}"
            rest = ending.replace(TOOK, took, 1)
            yield f'{{"time":"{stamp}.{int(fraction * 1000):03}Z","client":{_text(client or None)}{rest}'


def _text(text: str | None) -> str:
    """A JSON string in ASCII without a control character (RFC 8259, 7), or null."""
    if text is None:
        return "null"
    return encode_basestring_ascii(text).replace("\x7f", "\\u007f")
