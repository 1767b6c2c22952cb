"""A slow handler: a shop's server that computes a report while everybody else waits.

python3 -m examples.watched.report --port 7001
python3 -m examples.watched.report --port 7001 --fixed
"""

from __future__ import annotations

from examples.watched.start import start
from poise import HTTPServer, Reply, Request, offload

ORDERS = 6_000_000
TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def sales(orders: int) -> bytes:
    """What was sold on each day of the week."""
    sold = [0] * 7
    for order in range(orders):
        sold[order % 7] += order * 31 % 997
    return f"sold: {sold}\n".encode()


class Shop(HTTPServer):
    """Answers ``/`` at once, and ``/report`` when it has computed it."""

    def open(self, address: tuple[str, int]) -> tuple[str, int] | str:
        return self.listen(address).address

    def respond(self, request: Request) -> Reply | None:
        if request.path == "/report":
            return Reply(200, TEXT, sales(ORDERS))
        return Reply(200, TEXT, b"Welcome.\n")


class PatientShop(Shop):
    """Another process computes; meanwhile the loop serves others."""

    def open(self, address: tuple[str, int]) -> tuple[str, int] | str:
        offload(
            self.reactor, sales, 0, to="process"
        )  # to start one takes a tenth of a second: now, not later
        return super().open(address)

    def respond(self, request: Request) -> Reply | None:
        if request.path != "/report":
            return super().respond(request)
        computing = offload(self.reactor, sales, ORDERS, to="process")
        request.on_gone = computing.cancel

        def done(text: bytes | None, error: BaseException | None) -> None:
            request.answer(Reply(500) if error else Reply(200, TEXT, text or b""))

        computing.on_done(done)
        return None


def main() -> None:
    start("A shop whose report takes long.", Shop, PatientShop)


if __name__ == "__main__":
    main()
