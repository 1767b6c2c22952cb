"""Clients without manners: raw bytes out, every byte that comes back in, never for ever."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

PATIENCE = 10.0  # seconds
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\x20-\x7e]*")
FIELD = re.compile(rb"([A-Za-z0-9-]+): ([\x20-\x7e\t]*)")
CHUNK = re.compile(rb"([0-9a-fA-F]+)\r\n")
RECEIVE = 1 << 18


class NotHttp(AssertionError):
    """What came back is no sequence of HTTP/1.1 replies."""


@dataclass
class Answer:
    """One reply. ``whole`` is False when the stream ended inside its body; ``delimited`` when only its end ends it."""

    status: int
    fields: dict[str, str]
    body: bytes
    whole: bool = True
    delimited: bool = True


@dataclass
class Outcome:
    """What one connection has seen. ``ended`` is the peer's end of stream or reset, not the end of our patience."""

    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: bool = False
    seconds: float = 0.0  # from the beginning to the end

    @property
    def answers(self) -> list[Answer]:
        return answers(bytes(self.data))

    @property
    def status(self) -> int:
        """The status of the first final reply; 0 without one."""
        return next((each.status for each in self.answers if each.status >= 200), 0)


def answers(data: bytes, *, strict: bool = True, methods: Sequence[str] = ()) -> list[Answer]:
    """The replies in ``data``, framed as RFC 9112 section 6.3 says.

    A reply to HEAD has the Content-Length of its GET and no body. ``methods`` names what was asked, in order; where it
    does not reach, a body that is missing altogether is taken for one that was never to come. Not ``strict``: an
    unfinished head at the end, of a connection that was cut, is left out.
    """
    found: list[Answer] = []
    at = 0
    finals = 0
    while at < len(data):
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if strict:
                raise NotHttp(f"an unfinished head: {data[at : at + 200]!r}")
            break
        answer = _head(data[at:end])
        final = answer.status >= 200
        method = methods[finals] if final and finals < len(methods) else None
        at = _body(data, end + 4, answer, method)
        finals += final
        found.append(answer)
    return found


def _head(head: bytes) -> Answer:
    lines = head.split(b"\r\n")
    status = STATUS_LINE.fullmatch(lines[0])
    if status is None:
        raise NotHttp(f"no status line: {lines[0][:200]!r}")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        match = FIELD.fullmatch(line)
        if match is None:
            raise NotHttp(f"no field: {line[:200]!r}")
        name = match[1].decode().lower()
        if name in fields and name in ("content-length", "transfer-encoding", "location", "date"):
            raise NotHttp(f"twice: {line[:200]!r}")
        fields[name] = match[2].decode()
    return Answer(int(status[1]), fields, b"")


def _body(data: bytes, at: int, answer: Answer, method: str | None) -> int:
    """Fill in the body of ``answer`` from ``at``; where the next reply begins."""
    status, fields = answer.status, answer.fields
    if status < 200 or status in (204, 304):
        if "transfer-encoding" in fields or (status != 304 and "content-length" in fields):
            raise NotHttp(f"{status} with framing: {fields}")
        return at
    if method == "HEAD" or (method is None and (at == len(data) or data.startswith(b"HTTP/1.1 ", at))):
        return at
    if "transfer-encoding" in fields:
        if fields["transfer-encoding"] != "chunked" or "content-length" in fields:
            raise NotHttp(f"wrong framing: {fields}")
        return _chunks(data, at, answer)
    if "content-length" in fields:
        end = at + int(fields["content-length"])
        answer.body = data[at:end]
        answer.whole = len(data) >= end
        return end
    answer.delimited = False
    answer.body = data[at:]
    return len(data)


