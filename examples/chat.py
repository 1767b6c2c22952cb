"""A chat room: the server, and a client that listens to the keyboard and the network at once.

``docs/tutorial.md`` builds this program step by step. Rules of the room:

* A message is a line. TCP keeps the order of bytes and forgets the writes they came in; the framer finds the ends.
* The first line is the guest's name, and it must come soon.
* Who does not read is skipped, and told how many lines were missed: one slow guest neither fills our memory
  nor holds up the others.

    python3 -m examples.chat serve --port 7000
    python3 -m examples.chat join 127.0.0.1:7000 Ada
"""

from __future__ import annotations

import argparse
import re
import signal
import sys

from poise import (
    FramedProtocol,
    FrameError,
    LineFramer,
    Protocol,
    Reactor,
    Stream,
    connect,
    listen,
    stdin,
    stdout,
)

LONGEST = 1000  # bytes of a line
PATIENCE = 20.0  # seconds for a name, and for a connection
SHOWN = 20  # names in the welcome, so that it is a line of bounded length too
NAME = re.compile(r"\w{1,20}")
CONTROLS = dict.fromkeys([*range(32), *range(127, 160)])  # a terminal would obey them


class Room:
    """Who is here."""

    def __init__(self) -> None:
        self.guests: dict[str, Guest] = {}

    def tell(self, line: str, but: Guest | None = None) -> None:
        """Say ``line`` to everybody, except to the one who said it."""
        for guest in list(self.guests.values()):
            if guest is not but:
                guest.hear(line)


class Guest(FramedProtocol):
    """One connection to the server."""

    def __init__(self, room: Room) -> None:
        super().__init__(LineFramer(LONGEST, keep_last=True))
        self.room = room
        self.name = ""
        self.missed = 0
        self.slow = False

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        self.late = stream.reactor.call_later(PATIENCE, self.too_late)
        self.hear("* who are you?")

    def message_received(self, message: bytes) -> None:
        text = message.decode("utf-8", "replace").translate(CONTROLS).strip()
        if self.name:
            self.room.tell(f"{self.name}: {text}", but=self)
        elif NAME.fullmatch(text) is None or text in self.room.guests:
            self.hear("* that name is taken, or is none: up to 20 letters and digits, please")
        else:
            self.late.cancel()
            self.name = text
            self.room.tell(f"* {text} is here")
            self.room.guests[text] = self
            some = ", ".join(list(self.room.guests)[:SHOWN])
            self.hear(f"* welcome; there are {len(self.room.guests)} here: {some}")

    def hear(self, line: str) -> None:
        if self.slow:
            self.missed += 1
        else:
            self.stream.write(line.encode() + b"\n")

    def pause_writing(self) -> None:
        self.slow = True

    def resume_writing(self) -> None:
        self.slow = False
        if self.missed:
            missed, self.missed = self.missed, 0
            self.hear(f"* you missed {missed} lines")

    def frame_error(self, error: FrameError) -> None:
        self.hear(f"* {error}")

    def too_late(self) -> None:
        self.hear("* no name, no chat")
        self.stream.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.late.cancel()
        if self.room.guests.get(self.name) is self:
            del self.room.guests[self.name]
            self.room.tell(f"* {self.name} is gone")


class Visit(FramedProtocol):
    """The client's connection: lines that come go to the screen."""

    def __init__(self, reactor: Reactor, name: str) -> None:
        super().__init__(LineFramer(4 * LONGEST))  # a name in front, and UTF-8 that was repaired
        self.reactor = reactor
        self.name = name
        # Two more descriptors for the same loop. Terminals, pipes and files are all the same from here.
        self.screen = stdout(reactor, Screen(self))
        self.keyboard = stdin(reactor, Keyboard(self))
        self.keyboard.pause_reading()  # until there is somebody to tell

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        self.send(self.name.encode())
        self.keyboard.resume_reading()

    def message_received(self, message: bytes) -> None:
        self.screen.write(message + b"\n")

    def pause_writing(self) -> None:
        self.keyboard.pause_reading()

    def resume_writing(self) -> None:
        self.keyboard.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            print(f"the connection was lost: {error}", file=sys.stderr)
        self.reactor.stop()


class Keyboard(Protocol):
    """What is typed goes to the server as it is: taking the lines apart is the framer's matter over there."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit

    def data_received(self, data: bytes) -> None:
        self.visit.stream.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.visit.stream.write_eof()  # Ctrl-D: we have said everything


class Screen(Protocol):
    """A terminal that was stopped with Ctrl-S holds up this client, and through it the server's queue, but no memory."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit

    def pause_writing(self) -> None:
        self.visit.pause_reading()

    def resume_writing(self) -> None:
        self.visit.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self.visit.reactor.stop()  # nobody reads what we print


def serve(reactor: Reactor, host: str, port: int) -> None:
    room = Room()
    listener = listen(reactor, (host, port), lambda: Guest(room))
    print(f"listening on {listener.address[0]}:{listener.address[1]}", flush=True)
    reactor.run()
    listener.close()


def join(reactor: Reactor, host: str, port: int, name: str) -> Exception | None:
    """Visit the room; the error that kept us out, if any."""
    try:
        visit = Visit(reactor, name)
    except OSError as error:  # the program was started without standard input, or without output
        return error
    failure: list[Exception] = []

    def failed(error: Exception) -> None:
        failure.append(error)
        reactor.stop()

    connecting = connect(reactor, (host, port), lambda: visit, timeout=PATIENCE, on_failure=failed)
    reactor.run()
    connecting.cancel()
    if connecting.stream is not None:
        visit.screen.finish(1.0)  # seconds for the last lines
        connecting.stream.close()  # after Ctrl-C it is still open
    return failure[0] if failure else None


def main() -> int:
    parser = argparse.ArgumentParser(description="A chat room.")
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="open a room")
    server.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    server.add_argument("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    client = commands.add_parser("join", help="enter a room")
    client.add_argument("address", help="HOST:PORT, as the server printed it")
    client.add_argument("name", help="up to 20 letters and digits")
    args = parser.parse_args()
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        if args.command == "serve":
            serve(reactor, args.host, args.port)
            return 0
        host, _, port = args.address.rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            parser.error("an address is HOST:PORT")
        error = join(reactor, host, int(port), args.name)
    if error is not None:
        print(error, file=sys.stderr)
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main())
