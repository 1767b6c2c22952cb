"""Drives a ServerConnection the way a server does that answers every request with 200 as soon as it is
whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.connection import Data, EndOfMessage, Parse, ServerConnection
from poise.wire.http.head import RequestHead, parse_head
from poise.wire.http.states import State

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LIMITS = HttpLimits()


@dataclass
class Exchange:
    """One request as far as it came."""

    head: RequestHead
    body: bytes = b""
    whole: bool = False
    trailers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Transcript:
    """Everything that came out of a byte stream."""

    exchanges: list[Exchange] = field(default_factory=list)
    error: RequestError | None = None
    state: State = State.IDLE

    @property
    def whole(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.whole]

    @property
    def status(self) -> int | None:
        """What the client sees first: 200, the status of the fault, or None while the server waits."""
        if self.whole:
            return 200
        return self.error.status if self.error else None

    def facts(self) -> object:
        """What must not depend on how the stream was cut."""
        error = (self.error.status, self.error.detail) if self.error else None
        return self.exchanges, error, self.state


def drive(pieces: Iterable[bytes], limits: HttpLimits = LIMITS, parse: Parse = parse_head) -> Transcript:
    """Feed ``pieces`` one after the other and answer what comes out."""
    connection = ServerConnection(limits, parse)
    transcript = Transcript()
    for piece in pieces:
        connection.feed(piece)
        _answer(connection, transcript)
    transcript.state = connection.state
    return transcript


def byte_by_byte(raw: bytes) -> Iterator[bytes]:
    return (raw[i : i + 1] for i in range(len(raw)))


def _answer(connection: ServerConnection, transcript: Transcript) -> None:
    try:
        while (event := connection.next_event()) is not None:
            match event:
                case RequestHead():
                    transcript.exchanges.append(Exchange(event))
                case Data(data):
                    transcript.exchanges[-1].body += data
                case EndOfMessage(trailers):
                    transcript.exchanges[-1].whole = True
                    transcript.exchanges[-1].trailers = list(trailers)
                    connection.send_reply(200, (), length=0, date=DATE)
                    connection.end_reply()
    except RequestError as error:
        transcript.error = error
        if connection.can_reply:
            connection.send_reply(error.status, (), length=0, date=DATE)
            connection.end_reply()
