"""Discovery that stays on this machine: the loopback as the only link, and a port of its own."""

from __future__ import annotations

import socket
import struct

import pytest

from poise.net import lan
from poise.net.lan import Interface
from poise.wire import discovery


def loopback() -> Interface:
    """The loopback interface; skips where it cannot be asked by multicast."""
    found = [each for each in lan.interfaces() if each.loopback and each.index]
    if not found:
        pytest.skip("this machine has no loopback interface with an IPv4 address")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_ADD_MEMBERSHIP,
                struct.pack("4s4si", socket.inet_aton(discovery.GROUP_IPV4), bytes(4), found[0].index),
            )
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            probe.sendto(b"", (discovery.GROUP_IPV4, 9))
        except OSError as error:
            pytest.skip(f"the kernel refuses multicast on loopback: {error}")
    return found[0]


def free_port() -> int:
    """A UDP port that nobody has at this moment, in either family."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
