"""``tail -f`` of several files over HTTP: a reply that goes on for as long as somebody reads it.

    python3 -m examples.tail /var/log/app.log /var/log/db.log --port 7004
    curl -N http://127.0.0.1:7004/          all of them
    curl -N http://127.0.0.1:7004/db.log    one of them

A reply without Content-Length ends when the connection does (RFC 9112, 6.3), so it may take all day. What differs
from a server of finished files:

* A regular file is always ready, so no poller can tell that it has grown. It is looked at from time to time.
* A reader that does not keep up is not read for: while its connection is full its files are left alone. Nothing is
  lost, because the file itself is the buffer.
* A file that was cut starts anew, and so does a new file under the old name (what log rotation does).
"""

from __future__ import annotations

import argparse
import os
import signal
from http import HTTPStatus
from pathlib import Path

from poise import (
    DelimiterFramer,
    FramedProtocol,
    FrameError,
    HttpLimits,
    Reactor,
    RequestError,
    Stream,
    TimerHandle,
    listen,
)
from poise.http.hosts import local_or
from poise.wire.http.head import parse_head

LIMITS = HttpLimits()
END_OF_HEAD = b"\r\n\r\n"
PIECE = 16 * 1024  # bytes read of one file at a time, so that no file holds the loop
LAST = 1024  # bytes of what was there already that are shown first
EVERY = 0.2  # seconds between looks


class Followed:
    """One file and how far it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1
        self.offset = 0
        self._open()
        if self.fd >= 0:
            self.offset = max(0, os.fstat(self.fd).st_size - LAST)

    def read(self) -> bytes:
        """What has been added, at most PIECE bytes; nothing when there is no such file now."""
        if self.fd < 0:
            self._open()
        if self.fd < 0:
            return b""
        if os.fstat(self.fd).st_size < self.offset:
            self.offset = 0  # it was cut
        data = os.pread(self.fd, PIECE, self.offset)
        self.offset += len(data)
        if not data and self._replaced():
            self.close()
        return data

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self.offset = -1, 0

    def _open(self) -> None:
        try:
            self.fd = os.open(
                self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            )  # a FIFO must not block us
        except OSError:  # not there yet, or not ours to read
            pass

    def _replaced(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self.fd), os.stat(self.path))
        except OSError:
            return False  # gone: perhaps its successor is not there yet


class Viewer(FramedProtocol):
    """One connection: a request's head is one message that ends with an empty line; the answer never ends."""

    def __init__(self, reactor: Reactor, paths: dict[str, Path]) -> None:
        super().__init__(DelimiterFramer(END_OF_HEAD, LIMITS.head))
        self.reactor = reactor
        self.paths = paths
        self.files: list[Followed] = []
        self.shown: Followed | None = None
        self.look_again: TimerHandle | None = None
        self.full = False

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        self.look_again = self.reactor.call_later(LIMITS.head_time, stream.close)  # for who never asks

    def message_received(self, message: bytes) -> None:
        if self.files:
            return  # one request a connection; reading goes on because its end is how we learn that the viewer left
        try:
            head = parse_head(message + END_OF_HEAD, LIMITS)
            if not local_or([])(head.host):
                raise RequestError(
                    421, "Only local names, or a web page could read the files by DNS rebinding."
                )
            if head.method != "GET":
                raise RequestError(405, "Only GET.")
            chosen = [path for name, path in self.paths.items() if head.path in ("/", name)]
            if not chosen:
                raise RequestError(404, f"There are / and {' '.join(self.paths)}.")
        except RequestError as error:
            self.refuse(error)
            return
        self.files = [Followed(path) for path in chosen]
        self.begin("200 OK")
        self.look()

    def begin(self, status: str) -> None:
        if self.look_again is not None:
            self.look_again.cancel()
        head = [
            f"HTTP/1.1 {status}",
            "Content-Type: text/plain; charset=utf-8",
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        self.stream.write("\r\n".join(head).encode() + END_OF_HEAD)

    def look(self) -> None:
        """Send what was added to each file; come again soon when there may be more, later when not."""
        more = False
        for file in self.files:
            data = file.read()
            more = more or len(data) == PIECE
            if data and len(self.files) > 1 and file is not self.shown:
                self.stream.write(f"\n==> {file.path.name} <==\n".encode())
            if data:
                self.shown = file
                self.stream.write(data)
        if not self.full:
            self.look_again = self.reactor.call_later(0 if more else EVERY, self.look)

    def pause_writing(self) -> None:
        self.full = True
        if self.look_again is not None:
            self.look_again.cancel()

    def resume_writing(self) -> None:
        self.full = False
        if self.files:
            self.look_again = self.reactor.call_later(0, self.look)

    def refuse(self, error: RequestError) -> None:
        self.begin(f"{error.status} {HTTPStatus(error.status).phrase}")
        self.stream.write(f"{error.detail}\n".encode())
        self.stream.close(linger=True)

    def frame_error(self, error: FrameError) -> None:
        if not self.files:
            self.refuse(RequestError(431, str(error)))

    def connection_lost(self, _error: Exception | None) -> None:
        if self.look_again is not None:
            self.look_again.cancel()
        for file in self.files:
            file.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Follows files over HTTP, on this machine only.")
    parser.add_argument(
        "file", nargs="+", type=Path, help="files to follow; one that is missing is waited for"
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    args = parser.parse_args()
    paths = {f"/{path.name}": path for path in args.file}
    if len(paths) < len(args.file):
        parser.error("two of the files have the same name")
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        listener = listen(reactor, ("127.0.0.1", args.port), lambda: Viewer(reactor, paths))
        print(f"http://127.0.0.1:{listener.address[1]}/", flush=True)
        reactor.run()
        listener.close()


if __name__ == "__main__":
    main()
