"""A stream: bytes both ways over one connected socket, with asyncio's transport interface.

Rules:

* **One bounded read per readiness event.** The kernel is level-triggered: what is left is reported again, after
  everybody else had a turn.
* **Write first, ask later.** ``write`` tries the kernel at once; only what it did not take is queued, and only
  while something is queued is the socket watched for WRITE (pitfall 11). A part leaves the queue after the
  kernel took it, never before (pitfall 12).
* **One running count of what is queued**, bytes of a file in the queue included; ``pause_writing`` and
  ``resume_writing`` follow it. Protocols that wait for ``resume_writing`` bound their memory and their open files.
* **A deadline without progress, not in total.** While output waits, ``limits.send_stall`` seconds without the peer
  *acknowledging* a byte end the stream; what was only handed to the kernel says nothing of the peer (``stall.py``).
* **Zero interest is not in the kernel**, so a paused stream whose peer hung up does not spin (pitfall 8).
* **A write that fails costs no input.** What the peer had sent before is still heard (``ending.py``).
* **connection_lost comes once**, with the first cause, in a later step of the loop, never from inside a call.

Three rooms make it: :mod:`poise.net.ending` has its states, :mod:`poise.net.output` sends, and this one reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poise.errors import MachineFault, PeerFault, ProgramFault
from poise.net.ending import Muted, State
from poise.net.kernel import pending_error
from poise.net.output import Output
from poise.net.protocol import AnyProtocol, hand_over
from poise.readiness.interest import FAULTS, READ, WRITE

LARGE_BLOCK = 1 << 20  # bytes, well above what any read asks for


def keep_large_blocks() -> None:
    """Have malloc(3) keep the memory of large reads instead of asking the kernel for it each time.

    glibc maps blocks from 128 KiB on one by one: a read of 256 KiB would cost two system calls and a page fault for every
    4 KiB that came, three times what the reading costs. It learns from the first such block that is freed to take blocks of
    that size from its heap, and to give back less of the heap (mallopt(3), M_MMAP_THRESHOLD). Elsewhere it does no harm.
    """
    bytes(LARGE_BLOCK)


keep_large_blocks()


class Stream(Output):
    """One connection. Made by ``listen``; ``begin`` tells the protocol and starts reading."""

    __slots__ = ()

    # -- what users call -------------------------------------------------------------------------

    def begin(self, said: bytes = b"", *, read: bool = False) -> None:
        """Tell the protocol, then start to listen to the socket.

        ``said`` has been read from it already. With ``read`` more input is looked for at once: a connection that ends
        with its first answer is never registered.
        """
        try:
            self._protocol.connection_made(self)
            if said:
                self._give(said)
            elif read and self._reading and self._state == State.OPEN:
                self._reader()(READ)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the listening
            self.reactor.on_error(error)
            self.fail(error)
        self._watch()

    def pause_reading(self) -> None:
        """No more data_received after this returns, until resume_reading()."""
        self._reading = False
        self._watch()

    def resume_reading(self) -> None:
        self._reading = True
        if self._rest:
            self.reactor.call_soon(self._give_rest)
        self._watch()

    def is_reading(self) -> bool:
        return self._reading and not self._eof and self._state <= State.MUTE

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hand the stream over to another protocol, of either kind (to TLS: ``start_tls``)."""
        self._protocol = protocol
        if self._registered and self._state != State.CLOSED:
            self.reactor.unregister(self._fd)
            self._registered = False
            self._watch()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``peername``, ``sockname`` (once closed, if it was asked for before), ``socket`` or ``fd``; else ``default``."""
        if name == "sockname":
            return self._name_of(self._socket, default)
        return {"peername": self.peer, "socket": self._socket, "fd": self._fd}.get(name, default)

    # -- the loop calls --------------------------------------------------------------------------

    def _reader(self) -> Callable[[int], None]:
        if hasattr(self._protocol, "descriptors_received"):
            from poise.net import rights  # few take descriptors

            if rights.can_come(self._socket):
                return self._on_ready_descriptors
        return self._on_ready_buffered if hasattr(self._protocol, "get_buffer") else self._on_ready

    def _on_ready(self, mask: int) -> None:
        if mask == READ or (mask != WRITE and self._interest & READ):
            try:
                data = self._socket.recv(self._take)
            except (BlockingIOError, InterruptedError):
                pass  # readiness is a hint: somebody else may have taken the data (pitfall 21)
            except OSError as error:
                self._lose(error)
            else:
                if self._state:
                    self._read_away(data)
                elif data:
                    if len(data) >= self._much:
                        self._adapt(len(data))
                    self._protocol.data_received(data)  # type: ignore[union-attr]  # the other kind has its own handler
                else:
                    self._end_of_input()
            if mask != READ and self.outgoing is not None:
                self._flush(self.outgoing)
        else:
            self._on_other(mask)

    def _on_ready_buffered(self, mask: int) -> None:
        """The same for a BufferedProtocol, whose own buffer is filled."""
        if self._state or mask == WRITE or not self._interest & READ:
            self._on_ready(mask)
            return
        protocol: Any = self._protocol  # told apart by its methods: asyncio's own class will do as well
        buffer = memoryview(protocol.get_buffer(-1))
        if self._state:  # ended in there, or muted by a write that has taken the error: _on_ready tells apart
            return
        try:
            count = self._socket.recv_into(buffer, min(buffer.nbytes, self.limits.read_size))
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._lose(error)
        else:
            if count:
                protocol.buffer_updated(count)
            elif buffer.nbytes:
                self._end_of_input()
            else:
                raise ProgramFault("get_buffer() returned an empty buffer")
        if mask != READ and self.outgoing is not None:
            self._flush(self.outgoing)

    def _on_ready_descriptors(self, mask: int) -> None:
        """The same for a protocol of either kind that takes descriptors too; input is copied into a buffer."""
        if self._state > State.MUTE or mask == WRITE or not self._interest & READ:
            self._on_ready(mask)
            return
        from poise.net import rights

        try:
            data, fds = rights.receive(self._socket, self._take, self.limits.descriptors)
        except (BlockingIOError, InterruptedError):
            pass
        except (PeerFault, MachineFault) as error:
            self.fail(error)
        except OSError as error:
            self._lose(error)
        else:
            if fds:
                self._give_descriptors(fds)
            if self._state:
                self._read_away(data)
            elif data:
                self._give(data)
            else:
                self._end_of_input()
        if mask != READ and self.outgoing is not None:
            self._flush(self.outgoing)

    def _on_other(self, mask: int) -> None:
        """Something else than input, or a fault while nobody listens for input, which would meet it by itself."""
        if self.outgoing is not None and not self.outgoing.waits:
            self._flush(self.outgoing)
        elif mask & FAULTS:
            error = pending_error(self._socket, mask)
            if error is not None and self._state == State.OPEN:
                self._mute(error)
            elif not self._input_waits():
                self._lose(error)

    # -- input -----------------------------------------------------------------------------------

    def _adapt(self, size: int) -> None:
        """Ask for more when ``size`` bytes were as many as were asked for, and for less when a usual read would have had them all.

        While much is asked for, every read comes by here; while little is, only one that is full.
        """
        usual = self.limits.portion
        if size >= usual:
            self._take, self._much = self.limits.read_size, 0
        else:
            self._take = self._much = usual

    def _give_descriptors(self, fds: list[int]) -> None:
        try:
            self._protocol.descriptors_received(fds)  # type: ignore[union-attr]  # it has its handler for having it
        except BaseException:
            from poise.net import rights

            rights.close_all(fds)  # what it has taken out of the list is its own
            raise

    def _give(self, data: bytes) -> None:
        """Hand over what was read, until the protocol pauses in between: then the rest waits here."""
        self._rest = data
        while self._rest and self._reading and self._state <= State.MUTE:
            data, self._rest = self._rest, b""  # the protocol may raise
            self._rest = hand_over(self._protocol, data)
        if self._rest:
            self._watch()

    def _give_rest(self) -> None:
        if self._reading and self._state <= State.MUTE:
            self._give(self._rest)
            self._watch()

    def _end_of_input(self) -> None:
        self._eof = True
        keep = self._protocol.eof_received()
        if keep and self._state == State.OPEN:
            self._watch()  # EOF stays readable for ever: stop listening for it (pitfall 17)
        else:
            self.close()

    def _read_away(self, data: bytes) -> None:
        """Input of a stream that is not open any more."""
        ending = self._ending
        if isinstance(ending, Muted):
            ending.progress()
            if data:
                self._give(data)
            elif isinstance(ending.cause, BrokenPipeError):
                self._end_of_input()
            else:  # the write has taken the error for itself, and what looks like an end is where a reset cut
                self._lose(None)
        elif ending is not None:
            ending.taken += len(data)
            if not data or ending.taken > self.limits.linger_bytes:
                self._lose(None)
