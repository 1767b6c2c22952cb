"""Who held the loop?"""

from __future__ import annotations

import os
import random
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from poise.lab import lifeline
from poise.lab.clients import connected
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Note, Series
from poise.lab.holding import in_words
from poise.lab.models.service import Conversation, Service
from poise.lab.stage import Stage
from poise.lab.text import Text

HOLDS = (0, 50, 200)  # ms of computing that one request takes
PINGERS = 5
ROUNDS = 25  # of pings
ROUND = 0.01  # seconds between two
ASK_AT = 5  # the round in which somebody asks for work


def compute(milliseconds: int) -> None:
    """Keep a processor busy for so long."""
    until = time.thread_time() + milliseconds / 1000
    while time.thread_time() < until:
        sum(range(500))


class Working(Conversation):
    """Echo, and for the line ``work`` something that takes long."""

    def __init__(self, milliseconds: int) -> None:
        super().__init__()
        self._milliseconds = milliseconds

    def line_received(self, line: bytes) -> bytes:
        if line == b"work":
            compute(self._milliseconds)
        return super().line_received(line)


def serve_with_worker(listener: socket.socket, service: Service, *, milliseconds: int) -> None:
    """The loop only hands the work on, to another process, and watches for its answer like for any client's words."""
    worker, theirs = socket.socketpair()
    parent = os.getpid()
    if not os.fork():
        work(theirs, worker, parent, milliseconds)
    theirs.close()
    waiting: list[socket.socket] = []  # who asked for work, in order
    clients: list[socket.socket] = []
    while True:
        rs, _ws, _xs = select.select([listener, worker, *clients], [], [])
        for ready in rs:
            if ready is listener:
                clients.append(listener.accept()[0])
            elif ready is worker:
                waiting.pop(0).send(worker.recv(5))
            elif not (line := ready.recv(4096)):
                clients.remove(ready)
                ready.close()
            elif line == b"work\n":
                waiting.append(ready)
                worker.send(line)
            else:
                ready.send(line)


def work(orders: socket.socket, other: socket.socket, parent: int, milliseconds: int) -> NoReturn:
    """The worker's life: take an order, compute, answer."""
    lifeline.die_with(parent)
    other.close()
    while orders.recv(5):
        compute(milliseconds)
        orders.send(b"work\n")
    os._exit(0)


def pings(_chance: random.Random, port: int) -> dict[str, Any]:
    """Some clients that ping in rounds; in one of the rounds another client asks for work."""
    points = []
    with connected(port) as worker:
        pingers = [connected(port) for _ in range(PINGERS)]
        began = time.monotonic()
        for number in range(ROUNDS):
            if number == ASK_AT:
                worker.sendall(b"work\n")
            asked = time.monotonic()
            for client in pingers:
                client.sendall(b"ping\n")
            for client in pingers:
                client.recv(64)
            points.append([(asked - began) * 1000, (time.monotonic() - asked) * 1000])
            time.sleep(ROUND)
        worker.recv(64)
        for client in pingers:
            client.close()
    return {"points": points}


def run(stage: Stage) -> dict[str, Any]:
    """The select server with more and more to compute, and one that lets another process compute."""
    rows = []
    for number, hold in enumerate(HOLDS):
        stage.progress(number / (len(HOLDS) + 1), f"{hold} ms")
        with stage.serving("select", service=partial(Working, hold), name=lane(hold), watched=True) as server:
            points = seen(stage, server.port)
        rows.append({"hold": hold, "worker": False, "held": server.kept["held"], **points})
    stage.progress(len(HOLDS) / (len(HOLDS) + 1), "worker")
    recorder = stage.recorder("with a worker")
    moved: Callable[..., None] = partial(serve_with_worker, milliseconds=HOLDS[-1])
    with stage.serving_by(moved, recorder, quiet=True, watched=True) as server:
        points = seen(stage, server.port)
    rows.append({"hold": HOLDS[-1], "worker": True, "held": server.kept["held"], **points})
    return {"rows": rows}


def lane(hold: int) -> str:
    """Under which name its events are told."""
    return f"select, {hold} ms"


def seen(stage: Stage, port: int) -> dict[str, Any]:
    """What the pinging clients saw, in ms."""
    points = stage.clients(pings, port).result()["points"]
    return {"points": points, "worst": max(delay for _at, delay in points)}


