"""The reply memo: the same head for an unchanged file gives the same reply bytes.

Clients repeat themselves to the byte, so the key is the whole head as it came. What makes that safe:

* it is asked only when the connection is idle, with empty input and output, and the bytes that came are all
  there is: bytes inside a body or behind a reply in progress never reach it;
* only replies that carry a validator are kept: pure functions of the head and of files, never of the peer, of a
  rate, of a secret or of time;
* a reply is good until ``good_until``: the earlier of its freshness and the next second (its Date). Then the
  validator looks at every path again that was consulted, present or absent;
* a head is kept on second sight, so that a stream of unique heads only costs a little integer each;
* memory is bounded in bytes by two generations of a plain dict: when the young one is full it becomes the old
  one, and what is still asked for moves over. No list to touch on every hit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from poise.http.clock import DateClock
from poise.limits import FileLimits

DATE_BYTES = 29  # "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7)
ENTRY_BYTES = (
    600  # of an entry besides its bytes: objects, dict slot; measured with sys.getsizeof, rounded up
)
SEEN = 16_384  # hashes of heads seen once; the set starts anew when it is full


class Remembered:
    """One reply, ready to send."""

    __slots__ = (
        "after",
        "before",
        "data",
        "fresh_until",
        "good_until",
        "length",
        "line",
        "size",
        "status",
        "validator",
    )

    def __init__(
        self,
        head: bytes,
        body: bytes,
        date: str,
        validator: Callable[[], bool],
        *,
        key: bytes,
        line: str,
        status: int,
    ) -> None:
        at = head.index(date.encode("ascii"))
        self.before = head[:at]
        self.after = head[at + DATE_BYTES :] + body
        self.data = head + body
        self.validator = validator
        self.line = line
        self.status = status
        self.length = len(body)
        self.size = len(key) + 2 * len(self.data) + ENTRY_BYTES
        self.fresh_until = 0.0
        self.good_until = 0.0


class Memo:
    """Replies by the bytes of the head that asked for them."""

    __slots__ = ("_dates", "_limits", "_old", "_seen", "_size", "young")

    def __init__(self, limits: FileLimits, dates: DateClock) -> None:
        self.young: dict[bytes, Remembered] = {}
        self._old: dict[bytes, Remembered] = {}
        self._size = 0  # of the young generation
        self._seen: set[int] = set()
        self._limits = limits
        self._dates = dates

    def renew(self, head: bytes, entry: Remembered, now: float) -> bool:
        """Make ``entry`` good again at the monotonic time ``now``; False when it had to be forgotten."""
        if now >= entry.fresh_until:
            if not entry.validator():
                self.forget(head)
                return False
            entry.fresh_until = now + self._limits.freshness
        date = self._dates.current(now)
        entry.data = entry.before + date.encode("ascii") + entry.after
        entry.good_until = min(entry.fresh_until, self._dates.until)
        return True

    def find_old(self, head: bytes) -> Remembered | None:
        """Look in the old generation; what is found there is young again."""
        entry = self._old.pop(head, None)
        if entry is not None:
            self._keep(head, entry)
        return entry

    def wants(self, head: bytes) -> bool:
        """Whether a reply to ``head`` should be offered now: from the second sight on."""
        if not self._limits.memo_bytes:
            return False
        mark = hash(head)
        if mark in self._seen:
            return True
        if len(self._seen) >= SEEN:
            self._seen.clear()
        self._seen.add(mark)
        return False

    def keep(self, head: bytes, entry: Remembered, now: float) -> None:
        """Remember ``entry``, whose files were looked at just now."""
        if entry.size <= self._limits.memo_bytes // 2:
            entry.fresh_until = now + self._limits.freshness
            entry.good_until = min(entry.fresh_until, self._dates.until)
            self._keep(head, entry)

    def _keep(self, head: bytes, entry: Remembered) -> None:
        if self._size + entry.size > self._limits.memo_bytes // 2:
            self._old = self.young
            self.young = {}
            self._size = 0
        former = self.young.get(head)
        self._size += entry.size if former is None else entry.size - former.size
        self.young[head] = entry

    def forget(self, head: bytes) -> None:
        entry = self.young.pop(head, None)
        if entry is not None:
            self._size -= entry.size
        self._old.pop(head, None)

    def retire(self) -> None:
        """Forget everything, and remember nothing more."""
        self.clear()
        self._limits = replace(self._limits, memo_bytes=0)

    def clear(self) -> None:
        """Forget everything: the site itself has changed."""
        self.young = {}
        self._old = {}
        self._size = 0
        self._seen.clear()
