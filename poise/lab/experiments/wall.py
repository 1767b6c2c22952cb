"""Why 1024?"""

from __future__ import annotations

import fcntl
import os
import select
import socket
from contextlib import ExitStack
from typing import Any

from poise.lab.descriptors import need
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.tapped import TappedSelect
from poise.lab.text import Text, same

WALL = 1024  # FD_SETSIZE, compiled into the C library
BEYOND = 1100
MANY = 500  # descriptors below the wall, watched together


def run(stage: Stage) -> dict[str, Any]:
    """One ready socket, given ever higher numbers; select, poll and epoll are asked about it alone."""
    need(BEYOND + 16)
    recorder = stage.recorder("program")
    with ExitStack() as stack:
        ready, writer = (stack.enter_context(end) for end in socket.socketpair())
        writer.send(b"!")
        highest = {}
        failed: dict[str, Any] = {}
        for name, ask in asking(TappedSelect(recorder), stack).items():
            for number in (100, 512, WALL - 2, WALL - 1, WALL, BEYOND):
                copy = fcntl.fcntl(ready, fcntl.F_DUPFD, number)  # the lowest free number from there on
                try:
                    answer = ask(copy)
                    if answer:
                        highest[name] = copy
                except (ValueError, OSError) as error:
                    failed.setdefault(name, {"fd": copy, "error": f"{type(error).__name__}: {error}"})
                finally:
                    os.close(copy)
        many = [os.dup(ready.fileno()) for _ in range(MANY)]
        together = len(select.select(many, [], [], 0)[0])
        for number in many:
            os.close(number)
    stage.tell(recorder.kept())
    return {"highest": highest, "failed": failed, "together": together, "many": MANY}


def asking(tapped: TappedSelect, stack: ExitStack) -> dict[str, Any]:
    """name → a function that asks whether one descriptor is ready."""

    def by_poll(fd: int) -> bool:
        p = tapped.poll()
        p.register(fd, select.POLLIN)
        return bool(p.poll(0))

    def by_epoll(fd: int) -> bool:
        with tapped.epoll() as ep:
            ep.register(fd, select.EPOLLIN)
            return bool(ep.poll(0))

    ways = {"select": lambda fd: bool(tapped.select([fd], [], [], 0)[0])}
    if hasattr(select, "poll"):
        ways["poll"] = by_poll
    if hasattr(select, "epoll"):
        ways["epoll"] = by_epoll
    return ways


def claim(records: Records) -> list[Check]:
    """The wall is a number, not a count, and it is select's alone."""
    checks = [
        Check(
            Text("the number of the first descriptor that select refuses", "select 拒绝的第一个描述符的编号"),
            records["failed"].get("select", {}).get("fd", 0),
            "==",
            WALL,
        ),
        Check(
            Text("the largest number that select takes", "select 能接受的最大编号"),
            records["highest"]["select"],
            "==",
            WALL - 1,
        ),
    ]
    checks += [
        Check(
            Text(f"the largest number tried that {name} takes", f"{name} 接受的最大编号（试到此为止）"),
            records["highest"][name],
            ">=",
            BEYOND,
        )
        for name in ("poll", "epoll")
        if name in records["highest"]
    ]
    return checks


def figure(records: Records) -> Figure:
    """How far each of them went."""
    names = list(records["highest"])
    return Figure(
        kind="bars",
        title=Text(
            "The highest descriptor that can be watched (tried up to 1100)",
            "能监控的最大描述符编号（试到 1100）",
        ),
        y=Axis(Text("number of the descriptor", "描述符编号"), same("")),
        labels=[same(name) for name in names],
        series=[
            Series(
                Text("taken", "接受"), [(index, records["highest"][name]) for index, name in enumerate(names)]
            )
        ],
    )


EXPERIMENT = Experiment(
    id="wall",
    rows=(13,),
    title=Text("The wall at 1024", "1024 这堵墙"),
    question=Text(
        "A program has 1,100 files open, and one socket, whose descriptor is number 1100. It calls select([sock], [], []), for this one socket only. What happens?",
        "程序开着 1100 个文件和一个套接字，套接字的描述符是 1100。它调用 select([sock], [], [])，只监控这一个。会怎样？",
    ),
    choices=(
        Choice("works", Text("It works: only one descriptor is watched", "正常：只监控了一个")),
        Choice("slow", Text("It works, but slowly", "正常，只是慢")),
        Choice(
            "error",
            Text("ValueError: the limit is the number, not how many", "ValueError：限制的是编号，不是个数"),
            right=True,
        ),
    ),
    runs=Text(
        "One ready socket is given the numbers 100, 512, 1022, 1023, 1024 and 1100, and select, poll and epoll are asked about it alone.",
        "一个就绪的套接字依次拿到编号 100、512、1022、1023、1024、1100，分别只就它一个去问 select、poll、epoll。",
    ),
    watch=Text(
        "The bar of descriptor numbers, and where select's ends: the set that goes to the kernel is a fixed row of 1024 bits, one for each number.",
        "看描述符编号能走多远：select 提交给内核的集合是固定的 1024 个位，一个编号占一位。",
    ),
    mistake=Text(
        "Counting connections to stay below 1024. Files, pipes and log files take numbers, too.",
        "数着连接数，以为不到 1024 就没事。文件、管道、日志也都占编号。",
    ),
    takeaway=Text(
        "select cannot see a descriptor whose number is 1024 or more, whatever the system's limit for open files is. poll and epoll name descriptors in a list and have no such wall.",
        "无论系统允许打开多少文件，select 都看不见编号大于等于 1024 的描述符。poll 和 epoll 用列表记编号，没有这堵墙。",
    ),
    reading=(
        Reading(
            Text("select(2): FD_SETSIZE", "select(2)：FD_SETSIZE"),
            "https://man7.org/linux/man-pages/man2/select.2.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.5,
)
