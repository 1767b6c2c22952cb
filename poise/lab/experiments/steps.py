"""The three steps: mark, submit, handle."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from typing import Any

from poise.lab.clients import ask, connected
from poise.lab.events import Event
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.models import MODELS
from poise.lab.stage import Stage
from poise.lab.text import Text

CLIENTS = 4
LINES = 5  # that each says
GAP = 0.004  # seconds between two
TIMES = 2


def chatting(chance: random.Random, port: int) -> int:
    """Some clients that speak one after the other, in an order of chance."""
    clients = [connected(port) for _ in range(CLIENTS)]
    order = [client for client in clients for _ in range(LINES)]
    chance.shuffle(order)
    for number, client in enumerate(order):
        time.sleep(GAP)
        ask(client, b"line %d\n" % number)
    for client in clients:
        client.close()
    return len(order)


def run(stage: Stage) -> dict[str, Any]:
    """Each of the multiplexing servers with the same few clients; what it told the kernel, turn by turn."""
    rows = []
    for number, model in enumerate(stage.models):
        stage.progress(number / len(stage.models), model)
        with stage.serving(model) as server:
            lines = stage.clients(chatting, server.port).result()
        events = server.kept["events"]
        rows.append(
            {
                "model": model,
                "lines": lines,
                "submitted": server.kept["moved"]["submitted"],
                **counted(events),
            }
        )
    return {"rows": rows}


def counted(events: list[Event]) -> dict[str, int]:
    """Turns, those who were ready, and whether each of them was handled before the next turn.

    The last turn is left out: the server was stopped in the middle of it.
    """
    waits = [number for number, event in enumerate(events) if event["ready"] is not None]
    ready = handled = 0
    for first, last in pairwise(waits):
        served = {event["fd"] for event in events[first + 1 : last] if event["step"] == "handle"}
        named = {int(fd) for fd in events[first]["ready"] or ()}
        ready += len(named)
        handled += len(named & served)
    return {
        "turns": sum(events[number]["times"] for number in waits),
        "ready": ready,
        "handled": handled,
        "marks": sum(event["times"] for event in events if event["step"] == "mark" and "." in event["call"]),
    }


def claim(records: Records) -> list[Check]:
    """Who was ready was handled in the same turn; and epoll was told far less than the others."""
    checks = []
    rows = {row["model"]: row for row in records["rows"]}
    for name, row in rows.items():
        checks.append(
            Check(
                Text(
                    f"{name}: share of the ready that was handled in the same turn",
                    f"{name}：就绪者在同一轮得到处理的比例",
                ),
                row["handled"] / row["ready"],
                "==",
                1,
            )
        )
        if name != "epoll" and "epoll" in rows:
            checks.append(
                Check(
                    Text(
                        f"descriptors told to the kernel: {name}, as a multiple of epoll's",
                        f"提交给内核的描述符数：{name} 是 epoll 的多少倍",
                    ),
                    row["submitted"] / rows["epoll"]["submitted"],
                    ">=",
                    TIMES,
                )
            )
    return checks


def figure(records: Records) -> Figure:
    """How many descriptors the kernel was told about in all turns together."""
    rows = records["rows"]
    return Figure(
        kind="bars",
        title=Text(
            f"{CLIENTS} clients, {CLIENTS * LINES} lines: what is submitted to the kernel",
            f"{CLIENTS} 个客户端，{CLIENTS * LINES} 句话：提交给内核多少",
        ),
        y=Axis(Text("descriptors, all turns together", "描述符，各轮合计"), Text("", "")),
        labels=[MODELS[row["model"]].title for row in rows],
        series=[
            Series(Text("submitted", "提交"), [(index, row["submitted"]) for index, row in enumerate(rows)]),
            Series(Text("ready", "就绪"), [(index, row["ready"]) for index, row in enumerate(rows)]),
        ],
    )


EXPERIMENT = Experiment(
    id="steps",
    rows=(12, 20),
    title=Text("Mark, submit, handle", "三个步骤：关注、提交、处理"),
    question=Text(
        "A server with four clients waits with select. One of the clients speaks. What did the kernel have to be told in this turn?",
        "服务器用 select 等四个客户端。其中一个说话了。这一轮要告诉内核什么？",
    ),
    choices=(
        Choice("one", Text("Nothing but the one that speaks", "只有说话的那一个")),
        Choice(
            "all",
            Text("All five, listener included, as in every turn", "全部五个（含监听套接字），每一轮都一样"),
            right=True,
        ),
        Choice("once", Text("Nothing: it was told when they connected", "什么都不用：连接时已经告诉过了")),
    ),
    runs=Text(
        "select, poll and epoll with four clients that say five lines each, one at a time.",
        "select、poll、epoll，各有四个客户端，每个说五句话，一次只有一个说。",
    ),
    watch=Text(
        "One turn at a time: lists or masks are put together (mark), the call crosses to the kernel and the program sleeps (submit), and those named in the answer are found in the table fd → object and served (handle).",
        "一轮一轮地看：列好清单或掩码（关注），调用进入内核、程序睡下（提交），按返回的编号在 fd → 对象 表里找到并处理（处理就绪的 IO）。",
    ),
    mistake=Text(
        "Handling more than who is ready, and blocking there; or handling one for so long that the others wait for the next turn.",
        "去处理没有就绪的，结果阻塞在那里；或者一个处理太久，其他的等不到下一轮。",
    ),
    takeaway=Text(
        "Mark what you care about; submit it to the kernel; handle what is ready; again. select and poll submit everything each time, epoll only changes.",
        "将 IO 设置为关注 IO；将关注 IO 提交给内核监测；处理内核反馈的准备就绪的 IO；如此循环。select 和 poll 每次全部提交，epoll 只提交变化。",
    ),
    reading=(
        Reading(
            Text("select — waiting for I/O", "select：等待 I/O 完成"),
            "https://docs.python.org/3/library/select.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=1.0,
    models=("select", "poll", "epoll"),
    about="select",
)
