"""Requests gone wrong, by a seeded hand: what the fuzz test feeds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

HOST = b"Host: localhost\r\n"

SEEDS: tuple[bytes, ...] = (
    b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /small.txt HTTP/1.1\r\n" + HOST + b"User-Agent: x\r\nAccept: */*\r\n\r\n",
    b"HEAD /small.txt HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /large.bin HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /sub HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /sub/?q=1 HTTP/1.1\r\n" + HOST + b"Connection: keep-alive\r\n\r\n",
    b"GET /%73mall.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /small.txt HTTP/1.1\r\n" + HOST + b'If-None-Match: "a", W/"b", *\r\n\r\n',
    b"GET /small.txt HTTP/1.1\r\n" + HOST + b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
    b"GET /small.txt HTTP/1.1\r\n" + HOST + b"Range: bytes=0-4,-3\r\nIf-Range: x\r\n\r\n",
    b"GET http://localhost/absent?x#y HTTP/1.1\r\n" + HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST /small.txt HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"GET /small.txt HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: y\r\n\r\n",
    b"GET /small.txt HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
)
"""Every kind of request that a server of files answers, whole and right."""

NUMBERS = (
    b"0",
    b"-1",
    b"+1",
    b"0x10",
    b"1_0",
    b"4294967296",
    b"9223372036854775808",
    b"9" * 400,
    b"00005",
    b"1e9",
)
INSERTS = (
    b"\r", b"\n", b"\r\n", b"\0", b"\r\n\r\n", b" ", b"\t", b":", b"%", b"%00", b"%2e%2e/", b"../", b"/", b"\\", b"\x7f", b"\xff",
    b"\x80", b";", b",", b"\r\n ", b"chunked", b"HTTP/1.1", b"Host: a\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"A" * 9000, b"a: b\r\n" * 120, b"f" * 17,
)  # fmt: skip

Mutation = Callable[[random.Random, bytearray], object]


def flip_bits(rng: random.Random, raw: bytearray) -> None:
    for _ in range(rng.randint(1, 4)):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, raw: bytearray) -> None:
    raw[rng.randrange(len(raw))] = rng.randrange(256)


def insert(rng: random.Random, raw: bytearray) -> None:
    at = rng.randrange(len(raw) + 1)
    raw[at:at] = rng.choice(INSERTS)


def delete(rng: random.Random, raw: bytearray) -> None:
    at = rng.randrange(len(raw))
    del raw[at : at + rng.randint(1, 8)]


def double(rng: random.Random, raw: bytearray) -> None:
    at = rng.randrange(len(raw))
    part = raw[at : at + rng.randint(1, 60)]
    raw[at:at] = part * rng.randint(1, 3)


def cut(rng: random.Random, raw: bytearray) -> None:
    del raw[rng.randrange(len(raw)) :]


def splice(rng: random.Random, raw: bytearray) -> None:
    other = rng.choice(SEEDS)
    raw[rng.randrange(len(raw)) :] = other[rng.randrange(len(other)) :]


def number(rng: random.Random, raw: bytearray) -> None:
    digits = [at for at, byte in enumerate(raw) if 48 <= byte <= 57]
    if digits:
        at = rng.choice(digits)
        raw[at : at + 1] = rng.choice(NUMBERS)


def follow(rng: random.Random, raw: bytearray) -> None:
    raw += rng.choice(SEEDS) * rng.choice((1, 1, 2, 3, 40))


def nothing(rng: random.Random, raw: bytearray) -> None:
    """Right as it is: only the splitting and the ending are odd."""


MUTATIONS: Sequence[Mutation] = (
    flip_bits, flip_bits, overwrite, insert, insert, delete, double, cut, splice, splice, number, follow, nothing,
)  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """One stream: a seed with one to four things done to it."""
    raw = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        if not raw:
            break
        rng.choice(MUTATIONS)(rng, raw)
    return bytes(raw)


def split(rng: random.Random, raw: bytes) -> list[bytes]:
    """``raw`` in one to five pieces; now and then byte by byte."""
    if len(raw) < 200 and rng.random() < 0.02:
        return [raw[at : at + 1] for at in range(len(raw))]
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.choice((0, 0, 1, 1, 2, 4))))
    edges = [0, *cuts, len(raw)]
    return [raw[a:b] for a, b in itertools.pairwise(edges) if a < b]
