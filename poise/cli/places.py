"""Where in a TOML document everything stands, because ``tomllib`` does not say.

Only what tomllib has read without an error comes here, so nothing is judged: keys are found, values are stepped over.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The keys that lead to a value; a number for an element of a list: ``("headers", 0, "for")``."""

BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*+)*+")
"""Between things: inside of brackets as well as between lines."""

KEY = re.compile(r"""([A-Za-z0-9_-]++)|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'""")

DOT = re.compile(r"[ \t]*+\.[ \t]*+")

ASSIGN = re.compile(r"[ \t]*+=[ \t]*+")

STRING = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}|\'\'\'(?:[^']|'(?!''))*+'{3,5}|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+\'''',
    re.DOTALL,
)

OTHER = re.compile(r"[^,\]}\n#]++")
"""A number, a date, true or false."""


class Place(NamedTuple):
    """Both count from 1, as editors do; a column is a character."""

    line: int
    column: int


def offsets(text: str) -> dict[Path, int]:
    """The character, from 0, with which each key and each element of a list begins in ``text``, a document that is right."""
    return Scanner(text).run()


def place(text: str, at: int) -> Place:
    """Where the character number ``at`` is."""
    return Place(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)


class Scanner:
    """Steps through a document once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Path, int] = {}
        self._lists: dict[Path, int] = {}
        """The number of the element that was begun last, for each list of tables."""

    def run(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2, is_list=True)
            elif self._text.startswith("[", self._at):
                table = self._header(1)
            else:
                self._assignment(table)
            self._skip(BLANK)
        return self._found

    def _header(self, brackets: int, *, is_list: bool = False) -> Path:
        begin = self._at
        self._at += brackets
        keys = self._keys()
        table: Path = ()
        for depth, (key, _) in enumerate(keys, 1):
            table = (*table, key)
            self._found.setdefault(table, begin)
            if is_list and depth == len(keys):
                self._lists[table] = self._lists.get(table, -1) + 1
            if table in self._lists:
                table = (*table, self._lists[table])
        self._found.setdefault(table, begin)
        self._skip(BLANK)
        self._at += brackets
        return table

    def _assignment(self, table: Path) -> None:
        path = table
        for key, at in self._keys():
            path = (*path, key)
            self._found.setdefault(path, at)
        self._skip(ASSIGN)
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        """A key and where it begins; several with dots between them."""
        self._skip(BLANK)
        keys = []
        more = True
        while more and (match := KEY.match(self._text, self._at)):
            keys.append((match[1] or unquoted(match[0]), self._at))
            self._at = match.end()
            more = self._skip(DOT)
        return keys

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._at += 1
            number = 0
            while self._more("]"):
                self._found[(*path, number)] = self._at
                self._value((*path, number))
                number += 1
        elif opening == "{":
            self._at += 1
            while self._more("}"):
                self._assignment(path)
        elif not self._skip(STRING):
            self._skip(OTHER)

    def _more(self, closing: str) -> bool:
        """Whether another member follows before the bracket ``closing``, which is stepped over."""
        self._skip(BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(BLANK)
        if self._text[self._at] != closing:
            return True
        self._at += 1
        return False

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is None:
            return False
        self._at = match.end()
        return True


def unquoted(key: str) -> str:
    """A key in quotes without them, its escapes undone."""
    import tomllib

    return next(iter(tomllib.loads(f"{key} = 0")))
