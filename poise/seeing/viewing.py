"""What the doors need of whoever watches: a viewer's states, and the recording.

Both are plain values: dictionaries, lists, numbers and texts. Putting a recording into JSON at once would hold the
interpreter, and with it the loop, for a tenth of a second and more: the encoder is one call. So it is done in pieces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
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

    def urgent(self) -> bool:
        """Whether something has begun that is not to wait for the next state: a call that holds the loop, not told of yet."""

    def recording(self, portion: int) -> Iterator[bytes]:
        """What the recorder holds, as one line of JSON, in pieces of so many records."""

    def told(self, sent: int) -> None:
        """So many bytes were sent to who looks."""

    def close(self) -> None:
        """Look no more. Twice is no error."""


class Watching(Protocol):
    """Who watches a loop. The first viewer starts it, the last one ends it."""

    def attach(self, *, full: bool = False) -> Viewer:
        """One more who looks, from any thread. Raises ProgramFault when there is nothing to look at any more.

        ``full`` has requests recorded too, and changes of interest and short writes with their lines, as long as this viewer looks.
        """


def encoded(value: object) -> bytes:
    """``value`` as JSON in one line of ASCII: no letter of it can end a line or mean something to a terminal."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def pieces(portions: Iterable[list[Any]], about: Callable[[], Value]) -> Iterator[bytes]:
    """A recording as one line of JSON: its rows, a portion at a time, and then what belongs ``about`` them."""
    before = b'{"rows":['
    for rows in portions:
        yield before + encoded(rows)[1:-1]
        before = b","
    yield (b"" if before == b"," else before) + b"]," + encoded(about())[1:]
