"""From what a client did not get, and the state of the program, to the ids of the words that explain it."""

from __future__ import annotations

import signal
from typing import NamedTuple

from poise.lab.exercises.child import State
from poise.lab.exercises.client import Unmet
from poise.lab.exercises.structure import WAITS, Source
from poise.lab.exercises.words import HINTS

WAITED_FOR = frozenset(
    {"not-listening", "no-connection", "no-answer", "cut-short", "not-closed", "not-taken", "no-tick"}
)
"""Failures in which something did not come: where the program is now says why."""
LOST = frozenset({"no-connection", "closed-early", "dropped", "too-much"})
"""How a client may see that the program has ended."""
FORBIDDEN = {"outside": "outside", "process": "processes"}
"""Events of what is refused to the program, and the failures that they are."""
NEVER_STARTED = frozenset({"not-listening", "other-port", "outside"})
"""Those that have nothing to do with the case in which they are noticed."""
READY = frozenset({"select", "poll"})
"""Calls in which a program may wait."""
SIGNALS = {signal.SIGXCPU: "cpu", signal.SIGALRM: "life", signal.SIGSEGV: "broke", signal.SIGXFSZ: "output"}


class Diagnosis(NamedTuple):
    """Ids of the words: what went wrong (``failure``), what the program does (``cause``), and the mistakes behind it."""

    failure: str
    cause: str
    why: str
    hints: tuple[str, ...]
    values: dict[str, object]


def diagnose(exercise: str, case: str, unmet: Unmet, state: State, source: Source) -> Diagnosis:
    failure = unmet.failure
    if failure in LOST and (state.error is not None or not state.alive):
        failure = "gone"  # whether the client came a moment sooner or later says nothing
    for event, name in FORBIDDEN.items():
        for told in state.told(event)[:1]:
            failure = name
            unmet.having(**told)
    cause, kind, values = cause_of(failure, state, source)
    at = values.get("line") or unmet.values.get("line") or 0
    code = source.line(at) if isinstance(at, int) else ""
    values = {"line": at, "code": code, **unmet.values, **values}
    hints = [
        each
        for each in hint_ids(exercise, case, failure, cause, kind, str(values.get("call")))
        if each in HINTS
    ]
    why = "start" if failure in NEVER_STARTED else case
    return Diagnosis(failure, f"{cause}.{kind}" if kind else cause, why, tuple(hints[:1]), values)


def hint_ids(exercise: str, case: str, failure: str, cause: str, kind: str, call: str) -> list[str]:
    """Where to look for a hint, the most special place first."""
    if failure in FORBIDDEN.values():
        return [failure]
    ids = [f"{exercise}.{case}.{failure}", f"{case}.{failure}", failure, case, f"{cause}.{kind}", cause]
    if cause == "crashed" or (cause == "waits" and kind != "ready"):
        ids = [f"{exercise}.{cause}.{kind}", f"{cause}.{kind}.{call}", f"{cause}.{kind}", *ids]
    return ids


def cause_of(failure: str, state: State, source: Source) -> tuple[str, str, dict[str, object]]:
    """The id of what the program does, a kind of it, and the values for the gaps in the words."""
    if state.error is not None:
        error = state.error
        if error["name"] == "EFBIG":
            return "output", "", {"line": error["line"]}
        kinds = [error["name"], *error["kinds"]]
        kind = next((each for each in kinds if f"crashed.{each}" in HINTS), "other")
        text = f"{error['kind']}: {error['text']}" if error["text"] else error["kind"]
        return "crashed", kind, {"line": error["line"], "error": text, "call": source.call(error["line"])}
    if not state.alive:
        code = state.code or 0
        if -code in SIGNALS:
            return SIGNALS[signal.Signals(-code)], "", {}
        return ("killed" if code < 0 else "ended"), "", {"exit": code}
    if failure == "busy-loop":
        return "runs", "", {"line": state.line}
    if failure not in WAITED_FOR:
        return "", "", {}
    if state.running:
        return "runs", "", {"line": state.line}
    call = source.call(state.line)
    kind = call if call in WAITS else "ready" if call in READY else ""
    for trap in ("edge", "oneshot"):
        if kind == "ready" and state.told(trap):
            kind = trap
    return ("waits", kind, {"line": state.line, "call": call or "…"}) if state.line else ("", "", {})
