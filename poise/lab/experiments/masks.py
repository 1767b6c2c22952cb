"""Bit operations, starting with 11 and 14, and what they are for."""

from __future__ import annotations

import select
import socket
from typing import Any

from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Figure
from poise.lab.masks import OPERATIONS, calculate, on_paper
from poise.lab.pairs import tcp_pair
from poise.lab.stage import Stage
from poise.lab.tapped import TappedSelect
from poise.lab.text import Text, same
from poise.readiness.interest import READ, WRITE

NOTES = {"11 & 14": "1010", "11 | 14": "1111", "11 ^ 14": "101", "11 << 2": "101100", "14 >> 2": "11"}
PAIRS = 500  # of random numbers, on which paper and processor must agree
PATIENCE = 1000  # ms


def run(stage: Stage) -> dict[str, Any]:
    """The table of the notes; the same on paper for many numbers; then masks that the kernel has made."""
    rows = [
        calculate(11, "&", 14),
        calculate(11, "|", 14),
        calculate(11, "^", 14),
        calculate(11, "<<", 2),
        calculate(14, ">>", 2),
    ]
    agreed = 0
    for _ in range(PAIRS):
        a, b = stage.random.randrange(1 << 16), stage.random.randrange(1 << 16)
        agreed += all(
            operation.compute(a, b % 8 if operation.by_hand is None else b)
            == on_paper(a, operation.sign, b % 8 if operation.by_hand is None else b)
            for operation in OPERATIONS
        )
    return {"rows": rows, "pairs": PAIRS, "agreed": agreed, **of_the_kernel(stage)}


def of_the_kernel(stage: Stage) -> dict[str, Any]:
    """Put an interest together with |, take poll's answer apart with &, put WRITE in and out with | and & ~."""
    if not hasattr(select, "poll"):
        return {"masks": []}
    recorder = stage.recorder("program")
    masks = []
    with tcp_pair() as (client, server):
        p = TappedSelect(recorder).poll()
        p.register(server, READ)
        client.send(b"word")
        masks += [mask for _fd, mask in p.poll(PATIENCE)]
        p.modify(server, READ | WRITE)
        masks += [mask for _fd, mask in p.poll(PATIENCE)]
        p.modify(server, (READ | WRITE) & ~WRITE)
        masks += [mask for _fd, mask in p.poll(PATIENCE)]
        client.shutdown(socket.SHUT_WR)
        server.shutdown(socket.SHUT_WR)
        hung_up = select.poll()
        hung_up.register(server, 0)  # HUP comes unasked
        hung_up.poll(PATIENCE)
        masks += [mask for _fd, mask in p.poll(PATIENCE)]
    stage.tell(recorder.kept())
    return {"masks": masks}


def claim(records: Records) -> list[Check]:
    """The notes are right, paper and processor agree, and & sees what == does not."""
    checks = [
        Check(
            Text("results as the notes have them, of 5", "与讲义一致的结果（共 5 个）"),
            sum(NOTES[row["text"]] == row["binary"] for row in records["rows"]),
            "==",
            len(NOTES),
        ),
        Check(
            Text("random pairs on which paper and processor agree", "纸笔与处理器一致的随机数对"),
            records["agreed"],
            "==",
            records["pairs"],
        ),
    ]
    masks = records["masks"]
    if masks:
        checks += [
            Check(
                Text(
                    "answers with data in which mask & POLLIN sees it",
                    "有数据的回答里 mask & POLLIN 看出来的个数",
                ),
                sum(bool(mask & READ) for mask in masks),
                "==",
                len(masks),
            ),
            Check(
                Text(
                    "answers with data in which mask == POLLIN does not",
                    "有数据的回答里 mask == POLLIN 看不出的个数",
                ),
                sum(mask != READ for mask in masks),
                ">=",
                2,
            ),
        ]
    return checks


def figure(records: Records) -> Figure:
    """11 and 14, and what becomes of them, as rows of lamps."""
    rows = [(same("11"), 11), (same("14"), 14)]
    rows += [(same(row["text"]), row["value"]) for row in records["rows"]]
    return Figure(
        kind="lamps",
        title=Text("11 and 14, bit by bit", "11 与 14，逐位来看"),
        lamps=rows,
        bits=[(str(1 << place), 1 << place) for place in range(5, -1, -1)],
    )


EXPERIMENT = Experiment(
    id="masks",
    rows=(19,),
    title=Text("Masks, with 11 and 14", "位运算：11 与 14"),
    question=Text(
        "poll reports event = POLLIN | POLLHUP, which is 1 | 16 = 17. A program tests if event == POLLIN. What happens?",
        "poll 报告 event = POLLIN | POLLHUP，即 1 | 16 = 17。程序写 if event == POLLIN。会怎样？",
    ),
    choices=(
        Choice("true", Text("True: POLLIN is in it", "成立：里面有 POLLIN")),
        Choice(
            "false",
            Text("False: 17 is not 1, and the data is never read", "不成立：17 不等于 1，数据永远没人读"),
            right=True,
        ),
        Choice("error", Text("An error: there is no event 17", "报错：没有 17 这个事件")),
    ),
    runs=Text(
        "The five operations of the notes on 11 and 14; 500 random pairs on paper and by the processor; then masks that the kernel made.",
        "讲义中 11 与 14 的五种运算；500 对随机数，纸笔与处理器各算一遍；再看内核给出的掩码。",
    ),
    watch=Text(
        "& keeps a lamp that is lit in both rows, | one that is lit in either, ^ one that is lit in only one of them; << and >> move the whole row.",
        "& 留下两行都亮的灯，| 留下任一行亮的灯，^ 留下只有一行亮的灯；<< 和 >> 把整行灯平移。",
    ),
    mistake=Text(
        "Comparing a mask with ==, or adding bits with + twice: 1 + 1 is 2, another bit; 1 | 1 is 1.",
        "用 == 比较掩码；或用 + 重复加位：1 + 1 是 2，成了另一位；1 | 1 还是 1。",
    ),
    takeaway=Text(
        "Put in with |, ask with &, take out with & ~. So one number carries everything that a descriptor waits for.",
        "用 | 放进去，用 & 查询，用 & ~ 去掉。一个数就能装下一个描述符关注的全部事件。",
    ),
    reading=(
        Reading(
            Text("Python: bitwise operations", "Python：按位运算"),
            "https://docs.python.org/3/library/stdtypes.html#bitwise-operations-on-integer-types",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.2,
)
