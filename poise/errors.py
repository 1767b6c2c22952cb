"""Whose fault is it?

Every error that Poise raises on purpose belongs to one of three branches, and the branch says what
happens next:

* :class:`PeerFault`    the other side broke a rule: it is answered, logged in one line, never a traceback;
* :class:`ProgramFault` the calling program broke a rule: it is loud and carries a traceback;
* :class:`MachineFault` the machine has run out of something or forbids it: one clear line with what to do.
"""

from __future__ import annotations


class PoiseError(Exception):
    """The root of the tree; nothing raises it directly."""


class PeerFault(PoiseError):
    """The other side of a connection broke a rule of the protocol."""


class RequestError(PeerFault):
    """An HTTP request that cannot be honoured.

    ``status`` is the reply's status code, ``detail`` one sentence for the person who wrote the client.
    After a RequestError raised while parsing, the connection's input is meaningless and it must close.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}"


class FrameError(PeerFault):
    """The peer's bytes cannot be taken apart into messages: one is too long, a length is malformed, the stream ends
    inside one. What follows in that stream means nothing.
    """


class DeadlineExceeded(PeerFault, TimeoutError):
    """The peer made no progress within the time that its phase allows."""


class TLSError(PeerFault):
    """The peer broke TLS, or shares no version, cipher or trusted certificate with us."""


class TLSTruncated(TLSError, ConnectionError):
    """A TLS connection ended without ``close_notify``: what came may not be all (RFC 8446, 6.1)."""


class ProgramFault(PoiseError, RuntimeError):
    """The program that uses Poise made a call that the contract forbids."""


class AlreadyRegistered(ProgramFault, FileExistsError):
    """``register`` for a descriptor that this poller watches already."""


class NotRegistered(ProgramFault, FileNotFoundError):
    """``modify`` or ``unregister`` for a descriptor that this poller does not watch."""


class MachineFault(PoiseError, OSError):
    """The machine refuses: a missing kernel facility, a busy port, a limit of the system."""

    def __str__(self) -> str:
        """The sentence alone: people have no use for the number, which is in ``errno``."""
        return self.strerror if isinstance(self.strerror, str) else super().__str__()
