"""The servers of the echo measurement: each sends back what it receives, in the plainest way that its library has.

``python3 bench/echo_server.py KIND [CHECKOUT]`` prints ``tcp://127.0.0.1:PORT/`` when it is listening. CHECKOUT is the
folder that Poise is taken from, for those kinds that need it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
SIZE = 64 * 1024  # bytes that one read takes at most, where the program decides it


def say(port: int) -> None:
    print(f"tcp://{HOST}:{port}/", flush=True)


# --- Poise ------------------------------------------------------------------------------------------------


def poise() -> None:
    from poise import Protocol, Reactor, Stream, listen

    class Echo(Protocol):
        def connection_made(self, stream: Stream) -> None:
            self.stream = stream

        def data_received(self, data: bytes) -> None:
            self.stream.write(data)

    with Reactor() as reactor:
        say(int(listen(reactor, (HOST, 0), Echo).address[1]))
        reactor.run()


# --- asyncio, and with it uvloop --------------------------------------------------------------------------


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = memoryview(bytearray(SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - no size is better than another
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self.buffer[:nbytes]))  # the transport may keep what it is given


async def over_protocol(protocol: Callable[[], asyncio.BaseProtocol]) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, HOST, 0)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def over_streams() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(SIZE):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def uvloop() -> None:
    import uvloop as library

    with asyncio.Runner(loop_factory=library.new_event_loop) as runner:
        runner.run(over_protocol(Echo))


KINDS: dict[str, Callable[[], None]] = {
    "poise": poise,
    "uvloop": uvloop,
    "asyncio": lambda: asyncio.run(over_protocol(Echo)),
    "asyncio-buffered": lambda: asyncio.run(over_protocol(BufferedEcho)),
    "asyncio-streams": lambda: asyncio.run(over_streams()),
}

if __name__ == "__main__":
    sys.path[0] = sys.argv[2] if len(sys.argv) > 2 else str(Path(__file__).parents[1])
    KINDS[sys.argv[1]]()
