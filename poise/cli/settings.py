"""What a file of settings says, as far as it is right, and what is wrong with it, each with its place."""

from __future__ import annotations

import re
from argparse import ArgumentError, ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from poise.cli.places import Path, Place

BARE = re.compile(r"[A-Za-z0-9_-]+")

FEW = 12
"""Names that can be read at a glance; of more there is a list elsewhere."""


class Mistake(NamedTuple):
    """Something in a file that is not so, and what to write instead."""

    file: str
    place: Place | None
    """None when it is about the file as a whole."""
    text: str

    def __str__(self) -> str:
        where = f":{self.place.line}:{self.place.column}" if self.place else ""
        return f"{self.file}{where}: {self.text}"


class Settings:
    """What a file says. ``named`` is whether somebody has asked for this very file."""

    def __init__(self, file: str, text: str, *, named: bool) -> None:
        self.file = file
        self.named = named
        self.values: dict[str, Any] = {}
        """Destination of an option → value."""
        self.mistakes: list[Mistake] = []
        self.left_out: list[Mistake] = []
        """What only a file that is named can say."""
        self._text = text
        self._paths: dict[str, Path] = {}
        self._offsets: Mapping[Path, int] | None = None

    def put(self, dest: str, value: Any, path: Path) -> None:
        """Take ``value``, which stands at ``path``, for the option of that destination."""
        before = self._paths.setdefault(dest, path)
        if before != path:
            self.mistake(
                path, f"{name_of(path[-1])} and {name_of(before[-1])} exclude each other; one has to go"
            )
        self.values[dest] = value

    def mistake(self, path: Path, text: str) -> None:
        self.mistakes.append(Mistake(self.file, self.place(path), text))

    @contextmanager
    def wrong_at(self, path: Path, before: str = "") -> Iterator[None]:
        """What is found to be wrong meanwhile is a mistake at ``path``."""
        try:
            yield
        except (ArgumentTypeError, ArgumentError, ValueError, TypeError) as error:
            self.mistake(path, before + (error.message if isinstance(error, ArgumentError) else str(error)))

    def leave_out(self, path: Path, what: str) -> None:
        """It was said, and by nobody who may."""
        text = f"{what} has no effect in a file that was only found; it counts in one that is named: --config {self.file}"
        self.left_out.append(Mistake(self.file, self.place(path), text))

    def place(self, path: Path) -> Place:
        """Where it stands; for an element without a place of its own, where that stands in which it is."""
        from poise.cli import places

        if self._offsets is None:
            self._offsets = places.offsets(self._text)
        while path not in self._offsets and path:
            path = path[:-1]
        return places.place(self._text, self._offsets.get(path, 0))

    def place_of(self, dest: str, key: str | None = None) -> Place:
        """Where the value of an option comes from, or the part of it that ``key`` names."""
        path = self._paths[dest]
        return self.place(path if key is None else (*path, key))


def name_of(part: str | int) -> str:
    """A key as it can be printed: what stands in quotes may hold anything."""
    text = str(part)
    return text if BARE.fullmatch(text) else repr(text)


def shown(value: object) -> str:
    """A value as an example of what to write; only what is short and harmless."""
    text = str(value)
    return text if len(text) <= 40 and text.isprintable() and '"' not in text and "\\" not in text else "…"


def unknown(written: str, known: Sequence[str], what: str) -> str:
    """The sentence for a name that there is not, with the one that was meant, if it can be guessed."""
    from difflib import get_close_matches  # heavy, and for mistakes only

    close = get_close_matches(written.replace("_", "-").lower(), known, n=1)
    there = (
        f"there are {', '.join(known)}" if len(known) <= FEW else "poise serve --help-all lists what there is"
    )
    return f"there is no {what} {name_of(written)}; {f'did you mean {close[0]}?' if close else there}"
