"""The seven exercises: what each is checked with."""

from __future__ import annotations

from typing import NamedTuple

from poise.lab.exercises.cases import clock, echo, http, slow, sticky
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
    rows: tuple[int, ...]
    """Of the lecture notes: those that it practises."""
    cases: tuple[Case, ...]
    small_buffers: bool = False
    """Whether the kernel's buffers are made small, so that they are full after some kilobytes on every machine."""
    ears: int = 0
    """How many hear what it broadcasts; 0 for a server that clients connect to."""


EXERCISES: tuple[Exercise, ...] = (
    Exercise(1, "select", "1_select_server.py", (12, 13, 17), echo.cases("select")),
    Exercise(2, "poll", "2_poll_server.py", (14, 19), echo.cases("poll")),
    Exercise(3, "epoll", "3_epoll_server.py", (15,), echo.cases("epoll")),
    Exercise(4, "sticky", "4_sticky_messages.py", (2,), sticky.CASES),
    Exercise(5, "slow", "5_slow_client.py", (1, 16, 17), slow.CASES, small_buffers=True),
    Exercise(6, "http", "6_http_class.py", (6, 20), http.CASES),
    Exercise(7, "clock", "7_clock.py", (3, 4, 5, 11), clock.CASES, ears=clock.EARS),
)

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
