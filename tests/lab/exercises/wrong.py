"""A wrong solution: the right one with a mistake put in, and what the checker must say about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from poise.lab.exercises.catalog import BY_NAME
from poise.lab.exercises.writing import text_of


class Wrong(NamedTuple):
    """``changes``: what stands in the solution, and the mistake in its place. The rest is what must be found."""

    about: str
    exercise: str
    changes: Mapping[str, str]
    case: str
    failure: str
    cause: str
    says: tuple[str, ...]

    @property
    def program(self) -> str:
        text = text_of(BY_NAME[self.exercise], "en", solution=True)
        for right, wrong in self.changes.items():
            assert right in text, f"{right!r} is not in the solution"
            text = text.replace(right, wrong)
        return text
