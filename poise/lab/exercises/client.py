"""Clients that follow a script, and the record of what they did: one thread, real sockets, never beyond loopback, never for ever.

What a client expects and does not get is an :class:`Unmet`, which carries the bytes; why it did not get them is for
:mod:`poise.lab.exercises.diagnosis` to find out.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from poise.limits import KIB
from poise.limits.exercises import ExerciseLimits

LOOPBACK = "127.0.0.1"
BROADCAST = (
    "127.255.255.255"  # every address that begins with 127 is this machine's, and this one means all of them
)
RECEIVE = 64 * KIB
PAUSE = 0.2  # seconds without progress, after which one looks whether there can be any
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST (tcp(7), socket(7))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a client did or met; ``what`` is an id of the words, ``data`` the bytes that belong to it."""

    client: str
    what: str
    data: bytes = b""


class Unmet(Exception):
    """A client did not get what the exercise promises. ``failure`` is an id of the words."""

    def __init__(self, failure: str, client: str = "", wanted: bytes = b"", got: bytes = b"") -> None:
        super().__init__(failure, client, wanted, got)
        self.failure = failure
        self.client = client
        self.wanted = wanted
        self.got = got
        self.values: dict[str, object] = {}

    def having(self, **values: object) -> Unmet:
        """With further values for the gaps in the words."""
        self.values.update(values)
        return self


@dataclass(slots=True)
class Stage:
    """Where the clients of one case meet the program: its port, the record, and everything to be closed."""

    port: int
    limits: ExerciseLimits
    log: list[Entry] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    ears: list[Ear] = field(default_factory=list)

    def ear(self, name: str, *, alone: bool = False) -> Ear:
        """A UDP socket that hears what is broadcast to the port; ``alone``, one with a port of its own, for questions."""
        ear = Ear(self, name, alone)
        self.ears.append(ear)
        return ear

    def connect(self, name: str = "", *, buffer: int = 0) -> Client:
        """A new client, connected. Raises Unmet when nobody lets it in; ``buffer`` is the size of its kernel buffers."""
        client = Client(self, name or chr(ord("A") + len(self.clients)), buffer)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.socket.close()
        for ear in self.ears:
            ear.socket.close()


