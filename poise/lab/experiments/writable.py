"""What happens when writing is always watched?"""

from __future__ import annotations

from typing import Any

from poise.lab.clients import paced
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records, Variant
from poise.lab.figure import Axis, Figure, Series
from poise.lab.models import MODELS, Change
from poise.lab.stage import Server, Stage
from poise.lab.text import Text

LINES = 1  # that the client says
GAP = 0.7  # seconds before it, about
TIMES = 1000

ALWAYS = {
    "select": Change(
        "wlist = [client for client, talk in clients.items() if talk.unsent]",
        "wlist = list(clients)",
    ),
    "poll": Change("return select.POLLIN", "return select.POLLIN | select.POLLOUT"),
    "epoll": Change("return select.EPOLLIN", "return select.EPOLLIN | select.EPOLLOUT"),
}


def run(stage: Stage) -> dict[str, Any]:
    """Each model as it is, and with the one line changed; the same quiet client each time."""
    rows: list[dict[str, Any]] = []
    for model in stage.models:
        for change in (None, ALWAYS[model]):
            stage.progress(len(rows) / (2 * len(stage.models)), model)
            name = f"{model}, always" if change else model
            with stage.serving(model, change=change, name=name) as server:
                stage.clients(paced, server.port, LINES, GAP).result()
            rows.append(row(model, server, always=change is not None))
    return {"rows": rows}


def row(model: str, server: Server, *, always: bool) -> dict[str, Any]:
    """Turns of one server: how often it came back from waiting."""
    used = server.kept["usage"]
    turns = server.count("select", "poll.poll", "epoll.poll")
    return {
        "model": model,
        "always": always,
        "turns": turns,
        "seconds": used["wall"],
        # A loop that never sleeps takes whatever the machine gives it: then only that time counts.
        "turns_per_second": turns / used["cpu" if always else "wall"],
        "cpu": used["cpu"] / used["wall"],
    }


def claim(records: Records) -> list[Check]:
    """Watching in vain costs a thousand times the turns, at least."""
    rows = records["rows"]
    return [
        Check(
            Text(
                f"{before['model']}: turns in a second on a processor, always watched, as a multiple of those on demand",
                f"{before['model']}：始终关注写时每秒（CPU 时间）的轮数是按需关注时的多少倍",
            ),
            after["turns_per_second"] / before["turns_per_second"],
            ">=",
            TIMES,
        )
        for before, after in zip(rows[::2], rows[1::2], strict=True)
    ]


def figure(records: Records) -> Figure:
    """Turns per second, which differ so much that the axis is logarithmic."""
    rows = records["rows"]
    return Figure(
        kind="bars",
        title=Text("Turns per second while hardly anything happens", "几乎没有事情发生时，每秒转多少轮"),
        y=Axis(Text("turns", "轮数"), Text("per second", "每秒"), log=True),
        labels=[MODELS[each["model"]].title for each in rows[::2]],
        series=[
            Series(
                Text("written to on demand", "有数据要发才关注写"),
                [(index, each["turns_per_second"]) for index, each in enumerate(rows[::2])],
            ),
            Series(
                Text("always watched for writing", "始终关注写"),
                [(index, each["turns_per_second"]) for index, each in enumerate(rows[1::2])],
            ),
        ],
    )


EXPERIMENT = Experiment(
    id="writable",
    rows=(16,),
    title=Text("Write interest left on", "一直关注写"),
    question=Text(
        "A server watches its client for reading. You also put it into wlist, just in case. The client says one word in 0.7 s. How often does select return?",
        "服务器关注客户端的读。你顺手把它也放进 wlist。客户端 0.7 秒里只说一句话。select 会返回多少次？",
    ),
    choices=(
        Choice(
            "thrice", Text("As before: it comes, it speaks, it goes", "和原来一样：来一次、说一次、走一次")
        ),
        Choice("some", Text("Some dozens of times", "几十次")),
        Choice(
            "always", Text("As often as the processor can manage", "处理器能转多快，就返回多少次"), right=True
        ),
    ),
    runs=Text(
        "select, poll and epoll with a client that says one line, each as it is and with one line of the program changed.",
        "select、poll、epoll 各运行两次：原样一次，改动一行再一次；客户端只说一句话。",
    ),
    watch=Text(
        "The lamp OUT is lit in every answer. The kernel is right: there is room in the send buffer. The program has nothing to send, asks again, and gets the same answer.",
        "每次返回 OUT 灯都亮着。内核没有说错：发送缓冲区有空位。程序却没有东西要发，再问一次，得到同样的回答。",
    ),
    mistake=Text(
        "Leaving a socket in wlist, or POLLOUT in its mask, when there is nothing to send: the loop never sleeps.",
        "没有数据要发，却把套接字留在 wlist 里（或掩码里留着 POLLOUT）：循环再也睡不着。",
    ),
    takeaway=Text(
        "A socket with room is always ready to be written to. Send first; watch for writing only while something is left over, and stop when it is gone.",
        "wlist 中如果有 IO 事件，select 会立即返回。先直接发送；发不完才关注写，发完就取消关注。",
    ),
    reading=(
        Reading(
            Text("select(2): ready for writing", "select(2)：何谓可写"),
            "https://man7.org/linux/man-pages/man2/select.2.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=5.0,
    models=("select", "poll", "epoll"),
    about="select",
    variants=tuple(
        Variant(model, f"{model}, always", change, Text("always watched for writing", "始终关注写"))
        for model, change in ALWAYS.items()
    ),
)
