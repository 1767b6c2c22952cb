"""A request's head: from bytes to :class:`RequestHead` (RFC 9110, RFC 9112 sections 2, 3, 5 and 6).

The rules:

* The request line and the field block are each matched in full by one pattern, once. Whatever does not match
  is refused: no folded line, no bare CR or LF, no space before a colon, no control byte, no empty name.
* Two fields of one name are combined to a list first and judged afterwards. ``Content-Length: 3`` twice is
  ``3, 3``, which no length matches, and two Hosts are no host: what must be there once needs no counting.
* Framing is never guessed. Content-Length beside Transfer-Encoding, a coding that is not known, chunked that
  is not the last coding or not alone, Transfer-Encoding in HTTP/1.0: each is refused, although RFC 9112
  section 6.3 would allow to go on in some of these cases, because two parsers that go on differently are what
  request smuggling needs.

The trade-off: a head costs three passes over its bytes (check, cut, strip), all of them inside the regular
expression engine or the string type, which is far cheaper than one pass in a loop of Python.

All functions are pure: the same bytes and limits give the same result, so that a caller may remember it. The
line and the block can be remembered apart from each other, because a few kinds of client ask for many
targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, NoReturn

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http import grammar

LOGGED_LINE = 256  # bytes of a refused request's line that are worth a place in a log
HEAD_END = b"\r\n\r\n"
LARGEST_PORT = 65535
CHUNKED = "chunked"
COMMON_OPTIONS = {"keep-alive": (False, True), "close": (True, False)}  # what nearly every client sends


class Fields:
    """Field lines in the order they came; names in lower case, values without the whitespace around them."""

    __slots__ = ("_combined", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = [(name.lower(), value.strip(" \t")) for name, value in pairs]
        combined = dict(self._pairs)
        if len(combined) != len(self._pairs):
            combined = {name: ", ".join(self.get_all(name)) for name in combined}
        self._combined = combined

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the field ``name``; several lines are combined by ", " (RFC 9110 section 5.3)."""
        return self._combined.get(name.lower(), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """The value of each line of the field ``name``, in order."""
        name = name.lower()
        return tuple(value for key, value in self._pairs if key == name)

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether there is a field of one of these ``names``, which are in lower case."""
        return not names.isdisjoint(self._combined)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._combined

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return self._pairs == other._pairs if isinstance(other, Fields) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._pairs))

    def __repr__(self) -> str:
        return f"Fields({self._pairs!r})"


class RequestHead(NamedTuple):
    """What a request asks for and how its message is framed.

    ``path`` is still percent-encoded and begins with "/", or is "*". ``host`` is in lower case, with its port
    if it had one; that of an absolute target goes before that of the Host field. ``length`` is the body's
    length in bytes: 0 without a body, None when it is chunked. ``minor`` is 1 for every HTTP/1.x above 1.0
    (RFC 9110 section 2.5).
    """

    method: str
    target: str
    path: str
    query: str | None
    minor: int
    host: str | None
    fields: Fields
    length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool


class RequestLine(NamedTuple):
    """A request line, its target taken apart."""

    method: str
    target: str
    path: str
    query: str | None
    minor: int
    authority: str | None


class FieldBlock(NamedTuple):
    """The fields of a head, those that concern framing and the connection understood as far as possible
    without the version."""

    fields: Fields
    host: str | None
    length: int | None
    codings: str | None
    close: bool
    keep_alive: bool
    expect: str | None


def first_line(raw: bytes) -> str:
    """What stands where a request line should, cut short: for a log, which escapes it."""
    return raw[:LOGGED_LINE].partition(b"\n")[0].rstrip(b"\r").decode("latin-1")


def parse_head(raw: bytes, limits: HttpLimits) -> RequestHead:
    """The head that ``raw`` is, from its first byte to the empty line, which is included.

    Raises RequestError: 400 when it breaks the grammar or its framing is not certain, 414 and 431 when it is
    too long, 417 for an expectation and 501 for a coding or method that nothing here can meet, 505 for
    another major version.
    """
    start = request_line_length(raw, limits)
    line = parse_request_line(raw[:start], limits)
    if len(raw) > limits.head:
        raise RequestError(431, f"the request head is longer than {limits.head} bytes")
    return compose_head(line, parse_field_block(raw[start + 2 :], limits))


def request_line_length(data: bytes, limits: HttpLimits) -> int:
    """The length of the request line that ``data`` begins with, or -1 while its end is not there.

    Raises RequestError as soon as the bytes cannot become a request line any more: 414 when it is too long,
    400 when it ends in a bare LF (a person with a terminal, for example) or begins with what begins no
    method.
    """
    end = data.find(b"\n")
    if data[:1] not in grammar.TCHARS:
        raise RequestError(400, "the request does not begin with a method")
    if (end if end >= 0 else len(data)) > limits.request_line + 1:
        raise RequestError(414, f"the request line is longer than {limits.request_line} bytes")
    if end >= 0 and data[end - 1] != 0x0D:
        raise RequestError(400, "a line of the head ends in LF without CR")
    return end - 1 if end >= 0 else -1


def parse_request_line(line: bytes, limits: HttpLimits) -> RequestLine:
    """The request line ``line``, without its CR LF (RFC 9112 section 3)."""
    if len(line) > limits.request_line:
        raise RequestError(414, f"the request line is longer than {limits.request_line} bytes")
    text = line.decode("latin-1")
    match = grammar.REQUEST_LINE.fullmatch(text)
    if match is None:
        _refuse_request_line(text)
    method, target, minor = match.groups()
    if target[0] == "/" and method != "CONNECT":
        path, mark, query = target.partition("?")
        return RequestLine(method, target, path, query if mark else None, 0 if minor == "0" else 1, None)
    path, some_query, authority = _other_target(method, target)
    return RequestLine(method, target, path, some_query, 0 if minor == "0" else 1, authority)


def parse_field_block(block: bytes, limits: HttpLimits) -> FieldBlock:
    """The field lines ``block``, the empty line that ends them included (RFC 9112 section 5)."""
    if block.count(b"\n") - 1 > limits.fields:
        raise RequestError(431, f"the request has more than {limits.fields} fields")
    text = block.decode("latin-1")
    if grammar.FIELD_BLOCK.fullmatch(text) is None:
        _refuse_field_block(text)
    fields = Fields(grammar.FIELDS.findall(text))
    get = fields._combined.get
    host, length, connection = get("host"), get("content-length"), get("connection")
    if host is not None:
        host = parse_host(host)
    octets = None if length is None else _content_length(length)
    close, keep_alive = (False, False) if connection is None else _connection_options(connection)
    return FieldBlock(fields, host, octets, get("transfer-encoding"), close, keep_alive, get("expect"))


def compose_head(line: RequestLine, block: FieldBlock) -> RequestHead:
    """The head made of a request line and a field block; checks what concerns both."""
    method, target, path, query, minor, authority = line
    fields, host, length, codings, close, keep_alive, expect = block
    if host is None and minor:
        raise RequestError(400, "an HTTP/1.1 request needs a Host field")
    if codings is not None:
        _check_codings(codings, minor, length)
    elif length is None:
        length = 0
    expect_continue = False
    if expect is not None and minor:
        expect_continue = _expects_continue(expect) and length != 0
    return RequestHead(
        method,
        target,
        path,
        query,
        minor,
        host if authority is None else authority,
        fields,
        length,
        codings is not None,
        not close and (minor == 1 or keep_alive),
        expect_continue,
    )


def parse_host(value: str) -> str:
    """``uri-host [":" port]`` in lower case (RFC 9110 section 7.2). Raises RequestError 400 for anything
    else."""
    if grammar.PLAIN_HOST.fullmatch(value) is not None:
        return value.lower()
    match = grammar.HOST.fullmatch(value)
    if match is None or int(match[1] or 0) > LARGEST_PORT:
        raise RequestError(
            400, "the request needs exactly one host, a name or an address with or without a port"
        )
    return value.lower()


def _other_target(method: str, target: str) -> tuple[str, str | None, str | None]:
    """Path, query and authority of a target that is not in origin-form (RFC 9112 sections 3.2.2 to 3.2.4)."""
    if method == "CONNECT":
        if grammar.AUTHORITY_FORM.fullmatch(target) is None:
            raise RequestError(400, "the target of CONNECT is a host and a port")
        raise RequestError(501, "this server opens no tunnels")
    if target == "*":
        if method != "OPTIONS":
            raise RequestError(400, "only OPTIONS asks for *")
        return "*", None, None
    match = grammar.ABSOLUTE_FORM.fullmatch(target)
    if match is None:
        raise RequestError(400, "the target is neither a path nor an http URL")
    authority, path, query = match.groups()
    if method == "OPTIONS" and not path and query is None:
        path = "*"
    return path or "/", query, parse_host(authority)


def _content_length(value: str) -> int:
    """RFC 9110 section 8.6: ASCII digits, nothing else; a list of equal lengths is refused as well."""
    if grammar.CONTENT_LENGTH.fullmatch(value) is None:
        raise RequestError(400, "the Content-Length is not one decimal number")
    return int(value)


def _check_codings(value: str, minor: int, length: int | None) -> None:
    """RFC 9112 sections 6.1 and 6.3. Returns when the body is simply chunked, else raises RequestError."""
    if minor == 0:
        raise RequestError(400, "HTTP/1.0 has no Transfer-Encoding")
    if length is not None:
        raise RequestError(400, "a request has a Content-Length or a Transfer-Encoding, not both")
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings == [CHUNKED]:
        return
    # An empty member would be ignored by the letter of RFC 9110 section 5.6.1; but what lies on the way may
    # think otherwise.
    if not all(grammar.TOKEN.fullmatch(coding) for coding in codings):
        raise RequestError(400, "the Transfer-Encoding is not a list of codings")
    if CHUNKED in codings[:-1]:
        raise RequestError(400, "chunked is not the last transfer coding, or not the only one of its kind")
    raise RequestError(501, "the only transfer coding that this server understands is chunked")


def _connection_options(value: str) -> tuple[bool, bool]:
    """Whether the list of RFC 9110 section 7.6.1 has ``close`` and whether it has ``keep-alive``."""
    if value in COMMON_OPTIONS:
        return COMMON_OPTIONS[value]
    options = {option.strip(" \t") for option in value.lower().split(",")}
    return "close" in options, "keep-alive" in options


def _expects_continue(value: str) -> bool:
    """RFC 9110 section 10.1.1. Raises RequestError 417 for an expectation other than 100-continue."""
    expectations = {member.strip(" \t") for member in value.lower().split(",")} - {""}
    if not expectations <= {"100-continue"}:
        raise RequestError(417, "the only expectation that this server can meet is 100-continue")
    return bool(expectations)


def _refuse_request_line(text: str) -> NoReturn:
    """Say what is wrong with a line that is not of HTTP/1.x."""
    if grammar.OTHER_VERSION.fullmatch(text):
        raise RequestError(505, "this server speaks HTTP/1.1 and HTTP/1.0")
    if grammar.WITHOUT_VERSION.fullmatch(text):
        raise RequestError(400, "the request line has no HTTP version")
    if not text.isascii():
        raise RequestError(
            400, "the request line has a byte that is not ASCII; such bytes are written as %XX"
        )
    raise RequestError(400, "the request line is not METHOD SP TARGET SP HTTP/1.1")


def _refuse_field_block(text: str) -> NoReturn:
    """Say what is wrong with the first line that breaks the grammar, without echoing it."""
    for number, line in enumerate(text.split("\r\n"), 1):
        if line and grammar.FIELD_LINE.fullmatch(line) is None:
            kind = (
                "is a continuation of the one before, which is obsolete"
                if line[0] in " \t"
                else "is malformed"
            )
            raise RequestError(400, f"field line {number} {kind}")
    raise RequestError(400, "the request head has no single end")
