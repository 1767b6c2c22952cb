"""What Poise wants to reach, beside whom: one entry for each line of the first table in docs/benchmarks.md.

An aim is missed or reached by the median of the rounds' ratios, and nothing fails when it is missed: a benchmark is no test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.load import Sample
from bench.report import Ratio, ratio, sample_of

Figure = Literal["cost", "rate", "time"]


@dataclass(frozen=True, slots=True)
class Aim:
    """A ratio, ours ÷ theirs: of cost and time at most ``bound``, of the rate at least."""

    scenario: str
    theirs: str
    bound: float
    figure: Figure = "cost"
    ours: str = "poise"

    def measured(self, scenarios: Mapping[str, Any]) -> Ratio | None:
        """None when one of the two was not measured."""
        servers = scenarios.get(self.scenario, {}).get("servers", {})
        if self.ours not in servers or self.theirs not in servers:
            return None
        ours, theirs = (
            [getattr(sample, self.figure) for sample in samples(servers[name])]
            for name in (self.ours, self.theirs)
        )
        return ratio(ours, theirs)

    def reached(self, found: Ratio) -> bool:
        return found.median >= self.bound if self.figure == "rate" else found.median <= self.bound

    @property
    def sign(self) -> str:
        return "≥" if self.figure == "rate" else "≤"


@dataclass(frozen=True, slots=True)
class MemoryAim:
    """Private memory in bytes: how much it grew under load, or what each idle connection takes."""

    scenario: str
    what: Literal["growth", "idle connection"]
    bound: float | None  # None where there is nothing to reach, only to see
    ours: str = "poise"

    def measured(self, scenarios: Mapping[str, Any]) -> float | None:
        server = scenarios.get(self.scenario, {}).get("servers", {}).get(self.ours)
        if server is None:
            return None
        return grown(server) if self.what == "growth" else float(server["private_bytes_per_idle_connection"])


def samples(server: Mapping[str, Any]) -> list[Sample]:
    """The rounds of one server of a result."""
    return [sample_of(kept) for kept in server["rounds"]]


def grown(server: Mapping[str, Any]) -> float:
    """Private bytes at the end of the last round beyond those before the first."""
    return float(server["rounds"][-1]["private_bytes"] - server["private_bytes_before"])


MIB = 1 << 20

AIMS: tuple[Aim, ...] = (
    Aim("small", "floor", 1.25),
    Aim("small", "lighttpd", 0.97),
    Aim("small", "nginx-cache", 0.80),
    Aim("small", "nginx", 0.60),
    Aim("small", "caddy", 0.20),
    Aim("small", "http.server", 0.05),
    Aim("small-logged", "lighttpd", 1.00),
    Aim("small-logged", "nginx-cache", 0.85),
    Aim("small-logged", "nginx", 0.65),
    Aim("many", "nginx-cache", 0.85),
    Aim("many", "nginx", 0.70),
    Aim("different", "nginx", 1.15),
    Aim("missing", "nginx", 1.15),
    Aim("unchanged", "nginx", 0.65),
    Aim("pipelined", "nginx", 0.20),
    Aim("close", "nginx", 0.95),
    Aim("100KiB", "nginx-cache", 1.00),
    Aim("100KiB", "nginx", 0.90),
    Aim("1GiB", "nginx-cache", 0.97, "rate"),
    Aim("1GiB", "nginx", 0.97, "rate"),
    Aim("crowd", "poise-alone", 1.05),
    Aim("two-workers", "nginx", 1.00, "rate"),
    Aim("tls", "nginx", 0.85),
    Aim("pollers", "nginx", 0.75, ours="poise-poll"),
    Aim("pollers", "nginx", 0.75, ours="poise-select"),
    Aim("start", "http.server", 1.00, "time"),
)

MEMORY_AIMS: tuple[MemoryAim, ...] = (
    MemoryAim("missing", "growth", None),
    MemoryAim("1GiB", "growth", 8 * MIB),
    MemoryAim("crowd", "idle connection", 1536),
)
