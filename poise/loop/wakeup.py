"""Ends the kernel's wait from another thread or a signal handler.

A byte in a socket pair makes the loop's end readable. The rules:

* **Append first, then wake; drain first, then look.** ``drain`` empties the pair, then clears the flag, and only
  then does the loop look at what was appended. Whoever appends before the flag is cleared is seen by that look;
  whoever appends later finds the flag clear and writes a byte. No order of the two loses a wake-up.
* One flag says that a byte is on its way: a hundred thousand wakes write one, and a pair that is full (EAGAIN) is
  readable anyway.
* ``wake`` takes no lock, so a signal handler may interrupt it and call it again.
"""

from __future__ import annotations

import socket

# A signal's byte comes past the flag (``signal.set_wakeup_fd``), so more than one byte can wait; what is
# left after one read keeps the pair readable and is read in the next turn.
_READ_SIZE = 4096


class Wakeup:
    """A descriptor to watch for READ, and ``wake()`` to make it readable."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._pending = False

    def fileno(self) -> int:
        """The end to watch for READ; -1 once closed."""
        return self._reader.fileno()

    def signal_fileno(self) -> int:
        """The end to write to, for ``signal.set_wakeup_fd``; -1 once closed."""
        return self._writer.fileno()

    def wake(self) -> None:
        """Make ``fileno()`` readable. From any thread or signal handler, at any time, even when closed."""
        if self._pending:
            return
        self._pending = True
        try:
            self._writer.send(b"\0")
        except OSError:
            pass  # full: readable as it is; closed: nobody waits any more

    def drain(self) -> None:
        """Make ``fileno()`` unreadable again. Call it before looking at what was appended."""
        try:
            self._reader.recv(_READ_SIZE)
        except BlockingIOError:
            pass  # already drained: one event was handled twice
        self._pending = False

    def close(self) -> None:
        """Close both ends; may be repeated. Later wakes do nothing."""
        self._pending = True
        self._writer.close()
        self._reader.close()
