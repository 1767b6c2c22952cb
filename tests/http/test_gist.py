"""The gist of a head: two heads with the same gist are the same request, as far as any remembered reply can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.http.gist import LINES, Gists
from poise.limits import HttpLimits
from poise.wire.http.head import RequestHead, parse_head
from tests.http.web import get

LIMITS = HttpLimits()
LOOKED_AT = ("range", "if-none-match", "accept-encoding", "accept")
NAMES = [
    "Host",
    "connection",
    "X-Any",
    "Range",
    "accept-encoding",
    "Accept",
    "Content-Length",
    "Cookie",
    "IF-NONE-MATCH",
]
VALUES = [
    "",
    "a",
    "b",
    "close",
    "keep-alive",
    " Keep-Alive ",
    "0",
    "3",
    "bytes=0-",
    "gzip",
    "\t",
    "a\x7f",
    "\n",
    "\xe9",
]

lines = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6)
raws = st.builds(
    lambda request, fields, end: (request + "".join(f"{n}:{v}\r\n" for n, v in fields) + end).encode(
        "latin-1"
    ),
    st.sampled_from(
        ["GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.0\r\n", "GET /b HTTP/1.1\r\nHost: a\r\n", "GET /\r\n"]
    ),
    lines,
    st.sampled_from(["\r\n", "", "\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n"]),
)


def parsed(raw: bytes) -> RequestHead | None:
    try:
        return parse_head(raw, LIMITS)
    except RequestError:
        return None


def asked(head: RequestHead, *, choosing: bool) -> tuple[object, ...]:
    """All of a request that a reply may depend on."""
    names = LOOKED_AT if choosing else LOOKED_AT[:2]
    values = tuple(head.fields.get_all(name) for name in (*names, "authorization"))
    return (
        head.method,
        head.target,
        head.minor,
        head.host,
        head.length,
        head.chunked,
        head.keep_alive,
        values,
    )


@given(raws, raws)
def test_one_gist_is_one_request(one: bytes, other: bytes) -> None:
    gists = Gists(LIMITS, LOOKED_AT)
    first, second = gists.of(one), gists.of(other)
    if first is None or second is None or first != second:
        return
    heads = parsed(one), parsed(other)
    assert (heads[0] is None) == (heads[1] is None)  # what makes one of them an error is in the gist, too
    if heads[0] is not None and heads[1] is not None:
        assert asked(heads[0], choosing=False) == asked(heads[1], choosing=False)
        if gists.chosen(one, first) == gists.chosen(other, second):
            assert asked(heads[0], choosing=True) == asked(heads[1], choosing=True)


@given(raws)
def test_what_is_left_out_breaks_no_rule(raw: bytes) -> None:
    """A head that the grammar refuses for a line that does not matter has no gist: it would be answered by another's reply."""
    gists = Gists(LIMITS, LOOKED_AT)
    gist = gists.of(raw)
    if gist is None:
        return
    assert raw.count(b"\r\n\r\n") == 1
    assert raw.endswith(b"\r\n\r\n")
    assert (parsed(raw) is None) == (parsed(gist + b"\r\n\r\n") is None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n\r\n\r\n",
        get()[:-1],
        get() + b"x",
        get() + get(),
        b"\r\n" + get(),
        get(minor=0),
        get(fields="X: a\x00\r\n"),
        get(fields="X : a\r\n"),
        get(fields="X: a\r\n b\r\n"),
        get(fields="X: a\nb: c\r\n"),
        get(fields="X: a\rb\r\n"),
        get(fields=": a\r\n"),
        get(fields="X: a\r\n" * (LIMITS.fields + 1)),
        get(fields=f"X: {'a' * LIMITS.head}\r\n"),
    ],
)
def test_what_has_no_gist(raw: bytes) -> None:
    gists = Gists(LIMITS, LOOKED_AT)
    for _ in range(2):  # what is remembered of its lines changes nothing
        assert gists.of(raw) is None


def test_as_many_fields_as_may_be() -> None:
    assert Gists(LIMITS, LOOKED_AT).of(get(fields="X: a\r\n" * (LIMITS.fields - 1)))


def test_what_is_remembered_of_lines_is_bounded() -> None:
    gists = Gists(LIMITS, LOOKED_AT)
    for number in range(2 * LINES):
        assert gists.of(get(fields=f"X: {number}\r\n")) == get()[:-4]
        assert len(gists._weights) <= LINES
    gists.of(get(fields=f"Cookie: {'c' * 1000}\r\n"))
    assert max(map(len, gists._weights)) < 1000
