"""Compressing while serving, without holding anybody up.

* **Beside the loop**, in a thread: zlib and its like let others run meanwhile.
* **Bounded.** Files from ``limits.compress_from`` to ``limits.compress_to`` bytes, ``limits.compressions`` at once; whoever comes when
  all are busy gets the file as it is, which is always right.
* **Once.** What was made is kept, ``limits.compressed`` bytes of it, for as long as the file has not changed; several who ask for
  the same at the same time wait for one and the same piece of work.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Any

from poise.files.codings import Encode, encoders
from poise.files.entity import same_state
from poise.files.located import Located
from poise.limits import FileLimits
from poise.loop.offload import Overloaded
from poise.wire.http.accept import choose_coding

Key = tuple[int, int, int, int, int, str]
Made = bytes | None
"""The compressed content; None when it came out no smaller, or could not be made."""

Offload = Callable[..., Any]


class Compressor:
    """Compresses files and remembers what came out."""

    def __init__(self, limits: FileLimits, offload: Offload | None = None) -> None:
        """``offload(function, *args)`` has it done beside the loop; without it, it is done on the spot."""
        self._limits = limits
        self._offload = offload
        self._kept: OrderedDict[Key, Made] = OrderedDict()
        self._size = 0
        self._waiting: dict[Key, list[Callable[[Made], object]]] = {}

    @cached_property
    def _encoders(self) -> dict[str, Encode]:
        return encoders()  # the extras are loaded for the first client that wants something compressed

    def coding(self, accepted: str | None, size: int) -> str:
        """How a file of ``size`` bytes goes to a client with this Accept-Encoding; ``identity`` as it is."""
        if not self._limits.compress_from <= size <= self._limits.compress_to:
            return "identity"
        return choose_coding(accepted, tuple(self._encoders), self._limits.choices) or "identity"

    def compressed(self, found: Located, coding: str, then: Callable[[Made], object]) -> bool:
        """Call ``then`` with the content of ``found`` in ``coding``, now or later; False when all are busy."""
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
        fd = os.dup(found.fd)
        if self._offload is None:
            data = made(fd, state, encode)
            self._keep(key, data)
            then(data)
            return True
        try:
            work = self._offload(made, fd, state, encode)
        except Overloaded:
            os.close(fd)
            return False
        self._waiting[key] = [then]
        work.on_done(lambda data, _error: self._done(key, data))
        return True

    def _done(self, key: Key, data: Made) -> None:
        self._keep(key, data)
        for then in self._waiting.pop(key):
            then(data)

    def _keep(self, key: Key, data: Made) -> None:
        self._kept[key] = data
        self._size += len(data or b"")
        while self._size > self._limits.compressed or len(self._kept) > self._limits.compressed_entries:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone or b"")


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
