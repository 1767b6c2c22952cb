"""A protocol of messages: a framer and a stream joined.

Rules:

* **A share of messages per turn.** One read may hold tens of thousands of messages. At most
  ``limits.messages_per_turn`` are handed over in one turn; the others wait in the framer, where no kernel can see
  them, so the next turn takes them up and does not wait (pitfall 23). Reading pauses meanwhile: what
  is kept is bounded by one read and one unfinished message.
* **Paused means paused.** After ``pause_reading`` no message comes, be it in the framer already; after
  ``resume_reading`` they come in a later turn, from where they stopped. (The stream's own methods of these names
  stop and start only its bytes.)
* **A stream that cannot be understood ends.** The first FrameError goes to ``frame_error``, which may send a last
  word; then the connection is closed, what was sent before is still flushed, and the error is the cause that
  ``connection_lost`` is told. The end of the stream inside a message is such an error.
* Once the stream is closing, by whomever, no message is handed over any more; but what came before a write failed is.
"""

from __future__ import annotations

from poise.errors import FrameError
from poise.limits import FrameLimits
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.wire.framing import Framer

DEFAULTS = FrameLimits()


class FramedProtocol(Protocol):
    """Subclass it, override ``message_received``, and answer with ``send``.

    ``framer`` belongs to this connection alone. Who overrides ``connection_made`` or ``eof_received`` calls
    ``super()``'s first; ``connection_lost``, ``pause_writing`` and ``resume_writing`` are free to be overridden.
    """

    __slots__ = ("_paused", "_waiting", "framer", "limits", "stream")

    stream: Stream
    """The connection, from ``connection_made`` on."""

    def __init__(self, framer: Framer, limits: FrameLimits = DEFAULTS) -> None:
        self.framer = framer
        self.limits = limits
        self._paused = False  # by us who use it
        self._waiting = (
            False  # the next share has been asked for, and the stream is paused until it is used up
        )

    # -- what subclasses override ----------------------------------------------------------------

    def message_received(self, message: bytes) -> None:
        """One whole message, in the order in which they were sent; it may be empty."""

    def frame_error(self, error: FrameError) -> None:
        """The peer broke the framing: nothing more can be received, but a last word may still be sent."""

    # -- what they call --------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Frame ``message`` and write it. Raises ValueError when it cannot be framed, and what ``write`` raises."""
        self.stream.write(self.framer.frame(message))

    def pause_reading(self) -> None:
        """No more messages after this returns, until ``resume_reading``."""
        self._paused = True
        self.stream.pause_reading()

    def resume_reading(self) -> None:
        """Messages may come again, never from inside this call."""
        if not self._paused:
            return
        self._paused = False
        if self.framer.buffered:
            self._ask_for_share()
        else:
            self.stream.resume_reading()

    def change_framer(self, framer: Framer) -> None:
        """What comes after the present message is taken apart, and what is sent is framed, by ``framer``."""
        left = self.framer.rest()
        self.framer = framer
        if left:
            framer.feed(left)
            self._ask_for_share()

    # -- the stream calls ------------------------------------------------------------------------

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.framer.feed(data)
        if self._waiting:
            self.stream.pause_reading()  # the stream was resumed behind our back: keep to the order and the share
        elif self._hand_over():
            self._ask_for_share()

    def eof_received(self) -> bool | None:
        """The peer has ended its side: an unterminated last message is handed over, half of one is a frame_error."""
        self.framer.feed_eof()
        # Whole messages are still there only when the stream was resumed behind our back: now or never.
        self._waiting = self._paused = False
        while self._hand_over():
            pass
        return False

    def holds_input(self) -> bool:
        """Whether it may have messages to hand over yet: the stream asks before it gives up."""
        return self.framer.buffered > 0

    def fail(self, error: Exception) -> None:
        """A callback of this protocol raised, which has been reported."""
        self.stream.fail(error)

    # -- shares ----------------------------------------------------------------------------------

    def _hand_over(self) -> bool:
        """Hand over one share of messages; True when it was used up and bytes are left."""
        stream = self.stream
        for _ in range(self.limits.messages_per_turn):
            try:
                message = self.framer.next_message()
            except FrameError as error:
                self._break_off(error)
                return False
            if message is None:
                return False
            self.message_received(message)
            if self._paused or self._waiting or (stream.is_closing() and not stream.is_mute()):
                return False
        return self.framer.buffered > 0

    def _ask_for_share(self) -> None:
        if not self._waiting:
            self._waiting = True
            self.stream.pause_reading()
            self.stream.reactor.call_soon(self._next_share)

    def _next_share(self) -> None:
        self._waiting = False
        if self._paused or (self.stream.is_closing() and not self.stream.is_mute()):
            return
        if self._hand_over():
            self._ask_for_share()
        elif not (self._paused or self._waiting):
            self.stream.resume_reading()

    def _break_off(self, error: FrameError) -> None:
        self.stream.set_protocol(_Cause(self, error))
        self.frame_error(error)
        self.stream.close(linger=True)  # it may still be sending, and a reset could destroy the last word


class _Cause(Protocol):
    """Tells the cause of an end that the stream itself takes for an orderly one."""

    __slots__ = ("_error", "_protocol")

    def __init__(self, protocol: FramedProtocol, error: FrameError) -> None:
        self._protocol = protocol
        self._error = error

    def connection_lost(self, _error: Exception | None) -> None:
        self._protocol.connection_lost(self._error)
