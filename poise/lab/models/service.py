"""The service that all eight servers of this folder run. It is the same each time: only the loop around it differs.

* A client that sends lines gets each line back.
* A client that sends an HTTP request, GET, gets 200 and the page, or 404.

A conversation knows no socket. It is given bytes as they come, half a line or three at once, for TCP is a stream and
keeps no borders between messages (粘包). It says which bytes are to be sent. Who waits for whom is not its affair, and
that is why it fits into every loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from poise.limits.lab import LabLimits

LONGEST_LINE = LabLimits().line
PAGES: Mapping[str, Callable[[], bytes]] = {"/": lambda: b"ready\n"}


class Conversation:
    """Echo: each line goes back."""

    def __init__(self) -> None:
        self.unsent = bytearray()  # what the client is to get
        self.over = False  # nothing more will come, or is wanted: close when all is sent
        self._rest = b""  # the beginning of a line whose end has not come yet

    @property
    def finished(self) -> bool:
        return self.over and not self.unsent

    def received(self, data: bytes) -> None:
        """Take what one ``recv`` gave. b"" is the end of the stream."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.unsent += self.line_received(line)
        if not data or len(self._rest) > LONGEST_LINE:
            self.over = True

    def line_received(self, line: bytes) -> bytes:
        return line + b"\n"

    def sent(self, count: int) -> None:
        """The kernel has taken so many of the bytes in ``unsent``. It need not take all."""
        del self.unsent[:count]


class WebConversation(Conversation):
    """Echo and HTTP: what is a request gets a reply, every other line goes back."""

    def __init__(self, pages: Mapping[str, Callable[[], bytes]] = PAGES) -> None:
        super().__init__()
        self._pages = pages
        self._target = ""  # of the request whose header lines are coming

    def line_received(self, line: bytes) -> bytes:
        words = line.split()
        if not self._target and (len(words) != 3 or words[0] != b"GET"):
            return super().line_received(line)
        if not self._target:
            self._target = words[1].decode("latin-1")
        elif not words:  # the empty line: the head is whole
            target, self._target = self._target, ""
            return self.reply(target)
        return b""

    def reply(self, target: str) -> bytes:
        page = self._pages.get(target)
        status, body = (b"200 OK", page()) if page else (b"404 Not Found", b"not here\n")
        return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


Service = Callable[[], Conversation]
"""Makes a conversation for each new client."""
