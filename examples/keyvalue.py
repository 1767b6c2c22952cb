"""A key-value server: commands are lines, values are bytes that are counted.

A value may hold anything, line ends too, so it cannot be a line. The command says how many bytes follow, and the framer
is changed for exactly one message:

    set NAME 5⏎hello        stored⏎
    get NAME⏎               value 5⏎hello      or  missing⏎
    del NAME⏎               deleted⏎           or  missing⏎

Every number that a client can drive up has a bound: the line, the value, all values together.

    python3 -m examples.keyvalue --port 7003
"""

from __future__ import annotations

import argparse
import re
import signal

from poise import FixedFramer, FramedProtocol, FrameError, LineFramer, Reactor, listen

COMMAND = re.compile(rb"(get|del) ([!-~]{1,250})|(set) ([!-~]{1,250}) (0|[1-9]\d{0,6})")
LONGEST_LINE = 300  # bytes
LARGEST_VALUE = 1 << 20  # bytes


class Store:
    """What everybody shares; ``most`` bytes of keys and values at most."""

    def __init__(self, most: int) -> None:
        self.values: dict[bytes, bytes] = {}
        self.room = most

    def set(self, key: bytes, value: bytes) -> bool:
        room = self.room + self._size(key) - len(key) - len(value)
        if room < 0:
            return False
        self.values[key] = value
        self.room = room
        return True

    def delete(self, key: bytes) -> bool:
        self.room += self._size(key)
        return self.values.pop(key, None) is not None

    def _size(self, key: bytes) -> int:
        return len(key) + len(self.values[key]) if key in self.values else 0


class Client(FramedProtocol):
    """One connection."""

    def __init__(self, store: Store) -> None:
        super().__init__(LineFramer(LONGEST_LINE))
        self.store = store
        self.key: bytes | None = None  # of the value that comes next

    def message_received(self, message: bytes) -> None:
        if self.key is None:
            self.command(message)
        else:
            self.change_framer(LineFramer(LONGEST_LINE))
            self.value(message)

    def command(self, line: bytes) -> None:
        found = COMMAND.fullmatch(line)
        if found is None:
            self.answer(b"error: set NAME LENGTH, get NAME or del NAME")
        elif found[1] == b"get":
            value = self.store.values.get(found[2])
            self.answer(
                b"missing" if value is None else b"value %d\n%b" % (len(value), value), end=value is None
            )
        elif found[1] == b"del":
            self.answer(b"deleted" if self.store.delete(found[2]) else b"missing")
        else:
            self.expect(found[4], int(found[5]))

    def expect(self, key: bytes, length: int) -> None:
        """What follows is a value. One that is too large is not read: the connection would be busy with it."""
        self.key = key
        if length > LARGEST_VALUE:
            self.answer(b"error: a value has at most %d bytes" % LARGEST_VALUE)
            self.stream.close(linger=True)
        elif length:
            self.change_framer(FixedFramer(length))
        else:
            self.value(b"")

    def value(self, value: bytes) -> None:
        key, self.key = self.key or b"", None
        self.answer(b"stored" if self.store.set(key, value) else b"error: no room")

    def answer(self, text: bytes, *, end: bool = True) -> None:
        self.stream.write(text + b"\n" if end else text)

    def frame_error(self, error: FrameError) -> None:
        self.answer(b"error: " + str(error).encode())

    def pause_writing(self) -> None:
        self.pause_reading()  # no more commands from a client that does not take its answers

    def resume_writing(self) -> None:
        self.resume_reading()


def main() -> None:
    parser = argparse.ArgumentParser(description="Keeps values in memory.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--memory", type=int, default=64, help="MiB of keys and values (default: %(default)s)"
    )
    args = parser.parse_args()
    store = Store(args.memory << 20)
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        listener = listen(reactor, (args.host, args.port), lambda: Client(store))
        print(f"listening on {listener.address[0]}:{listener.address[1]}", flush=True)
        reactor.run()
        listener.close()


if __name__ == "__main__":
    main()
