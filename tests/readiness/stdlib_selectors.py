"""The interpreter's own tests for selectors, on Poise's: ``python -m unittest tests.readiness.stdlib_selectors``.

Run in a process of its own by ``test_selector.py``, since importing the package ``test`` changes the process. One class
for each poller that this machine has, named after it: ``epoll``, ``poll``, ``select``.
"""

# mypy: disable-error-code="import-not-found"
# (the package `test` has no stubs)

from __future__ import annotations

import unittest

from test import test_selectors

from poise.readiness.poller import available
from poise.readiness.selector import PoiseSelector


def selector_of(poller: str) -> type[PoiseSelector]:
    class OnPoise(PoiseSelector):
        def __init__(self) -> None:
            super().__init__(poller)

    return OnPoise


for name in available():
    scales = () if name == "select" else (test_selectors.ScalableSelectorMixIn,)
    bases = (test_selectors.BaseSelectorTestCase, *scales, unittest.TestCase)
    globals()[name] = type(name, bases, {"SELECTOR": selector_of(name), "__module__": __name__})
