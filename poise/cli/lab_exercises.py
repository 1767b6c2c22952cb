"""``poise lab exercises`` writes the exercises, ``poise lab check`` grades a learner's file."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from poise.cli import standard
from poise.errors import MachineFault

if TYPE_CHECKING:
    from pathlib import Path

    from poise.cli.command import Command
    from poise.lab.exercises.catalog import Exercise
    from poise.lab.exercises.structure import Source

FAILED = 1
MAKES_NO_SENSE = 2
LANGUAGES = ("en", "zh")

EXERCISES = """\
Write the exercises into a folder: seven programs that run but are not finished, each with its task in its comments, and a \
README. A file that is there already is left as it is.
"""

EXERCISES_EXAMPLES = """\
examples:
  poise lab exercises lessons                the exercises, into the folder lessons
  poise lab exercises lessons --lang zh      in Chinese
  poise lab exercises answers --solutions    what a teacher compares with
"""

CHECK = """\
Run a program that was written for an exercise, with clients that follow a script, and explain what goes wrong: with the \
bytes that were sent, what was expected and why, and the mistake that is usually behind it. The program runs on this \
machine only, within limits of time and memory. It is no cage for a program that means harm.
"""

CHECK_EXAMPLES = """\
examples:
  poise lab check 1_select_server.py            up to the first thing that goes wrong
  poise lab check 1_select_server.py --all      everything
  poise lab check mine.py --exercise select     for a file without the line that says which exercise it is
  poise lab check 1_select_server.py --json     for scripts

The exit code is 0 when all is well, 1 when something is not.
"""


def add_exercises(commands: argparse._SubParsersAction[Command]) -> None:
    """The two commands, among those of ``poise lab``."""
    exercises = commands.add_parser(
        "exercises",
        help="write the exercises into a folder",
        description=EXERCISES,
        epilog=EXERCISES_EXAMPLES,
        usage="poise lab exercises [options] DIR",
    )
    what = exercises.add_argument_group("what")
    what.add_argument("dir", metavar="DIR", help="the folder; it is made when it is not there")
    add_language(what)
    what.add_argument(
        "--solutions", action="store_true", help="write the solutions instead, which are for teachers"
    )
    what.add_argument("--force", action="store_true", help="write over files that are there already")
    exercises.set_defaults(run=_exercises)
    check = commands.add_parser(
        "check",
        help="run a program that was written for an exercise, and explain what fails",
        description=CHECK,
        epilog=CHECK_EXAMPLES,
        usage="poise lab check [options] FILE",
    )
    what = check.add_argument_group("what")
    what.add_argument("file", metavar="FILE", help="the program")
    what.add_argument(
        "--exercise", metavar="NAME", help="which exercise it is (default: what its first line says)"
    )
    what.add_argument("--all", action="store_true", help="go on after the first failure")
    told = check.add_argument_group("how it is told")
    add_language(told)
    told.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    check.set_defaults(run=_check)


def add_language(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--lang", choices=LANGUAGES, help="the language that is spoken (default: that of the environment)"
    )


def _exercises(args: argparse.Namespace) -> int:
    from pathlib import Path

    from poise.lab.exercises.words import language_of
    from poise.lab.exercises.writing import write

    folder = Path(args.dir)
    try:
        written, left = write(
            folder, language_of(args.lang, os.environ), solutions=args.solutions, force=args.force
        )
    except OSError as error:
        raise MachineFault(error.errno, f"cannot write {args.dir}: {error.strerror}") from error
    for path in written:
        standard.report(f"{path}\n")
    for path in left:
        standard.say(f"{path} is there already and was left as it is (--force writes over it)")
    return 0


def _check(args: argparse.Namespace) -> int:
    from pathlib import Path

    from poise.lab.exercises.structure import Source

    path = Path(args.file)
    source = Source(read(path))
    exercise = exercise_of(args.exercise or source.exercise, args.file)
    if exercise is None:
        return MAKES_NO_SENSE
    try:
        return checked(args, path, source, exercise)
    except MachineFault:
        raise
    except OSError as error:
        raise MachineFault(error.errno, f"cannot run {args.file}: {error.strerror}") from error


def checked(args: argparse.Namespace, path: Path, source: Source, exercise: Exercise) -> int:
    """Check and tell, each case as soon as it is known; the exit code."""
    import json

    from poise.cli.command import window_width
    from poise.lab.exercises.checking import check
    from poise.lab.exercises.reporting import Speaker
    from poise.lab.exercises.words import language_of
    from poise.limits.exercises import ExerciseLimits

    limits = ExerciseLimits()
    speaker = Speaker(language_of(args.lang, os.environ), limits, width=window_width())
    results = []

    def tell(text: str) -> None:
        if not args.json:
            standard.report(f"{text}\n")

    tell(speaker.heading(exercise, args.file))
    for result in check(path, source, exercise, limits, everything=args.all):
        results.append(result)
        if result.tried:
            tell(speaker.line(result))
        if result.failure is not None:
            tell(f"\n{speaker.explanation(result, source)}\n")
    tell(speaker.sum(results))
    if args.json:
        about = speaker.plain(exercise, args.file, results, source)
        standard.report(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return 0 if all(result.passed for result in results) else FAILED


def read(path: Path) -> str:
    """The program's text. Raises MachineFault when it cannot be read, or is longer than any program that was written by hand."""
    from poise.limits.exercises import ExerciseLimits

    most = ExerciseLimits().source
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise MachineFault(error.errno, f"cannot read {path}: {error.strerror}") from error
    if len(data) > most:
        raise MachineFault(f"{path} is longer than {most} bytes")
    return data.decode("utf-8", "replace")


def exercise_of(name: str, file: str) -> Exercise | None:
    """The exercise; None when there is none of that name, which is said."""
    from poise.lab.exercises.catalog import BY_NAME

    if name in BY_NAME:
        return BY_NAME[name]
    known = ", ".join(BY_NAME)
    if name:
        standard.say(f"there is no exercise {name!r}; there are {known}")
    else:
        standard.say(
            f'{file} does not say which exercise it is, in a line like "# poise-exercise: select"; say it with '
            f"--exercise NAME: {known}"
        )
    return None
