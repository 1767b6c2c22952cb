"""What a stream sends. The kernel is tried at once; only what it does not take is queued (:mod:`poise.net.outgoing`)."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import TYPE_CHECKING

from poise.errors import DeadlineExceeded, MachineFault, ProgramFault
from poise.net.ending import Ending, State
from poise.net.kernel import MORE, NO_SIGNAL

if TYPE_CHECKING:
    from poise.net.outgoing import Outgoing, Part


class Output(Ending):
    """The side of a stream that sends. Not used itself: the base of Stream."""

    __slots__ = ()

    # -- what users call -------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview, more: bool = False) -> None:
        """Send ``data`` as far as the kernel takes it now and queue the rest; after close() it is dropped.

        ``more`` says that another write follows at once, so that the kernel need not send a small packet
        for this one alone (MSG_MORE, send(2)). Raises ProgramFault after write_eof().
        """
        # ``more`` could be keyword-only, but CPython enters such a function by a longer way.
        if self._state or self._eof_wanted:
            self._refuse_write()
            return
        if type(data) is not bytes and type(data) is not bytearray:  # cheaper than isinstance
            data = memoryview(data).cast("B")
        if not data:
            return  # it would wait for ever behind what the kernel takes
        if self.outgoing is not None:
            self._append(bytes(data))
            self._await_room()
            return
        try:
            sent = self._socket.send(data, NO_SIGNAL | MORE if more else NO_SIGNAL)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._mute(error)
            return
        if sent != len(data):
            # What is ours to keep must not change under us: only bytes are kept without a copy.
            rest = memoryview(data)[sent:]
            self._append(rest if isinstance(data, bytes) else bytes(rest))
            self._await_room()

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one, in as few calls of the kernel as it allows and without joining them first.

        Raises TypeError when one of them is no bytes, before any is sent; otherwise as ``write``.
        """
        pieces = [
            piece
            for part in parts
            if (piece := part if isinstance(part, bytes) else memoryview(part).cast("B"))
        ]
        if self._state or self._eof_wanted:
            self._refuse_write()
            return
        if self.outgoing is None:
            pieces = self._send_now(pieces)
        if pieces:
            for piece in pieces:
                unchanging = isinstance(piece, bytes) or isinstance(piece.obj, bytes)
                self._append(piece if unchanging else bytes(piece))
            self._await_room()

    def sendfile(self, fd: int, offset: int, count: int) -> None:
        """Queue ``count`` bytes of a regular file from ``offset``; the stream owns and closes ``fd`` from now on.

        A file that turns out shorter ends the stream: a reply must not lie about its length.
        """
        from poise.net.outgoing import FilePart

        part = FilePart(fd, offset, count).fetched_by(self.reactor, self.limits.read_ahead)
        if self._state or self._eof_wanted:
            part.close()
            self._refuse_write()
            return
        if not count:
            part.close()
            return
        first = self.outgoing is None
        queue = self._append(part)
        if first:
            self._flush(queue)
        self._await_room()

    def send_descriptors(self, data: bytes | bytearray | memoryview, fds: Iterable[int]) -> None:
        """Send ``data``, at least one byte, and with it open descriptors to the process at the other end of a unix socket.

        In order with what is written before and after; the other end gets descriptors of its own for the same open files
        (unix(7), SCM_RIGHTS). ``fds`` stay the caller's, who may close them when this returns: what has to wait is duplicated.
        While they wait, each counts as 1 KiB of output. After close() nothing is sent.

        Raises ValueError for more than ``limits.descriptors`` or no data, OSError for what is no descriptor (EBADF), ProgramFault
        where there is no unix socket and after write_eof(), MachineFault on a system that does not pass descriptors, when
        so many are on their way already that it passes no more (ETOOMANYREFS), or none can be duplicated (EMFILE).
        """
        from poise.net import rights  # few send descriptors

        rights.check(self._socket)
        part = rights.DescriptorPart(data, fds, self.limits.descriptors)
        if self._state or self._eof_wanted:
            self._refuse_write()
            return
        if self.outgoing is None:
            try:
                part.send(self._socket, len(data))
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    raise MachineFault(error.errno, rights.TOO_MANY_ON_THEIR_WAY) from error
                self._mute(error)
                return
        if part:
            part.keep()
            self._append(part)
            self._await_room()

    def write_eof(self) -> None:
        """Send FIN once everything queued is sent; reading goes on. Twice is no error."""
        if self._state or self._eof_wanted:
            return
        self._eof_wanted = True
        if not self.outgoing:
            self._shut()

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not taken yet, those of queued files included."""
        return self.outgoing.size if self.outgoing is not None else 0

    # -- what waits ------------------------------------------------------------------------------

    def _refuse_write(self) -> None:
        if self._eof_wanted and self._state == State.OPEN:
            raise ProgramFault("write after write_eof(): the peer has been told that no more comes")

    def _send_now(self, pieces: list[bytes | memoryview]) -> list[bytes | memoryview]:
        """What is left of ``pieces`` when the kernel takes no more."""
        from poise.net.outgoing import BUFFERS_PER_CALL, send_buffers

        done = 0
        try:
            while done < len(pieces):
                batch = pieces[done : done + BUFFERS_PER_CALL]
                sent = send_buffers(self._socket, batch)
                if sent < sum(map(len, batch)):
                    while sent >= len(pieces[done]):
                        sent -= len(pieces[done])
                        done += 1
                    pieces[done] = memoryview(pieces[done])[sent:]
                    break
                done += len(batch)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._mute(error)
            return []
        return pieces[done:]

    def _append(self, part: bytes | memoryview | Part) -> Outgoing:
        queue = self.outgoing
        if queue is None:
            from poise.net.outgoing import Outgoing  # most of what is written, the kernel takes at once

            queue = self.outgoing = Outgoing()
        queue.append(part)
        return queue

    def _await_room(self) -> None:
        """Something is left that the kernel does not take now."""
        queue = self.outgoing
        if queue is None:
            return
        if queue.stall is None:
            from poise.net.stall import Stall

            queue.stall = Stall(self.reactor, self._fd, self.limits.send_stall, self._stalled)
            self._watch()
        self._check_water()

    def _flush(self, queue: Outgoing) -> None:
        """Hand the queue to the kernel, at most ``limits.write_size`` bytes of it."""
        try:
            queue.send(self._socket, self.limits.write_size, self._at_hand)
        except OSError as error:
            self._mute(error)
            return
        if queue.waits and queue.stall is not None:
            self._watch()
        if not queue.parts:
            queue.close()
            self.outgoing = None
            self._drained()
        if self._paused_writing and self._state == State.OPEN:
            self._check_water()

    def _at_hand(self) -> None:
        """What the queue waited for is there."""
        queue = self.outgoing
        if queue is not None and queue.waits:
            queue.waits = False
            if queue.stall is not None:
                queue.stall.progress()  # whose time it was is not the peer's fault
            self._flush(queue)
            self._watch()

    def _drained(self) -> None:
        if self._eof_wanted:
            self._shut()
        if self._state == State.CLOSING:
            self._flushed_and_closing()
        else:
            self._watch()

    def _stalled(self) -> None:
        # By a reset: a plain close would leave megabytes in the kernel for a peer that does not take them.
        self.fail(DeadlineExceeded(f"the peer took nothing for {self.limits.send_stall:g} s"))
