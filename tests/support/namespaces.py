"""Hosts on a bridge, each a network namespace of its own: a local network that no other program is in.

The bridge lies in a namespace too and the cables are made between namespaces, so the machine's own network is never
touched, not even for a moment. Needs root and the program ``ip`` of iproute2; a test without them is skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

PATIENCE = 20.0  # seconds for one call of ip
NETWORK = "10.77.0"


class Host:
    """One machine: ``ipv4`` and ``link_local`` are its addresses on ``eth0``."""

    def __init__(self, namespace: str, number: int) -> None:
        self.namespace = namespace
        self.ipv4 = f"{NETWORK}.{number}"
        self.link_local = f"fe80::{number}"
        self.port = f"to{number}"  # of the bridge

    def command(self, *words: str) -> list[str]:
        """``words`` as a command that runs on this host."""
        return ["ip", "netns", "exec", self.namespace, *words]


class Network:
    """The bridge and its hosts."""

    def __init__(self, token: str, count: int) -> None:
        self.switch = f"poise-{token}-switch"
        self.hosts = [Host(f"poise-{token}-{number}", number) for number in range(1, count + 1)]

    def make(self) -> None:
        ip("netns", "add", self.switch)
        # No snooping: groups are known from the first moment. No spanning tree: nothing waits before it forwards.
        bridge = ["bridge", "mcast_snooping", "0", "stp_state", "0", "forward_delay", "0"]
        ip("-n", self.switch, "link", "add", "bridge", "type", *bridge)
        ip("-n", self.switch, "link", "set", "bridge", "up")
        for host in self.hosts:
            ip("netns", "add", host.namespace)
            ip("-n", host.namespace, "link", "set", "lo", "up")
            self.plug_in(host)

    def plug_in(self, host: Host) -> None:
        """Give ``host`` its cable: ``eth0`` there, a port of the bridge here."""
        cable = ["eth0", "type", "veth", "peer", "name", host.port, "netns", self.switch]
        ip("-n", host.namespace, "link", "add", *cable)
        ip("-n", self.switch, "link", "set", host.port, "master", "bridge", "up")
        # Addresses of our own choice, usable at once instead of after a look for duplicates (RFC 4862, 5.4).
        ip("-n", host.namespace, "link", "set", "eth0", "addrgenmode", "none", "up")
        ip("-n", host.namespace, "address", "add", f"{host.ipv4}/24", "brd", "+", "dev", "eth0")
        ip("-n", host.namespace, "address", "add", f"{host.link_local}/64", "dev", "eth0", "nodad")

    def pull_out(self, host: Host) -> None:
        """The interface vanishes."""
        ip("-n", host.namespace, "link", "delete", "eth0")

    def remove(self) -> None:
        """All of it, also after half a start; what is in a namespace goes with it."""
        for name in (*(host.namespace for host in self.hosts), self.switch):
            ip("netns", "delete", name, check=False)


def ip(*words: str, check: bool = True) -> None:
    done = run(["ip", *words])
    if check and done.returncode:
        raise AssertionError(f"ip {' '.join(words)}: {done.stderr}")


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextmanager
def network(count: int) -> Iterator[Network]:
    """``count`` hosts on one bridge; removed again whatever happens."""
    if not shutil.which("ip"):
        pytest.skip("ip (of iproute2) is not installed")
    if os.geteuid():
        pytest.skip("network namespaces are made by root only")
    token = secrets.token_hex(4)
    probe = run(["ip", "netns", "add", f"poise-{token}-probe"])
    if probe.returncode:
        pytest.skip(f"this machine makes no network namespaces: {probe.stderr.strip()}")
    ip("netns", "delete", f"poise-{token}-probe")
    made = Network(token, count)
    try:
        made.make()
        yield made
    finally:
        made.remove()
