"""A slow reader and a fast writer: where do the bytes go?"""

from __future__ import annotations

import random
import socket
import time
from typing import Any

from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.pairs import tcp_pair
from poise.lab.stage import Stage
from poise.lab.text import Text
from poise.limits.lab import LabLimits

KIB = 1024
CHUNK = 64 * KIB  # bytes that the program makes in one step
STEPS = 300
STEP = 0.001  # seconds
BUFFER = 128 * KIB  # the kernel's, on each side; asked for
READ, PAUSE = 32 * KIB, 0.005  # bytes that the reader takes, and the seconds between
HIGH, LOW = 256 * KIB, 64 * KIB  # marks: above HIGH nothing more is made, below LOW it goes on
TIMES = 10


def slow_reader(_chance: random.Random, client: socket.socket) -> dict[str, Any]:
    """Takes a little, sleeps, takes a little."""
    taken = 0
    while data := client.recv(READ):
        taken += len(data)
        time.sleep(PAUSE)
    return {"taken": taken}


def run(stage: Stage) -> dict[str, Any]:
    """The same writer without marks and with them."""
    rows = []
    for number, marks in enumerate((False, True)):
        stage.progress(number / 2, "with marks" if marks else "without marks")
        rows.append({"marks": marks, **written(stage, marks=marks)})
    return {"rows": rows, "high": HIGH, "low": LOW, "chunk": CHUNK}


def written(stage: Stage, *, marks: bool) -> dict[str, Any]:
    """Make chunks, send what fits, queue the rest; the level of the queue after each step."""
    recorder = stage.recorder("program, with marks" if marks else "program, without marks")
    queue = bytearray()
    levels: list[list[float]] = []
    paused, pauses, made = False, 0, 0
    with tcp_pair(recorder, receive=BUFFER, send=BUFFER) as (client, server):
        reader = stage.clients(slow_reader, client)
        client.close()  # the reader's process has it
        server.setblocking(False)
        began = time.monotonic()
        for _ in range(STEPS):
            if not paused and len(queue) <= LabLimits().growth:
                queue += bytes(CHUNK)
                made += CHUNK
            try:
                if queue:
                    del queue[: server.send(queue)]
            except BlockingIOError:
                pass
            if marks and not paused and len(queue) > HIGH:
                paused, pauses = True, pauses + 1  # pause_writing
            elif paused and len(queue) < LOW:
                paused = False  # resume_writing
            levels.append([(time.monotonic() - began) * 1000, len(queue)])
            time.sleep(STEP)
        reader.kill()
    stage.tell(recorder.kept())
    return {"levels": levels, "most": max(level for _at, level in levels), "made": made, "pauses": pauses}


def claim(records: Records) -> list[Check]:
    """With marks the queue has a bound; without them it has none."""
    without, with_marks = records["rows"]
    return [
        Check(
            Text(
                "largest queue without marks, as a multiple of that with them",
                "没有高水位线时的最大队列是有时的多少倍",
            ),
            without["most"] / with_marks["most"],
            ">=",
            TIMES,
        ),
        Check(
            Text("largest queue with marks (bytes)", "有高水位线时的最大队列（字节）"),
            with_marks["most"],
            "<=",
            records["high"] + records["chunk"],
        ),
        Check(Text("times that the writer was paused", "写方被暂停的次数"), with_marks["pauses"], ">=", 1),
    ]


def figure(records: Records) -> Figure:
    """The program's own queue over time."""
    names = {False: Text("without marks", "没有高低水位线"), True: Text("with marks", "有高低水位线")}
    return Figure(
        kind="lines",
        title=Text("What the program holds for one slow reader", "程序为一个慢读者攒下的数据"),
        x=Axis(Text("time", "时间"), Text("ms", "毫秒")),
        y=Axis(Text("our queue", "我们的队列"), Text("MiB", "MiB")),
        series=[
            Series(names[row["marks"]], [(at, level / KIB / KIB) for at, level in row["levels"][::3]])
            for row in records["rows"]
        ],
    )


EXPERIMENT = Experiment(
    id="backpressure",
    rows=(1,),
    title=Text("A slow reader", "慢读者"),
    question=Text(
        "A server makes 60 MB/s and its client reads 6 MB/s. TCP's buffers even out the speeds. Where does the difference go?",
        "服务器每秒产生约 60 MB，客户端每秒只读约 6 MB。TCP 的缓冲区会协调收发速度。差出来的数据去哪儿了？",
    ),
    choices=(
        Choice("tcp", Text("Into TCP's buffers, they grow as needed", "进了 TCP 的缓冲区，它们会按需变大")),
        Choice("lost", Text("It is lost", "丢了")),
        Choice(
            "program",
            Text(
                "Into our own queue, without a bound, if we do not stop making",
                "进了我们自己的队列；我们不停手，它就无限增长",
            ),
            right=True,
        ),
    ),
    runs=Text(
        "One writer that makes 64 KiB every millisecond and one reader that takes 32 KiB every 5 ms; first without marks, then with a high and a low one.",
        "一个写方每毫秒产生 64 KiB，一个读方每 5 毫秒取走 32 KiB；先不设水位线，再设高低水位线。",
    ),
    watch=Text(
        "The kernel's buffers are full after a moment. Then our queue climbs, or saws between the two marks.",
        "内核缓冲区一会儿就满。之后我们的队列要么一路爬升，要么在两条水位线之间来回。",
    ),
    mistake=Text(
        "A queue without a bound: one slow client, or one that stops reading on purpose, takes all memory.",
        "没有上限的队列：一个慢客户端，或一个故意不读的客户端，就能吃光内存。",
    ),
    takeaway=Text(
        "Buffers even out short differences. For lasting ones the slow side must be felt by the fast one: stop making above a high mark, go on below a low one.",
        "缓冲区只能协调一时的快慢。长期的快慢之差必须让快的一方感觉到：高于高水位线就停，低于低水位线再继续。",
    ),
    reading=(
        Reading(
            Text("asyncio: pause_writing, resume_writing", "asyncio：pause_writing 与 resume_writing"),
            "https://docs.python.org/3/library/asyncio-protocol.html#flow-control-callbacks",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=1.5,
)
