"""Both languages have the same words with the same gaps, and there are words for everything that can be said."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from poise.lab import exercises
from poise.lab.exercises.catalog import EXERCISES
from poise.lab.exercises.checking import IMPORTS
from poise.lab.exercises.reporting import Speaker, columns, wrapped
from poise.lab.exercises.structure import WAITS
from poise.lab.exercises.words import HINTS, LANGUAGES, WORDS, failures, language_of
from poise.limits.exercises import ExerciseLimits

FOLDER = Path(exercises.__file__).parent
CODE = "\n".join(
    path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py") if path.parent.name != "words"
)
RAISED = {
    *re.findall(r'[Uu]nmet\(\s*"([\w-]+)"', CODE),
    *re.findall(r'failure = "([\w-]+)"', CODE),
    *(f"busy-{kind}" for kind in ("writable", "readable", "fault", "empty")),
    "threads",
    "processes",
    "outside",
    "too-soon",
    "dropped",
    "closed-early",
    "no-answer",
    "cut-short",
    "not-closed",
}
CASES = {IMPORTS, *(case.name for exercise in EXERCISES for case in exercise.cases)}
CAUSES = {"crashed", "ended", "killed", "cpu", "life", "broke", "output", "runs", "waits"}


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    first, *others = (WORDS[language] for language in LANGUAGES)
    for other in others:
        assert first.keys() == other.keys()
        for name, text in first.items():
            assert gaps(text) == gaps(other[name]), name


def test_every_word_of_chinese_is_chinese() -> None:
    for name, text in WORDS["zh"].items():
        if not re.fullmatch(r"[^a-z]*|.*[\u4e00-\u9fff].*", text, re.DOTALL):
            assert name in ("hint.http-no-length", "hint.other-port", "hint.no-class", "hint.bad-tick"), name


def test_every_case_says_what_it_tries_and_why() -> None:
    words = WORDS["en"]
    for name in CASES:
        assert f"case.{name}" in words
        assert f"why.{name}" in words
    said = {name.partition(".")[2] for name in words if name.startswith(("case.", "why."))}
    assert said == CASES | {"start"}


def test_every_failure_has_its_words_and_none_is_left_over() -> None:
    assert {*failures.ENGLISH} == RAISED


def test_every_cause_has_its_words() -> None:
    assert {name.partition(".")[2] for name in WORDS["en"] if name.startswith("cause.")} == CAUSES


@pytest.mark.parametrize("hint", sorted(HINTS))
def test_every_hint_can_be_reached(hint: str) -> None:
    """A hint is found by a case, a failure or a cause, alone or in this order, or for one exercise only."""
    first, *rest = hint.split(".")
    if first in {exercise.name for exercise in EXERCISES} and rest:
        first, *rest = rest
    if first == "crashed":
        assert re.fullmatch(r"[A-Z]\w+|other", rest[0])
    elif first == "waits":
        assert rest[0] in WAITS | {"ready", "edge", "oneshot"}
    elif rest:
        assert first in CASES
        assert rest[0] in RAISED
    else:
        assert first in CASES | RAISED | CAUSES | {"start"}


@pytest.mark.parametrize(
    ("wish", "environment", "language"),
    [
        ("zh", {"LANG": "en_US.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LC_MESSAGES": "zh_TW", "LC_ALL": ""}, "zh"),
        (None, {}, "en"),
    ],
)
def test_the_language_is_that_of_the_environment(
    wish: str | None, environment: dict[str, str], language: str
) -> None:
    assert language_of(wish, environment) == language


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("one two three", 13, ["one two three"]),
        ("a_word_that_is_too_long for it", 10, ["a_word_that_is_too_long", "for it"]),
        ("内核会叫醒程序。", 8, ["内核会叫", "醒程序。"]),
        ("内核会叫醒，程序", 10, ["内核会叫", "醒，程序"]),
        ("recv() 在等 send()", 12, ["recv() 在等", "send()"]),
        ("", 10, [""]),
    ],
)
def test_lines_are_cut_where_each_language_cuts_them(line: str, width: int, lines: list[str]) -> None:
    assert wrapped(line, width) == lines


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_lost_by_cutting_and_nothing_is_too_wide(language: str) -> None:
    speaker = Speaker(language, ExerciseLimits(), width=64)
    for name, text in WORDS[language].items():
        if name.startswith(("why.", "hint.")):
            lines = speaker.filled(text)
            assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text), name
            assert all(columns(line) <= 60 or " " not in line for line in lines), (name, lines)
            assert not any(line.startswith(("，", "。", "）", "、", "；", "：")) for line in lines), (
                name,
                lines,
            )
