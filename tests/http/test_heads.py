"""The head memo gives what the parser gives, and is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.http import heads
from poise.http.heads import ENTRY_BYTES, HeadMemo
from poise.limits import HttpLimits
from poise.wire.http.head import parse_field_block, parse_head

LIMITS = HttpLimits()
LINES = st.sampled_from(
    [b"GET / HTTP/1.1", b"GET /a?b HTTP/1.0", b"HEAD /x HTTP/1.1", b"GET /\x01 HTTP/1.1", b"nonsense", b""]
)
BLOCKS = st.sampled_from(
    [
        b"Host: a\r\n\r\n",
        b"Host: a\r\nAccept: */*\r\n\r\n",
        b"\r\n",
        b"Host: a\r\nHost: b\r\n\r\n",
        b"Host: a\r\nContent-Length: 5\r\n\r\n",
        b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        b"Host: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    ]
)


@given(st.lists(st.tuples(LINES, BLOCKS), max_size=40), st.sampled_from([0, 3 * ENTRY_BYTES, 1 << 20]))
def test_it_says_what_the_parser_says(requests: list[tuple[bytes, bytes]], memory: int) -> None:
    memo = HeadMemo(memory)
    for line, block in requests:
        raw = line + b"\r\n" + block
        try:
            expected: object = parse_head(raw, LIMITS)
        except RequestError as fault:
            expected = (fault.status, fault.detail)
        try:
            found: object = memo.parse(raw, LIMITS)
        except RequestError as fault:
            found = (fault.status, fault.detail)
        assert found == expected


def test_a_long_head_is_refused_by_it_too() -> None:
    with pytest.raises(RequestError) as fault:
        HeadMemo(1 << 20).parse(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * LIMITS.head + b"\r\n\r\n", LIMITS
        )
    assert fault.value.status == 431


def test_a_block_is_parsed_twice_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    real = parse_field_block

    def counted(block: bytes, limits: HttpLimits) -> object:
        parsed.append(block)
        return real(block, limits)

    monkeypatch.setattr(heads, "parse_field_block", counted)
    memo = HeadMemo(1 << 20)
    for number in range(10):
        memo.parse(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number, LIMITS)
    assert len(parsed) == 2


def test_memory_is_bounded_and_what_is_asked_for_stays() -> None:
    memo = HeadMemo(8 * (ENTRY_BYTES + 64))
    for number in range(300):
        for _ in range(2):
            memo.parse(b"GET / HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % number, LIMITS)
            memo.parse(b"GET / HTTP/1.1\r\nHost: always\r\n\r\n", LIMITS)
        assert len(memo._young) + len(memo._old) <= 8
    assert b"Host: always\r\n\r\n" in {**memo._young, **memo._old}
