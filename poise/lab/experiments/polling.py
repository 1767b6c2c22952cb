"""What does polling cost?"""

from __future__ import annotations

from statistics import median
from typing import Any

from poise.lab.clients import paced
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.text import Text, same

LINES = 2  # that the client says
GAP = 0.3  # seconds between them
PAUSES = (0.0, 0.001, 0.01)  # seconds between two rounds of asking
TIMES = 1000
LESS_WORK = 10


def run(stage: Stage) -> dict[str, Any]:
    """The polling server with three pauses, then select; one client that speaks now and then."""
    rows = []
    for number, pause in enumerate((*PAUSES, None)):
        stage.progress(number / (len(PAUSES) + 1), "select" if pause is None else f"{pause * 1000:g} ms")
        model = "select" if pause is None else "polling"
        options: dict[str, Any] = {} if pause is None else {"pause": pause}
        name = model if pause is None else f"polling, pause {pause * 1000:g} ms"
        with stage.serving(model, name=name, **options) as server:
            seen = stage.clients(paced, server.port, LINES, GAP).result()
        used = server.kept["usage"]
        rows.append(
            {
                "pause": None if pause is None else pause * 1000,
                "wakes": server.count("select" if pause is None else "accept"),
                "nothing": sum(count for name, count in server.kept["errors"].items() if "EAGAIN" in name),
                "cpu": 100 * used["cpu"] / used["wall"],
                "delay": median(seen["delays"]) * 1000,
                "seconds": used["wall"],
            }
        )
    return {"rows": rows}


def claim(records: Records) -> list[Check]:
    """A loop that asks without a pause wakes a thousand times as often as one that waits."""
    first, *_others, waiting = records["rows"]
    return [
        Check(
            # It takes whatever the machine gives it, so only that time counts.
            Text(
                "rounds of asking, in a second on a processor, for each time in a second that select woke",
                "轮询每秒（CPU 时间）的圈数是 select 每秒醒来次数的多少倍",
            ),
            (first["wakes"] / (first["cpu"] / 100 * first["seconds"]))
            / (waiting["wakes"] / waiting["seconds"]),
            ">=",
            TIMES,
        ),
        Check(
            Text("processor time of asking, as a multiple of select's", "轮询消耗的 CPU 是 select 的多少倍"),
            first["cpu"] / max(waiting["cpu"], 0.01),
            ">=",
            LESS_WORK,
        ),
        Check(
            Text("times that select was told: nothing there yet", "select 方式下得到“还没有”的次数"),
            waiting["nothing"],
            "<=",
            1,
        ),
    ]


def figure(records: Records) -> Figure:
    """Processor time against delay: one point for each way to wait."""
    return Figure(
        kind="lines",
        title=Text("What waiting costs, and what it delays", "等待的代价：CPU 与延迟"),
        x=Axis(Text("usual delay of an answer", "回答的通常延迟"), Text("ms", "毫秒")),
        y=Axis(Text("processor time", "CPU 占用"), same("%")),
        series=[Series(named(row["pause"]), [(row["delay"], row["cpu"])]) for row in records["rows"]],
    )


def named(pause: float | None) -> Text:
    """What one row is called."""
    if pause is None:
        return same("select")
    return Text(f"polling, pause {pause:g} ms", f"轮询，每圈停 {pause:g} 毫秒")


EXPERIMENT = Experiment(
    id="polling",
    rows=(10,),
    title=Text("Asking again and again", "非阻塞加循环"),
    question=Text(
        "A non-blocking server asks in a loop: has anybody come, does anybody speak? Its one client says two words in 0.6 s. "
        "How often does the loop ask in vain?",
        "非阻塞服务器在循环里一遍遍地问：有人来吗？有人说话吗？唯一的客户端 0.6 秒里只说两句话。循环会白问多少次？",
    ),
    choices=(
        Choice("few", Text("A few times", "几次")),
        Choice("hundreds", Text("Some hundreds of times", "几百次")),
        Choice("thousands", Text("Tens of thousands of times", "几万次"), right=True),
    ),
    runs=Text(
        "The polling server without a pause, with 1 ms and with 10 ms between two rounds; then select. Each with a client that says two lines.",
        "轮询服务器三次：不停顿、每圈停 1 毫秒、每圈停 10 毫秒；再加一次 select。每次都有一个客户端说两句话。",
    ),
    watch=Text(
        "In slow motion, without a pause: EAGAIN, EAGAIN, EAGAIN. A pause makes it cheaper, and every answer later. select is at rest and answers at once.",
        "慢动作里，不停顿时：EAGAIN、EAGAIN、EAGAIN。停顿能省 CPU，但每个回答都变晚。select 在睡觉，却立刻回答。",
    ),
    mistake=Text(
        "Busy waiting: a non-blocking socket in a bare loop takes a whole processor to do nothing.",
        "忙等待：非阻塞套接字加一个空循环，会占满一个 CPU，却什么也没做。",
    ),
    takeaway=Text(
        "setblocking(False) alone only moves the waiting into your loop. Let the kernel wait for you: it sleeps for nothing and wakes you at once.",
        "setblocking(False) 只是把等待搬进了你的循环。把等待交给内核：睡着不费 CPU，一准备就绪立刻叫醒你。",
    ),
    reading=(
        Reading(
            Text("socket: notes on timeouts and non-blocking", "socket：超时与非阻塞说明"),
            "https://docs.python.org/3/library/socket.html#notes-on-socket-timeouts",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=3.0,
    sources=("polling", "select"),
)
