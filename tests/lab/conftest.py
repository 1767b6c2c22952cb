"""One run of each experiment, shared by all tests that look at it: pytest puts those with the same parameter together."""

from __future__ import annotations

from typing import Any

import pytest

from poise.lab.experiments import EXPERIMENTS
from poise.lab.running import running


class Run:
    """What a run told."""

    def __init__(self, name: str) -> None:
        self.experiment = EXPERIMENTS[name]
        self.messages: list[dict[str, Any]] = list(running(self.experiment))
        if self.result["outcome"] == "not shown":  # a busy machine gets a second chance, not a third
            self.messages = list(running(self.experiment, seed=2))

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = self.messages[-1]["result"]
        return found


@pytest.fixture(scope="session", params=list(EXPERIMENTS))
def run(request: pytest.FixtureRequest) -> Run:
    return Run(request.param)
