"""A writer that replaces one file again and again, and readers that take down which version they got, and when.

Every version says its number in each of its lines, and has a length of its own, so that two of them in one reply are seen.
The writer notes when it began to put a version in its place and when that was done; a reader notes when it asked and when it had the
answer. All clocks are one, so nothing has to be allowed for but the freshness that is documented.
"""

from __future__ import annotations

import gzip
import os
import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.client import NotHttp, connected

PATIENCE = 30.0  # seconds: for each reader to see a version that is at rest
LINE = 8  # bytes
LENGTHS = 997  # different ones
AT_REST = 5  # answers that a reader has from a file at rest before that is replaced
HEAD = re.compile(rb"HTTP/1\.1 (200|304) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")
FIELD = re.compile(rb"(?m)^(content-length|etag|content-encoding): ([^\r]*)\r$", re.IGNORECASE)
TAG = re.compile(rb'(W/)?"([0-9a-f]+-[0-9a-f]+)(?:-gzip)?"')


class Seen(NamedTuple):
    """One answer: when it was asked for, when it was there, and the number of its version."""

    asked: float
    there: float
    version: int


class Writer:
    """Replaces ``path`` by rename; each version has ``least`` lines or some more."""

    def __init__(self, path: Path, least: int) -> None:
        self.path = path
        self.begun: list[float] = []  # by version: from then on it may be seen
        self.done: list[float] = []  # and from then on no older one
        self.tags: dict[bytes, int] = {}
        self._least = least
        self._next = path.with_name(".next")
        self.replace()

    @property
    def latest(self) -> int:
        return len(self.done) - 1

    def replace(self) -> None:
        version = len(self.done)
        self._next.write_bytes(b"%07d\n" % version * (self._least + version % LENGTHS))
        found = self._next.stat()
        tag = b"%x-%x" % (found.st_mtime_ns, found.st_size)
        assert tag not in self.tags, "or nobody could tell the two by their tags"
        self.tags[tag] = version
        self.begun.append(time.monotonic())
        os.rename(self._next, self.path)
        self.done.append(time.monotonic())


class Got(NamedTuple):
    """An answer as it came."""

    status: int
    tag: bytes
    at_rest: bool
    body: bytes


