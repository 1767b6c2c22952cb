"""One measurement: start the servers that are here, check that they answer alike, let them take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.asking import Unequal
from bench.load import Sample
from bench.peers import Peer
from bench.scenarios import Scenario
from bench.servers import CannotStart, Server, start


def start_all(
    stack: ExitStack, peers: Sequence[Peer], scenario: Scenario, folder: Path, core: int
) -> tuple[list[Server], dict[str, str]]:
    """Start every peer that is here and answers as it should; name the others with the reason.

    ``scenario`` is prepared in ``folder``. The first peer gives its reply, byte for byte, to those that only repeat one.
    ``stack`` stops what was started.
    """
    reply = scenario.plain_reply()
    servers: list[Server] = []
    skipped: dict[str, str] = {}
    for peer in peers:
        if reason := peer.missing():
            skipped[peer.name] = reason
            continue
        try:
            server = start(peer, folder / "site", folder, reply, core)
            stack.callback(server.stop)
            scenario.check(server.port)
            server.reply = scenario.reply(server.port)
        except (CannotStart, Unequal, OSError) as error:
            skipped[peer.name] = str(error)
            continue
        if not servers:
            reply = server.reply
        servers.append(server)
    return servers, skipped


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
