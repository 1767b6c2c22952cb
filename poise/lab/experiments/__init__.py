"""The experiments, one file each, in the order in which a lesson would go through them."""

from __future__ import annotations

from collections.abc import Mapping

from poise.lab.experiment import Experiment
from poise.lab.experiments import silent, writable

EXPERIMENTS: Mapping[str, Experiment] = {
    module.EXPERIMENT.id: module.EXPERIMENT
    for module in (
        silent,
        writable,
    )
}