class Reader(ABC):
    """Asks for the file on and on, in a way of its own."""

    slack = 0.0
    """Seconds by which an answer from memory may be older still."""

    def __init__(self, port: int, path: str, writer: Writer) -> None:
        self.seen: list[Seen] = []
        self.wrong: list[str] = []
        self.at_rest = (-1, 0)  # the version that was at rest, and how often it was seen so
        self.port = port
        self.path = path
        self.last = Got(0, b"", False, b"")
        self._writer = writer
        self._rest = b""

    @abstractmethod
    def run(self, stopping: threading.Event) -> None:
        """Ask until ``stopping`` is set."""

    def request(self, fields: str = "") -> bytes:
        return f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode()

    def ask(self, sock: socket.socket, request: bytes, count: int = 1) -> None:
        """Send ``request``, which has ``count`` replies, and take them down."""
        asked = time.monotonic()
        sock.sendall(request)
        for _ in range(count):
            self._take_down(asked, self._read(sock))

    def _read(self, sock: socket.socket) -> Got:
        data = self._rest
        while (head := HEAD.match(data)) is None:
            data += self._more(sock, data)
        fields = {name.lower(): value for name, value in FIELD.findall(head[0])}
        tag = TAG.fullmatch(fields.get(b"etag", b""))
        coded = fields.get(b"content-encoding") == b"gzip"
        size = int(fields[b"content-length"]) if head[1] == b"200" else 0
        parts, length = [data[head.end() :]], len(data) - head.end()
        while length < size:
            parts.append(self._more(sock, data))
            length += len(parts[-1])
        body = b"".join(parts)
        body, self._rest = body[:size], body[size:]
        # A file that is replaced while it is read has no tag: it was touched, if only to lose its name.
        return Got(
            int(head[1]),
            tag[2] if tag else b"",
            coded or (tag is not None and not tag[1]),
            gzip.decompress(body) if coded else body,
        )

    @staticmethod
    def _more(sock: socket.socket, data: bytes) -> bytes:
        more = sock.recv(1 << 18)
        if not more:
            raise NotHttp(f"ended: {data[:300]!r}")
        return more

    def _take_down(self, asked: float, got: Got) -> None:
        there = time.monotonic()
        version = self._writer.tags.get(got.tag, -1) if got.tag else int(got.body[:LINE])
        if got.status == 304 and got.tag != self.last.tag:
            self.wrong.append(f"unchanged, it says, but {self.last.tag!r} is {got.tag!r} now")
        if got.status == 200 and got.body != b"%07d\n" % version * (len(got.body) // LINE):
            self.wrong.append(f"head of version {version}, body {got.body[:LINE]!r}…{got.body[-LINE:]!r}")
        self.seen.append(Seen(asked, there, version))
        if got.at_rest:
            before, times = self.at_rest
            self.at_rest = (version, times + 1 if version == before else 1)
        self.last = got

    def judge(self, freshness: float) -> tuple[list[str], float]:
        """What was wrong with the answers, and by how many seconds the oldest of them was late (at most ``freshness``)."""
        wrong, oldest = list(self.wrong), 0.0
        allowed = freshness + self.slack if freshness else 0.0
        begun, done = self._writer.begun, self._writer.done
        for asked, there, version in self.seen:
            if version < 0 or begun[version] > there:
                wrong.append(f"version {version} was not there yet")
            elif version + 1 < len(done):
                late = asked - done[version + 1]
                oldest = max(oldest, late)
                if late > allowed:
                    wrong.append(f"version {version} was {late:.4f} s too old when it was asked for")
        return wrong, oldest


class Kept(Reader):
    """On one connection, always with the same bytes."""

    fields = ""

    def run(self, stopping: threading.Event) -> None:
        request = self.request(self.fields)
        with connected(self.port) as sock:
            while not stopping.is_set():
                self.ask(sock, request)


class Packed(Kept):
    """Would rather have it compressed."""

    fields = "Accept-Encoding: gzip\r\n"


class Numbered(Reader):
    """Each head is a new one, but for nothing that matters."""

    def run(self, stopping: threading.Event) -> None:
        with connected(self.port) as sock:
            while not stopping.is_set():
                self.ask(sock, self.request(f"X-Request-Id: {len(self.seen)}\r\n"))


class Conditional(Reader):
    """Asks whether what it has is still good."""

    def run(self, stopping: threading.Event) -> None:
        with connected(self.port) as sock:
            while not stopping.is_set():
                self.ask(sock, self.request(f'If-None-Match: "{self.last.tag.decode()}"\r\n'))


class Pipelined(Reader):
    """Several requests at a time."""

    def run(self, stopping: threading.Event) -> None:
        with connected(self.port) as sock:
            while not stopping.is_set():
                self.ask(sock, self.request() * 4, 4)


class Once(Reader):
    """A connection for each."""

    slack = 0.1  # whoever is accepted within a turn is answered by the clock of that turn's beginning

    def run(self, stopping: threading.Event) -> None:
        request = self.request("Connection: close\r\n")
        while not stopping.is_set():
            with connected(self.port) as sock:
                self.ask(sock, request)


READERS = (Kept, Packed, Numbered, Conditional, Pipelined, Once)


@contextmanager
def readers(port: int, path: str, writer: Writer) -> Iterator[list[Reader]]:
    """One reader of each kind, at work; what one of them fails with is among what was wrong."""
    made: list[Reader] = [kind(port, path, writer) for kind in READERS]
    stopping = threading.Event()

    def run(reader: Reader) -> None:
        try:
            reader.run(stopping)
        except Exception as error:
            reader.wrong.append(repr(error))

    threads = [threading.Thread(target=run, args=(reader,)) for reader in made]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        stopping.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def all_at_rest(made: Sequence[Reader], version: int) -> bool:
    """Whether each reader has had ``version`` from a file at rest, often enough that it came from memory."""
    for reader in made:
        assert not reader.wrong, (type(reader).__name__, reader.wrong[:3])
    return all(reader.at_rest[0] == version and reader.at_rest[1] >= AT_REST for reader in made)
