"""Writes the exercises into a folder, in one language, and never over a file that a learner may have worked on.

A skeleton is one text for both languages: a comment that begins with ``# en:`` or ``# zh:`` is for that language alone and
loses the mark, every other line is for both. So the code cannot differ between them.
"""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path

from poise.lab.exercises.catalog import EXERCISES, Exercise
from poise.lab.exercises.words import LANGUAGES, WORDS

README = "README.md"
MARKED = re.compile(r"( *# )(\w\w): ?(.*)")


def text_of(exercise: Exercise, language: str, *, solution: bool = False) -> str:
    """The skeleton of an exercise, or the solution that teachers have, in one language."""
    folder = resources.files("poise.lab.exercises") / ("solutions" if solution else "skeletons")
    raw = (folder / f"{exercise.name}.txt").read_text(encoding="utf-8")
    return f"# poise-exercise: {exercise.name}\n" + in_language(raw, language)


def in_language(raw: str, language: str) -> str:
    lines = []
    for line in raw.splitlines():
        found = MARKED.fullmatch(line)
        if found is None or found[2] not in LANGUAGES:
            lines.append(line)
        elif found[2] == language:
            lines.append(f"{found[1]}{found[3]}".rstrip())
    return "\n".join(lines) + "\n"


def readme(language: str) -> str:
    words = WORDS[language]
    rows = [
        f"| `{each.file}` | {words[f'task.{each.name}.title']} | {words[f'task.{each.name}.about']} |"
        for each in EXERCISES
    ]
    return words["task.readme"].format(rows="\n".join(rows), first=EXERCISES[0].file)


def write(
    folder: Path, language: str, *, solutions: bool = False, force: bool = False
) -> tuple[list[Path], list[Path]]:
    """Write what is not there yet; with ``force`` also what is. Returns what was written, and what was left as it is.

    Raises OSError when the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {each.file: text_of(each, language, solution=solutions) for each in EXERCISES}
    if not solutions:
        texts[README] = readme(language)
    written: list[Path] = []
    left: list[Path] = []
    for name, text in texts.items():
        path = folder / name
        (written if _put(path, text, force) else left).append(path)
    return written, left


def _put(path: Path, text: str, force: bool) -> bool:
    """Whether the file was written. One that a learner made a moment ago is not lost either: the kernel looks (O_EXCL)."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True
