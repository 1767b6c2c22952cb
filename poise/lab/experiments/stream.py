"""Messages or a stream?"""

from __future__ import annotations

from typing import Any

from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.pairs import tcp_pair, wait_for
from poise.lab.stage import Stage
from poise.lab.text import Text
from poise.wire.framing import Framer, LengthFramer, LineFramer

MESSAGES = 100
ASKED = 300  # bytes that recv asks for


def run(stage: Stage) -> dict[str, Any]:
    """A hundred small sends, then recv; bare, with a delimiter, and with a length in front."""
    rows: list[dict[str, Any]] = []
    messages = [b"msg %03d!" % number for number in range(MESSAGES)]
    framers: dict[str, Framer | None] = {"bare": None, "lines": LineFramer(), "length": LengthFramer(2)}
    for number, (name, framer) in enumerate(framers.items()):
        stage.progress(number / len(framers), name)
        sent = messages if framer is None else [framer.frame(message) for message in messages]
        recorder = stage.recorder(f"program, {name}")
        with tcp_pair(recorder) as (client, server):
            for message in sent:
                client.sendall(message)  # each in a call of its own
            client.close()
            wait_for(server, sum(map(len, sent)))
            pieces = []
            while piece := server.recv(ASKED):
                pieces.append(piece)
        stage.tell(recorder.kept())
        found = pieces if framer is None else [message for piece in pieces for message in framer.feed(piece)]
        rows.append(
            {
                "name": name,
                "sent": len(sent),
                "reads": [len(piece) for piece in pieces],
                "split": sum(total % len(sent[0]) > 0 for total in ends(pieces)),
                "right": sum(one == other for one, other in zip(messages, found, strict=False)),
            }
        )
    return {"rows": rows}


def ends(pieces: list[bytes]) -> list[int]:
    """Where each piece ends in the stream; the last one ends where everything does."""
    return [sum(map(len, pieces[: number + 1])) for number in range(len(pieces) - 1)]


def claim(records: Records) -> list[Check]:
    """A few reads for a hundred writes, some messages cut in two; framing finds them all."""
    bare, *framed = records["rows"]
    checks = [
        Check(
            Text("writes for each read", "每次读对应多少次写"), bare["sent"] / len(bare["reads"]), ">=", 10
        ),
        Check(Text("reads that end inside a message", "在消息中间断开的读"), bare["split"], ">=", 1),
        Check(
            Text("messages that recv gave as they were sent", "recv 原样给出的消息数"), bare["right"], "<=", 1
        ),
    ]
    names = {
        "lines": Text("framed by a delimiter", "用分隔符划界"),
        "length": Text("framed by a length", "用长度前缀划界"),
    }
    for row in framed:
        name = names[row["name"]]
        checks.append(
            Check(
                Text(f"{name.en}: messages found again", f"{name.zh}：还原的消息数"),
                row["right"],
                "==",
                row["sent"],
            )
        )
    return checks


def figure(records: Records) -> Figure:
    """What came in each read."""
    bare = records["rows"][0]
    most = bare["reads"][:12]
    return Figure(
        kind="bars",
        title=Text(
            f"{bare['sent']} writes of 8 bytes arrive in {len(bare['reads'])} reads",
            f"{bare['sent']} 次 8 字节的写，{len(bare['reads'])} 次读就到齐",
        ),
        y=Axis(Text("bytes in one read", "一次读到的字节"), Text("bytes", "字节")),
        labels=[
            Text(f"recv({ASKED}), no. {number}", f"第 {number} 次 recv({ASKED})")
            for number in range(1, len(most) + 1)
        ],
        series=[Series(Text("bytes", "字节"), list(enumerate(most)))],
    )


EXPERIMENT = Experiment(
    id="stream",
    rows=(2,),
    title=Text("Messages stick together", "粘包"),
    question=Text(
        "The client calls send() 100 times with 8 bytes each. The server then calls recv(300) until all is there. How often does recv return data?",
        "客户端 send() 100 次，每次 8 字节。服务器随后用 recv(300) 一直读到读完。recv 会有几次返回数据？",
    ),
    choices=(
        Choice("hundred", Text("100 times: once for each message", "100 次：一条消息一次")),
        Choice("three", Text("3 times: as many bytes as it asks for", "3 次：要多少就给多少"), right=True),
        Choice("one", Text("Once, with everything", "1 次，全都给你")),
    ),
    runs=Text(
        "100 writes of 8 bytes on one connection, read with recv(300): as they are, as lines, and with a length of two bytes in front of each.",
        "一条连接上 100 次 8 字节的写，用 recv(300) 读：不加任何东西一次，一行一条一次，前面加两字节长度一次。",
    ),
    watch=Text(
        "Three bars for a hundred writes: of their borders nothing is left. recv cuts wherever it likes: 300 bytes are 37 and a half messages.",
        "一百次写只剩下三条，原来的边界不见了。recv 想在哪儿剪就在哪儿剪：300 字节是 37 条半消息。",
    ),
    mistake=Text(
        "Taking one recv for one message. On a fast local network it often works, which makes it worse.",
        "把一次 recv 当成一条消息。本机测试往往碰巧没事，所以更危险。",
    ),
    takeaway=Text(
        "TCP is a stream of bytes without borders. The borders are ours to draw: a delimiter, a fixed size, or a length in front.",
        "TCP 是没有边界的字节流，消息会粘连（粘包）。边界要自己划：分隔符、固定长度，或长度前缀。",
    ),
    reading=(
        Reading(
            Text("tcp(7): a byte stream", "tcp(7)：字节流"),
            "https://man7.org/linux/man-pages/man7/tcp.7.html",
        ),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.3,
)
