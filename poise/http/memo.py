"""The reply memo: the same head for an unchanged file gives the same reply bytes.

Clients repeat themselves to the byte, so the first key is the whole head as it came; the second is its gist
(:mod:`poise.http.gist`), for heads that differ in what changes no reply. What makes that safe:

* it is asked only when the connection is idle, with empty input and output, for bytes that begin where a head must
  begin, and a key is the whole of one head: bytes inside a body or behind a reply in progress never reach it;
* only replies that carry a validator are kept: pure functions of the head and of files, never of the peer, of a
  rate, of a secret or of time;
* a reply is good until ``good_until``: the earlier of its freshness and the next second (its Date). When it is no longer
  fresh the validator looks at every path again that was consulted, present or absent;
* a head is kept on second sight, or at once beside a gist that is known when its client has said all but the address before; so a
  stream of unique heads takes no memory (:mod:`poise.http.sights`). A gist is kept at once, unless
  its target has parts that a client makes up, or one of its lines is new: there are only so many files, and habits of clients;
* what is not there is looked for anew each time, and refused in the words that were kept (:mod:`poise.http.refusals`);
* memory is bounded in bytes by two generations of a plain dict: when the young one is full it becomes the old
  one, and what is still asked for moves over. No list to touch on every hit. A reply that is kept under several keys is
  one object, and is counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.http.clock import DateClock
from poise.http.gist import Gists
from poise.http.remembered import Remembered
from poise.http.sights import Sights
from poise.limits import FileLimits

if TYPE_CHECKING:
    from poise.http.refusals import Refusal, Refusals

KEY_BYTES = 150  # of a key besides its bytes: the object, its place in the dict
FREE = frozenset(b"?%")  # in a target: what lets a client write one address in endless ways


class Memo:
    """Replies by the bytes of the head that asked for them."""

    __slots__ = (
        "_dates",
        "_fresh_until",
        "_generation",
        "_limits",
        "_old",
        "_sights",
        "_size",
        "gists",
        "refusals",
        "young",
    )

    def __init__(self, limits: FileLimits, dates: DateClock, gists: Gists | None = None) -> None:
        """Without ``gists`` only heads that are the same to the byte get the same reply."""
        self.young: dict[bytes, Remembered] = {}
        self._old: dict[bytes, Remembered] = {}
        self._size = 0  # of the young generation
        self._generation = 0
        self._sights = Sights()
        self._limits = limits
        self._dates = dates
        # The end of the present period: one object for all entries, so that it is near when the next one is asked for.
        self._fresh_until = 0.0
        self.gists = gists
        self.refusals: Refusals | None = None  # from the first one on

    def find(self, head: bytes) -> Remembered | None:
        """The reply to ``head``, which is not in the young generation as it is; what is found there is young again."""
        if self._old and (entry := self._take_old(head)) is not None:
            return entry
        if self.refusals is not None and (refusal := self.refusals.find(head)) is not None:
            return refusal
        entry = self._find_gist(head)
        if entry is not None and (self._is_usual(head) or self._wants(head)):
            self._keep(head, entry)
        return entry

    def _find_gist(self, head: bytes) -> Remembered | None:
        gists = self.gists
        if gists is None or not self.young or (plain := gists.of(head)) is None:
            return None
        found = self.young.get(plain) or self._take_old(plain)
        if found is None:
            chosen = gists.chosen(head, plain)
            found = self.young.get(chosen) or self._take_old(chosen)
        return found

    def _take_old(self, key: bytes) -> Remembered | None:
        """What the old generation has under ``key`` is young again."""
        entry = self._old.pop(key, None)
        if entry is not None:
            self._keep(key, entry)
        return entry

    def renew(self, head: bytes, entry: Remembered, now: float) -> bool:
        """Make ``entry`` good again at the monotonic time ``now``; False when ``head`` had to be forgotten."""
        if entry.fresh_until <= now:
            if not entry.validator():
                self._forget(head)
                return False
            entry.fresh_until = self._fresh_until if self._fresh_until > now else self._period(now)
        dates = self._dates
        date = dates.text if dates.until > now else dates.current(now)
        if date is not entry.date:
            entry.say(date)
        entry.good_until = min(entry.fresh_until, dates.until)
        return True

    def _period(self, now: float) -> float:
        """The end of the period that ``now`` is in."""
        if self._fresh_until <= now:
            self._fresh_until = self._limits.fresh_until(now)
        return self._fresh_until

    def offer(self, head: bytes, make: Callable[[], Remembered], *, varies: bool, now: float) -> None:
        """Remember the reply to ``head`` that ``make()`` gives, whose files were looked at just now, from the second sight on.

        ``varies`` when it has a Vary field: it depends on what the client has said about its choice.
        """
        half = self._limits.memo_bytes // 2
        wanted = [head] if self._wants(head) else []
        if half and self.gists is not None and (plain := self.gists.of(head)) is not None:
            gist = self.gists.chosen(head, plain) if varies else plain
            if self._is_one_of_few(gist) or self._wants(gist):
                wanted.append(gist)
        if not wanted or (entry := make()).size + KEY_BYTES + len(head) > half:
            return
        entry.fresh_until = self._period(now)
        entry.good_until = min(entry.fresh_until, self._dates.until)
        for key in wanted:
            self._keep(key, entry)

    def offer_refusal(self, head: bytes, make: Callable[[], Refusal], *, now: float) -> None:
        """Remember what ``head`` is refused with for all that differ in the target, from the second sight of such heads on."""
        from poise.http.refusals import REPLY_BYTES, Refusals, shared

        key = shared(head)
        if not key or not self._wants(key) or (refusal := make()).size > REPLY_BYTES:
            return
        refusal.fresh_until = self._period(now)
        refusal.good_until = min(refusal.fresh_until, self._dates.until)
        if self.refusals is None:
            self.refusals = Refusals()
        self.refusals.keep(head, refusal)

    def _is_one_of_few(self, gist: bytes) -> bool:
        """Whether nothing in ``gist`` is made up: neither its target nor, as far as was ever seen, what it says besides."""
        line, *fields = gist.split(b"\r\n")
        return FREE.isdisjoint(line) and not [field for field in fields if not self._sights.again(field)]

    def _is_usual(self, head: bytes) -> bool:
        """Whether somebody has said the same of itself before, and asks for an address that nobody makes up: there are only so many."""
        end = head.find(b"\r")
        return self._limits.memo_bytes > 0 and FREE.isdisjoint(head[:end]) and self._sights.again(head[end:])

    def _wants(self, key: bytes) -> bool:
        """Whether ``key`` was seen before."""
        return self._limits.memo_bytes > 0 and self._sights.again(key)

    def _keep(self, key: bytes, entry: Remembered) -> None:
        size = len(key) + KEY_BYTES
        if entry.generation != self._generation:
            size += entry.size
        if self._size + size > self._limits.memo_bytes // 2:
            self._old, self.young = self.young, {}
            self._size, self._generation = 0, self._generation + 1
            size = len(key) + KEY_BYTES + entry.size
        self._size += size
        entry.generation = self._generation
        self.young[key] = entry

    def _forget(self, head: bytes) -> None:
        """``head``, and what else leads to the same reply; what it took counts until the generation ends."""
        keys = [head]
        if self.gists is not None and (plain := self.gists.of(head)) is not None:
            keys += plain, self.gists.chosen(head, plain)
        for key in keys:
            self.young.pop(key, None)
            self._old.pop(key, None)
        if self.refusals is not None:
            self.refusals.forget(head)

    def retire(self) -> None:
        """Forget everything, and remember nothing more."""
        self.clear()
        self._limits = self._limits.but(memo_bytes=0)

    def clear(self) -> None:
        """Forget everything: the site itself has changed."""
        self.young = {}
        self._old = {}
        self._size = 0
        self._generation += 1
        self._sights.clear()
        self.refusals = None
