"""Three hosts on a bridge: broadcast, multicast and discovery as they are between machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.namespaces import Host, Network, network, run
from tests.support.program import PATIENCE, ROOT, Served, program, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

PORT = "7000"  # in namespaces of our own every port is free
GROUPS = ("239.255.77.1", "ff12::7701")
TWO_SECONDS = 2.0  # what `poise find` promises
QUICK = "0.3"  # seconds, where a search is made again until it shows what it should


@pytest.fixture(scope="module")
def lan() -> Iterator[Network]:
    with network(3) as made:
        yield made


def poise(host: Host, *words: str) -> list[str]:
    return host.command(sys.executable, "-m", "poise", *words)


def lan_host(host: Host, *words: str) -> list[str]:
    return host.command(sys.executable, "-m", "tests.live.lan_host", *words)


def until(condition: Callable[[], Any]) -> Any:
    """The first true value of ``condition``, which itself takes a while; fails when there is none in time."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "still not so"


def find(host: Host, *options: str) -> list[dict[str, Any]]:
    done = run(poise(host, "find", "--json", *options))
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def in_time(host: Host, count: int) -> list[dict[str, Any]]:
    """What a search as people start it has found when it found ``count`` servers within two seconds; else nothing.

    The first may come before the bridge has learnt its ports, and a loaded machine may be slow to start a program.
    """
    began = time.monotonic()
    rows = find(host)
    took = time.monotonic() - began
    return rows if len(rows) == count and took < TWO_SECONDS else []


def serve(stack: ExitStack, host: Host, folder: Path, *options: str) -> Served:
    command = poise(host, "serve", str(folder), "--port", "0", "--announce", *options)
    return stack.enter_context(serving(folder, command=command, cwd=ROOT))


def named(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {row["name"]: row["urls"] for row in rows}


# -- datagrams ----------------------------------------------------------------------------------------------


def heard(stack: ExitStack, host: Host, *where: str) -> Served:
    """A program on ``host`` that hears datagrams, and listens by now."""
    hearing = stack.enter_context(program(lan_host(host, "hear", *where)))
    assert hearing.line() == "listening"
    return hearing


def send(source: str, host: Host, to: str, text: str) -> None:
    done = run(lan_host(host, "send", source, to, PORT, text))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("to", ["10.77.0.255", "255.255.255.255"])
def test_a_broadcast_reaches_every_host(lan: Network, to: str) -> None:
    sender = lan.hosts[0]
    with ExitStack() as stack:
        programs = [heard(stack, host, "", PORT) for host in lan.hosts]
        send(sender.ipv4, sender, to, "to-all")
        for each in programs:  # the sending host hears itself
            assert each.line() == f"to-all {sender.ipv4}"


@pytest.mark.parametrize("group", GROUPS)
def test_multicast_reaches_the_members_only(lan: Network, group: str) -> None:
    sender, member, stranger = lan.hosts
    six = ":" in group
    source, everywhere = (f"{sender.link_local}%eth0", "::") if six else (sender.ipv4, "")
    shown = source.removesuffix("%eth0")
    with ExitStack() as stack:
        inside = heard(stack, member, everywhere, PORT, group)
        outside = heard(stack, stranger, everywhere, PORT)
        send(source, sender, group, "to-members")
        assert inside.line() == f"to-members {shown}"
        # What comes later is heard, so what was not heard before it did not come.
        send(source, sender, f"{stranger.link_local}%eth0" if six else stranger.ipv4, "to-you")
        assert outside.line() == f"to-you {shown}"


# -- discovery ----------------------------------------------------------------------------------------------


def test_servers_on_other_hosts_are_found_within_two_seconds(lan: Network, tmp_path: Path) -> None:
    one, two, asking = lan.hosts
    (tmp_path / "hello.txt").write_text("hello from afar")
    with ExitStack() as stack:
        photos = serve(stack, one, tmp_path, "Photos 就绪", "--lan")
        music = serve(stack, two, tmp_path, "music", "--host", two.ipv4)
        hidden = serve(stack, two, tmp_path, "hidden")
        assert 'announced as "Photos 就绪" in the local network' in photos.stderr
        assert 'announced as "hidden" on this machine only' in hidden.stderr
        rows = until(lambda: in_time(asking, 2))
        assert named(rows) == {
            "Photos 就绪": [
                f"http://{one.ipv4}:{photos.port}/",
                f"http://[{one.link_local}%25eth0]:{photos.port}/",
            ],
            "music": [f"http://{two.ipv4}:{music.port}/"],
        }
        assert all(0 <= row["age"] < 60 and row["url"] == row["urls"][0] for row in rows)
        fetch = (
            "import sys, urllib.request as r; print(r.urlopen(sys.argv[1] + 'hello.txt', timeout=10).read())"
        )
        for row in rows:
            done = run(asking.command(sys.executable, "-c", fetch, row["url"]))
            assert done.stdout == "b'hello from afar'\n", done.stderr

        table = until(lambda: as_lines(asking, 4))
        assert [line.split("  ")[0] for line in table] == ["NAME", "music", "Photos 就绪", ""]

        nearby = named(until(lambda: in_time(two, 3)))  # two on one host: both answer
        assert set(nearby) == {"Photos 就绪", "music", "hidden"}
        assert nearby["hidden"] == [hidden.url]


def as_lines(host: Host, count: int) -> list[str]:
    """What ``poise find`` prints for people, when it is ``count`` lines."""
    lines = run(poise(host, "find", "--timeout", QUICK)).stdout.splitlines()
    return lines if len(lines) == count else []


def test_nobody_is_there(lan: Network) -> None:
    done = run(poise(lan.hosts[0], "find", "--timeout", QUICK))
    assert (done.returncode, done.stdout) == (0, "")
    assert "nobody has answered" in done.stderr


def test_a_server_goes_on_when_its_interface_vanishes_and_comes_back(lan: Network, tmp_path: Path) -> None:
    host, asking, _ = lan.hosts
    with ExitStack() as stack:
        served = serve(stack, host, tmp_path, "roamer", "--lan")
        until(lambda: find(asking, "--timeout", QUICK))
        lan.pull_out(host)
        try:
            assert find(asking, "--timeout", QUICK) == []
            [row] = until(lambda: find(host, "--timeout", QUICK))  # it still answers on its own machine
            assert row["url"] == served.url
        finally:
            lan.plug_in(host)
        # Over IPv6 there is no broadcast: that it is found again says that it has joined on the new interface.
        urls = [f"http://{host.ipv4}:{served.port}/", f"http://[{host.link_local}%25eth0]:{served.port}/"]
        until(lambda: named(find(asking, "--timeout", QUICK)) == {"roamer": urls})


def test_a_host_without_an_address_asks_over_ipv6(lan: Network, tmp_path: Path) -> None:
    one, asking, _ = lan.hosts
    with ExitStack() as stack:
        served = serve(stack, one, tmp_path, "six", "--lan")
        run(["ip", "-n", asking.namespace, "address", "del", f"{asking.ipv4}/24", "dev", "eth0"])
        try:
            [row] = until(lambda: find(asking, "--timeout", QUICK))
            assert row["urls"] == [f"http://[{one.link_local}%25eth0]:{served.port}/"]
        finally:
            run(
                [
                    "ip",
                    "-n",
                    asking.namespace,
                    "address",
                    "add",
                    f"{asking.ipv4}/24",
                    "brd",
                    "+",
                    "dev",
                    "eth0",
                ]
            )
