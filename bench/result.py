"""The JSON result: what it was measured on, who was measured and how, and every round."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine
from bench.load import Sample
from bench.place import PYTHON
from bench.report import describe
from bench.scenarios import ROOT, Scenario
from bench.servers import Server

RESULTS = ROOT / "bench" / "results"
CONFIGURATIONS = ("*.conf", "Caddyfile")


def begun(bench: str, rounds: int) -> dict[str, Any]:
    """What every result begins with. The load average says whether somebody else was at work, too."""
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "load_average_before": os.getloadavg()[0],
        "bench": bench,
        "rounds": rounds,
    }


def of_scenario(
    scenario: Scenario,
    servers: Sequence[Server],
    rounds: dict[str, list[Sample]],
    skipped: dict[str, str],
    clients: dict[str, list[str]],
    folder: Path,
) -> dict[str, Any]:
    """``clients`` are the commands of the clients, by server; ``folder`` is where it all happened."""
    return {
        "scenario": asdict(scenario),
        "unit": scenario.unit,
        "skipped": {name: reason.replace(str(folder), "SCRATCH") for name, reason in skipped.items()},
        "servers": {
            server.peer.name: described(server, scenario, clients[server.peer.name], rounds[server.peer.name])
            for server in servers
            if server.peer.name in rounds
        },
    }


def described(
    server: Server, scenario: Scenario, client: list[str], samples: Sequence[Sample]
) -> dict[str, Any]:
    """One server: how it was run, what it was asked, what it answered, and how each round was."""
    peer, place = server.peer, server.place
    head = server.reply.partition(b"\r\n\r\n")[0].decode("latin-1")
    files = [file for pattern in CONFIGURATIONS for file in sorted(place.scratch.glob(pattern))]
    return {
        "about": peer.about,
        "version": machine.version(peer.version, peer.folder),
        "command": [plain(word, server) for word in server.command],
        "configuration": {file.name: plain(file.read_text(), server) for file in files},
        "requests_per_connection": peer.keeps,
        "client": [plain(word, server) for word in client],
        "request_heads": [plain(head, server) for head in scenario.heads(server.port)],
        "reply_head": head.split("\r\n") if head else [],
        "private_bytes_before": server.memory,
        "private_bytes_per_idle_connection": server.idle_memory,
        "rounds": [describe(sample) for sample in samples],
    }


def plain(text: str, server: Server) -> str:
    """What is written down is the same wherever it was measured: names instead of this machine's folders and ports."""
    place = server.place
    names = {
        str(place.site): "SITE",
        str(place.scratch): "SCRATCH",
        str(place.site.parent): "SCRATCH",
        sys.executable: "python3",
        PYTHON: "python3",
        f"{ROOT}/": "",
        str(ROOT): ".",
    }
    for what, name in names.items():
        text = text.replace(what, name)
    return text.replace(str(server.port), "PORT") if server.port else text


def keep(result: dict[str, Any], where: str | None) -> Path | None:
    """Write it to ``where``, by default a new file of :data:`RESULTS`; to stdout when it is ``-``."""
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
        return None
    taken = result["taken"].replace(":", "").replace("+0000", "Z")
    file = Path(where) if where else RESULTS / f"{taken}-{result['bench']}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
