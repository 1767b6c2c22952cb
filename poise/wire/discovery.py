"""Who is there? The datagrams by which ``poise find`` asks and ``poise serve --announce`` answers.

docs/discovery.md shows them byte by byte, with the threats that the form answers to. The rules:

* **One size.** A question is as long as an answer, so nobody can use us to multiply traffic (RFC 8085, 3.1, and 6).
* **An answer repeats the random number of its question**, so only those who have heard the question can answer it.
* **An answer names no host.** Where a server is, is where its answer came from.
* **What is not understood is not answered**: another magic, version, kind or length, or a name that could play tricks
  on a terminal, is nobody's datagram. :func:`parse` gives None, and there is nobody to tell.

Numbers are in network byte order. What is left of a datagram is zeros when sent and not looked at when received.
"""

from __future__ import annotations

import enum
import struct
import unicodedata
from typing import NamedTuple

MAGIC = b"Pois"
VERSION = 1
SIZE = 128
"""Bytes of every datagram, either kind. It fits every link whole: IPv6 asks 1280 bytes of each (RFC 8200, 5)."""

PORT = 61_853
"""UDP. In the dynamic range, which nobody is assigned (RFC 6335, 6), and above what Linux gives out by itself."""

GROUP_IPV4 = "239.255.80.83"
"""IPv4 Local Scope, the innermost that is administratively scoped (RFC 2365, 6.1)."""

GROUP_IPV6 = "ff12::8000:5053"
"""Link-local scope, not assigned by IANA (T = 1: RFC 4291, 2.7), a dynamic group number (RFC 3307, 4.3)."""

HEAD = struct.Struct("!4sBB8s")  # magic, version, kind, query
BODY = struct.Struct("!8sBHIB")  # instance, scheme, port, age, length of the name
NUMBER_SIZE = 8  # bytes of a query and of an instance: nobody guesses one within the seconds that it lives
LONGEST_NAME = SIZE - HEAD.size - BODY.size
"""Bytes of UTF-8."""

OLDEST = 0xFFFF_FFFF  # seconds, 136 years: an older server says this
SCHEMES = {1: "http", 2: "https"}
SCHEME_NUMBERS = {name: number for number, name in SCHEMES.items()}

# Controls, invisible formatting such as a reversed direction, lone surrogates, breaks of line and paragraph:
# they could make a terminal show something else than what was sent.
UNFIT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
REPLACEMENT = "\ufffd"


class Kind(enum.IntEnum):
    QUESTION = 1
    ANSWER = 2


class Question(NamedTuple):
    """Who is there? ``query`` is eight random bytes."""

    query: bytes


class Answer(NamedTuple):
    """I am. ``instance`` is eight random bytes, the same in every answer of one server; ``age`` its whole seconds."""

    query: bytes
    instance: bytes
    scheme: str
    port: int
    age: int
    name: str


def write(message: Question | Answer) -> bytes:
    """The datagram, :data:`SIZE` bytes. Raises ValueError for what cannot be said in it."""
    if len(message.query) != NUMBER_SIZE:
        raise ValueError(f"a query is {NUMBER_SIZE} bytes, not {len(message.query)}")
    if isinstance(message, Question):
        return HEAD.pack(MAGIC, VERSION, Kind.QUESTION, message.query).ljust(SIZE, b"\0")
    if len(message.instance) != NUMBER_SIZE:
        raise ValueError(f"an instance is {NUMBER_SIZE} bytes, not {len(message.instance)}")
    if message.scheme not in SCHEME_NUMBERS:
        raise ValueError(f"a scheme is one of {', '.join(SCHEME_NUMBERS)}, not {message.scheme!r}")
    if not 1 <= message.port <= 0xFFFF:
        raise ValueError(f"a server's port is a number from 1 to 65535, not {message.port}")
    if message.age < 0:
        raise ValueError(f"an age is not negative: {message.age}")
    name = check_name(message.name)
    head = HEAD.pack(MAGIC, VERSION, Kind.ANSWER, message.query)
    scheme = SCHEME_NUMBERS[message.scheme]
    body = BODY.pack(message.instance, scheme, message.port, min(message.age, OLDEST), len(name))
    return (head + body + name).ljust(SIZE, b"\0")


def parse(data: bytes) -> Question | Answer | None:
    """What a datagram says, or None when it is none of ours. Never raises: anybody can send anything."""
    if len(data) != SIZE:
        return None
    magic, version, kind, query = HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        return None
    if kind == Kind.QUESTION:
        return Question(query)
    return _answer(query, data) if kind == Kind.ANSWER else None


def _answer(query: bytes, data: bytes) -> Answer | None:
    instance, number, port, age, length = BODY.unpack_from(data, HEAD.size)
    scheme = SCHEMES.get(number)
    if scheme is None or port == 0 or length > LONGEST_NAME:
        return None
    start = HEAD.size + BODY.size
    try:
        name = data[start : start + length].decode()
        check_name(name)
    except ValueError:  # UnicodeDecodeError is one
        return None
    return Answer(query, instance, scheme, port, age, name)


def check_name(name: str) -> bytes:
    """``name`` as UTF-8. Raises ValueError when it is empty, too long, or not to be shown as it is."""
    if not name or name != name.strip():
        raise ValueError(f"a name is not empty and has no space at its ends: {name!r}")
    unfit = [letter for letter in name if unicodedata.category(letter) in UNFIT]
    if unfit:
        raise ValueError(f"a name consists of what can be seen, without {unfit[0]!a}")
    encoded = name.encode()
    if len(encoded) > LONGEST_NAME:
        raise ValueError(f"a name has at most {LONGEST_NAME} bytes in UTF-8, this has {len(encoded)}")
    return encoded


def fit_name(text: str) -> str:
    """``text``, which may come from a file system, as a name: unfit letters replaced, too long an end cut off.

    Empty when nothing is left of it.
    """
    shown = "".join(REPLACEMENT if unicodedata.category(letter) in UNFIT else letter for letter in text)
    return shown.strip().encode()[:LONGEST_NAME].decode(errors="ignore").strip()
