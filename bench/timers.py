"""``python3 -m bench timers``: what timers and deadlines cost beside a bare heap.

Each of COUNT timeouts is set, restarted once and cancelled, as that of a connection is on which one message comes. Three
do the same work, one after the other within a round, and the ratios are taken within the round:

* the bare heap: ``heapq`` and lists in one function, without a call, a class or a limit. What was cancelled is marked
  and taken out when it comes to the top, so its cost is paid in the last column;
* ``Timers``, where restarting is cancelling and setting anew, and what was cancelled is swept out;
* ``Deadlines``, where restarting is a store. They all have the same duration, so they take part only where the
  timeouts do.

Then what a turn of the reactor costs in which nothing is due: with one deadline, and with 100,000 of them. (Without any,
a turn need not ask how long it may wait.)
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from statistics import median
from time import perf_counter_ns
from typing import Any

from bench.report import columns, ratio
from bench.result import begun, keep
from poise.loop.reactor import Reactor
from poise.loop.timers import Deadlines, Timers

COUNT = 20_000
LIVE = 100_000
TURNS = 2_000
WARM_UP = 1
DURATION = 60.0  # seconds, of those that are all alike
SPREAD = 60.0  # seconds, within which the others lie
STEP = 1e-5  # seconds between two settings


@dataclass(frozen=True, slots=True)
class Costs:
    """Nanoseconds for each timeout."""

    set: float
    reset: float
    cancel: float

    @property
    def all(self) -> float:
        return self.set + self.reset + self.cancel


def nothing() -> None:
    """What is called when a timeout is due; here none ever is."""


def costs(begin: int, made: int, again: int, end: int) -> Costs:
    return Costs((made - begin) / COUNT, (again - made) / COUNT, (end - again) / COUNT)


def bare(times: list[float]) -> Costs:
    heap: list[list[Any]] = []
    first: list[list[Any]] = []
    second: list[list[Any]] = []
    number = 0
    begin = perf_counter_ns()
    for when in times:
        number += 1
        entry = [when + DURATION, number, nothing]
        heappush(heap, entry)
        first.append(entry)
    made = perf_counter_ns()
    for entry, when in zip(first, times, strict=True):
        entry[2] = None
        number += 1
        entry = [when + DURATION + 1, number, nothing]
        heappush(heap, entry)
        second.append(entry)
    again = perf_counter_ns()
    for entry in second:
        entry[2] = None
    while heap and heap[0][2] is None:
        heappop(heap)
    return costs(begin, made, again, perf_counter_ns())


def with_timers(times: list[float]) -> Costs:
    timers = Timers()
    begin = perf_counter_ns()
    first = [timers.call_at(when + DURATION, nothing) for when in times]
    made = perf_counter_ns()
    second = []
    for handle, when in zip(first, times, strict=True):
        handle.cancel()
        second.append(timers.call_at(when + DURATION + 1, nothing))
    again = perf_counter_ns()
    for handle in second:
        handle.cancel()
    return costs(begin, made, again, perf_counter_ns())


def with_deadlines(times: list[float]) -> Costs:
    deadlines = Deadlines()
    begin = perf_counter_ns()
    made_ones = [deadlines.start(DURATION, nothing, when) for when in times]
    made = perf_counter_ns()
    for deadline, when in zip(made_ones, times, strict=True):
        deadline.since = when + 1
    again = perf_counter_ns()
    for deadline in made_ones:
        deadline.cancel()
    return costs(begin, made, again, perf_counter_ns())


def turn_cost(live: int) -> float:
    """Nanoseconds of one turn in which nothing is ready and nothing due, beside ``live`` deadlines."""
    with Reactor() as reactor:
        for _ in range(live):
            reactor.deadline(3600.0, nothing)
        begin = perf_counter_ns()
        for _ in range(TURNS):
            reactor.turn(0)
        return (perf_counter_ns() - begin) / TURNS


CONTESTANTS: dict[str, dict[str, Callable[[list[float]], Costs]]] = {
    "one duration": {"bare heap": bare, "Timers": with_timers, "Deadlines": with_deadlines},
    "any times": {"bare heap": bare, "Timers": with_timers},
}


def schedules() -> dict[str, list[float]]:
    """When each is set. Only the heap cares: whatever comes last in time is cheap to put in and dear to take out."""
    rng = random.Random("timers")
    return {
        "one duration": [number * STEP for number in range(COUNT)],
        "any times": [rng.uniform(0, SPREAD) for _ in range(COUNT)],
    }


def measure(rounds: int) -> dict[str, Any]:
    """Every round of everything, as the result keeps it."""
    taken: dict[str, dict[str, list[Costs]]] = {
        name: {contestant: [] for contestant in contestants} for name, contestants in CONTESTANTS.items()
    }
    turns: dict[int, list[float]] = {1: [], LIVE: []}
    gc.disable()  # as timeit does: who allocates last must not pay for who allocated before
    try:
        for number in range(WARM_UP + rounds):
            for name, times in schedules().items():
                for contestant, run in CONTESTANTS[name].items():
                    found = run(times)
                    if number >= WARM_UP:
                        taken[name][contestant].append(found)
                    gc.collect()
            for live, samples in turns.items():
                cost = turn_cost(live)
                if number >= WARM_UP:
                    samples.append(cost)
    finally:
        gc.enable()
    kept = {
        name: {
            contestant: [asdict(one) | {"all": one.all} for one in each] for contestant, each in found.items()
        }
        for name, found in taken.items()
    }
    return {"timers": kept, "turns": {str(live): samples for live, samples in turns.items()}}


def report(found: Mapping[str, Any]) -> str:
    """The tables; ``found`` is what :func:`measure` returns, or a result that was read."""
    rows = [("timeouts", "", "set ns", "reset ns", "cancel ns", "all ns", "all: it ÷ bare heap")]
    for name, contestants in found["timers"].items():
        heap = [one["all"] for one in contestants["bare heap"]]
        for contestant, each in contestants.items():
            parts = [f"{median(one[what] for one in each):.0f}" for what in ("set", "reset", "cancel", "all")]
            compared = "—" if contestant == "bare heap" else str(ratio([one["all"] for one in each], heap))
            rows.append((name, contestant, *parts, compared))
    (_, one), (live, many) = found["turns"].items()
    turn = f"a turn in which nothing is due: {median(one):.0f} ns beside one deadline, "
    turn += f"{median(many):.0f} ns beside {int(live):,} of them: {ratio(many, one)}"
    return f"{columns(rows, left=(0, 1))}\n{turn}"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m bench timers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="that count (%(default)s)")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE",
        help="every round to FILE; to stdout without one, and the table to stderr",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    result = begun("timers", options.rounds) | measure(options.rounds)
    print(report(result), file=sys.stderr if options.json == "-" else sys.stdout)
    if options.json:
        keep(result, options.json)
    return 0
