"""One measurement: start the servers that are here, check that they answer alike, let them take turns."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.asking import Unequal
from bench.crowd import Crowd, NoCrowd
from bench.http_scenarios import CERTIFICATE
from bench.load import Sample
from bench.place import Peer, Place
from bench.scenarios import Scenario
from bench.servers import CannotStart, Server, start
from bench.viewer import NoPage, Viewer

UNABLE = (CannotStart, Unequal, NoCrowd, NoPage, OSError, subprocess.SubprocessError)


def start_all(
    stack: ExitStack, peers: Sequence[Peer], scenario: Scenario, folder: Path, cores: Collection[int]
) -> tuple[list[Server], dict[str, str]]:
    """Start every peer that is here and answers as it should; name the others with the reason.

    ``scenario`` is prepared in ``folder``. The first peer gives its reply, byte for byte, to those that only repeat one.
    ``stack`` stops what was started.
    """
    reply = scenario.plain_reply()
    servers: list[Server] = []
    skipped: dict[str, str] = {}
    for peer in peers:
        if reason := peer.missing(scenario.conditions):
            skipped[peer.name] = reason
            continue
        place = Place(folder / "site", folder, 0, reply, scenario.conditions, folder / CERTIFICATE)
        try:
            server = start(peer, place, cores)
            stack.callback(server.stop)
            scenario.check(server.port)
            server.reply = scenario.reply(server.port)
        except UNABLE as error:
            skipped[peer.name] = str(error)
            continue
        if not servers:
            reply = server.reply
        server.memory = server.private_bytes()
        servers.append(server)
    return servers, skipped


def look_at(stack: ExitStack, server: Server) -> Viewer | None:
    """Open the page of one that is to be watched. Raises NoPage."""
    if not server.peer.watched:
        return None
    viewer = Viewer(server.said)
    stack.callback(viewer.leave)
    return viewer


def surround(stack: ExitStack, server: Server, scenario: Scenario) -> Crowd | None:
    """Hold the idle connections that the scenario wants beside those that ask. Raises NoCrowd."""
    count = scenario.conditions.crowd
    if not count or server.peer.alone:
        return None
    crowd = Crowd(server.port, count, scenario.heads(server.port)[0])
    stack.callback(crowd.leave)
    server.idle_memory = (server.private_bytes() - server.memory) / count
    return crowd


def take_turns(
    servers: Sequence[Server],
    round_of: Callable[[Server], Sample],
    rounds: int,
    told: Callable[[str], None],
    warm_ups: int = 1,
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """A B C A B C …; the first turns are warm-ups and do not count. Who fails in one is left out, with the reason."""
    taken: dict[str, list[Sample]] = {server.peer.name: [] for server in servers}
    failed: dict[str, str] = {}
    for turn in range(1 - warm_ups, rounds + 1) if servers else ():
        costs = []
        for server in servers:
            name = server.peer.name
            if name in failed:
                continue
            try:
                sample = round_of(server)
            except UNABLE as error:
                failed[name] = str(error)
                del taken[name]
                continue
            costs.append(f"{name} {sample.cost:.2f}")
            if turn > 0:
                taken[name].append(sample)
        told(f"{f'round {turn} of {rounds}' if turn > 0 else 'warm-up'}, CPU µs: {', '.join(costs)}")
    return taken, failed
