"""Broadcast and multicast on this machine alone, on every poller."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.net.options import SocketOptions
from poise.readiness.poller import available
from tests.support.datagrams import LOCAL, House, housed

IPV4_GROUP = "239.255.77.1"  # administratively scoped (RFC 2365)
IPV6_GROUP = "ff01::7701"  # interface-local: it never leaves the machine (RFC 4291, 2.7)


@pytest.fixture(params=available())
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with housed(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    """On the best poller alone, for what does not concern readiness."""
    with housed(None, tmp_path) as made:
        yield made


def test_broadcast_needs_the_option(house: House) -> None:
    """Five receivers of one datagram; without the option the kernel says EACCES."""
    shared = SocketOptions(reuse_address=True)
    receivers = [house.open(local=("", 0), options=shared)]
    port = receivers[0][0].sockname[1]
    receivers += [house.open(local=("", port), options=shared) for _ in range(4)]
    dumb, heard = house.open()
    assert not dumb.sendto(b"hello", ("127.255.255.255", port))
    house.until(lambda: heard.errors)
    assert heard.numbers == [errno.EACCES]
    caller, heard = house.open(broadcast=True)
    assert caller.get_option("broadcast") is True
    if not caller.sendto(b"hello", ("127.255.255.255", port)):
        house.until(lambda: heard.errors)
        pytest.skip(f"the kernel refuses to broadcast on loopback: {heard.errors[0]}")
    house.until(lambda: all(each.got for _, each in receivers))
    assert all(each.got == [b"hello"] for _, each in receivers)


def test_a_broadcast_peer_needs_the_option(one: House) -> None:
    with pytest.raises(PermissionError):
        one.open(remote=("127.255.255.255", 9))
    one.open(remote=("127.255.255.255", 9), broadcast=True)


def test_only_ipv4_broadcasts(one: House) -> None:
    for local in (("::1", 0), f"unix:{one.unix('us')}"):
        with pytest.raises(MachineFault, match="broadcast is an option of UDP sockets over IPv4"):
            one.open(local=local, broadcast=True)


def interface_for(group: str) -> str:
    """An interface on which this machine hears its own multicast, the loopback first; skips where there is none."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    last: object = "no interface"
    for index, name in sorted(socket.if_nameindex(), key=lambda each: each[1] != "lo"):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                else:
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("8xi", index))
                sock.sendto(b"", (group, 9))
            except OSError as error:
                last = error
                continue
            return name
    pytest.skip(f"the kernel refuses to send to {group}: {last}")


@pytest.mark.parametrize("group", [IPV4_GROUP, IPV6_GROUP])
def test_a_group_is_joined_and_left(house: House, group: str) -> None:
    interface = interface_for(group)
    everywhere = "::" if ":" in group else ""
    member, heard = house.open(local=(everywhere, 0))
    port = member.sockname[1]
    options = SocketOptions(multicast_interface=interface, multicast_ttl=0, multicast_loop=True)
    caller, _ = house.open(local=(everywhere, 0), options=options)
    assert caller.get_option("multicast_ttl") == 0
    assert caller.get_option("multicast_loop") is True
    member.join_group(group, interface)
    with pytest.raises(
        MachineFault, match=f"cannot join the group {group} on interface {interface}"
    ) as twice:
        member.join_group(group, interface)
    assert twice.value.errno == errno.EADDRINUSE
    assert caller.sendto(b"hello", (group, port))
    house.until(lambda: heard.got)
    member.leave_group(group, interface)
    with pytest.raises(MachineFault, match="cannot leave"):
        member.leave_group(group, interface)
    assert caller.sendto(b"nobody listens", (group, port))
    own = ("::1" if ":" in group else "127.0.0.1", port)
    assert caller.sendto(b"end", own)
    house.until(lambda: b"end" in heard.got)
    assert heard.got == [b"hello", b"end"]


def test_a_sender_that_does_not_loop_back_is_not_heard_at_home(house: House) -> None:
    interface = interface_for(IPV4_GROUP)
    member, heard = house.open(local=("", 0))
    member.join_group(IPV4_GROUP, interface)
    port = member.sockname[1]
    caller, _ = house.open()
    caller.set_option("multicast_interface", interface)
    caller.set_option("multicast_loop", False)
    caller.set_option("multicast_ttl", 0)
    assert caller.sendto(b"elsewhere", (IPV4_GROUP, port))
    assert caller.sendto(b"here", ("127.0.0.1", port))
    house.until(lambda: b"here" in heard.got)
    if interface != "lo":  # what goes out on the loopback comes in by it
        assert heard.got == [b"here"]


def test_a_group_by_the_address_of_the_interface(one: House) -> None:
    member, heard = one.open(local=("", 0))
    try:
        member.join_group(IPV4_GROUP, "127.0.0.1")
    except MachineFault as refused:
        pytest.skip(f"the kernel refuses: {refused}")
    caller, _ = one.open(options=SocketOptions(multicast_interface="127.0.0.1"))
    assert caller.sendto(b"hello", (IPV4_GROUP, member.sockname[1]))
    one.until(lambda: heard.got)
    member.leave_group(IPV4_GROUP, "127.0.0.1")


def test_what_is_no_group_is_refused(one: House) -> None:
    transport, _ = one.open(local=LOCAL)
    strange: list[Any] = ["127.0.0.1", "223.255.255.255", "240.0.0.0", "ff02::1", "all-hosts", "a\0b", None]
    for wrong in strange:
        with pytest.raises(ValueError, match="no multicast address for a UDP socket over IPv4"):
            transport.join_group(wrong)
    with pytest.raises(ValueError, match="no network interface 'nowhere0'"):
        transport.join_group(IPV4_GROUP, "nowhere0")
    with pytest.raises(MachineFault, match=r"cannot leave .* on the interface of the default route"):
        transport.leave_group(IPV4_GROUP)
    unix, _ = one.open(local=f"unix:{one.unix('us')}")
    with pytest.raises(
        ValueError, match="only UDP sockets can join a group, and this is a unix datagram socket"
    ):
        unix.join_group(IPV4_GROUP)
