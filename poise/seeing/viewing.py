"""What the doors need of whoever watches: a viewer's states, and the recording.

Both are plain values: dictionaries, lists, numbers and texts. Putting a recording into JSON at once would hold the
interpreter, and with it the loop, for a tenth of a second and more: the encoder is one call. So it is done in pieces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

Value = dict[str, Any]


class Viewer(Protocol):
    """One who looks, from one thread."""

    @property
    def every(self) -> float:
        """Seconds until something may be new."""

    def hello(self) -> Value:
        """What does not change while the program runs."""

    def state(self) -> Value | None:
        """What the loop does, and what is new since this was last called; None when there is nothing to tell."""

    def records(self) -> Value:
        """What the recorder holds: a copy."""

    def told(self, sent: int) -> None:
        """So many bytes were sent to who looks."""

    def close(self) -> None:
        """Look no more. Twice is no error."""


class Watching(Protocol):
    """Who watches a loop. The first viewer starts it, the last one ends it."""

    def attach(self) -> Viewer:
        """One more who looks, from any thread. Raises ProgramFault when there is nothing to look at any more."""


def encoded(value: object) -> bytes:
    """``value`` as JSON in one line of ASCII: no letter of it can end a line or mean something to a terminal."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def pieces(records: Value, rows: int) -> Iterator[bytes]:
    """A recording as JSON in one line, ``rows`` of its rows at a time."""
    others = {name: value for name, value in records.items() if name != "rows"}
    yield b'{"rows":['
    every = records["rows"]
    for first in range(0, len(every), rows):
        yield (b"," if first else b"") + encoded(every[first : first + rows])[1:-1]
    rest = encoded(others)[1:]
    yield (b"]," if others else b"]") + rest
