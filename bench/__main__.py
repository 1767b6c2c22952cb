"""``python3 -m bench``: starts the servers, checks that they answer the same, measures them in turn, reports."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine
from bench.measure import Sample, measure, source, wrk_command
from bench.peers import PEERS, ROOT, Peer, poise_at
from bench.report import describe, figures, table
from bench.run import check, start_all, take_turns
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import Server

HELP = """\
Measures Poise beside other servers on this machine, nothing leaves 127.0.0.1.

Every server is pinned to one core and the client, wrk, to another. All of them are started first; then they take
turns, A B C A B C …, one loaded at a time: one warm-up, then the rounds that count. A ratio compares two servers
within one round; its median is quoted with the smallest and the largest. Read the CPU column first: the
processor time that one request costs the server holds even when the machine is busy. Differences under 2 % are noise
unless there are 30 rounds or more.
"""

EXAMPLES = """\
examples:
  python3 -m bench                                   everything that is installed, five rounds of two seconds
  python3 -m bench --only poise floor                only these two, in a minute
  python3 -m bench --only poise --baseline ../before --rounds 30
                                                     a change against the checkout before it
  python3 -m bench --json -                          the whole result, with every round, on stdout
"""


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m bench",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--scenario", choices=SCENARIOS, default="small", help="what is asked for (%(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PEERS, metavar="SERVER", help=f"some of: {', '.join(PEERS)}"
    )
    parser.add_argument(
        "--reference",
        choices=PEERS,
        default="poise",
        metavar="SERVER",
        help="compared with each other one (%(default)s)",
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="DIR", help="another checkout of Poise to compare with"
    )
    parser.add_argument(
        "--rounds", type=positive, default=5, metavar="N", help="that count, after one warm-up (%(default)s)"
    )
    parser.add_argument(
        "--seconds", type=positive, default=2, metavar="N", help="length of one round (%(default)s)"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="where the result goes (bench/results/TIME.json), - for stdout"
    )
    return parser.parse_args(argv)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    if shutil.which("wrk") is None:
        print("The client, wrk, is not installed (Debian: apt-get install wrk).", file=sys.stderr)
        return 3
    scenario = SCENARIOS[options.scenario]
    progress(f"{scenario.about}; {options.rounds} rounds of {options.seconds} s after one warm-up")
    core, client_core = machine.cores()
    clock = source()

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="poise-bench-")))
        folder.chmod(0o755)  # a server started by root may give up its rights and must still read the site
        servers, skipped = start_all(stack, wanted(options), scenario, folder, core)
        rounds = take_turns(
            servers,
            lambda server: measure(server, scenario, options.seconds, client_core, clock),
            options.rounds,
            progress,
        )
        for server in servers:
            check(server, scenario, scenario.content())

    result: dict[str, Any] = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "scenario": asdict(scenario),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "cores": {"server": core, "client": client_core},
        "cpu_source": clock,
        "reference": options.reference,
        "skipped": skipped,
        "servers": {
            server.peer.name: described(server, scenario, options.seconds, rounds[server.peer.name])
            for server in servers
        },
    }
    show(result, rounds, aside=options.json == "-")
    keep(result, options.json)
    return 0 if servers else 3


def wanted(options: argparse.Namespace) -> list[Peer]:
    """The reference first, because it gives the floor its bytes; then the others in their own order."""
    peers = [PEERS[options.reference]]
    if options.baseline:
        peers.append(poise_at(options.baseline.resolve()))
    others = options.only or PEERS
    return peers + [peer for name, peer in PEERS.items() if name in others and name != options.reference]


def described(server: Server, scenario: Scenario, seconds: int, samples: list[Sample]) -> dict[str, Any]:
    peer = server.peer
    return {
        "about": peer.about,
        "version": machine.version(peer.version, peer.folder),
        "command": server.command,
        "reply_head": server.reply.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n"),
        "client": wrk_command(scenario, server.port, seconds),
        "rounds": [describe(sample) for sample in samples],
    }


def keep(result: dict[str, Any], where: str | None) -> None:
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
        return
    taken = result["taken"].replace(":", "").replace("+0000", "Z")
    file = Path(where) if where else ROOT / "bench" / "results" / f"{taken}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    progress(f"every round: {file}")


def show(result: dict[str, Any], rounds: dict[str, list[Sample]], *, aside: bool) -> None:
    """The table on stdout, or on stderr when the result itself goes to stdout."""
    out = sys.stderr if aside else sys.stdout
    if rounds:
        print(table(figures(rounds, result["reference"]), result["reference"]), file=out)
    for name, reason in result["skipped"].items():
        print(f"without {name}: {reason}", file=out)
    if result["cores"]["server"] == result["cores"]["client"]:
        print("There is only one core: server and client shared it, and the rates mean little.", file=out)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
