"""An asyncio program that has never heard of Poise is seen like a reactor, and left as it was."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from asyncio import events
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import poise
from poise.apps.asyncio_loop import AsyncioLoop
from poise.apps.asyncio_probe import AsyncioProbe
from poise.errors import MachineFault, ProgramFault
from poise.loop.seat import CALL, LIFE, POSTED, TIMER, TURN, Level
from poise.readiness.interest import READ, WRITE
from poise.seeing.inspecting import NO_SPIN
from tests.seeing.test_watch import AT_ONCE, ATTEMPTS, Viewer
from tests.support.program import PATIENCE, program

OWN_RUN = events.Handle._run

APPLICATIONS = {
    "aiohttp": """
import time
from aiohttp import web

async def slow(request):
    time.sleep(1.0)  # the line that blocks
    return web.Response(text="slow")

def main():
    app = web.Application()
    app.add_routes([web.get("/", slow)])
    web.run_app(app, host="127.0.0.1", port=0, print=print)

main()
""",
    "uvicorn": """
import time
import uvicorn

async def slow(scope, receive, send):
    if scope["type"] != "http":
        return
    time.sleep(1.0)  # the line that blocks
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"slow"})

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("http://127.0.0.1:%d/" % self.servers[0].sockets[0].getsockname()[1], flush=True)

Server(uvicorn.Config(slow, port=0, loop="asyncio", log_level="warning")).run()
""",
}


class Beside:
    """A loop that runs in a thread of its own, with a watch on it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.selector = self.loop._selector  # type: ignore[attr-defined]  # what is swapped, and put back
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.watch = self.call(lambda: poise.watch_asyncio(self.loop))
        self.viewer = Viewer(self.watch.url)
        self.hello = self.viewer.told("hello")

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, function: Callable[[], Any]) -> Any:
        """``function()`` in the loop's thread."""

        async def called() -> Any:
            return function()

        return self.run(called())

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def until(self, condition: Callable[[dict[str, Any]], Any]) -> Any:
        """What ``condition`` finds in the first state in which it finds something."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := condition(self.viewer.told("state")):
                return found
        raise AssertionError("it was never told")

    def close(self) -> None:
        self.viewer.close()
        self.watch.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()


@pytest.fixture
def beside() -> Iterator[Beside]:
    made = Beside()
    yield made
    made.close()
    assert events.Handle._run is OWN_RUN


WAKER = "BaseSelectorEventLoop._read_from_self"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def talk(times: int) -> tuple[asyncio.Server, asyncio.StreamWriter]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(times):
        writer.write(b"x\n")
        await reader.readline()
    return server, writer


async def hang_up(server: asyncio.Server, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
    server.close()


# -- programs that were not changed ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_handler_that_blocks_is_named_within_200_ms(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    app = tmp_path / "app.py"
    app.write_text(APPLICATIONS[name])
    line = 1 + APPLICATIONS[name].splitlines().index("    time.sleep(1.0)  # the line that blocks")
    with program([sys.executable, "-u", "-m", "poise", "watch", "--", str(app)]) as running:
        while "http://" not in (said := running.line()):
            pass
        port = int(said.partition("127.0.0.1:")[2].partition("/")[0].split()[0])
        viewer = Viewer(running.stderr.partition("what the loop does: ")[2].split()[0])
        assert viewer.told("hello")["loop"] == "asyncio"
        viewer.told("state")
        told: list[int] = []
        while len(told) < ATTEMPTS and min(told, default=AT_ONCE + 1) > AT_ONCE:
            asked = threading.Thread(target=ask, args=(port,))
            asked.start()
            while (stuck := viewer.told("state")["turn"]["stuck"]) is None:
                pass
            asked.join(PATIENCE)
            told.append(stuck["ns"])
            assert (stuck["name"], stuck["file"], stuck["line"]) == ("slow", str(app), line)
            assert stuck["kind"] == "waiting"
            stalls: list[dict[str, Any]] = []
            while not stalls:
                stalls = viewer.told("state")["stalls"]
            assert [(stall["name"], stall["line"]) for stall in stalls] == [("slow", line)]
        assert min(told) <= AT_ONCE, told
        viewer.close()
        running.stop()


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return connection.makefile("rb").read()


# -- what is seen -----------------------------------------------------------------------------------------------


def test_descriptors_are_those_of_the_selector(beside: Beside) -> None:
    held = beside.run(talk(3))
    rows: dict[str, dict[str, Any]] = {}

    def all_there(state: dict[str, Any]) -> bool:
        rows.update({row["what"]: row for row in state["rows"]})
        return {"accept", "StreamReaderProtocol.data_received", WAKER} <= set(rows)

    beside.until(all_there)
    assert rows[WAKER]["kind"] == "wakeup"  # no connection, and ready as often as other threads like
    assert rows[WAKER]["kind"] in NO_SPIN
    listener, stream = rows["accept"], rows["StreamReaderProtocol.data_received"]
    assert (listener["kind"], listener["wanted"]) == ("listener", READ)
    assert stream["kind"] == "connection"
    assert stream["peer"].startswith("127.0.0.1:")
    assert stream["events"] >= 1
    assert stream["queue"] == 0
    assert beside.hello["poller"] == type(beside.selector).__name__.removesuffix("Selector").lower()
    beside.run(hang_up(*held))


def test_calls_have_the_names_of_coroutines_protocols_and_timers(beside: Beside) -> None:
    beside.viewer.told("state")

    async def sleeper() -> None:
        for _ in range(5):
            await asyncio.sleep(0.001)

    async def all_of_it() -> None:
        await hang_up(*await talk(5))
        await sleeper()

    beside.run(all_of_it())
    wanted = {"echo", "all_of_it", "StreamReaderProtocol.data_received", "_set_result_unless_cancelled"}
    named: set[str] = set()

    def all_named(state: dict[str, Any]) -> bool:
        named.update(holder["name"].rpartition("<locals>.")[2] for holder in state["holders"])
        return wanted <= named

    beside.until(all_named)


def test_a_client_that_does_not_read_is_seen_in_the_queue(beside: Beside) -> None:
    async def pour() -> tuple[Any, Any]:
        server = await asyncio.start_server(lambda _r, w: w.write(b"x" * (8 << 20)), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1)
        return server, (reader, writer)

    server, (_, writer) = beside.run(pour())
    row = beside.until(lambda state: [row for row in state["rows"] if (row["queue"] or 0) > 1 << 20])[0]
    assert row["wanted"] & WRITE
    assert row["state"] == "writing"
    beside.call(writer.transport.abort)
    beside.call(server.close)


def test_timers_that_wait_are_told(beside: Beside) -> None:
    def in_an_hour() -> None:
        raise AssertionError("it was cancelled")

    timer = beside.call(lambda: beside.loop.call_later(3600, in_an_hour))
    timers = beside.until(lambda state: state["timers"])
    assert timers[0]["name"].endswith("in_an_hour")
    assert 3500e9 < timers[0]["due_in_ns"] < 3600e9
    beside.call(timer.cancel)


# -- on and off --------------------------------------------------------------------------------------------------


def own(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether nothing of the loop is swapped."""
    return events.Handle._run is OWN_RUN and type(loop._selector).__module__ == "selectors"  # type: ignore[attr-defined]


