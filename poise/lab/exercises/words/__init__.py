"""Every text of the exercises by its id, in English and in Chinese: written, not translated word by word.

``{…}`` is filled in when something is explained. Tests hold that both languages have the same ids and the same gaps, and
that every id that an explanation can ask for is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from poise.lab.exercises.words import cases, causes, failures, hints, report, tasks

LANGUAGES = ("en", "zh")
"""The first one is spoken to those who have asked for neither."""

HINTS = frozenset(hints.ENGLISH)


def _together(language: str) -> Mapping[str, str]:
    rooms = {
        "case": cases.TITLES,
        "why": cases.REASONS,
        "cause": causes.TEXTS,
        "failure": failures.TEXTS,
        "hint": {"en": hints.ENGLISH, "zh": hints.CHINESE},
        "report": report.TEXTS,
        "task": tasks.TEXTS,
    }
    return MappingProxyType(
        {f"{room}.{name}": text for room, both in rooms.items() for name, text in both[language].items()}
    )


WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType({each: _together(each) for each in LANGUAGES})


def language_of(wish: str | None, environment: Mapping[str, str]) -> str:
    """The language to speak: the one that is wished for, else the one that the environment names (locale(7))."""
    if wish is not None:
        return wish
    said = next(
        (environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), ""
    )
    return "zh" if said.startswith("zh") else LANGUAGES[0]
