"""Refusals that many addresses share: what is not there is not there in the same words, whatever it is called.

A stream of made-up addresses would go through the grammar, to the files and back, each for a page that is the same to the
byte. So such a reply is kept under its head *without the target*, and says itself which targets it covers
(``Reply.covers``): a quick and sure look that is taken for every single request. What makes that safe:

* the rest of the head is the same to the byte as that of a head which the grammar has let through, and a target is taken
  only when it is a short one of characters that mean nothing to anybody;
* nothing is remembered of any target: memory is bounded by the number of refusals, and what is there a moment later is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from poise.http.remembered import Remembered

is_plain = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+){1,16}+").fullmatch
"""A path without a query, escapes, dot segments, dot-files or a slash at its end: the names of it are what stands there."""

TARGET_BYTES = 255  # of the longest one
SHARED_BYTES = 2048  # of the rest of the longest head
REPLY_BYTES = 16 * 1024  # of the largest one
KEPT = 256  # refusals: one for each kind of client and each page; they start anew when there are more

IN_ITS_PLACE = "/the-target-of-this-request"


class Refusal(Remembered):
    """A reply that every target gets which it ``covers``."""

    __slots__ = ("_line", "covers")

    def __init__(
        self,
        head: bytes,
        body: bytes,
        date: str,
        validator: Callable[[], bool],
        covers: Callable[[bytes], bool],
        *,
        logged: str = "",
        last: bool = False,
    ) -> None:
        """``logged`` is the end of a line in the log in which the target is called ``IN_ITS_PLACE``."""
        super().__init__(head, body, date, validator, logged=logged, last=last)
        self.covers = covers
        self._line = tuple(logged.split(IN_ITS_PLACE))

    def log_as(self, target: bytes) -> None:
        self.logged = target.decode("ascii").join(self._line)


class Refusals:
    """Those that are ``kept``, by what the heads that they answer have in common."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: dict[bytes, Refusal] = {}

    def find(self, head: bytes) -> Refusal | None:
        """What ``head`` is refused with, if that is known; until the next call it is logged as this head's."""
        begin = head.find(b" ") + 1
        end = head.find(b" ", begin)
        refusal = self.kept.get(head[:begin] + head[end:])
        if refusal is None or end - begin > TARGET_BYTES:
            return None
        target = head[begin:end]
        if is_plain(target) is None or not refusal.covers(target):
            return None
        if refusal.logged:
            refusal.log_as(target)
        return refusal

    def keep(self, head: bytes, refusal: Refusal) -> None:
        """The refusal that the whole head ``head`` has got."""
        if len(self.kept) >= KEPT:
            self.kept.clear()
        self.kept[shared(head)] = refusal

    def forget(self, head: bytes) -> None:
        self.kept.pop(shared(head), None)

    def clear(self) -> None:
        self.kept.clear()


def shared(head: bytes) -> bytes:
    """What heads have in common that differ in their target only; empty when there is too much of it."""
    begin = head.find(b" ") + 1
    key = head[:begin] + head[head.find(b" ", begin) :]
    return key if len(key) <= SHARED_BYTES else b""
