"""Server-sent events: the lines of a ``text/event-stream`` (HTML Living Standard, 9.2, "Server-sent events").

An event is a block of ``field: value`` lines that ends with an empty one. A line may end with CR, LF or both, so a value
that is allowed to have lines has all three taken apart, and one that is not is refused with them: nothing that is said can
begin a field or an event of its own.
"""

from __future__ import annotations

import re

MEDIA_TYPE = "text/event-stream"  # always UTF-8

_LINE_END = re.compile(r"\r\n|\r|\n")


def event(data: str, *, name: str = "", ident: str | None = None, retry: int | None = None) -> bytes:
    """One event with the text ``data``, which may have any number of lines; the reader gets them joined by ``\\n``.

    ``name`` is its type (``event:``, without one it is a ``message``). ``ident`` (``id:``) is what the reader sends as
    ``Last-Event-ID`` when it connects again, ``""`` for nothing. ``retry`` is how many milliseconds it waits before it does.
    Raises ValueError for a name or ident with a line end in it, an ident with a NUL, which readers ignore, and a negative
    retry; UnicodeEncodeError, which is one too, for half a surrogate pair.
    """
    lines = []
    if name:
        lines.append(f"event: {_one_line(name)}\n")
    if ident is not None:
        if "\0" in ident:
            raise ValueError("readers ignore an id with a NUL in it")
        lines.append(f"id: {_one_line(ident)}\n")
    if retry is not None:
        if retry < 0:
            raise ValueError(f"a reader waits some milliseconds, not {retry}")
        lines.append(f"retry: {retry:d}\n")
    lines += [f"data: {line}\n" for line in _LINE_END.split(data)]
    return "".join((*lines, "\n")).encode()


def comment(text: str = "") -> bytes:
    """Lines that readers ignore: said now and then, they keep intermediaries from closing a silent connection."""
    return "".join((*(f": {line}\n" for line in _LINE_END.split(text)), "\n")).encode()


def _one_line(value: str) -> str:
    if _LINE_END.search(value):
        raise ValueError(f"this must be one line: {value!r}")
    return value
