"""Who hears a broadcast?"""

from __future__ import annotations

import errno
import select
import socket
from contextlib import ExitStack
from typing import Any

from poise.lab.clients import LOOPBACK
from poise.lab.events import error_name
from poise.lab.experiment import Cannot, Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.text import Text

EVERYBODY = "127.255.255.255"  # the broadcast address of 127.0.0.0/8: it never leaves this machine
RECEIVERS = 5
PATIENCE = 0.5  # seconds until we say that nobody else has heard it

NO_BROADCAST = Text(
    "The loopback interface of this machine has no broadcast address ({error}). Linux has one (127.255.255.255); some containers and macOS have none.",
    "本机的回环接口没有广播地址（{error}）。Linux 有（127.255.255.255），部分容器和 macOS 没有。",
)


def run(stage: Stage) -> dict[str, Any]:
    """A datagram without the option, one with it, and one to a single address that five share."""
    recorder = stage.recorder("program")
    with ExitStack() as stack, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            listeners = receivers(stack, EVERYBODY)
        except OSError as error:
            raise Cannot(NO_BROADCAST.filled(error=error_name(error))) from None
        stage.progress(0.2, "without SO_BROADCAST")
        to = listeners[0].getsockname()

        def send(where: tuple[str, int]) -> int:
            return recorder.made(
                "handle", "sendto", sender.fileno(), f"b'all', {where}", lambda: sender.sendto(b"all", where)
            )

        try:
            send(to)
            refused = ""
        except OSError as error:
            refused = error_name(error)
        if refused not in ("", "EACCES"):
            raise Cannot(NO_BROADCAST.filled(error=refused))
        recorder.made(
            "mark",
            "setsockopt",
            sender.fileno(),
            "SOL_SOCKET, SO_BROADCAST, 1",
            lambda: sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1),
        )
        stage.progress(0.4, "with SO_BROADCAST")
        send(to)
        heard = hearing(listeners, RECEIVERS)
        stage.progress(0.7, "unicast")
        single = receivers(stack, LOOPBACK)
        send(single[0].getsockname())
        alone = hearing(single, RECEIVERS)
    stage.tell(recorder.kept())
    return {
        "receivers": RECEIVERS,
        "refused": refused,
        "heard": heard,
        "unicast": alone,
        "eacces": errno.EACCES,
    }


def receivers(stack: ExitStack, address: str) -> list[socket.socket]:
    """Five sockets that share one address and port. Raises OSError where there is no such address."""
    found: list[socket.socket] = []
    for _ in range(RECEIVERS):
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        receiver.bind((address, found[0].getsockname()[1] if found else 0))
        found.append(receiver)
    return found


def hearing(listeners: list[socket.socket], most: int) -> int:
    """How many of them have got a datagram."""
    heard: set[socket.socket] = set()
    while len(heard) < most:
        ready, _, _ = select.select(set(listeners) - heard, [], [], PATIENCE)
        if not ready:
            break
        heard.update(each for each in ready if each.recv(64) == b"all")
    return len(heard)


def claim(records: Records) -> list[Check]:
    """Refused without the option; heard by all with it; unicast by one."""
    return [
        Check(
            Text("without SO_BROADCAST the kernel refuses (EACCES)", "没有 SO_BROADCAST，内核拒绝（EACCES）"),
            int(records["refused"] == "EACCES"),
            "==",
            1,
        ),
        Check(
            Text("receivers that hear one broadcast", "听到一次广播的接收者"),
            records["heard"],
            "==",
            records["receivers"],
        ),
        Check(
            Text("receivers that hear one unicast datagram", "听到一个单播数据报的接收者"),
            records["unicast"],
            "==",
            1,
        ),
    ]


def figure(records: Records) -> Figure:
    """How many of five hear it."""
    return Figure(
        kind="bars",
        title=Text("One datagram, five receivers: who hears it?", "一个数据报，五个接收者：谁听得到？"),
        y=Axis(Text("receivers", "接收者"), Text("", "")),
        labels=[
            Text("broadcast, no option", "广播，未设选项"),
            Text("broadcast, SO_BROADCAST", "广播，SO_BROADCAST"),
            Text("unicast, shared address", "单播，共用地址"),
        ],
        series=[Series(Text("heard", "听到"), [(0, 0), (1, records["heard"]), (2, records["unicast"])])],
    )


EXPERIMENT = Experiment(
    id="broadcast",
    rows=(5,),
    title=Text("Broadcast", "广播"),
    question=Text(
        "Five sockets listen on one port. A new UDP socket sends a datagram to the broadcast address. How many hear it?",
        "五个套接字监听同一个端口。一个新建的 UDP 套接字向广播地址发一个数据报。几个能听到？",
    ),
    choices=(
        Choice("five", Text("All five", "五个全都听到")),
        Choice("one", Text("One of them", "其中一个")),
        Choice(
            "none",
            Text("None: the kernel refuses until an option is set", "一个也没有：没设选项，内核拒绝发送"),
            right=True,
        ),
    ),
    runs=Text(
        "One datagram to 127.255.255.255 without SO_BROADCAST, one with it, and one to 127.0.0.1 with five sockets behind one port. Nothing leaves this machine.",
        "向 127.255.255.255 各发一个数据报：不设 SO_BROADCAST 一次，设了一次；再向 127.0.0.1 发一个，同一端口后面有五个套接字。什么都不会离开本机。",
    ),
    watch=Text(
        "EACCES at first. Then one datagram is heard five times. Sent to a single address that five share, it reaches one.",
        "先是 EACCES。然后一个数据报有五个接收者听到。发给五个套接字共用的单播地址，只有一个收到。",
    ),
    mistake=Text(
        "Forgetting the option; and assuming that who has been called has heard: a broadcast is UDP, with all that is lost there.",
        "忘了设选项；以及以为喊了就有人听见：广播是 UDP，该丢的照样丢。",
    ),
    takeaway=Text(
        "setsockopt(SOL_SOCKET, SO_BROADCAST, 1) says that you mean it: a broadcast wakes everybody in the network.",
        "setsockopt(SOL_SOCKET, SO_BROADCAST, 1) 表示你是认真的：广播会惊动网络里的每一台机器。",
    ),
    reading=(
        Reading(
            Text("socket(7): SO_BROADCAST", "socket(7)：SO_BROADCAST"),
            "https://man7.org/linux/man-pages/man7/socket.7.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.7,
)
