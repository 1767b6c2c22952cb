"""``tail -f`` of several files over HTTP: a reply that goes on for as long as somebody reads it.

    python3 -m examples.tail /var/log/app.log /var/log/db.log --port 7004
    curl -N http://127.0.0.1:7004/          all of them
    curl -N http://127.0.0.1:7004/db.log    one of them

The body of such a reply is a Feed: it is written to when there is something to say, and an endless one ends when its reader
leaves. What else there is to know:

* A regular file is always ready, so no poller can tell that it has grown. It is looked at from time to time.
* A reader that does not keep up is not read for: while its feed is full its files are left alone, and they are looked at
  again when there is room. Nothing is lost, because the file itself is the buffer.
* A file that was cut starts anew, and so does a new file under the old name (what log rotation does).
"""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from poise import Feed, HTTPServer, Reactor, Reply, Request, RequestError, TimerHandle
from poise.http.hosts import local_or

PIECE = 16 * 1024  # bytes read of one file at a time, so that no file holds the loop
LAST = 1024  # bytes of what was there already that are shown first
EVERY = 0.2  # seconds between looks
FIELDS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
)


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


class Viewer:
    """One reader: the files that it follows, and the feed in which it is told of them."""

    def __init__(self, reactor: Reactor, paths: list[Path]) -> None:
        self.reactor = reactor
        self.files = [Followed(path) for path in paths]
        self.shown: Followed | None = None
        self.look_again: TimerHandle | None = None
        self.feed = Feed(on_room=self.soon, on_close=self.close, endless=True)
        self.look()

    def look(self) -> None:
        """Send what was added to each file; come again soon when there may be more, later when not."""
        more = False
        for file in self.files:
            if self.feed.is_full:
                break
            data = file.read()
            more = more or len(data) == PIECE
            if data and len(self.files) > 1 and file is not self.shown:
                data = f"\n==> {file.path.name} <==\n".encode() + data
            if data:
                self.shown = file
                self.feed.write(data)
        if not self.feed.is_full:  # else there will be room one day
            self.look_again = self.reactor.call_later(0 if more else EVERY, self.look)

    def soon(self) -> None:
        self.look_again = self.reactor.call_later(0, self.look)

    def close(self) -> None:
        if self.look_again is not None:
            self.look_again.cancel()
        for file in self.files:
            file.close()


class Tail(HTTPServer):
    """Answers with what is added to ``paths``, by their names, or to all of them."""

    def __init__(self, reactor: Reactor, paths: dict[str, Path]) -> None:
        # Only local names, or a web page could read the files by DNS rebinding.
        super().__init__(reactor, allows_host=local_or([]))
        self.paths = paths

    def respond(self, request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            raise RequestError(405, "Only GET.")
        chosen = [path for name, path in self.paths.items() if request.path in ("/", name)]
        if not chosen:
            raise RequestError(404, f"There are / and {' '.join(self.paths)}.")
        return Reply(200, FIELDS, Viewer(self.reactor, chosen).feed)


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
        server = Tail(reactor, paths)
        listener = server.listen(("127.0.0.1", args.port))
        print(f"http://127.0.0.1:{listener.address[1]}/", flush=True)
        reactor.run()
        server.close()
        reactor.turn(0)  # the readers hear of it


if __name__ == "__main__":
    main()
