"""Grades a learner's file: each case on a fresh start of the program, each failure with its explanation."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from poise.errors import MachineFault
from poise.lab.exercises.cases.case import NOBODY, WAYS, Case
from poise.lab.exercises.catalog import DONE_FOR_YOU, Exercise
from poise.lab.exercises.child import Program, State, started
from poise.lab.exercises.client import Entry, Stage, Unmet
from poise.lab.exercises.diagnosis import Diagnosis, diagnose
from poise.lab.exercises.structure import Source
from poise.limits.exercises import ExerciseLimits

IMPORTS = "imports"
"""The one case for which the program is read, and not run."""
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

    Raises MachineFault where the system does not have what the exercise is about, OSError when the program cannot be started.
    """
    must_have(exercise.name)
    failure = _imports(source, exercise)
    yield Result(IMPORTS, failure)
    failed = failure is not None
    for case in exercise.cases:
        if failed and not everything:
            yield Result(case.name, tried=False)
            continue
        failure = _try(case, path, source, exercise, limits)
        failed = failed or failure is not None
        yield Result(case.name, failure)


def must_have(name: str) -> None:
    """Raises MachineFault when this system has not what the exercise is about, or what the checker needs."""
    if not hasattr(os, "fork"):
        raise MachineFault("exercises are checked on Linux, macOS and the BSDs; on Windows use WSL")
    if name in WAYS and not hasattr(select, name):
        raise MachineFault(
            f"this system has no {name}: do this exercise on one that has it, Linux for instance"
        )


def _imports(source: Source, exercise: Exercise) -> Failure | None:
    for use in source.imports(DONE_FOR_YOU):
        unmet = Unmet("imports").having(module=use.module, line=use.line)
        return Failure(unmet, diagnose(exercise.name, IMPORTS, unmet, State(), source), (), "")
    return None


def _try(
    case: Case, path: Path, source: Source, exercise: Exercise, limits: ExerciseLimits
) -> Failure | None:
    stage = Stage(0, limits)
    buffer = limits.kernel_buffer if exercise.small_buffers else 0
    try:
        # They are there before the program, or they would miss its first words.
        for number in range(exercise.ears):
            stage.ear(f"ear {number + 1}")
        with started(path, limits, buffer=buffer, port=stage.port) as program:
            try:
                if not exercise.ears:
                    _let_in(stage, program)
                case.run(stage, program)
            except Unmet as unmet:
                return _explained(unmet, case, program, stage, source, exercise)
    finally:
        stage.close()
    return None


def _explained(
    unmet: Unmet, case: Case, program: Program, stage: Stage, source: Source, exercise: Exercise
) -> Failure:
    state = program.state(soon=unmet.failure in SOON)
    unmet.having(client=unmet.client or NOBODY, seconds=unmet.values.get("seconds", stage.limits.patience))
    found = diagnose(exercise.name, case.name, unmet, state, source)
    return Failure(unmet, found, tuple(stage.log), state.printed)


def _let_in(stage: Stage, program: Program) -> None:
    """From now on clients can connect. Raises Unmet when they cannot."""
    stage.port = program.port
    if program.listens:
        return
    for told in program.told("listen"):
        raise Unmet("other-port").having(other=told["address"][1], port=program.port)
    raise Unmet("not-listening").having(seconds=program.limits.start, port=program.port)
