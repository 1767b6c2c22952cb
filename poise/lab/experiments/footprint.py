"""What do many clients take: threads beside multiplexing?"""

from __future__ import annotations

from typing import Any

from poise.lab.crowd import crowd
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.models import MODELS
from poise.lab.stage import Stage
from poise.lab.text import Text

CLIENTS = (10, 100, 400, 1000)
MANY = 10_000  # for the loop alone: to start and wake as many threads takes longer than a run may
ROUNDS = 1  # in which everybody says a line
COMPARED = ("threads", "epoll", "poll", "select")  # the second one that there is stands for multiplexing
TIMES = 10
FEWER = 2  # switches


def run(stage: Stage) -> dict[str, Any]:
    """Threads and one loop, with more and more clients: memory when idle, processor time for an answer."""
    models = [name for name in COMPARED if MODELS[name].available][:2]
    rows: list[dict[str, Any]] = []
    for number, model in enumerate(models):
        with stage.serving(model, quiet=True) as server, crowd(stage, server.port) as clients:
            clients.grow(1)
            clients.talk()  # so that whatever the program needs at all is there
            alone = server.usage()
            steps = CLIENTS if model == "threads" else (*CLIENTS, MANY)
            for step, wanted in enumerate(steps):
                stage.progress((number + step / len(steps)) / len(models), f"{model}, {wanted}")
                there = clients.grow(wanted)
                clients.talk()  # whoever has been answered has been accepted
                before = server.usage()
                talked = clients.talk(ROUNDS)
                after = server.usage()
                answers = there * ROUNDS
                rows.append(
                    {
                        "model": model,
                        "clients": there,
                        "threads": after.threads,
                        "memory": after.rss - alone.rss,
                        "cpu": (after.cpu - before.cpu) / answers * 1e6,
                        "switches": (after.switches - before.switches) / answers,
                        "median": talked["median"] * 1000,
                    }
                )
    return {"rows": rows, "models": models}


def claim(records: Records) -> list[Check]:
    """With as many clients a loop takes a fraction of the memory and fewer switches; with ten times as many it still takes less."""
    threaded, looped = (
        [row for row in records["rows"] if row["model"] == name] for name in records["models"]
    )
    threads, most = threaded[-1], looped[-1]
    loop = next(row for row in looped if row["clients"] == threads["clients"])
    return [
        Check(
            Text("memory of the threads, as a multiple of the loop's", "多线程的内存是单循环的多少倍"),
            threads["memory"] / max(loop["memory"], 1),
            ">=",
            TIMES,
        ),
        Check(
            Text(
                f"memory of the loop with {most['clients']:,} clients, as a share of that of {threads['clients']:,} threads",
                f"单循环带 {most['clients']} 个客户端的内存，是 {threads['clients']} 个线程的几分之几",
            ),
            most["memory"] / max(threads["memory"], 1),
            "<=",
            1,
        ),
        Check(Text("threads of the loop", "单循环的线程数"), most["threads"], "==", 1),
        Check(
            Text(
                "switches for each answer: threads, as a multiple of the loop's",
                "每个回答的切换次数：多线程是单循环的多少倍",
            ),
            threads["switches"] / max(loop["switches"], 0.001),
            ">=",
            FEWER,
        ),
    ]


def figure(records: Records) -> Figure:
    """Memory beyond that of the server with one client."""
    return Figure(
        kind="lines",
        title=Text(
            "Memory for clients, beyond that of a server with one",
            "为客户端多占的内存（与只有一个客户端时相比）",
        ),
        x=Axis(Text("clients, all idle", "客户端，全部空闲"), Text("", "")),
        y=Axis(Text("memory", "内存"), Text("MiB", "MiB")),
        series=[
            Series(
                MODELS[name].title,
                [(row["clients"], row["memory"] / 1024) for row in records["rows"] if row["model"] == name],
            )
            for name in records["models"]
        ],
    )


EXPERIMENT = Experiment(
    id="footprint",
    rows=(18,),
    title=Text("A thousand clients", "一千个客户端"),
    question=Text(
        "A thousand clients are connected and idle. A thread for each, or one loop with epoll: how do the two servers' memories compare?",
        "一千个客户端连着，全都空闲。一种是每个客户端一个线程，一种是一个 epoll 循环。两种服务器的内存差多少？",
    ),
    choices=(
        Choice("same", Text("About equal: a socket is a socket", "差不多：套接字都一样")),
        Choice("twice", Text("The threads take about twice as much", "线程的大约是两倍")),
        Choice("many", Text("The threads take ten times as much, or more", "线程的是十倍以上"), right=True),
    ),
    runs=Text(
        "The server with threads and the one with epoll, with 10, 100, 400 and 1,000 clients; epoll goes on to 10,000, or as many as may be open here. All say a line, then all are idle.",
        "多线程服务器和 epoll 服务器，客户端 10、100、400、1000 个；epoll 再加到一万个（或本机允许打开的个数）。都说一句话，然后全部空闲。",
    ),
    watch=Text(
        "The steep line ends at 1,000 clients; the flat one goes ten times as far and stays below. And the number of threads: 1,001 beside 1.",
        "陡的那条到 1000 个客户端为止；平的那条多走了十倍，还在它下面。再看线程数：1001 对 1。",
    ),
    mistake=Text(
        "Choosing by a slogan. Both work with a thousand clients. Ten thousand threads can be had, too, at about ten times the memory, and each of them must be started and woken.",
        "凭口号选方案。一千个客户端两种都行。一万个线程也开得出来，只是内存约为十倍，而且每一个都要创建、都要唤醒。",
    ),
    takeaway=Text(
        "Multiplexing takes few resources: for a client it keeps an entry in a table instead of a stack, and it is woken once for many.",
        "IO 多路复用占用计算机资源少，IO 效率高：每个客户端只是表里的一项，而不是一个栈；醒一次可以处理许多个。",
    ),
    reading=(Reading(Text("The C10K problem", "C10K 问题"), "http://www.kegel.com/c10k.html"),),
    run=run,
    claim=claim,
    figure=figure,
    seconds=6.0,
    sources=("threads", "epoll"),
)
