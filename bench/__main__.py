"""``python3 -m bench``: starts the servers, checks that they answer the same, measures them in turn, reports."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from bench import machine, timers
from bench.load import Sample
from bench.measure import measure, source
from bench.peers import ECHO_PEERS, HTTP_PEERS, Peer, echo_before, http_before
from bench.report import describe, figures, table
from bench.run import start_all, take_turns
from bench.scenarios import ECHO, GET, ROOT, Scenario
from bench.servers import Server

HELP = """\
Measures Poise beside other servers on this machine, nothing leaves 127.0.0.1.

Every server is pinned to one core and the client, the same one for all, to another. All of them are started first;
then they take turns, A B C A B C …, one loaded at a time: one warm-up, then the rounds that count. A ratio compares two
servers within one round; its median is quoted with the smallest and the largest. Read the CPU column first: the
processor time that one request costs the server holds even when the machine is busy. Differences under 2 % are noise
unless there are 30 rounds or more.
"""

EXAMPLES = """\
examples:
  python3 -m bench                                   HTTP: everything that is installed, five rounds of two seconds
  python3 -m bench echo                              the streams alone, beside uvloop and asyncio
  python3 -m bench timers                            timers and deadlines beside a bare heap
  python3 -m bench http --only poise floor           only these two, in a minute
  python3 -m bench --only poise --baseline ../before --rounds 30
                                                     a change against the checkout before it
  python3 -m bench --json -                          the whole result, with every round, on stdout
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """One kind of measurement."""

    scenarios: dict[str, Scenario]
    peers: dict[str, Peer]
    before: Callable[[Path], Peer]  # another checkout of Poise as a peer


BENCHES: dict[str, Bench] = {
    "http": Bench({one.name: one for one in GET}, {peer.name: peer for peer in HTTP_PEERS}, http_before),
    "echo": Bench({one.name: one for one in ECHO}, {peer.name: peer for peer in ECHO_PEERS}, echo_before),
}
CLIENTS = {"wrk": "apt-get install wrk", "cc": "apt-get install gcc"}  # and how Debian brings them


def arguments(argv: list[str]) -> argparse.Namespace:
    """``bench`` of the result is the one that was named first, HTTP's unless there was one."""
    name = argv[0] if argv and argv[0] in BENCHES else "http"
    bench = BENCHES[name]
    parser = argparse.ArgumentParser(
        prog=f"python3 -m bench [{'|'.join(BENCHES)}|timers]",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    peers = ", ".join(bench.peers)
    parser.add_argument(
        "--scenario", nargs="+", choices=bench.scenarios, default=list(bench.scenarios), metavar="NAME",
        help=f"some of: {', '.join(bench.scenarios)} (all)",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=bench.peers, metavar="SERVER", help=f"some of: {peers}")
    parser.add_argument(
        "--reference", choices=bench.peers, default="poise", metavar="SERVER",
        help="compared with each other one (%(default)s)",
    )  # fmt: skip
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
    options = parser.parse_args(argv[1:] if argv and argv[0] == name else argv)
    options.bench = name
    return options


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] == "timers":
        return timers.main(argv[1:])
    options = arguments(argv)
    scenarios = [BENCHES[options.bench].scenarios[name] for name in options.scenario]
    for program in {program for scenario in scenarios for program in scenario.needs}:
        if shutil.which(program) is None:
            print(f"The client, {program}, is not installed (Debian: {CLIENTS[program]}).", file=sys.stderr)
            return 3
    core, client_core = machine.cores()
    result: dict[str, Any] = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "bench": options.bench,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "cores": {"server": core, "client": client_core},
        "cpu_source": source(),
        "reference": options.reference,
        "scenarios": {},
    }
    out = sys.stderr if options.json == "-" else sys.stdout  # where the tables go
    for scenario in scenarios:
        result["scenarios"][scenario.name] = run(scenario, options, result, out)
    if core == client_core:
        print("There is only one core: server and client shared it, and the rates mean little.", file=out)
    keep(result, options.json)
    return 0 if all(one["servers"] for one in result["scenarios"].values()) else 3


def run(
    scenario: Scenario, options: argparse.Namespace, result: dict[str, Any], out: TextIO
) -> dict[str, Any]:
    """All rounds of one scenario: the table to ``out``, and what the result keeps of them."""
    progress(f"{scenario.about}; {options.rounds} rounds of {options.seconds} s after one warm-up")
    core, client_core = result["cores"]["server"], result["cores"]["client"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="poise-bench-")))
        folder.chmod(0o755)  # a server started by root may give up its rights and must still read the site
        scenario.prepare(folder)
        servers, skipped = start_all(stack, wanted(options), scenario, folder, core)
        rounds = take_turns(
            servers,
            lambda server: measure(
                server, scenario, folder, options.seconds, client_core, result["cpu_source"]
            ),
            options.rounds,
            progress,
        )
        for server in servers:
            scenario.check(server.port)
    show(scenario, rounds, options.reference, skipped, out)
    return {
        "scenario": asdict(scenario),
        "skipped": skipped,
        "servers": {
            server.peer.name: described(
                server,
                scenario.client(folder, server.port, options.seconds),
                rounds[server.peer.name],
            )
            for server in servers
        },
    }


def wanted(options: argparse.Namespace) -> list[Peer]:
    """The reference first, because it gives the floor its bytes; then the others in their own order."""
    bench = BENCHES[options.bench]
    peers = [bench.peers[options.reference]]
    if options.baseline:
        peers.append(bench.before(options.baseline.resolve()))
    others = options.only or bench.peers
    return peers + [
        peer for name, peer in bench.peers.items() if name in others and name != options.reference
    ]


def described(server: Server, client: list[str], samples: list[Sample]) -> dict[str, Any]:
    peer = server.peer
    head = server.reply.partition(b"\r\n\r\n")[0].decode("latin-1")
    return {
        "about": peer.about,
        "version": machine.version(peer.version, peer.folder),
        "command": server.command,
        "reply_head": head.split("\r\n") if head else [],
        "client": client,
        "rounds": [describe(sample) for sample in samples],
    }


def keep(result: dict[str, Any], where: str | None) -> None:
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
        return
    taken = result["taken"].replace(":", "").replace("+0000", "Z")
    file = Path(where) if where else ROOT / "bench" / "results" / f"{taken}-{result['bench']}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    progress(f"every round: {file}")


def show(
    scenario: Scenario,
    rounds: dict[str, list[Sample]],
    reference: str,
    skipped: dict[str, str],
    out: TextIO,
) -> None:
    if rounds:
        print(scenario.about, file=out)
        print(table(figures(rounds, reference), reference, scenario.unit), file=out)
    for name, reason in skipped.items():
        print(f"without {name}: {reason}", file=out)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