def _chunks(data: bytes, at: int, answer: Answer) -> int:
    parts: list[bytes] = []
    while True:
        match = CHUNK.match(data, at)
        if match is None:
            if b"\r\n" in data[at : at + 20]:
                raise NotHttp(f"no chunk: {data[at : at + 40]!r}")
            break
        size = int(match[1], 16)
        end = match.end() + size
        if len(data) < end + 2:
            parts.append(data[match.end() : end])
            break
        if data[end : end + 2] != b"\r\n":
            raise NotHttp(f"a chunk without its end: {data[end : end + 40]!r}")
        if not size:
            answer.body = b"".join(parts)
            return end + 2
        parts.append(data[match.end() : end])
        at = end + 2
    answer.body = b"".join(parts)
    answer.whole = False
    return len(data)


@contextmanager
def connected(port: int, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A blocking connection with a time limit on every call."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0)) as sock:
        yield sock


def read_answer(sock: socket.socket, method: str = "GET") -> Answer:
    """One whole final reply from a connection that stays open. Raises TimeoutError, or NotHttp when it ends."""
    return read_head_and_answer(sock, method)[1]


def read_head_and_answer(sock: socket.socket, method: str = "GET") -> tuple[bytes, Answer]:
    """The same, and its head as it came, without the empty line at its end; no interim reply may come before it."""
    data = b""
    while True:
        if b"\r\n\r\n" in data:
            found = answers(data, strict=False, methods=[method])
            if found and found[-1].status >= 200 and found[-1].whole:
                return data.partition(b"\r\n\r\n")[0], found[-1]
        more = sock.recv(RECEIVE)
        if not more:
            raise NotHttp(f"ended: {data[-200:]!r}")
        data += more


def get(port: int, path: str = "/", *, fields: str = "", method: str = "GET") -> Answer:
    """One request on a connection of its own."""
    with connected(port) as sock:
        sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode("latin-1"))
        return read_answer(sock, method)


def exchange(port: int, raw: bytes, *, patience: float = PATIENCE, finish: bool = False) -> Outcome:
    """Send ``raw`` on a fresh connection and read until it ends; ``finish`` sends our FIN behind it."""
    return exchange_all(port, [raw], patience=patience, finish=finish)[0]


def never(_data: bytearray) -> bool:
    return False


def exchange_all(
    port: int,
    raws: Sequence[bytes],
    *,
    patience: float = PATIENCE,
    finish: bool = False,
    enough: Callable[[bytearray], bool] = never,
    source: str = "127.0.0.1",
) -> list[Outcome]:
    """The same for many at once, each on its own connection; ``enough(data)`` ends one before its peer does."""
    outcomes = [Outcome() for _ in raws]
    waiting = {}
    begun = time.monotonic()
    end = begun + patience
    try:
        for raw, outcome in zip(raws, outcomes, strict=True):
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
            sock.setblocking(False)
            waiting[sock] = (memoryview(raw), outcome)
        while waiting and time.monotonic() < end:
            writers = [sock for sock, (rest, _) in waiting.items() if rest]
            readers = list(waiting)
            readable, writable, _ = select.select(readers, writers, [], max(0.0, end - time.monotonic()))
            for sock in writable:
                rest, outcome = waiting[sock]
                try:
                    rest = rest[sock.send(rest[:RECEIVE]) :]
                except OSError:  # it has closed already: what it said is still to be read
                    rest = rest[:0]
                waiting[sock] = (rest, outcome)
                if finish and not rest:
                    _finish(sock)
            for sock in readable:
                outcome = waiting[sock][1]
                _receive(sock, outcome)
                if outcome.ended or enough(outcome.data):
                    outcome.seconds = time.monotonic() - begun
                    del waiting[sock]
                    sock.close()
    finally:
        for sock in waiting:
            sock.close()
    return outcomes


def _finish(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:  # the peer was faster
        pass


def _receive(sock: socket.socket, outcome: Outcome) -> None:
    try:
        data = sock.recv(RECEIVE)
    except BlockingIOError:
        return
    except OSError:
        outcome.ended = outcome.reset = True
        return
    outcome.data += data
    outcome.ended = not data
