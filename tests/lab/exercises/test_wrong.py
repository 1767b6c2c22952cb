"""The classic mistakes, one at a time: each is found, by the right case, and explained in both languages with the bytes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from poise.lab.exercises.catalog import BY_NAME
from poise.lab.exercises.checking import Result, check
from poise.lab.exercises.reporting import Speaker
from poise.lab.exercises.structure import Source
from poise.lab.exercises.words import LANGUAGES
from poise.limits.exercises import ExerciseLimits
from tests.lab.exercises.wrong import Wrong
from tests.lab.exercises.wrong_bytes import SLOW, STICKY
from tests.lab.exercises.wrong_echo import SELECT
from tests.lab.exercises.wrong_http import CLOCK, HTTP
from tests.lab.exercises.wrong_poll import EPOLL, POLL

HASTY = ExerciseLimits(patience=0.7, quiet=0.15)
LIMITS = {"clock": ExerciseLimits()}  # a tick that is late is not a tick that is missing
MISTAKES = (*SELECT, *POLL, *EPOLL, *STICKY, *SLOW, *HTTP, *CLOCK)
ENOUGH = 5
TRIES = 3
"""Whether bytes wait in a queue at a certain moment is up to the machine, too: on one that is busy a mistake may hide once."""


def test_there_are_enough_for_each_exercise() -> None:
    counted = Counter(wrong.exercise for wrong in MISTAKES)
    assert all(counted[name] >= ENOUGH for name in BY_NAME), counted


@pytest.mark.slow
@pytest.mark.parametrize("wrong", MISTAKES, ids=lambda wrong: f"{wrong.exercise}: {wrong.about}")
def test_a_classic_mistake_is_explained(wrong: Wrong, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(wrong.program, encoding="utf-8")
    source = Source(wrong.program)
    limits = LIMITS.get(wrong.exercise, HASTY)
    results: list[Result] = []
    for _ in range(TRIES):
        results = list(check(path, source, BY_NAME[wrong.exercise], limits))
        if any(each.failure is not None for each in results):
            break
    (found,) = [each for each in results if each.failure is not None]
    assert found.failure is not None
    texts = {each: Speaker(each, limits).explanation(found, source) for each in LANGUAGES}
    about = found.failure.diagnosis
    assert (found.case, about.failure, about.cause) == (wrong.case, wrong.failure, wrong.cause), texts["en"]
    assert about.hints, texts["en"]
    for text in texts.values():
        for word in wrong.says:
            assert word in text, text
    assert all(not each.tried for each in results[results.index(found) + 1 :])
