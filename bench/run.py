"""One measurement: start the servers that are here, check that they answer alike, let them take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Sample
from bench.peers import Peer
from bench.scenarios import Scenario
from bench.servers import CannotStart, Server, fetch, fetch_raw, start


class Unequal(Exception):
    """A server answers something else than the file; measuring it would compare different work."""


def start_all(
    stack: ExitStack, peers: Sequence[Peer], scenario: Scenario, folder: Path, core: int
) -> tuple[list[Server], dict[str, str]]:
    """Start every peer that is here and answers as it should; name the others with the reason.

    The first one gives its reply, byte for byte, to those that only repeat one. ``stack`` stops what was started.
    """
    site = folder / "site"
    site.mkdir(mode=0o755)
    content = scenario.prepare(site)
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    servers: list[Server] = []
    skipped: dict[str, str] = {}
    for peer in peers:
        if reason := peer.missing():
            skipped[peer.name] = reason
            continue
        try:
            server = start(peer, site, folder, reply, core)
            stack.callback(server.stop)
            check(server, scenario, content)
            server.reply = fetch_raw(server.port, scenario.path)
        except (CannotStart, Unequal, OSError) as error:
            skipped[peer.name] = str(error)
            continue
        if not servers:
            reply = server.reply
        servers.append(server)
    return servers, skipped


def check(server: Server, scenario: Scenario, content: bytes) -> None:
    status, body = fetch(server.port, scenario.path)
    if (status, body) != (200, content):
        raise Unequal(
            f"answered {status} with {len(body)} bytes, not 200 with the {len(content)} of the file"
        )


def take_turns(
    servers: Sequence[Server],
    round_of: Callable[[Server], Sample],
    rounds: int,
    told: Callable[[str], None],
) -> dict[str, list[Sample]]:
    """A B C A B C …; the first turn is the warm-up and does not count."""
    taken: dict[str, list[Sample]] = {server.peer.name: [] for server in servers}
    for turn in range(rounds + 1 if servers else 0):
        costs = []
        for server in servers:
            sample = round_of(server)
            costs.append(f"{server.peer.name} {sample.cost:.2f}")
            if turn:
                taken[server.peer.name].append(sample)
        told(f"{f'round {turn} of {rounds}' if turn else 'warm-up'}, CPU µs: {', '.join(costs)}")
    return taken
