"""One end of a connection that plays its part of a script, and judges at once what it hears."""

from __future__ import annotations

import contextlib
import os
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from poise.errors import ProgramFault
from poise.net.kernel import unacknowledged, unread
from poise.net.protocol import AnyProtocol, BufferedProtocol, Protocol
from poise.net.stream import Stream
from poise.net.tls import TLSStream
from tests.property.steps import FILE, NOW, Script, Step

POOL = random.Random(1).randbytes(1 << 18)  # what is written: no two places look alike
CONTENT = random.Random(2).randbytes(FILE)  # what is in the file


class Raised(Exception):
    """A callback of ``end`` raised it, as its script says."""

    def __init__(self, end: End) -> None:
        super().__init__(f"{end.name} raised this")
        self.end = end


class End:
    """What one end has done and heard. Its protocols, of which there may be several in turn, tell it everything."""

    def __init__(self, number: int, script: Script, file: Path) -> None:
        self.name = ("server", "client")[number]
        self.file = file
        self.keeps_open = script.keeps_open[number]
        self.first_kind = script.kinds[number]
        self.later: defaultdict[str, deque[Step]] = defaultdict(deque)
        for step in script.steps:
            if step.end == number and step.when != NOW:
                self.later[step.when].append(step)
        self.stream: Stream | TLSStream
        self.ear: Plain | Filled
        """The protocol that is to be told now."""
        self.sent = bytearray()
        """What the stream has taken on, as far as it exists."""
        self.missing = 0
        """Bytes that it was promised besides, from behind the end of a file."""
        self.data = bytearray()
        self.made = self.eof = self.paused = 0
        self.lost: list[Exception | None] = []
        self.wants_input = True
        self.was_welcome = False
        self.said_eof = self.closed = self.lingers = self.aborted = self.failed = False
        self._depth = 0

    # -- what it does ----------------------------------------------------------------------------

    def make(self) -> AnyProtocol:
        self.ear = self._protocol(self.first_kind)
        return self.ear

    def do(self, step: Step) -> None:
        """Play ``step``; what a callback of ours raises inside it comes out of it."""
        if not self.made:
            return
        self._depth += 1
        try:
            getattr(self, step.name)(*step.args)
        finally:
            self._depth -= 1

    def write(self, size: int, form: str, more: bool) -> None:
        data = self._next(size)
        piece = SHAPES[form](data)
        with self._output(data):
            self.stream.write(piece, more=more)
        spoil(piece)

    def writelines(self, parts: list[tuple[int, str]]) -> None:
        data = self._next(sum(size for size, _ in parts))
        rest = iter(data)
        pieces = [SHAPES[form](bytes(islice(rest, size))) for size, form in parts]
        with self._output(data):
            self.stream.writelines(iter(pieces))
        for piece in pieces:
            spoil(piece)

    def sendfile(self, offset: int, count: int) -> None:
        count = min(count, FILE - offset)
        with self._output(CONTENT[offset : offset + count]):
            self.stream.sendfile(os.open(self.file, os.O_RDONLY), offset, count)

    def send_short(self, offset: int, beyond: int) -> None:
        with self._output(CONTENT[offset:], beyond):
            self.stream.sendfile(os.open(self.file, os.O_RDONLY), offset, FILE - offset + beyond)

    def set_marks(self, high: int | None, low: int | None) -> None:
        if high is not None and low is not None:
            high, low = max(high, low), min(high, low)
        self.stream.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        self.wants_input = False
        self.stream.pause_reading()

    def resume_reading(self) -> None:
        self.wants_input = True
        self.stream.resume_reading()

    def switch(self, kind: int | None) -> None:
        self.ear = self._protocol(kind)
        self.stream.set_protocol(self.ear)
        assert self.stream.get_protocol() is self.ear

    def write_eof(self) -> None:
        self.said_eof |= not self.stream.is_closing()
        self.stream.write_eof()

    def close(self, linger: bool) -> None:
        self.lingers |= linger and not self.stream.is_closing()
        self.closed = True
        self.stream.close(linger=linger)
        assert self.stream.is_closing()

    def abort(self) -> None:
        self.aborted = True
        self.stream.abort()
        assert self.stream.is_closing()

    def raise_error(self) -> None:
        raise Raised(self)

    def _protocol(self, kind: int | None) -> Plain | Filled:
        return Plain(self) if kind is None else Filled(self, kind)

    def _next(self, size: int) -> bytes:
        start = len(self.sent) * 7 % 65_521
        return POOL[start : start + size]

    @contextlib.contextmanager
    def _output(self, data: bytes, missing: int = 0) -> Iterator[None]:
        """Around a call that gives ``data`` to the stream, which takes it on, drops it or refuses it."""
        taken = not self.stream.is_closing()
        refused = taken and self.said_eof
        if taken and not refused:
            self.sent += data
            self.missing += missing
        try:
            yield
        except ProgramFault:
            assert refused
        else:
            assert not refused

    # -- what it hears ---------------------------------------------------------------------------

    def hears(self, name: str) -> None:
        """Something was heard: the script may want to do something at this very moment."""
        if self.later[name]:
            self.do(self.later[name].popleft())

    def hears_input(self, data: bytes) -> None:
        """``data``, or the end of it when it is empty."""
        assert self.made, "input before connection_made"
        assert not self.lost, "input after connection_lost"
        assert not self._depth, "input from inside a call"
        assert not self.eof, "input after its end"
        assert self.is_welcome or self.was_welcome, "input while reading is paused, or after close()"
        self.was_welcome = False
        self.data += data

    @property
    def is_welcome(self) -> bool:
        """Whether input may come: it may after the connection has broken, as long as nobody here has ended it."""
        return self.wants_input and not self.has_ended

    @property
    def has_ended(self) -> bool:
        return self.closed or self.aborted or self.failed

    def check_marks(self) -> None:
        """Whether the protocol knows how much waits, at any moment outside of a callback."""
        if self.made and not self.stream.is_closing():
            low, high = self.stream.get_write_buffer_limits()
            size = self.stream.get_write_buffer_size()
            assert size > low if self.paused else size <= high, (self.name, low, size, high, self.paused)
            assert self.stream.is_reading() == (self.wants_input and not self.eof)

    def check_hidden(self, most: int) -> None:
        """Whether no more than ``most`` bytes wait between the kernel and the protocol."""
        if self.made and not self.lost and isinstance(self.stream, TLSStream):
            assert len(self.stream._engine._input) <= most

    # -- what there is to see --------------------------------------------------------------------

    @property
    def promised(self) -> int:
        return len(self.sent) + self.missing

    @property
    def is_open(self) -> bool:
        """Whether it still has a descriptor."""
        return bool(self.made) and self.stream.get_extra_info("socket").fileno() >= 0

    @property
    def waits_for_kernel(self) -> tuple[int, int]:
        """Bytes that the kernel holds for it, and from it; -1 where it does not tell."""
        if not self.is_open:
            return -1, -1
        fd = self.stream.get_extra_info("fd")
        outgoing = unacknowledged(fd)  # first: what is on its way between the two questions may count twice
        return unread(fd), outgoing

    @property
    def broke_off(self) -> bool:
        """Whether its peer need not have got everything."""
        return bool(self.aborted or self.failed or self.missing or any(self.lost))

    def has_all(self, sender: End) -> bool:
        """Whether nothing more from ``sender`` can come here."""
        over = self.lost or self.has_ended or sender.lost or sender.broke_off
        return bool(over) or len(self.data) == len(sender.sent)

    def state(self) -> tuple[object, ...]:
        """Everything that changes when there is progress."""
        waiting = self.stream.get_write_buffer_size() if self.made else 0
        return self.made, len(self.data), self.eof, len(self.lost), waiting, self.waits_for_kernel


