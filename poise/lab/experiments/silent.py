"""Who waits when one client is silent?"""

from __future__ import annotations

from statistics import median
from typing import Any

from poise.lab.clients import silent_and_talkers
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Span
from poise.lab.models import MODELS
from poise.lab.stage import Stage
from poise.lab.text import Text

SILENCE = 0.6  # seconds
TALKERS = 5
TIMEOUT = 0.2  # seconds, of the model with a timeout
ROUNDS = 3  # with those who need not wait, of which the least disturbed counts
SOON = 50.0  # ms: a wait that nobody minds


def run(stage: Stage) -> dict[str, Any]:
    """Each model in turn: one client comes and says nothing, then five come and ask."""
    rows = []
    for number, model in enumerate(stage.models):
        stage.progress(number / len(stage.models), model)
        options: dict[str, Any] = {"timeout": TIMEOUT} if model == "timeout" else {}
        with stage.serving(model, **options) as server:
            rounds = [heard(stage, server.port) for _ in range(ROUNDS if MODELS[model].many else 1)]
        rows.append({"model": model, **min(rounds, key=lambda each: median(each["delays"]))})
    return {"silence": SILENCE * 1000, "rows": rows}


def heard(stage: Stage, port: int) -> dict[str, Any]:
    """One round: how long each of the others waited, and how long the first one was silent, in ms."""
    seen = stage.clients(silent_and_talkers, port, SILENCE, TALKERS).result()
    return {"delays": [each * 1000 for each in seen["delays"]], "silent": seen["silent"] * 1000}


def claim(records: Records) -> list[Check]:
    """The blocking server lets everybody wait for the whole silence, the one with a timeout for that, and the others nobody."""
    checks = []
    for row in records["rows"]:
        delays = row["delays"]
        name = MODELS[row["model"]].title
        if row["model"] == "blocking":
            checks.append(
                Check(
                    Text("blocking: the shortest wait (ms)", "阻塞：最短的等待（毫秒）"),
                    min(delays),
                    ">=",
                    0.95 * records["silence"],
                )
            )
        elif row["model"] == "timeout":
            checks.append(
                Check(
                    Text("with a timeout: the shortest wait (ms)", "超时检测：最短的等待（毫秒）"),
                    min(delays),
                    ">=",
                    0.95 * TIMEOUT * 1000,
                )
            )
        else:
            checks.append(
                Check(
                    Text(f"{name.en}: the usual wait (ms)", f"{name.zh}：通常的等待（毫秒）"),
                    median(delays),
                    "<=",
                    SOON,
                )
            )
    return checks


def figure(records: Records) -> Figure:
    """A row for each client while few models were run, else a row for each model."""
    rows: list[tuple[Text, list[Span]]] = []
    few = len(records["rows"]) <= 2
    for row in records["rows"]:
        name = MODELS[row["model"]].title
        rows.append((Text(f"{name.en}: silent", f"{name.zh}：沉默者"), [Span(0, row["silent"], "silent")]))
        delays = row["delays"]
        if few:
            for number, delay in enumerate(delays, 1):
                rows.append((Text(f"asks, no. {number}", f"提问者 {number}"), [Span(0, delay, "waiting")]))
        else:
            rows.append((Text("the five wait", "其余五个等待"), [Span(0, max(delays), "waiting")]))
    return Figure(
        kind="spans",
        title=Text("How long the others wait for one who is silent", "一个客户端沉默，其他客户端等多久"),
        x=Axis(Text("time", "时间"), Text("ms", "毫秒")),
        rows=rows,
    )


EXPERIMENT = Experiment(
    id="silent",
    rows=(9, 12),
    title=Text("One client is silent", "一个沉默的客户端"),
    question=Text(
        "A client connects and says nothing. A moment later five others connect and ask. How long do they wait at a blocking server?",
        "一个客户端连上来却什么都不说，随后五个客户端连上来提问。在阻塞式服务器上，它们要等多久？",
    ),
    choices=(
        Choice(
            "none", Text("Not at all: each has a connection of its own", "不用等：每个客户端都有自己的连接")
        ),
        Choice("little", Text("A few milliseconds, until their turn comes", "几毫秒，轮到自己就行")),
        Choice("all", Text("As long as the first one is silent", "第一个沉默多久，就等多久"), right=True),
    ),
    runs=Text(
        "Each of the eight servers, with one client that is silent for 0.6 s, or until the five that ask have been answered. The server with a timeout waits 0.2 s for each call. Of those that let nobody wait, the least disturbed of three rounds counts.",
        "八种服务器轮流运行：一个客户端沉默 0.6 秒（另外五个都得到回答就提前结束），五个提问。带超时检测的服务器每次调用最多等 0.2 秒。不让人等的服务器各跑三轮，取受干扰最少的一轮。",
    ),
    watch=Text(
        "The blocking server is inside recv() of the silent client, and nowhere else. The five are connected, their questions lie in the kernel's buffers, and nobody looks.",
        "阻塞式服务器停在沉默客户端的 recv() 里，哪儿也去不了。另外五个已经连上，问题躺在内核缓冲区里，却没有人看。",
    ),
    mistake=Text(
        "Calling accept() or recv() that blocks while others may have something to say: one slow client stops everyone.",
        "在别的客户端可能有话要说时，去调用会阻塞的 accept() 或 recv()：一个慢客户端让所有人停下。",
    ),
    takeaway=Text(
        "Blocking means: waiting for one, and for this one only. Multiplexing (select, poll, epoll) waits for all at once and serves whoever is ready.",
        "阻塞就是只等一个。IO 多路复用同时监控多个 IO，谁准备就绪就处理谁，避免一个 IO 阻塞造成所有 IO 都无法执行。",
    ),
    reading=(
        Reading(
            Text("accept(2): when it blocks", "accept(2)：何时阻塞"),
            "https://man7.org/linux/man-pages/man2/accept.2.html",
        ),
        Reading(Text("The C10K problem", "C10K 问题"), "http://www.kegel.com/c10k.html"),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=2.0,
    models=tuple(MODELS),
    about="blocking",
)
