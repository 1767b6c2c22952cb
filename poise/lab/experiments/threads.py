"""A thread for each client: what does it take?"""

from __future__ import annotations

from typing import Any

from poise.lab.crowd import crowd
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.text import Text

CLIENTS = (1, 100, 300, 600)
STACK = 8 * 1024  # KiB: what ``ulimit -s`` usually says, and what is set aside for each thread
CHEAP = 200.0  # KiB of memory really used by an idle thread


def run(stage: Stage) -> dict[str, Any]:
    """One server, more and more clients; each says a line, then all are idle."""
    rows: list[dict[str, Any]] = []
    with stage.serving("threads", quiet=True) as server, crowd(stage, server.port) as clients:
        for number, wanted in enumerate(CLIENTS):
            stage.progress(number / len(CLIENTS), str(wanted))
            there = clients.grow(wanted)
            clients.talk()  # whoever has been answered has a thread
            before = server.usage()
            talked = clients.talk()
            used = server.usage()
            rows.append(
                {
                    "clients": there,
                    "threads": used.threads,
                    "rss": used.rss,
                    "switches": used.switches - before.switches,
                    "median": talked["median"] * 1000,
                    "worst": talked["worst"] * 1000,
                }
            )
    return {"rows": rows}


def claim(records: Records) -> list[Check]:
    """A thread for each client, each far below what its stack sets aside."""
    first, *_others, last = records["rows"]
    more = last["clients"] - first["clients"]
    return [
        Check(
            Text("threads beyond one for each client", "线程数减去客户端数"),
            last["threads"] - last["clients"],
            "==",
            1,
        ),
        Check(
            Text("memory really used by an idle thread (KiB)", "一个空闲线程实际占用的内存（KiB）"),
            (last["rss"] - first["rss"]) / more,
            "<=",
            CHEAP,
        ),
        Check(
            Text("switches for each answer", "每个回答的线程切换次数"),
            last["switches"] / last["clients"],
            ">=",
            0.9,
        ),
    ]


def figure(records: Records) -> Figure:
    """Memory against clients: really used, and nothing like what is set aside."""
    rows = records["rows"]
    return Figure(
        kind="lines",
        title=Text("Memory of a server with a thread for each client", "每个客户端一个线程时服务器的内存"),
        x=Axis(Text("clients, each with a thread", "客户端（各有一个线程）"), Text("", "")),
        y=Axis(Text("memory really used", "实际占用的内存"), Text("MiB", "MiB")),
        series=[
            Series(Text("really used", "实际占用"), [(row["clients"], row["rss"] / 1024) for row in rows]),
        ],
    )


EXPERIMENT = Experiment(
    id="threads",
    rows=(18,),
    title=Text("A thread for each client", "每个客户端一个线程"),
    question=Text(
        "600 clients, a thread for each, and each thread has a stack of 8 MiB. All are idle. How much memory does the server use?",
        "600 个客户端，每个一个线程，每个线程的栈是 8 MiB，全都空闲。服务器占用多少内存？",
    ),
    choices=(
        Choice("gigabytes", Text("Almost 5 GiB: 600 times 8 MiB", "近 5 GiB：600 乘以 8 MiB")),
        Choice("half", Text("About 1 GiB", "大约 1 GiB")),
        Choice(
            "little",
            Text(
                "Some tens of MiB: only touched pages of a stack are memory",
                "几十 MiB：栈里只有碰过的页才占内存",
            ),
            right=True,
        ),
    ),
    runs=Text(
        "The server with a thread for each client and 1, 100, 300 and 600 clients. All say a line, then all are idle.",
        "每客户端一线程的服务器，客户端数 1、100、300、600；每个说一句话，然后全部空闲。",
    ),
    watch=Text(
        "The line climbs, but slowly: all threads are asleep in recv(), and an idle stack is a few pages. Each answer costs a switch from one thread to another.",
        "线在往上走，但走得很慢：线程全都睡在 recv() 里，空闲的栈只占几页。每个回答都要切换一次线程。",
    ),
    mistake=Text(
        "Believing that threads are free, or that idle ones are ruinous. What they cost is a switch for each answer, a place in the scheduler, and locks as soon as they share anything.",
        "以为线程不要钱，或以为空闲线程就会拖垮机器。真正的代价是：每个回答一次切换、调度器里的一席之地，以及一旦共享数据就离不开的锁。",
    ),
    takeaway=Text(
        "Idle threads are cheap, and for some hundred clients they are a good answer. For thousands, or for much shared state, one thread that multiplexes takes less of everything.",
        "空闲线程很便宜，几百个客户端时它是不错的办法。到了成千上万个，或需要大量共享状态时，一个线程做 IO 多路复用占用的计算机资源更少。",
    ),
    reading=(
        Reading(
            Text("pthread_create(3): stacks", "pthread_create(3)：栈"),
            "https://man7.org/linux/man-pages/man3/pthread_create.3.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=2.0,
    sources=("threads",),
)
