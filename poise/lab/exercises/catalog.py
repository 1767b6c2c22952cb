"""The seven exercises: what each is checked with."""

from __future__ import annotations

from typing import NamedTuple

from poise.lab.exercises.cases import echo
from poise.lab.exercises.cases.case import Case

DONE_FOR_YOU = frozenset(
    {"asyncio", "concurrent", "http.server", "multiprocessing", "selectors", "socketserver", "subprocess", "threading", "_thread", "poise"}
)  # fmt: skip
"""Modules that do what the exercises are about."""


class Exercise(NamedTuple):
    """One exercise. Its words, its skeleton and its solution are found by its name."""

    number: int
    name: str
    file: str
    cases: tuple[Case, ...]
    small_buffers: bool = False
    """Whether the kernel's buffers are made small, so that they are full after some kilobytes on every machine."""
    listens: bool = True
    """Whether it is a server that clients connect to."""


EXERCISES: tuple[Exercise, ...] = (Exercise(1, "select", "1_select_server.py", echo.cases("select")),)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
