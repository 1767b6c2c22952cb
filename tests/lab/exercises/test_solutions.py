"""The solutions pass everything, and the skeletons run, fail kindly and say where to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from poise.lab.exercises.catalog import EXERCISES, Exercise
from poise.lab.exercises.checking import check
from poise.lab.exercises.reporting import Speaker
from poise.lab.exercises.structure import Source
from poise.lab.exercises.words import LANGUAGES
from poise.lab.exercises.writing import text_of
from poise.limits.exercises import ExerciseLimits

LIMITS = ExerciseLimits()


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_solution_passes(exercise: Exercise, tmp_path: Path) -> None:
    path = tmp_path / exercise.file
    path.write_text(text_of(exercise, "en", solution=True), encoding="utf-8")
    source = Source(path.read_text(encoding="utf-8"))
    for result in check(path, source, exercise, LIMITS, everything=True):
        assert result.passed, Speaker("en", LIMITS).explanation(result, source)


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_skeleton_runs_and_is_told_what_to_do(exercise: Exercise, tmp_path: Path) -> None:
    path = tmp_path / exercise.file
    path.write_text(text_of(exercise, "zh"), encoding="utf-8")
    source = Source(path.read_text(encoding="utf-8"))
    limits = ExerciseLimits(patience=0.5)
    (found,) = [each for each in check(path, source, exercise, limits) if each.failure is not None]
    assert found.failure is not None
    assert found.case != "imports"
    assert not found.failure.diagnosis.cause.startswith("crashed"), "a skeleton is no traceback"
    assert source.todo
    assert f"第 {', '.join(map(str, source.todo))} 行" in Speaker("zh", limits).explanation(found, source)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_both_languages_say_the_same_in_code(exercise: Exercise) -> None:
    for solution in (False, True):
        texts = [text_of(exercise, language, solution=solution) for language in LANGUAGES]
        code = [[line for line in text.splitlines() if not line.strip().startswith("#")] for text in texts]
        assert code[0] == code[1]
        for text in texts:
            compile(text, exercise.file, "exec")
            assert Source(text).exercise == exercise.name
            assert "# en:" not in text
            assert "# zh:" not in text