def claim(records: Records) -> list[Check]:
    """The worst ping is as long as the handler; in another process the handler hurts nobody."""
    *_others, held, moved = records["rows"]
    return [
        Check(
            Text(
                "worst ping while a handler computes for 200 ms (ms)",
                "处理函数计算 200 毫秒时最差的 ping（毫秒）",
            ),
            held["worst"],
            ">=",
            0.7 * held["hold"],
        ),
        Check(
            Text(
                "the same with the work in another process, as a share of that",
                "计算搬到另一个进程后，是上面的几分之几",
            ),
            moved["worst"] / held["worst"],
            "<=",
            0.5,
        ),
        Check(
            Text(
                "looks at the loop while it was held that found it in compute(), of all",
                "循环被占住时看它在哪里：在 compute() 里的次数占比",
            ),
            held["held"]["inside"].get(compute.__name__, 0) / held["held"]["looks"] if held["held"] else 0.0,
            ">=",
            0.9,
        ),
    ]


def figure(records: Records) -> Figure:
    """Each round of pings, over time."""
    return Figure(
        kind="lines",
        title=Text(
            "Ping of five others while one request computes", "一个请求在计算时，另外五个客户端的 ping"
        ),
        x=Axis(Text("time", "时间"), Text("ms", "毫秒")),
        y=Axis(Text("answer after", "多久得到回答"), Text("ms", "毫秒")),
        series=[Series(named(row), [(x, y) for x, y in row["points"]]) for row in records["rows"]],
        notes=[note(row) for row in records["rows"][-2:]],
    )


def note(row: Records) -> Note:
    """Who held the loop, with the whole stack."""
    name, held = named(row), row["held"]
    if held is None:
        return Note(
            Text(
                f"{name.en}: whenever the server was looked at, nobody held its loop.",
                f"{name.zh}：每次去看服务器，都没有谁占住它的循环。",
            )
        )
    said = {"ms": round(held["ms"]), "looks": held["looks"]}
    return Note(
        Text(
            f"{name.en}: this call held the loop. {{looks}} looks in a row found the server in it, for {{ms}} ms:",
            f"{name.zh}：占住循环的是这个调用。连续 {{looks}} 次去看，服务器都在里面，历时 {{ms}} 毫秒：",
        ).filled(**said),
        in_words(held["stack"]),
    )


def named(row: Records) -> Text:
    """What one run is called."""
    if row["worker"]:
        return Text(f"{row['hold']} ms, in a worker", f"{row['hold']} 毫秒，交给工作进程")
    return Text(f"{row['hold']} ms, in the loop", f"{row['hold']} 毫秒，在循环里")


EXPERIMENT = Experiment(
    id="hold",
    rows=(8, 17),
    title=Text("Who held the loop", "谁占住了循环"),
    question=Text(
        "A select server serves six clients. One request computes for 200 ms. How long do the other five wait?",
        "select 服务器服务六个客户端。其中一个请求要计算 200 毫秒。另外五个等多久？",
    ),
    choices=(
        Choice("none", Text("Not at all: select serves many at once", "不用等：select 同时服务多个")),
        Choice("share", Text("A little: the processor is shared", "一点点：CPU 是大家分的")),
        Choice("all", Text("The whole 200 ms, all of them", "全都等满 200 毫秒"), right=True),
    ),
    runs=Text(
        "The select server with five clients that ping and one that asks for 0, 50 and 200 ms of computing; then 200 ms in another process.",
        "select 服务器：五个客户端不停 ping，一个客户端要求计算 0、50、200 毫秒；最后把 200 毫秒的计算交给另一个进程。",
    ),
    watch=Text(
        "The stack under the figure says who holds the loop: from the loop's own line down to the one that computes. In slow motion, with 200 ms: one red block in the strip, and behind it everybody queues. Nobody's connection is broken, nobody's kernel is slow: the loop does not come back to select.",
        "图下的调用栈说出谁占住了循环：从循环自己的那一行，一直到正在计算的那一行。慢动作里，200 毫秒时：时间条上一块红色，后面全在排队。连接没有断，内核也不慢：只是循环回不到 select。",
    ),
    mistake=Text(
        "Computing, or calling anything that blocks, inside a handler.",
        "在处理函数里做大量计算，或调用会阻塞的函数。",
    ),
    takeaway=Text(
        "One loop does one thing at a time. Never let one client hold the server: cut the work into pieces, or hand it to another process and watch for its answer.",
        "一个循环一次只做一件事。不要让一个客户端长期占有服务端，使服务端无法运行到 select：把活儿切成小块，或交给另一个进程，再像等客户端一样等它的结果。",
    ),
    reading=(
        Reading(
            Text("asyncio: running blocking code", "asyncio：运行阻塞代码"),
            "https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=2.5,
    sources=("select",),
    opens=lane(HOLDS[-1]),
)
