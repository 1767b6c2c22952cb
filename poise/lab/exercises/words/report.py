"""The words around an explanation."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "ok": "ok",
    "failed": "FAILED",
    "did": "What the clients did",
    "happened": "What happened",
    "program": "The program",
    "printed": "The last that it printed",
    "why": "Why it must work",
    "hint": "The usual mistake",
    "todo": "There is still a TODO in line {lines}.",
    "passed": "All {count} passed.",
    "count": "{passed} of {count} passed.",
    "stopped": "{passed} of {count} passed, {untried} not tried: one thing at a time (--all tries them all).",
    "earlier": "… {count} earlier lines",
    "nothing": "nothing",
    "bytes": "{ends} ({count:,} bytes)",
    "connects": "connects",
    "refused": "connects: refused, nobody listens",
    "unanswered": "connects: nobody answers",
    "sends": "sends {data}",
    "gets": "gets {data}",
    "waits": "waits in vain",
    "half-closes": "has nothing more to say (half-close), and goes on reading",
    "leaves": "leaves (close)",
    "resets": "crashes (RST)",
    "end": "sees the end of the connection",
    "broken": "sees the connection broken",
}

CHINESE: Mapping[str, str] = {
    "ok": "通过",
    "failed": "未通过",
    "did": "客户端做了什么",
    "happened": "发生了什么",
    "program": "程序",
    "printed": "它最后打印的内容",
    "why": "为什么必须做到",
    "hint": "常见的错误",
    "todo": "第 {lines} 行还有 TODO。",
    "passed": "{count} 项全部通过。",
    "count": "{count} 项中通过 {passed} 项。",
    "stopped": "{count} 项中通过 {passed} 项，{untried} 项没有试：一次解决一个（--all 全部都试）。",
    "earlier": "……前面还有 {count} 行",
    "nothing": "0 字节",
    "bytes": "{ends}（共 {count:,} 字节）",
    "connects": "连接",
    "refused": "连接：被拒绝，没有人监听",
    "unanswered": "连接：没有人应答",
    "sends": "发出 {data}",
    "gets": "收到 {data}",
    "waits": "没有等到",
    "half-closes": "没有更多要说的了（半关闭），但还在读",
    "leaves": "离开（close）",
    "resets": "崩溃（RST）",
    "end": "看到连接结束",
    "broken": "看到连接中断",
}

TEXTS = {"en": ENGLISH, "zh": CHINESE}
