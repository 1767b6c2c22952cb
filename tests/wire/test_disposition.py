"""What a download is called: any name goes in, nothing but a name comes out."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.wire.http.disposition import attachment

VALUE = re.compile(
    r"""attachment; filename="([^"\\%]+)"(?:; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+))?"""
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("photos.zip", 'attachment; filename="photos.zip"'),
        ("two words.zip", 'attachment; filename="two words.zip"'),
        ("a%41.zip", "attachment; filename=\"a_41.zip\"; filename*=UTF-8''a%2541.zip"),
        ("für.zip", "attachment; filename=\"f_r.zip\"; filename*=UTF-8''f%C3%BCr.zip"),
        ("照片.zip", "attachment; filename=\"__.zip\"; filename*=UTF-8''%E7%85%A7%E7%89%87.zip"),
        ("it's.zip", 'attachment; filename="it\'s.zip"'),
        ("it's für.zip", "attachment; filename=\"it's f_r.zip\"; filename*=UTF-8''it%27s%20f%C3%BCr.zip"),
        (".profile", 'attachment; filename="profile"'),
        ("a. ", 'attachment; filename="a"'),
        ("", 'attachment; filename="download"'),
        ("..", 'attachment; filename="download"'),
    ],
)
def test_names(name: str, value: str) -> None:
    assert attachment(name) == value


@pytest.mark.attack(22)
@pytest.mark.parametrize(
    "name",
    [
        'a"; filename="b.exe',
        'a\\"b',
        "a\r\nSet-Cookie: x=1",
        "a\nb",
        "a\0b",
        "a\x7f\x85b",
        "a\u2028b",
        "../../etc/passwd",
        "..\\..\\x",
        "C:x",
        "\u202egpj.exe",
        "\u2066a\u2069",
        "a\ufeff",
        "a\udcffb",
        "a*b?<c>|",
    ],
)
def test_nothing_gets_out_of_the_name(name: str) -> None:
    value = attachment(name)
    match = VALUE.fullmatch(value)
    assert match is not None, value
    assert match[2] is None  # what is odd has gone, and the rest was plain
    assert value.isascii()
    assert value.isprintable()
    assert not set(match[1]) & set('/\\:*?"<>|')
    assert match[1].strip(" .") == match[1]


@given(st.text())
def test_any_name_makes_a_value_that_can_be_read(name: str) -> None:
    match = VALUE.fullmatch(attachment(name))
    assert match is not None
    plain, full = match[1], match[2]
    assert plain.isascii()
    assert plain.isprintable()
    if full is not None:
        text = unquote(full, errors="strict")
        assert len(text) == len(plain)
        assert all(one == other or other == "_" for one, other in zip(text, plain, strict=True))
