"""The page about the exercises says what is so."""

from __future__ import annotations

from pathlib import Path

from poise.lab.exercises.catalog import EXERCISES
from poise.lab.exercises.reporting import Speaker
from poise.lab.exercises.words import WORDS
from poise.limits.exercises import ExerciseLimits

PAGE = (Path(__file__).parents[3] / "docs" / "lab-exercises.md").read_text(encoding="utf-8")


def test_every_exercise_is_in_its_table() -> None:
    for exercise in EXERCISES:
        (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{exercise.file}` |")]
        assert f"| `{exercise.name}` |" in line
        assert line.endswith(f"| {', '.join(map(str, exercise.rows))} |")


def test_the_example_uses_the_words_of_the_checker() -> None:
    words = WORDS["en"]
    example = " ".join(PAGE.partition("```text\n")[2].partition("```")[0].split())
    for name in ("case.silent", "why.silent", "hint.waits.recv", "report.did", "report.hint"):
        assert words[name] in example
    assert Speaker("en", ExerciseLimits()).say("report.waits") in example


def test_its_numbers_are_the_limits() -> None:
    limits = ExerciseLimits()
    assert f"for {limits.quiet:g} s nobody says anything" in PAGE
    assert f"more than {limits.patience:g} s are failures" in PAGE
    assert limits.clients == 100
    assert "a hundred come together" in PAGE