def test_nothing_is_swapped_until_somebody_looks_and_nothing_stays(folder: Path) -> None:
    del folder

    async def main() -> None:
        loop = asyncio.get_running_loop()
        shown = poise.watch_asyncio()
        assert own(loop)
        viewer = await asyncio.to_thread(Viewer, shown.url)
        await asyncio.to_thread(viewer.told, "state")
        await asyncio.to_thread(viewer.told, "state")
        assert not own(loop)
        viewer.close()
        shown.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert own(loop)
        assert "close" not in vars(loop)
        shown.close()

    asyncio.run(main())


def test_the_page_ends_with_its_loop() -> None:
    loop = asyncio.new_event_loop()
    shown = poise.watch_asyncio(loop)
    loop.close()
    assert loop.is_closed()
    with pytest.raises(OSError, match="refused"):
        Viewer(shown.url)
    with pytest.raises(ProgramFault, match="closed"):
        AsyncioLoop(loop).check_open()


def test_a_loop_that_closes_while_it_is_observed_leaves_nothing_to_others() -> None:
    loop = asyncio.new_event_loop()
    side = AsyncioLoop(loop)
    side.hold()
    probe = AsyncioProbe(side)
    loop.call_soon(probe.start)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert events.Handle._run is not OWN_RUN
    loop.close()
    assert events.Handle._run is OWN_RUN
    assert probe.level is Level.OFF


def test_a_call_that_was_cancelled_lends_its_name_to_nobody() -> None:
    """A handle is known by its identity, which the next one may have as soon as it is gone."""

    async def main() -> None:
        loop, observing = asyncio.get_running_loop(), Observing()
        both = socket.socketpair()
        for each in both:
            each.send(b"x")
            # Whichever runs first cancels the other one.
            loop.add_reader(each, lambda: [loop.remove_reader(one) for one in both])
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the turn in which the two were ready is over
        waiting = dict(observing.probe._ready)
        observing.probe.stop()
        for each in both:
            each.close()
        assert waiting == {}

    asyncio.run(main())


ELSEWHERE = """
import poise, uvloop
loop = uvloop.new_event_loop()
try:
    poise.watch_asyncio(loop)
except poise.ProgramFault as error:
    print(error)
"""


def test_a_loop_whose_inside_cannot_be_seen_is_refused() -> None:
    pytest.importorskip("uvloop", reason="uvloop is not installed")
    with program([sys.executable, "-c", ELSEWHERE]) as running:
        said = running.line()
    assert "uvloop.Loop cannot be watched" in said
    assert "--loop asyncio" in said
    with pytest.raises(RuntimeError, match="no running event loop"):
        poise.watch_asyncio()