class Ear:
    """Passes everything on to the end that it belongs to."""

    def __init__(self, end: End) -> None:
        self.end = end

    def its_end(self) -> End:
        """For whoever is told something: it is the one who should be."""
        assert self.end.ear is self, "another protocol has taken over"
        return self.end

    def connection_made(self, stream: Stream) -> None:
        end = self.its_end()
        assert not end.made
        end.made, end.stream = 1, stream
        end.hears("made")

    def eof_received(self) -> bool:
        end = self.its_end()
        end.hears_input(b"")
        end.eof = 1
        end.hears("eof")
        end.closed |= not end.keeps_open
        return end.keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        end = self.end  # it may be told to the one who had the stream when it broke
        assert end.made
        assert not end.lost
        assert not end._depth, "connection_lost from inside a call"
        assert end.stream.is_closing()
        end.lost.append(error)
        end.hears("lost")

    def pause_writing(self) -> None:
        end = self.its_end()
        assert not end.paused
        assert not end.stream.is_closing()
        assert end.stream.get_write_buffer_size() > end.stream.get_write_buffer_limits()[1]
        end.paused = 1
        end.hears("pause")

    def resume_writing(self) -> None:
        end = self.its_end()
        assert end.paused
        assert not end.stream.is_closing() or end.stream.is_mute()
        assert end.stream.get_write_buffer_size() <= end.stream.get_write_buffer_limits()[0]
        end.paused = 0
        end.hears("resume")


class Plain(Ear, Protocol):
    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        end = self.its_end()
        end.hears_input(data)
        end.hears("data")


class Filled(Ear, BufferedProtocol):
    def __init__(self, end: End, size: int) -> None:
        super().__init__(end)
        self.buffer = bytearray(size)

    def get_buffer(self, sizehint: int) -> bytearray:
        assert sizehint == -1 or sizehint > 0
        end = self.its_end()
        end.was_welcome = end.is_welcome  # who changes its mind in here gets this one still
        end.hears("buffer")
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert 0 < nbytes <= len(self.buffer)
        self.end.hears_input(bytes(self.buffer[:nbytes]))
        self.end.hears("data")


SHAPES: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": lambda data: memoryview(bytearray(data)),
    "words": lambda data: memoryview(bytearray(data)).cast("H" if data and len(data) % 2 == 0 else "B"),
}


def spoil(piece: Any) -> None:
    """What belongs to the caller may change as soon as the call has returned."""
    if not isinstance(piece, bytes):
        memoryview(piece).cast("B")[:] = bytes(memoryview(piece).nbytes)
