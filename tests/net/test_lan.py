"""The interfaces of this machine, and addresses of which kind."""

from __future__ import annotations

import socket
import sys

import pytest

from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net import lan
from poise.net.datagram import open_datagram
from poise.net.lan import Interface
from poise.net.protocol import DatagramProtocol
from tests.support.datagrams import has_ipv6

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked for every address")


@linux_only
def test_the_loopback_is_among_the_interfaces() -> None:
    found = lan.interfaces()
    assert [(each.index, each.name) for each in found] == socket.if_nameindex()
    assert [each.ipv4 for each in found if each.loopback] == ["127.0.0.1"]


@linux_only
def test_an_interface_that_has_gone_meanwhile_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    named = [*socket.if_nameindex(), (9_999, "gone")]
    monkeypatch.setattr(socket, "if_nameindex", lambda: named)
    assert lan.interfaces()[-1] == Interface(9_999, "gone", None)
    assert not lan.interfaces()[-1].loopback


def test_elsewhere_the_routing_table_knows_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "elsewhere")
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo0"), (4, "en0")])
    monkeypatch.setattr(addresses, "own_addresses", lambda: ["192.0.2.7", "2001:db8::7"])
    assert lan.interfaces() == [
        Interface(1, "lo0"),
        Interface(4, "en0"),
        Interface(0, "", "127.0.0.1"),
        Interface(0, "", "192.0.2.7"),
    ]


def test_a_system_that_does_not_tell_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list[tuple[int, str]]:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "if_nameindex", refused)
    assert lan.interfaces() == []


@pytest.mark.parametrize(
    ("host", "loopback", "link_local"),
    [
        ("127.0.0.1", True, False),
        ("127.255.0.1", True, False),
        ("::1", True, False),
        ("192.0.2.1", False, False),
        ("fe80::1", False, True),
        ("febf::1", False, True),
        ("fec0::1", False, False),
        ("2001:db8::1", False, False),
        ("::", False, False),
        ("feb.example", False, False),
    ],
)
def test_kinds_of_addresses(host: str, loopback: bool, link_local: bool) -> None:
    assert lan.is_loopback(host) is loopback
    assert lan.is_link_local(host) is link_local


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_stays_on_the_link_has_one_hop(host: str) -> None:
    six = ":" in host
    if six and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with Reactor() as reactor:
        transport = open_datagram(reactor, DatagramProtocol, local=(host, 0))
        lan.keep_on_link(transport)
        opened = transport.get_extra_info("socket")
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL)
        )
        assert opened.getsockopt(level, option) == 1
        assert transport.get_option("multicast_ttl") == 1
        transport.abort()
