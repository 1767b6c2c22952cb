"""Patterns that are compiled when they are first used: a program that starts pays for those that it needs."""

from __future__ import annotations

import re
from typing import Any, cast

METHODS = ("findall", "finditer", "fullmatch", "match", "pattern", "search", "split", "sub")


class _Pattern:
    __slots__ = ("_made_of", *METHODS)

    def __init__(self, *made_of: Any) -> None:
        self._made_of = made_of

    def __getattr__(self, name: str) -> Any:
        """Called as long as nothing is there: from then on the compiled pattern's own methods are."""
        if name not in METHODS:
            raise AttributeError(name)
        compiled = re.compile(*self._made_of)
        for each in METHODS:
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """What ``re.compile`` gives, for all that is done with it here. re.PatternError comes at its first use."""
    return cast("re.Pattern[str]", _Pattern(text, flags))
