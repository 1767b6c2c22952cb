"""A browser and a lab for the whole file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poise.lab.server import LabServer
from tests.support.browser import Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[LabServer]:
    made = LabServer()
    yield made
    made.close()
