"""How does waiting scale with the number that is watched?"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from poise.lab.descriptors import allow, need
from poise.lab.events import now
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.text import Text, same

WATCHED = (10, 50, 100, 250, 500, 1000, 2000, 4000)
WALL = 1024  # FD_SETSIZE
SPARE = 64
LONG_ENOUGH = 1_000_000  # ns for one measurement
ROUNDS = 25  # of which the fastest counts: whatever disturbs a measurement only makes it longer
FEWEST = 500  # watched, with which there is something to see
AT = 1000  # watched, where the claim is made
TIMES = 20
GROWS = 5


def run(stage: Stage) -> dict[str, Any]:
    """Idle sockets and one that is ready; how long does one call take that tells us so?"""
    need(FEWEST + SPARE)
    most = allow(max(WATCHED) + SPARE)
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        ready, writer = (stack.enter_context(end) for end in socket.socketpair())
        writer.send(b"!")  # nobody reads it, so this one is ready each time
        idle: list[int] = []
        counts = [count for count in WATCHED if count <= most - SPARE]
        for number, count in enumerate(counts):
            stage.progress(number / len(counts), str(count))
            while len(idle) < count - 1:
                idle += [stack.enter_context(end).fileno() for end in socket.socketpair()]
            watched = [ready.fileno(), *idle[: count - 1]]
            rows.append({"watched": count, **{name: fastest(call) for name, call in calls(watched, stack)}})
    return {"rows": rows}


def calls(watched: list[int], stack: ExitStack) -> list[tuple[str, Callable[[], Any]]]:
    """The three ways to ask, as far as this machine has them and they can hold so many."""
    found: list[tuple[str, Callable[[], Any]]] = []
    if max(watched) < WALL:
        found.append(("select", lambda: select.select(watched, [], [], 0)))
    if hasattr(select, "poll"):
        p = select.poll()
        for fd in watched:
            p.register(fd, select.POLLIN)
        found.append(("poll", lambda: p.poll(0)))
    if hasattr(select, "epoll"):
        ep = stack.enter_context(select.epoll())
        for fd in watched:
            ep.register(fd, select.EPOLLIN)
        found.append(("epoll", lambda: ep.poll(0)))
    return found


def fastest(call: Callable[[], Any]) -> float:
    """Microseconds for one call, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        count, began, passed = 0, now(), 0
        while passed < LONG_ENOUGH:
            call()
            count += 1
            passed = now() - began
        best = min(best, passed / count / 1000)
    return best


def claim(records: Records) -> list[Check]:
    """At a thousand watched, select and poll cost many times what epoll does."""
    (row,) = [row for row in records["rows"] if row["watched"] <= AT][-1:]
    if "epoll" not in row:  # then at least that it is not for nothing
        return [
            Check(
                Text(
                    "poll: cost at the most watched, in those at the fewest",
                    "poll：监控最多时的耗时是最少时的多少倍",
                ),
                row.get("poll", row.get("select", 0.0))
                / records["rows"][0].get("poll", records["rows"][0]["select"]),
                ">=",
                GROWS,
            )
        ]
    return [
        Check(
            Text(
                f"{name}'s time at {row['watched']} watched, as a multiple of epoll's",
                f"监控 {row['watched']} 个时，{name} 耗时是 epoll 的多少倍",
            ),
            row[name] / row["epoll"],
            ">=",
            TIMES,
        )
        for name in ("select", "poll")
        if name in row
    ]


def figure(records: Records) -> Figure:
    """Time for one call against the number watched; both logarithmic, for both span three powers of ten."""
    return Figure(
        kind="lines",
        title=Text(
            "One call, with one descriptor ready, while ever more are watched",
            "一次调用：一个就绪，监控的越来越多",
        ),
        x=Axis(Text("descriptors watched", "监控的描述符数量"), same(""), log=True),
        y=Axis(Text("time for one call", "一次调用的时间"), Text("µs", "微秒"), log=True),
        series=[
            Series(same(name), [(row["watched"], row[name]) for row in records["rows"] if name in row])
            for name in ("select", "poll", "epoll")
            if any(name in row for row in records["rows"])
        ],
    )


EXPERIMENT = Experiment(
    id="scaling",
    rows=(13, 15),
    title=Text("How waiting scales", "监控得多，等得贵吗"),
    question=Text(
        "One socket is ready, and 999 idle ones are watched beside it. How much longer does one call of poll take than one of epoll?",
        "一个套接字就绪，旁边还监控着 999 个空闲的。poll 调用一次要比 epoll 慢多少？",
    ),
    choices=(
        Choice("same", Text("Not at all: one is ready in both cases", "一样快：就绪的都只有一个")),
        Choice("twice", Text("About twice as long", "大约两倍")),
        Choice("many", Text("Twenty times or more", "二十倍以上"), right=True),
    ),
    runs=Text(
        "select, poll and epoll, each asked again and again while 10 to 4,000 sockets are watched, of which one is ready. select ends at descriptor 1023.",
        "反复调用 select、poll、epoll，监控的套接字从 10 个到 4000 个，其中一个就绪。select 到描述符 1023 为止。",
    ),
    watch=Text(
        "Three lines; two climb together, one stays flat.",
        "三条线：两条一起往上爬，一条是平的。",
    ),
    mistake=Text(
        "Thinking that idle connections cost nothing: with select and poll each turn pays for all that are watched.",
        "以为空闲连接不花钱：用 select 和 poll，每一轮都要为所有被监控的描述符付账。",
    ),
    takeaway=Text(
        "select and poll hand the whole list to the kernel each time, and the kernel looks at everyone. epoll keeps the list in the kernel and notes who becomes ready: a call costs what the ready cost.",
        "select 和 poll 每次都把整张表提交给内核，内核逐个检查。epoll 的表留在内核里，谁准备就绪就记下谁：一次调用只为就绪的付账。",
    ),
    reading=(
        Reading(Text("epoll(7)", "epoll(7)"), "https://man7.org/linux/man-pages/man7/epoll.7.html"),
        Reading(
            Text("M. Kerrisk on epoll (slides)", "M. Kerrisk 谈 epoll（幻灯片）"),
            "https://man7.org/conf/lca2006/Linux_2.6_changes/epoll_2b.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=1.0,
)
