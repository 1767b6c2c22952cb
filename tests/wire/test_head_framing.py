"""What a head says about its host, its body and its connection."""

from __future__ import annotations

import pytest

from poise.wire.http.head import (
    parse_host,
)
from tests.wire.heads import get, head, status_of


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("Host: a", "Host: b"),
        ("Host: a", "host: a"),
        ("Host: a", "Host:"),
        ("Host:", "Host:"),
        ("Host:",),
        ("Host: a, b",),
        ("Host: a:65536",),
        ("Host: a/b",),
        ("Host: u@a",),
        ("Host: a b",),
    ],
)
def test_exactly_one_valid_host(fields: tuple[str, ...]) -> None:
    assert status_of(lambda: head("GET / HTTP/1.1", *fields)) == 400
    assert status_of(lambda: head("GET http://a/ HTTP/1.1", *fields)) == 400
    if fields:
        assert status_of(lambda: head("GET / HTTP/1.0", *fields)) == 400


def test_http_1_0_needs_no_host() -> None:
    assert head("GET / HTTP/1.0").host is None
    assert head("GET http://a/ HTTP/1.0").host == "a"
    assert parse_host("A:65535") == "a:65535"


@pytest.mark.parametrize(
    ("value", "length"), [("0", 0), ("00", 0), ("007", 7), ("9" * 19, 10**19 - 1), ("\t5 ", 5)]
)
def test_content_length(value: str, length: int) -> None:
    assert get(f"Content-Length: {value}").length == length


@pytest.mark.parametrize(
    "value",
    [
        "",
        "+1",
        "-1",
        "-0",
        "0x1",
        "1_0",
        "1 0",
        "1,1",
        "3, 3",
        "1.0",
        "1e3",
        "9" * 20,
        "0" * 20,
        "\xb2",
        "\xa05",
        "abc",
        '"5"',
    ],
)
def test_no_content_length(value: str) -> None:
    assert status_of(lambda: get(f"Content-Length: {value}")) == 400


def test_two_content_lengths_are_refused_even_when_equal() -> None:
    assert status_of(lambda: get("Content-Length: 3", "Content-Length: 3")) == 400
    assert status_of(lambda: get("Content-Length: 3", "Content-Length:")) == 400


def test_chunked() -> None:
    parsed = get("transfer-ENCODING: \t ChunKed ")
    assert parsed.chunked
    assert parsed.length is None


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("", 400),
        (",", 400),
        (", chunked", 400),
        ("chunked,", 400),
        ("chunked, chunked", 400),
        ("chunked, identity", 400),
        ("chunked, gzip", 400),
        ("chunked;a=b", 400),
        ('"chunked"', 400),
        ("chun ked", 400),
        ("\xa0chunked", 400),
        ("gzip", 501),
        ("identity", 501),
        ("xchunked", 501),
        ("chunkedchunked", 501),
        ("gzip, chunked", 501),
        ("identity, chunked", 501),
    ],
)
def test_other_codings(value: str, status: int) -> None:
    assert status_of(lambda: get(f"Transfer-Encoding: {value}")) == status
    assert status_of(lambda: get("Content-Length: 1", f"Transfer-Encoding: {value}")) == 400
    assert status_of(lambda: head("GET / HTTP/1.0", f"Transfer-Encoding: {value}")) == 400


def test_codings_in_two_lines_are_one_list() -> None:
    assert status_of(lambda: get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")) == 400
    assert status_of(lambda: get("Transfer-Encoding: gzip", "Transfer-Encoding: chunked")) == 501
    assert status_of(lambda: get("Transfer-Encoding: chunked", "Content-Length: 0")) == 400
    assert status_of(lambda: head("GET / HTTP/1.0", "Transfer-Encoding: chunked")) == 400


@pytest.mark.parametrize(
    ("minor", "fields", "keep_alive"),
    [
        (1, (), True),
        (1, ("Connection: close",), False),
        (1, ("Connection: Keep-Alive",), True),
        (1, ("Connection: x,\tCLOSE ,y",), False),
        (1, ("Connection: keep-alive, close",), False),
        (1, ("Connection: keep-alive", "Connection: close"), False),
        (1, ("Connection: closed",), True),
        (0, (), False),
        (0, ("Connection: close",), False),
        (0, ("Connection: Keep-Alive",), True),
        (0, ("Connection: x, keep-alive",), True),
        (0, ("Connection: keep-alive, close",), False),
    ],
)
def test_keep_alive(minor: int, fields: tuple[str, ...], keep_alive: bool) -> None:
    assert head(f"GET / HTTP/1.{minor}", "Host: a", *fields).keep_alive is keep_alive


def test_expectations() -> None:
    body = "Content-Length: 1"
    assert get(body, "Expect: 100-Continue").expect_continue
    assert get("Transfer-Encoding: chunked", "Expect: 100-continue").expect_continue
    assert get(body, "Expect: 100-continue", "Expect: 100-continue").expect_continue
    assert not get("Expect: 100-continue").expect_continue  # nothing to wait for
    assert not get(body, "Expect:").expect_continue
    assert not head("PUT / HTTP/1.0", body, "Expect: 100-continue").expect_continue
    assert not head("PUT / HTTP/1.0", body, "Expect: tea").expect_continue
    assert status_of(lambda: get(body, "Expect: tea")) == 417
    assert status_of(lambda: get(body, "Expect: 100-continue, tea")) == 417
