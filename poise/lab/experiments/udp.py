"""Is UDP reliable, and where are its borders?"""

from __future__ import annotations

import random
import socket
from typing import Any

from poise.lab.clients import LOOPBACK, connected
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.tapped import TappedSocket
from poise.lab.text import Text

DATAGRAMS, SIZE = 1000, 1000  # and bytes of each
SMALL = 4096  # bytes of receive buffer, asked for
SHORT = 100  # bytes that recv asks for, of a datagram of SIZE


def run(stage: Stage) -> dict[str, Any]:
    """A thousand datagrams to somebody who does not read yet; the same bytes by TCP; and a recv that asks for too little."""
    stage.progress(0.0, "UDP")
    kept = by_udp(stage)
    stage.progress(0.4, "TCP")
    arrived = by_tcp(stage)
    stage.progress(0.8, "recv")
    return {"sent": DATAGRAMS, "size": SIZE, "kept": kept, "tcp": arrived, **too_short(stage)}


def by_udp(stage: Stage) -> int:
    """How many of the datagrams are there when the receiver begins to read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        receiver.bind((LOOPBACK, 0))
        receiver.setblocking(False)
        stage.clients(send_datagrams, receiver.getsockname()[1]).result()
        kept = 0
        recorder = stage.recorder("receiver, UDP")
        with TappedSocket.around(receiver, recorder) as tapped:
            try:
                while tapped.recv(SIZE):
                    kept += 1
            except BlockingIOError:
                pass
        stage.tell(recorder.kept())
    return kept


def send_datagrams(_chance: random.Random, port: int) -> int:
    """All of them, one after the other. Each sendto succeeds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sum(sender.sendto(bytes(SIZE), (LOOPBACK, port)) == SIZE for _ in range(DATAGRAMS))


def by_tcp(stage: Stage) -> int:
    """How many bytes come through a buffer as small, when the receiver reads at leisure."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        listener.bind((LOOPBACK, 0))
        listener.listen(1)
        sender = stage.clients(send_stream, listener.getsockname()[1])
        receiver, _address = listener.accept()
    arrived = 0
    with receiver:
        while data := receiver.recv(SIZE):
            arrived += len(data)
    sender.result()
    return arrived


def send_stream(_chance: random.Random, port: int) -> int:
    """The same bytes; whenever there is no room, sendall waits."""
    with connected(port) as sender:
        for _ in range(DATAGRAMS):
            sender.sendall(bytes(SIZE))
    return DATAGRAMS


def too_short(stage: Stage) -> dict[str, Any]:
    """Two datagrams come; recv asks for a hundred bytes of the first. What does the next recv give?"""
    recorder = stage.recorder("receiver, recv(100)")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        plain.bind((LOOPBACK, 0))
        plain.settimeout(5.0)
        with TappedSocket.around(plain, recorder) as receiver:
            sender.sendto(b"1" * SIZE, receiver.getsockname())
            sender.sendto(b"2" * SIZE, receiver.getsockname())
            first = receiver.recv(SHORT)
            second = receiver.recv(SIZE)
    stage.tell(recorder.kept())
    return {
        "got": len(first),
        "gone": SIZE - len(first),
        "next": second[:1].decode(),
        "next_size": len(second),
    }


def claim(records: Records) -> list[Check]:
    """UDP loses what does not fit, keeps borders, and cuts; TCP does none of this."""
    return [
        Check(
            Text("datagrams kept, of 1,000", "1000 个数据报中留下的"),
            records["kept"],
            "<=",
            records["sent"] / 10,
        ),
        Check(Text("and at least", "至少留下"), records["kept"], ">=", 1),
        Check(
            Text("bytes that TCP brought, of 1,000,000", "TCP 送到的字节数（共 1000000）"),
            records["tcp"],
            "==",
            records["sent"] * records["size"],
        ),
        Check(
            Text(
                "bytes gone after recv(100) of a datagram of 1,000",
                "对 1000 字节的数据报 recv(100) 后消失的字节数",
            ),
            records["gone"],
            "==",
            records["size"] - SHORT,
        ),
        Check(
            Text("which datagram the next recv gives", "下一次 recv 得到第几个数据报"),
            int(records["next"]),
            "==",
            2,
        ),
    ]


def figure(records: Records) -> Figure:
    """How much of the same million bytes came."""
    return Figure(
        kind="bars",
        title=Text(
            "1,000 times 1,000 bytes to a receiver that reads later",
            "向一个稍后才读的接收方发 1000 次、每次 1000 字节",
        ),
        y=Axis(Text("arrived", "到达"), Text("thousand bytes", "千字节")),
        labels=[Text("UDP, small buffer", "UDP，小缓冲区"), Text("TCP, small buffer", "TCP，小缓冲区")],
        series=[
            Series(
                Text("arrived", "到达"),
                [(0, records["kept"] * records["size"] / 1000), (1, records["tcp"] / 1000)],
            )
        ],
    )


EXPERIMENT = Experiment(
    id="udp",
    rows=(3,),
    title=Text("UDP and TCP", "UDP 与 TCP 的区别"),
    question=Text(
        "1,000 datagrams of 1,000 bytes are sent on one machine, over loopback, to a socket with a buffer of 4 KiB that is read afterwards. Each sendto() succeeds. How many are there?",
        "在同一台机器上经回环发送 1000 个 1000 字节的数据报，接收套接字的缓冲区是 4 KiB，发完才去读。每次 sendto() 都成功。还剩几个？",
    ),
    choices=(
        Choice("all", Text("All: nothing gets lost inside one machine", "全都在：一台机器内部不会丢")),
        Choice("wait", Text("All: sendto waits while the buffer is full", "全都在：缓冲区满了 sendto 会等")),
        Choice(
            "few",
            Text("A handful; the rest was dropped and nobody was told", "没几个；其余被丢弃，谁也没通知"),
            right=True,
        ),
    ),
    runs=Text(
        "1,000 datagrams into a small buffer; the same bytes by TCP into a buffer as small; and recv(100) of a datagram of 1,000 bytes.",
        "1000 个数据报进小缓冲区；同样的字节用 TCP 进同样小的缓冲区；再对一个 1000 字节的数据报 recv(100)。",
    ),
    watch=Text(
        "Two bars: UDP drops what finds the buffer full. In TCP the sender stops instead. recv(100) takes 100 bytes, and 900 are gone: the next recv is the next datagram.",
        "两条对比：缓冲区一满，UDP 就丢弃；TCP 则让发送方停下。recv(100) 拿走 100 字节，剩下 900 就没了：下一次 recv 是下一个数据报。",
    ),
    mistake=Text(
        "Taking the success of sendto for delivery; and asking recv for less than the largest datagram.",
        "把 sendto 成功当成送达；以及 recv 的长度小于最大的数据报。",
    ),
    takeaway=Text(
        "UDP keeps borders and promises nothing else: no order, no delivery, no brake. TCP promises all three and keeps no borders.",
        "UDP 保留消息边界，此外什么都不保证：不保序、不保到、不刹车。TCP 三样都保证，但没有边界（粘包）。",
    ),
    reading=(Reading(Text("udp(7)", "udp(7)"), "https://man7.org/linux/man-pages/man7/udp.7.html"),),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.5,
)
