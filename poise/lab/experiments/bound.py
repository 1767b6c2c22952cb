"""I/O-bound and CPU-bound: two programs that both take long."""

from __future__ import annotations

import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from poise.lab.clients import LOOPBACK
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.text import Text, same

TASKS = 8
LASTS = 0.03  # seconds that each task takes alone


def run(stage: Stage) -> dict[str, Any]:
    """Eight tasks of each kind, one after the other and at once."""
    with socket.create_server((LOOPBACK, 0), backlog=4 * TASKS) as listener:
        port = listener.getsockname()[1]
        answering = stage.clients(answer_late, listener)
    ways: list[tuple[str, str, Callable[[], object]]] = [
        ("io", "in turn", lambda: [wait_for_answer(port) for _ in range(TASKS)]),
        ("io", "at once", lambda: wait_for_all(port)),
        ("cpu", "in turn", lambda: [compute() for _ in range(TASKS)]),
        ("cpu", "at once", compute_in_threads),
    ]
    rows = []
    for number, (kind, how, work) in enumerate(ways):
        stage.progress(number / len(ways), f"{kind}, {how}")
        began, used = time.monotonic(), time.process_time()
        work()
        rows.append(
            {
                "kind": kind,
                "how": how,
                "wall": (time.monotonic() - began) * 1000,
                "cpu": (time.process_time() - used) * 1000,
            }
        )
    answering.result()
    return {"rows": rows, "tasks": TASKS, "lasts": LASTS * 1000}


def answer_late(_chance: random.Random, listener: socket.socket) -> None:
    """Another machine, as it were: each question is answered after a while, many at the same time."""
    due: list[tuple[float, socket.socket]] = []
    left = 2 * TASKS
    listener.settimeout(0.001)
    while left:
        try:
            client, _address = listener.accept()
            due.append((time.monotonic() + LASTS, client))
        except TimeoutError:
            pass
        while due and due[0][0] <= time.monotonic():
            _at, client = due.pop(0)
            left -= 1
            client.sendall(b"late\n")
            client.close()


def wait_for_answer(port: int) -> bytes:
    """The task that waits."""
    with socket.create_connection((LOOPBACK, port)) as client:
        return client.recv(64)


def wait_for_all(port: int) -> int:
    """The same task eight times at once, in one thread: ask all, then take the answers as they come."""
    with selectors.DefaultSelector() as selector:
        for _ in range(TASKS):
            selector.register(socket.create_connection((LOOPBACK, port)), selectors.EVENT_READ)
        answers = 0
        while selector.get_map():
            for key, _mask in selector.select():
                client = key.fileobj
                selector.unregister(client)
                client.close()  # type: ignore[union-attr]
                answers += 1
    return answers


def compute() -> int:
    """The task that computes: as much as takes about that long on a processor of its own."""
    until = time.thread_time() + LASTS
    found = 0
    while time.thread_time() < until:
        found += sum(number * number for number in range(200))
    return found


def compute_in_threads() -> None:
    """The same task in eight threads."""
    threads = [threading.Thread(target=compute) for _ in range(TASKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def claim(records: Records) -> list[Check]:
    """Waiting takes no processor and can overlap; computing takes one, and cannot in one process."""
    io, io_at_once, cpu, cpu_at_once = records["rows"]
    return [
        Check(
            Text("I/O-bound: share of the time on a processor (%)", "IO 密集型：占用 CPU 的时间比例（%）"),
            100 * io["cpu"] / io["wall"],
            "<=",
            25,
        ),
        Check(
            Text(
                "processor time, CPU-bound, as a multiple of that of I/O-bound",
                "CPU 密集型的 CPU 时间是 IO 密集型的多少倍",
            ),
            cpu["cpu"] / io["cpu"],
            ">=",
            5,
        ),
        Check(
            Text("I/O-bound at once: times as fast", "IO 密集型同时做：快多少倍"),
            io["wall"] / io_at_once["wall"],
            ">=",
            2.5,
        ),
        Check(
            Text(
                "CPU-bound at once: processor time as a multiple of in turn",
                "CPU 密集型同时做：CPU 时间是轮流做的多少倍",
            ),
            cpu_at_once["cpu"] / cpu["cpu"],
            ">=",
            0.9,
        ),
    ]


def figure(records: Records) -> Figure:
    """Time passed beside time on a processor."""
    names = {
        ("io", "in turn"): Text("I/O-bound, in turn", "IO 密集型，轮流"),
        ("io", "at once"): Text("I/O-bound, at once", "IO 密集型，同时"),
        ("cpu", "in turn"): Text("CPU-bound, in turn", "CPU 密集型，轮流"),
        ("cpu", "at once"): Text("CPU-bound, threads", "CPU 密集型，多线程"),
    }
    rows = records["rows"]
    return Figure(
        kind="bars",
        title=Text("Eight tasks that take 30 ms each", "八个任务，每个 30 毫秒"),
        y=Axis(Text("time", "时间"), Text("ms", "毫秒")),
        labels=[names[row["kind"], row["how"]] for row in rows],
        series=[
            Series(Text("passed", "经过的时间"), [(index, row["wall"]) for index, row in enumerate(rows)]),
            Series(same("CPU"), [(index, row["cpu"]) for index, row in enumerate(rows)]),
        ],
    )


EXPERIMENT = Experiment(
    id="bound",
    rows=(8,),
    title=Text("I/O-bound and CPU-bound", "IO 密集型与计算密集型"),
    question=Text(
        "Eight tasks take 30 ms each. First they wait for answers from the network, then they compute. One Python process does all eight at once. Which of the two gets much faster?",
        "八个任务，每个 30 毫秒。一种是等网络回答，一种是计算。一个 Python 进程同时做八个。哪一种会快很多？",
    ),
    choices=(
        Choice(
            "io", Text("Waiting: all eight can wait at the same time", "等待：八个可以同时等"), right=True
        ),
        Choice("cpu", Text("Computing: there are several processors", "计算：有多个 CPU")),
        Choice("both", Text("Both", "两种都快")),
    ),
    runs=Text(
        "Eight questions whose answers come after 30 ms, one after the other and in one loop; eight computations of 30 ms, one after the other and in eight threads.",
        "八个 30 毫秒后才有回答的提问：轮流一次，放进一个循环一次；八个 30 毫秒的计算：轮流一次，用八个线程一次。",
    ),
    watch=Text(
        "Two bars each: time that passed, and time on a processor. Where they are equal the program computes; where the second is missing it waits.",
        "每组两条：经过的时间，和占用 CPU 的时间。两条一样长，是在计算；第二条几乎没有，是在等待。",
    ),
    mistake=Text(
        "Taking a long time for much work. A program that is slow and idle needs other waits, not a faster processor.",
        "把时间长当成计算多。又慢又闲的程序，需要换一种等法，而不是更快的 CPU。",
    ),
    takeaway=Text(
        "I/O-bound programs use little processor and wait much: their waits can overlap in one loop. CPU-bound ones need processors: other processes, or a Python without the GIL.",
        "IO 密集型程序消耗 CPU 少、等待多：让等待在一个循环里重叠。计算密集型程序要的是 CPU：换多个进程，或没有 GIL 的 Python。",
    ),
    reading=(
        Reading(
            Text("Python glossary: GIL", "Python 术语表：GIL"),
            "https://docs.python.org/3/glossary.html#term-global-interpreter-lock",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=1.0,
)
