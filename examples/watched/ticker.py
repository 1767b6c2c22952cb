"""A client that does not read: a ticker that goes on writing to it.

python3 -m examples.watched.ticker --port 7003
python3 -m examples.watched.ticker --port 7003 --fixed
"""

from __future__ import annotations

from examples.watched.start import start
from poise import Protocol, Reactor, SocketOptions, Stream, StreamLimits, listen

EVERY = 0.04  # seconds
STOCKS = 1_000
KERNEL = SocketOptions(send_buffer=64 * 1024)  # what is old anyway need not wait there


class Ticker:
    """Tells all prices to everybody, again and again."""

    limits = StreamLimits()

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.readers: set[Reader] = set()
        self.told = 0

    def open(self, address: tuple[str, int]) -> tuple[str, int] | str:
        self.listener = listen(self.reactor, address, self.welcome, options=KERNEL, stream_limits=self.limits)
        self.next = self.reactor.call_later(EVERY, self.tick)
        return self.listener.address

    def close(self) -> None:
        self.next.cancel()
        self.listener.close()

    def welcome(self) -> Reader:
        return Reader(self)

    def tick(self) -> None:
        self.told += 1
        prices = "".join(f"{stock:04} {stock * self.told % 10_007}\n" for stock in range(STOCKS)).encode()
        for reader in self.readers:
            reader.tell(prices)
        self.next = self.reactor.call_later(EVERY, self.tick)


class Reader(Protocol):
    """One who wants to know the prices."""

    def __init__(self, ticker: Ticker) -> None:
        self.ticker = ticker

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream
        self.ticker.readers.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.ticker.readers.discard(self)

    def tell(self, prices: bytes) -> None:
        self.stream.write(prices)  # whether it takes them or not


class PatientReader(Reader):
    """Whoever does not keep up gets the newest prices when there is room again."""

    behind = False

    def pause_writing(self) -> None:
        self.behind = True

    def resume_writing(self) -> None:
        self.behind = False

    def tell(self, prices: bytes) -> None:
        if not self.behind:
            self.stream.write(prices)


class PatientTicker(Ticker):
    """And whoever takes nothing at all is given up soon."""

    limits = StreamLimits(send_stall=5.0)

    def welcome(self) -> Reader:
        return PatientReader(self)


def main() -> None:
    start("Tells prices to everybody who connects.", Ticker, PatientTicker)


if __name__ == "__main__":
    main()
