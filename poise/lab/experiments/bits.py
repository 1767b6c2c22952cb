"""What do the bits say?"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Any

from poise.lab.experiment import Cannot, Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Figure
from poise.lab.pairs import tcp_pair
from poise.lab.stage import Stage
from poise.lab.tapped import NAMES, TappedSelect
from poise.lab.text import Text
from poise.readiness.interest import ERROR, HANGUP, INVALID, PEER_CLOSED, READ, WRITE

NO_POLL = Text("This system has no poll.", "这个系统没有 poll。")
PATIENCE = 1000  # ms until what the peer does has arrived
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST

Act = Callable[[socket.socket, socket.socket], object]


def both(client: socket.socket, server: socket.socket) -> None:
    """Both directions are ended, politely."""
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)


def reset(client: socket.socket, _server: socket.socket) -> None:
    """The client goes without a word."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


def fill(_client: socket.socket, server: socket.socket) -> None:
    """Send until there is no room."""
    server.setblocking(False)
    try:
        while True:
            server.send(bytes(65536))
    except BlockingIOError:
        pass


CASES: dict[str, tuple[Text, Act]] = {
    "quiet": (Text("connected, nothing has come", "已连接，什么也没来"), lambda _client, _server: None),
    "data": (Text("a word has come", "来了一句话"), lambda client, _server: client.send(b"word")),
    "urgent": (
        Text("an urgent byte has come", "来了一个紧急字节"),
        lambda client, _server: client.send(b"!", socket.MSG_OOB),
    ),
    "full": (Text("our send buffer is full", "我方发送缓冲区已满"), fill),
    "half-close": (
        Text("the client: shutdown(SHUT_WR)", "客户端 shutdown(SHUT_WR)"),
        lambda client, _server: client.shutdown(socket.SHUT_WR),
    ),
    "close": (Text("the client: close()", "客户端 close()"), lambda client, _server: client.close()),
    "both": (Text("both: shutdown(SHUT_WR)", "双方都 shutdown(SHUT_WR)"), both),
    "reset": (Text("the client: reset (RST)", "客户端重置（RST）"), reset),
}
CLOSED = Text("a number that is not open", "没有打开的编号")


def run(stage: Stage) -> dict[str, Any]:
    """Each case on a connection of its own: what does poll say of the server's end?"""
    if not hasattr(select, "poll"):
        raise Cannot(NO_POLL)
    rows = []
    for number, (name, (_text, act)) in enumerate(CASES.items()):
        stage.progress(number / len(CASES), name)
        rows.append({"name": name, **asked(stage, name, act)})
    rows.append({"name": "closed", "mask": closed(stage), "select": ""})
    return {"rows": rows}


def asked(stage: Stage, name: str, act: Act) -> dict[str, Any]:
    """Let the client act, wait until it has arrived, and ask for everything."""
    recorder = stage.recorder(f"program, {name}")
    tapped = TappedSelect(recorder)
    everything = select.POLLIN | select.POLLPRI | select.POLLOUT | getattr(select, "POLLRDHUP", 0)
    with tcp_pair() as (client, server):
        act(client, server)
        p = tapped.poll()
        if name not in ("quiet", "full"):  # there is nothing to wait for
            waiting = select.poll()
            waiting.register(server, everything & ~select.POLLOUT)
            waiting.poll(PATIENCE)
        p.register(server, everything)
        mask = sum(event for _fd, event in p.poll(0))
        rs, ws, xs = tapped.select([server], [server], [server], 0)
    stage.tell(recorder.kept())
    return {
        "mask": mask,
        "select": "".join(letter for letter, found in zip("rwx", (rs, ws, xs), strict=True) if found),
    }


def closed(stage: Stage) -> int:
    """A number that was open a moment ago."""
    recorder = stage.recorder("program, closed")
    p = TappedSelect(recorder).poll()
    number = os.dup(0)
    os.close(number)
    p.register(number, select.POLLIN)
    mask = sum(event for _fd, event in p.poll(0))
    stage.tell(recorder.kept())
    return mask


