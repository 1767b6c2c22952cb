"""From a path to names and back."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.files.names import clean_query, names_of, path_of, quote, visible

NAME = st.binary(min_size=1, max_size=60).filter(
    lambda name: not set(name) & set(b"/\0\\") and name not in (b".", b"..")
)


@pytest.mark.parametrize(
    ("path", "names", "slash"),
    [
        ("/", (), True),
        ("//", (), True),
        ("/a", (b"a",), False),
        ("/a/", (b"a",), True),
        ("/a//b", (b"a", b"b"), False),
        ("//a", (b"a",), False),
        ("/./a/./b/.", (b"a", b"b"), True),
        ("/a/..", (), True),
        ("/a/b/../c", (b"a", b"c"), False),
        ("/a/%2E%2e/c", (b"c",), False),
        ("/%61%2Eb", (b"a.b",), False),
        ("/a%20b%0a%FF", (b"a b\n\xff",), False),
        ("/%252e%252e/x", (b"%2e%2e", b"x"), False),
        ("/a[1]|'\"{}^`~", (b"a[1]|'\"{}^`~",), False),
        ("/.well-known/acme-challenge/t", (b".well-known", b"acme-challenge", b"t"), False),
        ("/%2ewell-known", (b".well-known",), False),
        ("/.git/../a", (b"a",), False),
    ],
)
def test_a_path_names_components(path: str, names: tuple[bytes, ...], slash: bool) -> None:
    assert names_of(path) == (names, slash)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 400),
        ("*", 400),
        ("a", 400),
        ("/..", 400),
        ("/a/../..", 400),
        ("/%2e%2e/%2e%2e/etc/passwd", 400),
        ("/.%2e", 400),
        ("/%", 400),
        ("/%4", 400),
        ("/%zz", 400),
        ("/%٣٣", 400),
        ("/a b", 400),
        ("/a\n", 400),
        ("/é", 400),
        ("/\x7f", 400),
        ("/a\\b", 400),
        ("/a%5cb", 400),
        ("/a%00", 400),
        ("/a\0", 400),
        ("/a%2fb", 404),
        ("/..%2F..", 404),
        ("/.git", 404),
        ("/a/.git/config", 404),
        ("/%2egit", 404),
        ("/...", 404),
        ("/a/.well-known", 404),
        ("/.well-known/.git", 404),
        ("/.well-knownx", 404),
    ],
)
def test_a_path_that_breaks_a_rule_is_refused(path: str, status: int) -> None:
    with pytest.raises(RequestError) as refused:
        names_of(path)
    assert refused.value.status == status


def test_dotfiles_are_named_when_asked_for() -> None:
    assert names_of("/.git/.x", dotfiles=True) == ((b".git", b".x"), False)


@given(st.lists(NAME), st.booleans())
def test_the_path_of_names_names_them(names: list[bytes], folder: bool) -> None:
    path = path_of(names, folder=folder)
    assert names_of(path, dotfiles=True) == (tuple(names), folder or not names)
    assert path.startswith("/")
    assert not path.startswith("//")
    assert set(path) <= set("/%-._~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


@given(NAME)
def test_a_quoted_name_survives_another_library(name: bytes) -> None:
    assert unquote_to_bytes(quote(name)) == name
    assert unquote_to_bytes(urlsplit(urljoin("http://h/d/", f"./{quote(name)}")).path) == b"/d/" + name


@given(st.text(alphabet=st.characters(max_codepoint=0x17F)).map(lambda text: f"/{text}"))
def test_any_text_is_names_or_a_refusal(path: str) -> None:
    names: tuple[bytes, ...] = ()
    status = 200
    try:
        names, _ = names_of(path)
    except RequestError as error:
        status = error.status
    assert status in (200, 400, 404)
    assert not any(name in (b"", b".", b"..") or set(name) & set(b"/\\\0") for name in names)


def test_a_query_keeps_what_it_may_hold() -> None:
    assert clean_query("a=b&c=%20d?/;:@!$'()*+,") == "a=b&c=%20d?/;:@!$'()*+,"
    assert clean_query('\r\nX: y\\<">#é\udcff') == "%0D%0AX:%20y%5C%3C%22%3E%23%C3%A9%FF"


def test_what_cannot_be_seen_is_shown_by_a_sign() -> None:
    assert visible("照片.txt".encode()) == "照片.txt"
    assert visible(b"a\nb\x1b\x7f\xff") == "a␊b␛␡�"
    assert visible("a\u202egpj.exe\u2066\u200f\x85".encode()) == "a�gpj.exe���"
