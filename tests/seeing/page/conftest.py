"""A browser for the whole file, and pages that are shown stories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.seeing.page.looking import Shown, showing
from tests.seeing.page.stories import told
from tests.support.browser import Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture
def calm(browser: Browser) -> Iterator[Shown]:
    with showing(browser, told("calm")) as shown:
        yield shown


@pytest.fixture
def slow(browser: Browser) -> Iterator[Shown]:
    with showing(browser, told("slow")) as shown:
        yield shown
