"""A listener and a connection to it, for one script: it is opened, played and brought to its end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from poise.errors import DeadlineExceeded, TLSTruncated
from poise.limits import StreamLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.connect import Connecting, connect
from poise.net.listener import Listener, listen
from poise.net.options import SocketOptions
from poise.net.outgoing import Truncated
from poise.net.tls_engine import RECORD
from tests.property.ends import End, Raised
from tests.property.settling import nothing_left_open, settle
from tests.property.steps import NOW, Script, Step

# Small budgets, so that short scripts come to every corner.
LIMITS = StreamLimits(
    read_size=20_000,
    read_first=6_000,
    write_size=30_000,
    high_water=8_000,
    low_water=2_000,
    send_stall=4.0,
    linger_time=2.0,
)
SEGMENT = 1000  # bytes; with the loopback's own 64 KiB a small buffer holds not one, and TCP crawls

Secrets = tuple[ServerTLS, ClientTLS]


class House:
    """Both ends on one reactor, whose clock goes on only when nothing else does."""

    def __init__(self, poller: str, kind: str, secrets: Secrets | None, script: Script, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.clock = ManualClock()
        self.reactor = Reactor(poller, clock=self.clock, on_error=self._note)
        self.secure = secrets is not None
        self.secrets = secrets
        self.rooms = script.rooms
        self.ends = End(0, script, folder / "file"), End(1, script, folder / "file")
        self.errors: list[Exception] = []

    def _note(self, error: Exception) -> None:
        if isinstance(error, Raised):
            error.end.failed = True
        else:
            self.errors.append(error)

    def do(self, step: Step) -> None:
        if step.name == "turn":
            self.turn()
        elif step.name == "tick":
            self.clock.advance(1.0)
            self.turn()
        else:
            with contextlib.suppress(Raised):  # it came back to its caller: nothing is broken
                self.ends[step.end].do(step)
            self.check()

    def turn(self) -> None:
        self.reactor.turn(0.0)
        self.check()

    def settle(self, condition: Callable[[], object]) -> None:
        settle(self.reactor, self.clock, condition, self.state, self.check)

    def state(self) -> tuple[object, ...]:
        return self.ends[0].state(), self.ends[1].state()

    # -- its life --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def opened(self) -> Iterator[House]:
        """A connection between the two ends; everything is closed at the end, whatever happens between."""
        server, client = self.ends
        with contextlib.ExitStack() as at_end:
            at_end.enter_context(self.reactor)
            listener = self._listen()
            at_end.callback(listener.close)
            failures: list[Exception] = []
            connecting = self._connect(listener.address, failures)
            at_end.callback(self._abandon, listener, connecting)
            self.settle(lambda: client.made and (server.made or (client.lost and not listener.streams)))
            yield self
            assert not failures
            assert not listener.streams
            assert len(self.reactor._handlers) == 2  # the listener and the wake-up

    def _listen(self) -> Listener:
        tls = self.secrets[0] if self.secrets is not None else None
        where = bound() if self.kind == "tcp" else f"unix:{self.folder / 'socket'}"
        options = narrow(self.rooms[0])
        return listen(self.reactor, where, self.ends[0].make, tls=tls, options=options, stream_limits=LIMITS)

    def _connect(self, address: tuple[str, int] | str, failures: list[Exception]) -> Connecting:
        return connect(
            self.reactor,
            address,
            self.ends[1].make,
            tls=self.secrets[1] if self.secrets is not None else None,
            server_name="localhost" if self.secrets is not None else None,
            on_failure=failures.append,
            options=narrow(self.rooms[1]),
            stream_limits=LIMITS,
        )

    def _abandon(self, listener: Listener, connecting: Connecting) -> None:
        connecting.cancel()
        for stream in {*listener.streams, *[end.stream for end in self.ends if end.made]}:
            stream.abort()

    def finish(self) -> None:
        """Whoever is still there reads what has come, then to the other's end, and then closes."""
        server, client = self.ends
        ends = [end for end in self.ends if end.made]
        for end in ends:
            end.later.clear()
            end.resume_reading()
        self.settle(lambda: server.has_all(client) and client.has_all(server))
        for end in ends:
            end.write_eof()
        self.settle(lambda: all(end.lost or end.has_ended or end.eof for end in ends))
        for end in ends:
            end.stream.close()
        self.settle(lambda: all(end.lost for end in ends))
        for _ in range(3):
            self.turn()

    # -- what must be true -----------------------------------------------------------------------

    def check(self) -> None:
        """At any moment outside of a callback."""
        assert not self.errors, self.errors
        for sender, receiver in (self.ends, self.ends[::-1]):
            sender.check_marks()
            sender.check_hidden(LIMITS.read_size + RECORD)  # what is left of a record, and one read more
            if sender.is_open and receiver.is_open and not receiver.stream.is_closing() and not self.secure:
                self._count(sender, receiver)

    def _count(self, sender: End, receiver: End) -> None:
        """What was written waits in the stream, in the kernel, or has arrived."""
        taken = sender.promised - sender.stream.get_write_buffer_size()
        _, on_its_way = sender.waits_for_kernel
        unread, _ = receiver.waits_for_kernel
        if unread >= 0:
            arrived = len(receiver.data) + unread
            assert arrived <= taken
            assert taken <= arrived + (on_its_way if self.kind == "tcp" else 0)

    def check_end(self, sender: End, receiver: End) -> None:
        """What has become of everything that ``sender`` said to ``receiver``, and why that had to be."""
        assert len(receiver.lost) == receiver.made
        assert sender.sent.startswith(receiver.data)
        if not receiver.made or not sender.made:
            return
        assert receiver.stream.get_write_buffer_size() == 0
        taken = sender.promised - sender.stream.unsent
        if receiver.eof:
            assert len(receiver.data) == (len(sender.sent) if self.secure else taken)
        if not (sender.has_ended or sender.broke_off or receiver.has_ended or receiver.broke_off):
            assert sender.stream.unsent == 0
        if self._must_arrive(sender, receiver):
            assert len(receiver.data) == len(sender.sent)
        self._check_cause(receiver.lost[0], sender, receiver)

    def _must_arrive(self, sender: End, receiver: End) -> bool:
        """Whether everything must have arrived, whatever else has happened."""
        if sender.broke_off or receiver.has_ended or receiver.missing:
            return False
        if self.clock.monotonic() >= LIMITS.linger_time:
            return False
        if self.kind == "unix":  # what the kernel has is in the receiver's own queue
            return True
        # Who closes without lingering may destroy its last words, by the reset that meets what comes later (pitfall 18).
        return sender.lingers or not sender.closed or not (receiver.promised or self.secure)

    def _check_cause(self, error: Exception | None, sender: End, receiver: End) -> None:
        """Whether ``receiver`` has heard the true cause of its end."""
        if error is None:
            assert receiver.eof or receiver.has_ended
        elif isinstance(error, Raised):
            assert error.end is receiver
            assert receiver.failed
        elif isinstance(error, Truncated):
            assert receiver.missing
        elif isinstance(error, DeadlineExceeded):
            assert self.clock.monotonic() >= LIMITS.send_stall
        elif isinstance(error, TLSTruncated):
            assert sender.broke_off
            taken = sender.promised - sender.stream.unsent
            assert len(receiver.data) >= taken - RECORD, "lost without being counted"
        else:
            assert isinstance(error, OSError)
            assert sender.broke_off or (sender.closed and (receiver.promised or self.secure))


def bound() -> socket.socket:
    """A TCP socket on a free port, whose connections have small segments."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


def narrow(room: int | None) -> SocketOptions | None:
    return None if room is None else SocketOptions(send_buffer=room, receive_buffer=room)


def play(poller: str, kind: str, secrets: Secrets | None, script: Script, folder: Path) -> None:
    """The whole of it: every byte is accounted for, every callback comes as promised, and nothing is left open."""
    with nothing_left_open(), House(poller, kind, secrets, script, folder).opened() as house:
        for step in script.steps:
            if step.when == NOW:
                house.do(step)
        house.finish()
        server, client = house.ends
        house.check_end(server, client)
        house.check_end(client, server)
