"""Whether texts are there in both languages, each in its own script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CHINESE = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[a-z]{3,}", re.IGNORECASE)


def texts(of: Any, path: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Every {"en", "zh"} in plain data, with where it stands."""
    if isinstance(of, dict):
        if of.keys() == {"en", "zh"}:
            yield path, of
        else:
            for key, value in of.items():
                yield from texts(value, f"{path}.{key}")
    elif isinstance(of, list | tuple):
        for number, value in enumerate(of):
            yield from texts(value, f"{path}[{number}]")


def faults(of: Any) -> list[str]:
    """A line for each text that is missing, or in the wrong language."""
    found = []
    for path, text in texts(of):
        if CHINESE.search(text["en"]):
            found.append(f"{path}: Chinese in English: {text['en']}")
        if bool(text["en"]) != bool(text["zh"]):
            found.append(f"{path}: only in one language: {text}")
        technical = text["en"] == text["zh"].replace("：", ": ")
        if WORD.search(text["en"]) and not CHINESE.search(text["zh"]) and not technical:
            found.append(f"{path}: not in Chinese: {text['zh']}")
        if re.search(r"[\u4e00-\u9fff][,;:!?]", text["zh"]):
            found.append(f"{path}: a mark of the other script: {text['zh']}")
    return found
