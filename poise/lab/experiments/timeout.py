"""What should a timeout do?"""

from __future__ import annotations

import random
import time
from typing import Any

from poise.lab.clients import connected
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.stage import Stage
from poise.lab.text import Text

TIMEOUTS = (0.05, 0.3, 1.0)  # seconds
GOOD = 2  # clients that are slow, but send all
GAP = 0.12  # seconds between two pieces of theirs
DRIPPED = 0.5  # seconds, the timeout that the dripping client meets
DRIPS, DRIP = 14, 0.1  # bytes, and the seconds between them


def good_and_silent(_chance: random.Random, port: int) -> dict[str, Any]:
    """First those who send a line in three pieces, then one who says nothing until he is sent away."""
    cut = sum(not answered(port) for _ in range(GOOD))
    with connected(port) as silent:
        began = time.monotonic()
        silent.recv(1)
        return {"cut": cut, "held": time.monotonic() - began}


def answered(port: int) -> bool:
    """Whether a slow client got its line back."""
    with connected(port) as client:
        try:
            for piece in (b"slow ", b"but ", b"good\n"):
                time.sleep(GAP)
                client.sendall(piece)
            return client.recv(64) == b"slow but good\n"
        except ConnectionError:
            return False


def drip(_chance: random.Random, port: int) -> dict[str, Any]:
    """A byte just before each timeout would end: for how long does that go on?"""
    with connected(port) as client:
        began = time.monotonic()
        kept = True
        try:
            for _ in range(DRIPS):
                client.sendall(b".")
                time.sleep(DRIP)
            client.sendall(b"\n")
            kept = client.recv(64) != b""
        except ConnectionError:
            kept = False  # it was late for once, and sent away
        return {"held": time.monotonic() - began, "kept": kept}


def run(stage: Stage) -> dict[str, Any]:
    """The blocking server with each timeout in turn, and the dripping client at the end."""
    rows = []
    for number, timeout in enumerate(TIMEOUTS):
        stage.progress(number / (len(TIMEOUTS) + 1), f"{timeout:g} s")
        with stage.serving("timeout", timeout=timeout, name=f"timeout, {timeout:g} s") as server:
            seen = stage.clients(good_and_silent, server.port).result()
        rows.append({"timeout": timeout * 1000, "cut": seen["cut"], "held": seen["held"] * 1000})
    stage.progress(len(TIMEOUTS) / (len(TIMEOUTS) + 1), "drip")
    with stage.serving("timeout", timeout=DRIPPED, name="timeout, dripping") as server:
        dripped = stage.clients(drip, server.port).result()
    return {
        "rows": rows,
        "good": GOOD,
        "drip": {"timeout": DRIPPED * 1000, "held": dripped["held"] * 1000, "kept": dripped["kept"]},
    }


def claim(records: Records) -> list[Check]:
    """Too short cuts off good clients; long lets bad ones hold; and neither is a deadline."""
    shortest, *_others, longest = records["rows"]
    dripped = records["drip"]
    return [
        Check(
            Text("good clients cut off by the shortest timeout", "最短超时误伤的好客户端数"),
            shortest["cut"],
            "==",
            records["good"],
        ),
        Check(
            Text("good clients cut off by the longest timeout", "最长超时误伤的好客户端数"),
            longest["cut"],
            "==",
            0,
        ),
        Check(
            Text(
                "time that a silent client holds the longest timeout (ms)",
                "最长超时下沉默客户端占用的时间（毫秒）",
            ),
            longest["held"],
            ">=",
            0.9 * longest["timeout"],
        ),
        Check(
            Text("time that a dripping client holds, in timeouts", "滴水式客户端占用的时间是超时的多少倍"),
            dripped["held"] / dripped["timeout"],
            ">=",
            2.5,
        ),
    ]


def figure(records: Records) -> Figure:
    """How long a silent client holds the server, and how many good ones pay for a short timeout."""
    good = records["good"]
    labels = [
        Text(
            f"timeout {row['timeout']:g} ms: {row['cut']} of {good} good clients cut off",
            f"超时 {row['timeout']:g} 毫秒：{good} 个好客户端中误伤 {row['cut']} 个",
        )
        for row in records["rows"]
    ]
    dripped = records["drip"]
    labels.append(
        Text(
            f"timeout {dripped['timeout']:g} ms, a byte now and then",
            f"超时 {dripped['timeout']:g} 毫秒，时不时来一个字节",
        )
    )
    held = [*(row["held"] for row in records["rows"]), dripped["held"]]
    return Figure(
        kind="bars",
        title=Text("For how long one bad client holds the server", "一个坏客户端能占住服务器多久"),
        y=Axis(Text("time held", "占用时间"), Text("ms", "毫秒")),
        labels=labels,
        series=[Series(Text("held", "占用"), list(enumerate(held)))],
    )


EXPERIMENT = Experiment(
    id="timeout",
    rows=(11,),
    title=Text("What a timeout does, and does not", "超时检测"),
    question=Text(
        "settimeout(0.5) on every client. One of them sends a single byte every 0.1 s. When is it sent away?",
        "给每个客户端 settimeout(0.5)。其中一个每 0.1 秒只发一个字节。它什么时候会被断开？",
    ),
    choices=(
        Choice("once", Text("After 0.5 s", "0.5 秒之后")),
        Choice(
            "line", Text("0.5 s after its line should have been complete", "它那一行本该发完之后再过 0.5 秒")
        ),
        Choice(
            "never",
            Text("Not at all: each byte starts the time anew", "不会：每个字节都让计时重新开始"),
            right=True,
        ),
    ),
    runs=Text(
        "The blocking server with 0.05, 0.3 and 1 s (think of 0.1, 1 and 5 s in earnest): two slow but good clients, then a silent one; then one that drips.",
        "阻塞服务器，超时分别为 0.05、0.3、1 秒（实际中可想成 0.1、1、5 秒）：先来两个慢但守规矩的客户端，再来一个沉默的，最后来一个滴水式的。",
    ),
    watch=Text(
        "Short: the good ones lose their connection in mid-sentence. Long: the silent one has the server to itself. The dripping one is never late for a single recv().",
        "超时短：好客户端话没说完就被断开。超时长：沉默者独占服务器。滴水式客户端对任何一次 recv() 都没有迟到。",
    ),
    mistake=Text(
        "No timeout at all; or one for each recv() where a deadline for the whole request was meant.",
        "完全没有超时；或者只给每次 recv() 设超时，而本该给整个请求设一个最后期限。",
    ),
    takeaway=Text(
        "A timeout bounds one call. Against slow and hostile clients a server needs a deadline for each phase of a connection, and many at once so that nobody waits for it.",
        "settimeout 限制的是一次调用的最长阻塞时间。要防住慢客户端，连接的每个阶段都要有最后期限，并且要能同时服务多个客户端。",
    ),
    reading=(
        Reading(
            Text("socket.settimeout", "socket.settimeout"),
            "https://docs.python.org/3/library/socket.html#socket.socket.settimeout",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=5.0,
    sources=("timeout",),
)
