"""Who may see the page, and who may not: every request is held against this."""

from __future__ import annotations

import pytest

from poise.limits import HttpLimits
from poise.seeing.gate import Gate, is_loopback
from poise.wire.http.head import RequestHead, parse_head

TOKEN = "0123456789abcdef0123456789abcdef"
RIGHT = f"Authorization: Bearer {TOKEN}"


def head(
    *fields: str, target: str = "/feed", method: str = "GET", host: str | None = "127.0.0.1:8001"
) -> RequestHead:
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *fields]
    return parse_head("\r\n".join([*lines, "", ""]).encode("latin-1"), HttpLimits())


def status(given: RequestHead, local: str = "127.0.0.1", *names: str) -> int:
    refusal = Gate(TOKEN, names).refusal(given, local)
    return refusal.status if refusal is not None else 200


def test_the_page_itself_needs_no_token_and_the_rest_does() -> None:
    assert status(head(target="/")) == 200
    assert status(head(target="/texts.json")) == 200
    for secret in ("/feed", "/records", "/feed?x"):
        assert status(head(target=secret)) == 401
        assert status(head(RIGHT, target=secret)) == 200


@pytest.mark.parametrize(
    "given",
    [
        "Authorization: Bearer",
        "Authorization: Bearer ",
        f"Authorization: Bearer {TOKEN}0",
        f"Authorization: Bearer {TOKEN[:-1]}",
        f"Authorization: Bearer {TOKEN.upper()}",
        f"Authorization: Basic {TOKEN}",
        f"Authorization: {TOKEN}",
        f"Authorization: Bearer {TOKEN}\xe9",
        f"Authorization: Bearer {TOKEN}, Bearer {TOKEN}",
        f"{RIGHT}\r\n{RIGHT}",
        f"{RIGHT}\r\nAuthorization: Bearer x",
        f"Cookie: token={TOKEN}",
    ],
)
def test_a_token_that_is_not_the_very_one_is_none(given: str) -> None:
    assert status(head(*given.split("\r\n"))) == 401


def test_a_token_in_the_address_is_none_because_addresses_are_logged() -> None:
    assert status(head(target=f"/feed?token={TOKEN}")) == 401


def test_the_scheme_is_read_as_the_standard_says() -> None:
    assert status(head(f"Authorization: bearer {TOKEN}")) == 200  # RFC 9110, 11.1: case-insensitive


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8001", "127.0.0.1", "localhost:8001", "LOCALHOST", "[::1]:8001", "a.localhost:9"]
)
def test_local_names_are_ours_whatever_the_port_because_a_tunnel_changes_it(host: str) -> None:
    assert status(head(RIGHT, host=host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8001",
        "127.0.0.1.evil.example:8001",
        "localhost.evil.example",
        "evil.example.",
        "192.168.1.7:8001",
        "[::2]:8001",
        "xlocalhost",
        "0.0.0.0:8001",
    ],
)
@pytest.mark.parametrize("target", ["/", "/feed", "/records"])
def test_a_name_that_somebody_else_could_point_at_us_is_not_ours(host: str, target: str) -> None:
    """DNS rebinding: the browser believes that it talks to evil.example, with its Origin, and even with the token."""
    assert status(head(RIGHT, host=host, target=target)) == 421
    assert status(head(RIGHT, f"Origin: http://{host}", host=host, target=target)) == 421


def test_without_a_host_there_is_no_answer() -> None:
    raw = f"GET / HTTP/1.0\r\n{RIGHT}\r\n\r\n".encode()
    assert status(parse_head(raw, HttpLimits())) == 421


def test_the_authority_of_an_absolute_target_counts() -> None:
    assert status(head(RIGHT, target="http://evil.example/feed")) == 421
    assert status(head(RIGHT, target="http://localhost:8001/feed", host="evil.example")) == 200


@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        ("http://127.0.0.1:8001", 200),
        ("https://127.0.0.1:8001", 403),
        ("http://127.0.0.1:8000", 403),
        ("http://127.0.0.1", 403),
        ("http://localhost:8001", 403),  # another origin, be it this machine: a browser says the one it has
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://127.0.0.1:8001, http://evil.example", 403),
    ],
)
def test_only_our_own_origin_may_look(origin: str, answer: int) -> None:
    assert status(head(RIGHT, f"Origin: {origin}")) == answer
    assert status(head(f"Origin: {origin}", target="/")) == answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X"])
def test_nothing_can_be_changed(method: str) -> None:
    given = head(RIGHT, "Content-Length: 0", method=method)
    assert status(given) == 405
    refusal = Gate(TOKEN).refusal(given, "127.0.0.1")
    assert refusal is not None
    assert dict(refusal.fields) == {"Allow": "GET, HEAD"}
    assert status(head(RIGHT, method="HEAD")) == 200


def test_where_others_can_connect_the_address_that_they_connected_to_is_ours_and_local_names_are_not() -> (
    None
):
    assert status(head(RIGHT, host="192.0.2.7:8001"), "192.0.2.7") == 200
    assert status(head(RIGHT, host="[2001:db8::1]:8001"), "2001:db8::1") == 200
    assert status(head(RIGHT, host="192.0.2.8:8001"), "192.0.2.7") == 421
    assert status(head(RIGHT, host="localhost:8001"), "192.0.2.7") == 421
    assert status(head(RIGHT, host="127.0.0.1:8001"), "192.0.2.7") == 421


def test_a_name_that_was_given_is_ours() -> None:
    assert status(head(RIGHT, host="Desk.Example:8001"), "192.0.2.7", "desk.example") == 200
    assert status(head(RIGHT, host="other.example:8001"), "192.0.2.7", "desk.example") == 421


def test_an_unauthorized_request_hears_how_to_ask() -> None:
    refusal = Gate(TOKEN).refusal(head(), "127.0.0.1")
    assert refusal is not None
    assert dict(refusal.fields) == {"WWW-Authenticate": "Bearer"}
    assert TOKEN not in refusal.text


def test_which_addresses_are_of_this_machine_only() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.7", "10.0.0.1", "::2")))
