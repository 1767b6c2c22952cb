"""One run of each experiment, shared by all tests that look at it: pytest puts those with the same parameter together."""

from __future__ import annotations

from typing import Any

import pytest

from poise.lab.experiments import EXPERIMENTS
from poise.lab.running import running

TRIES = 3
"""A machine that is busy with something else now and then gets another chance; what is wrong is so each time."""


class Run:
    """What a run told."""

    def __init__(self, name: str) -> None:
        self.experiment = EXPERIMENTS[name]
        for seed in range(1, TRIES + 1):
            self.messages: list[dict[str, Any]] = list(running(self.experiment, seed=seed))
            if self.result["outcome"] != "not shown":
                break

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = self.messages[-1]["result"]
        return found


@pytest.fixture(scope="session", params=list(EXPERIMENTS))
def run(request: pytest.FixtureRequest) -> Run:
    return Run(request.param)