def claim(records: Records) -> list[Check]:
    """Which lamps each ending lights, and how often == would have missed a readable socket."""
    masks = {row["name"]: row["mask"] for row in records["rows"]}
    readable = [mask for mask in masks.values() if mask & READ]
    checks = [
        Check(
            Text("half-close: IN, and no HUP", "半关闭：有 IN，没有 HUP"),
            masks["half-close"] & (READ | HANGUP),
            "==",
            READ,
        ),
        Check(Text("both ended: HUP", "双方都结束：HUP"), masks["both"] & HANGUP, "==", HANGUP),
        Check(
            Text("reset: ERR and HUP", "重置：ERR 和 HUP"),
            masks["reset"] & (ERROR | HANGUP),
            "==",
            ERROR | HANGUP,
        ),
        Check(Text("not open: NVAL", "没有打开：NVAL"), masks["closed"], "==", INVALID),
        Check(Text("send buffer full: no OUT", "发送缓冲区满：没有 OUT"), masks["full"] & WRITE, "==", 0),
        Check(
            Text("readable sockets that event == POLLIN misses", "event == POLLIN 漏掉的可读套接字数"),
            sum(mask != READ for mask in readable),
            ">=",
            len(readable) - 1,
        ),
    ]
    if any(mask & PEER_CLOSED for mask in masks.values()):  # Linux
        checks.append(
            Check(
                Text("half-close: RDHUP", "半关闭：RDHUP"),
                masks["half-close"] & PEER_CLOSED,
                "==",
                PEER_CLOSED,
            )
        )
    return checks


def figure(records: Records) -> Figure:
    """A row of lamps for each case."""
    texts = {**{name: text for name, (text, _act) in CASES.items()}, "closed": CLOSED}
    return Figure(
        kind="lamps",
        title=Text(
            "What poll says when asked for IN, PRI, OUT and RDHUP", "关注 IN、PRI、OUT、RDHUP 时 poll 的回答"
        ),
        lamps=[(texts[row["name"]], row["mask"]) for row in records["rows"]],
        bits=[(name, bit) for bit, name in NAMES if name != "ET"],
    )


EXPERIMENT = Experiment(
    id="bits",
    rows=(14, 19),
    title=Text("What the bits say", "每一位在说什么"),
    question=Text(
        "The client calls shutdown(SHUT_WR): it will say no more, but still listens. Which bits does poll set for the server's socket?",
        "客户端调用 shutdown(SHUT_WR)：不再说话，但还在听。poll 会给服务器的套接字置哪些位？",
    ),
    choices=(
        Choice("hup", Text("POLLHUP: the connection is over", "POLLHUP：连接结束了")),
        Choice("none", Text("None: nothing has come", "一个也没有：什么都没来")),
        Choice(
            "in",
            Text(
                'POLLIN (and POLLRDHUP, if asked for): recv will give b""',
                'POLLIN（若关注了，还有 POLLRDHUP）：recv 会得到 b""',
            ),
            right=True,
        ),
    ),
    runs=Text(
        "Nine connections in nine conditions; poll is asked about the server's end for everything, and select for comparison.",
        "九种状态，各用一条连接；就服务器一端向 poll 询问所有事件，并与 select 对比。",
    ),
    watch=Text(
        "The lamps. ERR, HUP and NVAL light up unasked. OUT is lit nearly always.",
        "看灯。ERR、HUP、NVAL 不用关注也会亮。OUT 几乎总是亮着。",
    ),
    mistake=Text(
        "event == POLLIN instead of event & POLLIN: true only while nothing else is set. And ignoring ERR and HUP: they come back each turn.",
        "写 event == POLLIN 而不是 event & POLLIN：只有别的位都没置时才成立。还有不理会 ERR 和 HUP：它们每一轮都会再来。",
    ),
    takeaway=Text(
        'A mask is many answers in one number. Ask each bit with &; read when there is IN, ERR or HUP, and let recv say what it was: data, b"", or an exception.',
        '一个掩码是许多回答合成的一个数。用 & 逐位去问；有 IN、ERR 或 HUP 就去读，让 recv 说明究竟是什么：数据、b""，还是异常。',
    ),
    reading=(Reading(Text("poll(2)", "poll(2)"), "https://man7.org/linux/man-pages/man2/poll.2.html"),),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.3,
)