def test_two_who_watch_one_loop_see_it_with_the_same_eyes() -> None:
    loop = asyncio.new_event_loop()
    try:
        first, second = poise.watch_asyncio(loop), poise.watch_asyncio(loop)
        assert first._seen is second._seen  # type: ignore[attr-defined]
        with pytest.raises((OSError, MachineFault)):
            poise.watch_asyncio(loop, first.address)
        second.close()
        second.close()
        assert "close" in vars(loop), "the first one still hears of its end"
        first.close()
        assert "close" not in vars(loop)
        third = poise.watch_asyncio(loop)
    finally:
        loop.close()
    with pytest.raises(OSError, match="refused"):
        Viewer(third.url)
    with pytest.raises(ProgramFault, match="closed"):
        poise.watch_asyncio(loop)


# -- what is written down ------------------------------------------------------------------------------------------


class Observing:
    """A probe of the running loop."""

    def __init__(self, level: Level = Level.RECORDER) -> None:
        self.loop = asyncio.get_running_loop()
        self.probe = AsyncioProbe(AsyncioLoop(self.loop))
        self.probe.start(level)

    def records(self, kind: int) -> list[tuple[Any, ...]]:
        return [record for record in self.probe.ring if record is not None and record[0] == kind]

    def end(self) -> None:
        self.probe.stop()
        assert own(self.loop)


def observed(body: Callable[[Observing], Any], level: Level = Level.RECORDER) -> None:
    async def main() -> None:
        seen = Observing(level)
        try:
            await body(seen)
        finally:
            seen.end()
            vars(seen.loop).pop("close", None)

    asyncio.run(main())


def test_records_are_whole_in_order_and_add_up() -> None:
    async def body(seen: Observing) -> None:
        await hang_up(*await talk(20))
        await asyncio.sleep(0.002)
        turns, calls = seen.records(TURN), seen.records(CALL)
        for before, after in pairwise(turns):
            assert after[2] == before[2] + 1
            assert after[1] >= before[1] + sum(before[4:8]), "a turn begins when the one before is over"
        assert len(calls) >= 40
        assert all(record[3].fd >= 0 and record[4] & (READ | WRITE) for record in calls)
        ends = [
            record[1] + record[2]
            for record in seen.probe.ring
            if record and record[0] in (CALL, TIMER, POSTED)
        ]
        assert ends == sorted(ends)
        late = [record[4] for record in seen.records(TIMER)]
        assert late
        assert all(0 <= each < 1e9 for each in late)
        lives = [(record[2].fd, record[2].gen, record[3]) for record in seen.records(LIFE)]
        assert {what for _, _, what in lives} == {"open", "unregister"}
        probe = seen.probe
        assert probe.handle_ns > 0
        assert probe.timers_ns > 0
        assert probe.posted_ns > 0
        assert probe.wait_ns > 0

    observed(body)


def test_a_number_that_is_used_again_is_another_seat() -> None:
    async def body(seen: Observing) -> None:
        for _ in range(3):
            await hang_up(*await talk(1))
        gens = {(record[2].fd, record[2].gen) for record in seen.records(LIFE)}
        assert max(gen for _, gen in gens) >= 3
        assert all(not seat.closed_ns for seat in seen.probe.seats.values())

    observed(body)


def test_a_callback_that_raises_or_is_cancelled_costs_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    async def body(seen: Observing) -> None:
        told: list[dict[str, Any]] = []
        seen.loop.set_exception_handler(lambda _loop, context: told.append(context))

        def broken() -> None:
            raise ValueError("broken")

        seen.loop.call_soon(broken)
        seen.loop.call_soon(broken).cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [str(context["exception"]) for context in told] == ["broken"]
        assert [record[3].rpartition(".")[2] for record in seen.records(POSTED)].count("broken") == 1

    observed(body)
    assert "Traceback" not in capfd.readouterr().err


def test_sums_only_are_kept_at_the_lowest_level() -> None:
    async def body(seen: Observing) -> None:
        await hang_up(*await talk(2))
        assert seen.probe.ring == []
        assert seen.probe.callbacks > 4
        seen.probe.start(Level.RECORDER)
        await asyncio.sleep(0.001)
        assert seen.records(TURN)
        seen.probe.start(Level.COUNTERS)
        assert seen.probe.ring == []
        seen.probe.start(Level.OFF)
        seen.probe.stop()

    observed(body, Level.COUNTERS)


def test_another_loop_of_the_process_is_let_be() -> None:
    async def body(seen: Observing) -> None:
        def elsewhere() -> int:
            async def other() -> int:
                await asyncio.sleep(0)
                return 7

            return asyncio.run(other())

        before = seen.probe.thread_id
        assert await asyncio.to_thread(elsewhere) == 7
        assert seen.probe.thread_id == before
        assert not [record for record in seen.records(POSTED) if "other" in record[3]]

    observed(body)
