"""The experiments, one file each, in the order in which a lesson would go through them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from poise.lab.experiment import Experiment

ORDER = (
    # what a socket is
    "attributes",
    "stream",
    "send",
    "backpressure",
    "udp",
    "broadcast",
    "http",
    # waiting for one
    "bound",
    "silent",
    "polling",
    "timeout",
    "threads",
    # waiting for many
    "steps",
    "writable",
    "wall",
    "masks",
    "bits",
    "sources",
    "scaling",
    "edge",
    "hold",
    "footprint",
)

EXPERIMENTS: Mapping[str, Experiment] = {
    name: import_module(f"{__name__}.{name}").EXPERIMENT for name in ORDER
}
