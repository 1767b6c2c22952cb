"""``python3 -m bench syscalls``: what each system call costs that a request or a connection is made of.

``bench/syscalls.c`` times them one by one over loopback, on one core. Each round is a run of its own; the median of the
rounds' medians is shown with the smallest and the largest of them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from bench import machine
from bench.report import columns
from bench.result import begun, keep
from bench.scenarios import compile_client
from bench.servers import pinned

CALLS = 10_000  # of each kind in a round
FILES = {"small": 1 << 10, "large": 1 << 20}  # bytes
PATIENCE = 120.0  # seconds for a round


def measure(rounds: int, calls: int = CALLS) -> dict[str, list[float]]:
    """Nanoseconds by call, one median for each round. Raises OSError or CalledProcessError when there is no compiler."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="poise-bench-") as scratch:
        folder = Path(scratch)
        for name, size in FILES.items():
            (folder / name).write_bytes(bytes(size))
        program = compile_client("syscalls", folder)
        for _ in range(rounds):
            said = subprocess.run(
                [program, folder, str(calls)], capture_output=True, text=True, check=True, timeout=PATIENCE
            ).stdout
            for line in said.splitlines():
                nanoseconds, _, _, name = line.split(maxsplit=3)
                found.setdefault(name, []).append(float(nanoseconds))
    return found


def report(found: Mapping[str, list[float]]) -> str:
    """The table; microseconds."""
    rows = [("system call", "µs", "rounds")]
    for name, each in found.items():
        low, middle, high = (f"{value / 1000:.2f}" for value in (min(each), median(each), max(each)))
        rows.append((name, middle, f"{low} … {high}"))
    return columns(rows, left=(0, 2))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m bench syscalls",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds", type=int, default=9, metavar="N", help="runs of the program (%(default)s)"
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE",
        help="every round to FILE; to stdout without one, and the table to stderr",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if shutil.which("cc") is None:
        print("There is no C compiler (Debian: apt-get install gcc).", file=sys.stderr)
        return 3
    core, _ = machine.cores()
    result = begun("syscalls", options.rounds) | {"cores": {"server": core}}
    with pinned({core}):
        result["nanoseconds"] = measure(options.rounds)
    print(report(result["nanoseconds"]), file=sys.stderr if options.json == "-" else sys.stdout)
    if options.json:
        keep(result, options.json)
    return 0
