"""HTTP by hand: is one recv one request?"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Any

from poise.lab.clients import connected
from poise.lab.events import Recorder, preview
from poise.lab.experiment import Check, Choice, Experiment, Reading, Records
from poise.lab.figure import Axis, Figure, Series
from poise.lab.models import MODELS
from poise.lab.models.service import WebConversation
from poise.lab.stage import Stage
from poise.lab.tapped import replacements
from poise.lab.text import Text

HEAD = b"GET %s HTTP/1.1\r\nHost: lab\r\n\r\n"
FOUND, MISSING = HEAD % b"/", HEAD % b"/none"
GAP = 0.002  # seconds between two bytes

CASES: dict[str, tuple[Text, list[bytes]]] = {
    "whole": (Text("GET / in one piece", "GET / 一次发完"), [FOUND]),
    "missing": (Text("GET /none in one piece", "GET /none 一次发完"), [MISSING]),
    "bytes": (Text("GET / byte by byte", "GET / 一个字节一个字节地发"), [bytes([each]) for each in FOUND]),
    "cut": (Text("cut in the middle of a header line", "从头部某一行中间断开"), [FOUND[:22], FOUND[22:]]),
    "pipelined": (Text("two requests in one packet", "一个包里两个请求"), [FOUND + MISSING]),
    "overlapping": (
        Text("one and a half, then the rest", "先发一个半，再发剩下的"),
        [FOUND + MISSING[:10], MISSING[10:]],
    ),
}


class Taped(WebConversation):
    """The service, with a note of where it stands after each recv."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._replies = 0

    def received(self, data: bytes) -> None:
        super().received(data)
        if data:
            state = "line" if self._rest else "head" if self._target else "idle"
            self._recorder.notes.append([preview(data), state, self._replies])

    def reply(self, target: str) -> bytes:
        self._replies += 1
        return super().reply(target)


def ask(_chance: random.Random, port: int, pieces: list[str], replies: int) -> list[int]:
    """Send the pieces one by one, read the replies; their statuses."""
    got = b""
    with connected(port) as client:
        for piece in pieces:
            client.sendall(piece.encode("latin-1"))
            time.sleep(GAP)  # or the kernel might put two pieces into one
        while got.count(b"HTTP/1.1 ") < replies or not got.endswith((b"ready\n", b"not here\n")):
            data = client.recv(4096)
            if not data:
                break
            got += data
    return [int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:]]


def run(stage: Stage) -> dict[str, Any]:
    """Each case on a connection of its own, to the select server."""
    rows = []
    for number, (name, (_text, pieces)) in enumerate(CASES.items()):
        stage.progress(number / len(CASES), name)
        recorder = Recorder(f"select, {name}", stage.began)
        serve = MODELS["select"].load(None, replacements(recorder))
        requests = b"".join(pieces).count(b"GET ")
        with stage.serving_by(serve, recorder, service=partial(Taped, recorder)) as server:
            sent = [piece.decode("latin-1") for piece in pieces]
            statuses = stage.clients(ask, server.port, sent, requests).result()
        rows.append(
            {
                "name": name,
                "sends": len(pieces),
                "requests": requests,
                "statuses": statuses,
                "reads": len(server.kept["notes"]),
                "tape": server.kept["notes"],
            }
        )
    return {"rows": rows}


def claim(records: Records) -> list[Check]:
    """Reads and requests are two different counts, and the answers are right all the same."""
    rows = {row["name"]: row for row in records["rows"]}
    right = {
        "whole": [200],
        "missing": [404],
        "bytes": [200],
        "cut": [200],
        "pipelined": [200, 404],
        "overlapping": [200, 404],
    }
    return [
        Check(
            Text("cases answered rightly, of 6", "答对的情形（共 6 种）"),
            sum(rows[name]["statuses"] == statuses for name, statuses in right.items()),
            "==",
            len(right),
        ),
        Check(
            Text("byte by byte: reads for one request", "逐字节：一个请求对应的读次数"),
            rows["bytes"]["reads"],
            ">=",
            5,
        ),
        Check(
            Text(
                "byte by byte: reads that left the parser inside a line or the head",
                "逐字节：读完之后，解析器仍停在一行或请求头之中的次数",
            ),
            sum(state != "idle" for _data, state, _replies in rows["bytes"]["tape"]),
            ">=",
            4,
        ),
        Check(
            Text("two in one packet: requests for one read", "一包两个：一次读对应的请求数"),
            rows["pipelined"]["requests"] / rows["pipelined"]["reads"],
            ">=",
            2,
        ),
    ]


def figure(records: Records) -> Figure:
    """Reads beside requests."""
    return Figure(
        kind="bars",
        title=Text("How often recv returned, and how many requests there were", "recv 返回几次，请求有几个"),
        y=Axis(Text("number", "次数"), Text("", "")),
        labels=[CASES[row["name"]][0] for row in records["rows"]],
        series=[
            Series(
                Text("recv returned", "recv 返回"),
                [(i, row["reads"]) for i, row in enumerate(records["rows"])],
            ),
            Series(Text("requests", "请求"), [(i, row["requests"]) for i, row in enumerate(records["rows"])]),
        ],
    )


EXPERIMENT = Experiment(
    id="http",
    rows=(6, 20),
    title=Text("HTTP by hand", "手写 HTTP"),
    question=Text(
        "A client sends GET / byte by byte. The server calls recv(4096) and takes what comes for a request. What does it see first?",
        "客户端把 GET / 一个字节一个字节地发出来。服务器 recv(4096)，收到什么就当成一个请求。它先看到什么？",
    ),
    choices=(
        Choice("whole", Text("The whole request: TCP puts it together", "完整的请求：TCP 会拼好")),
        Choice("letter", Text('b"G"', 'b"G"'), right=True),
        Choice("nothing", Text("Nothing, until the request is complete", "什么也看不到，直到请求完整")),
    ),
    runs=Text(
        "The select server and six ways to send GET: whole, to a page that there is none of, byte by byte, cut in two, two in one packet, one and a half.",
        "select 服务器，六种发送 GET 的方式：整个发、请求不存在的页面、逐字节、断成两段、一包两个、一个半。",
    ),
    watch=Text(
        "Byte by byte, many recv make one request, and after all but the last the parser is still inside a line or the head; two in one packet are two requests for one recv. In slow motion: nothing is sent before the empty line has come, and then 200 or 404.",
        "逐字节发，许多次 recv 才凑成一个请求，最后一次之前解析器都停在一行或请求头之中；一包两个，一次 recv 就有两个请求。慢动作里：空行没到就什么也不发，到了才回答 200 或 404。",
    ),
    mistake=Text(
        "data = recv(4096); parse(data): right on the desk of whoever wrote it, wrong in the network.",
        "data = recv(4096); parse(data)：在自己桌上没问题，上了网就错。",
    ),
    takeaway=Text(
        "A request ends where its grammar says, not where recv returns. Keep what has come, take whole requests off its front, and leave the rest.",
        "请求在语法规定的地方结束，而不是在 recv 返回的地方。把收到的攒着，从前面取走完整的请求，其余留下。",
    ),
    reading=(
        Reading(Text("RFC 9112: HTTP/1.1", "RFC 9112：HTTP/1.1"), "https://www.rfc-editor.org/rfc/rfc9112"),
    ),
    run=run,
    claim=claim,
    figure=figure,
    seconds=0.6,
    sources=("select",),
)
