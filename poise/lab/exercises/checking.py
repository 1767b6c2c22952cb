"""Grades a learner's file: each case on a fresh start of the program, each failure with its explanation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from poise.lab.exercises.cases.case import NOBODY, Case
from poise.lab.exercises.catalog import DONE_FOR_YOU, Exercise
from poise.lab.exercises.child import Program, State, started
from poise.lab.exercises.client import Entry, Stage, Unmet
from poise.lab.exercises.diagnosis import Diagnosis, diagnose
from poise.lab.exercises.structure import Source
from poise.limits import ExerciseLimits

SOON = frozenset({"closed-early", "dropped", "no-connection", "not-listening"})
"""What is seen of a program a moment before it ends."""


class Failure(NamedTuple):
    """Why a case failed: what the clients saw, what the program did, and what it had printed."""

    unmet: Unmet
    diagnosis: Diagnosis
    log: tuple[Entry, ...]
    printed: str


class Result(NamedTuple):
    """One case; a failure is None when it passed, and ``tried`` is False when it was not tried at all."""

    case: str
    failure: Failure | None = None
    tried: bool = True

    @property
    def passed(self) -> bool:
        return self.tried and self.failure is None


def check(
    path: Path, source: Source, exercise: Exercise, limits: ExerciseLimits, *, everything: bool = False
) -> Iterator[Result]:
    """Each case as soon as it is known; after the first failure the rest is not tried, unless ``everything`` is wanted.

    Raises OSError when the program cannot be started at all, which is the machine's fault.
    """
    cases = [Case("imports", _nothing), *exercise.cases]
    failed = False
    for case in cases:
        if failed and not everything:
            yield Result(case.name, tried=False)
            continue
        failure = (
            _imports(source, exercise)
            if case.name == "imports"
            else _try(case, path, source, exercise, limits)
        )
        failed = failed or failure is not None
        yield Result(case.name, failure)


def _nothing(stage: Stage, program: Program) -> None:
    """The imports are read, not tried."""


def _imports(source: Source, exercise: Exercise) -> Failure | None:
    for use in source.imports(DONE_FOR_YOU):
        unmet = Unmet("imports").having(module=use.module, line=use.line)
        return Failure(unmet, diagnose(exercise.name, "imports", unmet, State(), source), (), "")
    return None


def _try(
    case: Case, path: Path, source: Source, exercise: Exercise, limits: ExerciseLimits
) -> Failure | None:
    buffer = limits.kernel_buffer if exercise.small_buffers else 0
    with started(path, limits, buffer=buffer, listens=exercise.listens) as program:
        stage = Stage(program.port, limits)
        try:
            if exercise.listens and not program.listens:
                raise _not_there(program, limits)
            case.run(stage, program)
        except Unmet as unmet:
            state = program.state(soon=unmet.failure in SOON)
            unmet.having(client=unmet.client or NOBODY, seconds=unmet.values.get("seconds", limits.patience))
            found = diagnose(exercise.name, case.name, unmet, state, source)
            return Failure(unmet, found, tuple(stage.log), state.printed)
        finally:
            stage.close()
    return None


def _not_there(program: Program, limits: ExerciseLimits) -> Unmet:
    for told in program.told("listen"):
        return Unmet("other-port").having(other=told["address"][1], port=program.port)
    return Unmet("not-listening").having(seconds=limits.start, port=program.port)
