"""What the checker says: lines for people, and plain data for scripts."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from poise.lab.exercises.catalog import Exercise
from poise.lab.exercises.checking import Failure, Result
from poise.lab.exercises.client import Entry
from poise.lab.exercises.structure import Source
from poise.lab.exercises.words import WORDS
from poise.limits.exercises import ExerciseLimits

INDENT = "    "
MARKS = 8  # columns for "ok" and "FAILED"
NARROW = 20  # columns; in fewer of them nothing is broken into lines
WIDE = 0x2E80  # the first East Asian letter; quotation marks and dots before it are counted as one column
PIECES = re.compile(
    r"[\u2e80-\uffff][，。、；：！？）》”’]*|[^\s\u2e80-\uffff]+[，。、；：！？）》”’]*\s*|\s+"
)
"""A word with the spaces after it, or one letter of those that may be cut between, with the marks after it."""


class Speaker:
    """Says in one language what a check has found."""

    def __init__(self, language: str, limits: ExerciseLimits, *, width: int = 0) -> None:
        """``width``: of the window, in columns; 0 breaks no lines."""
        self.words: Mapping[str, str] = WORDS[language]
        self.limits = limits
        self.width = width

    def say(self, name: str, /, **values: object) -> str:
        return self.words[name].format(**values)

    def bytes(self, data: bytes) -> str:
        """As Python writes them, the middle of a long message left out."""
        most = self.limits.shown
        if not data:
            return self.words["report.nothing"]
        if len(data) <= most:
            return repr(data)
        ends = f"{data[: most // 2]!r} … {data[-(most // 4) :]!r}"
        return self.say("report.bytes", ends=ends, count=len(data))

    # --- for people ---------------------------------------------------------------------------------------

    def heading(self, exercise: Exercise, path: str) -> str:
        return f"{exercise.number} {self.words[f'task.{exercise.name}.title']} · {path}"

    def line(self, result: Result) -> str:
        mark = self.words["report.ok" if result.passed else "report.failed"]
        return f"  {mark}{' ' * (MARKS - columns(mark))}{self.words[f'case.{result.case}']}"

    def explanation(self, result: Result, source: Source) -> str:
        """Everything that is known of a failure, in paragraphs."""
        failure = result.failure
        if failure is None:
            return ""
        parts = {
            "did": list(self.log(failure.log)),
            "happened": self.filled(self.happened(failure)),
            "program": self.filled(self.cause(failure)),
            "why": self.filled(self.words[f"why.{failure.diagnosis.why}"]),
            "hint": [
                line for each in failure.diagnosis.hints for line in self.filled(self.words[f"hint.{each}"])
            ],
        }
        text = "\n\n".join(
            "\n".join([f"  {self.words[f'report.{name}']}", *(f"{INDENT}{line}".rstrip() for line in lines)])
            for name, lines in parts.items()
            if lines
        )
        if source.todo:
            lines = ", ".join(map(str, source.todo))
            text += f"\n\n  {self.say('report.todo', lines=lines)}"
        return text

    def filled(self, text: str) -> list[str]:
        """Lines that fit into the window; those that begin with a space are code, and stay as they are."""
        room = self.width - len(INDENT)
        return [
            part
            for line in text.splitlines()
            for part in ([line] if room < NARROW or line.startswith(" ") else wrapped(line, room))
        ]

    def happened(self, failure: Failure) -> str:
        unmet = failure.unmet
        values = {**unmet.values, **failure.diagnosis.values}
        values.update(client=unmet.client, wanted=self.bytes(unmet.wanted), got=self.bytes(unmet.got))
        return self.say(f"failure.{failure.diagnosis.failure}", **values)

    def cause(self, failure: Failure) -> str:
        found = failure.diagnosis
        name = found.cause.partition(".")[0]
        if not name:
            return ""
        limits = self.limits
        values = {"life": limits.life, "cpu": limits.cpu, "output": limits.output, **found.values}
        if name == "killed":
            values["signal"] = signal.Signals(-int(str(found.values["exit"]))).name
        return self.say(f"cause.{name}", **values)

    def log(self, entries: Sequence[Entry]) -> Iterator[str]:
        """What the clients did, the last of it; what one sends piece by piece is one line."""
        lines = []
        for (client, what), group in groupby(entries, key=lambda each: (each.client, each.what)):
            parts = [each.data for each in group]
            if what == "sends" and len(parts) > 1:
                whole = self.bytes(b"".join(parts))
                lines.append(f"{client} {self.say('report.pieces', data=whole, count=len(parts))}")
                continue
            for data, same in groupby(parts):
                count = len(list(same))
                line = f"{client} {self.say(f'report.{what}', data=self.bytes(data))}"
                lines.append(line if count == 1 else self.say("report.times", line=line, count=count))
        left = len(lines) - self.limits.transcript
        if left > 0:
            yield self.say("report.earlier", count=left)
        yield from lines[-self.limits.transcript :]

    def sum(self, results: Sequence[Result]) -> str:
        passed = sum(each.passed for each in results)
        untried = sum(not each.tried for each in results)
        name = "passed" if passed == len(results) else "stopped" if untried else "count"
        return self.say(f"report.{name}", passed=passed, count=len(results), untried=untried)

    # --- for scripts --------------------------------------------------------------------------------------

    def plain(
        self, exercise: Exercise, path: str, results: Sequence[Result], source: Source
    ) -> dict[str, Any]:
        """The same as data; bytes as Python writes them."""
        return {
            "exercise": exercise.name,
            "file": path,
            "passed": all(each.passed for each in results),
            "cases": [self._plain(each) for each in results],
            "todo": source.todo,
        }

    def _plain(self, result: Result) -> dict[str, Any]:
        state = "passed" if result.passed else "failed" if result.tried else "untried"
        about: dict[str, Any] = {
            "name": result.case,
            "title": self.words[f"case.{result.case}"],
            "state": state,
        }
        failure = result.failure
        if failure is not None:
            found = failure.diagnosis
            about |= {
                "failure": found.failure,
                "cause": found.cause,
                "hints": list(found.hints),
                "line": found.values.get("line") or None,
                "client": failure.unmet.client or None,
                "wanted": repr(failure.unmet.wanted),
                "got": repr(failure.unmet.got),
                "happened": self.happened(failure),
                "program": self.cause(failure),
                "why": self.words[f"why.{failure.diagnosis.why}"],
                "hint": " ".join(self.words[f"hint.{each}"] for each in found.hints),
                "clients": list(self.log(failure.log)),
                "printed": failure.printed,
            }
        return about


def wrapped(line: str, width: int) -> list[str]:
    """Cut where a space is, or between two letters that take two columns each, as Chinese is written.

    No line begins with a mark that closes something.
    """
    lines = [""]
    for piece in PIECES.findall(line):
        if lines[-1] and columns(lines[-1] + piece.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece
    return lines


def columns(text: str) -> int:
    """In a terminal, where East Asian letters take two (UAX #11)."""
    return sum(2 if ord(letter) >= WIDE else 1 for letter in text)
