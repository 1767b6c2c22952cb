"""fileno(), getpeername(), setsockopt(): what a socket says of itself, and what an option changes."""

from __future__ import annotations

import socket
from typing import Any

from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.pairs import tcp_pair
from poise.lab.stage import Stage
from poise.lab.text import Text

KIB = 1024
SIZES = (4 * KIB, 64 * KIB, 1024 * KIB)  # bytes of send buffer, asked for
RECEIVE = 8 * KIB  # bytes, small, so that the send buffer is what counts
TIMES = 4


def run(stage: Stage) -> dict[str, Any]:
    """Who is who; whose number is whose; then one option, changed on a living connection."""
    names = identity(stage)
    rows = []
    for number, size in enumerate(SIZES, 1):
        stage.progress(number / (len(SIZES) + 1), f"SO_SNDBUF {size // KIB} KiB")
        rows.append(taken(stage, size))
    return {**names, "rows": rows}


def identity(stage: Stage) -> dict[str, Any]:
    """fileno and the two names of each end; a number that was closed comes back for the next socket."""
    recorder = stage.recorder("program, names")

    def told(call: str, of: socket.socket) -> Any:
        return recorder.made("handle", call, of.fileno(), "", getattr(of, call))

    with tcp_pair() as (client, server), tcp_pair() as (other, other_server):
        ends = (client, server, other, other_server)
        numbers = [told("fileno", end) for end in ends]
        matching = told("getpeername", client) == told("getsockname", server)
        back = told("getpeername", server) == told("getsockname", client)
        first = socket.socket()
        number = told("fileno", first)
        recorder.made("handle", "close", number, "", first.close)
        after = first.fileno()
        with socket.socket() as newcomer:
            reused = told("fileno", newcomer) == number
    stage.tell(recorder.kept())
    return {
        "numbers": numbers,
        "matching": int(matching) + int(back),
        "after_close": after,
        "reused": reused,
    }


def taken(stage: Stage, size: int) -> dict[str, Any]:
    """Set the send buffer of a connection that is there, and send until the kernel takes no more."""
    recorder = stage.recorder(f"program, {size // KIB} KiB")
    with tcp_pair(recorder, receive=RECEIVE) as (_client, server):
        before = server.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        after = recorder.made(
            "handle",
            "getsockopt",
            server.fileno(),
            "SOL_SOCKET, SO_SNDBUF",
            lambda: server.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        )
        server.setblocking(False)
        total = 0
        try:
            while True:
                total += server.send(bytes(16 * KIB))
        except BlockingIOError:
            pass
    stage.tell(recorder.kept())
    return {"asked": size, "before": before, "after": after, "taken": total}


def claim(records: Records) -> list[Check]:
    """Names match, numbers are unique and come back, and the option does what it says, only not exactly."""
    numbers, rows = records["numbers"], records["rows"]
    return [
        Check(
            Text(
                "ends whose getpeername is the other's getsockname", "getpeername 等于对端 getsockname 的端数"
            ),
            records["matching"],
            "==",
            2,
        ),
        Check(Text("numbers among four sockets", "四个套接字的不同编号数"), len(set(numbers)), "==", 4),
        Check(Text("fileno() after close()", "close() 之后的 fileno()"), records["after_close"], "==", -1),
        Check(
            Text("the next socket gets the number that was closed", "下一个套接字拿到刚关闭的编号"),
            int(records["reused"]),
            "==",
            1,
        ),
        Check(
            Text(
                "what the kernel takes with a large buffer, as a multiple of a small one",
                "大缓冲区时内核收下的字节数是小缓冲区时的多少倍",
            ),
            rows[-1]["taken"] / rows[0]["taken"],
            ">=",
            TIMES,
        ),
    ]


def figure(records: Records) -> Figure:
    """Asked for, granted, and taken."""
    rows = records["rows"]
    return Figure(
        kind="bars",
        title=Text("SO_SNDBUF on a living connection", "在已建立的连接上改 SO_SNDBUF"),
        y=Axis(Text("bytes", "字节"), Text("KiB", "KiB"), log=True),
        labels=[
            Text(f"setsockopt: {row['asked'] // KIB} KiB", f"SO_SNDBUF 设为 {row['asked'] // KIB} KiB")
            for row in rows
        ],
        series=[
            Series(
                Text("getsockopt says", "getsockopt 返回"),
                [(i, row["after"] / KIB) for i, row in enumerate(rows)],
            ),
            Series(
                Text("send took, until EAGAIN", "send 到 EAGAIN 共取走"),
                [(i, row["taken"] / KIB) for i, row in enumerate(rows)],
            ),
        ],
    )


EXPERIMENT = Experiment(
    id="attributes",
    rows=(4,),
    title=Text("What a socket says of itself", "套接字属性"),
    question=Text(
        "A socket with fileno() 7 is closed, and a new one is opened at once. What is its fileno()?",
        "fileno() 为 7 的套接字被关闭，随即新建一个套接字。它的 fileno() 是多少？",
    ),
    choices=(
        Choice("next", Text("A fresh number: 7 was used before", "一个新编号：7 用过了")),
        Choice("same", Text("7 again: the lowest free number", "还是 7：最小的空闲编号"), right=True),
        Choice("any", Text("Any number: it is random", "任意编号：随机的")),
    ),
    runs=Text(
        "fileno(), getpeername() and getsockname() of two connections; then SO_SNDBUF set to 4 KiB, 64 KiB and 1 MiB on a connection, and what send takes each time.",
        "两条连接的 fileno()、getpeername()、getsockname()；再把 SO_SNDBUF 依次设为 4 KiB、64 KiB、1 MiB，看 send 每次能取走多少。",
    ),
    watch=Text(
        "In slow motion: the number that close() gives back goes to the next socket. In the figure: Linux gives twice what was asked, for its own book-keeping counts, too.",
        "慢动作里：close() 交还的编号马上给了下一个套接字。图里：Linux 给的是所要的两倍，内核自己的管理开销也算在内。",
    ),
    mistake=Text(
        "Keeping a number after the close: in a table {fileno: object} it soon belongs to somebody else. First take it out, then close.",
        "关闭之后还留着编号：在 {fileno: 对象} 表里它很快就属于别人。先移出表，再关闭。",
    ),
    takeaway=Text(
        "fileno() is the kernel's name for it, getpeername() who is on the other end, setsockopt() how it behaves. Options are requests: ask getsockopt what you got.",
        "fileno() 是内核给它的编号，getpeername() 是对端地址，setsockopt() 设置它的行为。选项只是请求：用 getsockopt 看看实际得到了什么。",
    ),
    reading=(
        Reading(
            Text("socket(7): SO_SNDBUF", "socket(7)：SO_SNDBUF"),
            "https://man7.org/linux/man-pages/man7/socket.7.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.3,
)
