from __future__ import annotations

import time

import pytest

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.head import (
    Fields,
    RequestHead,
    parse_field_block,
    parse_head,
    parse_request_line,
)
from tests.wire.heads import LIMITS, get, head, status_of


def test_a_whole_head() -> None:
    assert head(
        "POST /a%20b?c=d&e HTTP/1.1",
        "Host: Example.COM:8000",
        "Content-Length: 3",
        "X-Thing:  two words\t",
    ) == RequestHead(
        method="POST",
        target="/a%20b?c=d&e",
        path="/a%20b",
        query="c=d&e",
        minor=1,
        host="example.com:8000",
        fields=Fields([("host", "Example.COM:8000"), ("content-length", "3"), ("x-thing", "two words")]),
        length=3,
        chunked=False,
        keep_alive=True,
        expect_continue=False,
    )


def test_a_head_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        get().method = "PUT"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("line", "path", "query", "host"),
    [
        ("GET / HTTP/1.1", "/", None, "a"),
        ("GET /? HTTP/1.1", "/", "", "a"),
        ("GET /a?b?c HTTP/1.1", "/a", "b?c", "a"),
        ("GET //x HTTP/1.1", "//x", None, "a"),
        ('GET /[a]|"^`{}<>\\ HTTP/1.1', '/[a]|"^`{}<>\\', None, "a"),
        ("OPTIONS * HTTP/1.1", "*", None, "a"),
        ("GET http://b HTTP/1.1", "/", None, "b"),
        ("GET HTTP://B:80/c?d HTTP/1.1", "/c", "d", "b:80"),
        ("GET https://b?d HTTP/1.1", "/", "d", "b"),
        ("GET http://[::1]:8/c HTTP/1.1", "/c", None, "[::1]:8"),
        ("OPTIONS http://b HTTP/1.1", "*", None, "b"),
        ("OPTIONS http://b/ HTTP/1.1", "/", None, "b"),
        ("OPTIONS http://b? HTTP/1.1", "/", "", "b"),
    ],
)
def test_targets(line: str, path: str, query: str | None, host: str) -> None:
    parsed = head(line, "Host: a")
    assert (parsed.path, parsed.query, parsed.host) == (path, query, host)
    assert parsed.target == line.split(" ")[1]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("", 400),
        ("GET", 400),
        ("GET /", 400),
        ("GET / ", 400),
        (" GET / HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("GET / HTTP/1.1 x", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET /a\0b HTTP/1.1", 400),
        ("GET /a\x7f HTTP/1.1", 400),
        ("GET /caf\xe9 HTTP/1.1", 400),
        ("GET /a#b HTTP/1.1", 400),
        ("G@T / HTTP/1.1", 400),
        ("G\xe9T / HTTP/1.1", 400),
        ("GET / http/1.1", 400),
        ("GET / HTTP/1", 400),
        ("GET / HTTP/11", 400),
        ("GET / HTTP/1.10", 400),
        ("GET / HTTP/01.1", 400),
        ("GET / HTTP/1.\xb2", 400),
        ("GET / HTTP/0.9", 505),
        ("GET / HTTP/2.0", 505),
        ("PRI * HTTP/2.0", 505),
        ("GET / HTTP/9.9", 505),
        ("GET * HTTP/1.1", 400),
        ("GET a HTTP/1.1", 400),
        ("GET ?a HTTP/1.1", 400),
        ("GET ftp://a/ HTTP/1.1", 400),
        ("GET http:/a HTTP/1.1", 400),
        ("GET http:///a HTTP/1.1", 400),
        ("GET http://u@a/ HTTP/1.1", 400),
        ("GET http://u:p@a/ HTTP/1.1", 400),
        ("GET http://a:99999/ HTTP/1.1", 400),
        ("CONNECT a:80 HTTP/1.1", 501),
        ("CONNECT /a HTTP/1.1", 400),
        ("CONNECT a HTTP/1.1", 400),
        ("CONNECT http://a:80/ HTTP/1.1", 400),
    ],
)
def test_request_lines_that_are_refused(line: str, status: int) -> None:
    assert status_of(lambda: head(line, "Host: a")) == status


@pytest.mark.parametrize("line", ["GET / HTTP/1.1\nX: y", "GET / HTTP/1.1\rX: y", "GET /\r / HTTP/1.1"])
def test_bare_line_ends_in_the_request_line(line: str) -> None:
    assert status_of(lambda: head(line, "Host: a")) == 400


@pytest.mark.parametrize(("version", "minor"), [("1.0", 0), ("1.1", 1), ("1.2", 1), ("1.9", 1)])
def test_versions(version: str, minor: int) -> None:
    assert head(f"GET / HTTP/{version}", "Host: a").minor == minor


