"""``python3 -m bench``: starts the servers, checks that they answer the same, measures them in turn, reports."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from bench import machine, page, syscalls, timers
from bench.crowd import Crowd, NoCrowd
from bench.http_scenarios import HTTP, Start
from bench.load import Sample
from bench.measure import measure, source
from bench.peers import ECHO_PEERS, FLOOR, HTTP_PEERS, VARIANTS, echo_before, http_before
from bench.place import Peer
from bench.report import counted, figures, table
from bench.result import begun, keep, of_scenario
from bench.run import UNABLE, look_at, start_all, surround, take_turns
from bench.scenarios import ECHO, Scenario
from bench.servers import Server, pinned
from bench.starting import measure_start
from bench.viewer import NoPage

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
  python3 -m bench --scenario small tls              only these two questions
  python3 -m bench echo                              the streams alone, beside uvloop and asyncio
  python3 -m bench timers                            timers and deadlines beside a bare heap
  python3 -m bench syscalls                          what each system call costs that a request is made of
  python3 -m bench --scenario small --only floor     Poise and one other, in half a minute
  python3 -m bench --scenario small --only poise --baseline ../before --rounds 30
                                                     a change against the checkout before it, 30 pairs of rounds
  python3 -m bench --json -                          the whole result, with every round, on stdout
  python3 -m bench page                              docs/benchmarks.md and its plots from what was measured last

The programs to compare with (Debian): apt-get install wrk gcc openssl nginx lighttpd caddy. The application servers and
the plots: pip install 'poise[bench]'. What is missing is named as missing, and the rest is measured.
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """One kind of measurement."""

    scenarios: dict[str, Scenario]
    peers: dict[str, Peer]
    variants: dict[str, Peer]  # those that only some scenarios ask for
    before: Callable[[Path], Peer]  # another checkout of Poise as a peer


BENCHES: dict[str, Bench] = {
    "http": Bench(
        {one.name: one for one in HTTP},
        {peer.name: peer for peer in HTTP_PEERS},
        {peer.name: peer for peer in VARIANTS},
        http_before,
    ),
    "echo": Bench({one.name: one for one in ECHO}, {peer.name: peer for peer in ECHO_PEERS}, {}, echo_before),
}
CLIENTS = {"wrk": "wrk", "cc": "gcc", "openssl": "openssl"}  # and the packages of Debian that bring them


def arguments(argv: list[str]) -> argparse.Namespace:
    """``bench`` of the result is the one that was named first, HTTP's unless there was one."""
    name = argv[0] if argv and argv[0] in BENCHES else "http"
    bench = BENCHES[name]
    parser = argparse.ArgumentParser(
        prog=f"python3 -m bench [{'|'.join(BENCHES)}|timers|syscalls|page]",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    peers = bench.peers | bench.variants
    parser.add_argument(
        "--scenario", nargs="+", choices=bench.scenarios, default=list(bench.scenarios), metavar="NAME",
        help=f"some of: {', '.join(bench.scenarios)} (all)",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", choices=peers, metavar="SERVER",
        help=f"some of: {', '.join(peers)} (those that the scenario is about)",
    )  # fmt: skip
    parser.add_argument(
        "--reference", choices=peers, default="poise", metavar="SERVER",
        help="compared with each other one (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="another checkout of Poise to compare with, as poise-before",
    )
    parser.add_argument(
        "--rounds",
        type=positive,
        default=5,
        metavar="N",
        help="that count, after one warm-up (%(default)s; 20 starts)",
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
    others = {"timers": timers.main, "syscalls": syscalls.main, "page": page.main}
    if argv and argv[0] in others:
        return others[argv[0]](argv[1:])
    options = arguments(argv)
    scenarios = [BENCHES[options.bench].scenarios[name] for name in options.scenario]
    for program in {program for scenario in scenarios for program in scenario.needs}:
        if shutil.which(program) is None:
            said = f"The client, {program}, is not installed (Debian: apt-get install {CLIENTS[program]})."
            print(said, file=sys.stderr)
            return 3
    core, client_core = machine.cores()
    result = begun(options.bench, options.rounds) | {
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
    if file := keep(result, options.json):
        progress(f"every round: {file}")
    return 0 if all(one["servers"] for one in result["scenarios"].values()) else 3


def run(
    scenario: Scenario, options: argparse.Namespace, result: dict[str, Any], out: TextIO
) -> dict[str, Any]:
    """All rounds of one scenario: the table to ``out``, and what the result keeps of them."""
    count = max(options.rounds, scenario.least_rounds)
    progress(f"{scenario.about}; {counted(count, scenario.warm_ups)}")
    server_cores, client_cores = {result["cores"]["server"]}, {result["cores"]["client"]}
    if scenario.conditions.two_workers:
        server_cores = client_cores = server_cores | client_cores
    rounds: dict[str, list[Sample]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="poise-bench-")))
        folder.chmod(0o755)  # a server started by root may give up its rights and must still read the site
        try:
            scenario.prepare(folder)
        except UNABLE as error:
            return of_scenario(scenario, [], {}, {scenario.name: str(error)}, {}, folder)
        servers, skipped = start_all(stack, wanted(options, scenario), scenario, folder, server_cores)
        with pinned(client_cores):
            crowds, turned_away = gather(stack, servers, scenario)
        servers = [server for server in servers if server.peer.name not in turned_away]
        clock = result["cpu_source"]
        if isinstance(scenario, Start):
            round_of: Callable[[Server], Sample] = partial(
                measure_start, scenario=scenario, folder=folder, cores=server_cores, own=client_cores, clock=clock
            )  # fmt: skip
        else:
            round_of = partial(
                measure, scenario=scenario, folder=folder, seconds=options.seconds, cores=client_cores, clock=clock
            )  # fmt: skip
        rounds, failed = take_turns(servers, round_of, count, progress, scenario.warm_ups)
        skipped |= turned_away | failed | changed(servers, crowds, scenario)
        rounds = {name: samples for name, samples in rounds.items() if name not in skipped}
        clients = {
            server.peer.name: scenario.client(folder, server.port, options.seconds)
            for server in servers
            if server.peer.name in rounds
        }
        kept = of_scenario(scenario, servers, rounds, skipped, clients, folder)
    show(scenario, rounds, options.reference, skipped, out)
    return kept


def gather(
    stack: ExitStack, servers: Sequence[Server], scenario: Scenario
) -> tuple[dict[str, Crowd], dict[str, str]]:
    """The idle connections to each server that is to have them, and the servers that did not keep theirs."""
    crowds: dict[str, Crowd] = {}
    turned_away: dict[str, str] = {}
    for server in servers:
        try:
            look_at(stack, server)
            crowd = surround(stack, server, scenario)
        except (NoCrowd, NoPage, OSError) as error:
            turned_away[server.peer.name] = str(error)
            continue
        if crowd is not None:
            crowds[server.peer.name] = crowd
    return crowds, turned_away


def changed(servers: Sequence[Server], crowds: dict[str, Crowd], scenario: Scenario) -> dict[str, str]:
    """Who answers something else by now, or has closed what was to be kept: its figures are not to be believed."""
    found: dict[str, str] = {}
    for server in servers:
        try:
            scenario.check(server.port)
        except UNABLE as error:
            found[server.peer.name] = f"after the last round: {error}"
    for name, crowd in crowds.items():
        if lost := crowd.leave():
            found[name] = f"closed {lost} of the {crowd.count} idle connections"
    return found


def wanted(options: argparse.Namespace, scenario: Scenario) -> list[Peer]:
    """The reference first, because it gives the floor its bytes; then the others in their own order."""
    bench = BENCHES[options.bench]
    known = bench.peers | bench.variants
    peers = [known[options.reference]]
    if options.baseline:
        peers.append(bench.before(options.baseline.resolve()))
    others = options.only or scenario.peers or bench.peers
    # The floor sends one reply for whatever it reads, which is an answer to some questions only.
    unfit = {FLOOR.name} if scenario.peers and FLOOR.name not in scenario.peers else set()
    return peers + [
        known[name] for name in known if name in others and name not in {options.reference, *unfit}
    ]


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
