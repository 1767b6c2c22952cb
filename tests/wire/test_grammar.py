from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.wire.http import grammar


def is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


@given(st.ip_addresses(v=6))
def test_every_ipv6_address(address: IPv6Address) -> None:
    assert grammar.HOST.fullmatch(f"[{address}]")
    assert grammar.HOST.fullmatch(f"[{address.exploded}]:80")


@given(st.text("0123456789abcdefABCDEF:.", max_size=20))
def test_agrees_with_the_standard_library_on_ipv6(text: str) -> None:
    assert bool(re.fullmatch(grammar.IPv6address, text)) == is_ipv6(text)


@given(
    st.lists(st.sampled_from(("::", ":", "0", "ff", "12345", "1.2.3.4", "256.1.1.1")), max_size=12).map(
        "".join
    )
)
def test_agrees_with_the_standard_library_on_nearly_ipv6(text: str) -> None:
    assert bool(re.fullmatch(grammar.IPv6address, text)) == is_ipv6(text)


@given(st.ip_addresses(v=4))
def test_every_ipv4_address(address: IPv4Address) -> None:
    assert re.fullmatch(grammar.IPv4address, str(address))
    assert grammar.HOST.fullmatch(str(address))


@pytest.mark.parametrize(
    "text", ["example.com", "EXAMPLE.com:80", "a:", "[::1]:8000", "[v1.x:y]", "a%41b", "_x_", "-"]
)
def test_hosts(text: str) -> None:
    assert grammar.HOST.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a b",
        "a/b",
        "a@b",
        "a,b",
        "a:b",
        "a:80:80",
        "[::1",
        "::1",
        "[]",
        "[fe80::1%eth0]",
        "a%4",
        "é",
        "a\t",
        "a:٣",
    ],
)
def test_no_hosts(text: str) -> None:
    assert not grammar.HOST.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "00aF",
        "0" * 16,
        "5;a",
        "5;a=b",
        '5;a="b c"',
        r'5;a="\"\\"',
        "5 ; a = b ; c",
        '5;a=""',
        "5\t;a",
    ],
)
def test_chunk_lines(text: str) -> None:
    assert grammar.CHUNK_LINE.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 17,
        "0x5",
        "+5",
        "-5",
        "5 ",
        " 5",
        "5_0",
        "g",
        "5;",
        "5;=b",
        "5;a=",
        '5;a="b',
        "5;a b",
        "5;a=b c",
        "5\r",
        "٥",
        "5;a\0",
    ],
)
def test_no_chunk_lines(text: str) -> None:
    assert not grammar.CHUNK_LINE.fullmatch(text)


def test_the_octets_of_a_token() -> None:
    octets = [bytes((octet,)) for octet in range(256)]
    assert [octet for octet in octets if re.fullmatch(grammar.tchar, octet.decode("latin-1"))] == sorted(
        grammar.TCHARS
    )
