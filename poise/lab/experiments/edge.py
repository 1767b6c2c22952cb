"""Edge or level?"""

from __future__ import annotations

import random
import select
from typing import Any

from poise.lab.clients import connected
from poise.lab.experiment import Cannot, Check, Choice, Experiment, Reading, Records, Variant
from poise.lab.figure import Axis, Figure, Series
from poise.lab.levels import unread
from poise.lab.models import Change
from poise.lab.pairs import tcp_pair
from poise.lab.stage import Stage
from poise.lab.tapped import TappedSelect
from poise.lab.text import Text

SENT, READ = 1000, 10  # bytes
LINE = 10_000  # bytes of a line that one recv of 4096 does not take
PATIENCE = 0.3  # seconds that the client waits for its line
ONCE = Change(
    "while not talk.over and not talk.unsent:  # who does not take his answers is not read from",
    "if not talk.over and not talk.unsent:",
)

NO_EPOLL = Text(
    "Edge-triggered epoll is Linux's own; this system has none.",
    "边缘触发的 epoll 是 Linux 独有的，这个系统没有。",
)


def run(stage: Stage) -> dict[str, Any]:
    """By hand with one socket; then the server that drains, and the same one reading once only."""
    if not hasattr(select, "epoll"):
        raise Cannot(NO_EPOLL)
    rows = []
    for number, (name, flag) in enumerate((("level", 0), ("edge", select.EPOLLET))):
        stage.progress(number / 4, name)
        rows.append({"name": name, **by_hand(stage, name, flag)})
    answered = {}
    for number, (name, change) in enumerate((("drains", None), ("reads once", ONCE)), 2):
        stage.progress(number / 4, name)
        with stage.serving("epoll-edge", change=change, name=f"epoll-edge, {name}") as server:
            answered[name] = stage.clients(long_line, server.port).result()["came"]
    return {"rows": rows, "line": LINE, "answered": answered}


def by_hand(stage: Stage, name: str, flag: int) -> dict[str, Any]:
    """A thousand bytes come; the program reads ten of them and asks again."""
    recorder = stage.recorder(f"program, {name}")
    with tcp_pair(recorder) as (client, server), TappedSelect(recorder).epoll() as ep:
        ep.register(server, select.EPOLLIN | flag)
        client.sendall(bytes(SENT))
        first = ep.poll(1.0)
        got = len(server.recv(READ))
        again = ep.poll(0)
        left = unread(server)
        client.sendall(b"!")  # something new comes: an edge
        after = ep.poll(1.0)
    stage.tell(recorder.kept())
    return {"first": len(first), "read": got, "again": len(again), "left": left, "after": len(after)}


def long_line(_chance: random.Random, port: int) -> dict[str, Any]:
    """Send one long line at once, and wait a little for it to come back."""
    came = 0
    with connected(port) as client:
        client.sendall(b"x" * (LINE - 1) + b"\n")
        client.settimeout(PATIENCE)
        try:
            while came < LINE:
                came += len(client.recv(LINE))
        except TimeoutError:
            pass
    return {"came": came}


def claim(records: Records) -> list[Check]:
    """Level reminds, edge does not, and who reads once leaves bytes where nobody looks."""
    level, edge = records["rows"]
    return [
        Check(Text("level: events when asked again", "水平触发：再问时的事件数"), level["again"], "==", 1),
        Check(Text("edge: events when asked again", "边缘触发：再问时的事件数"), edge["again"], "==", 0),
        Check(
            Text("edge: bytes left unread in silence", "边缘触发：无声无息留下的字节数"),
            edge["left"],
            ">=",
            1,
        ),
        Check(
            Text("edge: events when something new comes", "边缘触发：又来新数据时的事件数"),
            edge["after"],
            "==",
            1,
        ),
        Check(
            Text("bytes that come back from the server that drains", "一直读到 EAGAIN 的服务器回送的字节数"),
            records["answered"]["drains"],
            "==",
            records["line"],
        ),
        Check(
            Text("bytes that come back from the one that reads once", "只读一次的服务器回送的字节数"),
            records["answered"]["reads once"],
            "==",
            0,
        ),
    ]


def figure(records: Records) -> Figure:
    """Events, before and after a part was read."""
    return Figure(
        kind="bars",
        title=Text(
            f"{SENT} bytes come, {READ} are read, and {records['rows'][1]['left']} stay: is there an event?",
            f"来了 {SENT} 字节，读了 {READ}，还剩 {records['rows'][1]['left']}：有事件吗？",
        ),
        y=Axis(Text("events", "事件"), Text("", "")),
        labels=[
            Text("when they come", "刚到时"),
            Text("asked again, after reading a part", "读了一部分后再问"),
            Text("when one more byte comes", "又来一个字节时"),
        ],
        series=[
            Series(
                {"level": Text("level-triggered", "水平触发"), "edge": Text("edge-triggered", "边缘触发")}[
                    row["name"]
                ],
                list(enumerate((row["first"], row["again"], row["after"]))),
            )
            for row in records["rows"]
        ],
    )


EXPERIMENT = Experiment(
    id="edge",
    rows=(15,),
    title=Text("Edge or level", "边缘触发与水平触发"),
    question=Text(
        "Edge-triggered epoll reports a socket with 1,000 bytes. The program reads 10 and calls poll() again. What does it get?",
        "边缘触发的 epoll 报告一个套接字有 1000 字节。程序读了 10 个，再调用 poll()。得到什么？",
    ),
    choices=(
        Choice("again", Text("The same event again: 990 bytes are left", "还是同一个事件：还剩 990 字节")),
        Choice("nothing", Text("Nothing: nothing new has come", "什么也没有：没有来新的数据"), right=True),
        Choice("error", Text("An error: it should have read all", "报错：它本该读完")),
    ),
    runs=Text(
        "One socket by hand, level- and edge-triggered; then the edge-triggered server as it is, and with while changed to if, so that it reads once.",
        "先手工操作一个套接字，水平触发、边缘触发各一次；再运行边缘触发服务器：原样一次，把 while 改成 if（只读一次）再一次。",
    ),
    watch=Text(
        "The lamp goes out with bytes waiting in the kernel's buffer. Client and server now wait for each other.",
        "灯灭了，而内核缓冲区里还有字节。客户端和服务器从此互相等待。",
    ),
    mistake=Text(
        "Reading once after an edge. And its opposite: draining a fast client for ever, while all others wait.",
        "边缘触发后只读一次。以及反过来：对一个发得很快的客户端读个没完，让其他人都等着。",
    ),
    takeaway=Text(
        "Level: there is something to read. Edge: something has come since you were told. With edges read and write until EAGAIN, within a budget; without a strong reason take level.",
        "水平触发：现在有东西可读。边缘触发：自上次告诉你以后来了新东西。用边缘触发就要读写到 EAGAIN，并设上限；没有充分理由就用水平触发。",
    ),
    reading=(
        Reading(
            Text("epoll(7): level- and edge-triggered", "epoll(7)：水平触发与边缘触发"),
            "https://man7.org/linux/man-pages/man7/epoll.7.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.7,
    sources=("epoll", "epoll-edge"),
    variants=(
        Variant(
            "epoll-edge",
            "epoll-edge, reads once",
            ONCE,
            Text("reads once after an event", "每个事件只读一次"),
        ),
    ),
)