def test_unknown_methods_are_for_the_layer_above() -> None:
    assert head("brew!# /pot HTTP/1.1", "Host: a").method == "brew!#"


@pytest.mark.parametrize(
    "line",
    [
        " X: y",
        "\tX: y",
        "X : y",
        "X\t: y",
        ": y",
        "X",
        "X y: z",
        "X[]: y",
        "X\xe9: y",
        "X: a\0b",
        "X: a\x01b",
        "X: a\x7fb",
        "X: a\x0bb",
        "X: a\rb",
        "X: a\nb",
        "X: a\n b",
        "X: a\r",
        "\rX: a",
        "X\r: a",
    ],
)
def test_field_lines_that_are_refused(line: str) -> None:
    assert status_of(lambda: get(line)) == 400
    assert status_of(lambda: head("GET / HTTP/1.1", line, "Host: a")) == 400


def test_obs_text_is_allowed_in_values() -> None:
    assert get("X: \x80\xff\xa0\x85").fields.get("x") == "\x80\xff\xa0\x85"


def test_the_number_of_fields() -> None:
    limits = HttpLimits(fields=3)
    assert len(head("GET / HTTP/1.1", "Host: a", "X: 1", "Y: 2", limits=limits).fields) == 3
    assert status_of(lambda: head("GET / HTTP/1.1", "Host: a", "X: 1", "Y: 2", "Z: 3", limits=limits)) == 431


def test_the_length_of_the_line_and_of_the_head() -> None:
    limits = HttpLimits(request_line=64, head=128)
    longest = "GET /" + "a" * 50 + " HTTP/1.1"
    assert head(longest, "Host: a", limits=limits).minor == 1
    assert status_of(lambda: head("X" + longest, "Host: a", limits=limits)) == 414
    assert status_of(lambda: parse_request_line(b"X" + longest.encode(), limits)) == 414
    rest = 128 - len("GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n")
    assert head("GET / HTTP/1.1", "Host: a", "X: " + "y" * rest, limits=limits).minor == 1
    assert status_of(lambda: head("GET / HTTP/1.1", "Host: a", "X: y" + "y" * rest, limits=limits)) == 431


@pytest.mark.parametrize(
    "raw", [b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n"]
)
def test_a_head_has_exactly_one_end(raw: bytes) -> None:
    assert status_of(lambda: parse_head(raw, LIMITS)) == 400


def test_fields() -> None:
    fields = Fields([("Accept", "a"), ("X", " 1 "), ("accept", "b"), ("ACCEPT", "")])
    assert fields.get("Accept") == "a, b, "
    assert fields.get("accept") == fields.get("ACCEPT")
    assert fields.get_all("Accept") == ("a", "b", "")
    assert fields.get("y") is None
    assert fields.get("y", "z") == "z"
    assert fields.get_all("y") == ()
    assert "X" in fields
    assert "y" not in fields
    assert 5 not in fields
    assert len(fields) == 4
    assert list(fields)[1] == ("x", "1")
    assert not Fields()
    assert fields == Fields(list(fields))
    assert hash(fields) == hash(Fields(list(fields)))
    assert fields != Fields()
    assert fields != list(fields)
    assert repr(Fields([("A", "b")])) == "Fields([('a', 'b')])"


def test_a_remembered_block_is_the_same_for_each_line() -> None:
    block = b"Host: a\r\nAccept: */*\r\n\r\n"
    assert parse_field_block(block, LIMITS) == parse_field_block(block, LIMITS)


@pytest.mark.parametrize(
    "line",
    [
        "X: {}y",
        "X: {}",
        "{}: y",
        "X{}",
        "X:{}\0",
        "Connection: {}",
        "Content-Length: {}",
        "Transfer-Encoding: {}",
        "Expect: {}",
        "Host: {}",
    ],
)
@pytest.mark.parametrize("filler", [" ", "a", ",", "a ", "1", "a, ", "%41", ":", "[", '"', "1:"])
def test_time_grows_no_faster_than_the_input(line: str, filler: str) -> None:
    """A hundred times the bytes in far less than the ten thousand times that a quadratic pattern would
    take."""
    limits = HttpLimits(head=1 << 20)

    def seconds(size: int) -> float:
        raw = f"GET / HTTP/1.1\r\n{line.format(filler * (size // len(filler)))}\r\n\r\n".encode()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            try:
                parse_head(raw, limits)
            except RequestError:
                pass
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(300_000) < 1000 * max(seconds(3_000), 2e-6)
