"""One reply that is kept, ready to send."""

from __future__ import annotations

from collections.abc import Callable

ENTRY_BYTES = 600  # of a reply besides its bytes: the object, its validator; sys.getsizeof, rounded up
DATE_BYTES = 29  # "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7)


PATCHED = 16 * 1024
"""The longest reply whose Date is changed in place. What a slow peer does not take of such a one has to be copied for it; of a
longer one it shares what all get, which is copied for each Date instead."""


class Remembered:
    """One reply, ready to send. Of its ``data`` nothing may be kept but a copy, unless they are ``bytes``."""

    __slots__ = (
        "_date_at",
        "data",
        "date",
        "fresh_until",
        "generation",
        "good_until",
        "last",
        "logged",
        "validator",
    )

    def __init__(
        self,
        head: bytes,
        body: bytes,
        date: str,
        validator: Callable[[], bool],
        *,
        logged: str = "",
        last: bool = False,
    ) -> None:
        """``logged`` is how its line in the log ends, ``last`` whether the reply says that the connection closes."""
        self._date_at = head.index(date.encode("ascii"))
        self.date = date
        self.data: bytes | bytearray = head + body
        if len(self.data) <= PATCHED:
            self.data = bytearray(self.data)
        self.validator = validator
        self.logged = logged
        self.last = last
        self.generation = -1  # the last one of the memo in which it was counted
        self.fresh_until = 0.0
        self.good_until = 0.0

    @property
    def size(self) -> int:
        return len(self.data) + len(self.logged) + ENTRY_BYTES

    def say(self, date: str) -> None:
        """Have another Date, ``DATE_BYTES`` long like each."""
        begin, end = self._date_at, self._date_at + DATE_BYTES
        self.date = date
        if isinstance(self.data, bytearray):
            self.data[begin:end] = date.encode("ascii")
        else:
            data = memoryview(self.data)
            self.data = b"".join((data[:begin], date.encode("ascii"), data[end:]))
