"""Did send send all?"""

from __future__ import annotations

import hashlib
from typing import Any

from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.levels import unacknowledged, unread
from poise.lab.pairs import tcp_pair
from poise.lab.stage import Stage
from poise.lab.text import Text

MIB = 1024 * 1024
SIZE = 32 * MIB  # bytes to be sent
READ = 256 * 1024  # bytes read at a time, when reading begins


def run(stage: Stage) -> dict[str, Any]:
    """One large send to somebody who does not read; then he reads, and the rest follows from our own queue."""
    data = stage.random.randbytes(SIZE)
    queue = memoryview(data)
    recorder = stage.recorder("program")
    got = hashlib.sha256()
    received = 0
    with tcp_pair(recorder) as (client, server):
        server.setblocking(False)
        sends: list[int] = []
        refused = False
        while queue and not refused:  # until the kernel says EAGAIN
            try:
                sends.append(server.send(queue))
                queue = queue[sends[-1] :]
            except BlockingIOError:
                refused = True
        levels = {"queue": len(queue), "out": unacknowledged(server), "in": unread(client)}
        client.settimeout(5.0)
        while received < SIZE:  # now it is read, and whatever room there is gets filled again
            piece = client.recv(READ)
            got.update(piece)
            received += len(piece)
            stage.progress(received / SIZE)
            try:
                while queue:
                    queue = queue[server.send(queue) :]
            except BlockingIOError:
                pass
    stage.tell(recorder.kept())
    return {
        "size": SIZE,
        "first": sends[0],
        "refused": refused,
        "levels": levels,
        "received": received,
        "intact": got.digest() == hashlib.sha256(data).digest(),
    }


def claim(records: Records) -> list[Check]:
    """The first send takes a part; the next one is refused; with a queue all arrives."""
    return [
        Check(
            Text("share of the message that the first send took", "第一次 send 取走的比例"),
            records["first"] / records["size"],
            "<=",
            0.6,
        ),
        Check(Text("then the kernel said EAGAIN", "随后内核返回 EAGAIN"), int(records["refused"]), "==", 1),
        Check(
            Text("bytes that would be lost without a queue of one's own", "没有自己的队列会丢掉的字节数"),
            records["levels"]["queue"],
            ">=",
            MIB,
        ),
        Check(
            Text("with the queue: share that has arrived, intact", "有队列时：完整到达的比例"),
            records["received"] / records["size"] * int(records["intact"]),
            "==",
            1,
        ),
    ]


def figure(records: Records) -> Figure:
    """Where the bytes are when the kernel takes no more."""
    levels = records["levels"]
    return Figure(
        kind="bars",
        title=Text(
            "32 MiB sent to somebody who does not read: where they are",
            "向一个不读的对端发 32 MiB：字节都在哪儿",
        ),
        y=Axis(Text("bytes", "字节"), Text("MiB", "MiB")),
        labels=[
            Text("kernel, arrived and unread", "内核：已到达、未读"),
            Text("kernel, not yet acknowledged", "内核：尚未确认"),
            Text("our queue: send did not take them", "我们的队列：send 没有取走"),
        ],
        series=[
            Series(
                Text("bytes", "字节"),
                [(index, levels[name] / MIB) for index, name in enumerate(("in", "out", "queue"))],
            )
        ],
    )


EXPERIMENT = Experiment(
    id="send",
    rows=(1, 10),
    title=Text("What send returns", "send 的返回值"),
    question=Text(
        "A non-blocking socket, 32 MiB in one send(), and a peer that does not read. What happens?",
        "非阻塞套接字，一次 send() 32 MiB，而对端不读。会怎样？",
    ),
    choices=(
        Choice("all", Text("send takes all: that is what it is for", "send 全部取走：它就是干这个的")),
        Choice("error", Text("An error, and nothing is sent", "报错，什么也没发")),
        Choice(
            "part",
            Text(
                "It takes a few MiB and returns how many; the rest is ours to keep",
                "取走几 MiB，返回取走的字节数；剩下的要我们自己留着",
            ),
            right=True,
        ),
    ),
    runs=Text(
        "One connection, one send of 32 MiB, and sends until the kernel says EAGAIN. Then the peer reads, and the rest goes out as room appears.",
        "一条连接，一次 send 32 MiB，再继续发到内核返回 EAGAIN。然后对端开始读，腾出多少空位就补发多少。",
    ),
    watch=Text(
        "The bytes lie in three places: the peer's buffer and our side's buffer, both the kernel's, and what is left in the program.",
        "字节分在三处：对端的缓冲区、我方的缓冲区（都在内核里），以及留在程序里的部分。",
    ),
    mistake=Text(
        "Ignoring what send returns. It works in every test with small messages, and one day the tail is missing.",
        "不看 send 的返回值。小消息测试全都没问题，某天就发现尾巴丢了。",
    ),
    takeaway=Text(
        "send copies into a buffer and returns how much went in; the buffers even out the speeds of both sides. Keep the rest, and send it when the socket is ready for writing.",
        "send 只是把数据拷进缓冲区，并返回拷进去多少；缓冲区协调收发速度。没进去的自己留着，等可写时再发。",
    ),
    reading=(
        Reading(Text("send(2)", "send(2)"), "https://man7.org/linux/man-pages/man2/send.2.html"),
        Reading(Text("Beej's guide: partial sends", "Beej 指南：部分发送"), "https://beej.us/guide/bgnet/"),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.5,
)
