"""Requests of every kind without end, for a server that must not keep anything of them: random addresses, heads and methods.

They are pipelined, so that millions take minutes: a batch goes out on one connection while the server answers that on another. Most batches
are of what is answered from memory, since behind the first request of one that is not, all others are parsed, too. What is counted is
replies by status, and each request says which one it gets.
"""

from __future__ import annotations

import random
import re
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.files.support import put
from tests.support.client import PATIENCE

FILES = 40
BATCH = 30  # requests: no more than the server answers in one turn
CONNECTIONS = 4
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r]*\r\n")
LONGEST_STATUS = 100  # bytes
CODINGS = ("gzip", "br", "identity", "*;q=0.5")

Request = tuple[bytes, int]
"""Its bytes, and the status that it gets."""


def site(root: Path) -> None:
    """Files of several sizes, in several folders, one of them compressed beforehand."""
    for number in range(FILES):
        put(root / f"folder-{number % 7}" / f"{number}.txt", b"%d\n" % number * (1 + number * 20))
    put(root / "style.css", b"a { color: #123456; }\n" * 100)
    put(root / "style.css.gz", b"\x1f\x8b" + bytes(50))
    put(root / "index.html", b"<!doctype html><title>home</title>")
    put(root / "empty")


Kind = Callable[[], Request]


class Everything:
    """Makes requests of all kinds; ``known`` is the part of the batches that are answered from memory."""

    def __init__(self, seed: int, known: float) -> None:
        self._rng = random.Random(seed)
        self._known_part = known
        self._paths = [f"/folder-{number % 7}/{number}.txt" for number in range(FILES)]
        self._paths += ["/", "/style.css", "/empty", "/index.html"]
        self._known = [
            (f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode(), 200)
            for path in self._paths
            for fields in ("", "User-Agent: curl/8.5.0\r\nAccept: */*\r\n", "Accept-Encoding: gzip, br\r\n")
        ]
        self._from_memory: list[Kind] = [self.known, self.known, self.numbered, self.missing]
        self._others: list[Kind] = [
            self.asking,
            self.dressed,
            self.odd_method,
            self.head,
            self.conditional,
            self.partial,
            self.with_body,
        ]

    def batch(self) -> tuple[bytes, Counter[int]]:
        """Some requests in one piece, and how many replies of each status they get."""
        known = self._rng.random() < self._known_part
        kinds = self._from_memory if known else self._from_memory + self._others
        made = [kind() for kind in self._rng.choices(kinds, k=BATCH)]
        return b"".join(data for data, _ in made), Counter(status for _, status in made)

    def _random(self) -> str:
        return f"{self._rng.getrandbits(64):x}"

    def _path(self) -> str:
        return self._rng.choice(self._paths)

    @staticmethod
    def _request(path: str, fields: str = "", method: str = "GET", status: int = 200) -> Request:
        return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode(), status

    def known(self) -> Request:
        """To the byte what came before."""
        return self._rng.choice(self._known)

    def numbered(self) -> Request:
        """Another head each time, for nothing that matters."""
        return self._request(self._path(), f"X-Request-Id: {self._random()}\r\n")

    def missing(self) -> Request:
        return self._request(f"/{self._random()}", status=404)

    def asking(self) -> Request:
        """With a query that means nothing to a file."""
        return self._request(f"{self._path()}?{self._random()}={self._random()}")

    def dressed(self) -> Request:
        """Fields with random values, lengths and names."""
        rng = self._rng
        fields = {
            "User-Agent": "x" * rng.randrange(300) + self._random(),
            "Accept-Language": f"{self._random()};q=0.{rng.randrange(10)}",
            "Cookie": f"{self._random()}={self._random()}",
            f"X-{self._random()}": self._random(),
            "Accept-Encoding": rng.choice(CODINGS),
            "Referer": f"http://{self._random()}.example/",
        }
        chosen = rng.sample(sorted(fields), rng.randrange(1, len(fields)))
        return self._request(self._path(), "".join(f"{name}: {fields[name]}\r\n" for name in chosen))

    def odd_method(self) -> Request:
        known = self._rng.choice(("DELETE", "PATCH", "OPTIONS", ""))
        method = known or f"M{self._random().upper()}"
        return self._request(self._path(), method=method, status=204 if known == "OPTIONS" else 405)

    def head(self) -> Request:
        return self._request(self._path(), method="HEAD")

    def conditional(self) -> Request:
        if self._rng.random() < 0.5:
            return self._request(self._path(), "If-None-Match: *\r\n", status=304)
        return self._request(self._path(), f'If-None-Match: "{self._random()}", W/"{self._random()}"\r\n')

    def partial(self) -> Request:
        path = self._paths[FILES - 1]
        return self._request(
            path, f"Range: bytes={self._rng.randrange(100)}-{100 + self._rng.randrange(900)}\r\n", status=206
        )

    def with_body(self) -> Request:
        body = "x" * self._rng.randrange(500)
        head, _ = self._request(self._path(), f"Content-Length: {len(body)}\r\n", "GET")
        return head + body.encode(), 200


class Asked:
    """One connection with a batch under way."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.left = 0
        self.wanted: Counter[int] = Counter()

    def begin(self, data: bytes, wanted: Counter[int]) -> None:
        self.wanted = wanted
        self.left = wanted.total()
        self.sock.sendall(data)

    def finish(self) -> None:
        """Read until all replies have begun, and hold them against what was to come."""
        rest = b""
        found: Counter[int] = Counter()
        while found.total() < self.left:
            more = self.sock.recv(1 << 18)
            assert more, f"it has ended after {found}, {rest!r}"
            data = rest + more
            end = 0
            for match in STATUS.finditer(data):
                found[int(match[1])] += 1
                end = match.end()
            rest = data[max(end, len(data) - LONGEST_STATUS) :]
        assert found == self.wanted


def ask_everything(port: int, count: int, *, known: float) -> Iterator[int]:
    """Ask ``count`` requests or a few more; how many have been answered, after each batch. Each ``count`` has its own random ones."""
    made = Everything(count, known)
    with ExitStack() as stack:
        busy: deque[Asked] = deque()
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
            busy.append(Asked(sock))
            busy[-1].begin(*made.batch())
        answered = 0
        while answered < count:
            one = busy.popleft()
            one.finish()
            answered += BATCH
            yield answered
            one.begin(*made.batch())
            busy.append(one)
        for one in busy:
            one.finish()
