"""Compressing while serving, without holding anybody up.

* **Beside the loop**, in a thread: zlib and its like let others run meanwhile.
* **Bounded.** Files from ``limits.compress_from`` to ``limits.compress_to`` bytes, ``limits.compressions`` at once; whoever comes when
  all are busy gets the file as it is, which is always right.
* **Once.** What was made is kept, ``limits.compressed`` bytes of it, for as long as the file has not changed; several who ask for
  the same at the same time wait for one and the same piece of work. So it is for files at rest only: the fingerprint of
  one that was written a moment ago may be that of two contents.
* **In memory once.** However many clients take it, and however slowly, they are sent pieces of the one copy. What is being sent
  counts as kept; what finds no place beside it goes as it is.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from poise.errors import MachineFault
from poise.files.codings import Encode, encoders
from poise.files.entity import same_state
from poise.files.located import Located
from poise.limits import FileLimits
from poise.wire.http.accept import choose_coding

Key = tuple[int, int, int, int, int, str]
Made = bytes | None
"""The compressed content; None when it came out no smaller, or could not be made."""

Offload = Callable[..., Any]


class Packed:
    """A file's content in some coding, and how many replies are sending it."""

    __slots__ = ("data", "sent_by")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sent_by = 0


class Pieces:
    """What is packed as the body of a reply, ``size`` bytes at a time."""

    __slots__ = ("_on_close", "_packed", "_size")

    def __init__(self, packed: Packed, size: int, on_close: Callable[[], object]) -> None:
        packed.sent_by += 1
        self._packed: Packed | None = packed
        self._size = size
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        data = b"" if self._packed is None else self._packed.data
        return (data[at : at + self._size] for at in range(0, len(data), self._size))

    def close(self) -> None:
        """It is no longer sent; may be repeated."""
        packed, self._packed = self._packed, None
        if packed is not None:
            packed.sent_by -= 1
            self._on_close()


class Compressor:
    """Compresses files and remembers what came out."""

    def __init__(self, limits: FileLimits, offload: Offload | None = None) -> None:
        """``offload(function, *args)`` has it done beside the loop; without it, it is done on the spot."""
        self._limits = limits
        self._offload = offload
        self._kept: OrderedDict[Key, Packed | None] = OrderedDict()
        self._size = 0
        self._waiting: dict[Key, list[Callable[[Packed | None], object]]] = {}

    @cached_property
    def _encoders(self) -> dict[str, Encode]:
        return encoders()  # the extras are loaded for the first client that wants something compressed

    def coding(self, accepted: str | None, size: int) -> str:
        """How a file of ``size`` bytes goes to a client with this Accept-Encoding; ``identity`` as it is."""
        if not self._limits.compress_from <= size <= self._limits.compress_to:
            return "identity"
        try:
            offered = tuple(self._encoders)
        except (ImportError, OSError):  # there are no descriptors left to load them; later there may be
            return "identity"
        return choose_coding(accepted, offered, self._limits.choices) or "identity"

    def compressed(self, found: Located, coding: str, then: Callable[[Packed | None], object]) -> bool:
        """Call ``then`` with the content of ``found``, a file at rest, in ``coding``, now or later; False when all are busy."""
        state = found.stat
        key = state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size, coding
        if key in self._kept:
            self._kept.move_to_end(key)
            then(self._kept[key])
            return True
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(then)
            return True
        if len(self._waiting) >= self._limits.compressions:
            return False
        encode = self._encoders[coding]
        try:
            fd = os.dup(found.fd)
        except OSError:  # no descriptors left
            return False
        if self._offload is None:
            then(self._keep(key, made(fd, state, encode)))
            return True
        try:
            work = self._offload(made, fd, state, encode)
        except MachineFault:
            os.close(fd)
            return False
        self._waiting[key] = [then]
        work.on_done(lambda data, _error: self._done(key, data))
        return True

    def body(self, packed: Packed) -> bytes | Pieces:
        """What a reply is to send of ``packed``: all of it when that is little, so that the reply can be remembered."""
        if len(packed.data) <= self._limits.memo_entry:
            return packed.data
        return Pieces(packed, self._limits.part, self._trim)

    def _done(self, key: Key, data: Made) -> None:
        packed = self._keep(key, data)
        for then in self._waiting.pop(key):
            then(packed)

    def _keep(self, key: Key, data: Made) -> Packed | None:
        """What of ``data`` can be sent: nothing when it is long and finds no place beside what is being sent."""
        packed = self._kept[key] = None if data is None else Packed(data)
        self._size += len(data or b"")
        self._trim()
        return packed if key in self._kept or len(data or b"") <= self._limits.memo_entry else None

    def _trim(self) -> None:
        """Let go of what was asked for longest ago, but of nothing that is being sent."""
        limits = self._limits
        if self._size <= limits.compressed and len(self._kept) <= limits.compressed_entries:
            return
        for key, packed in list(self._kept.items()):
            if packed is None or not packed.sent_by:
                del self._kept[key]
                self._size -= len(packed.data) if packed is not None else 0
                if self._size <= limits.compressed and len(self._kept) <= limits.compressed_entries:
                    return


def made(fd: int, state: os.stat_result, encode: Callable[[bytes], bytes]) -> Made:
    """In a thread: the content of ``fd``, which is closed, encoded; None when it is not worth it or has changed."""
    try:
        data = os.pread(fd, state.st_size + 1, 0)
        if len(data) != state.st_size or not same_state(state, os.fstat(fd)):
            return None
    except OSError:
        return None
    finally:
        os.close(fd)
    smaller = encode(data)
    return smaller if len(smaller) < len(data) else None
