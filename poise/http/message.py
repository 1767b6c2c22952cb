"""One request and one reply, as the handlers of this layer see them.

A reply owns what its body holds: whoever takes a :class:`Reply` must call :meth:`Reply.close` once it
is sent or given up. ``close`` may be called again at any time and then does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from poise.errors import ProgramFault

if TYPE_CHECKING:
    from poise.wire.http.head import Fields, RequestHead

Address = tuple[object, ...] | str
"""Who asks: ``(host, port, …)`` as the socket layer names a peer, or a text for a local one."""


class FileBody:
    """``count`` bytes of an open file from ``offset`` on, sent without passing through the program.

    It owns its descriptor. The file may still shrink: what the sender finds decides, not ``count``.
    """

    __slots__ = ("count", "fd", "offset")

    def __init__(self, fd: int, offset: int, count: int) -> None:
        self.fd = fd
        self.offset = offset
        self.count = count

    def close(self) -> None:
        """Close the descriptor; may be repeated."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class Reply:
    """What is answered: a status, header fields and a body.

    ``body`` is bytes, a :class:`FileBody`, or an iterable of bytes: an iterator that has its next piece when it is asked,
    or a Feed, which is written to when there is something to say. Its ``length`` in bytes may be given when it is known
    beforehand. It is a promise: a body that turns out shorter or longer is an error, and the connection is cut.
    Framing fields (Content-Length, Transfer-Encoding, Connection) and Date do not belong into ``fields``:
    the connection adds them. ``validator`` is there only when the reply may be remembered; it returns
    True while the same request would still be answered with the same bytes. ``covers`` is there only on one that other
    targets get, too: it looks quickly, and says of a plain path, as bytes, whether a request for it that differs in nothing
    else would surely be answered with the same bytes as well.
    """

    __slots__ = ("_length", "body", "covers", "fields", "status", "validator")

    def __init__(
        self,
        status: int,
        fields: Iterable[tuple[str, str]] = (),
        body: bytes | bytearray | memoryview | Iterable[bytes] | FileBody = b"",
        *,
        length: int | None = None,
        validator: Callable[[], bool] | None = None,
        covers: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.status = status
        self.fields = tuple(fields)
        if isinstance(body, str):
            raise TypeError("the body of a reply is bytes: encode the text, and say how in Content-Type")
        self.body: bytes | Iterable[bytes] | FileBody = (
            bytes(body) if isinstance(body, (bytearray, memoryview)) else body
        )
        self.validator = validator
        self.covers = covers
        self._length = length
        if length is not None and (length < 0 or length != self.length):
            raise ValueError(f"the body of this reply is not {length} bytes long")

    @property
    def length(self) -> int | None:
        """The body's length in bytes; None when it is not known before the body has been sent."""
        body = self.body
        if isinstance(body, bytes):
            return len(body)
        return body.count if isinstance(body, FileBody) else self._length

    def close(self) -> None:
        """Release the descriptor or the generator behind the body."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def __repr__(self) -> str:
        return f"<Reply {self.status} {type(self.body).__name__} length={self.length}>"


class Request:
    """A parsed head with its whole body, who sent it, and over which scheme (``http`` or ``https``)."""

    __slots__ = ("body", "deliver", "head", "on_gone", "peer", "scheme")

    def __init__(
        self,
        head: RequestHead,
        body: bytes,
        peer: Address,
        scheme: str,
        deliver: Callable[[Request, Reply], None] | None = None,
    ) -> None:
        self.head = head
        self.body = body
        self.peer = peer
        self.scheme = scheme
        self.deliver = deliver
        self.on_gone: Callable[[], object] | None = None
        """Called when the connection is lost before ``answer`` was called: what is being done for it can be given up."""

    def __repr__(self) -> str:
        return f"<Request {self.line} {len(self.body)} bytes from {self.peer}>"

    def for_target(self, target: str) -> Request:
        """The same for something else, as far as its line goes."""
        return Request(self.head._replace(target=target), self.body, self.peer, self.scheme)

    def answer(self, reply: Reply) -> None:
        """Answer a request for which ``respond`` has returned None; on the loop's own thread, once.

        From another thread: ``reactor.call_soon_threadsafe(request.answer, reply)``. When the client has gone
        meanwhile the reply is closed and nothing is sent. Raises ProgramFault for a second answer.
        """
        if self.deliver is None:
            raise ProgramFault("this request does not belong to a connection")
        self.on_gone = None
        self.deliver(self, reply)

    def abandon(self) -> None:
        """Nobody waits for the answer any more. Called by the connection."""
        on_gone, self.on_gone = self.on_gone, None
        if on_gone is not None:
            on_gone()

    @property
    def method(self) -> str:
        """The method as it came: ``GET``; methods are case-sensitive (RFC 9110, 9.1)."""
        return self.head.method

    @property
    def line(self) -> str:
        """The request line as it came, near enough for a log."""
        return f"{self.head.method} {self.head.target} HTTP/1.{self.head.minor}"

    @property
    def path(self) -> str:
        """The target's path, still percent-encoded; ``*`` for ``OPTIONS *``."""
        return self.head.path

    @property
    def query(self) -> str | None:
        """What follows the first ``?`` of the target, still percent-encoded; None without one."""
        return self.head.query

    @property
    def fields(self) -> Fields:
        """The header fields: ``fields.get("user-agent")``; names in any case."""
        return self.head.fields
