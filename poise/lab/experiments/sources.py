"""Terminal, disk and network, read by one program."""

from __future__ import annotations

import os
import random
import select
import socket
import time
from pathlib import Path
from typing import Any

from poise.lab.clients import LOOPBACK, connected
from poise.lab.events import Recorder, error_name, preview
from poise.lab.experiment import Cannot, Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.models import FOLDER
from poise.lab.stage import Stage
from poise.lab.tapped import TappedSelect
from poise.lab.text import Text, same

FILE: Path = FOLDER / "by_poll.py"  # there anyhow; any file on a disk would do
SIZE = 512  # bytes read at a time
TYPED = (b"select\n", b"poll\n", b"\x04")  # the last one is Ctrl-D: the end of what is typed
SAID = (b"one", b"two", b"three")
GAP = 0.03  # seconds

NO_POLL = Text("This system has no poll.", "这个系统没有 poll。")
NAMES = {
    "terminal": Text("terminal", "终端"),
    "disk": Text("disk", "磁盘"),
    "network": Text("network", "网络"),
}


def person(_chance: random.Random, keyboard: int) -> int:
    """Types a few words, slowly."""
    for word in TYPED:
        time.sleep(GAP)
        os.write(keyboard, word)
    time.sleep(GAP)
    return len(TYPED)


def peer(_chance: random.Random, port: int) -> int:
    """Says a few words, and hangs up."""
    with connected(port) as client:
        for word in SAID:
            time.sleep(GAP * 0.7)
            client.sendall(word)
    return len(SAID)


def run(stage: Stage) -> dict[str, Any]:
    """One loop over three sources; then epoll is asked to watch the file."""
    if not hasattr(select, "poll"):
        raise Cannot(NO_POLL)
    keyboard, terminal = os.openpty()
    disk = os.open(FILE, os.O_RDONLY)
    with socket.create_server((LOOPBACK, 0)) as listener:
        typist = stage.clients(person, keyboard)
        speaker = stage.clients(peer, listener.getsockname()[1])
        network, _address = listener.accept()
    with network:
        records = loop(stage, {"terminal": terminal, "disk": disk, "network": network.fileno()})
    typist.result()
    speaker.result()
    refused = asked_of_epoll(disk)
    for number in (keyboard, terminal, disk):
        os.close(number)
    return {**records, "size": FILE.stat().st_size, "epoll": refused}


def loop(stage: Stage, sources: dict[str, int]) -> dict[str, Any]:
    """The three steps, over three kinds of descriptor. Each is read until its end."""
    recorder = stage.recorder("program")
    p = TappedSelect(recorder).poll()
    table = {fd: name for name, fd in sources.items()}
    got = dict.fromkeys(sources, 0)
    reads = dict.fromkeys(sources, 0)
    turns: list[list[str]] = []
    for fd in table:
        p.register(fd, select.POLLIN)  # 1. mark
    while table:
        events = p.poll()  # 2. submit
        turns.append([table[fd] for fd, _event in events])
        for fd, _event in events:  # 3. handle: the same call for a terminal, a file and a socket
            data = read(recorder, fd)
            got[table[fd]] += len(data)
            reads[table[fd]] += 1
            if not data:
                p.unregister(fd)
                del table[fd]
    stage.tell(recorder.kept())
    return {"got": got, "reads": reads, "turns": turns}


def read(recorder: Recorder, fd: int) -> bytes:
    """What there is, at most SIZE bytes; b"" at the end."""
    return recorder.made(
        "handle", "read", fd, f"{fd}, {SIZE}", lambda: os.read(fd, SIZE), shown=preview, count=len
    )


def asked_of_epoll(disk: int) -> str:
    """What epoll says to a regular file; "" where there is no epoll."""
    if not hasattr(select, "epoll"):
        return ""
    with select.epoll() as ep:
        try:
            ep.register(disk, select.EPOLLIN)
        except OSError as error:
            return error_name(error)
    return "taken"


def claim(records: Records) -> list[Check]:
    """All three are read to their end by one loop; the file was ready each time; epoll refuses it."""
    got, turns = records["got"], records["turns"]
    until = max(number for number, names in enumerate(turns) if "disk" in names)
    checks = [
        Check(Text("bytes read from the disk", "从磁盘读到的字节"), got["disk"], "==", records["size"]),
        Check(
            Text("bytes read from the network", "从网络读到的字节"), got["network"], "==", sum(map(len, SAID))
        ),
        Check(
            Text("bytes read from the terminal", "从终端读到的字节"),
            got["terminal"],
            "==",
            sum(map(len, TYPED[:-1])),
        ),
        Check(
            Text(
                "share of turns, until its end, in which the file was ready", "文件读完之前，它就绪的轮数比例"
            ),
            sum("disk" in names for names in turns[: until + 1]) / (until + 1),
            "==",
            1,
        ),
    ]
    if records["epoll"]:
        checks.append(
            Check(
                Text("epoll refuses a regular file (EPERM)", "epoll 拒绝普通文件（EPERM）"),
                int(records["epoll"] == "EPERM"),
                "==",
                1,
            )
        )
    return checks


def figure(records: Records) -> Figure:
    """How often each was ready."""
    names = list(records["reads"])
    return Figure(
        kind="bars",
        title=Text("One loop, three sources: how often each was ready", "一个循环，三个来源：各就绪几次"),
        y=Axis(Text("reads", "读的次数"), same("")),
        labels=[NAMES[name] for name in names],
        series=[
            Series(Text("reads", "读"), [(index, records["reads"][name]) for index, name in enumerate(names)])
        ],
    )


EXPERIMENT = Experiment(
    id="sources",
    rows=(7,),
    title=Text("Terminal, disk and network", "终端、磁盘、网络"),
    question=Text(
        "One poll() watches a terminal, a file on disk and a socket. Nobody types yet, nobody has sent anything. Who is ready?",
        "一个 poll() 同时监控终端、磁盘文件和套接字。没人打字，也没人发数据。谁就绪？",
    ),
    choices=(
        Choice("none", Text("Nobody: poll waits", "谁也没有：poll 在等")),
        Choice("disk", Text("The file, always", "文件，永远就绪"), right=True),
        Choice("all", Text("All three: their buffers can be read", "三个都就绪：缓冲区都可读")),
    ),
    runs=Text(
        "One loop that reads what is typed on a pseudo-terminal, a source file of this lab, and what a client says, each until its end.",
        "一个循环，读伪终端上敲的字、本实验室的一个源文件、以及一个客户端说的话，都读到结束为止。",
    ),
    watch=Text(
        "The same three steps and the same read() for all. The file is ready in each turn until it ends; then the loop sleeps, and the other two wake it.",
        "三种来源，同样的三个步骤，同样的 read()。文件每一轮都就绪，直到读完；之后循环睡下，由另外两个叫醒。",
    ),
    mistake=Text(
        "Expecting a disk to announce itself. A regular file is always ready, even when the read then waits for the disk; epoll refuses to watch one (EPERM).",
        "指望磁盘会通知你。普通文件永远就绪，哪怕读的时候还要等磁盘；epoll 干脆拒绝监控它（EPERM）。",
    ),
    takeaway=Text(
        "Terminal, pipe, socket: whatever brings data by itself can be waited for in one loop. For a slow disk take a thread.",
        "终端、管道、套接字：凡是数据自己会来的，都能放进一个循环里等。慢磁盘就交给线程。",
    ),
    reading=(
        Reading(
            Text("epoll_ctl(2): EPERM", "epoll_ctl(2)：EPERM"),
            "https://man7.org/linux/man-pages/man2/epoll_ctl.2.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.4,
)