class Client:
    """One connection. Everything it does is noted."""

    def __init__(self, stage: Stage, name: str, buffer: int = 0) -> None:
        self.stage = stage
        self.name = name
        self.ended = ""  # or how: the words' id of it
        self._told = False  # and whether that was noted
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(
            2 * stage.limits.patience
        )  # a SYN that finds the queue full is sent again after a second
        try:
            self.socket.connect((LOOPBACK, stage.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self.socket.close()
            self._note("refused" if isinstance(error, ConnectionRefusedError) else "unanswered")
            raise Unmet("no-connection", name) from error
        self.socket.setblocking(False)
        self._note("connects")

    def _note(self, what: str, data: bytes = b"") -> None:
        self.stage.log.append(Entry(self.name, what, data))

    def _unmet(self, failure: str, wanted: bytes = b"", got: bytes = b"") -> Unmet:
        return Unmet(failure, self.name, wanted, got)

    # --- what it does -------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """All of it. Raises Unmet when the program does not take it in time, or has closed."""
        self._note("sends", data)
        rest = memoryview(data)
        deadline = time.monotonic() + self.stage.limits.patience
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                if not self._ready(select.POLLOUT, deadline):
                    raise self._unmet("not-taken", data[len(data) - len(rest) :]) from None
            except OSError:
                self._note("broken")
                raise self._unmet("dropped") from None

    def pour(self, data: bytes, idle: Callable[[], bool], least: int = 0) -> int:
        """As much as is taken; how many bytes. It ends when nothing is taken while the program is ``idle``.

        A program that never is, or a kernel that has not taken the ``least`` yet, is waited for as long as patience lasts.
        """
        rest = memoryview(data)
        deadline = time.monotonic() + self.stage.limits.patience
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
                deadline = time.monotonic() + self.stage.limits.patience
            except BlockingIOError:
                if self._ready(select.POLLOUT, time.monotonic() + PAUSE):
                    continue
                enough = len(data) - len(rest) >= least and idle()
                if enough or time.monotonic() > deadline:
                    break
            except OSError:
                self._note("sends", data[: len(data) - len(rest)])
                self._note("broken")
                raise self._unmet("dropped") from None
        taken = len(data) - len(rest)
        self._note("sends", data[:taken])
        return taken

    def flood(self, data: bytes) -> None:
        """As much of it as the program takes until it closes, which is what it should do."""
        try:
            self.pour(data, lambda: False)
        except Unmet:
            self.ended, self._told = "broken", True

    def half_close(self) -> None:
        """Nothing more is sent, but everything is still read."""
        self._note("half-closes")
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            raise self._unmet("dropped") from None

    def leave(self) -> None:
        self._note("leaves")
        self.socket.close()

    def reset(self) -> None:
        """Leave as a crashed program or a pulled cable does: the other end gets RST instead of an end of the stream."""
        self._note("resets")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()

    # --- what it expects ----------------------------------------------------------------------------------

    def expect(self, wanted: bytes) -> None:
        """These bytes, and no more of them for now. Raises Unmet."""
        got = self._read(lambda data: len(data) >= len(wanted) or not wanted.startswith(data), len(wanted))
        if got == wanted or not wanted.startswith(got):
            got += self._at_once()
        if got == wanted:
            return
        if not wanted.startswith(got):
            raise self._unmet("wrong-bytes", wanted, got)
        if self.ended:
            raise self._unmet("closed-early", wanted, got)
        raise self._unmet("cut-short" if got else "no-answer", wanted, got)

    def expect_all(self, wanted: bytes, start: int = 0) -> None:
        """As :meth:`expect`, for much, which begins at byte ``start``; what is wrong is told from its place on. Raises Unmet."""
        got = self._read(lambda data: len(data) >= len(wanted), len(wanted))
        if got != wanted:
            pairs = zip(wanted, got, strict=False)
            at = next((at for at, (right, there) in enumerate(pairs) if right != there), len(got))
            raise self._unmet("lost", wanted[at:], got[at:]).having(at=start + at)

    def expect_cut(self) -> None:
        """The end of the connection, whatever comes before it. Raises Unmet."""
        self._read(lambda data: len(data) >= self.stage.limits.flood, RECEIVE)
        if not self.ended:
            raise self._unmet("not-cut")

    def expect_last(self, wanted: bytes) -> None:
        """These bytes, then the end of the stream. Raises Unmet."""
        got = self._read(lambda data: len(data) > len(wanted), RECEIVE)
        if not wanted.startswith(got):
            raise self._unmet("wrong-bytes", wanted, got)
        if got == wanted and not self.ended:
            raise self._unmet("not-closed", wanted, got)
        if got != wanted:
            raise self._unmet(
                "closed-early" if self.ended else "cut-short" if got else "no-answer", wanted, got
            )

    def expect_end(self) -> None:
        """The end of the stream, and nothing before it. Raises Unmet."""
        got = self._read(bool, RECEIVE)
        if got:
            raise self._unmet("too-much", b"", got)
        if not self.ended:
            raise self._unmet("not-closed")

    def expect_nothing(self, failure: str = "too-soon") -> None:
        """No byte has come until now. Raises Unmet with ``failure``.

        Meant for after another client was answered, which proves that the program had its turn.
        """
        got = self._at_once()
        if got:
            raise self._unmet(failure, b"", got)
        if self.ended:
            raise self._unmet("dropped")

    def until_some(self) -> bytes:
        """Something, whatever it is. Raises Unmet."""
        got = self._read(bool, RECEIVE)
        if not got:
            raise self._unmet("dropped" if self.ended else "no-answer")
        return got

    def until_end(self, most: int) -> bytes:
        """Everything until the end of the stream, at most ``most`` bytes. Raises Unmet when it does not end."""
        got = self._read(lambda data: len(data) >= most, most)
        if not self.ended:
            raise self._unmet("not-closed" if got else "no-answer", b"", got)
        return got

    def _read(self, enough: Callable[[bytearray], bool], size: int) -> bytes:
        """At most ``size`` bytes, until there are enough, the stream ends or patience does; each that comes renews patience."""
        data = bytearray()
        waited = False
        while not enough(data) and not self.ended and not waited:
            if self._ready(select.POLLIN, time.monotonic() + self.stage.limits.patience):
                data += self._receive(max(1, size - len(data)))
            else:
                waited = True
        self._met(bytes(data))
        if waited:
            self._note("waits")
        return bytes(data)

    def _at_once(self) -> bytes:
        """What is there already."""
        data = bytearray()
        while not self.ended and self._ready(select.POLLIN, 0.0):
            data += self._receive(RECEIVE)
        self._met(bytes(data))
        return bytes(data)

    def _met(self, data: bytes) -> None:
        if data:
            self._note("gets", data)
        if self.ended and not self._told:
            self._told = True
            self._note(self.ended)

    def _receive(self, size: int) -> bytes:
        try:
            data = self.socket.recv(min(size, RECEIVE))
        except BlockingIOError:
            return b""
        except OSError:
            self.ended = "broken"
            return b""
        if not data:
            self.ended = "end"
        return data

    def _ready(self, event: int, deadline: float) -> bool:
        waiting = select.poll()
        waiting.register(self.socket, event)
        return bool(waiting.poll(max(0.0, deadline - time.monotonic()) * 1000))


class Ear:
    """One UDP socket on this machine. It hears datagrams, and may send some."""

    def __init__(self, stage: Stage, name: str, alone: bool) -> None:
        self.stage = stage
        self.name = name
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if alone:
                self.socket.bind((LOOPBACK, 0))
            else:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # all of them have one port
                self.socket.bind((BROADCAST, stage.port))
                stage.port = self.socket.getsockname()[1]
            self.socket.setblocking(False)
        except OSError:
            self.socket.close()
            raise

    def hear(self, seconds: float) -> tuple[bytes, tuple[str, int]] | None:
        """The next datagram and its sender; None when none comes in that time."""
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN)
        if not waiting.poll(max(0.0, seconds) * 1000):
            return None
        data, sender = self.socket.recvfrom(RECEIVE)
        self.stage.log.append(Entry(self.name, "hears", data))
        return data, sender

    def missed(self) -> None:
        """Note that nothing came."""
        self.stage.log.append(Entry(self.name, "listens"))

    def say(self, data: bytes, to: tuple[str, int]) -> None:
        self.stage.log.append(Entry(self.name, "asks", data))
        self.socket.sendto(data, to)
