"""The sentences of the stories, while the stories are made up: verdicts, states and findings."""

from __future__ import annotations

from collections.abc import Mapping

SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "verdict.free": "The loop is free {free} of the time. Its longest hold was {longest}.",
        "verdict.held": "{name} held the loop for {longest}, {ago} ago: everybody else waited.",
        "verdict.stuck": "The loop is stuck: {name} has held it for {longest} and goes on.",
        "verdict.spinning": "The loop spins: {fd} is ready {rate} times a second, and nothing comes of it.",
        "kind.computing": "computing",
        "kind.waiting": "waiting inside the call",
        "kind.preempted": "ready, but the machine ran somebody else",
        "state.reading": "reading",
        "state.writing": "writing",
        "state.waiting": "waiting",
        "state.busy": "being served",
        "state.held": "waits for the loop",
        "state.paused": "paused",
        "state.closed": "closed",
        "lint.hog": "Descriptor {fd} ({name}) took more than half of {times} slow turns, up to {longest}, while others were ready.",
        "lint.hog.fix": "Do less in one call: give each event a budget, post the rest, or compute in another process.",
        "lint.unused": "Descriptor {fd} ({name}) is ready {rate} times a second, and its handler does nothing about it: the loop spins.",
        "lint.unused.fix": "Read what waits until the call would block, or stop watching it; at the end of a stream, close it.",
        "lint.peer_not_reading": "{peer} on descriptor {fd} has taken nothing for {time}; {waiting} wait for it.",
        "lint.peer_not_reading.fix": "Stop producing for it (backpressure), and give it a deadline without progress.",
    },
    "zh": {
        "verdict.free": "循环有 {free} 的时间是空闲的，最长一次占用 {longest}。",
        "verdict.held": "{ago} 前，{name} 占住循环 {longest}，其他人只能等。",
        "verdict.stuck": "循环卡住了：{name} 已占住 {longest}，还没有放手。",
        "verdict.spinning": "循环在空转：{fd} 每秒就绪 {rate} 次，却什么也没做成。",
        "kind.computing": "在计算",
        "kind.waiting": "在调用里等待",
        "kind.preempted": "可以运行，但机器先运行了别人",
        "state.reading": "在读",
        "state.writing": "在写",
        "state.waiting": "等待",
        "state.busy": "正在处理",
        "state.held": "等循环放手",
        "state.paused": "暂停",
        "state.closed": "已关闭",
        "lint.hog": "描述符 {fd}（{name}）在 {times} 圈慢的循环里占了一半以上，最长 {longest}，别人都在等。",
        "lint.hog.fix": "一次少做一点：给每个事件一个限额，剩下的留到下一圈，或者交给别的进程去算。",
        "lint.unused": "描述符 {fd}（{name}）每秒就绪 {rate} 次，处理函数却什么也没做：循环在空转。",
        "lint.unused.fix": "把等着的数据读到读不出为止，或者不再关注它；流已经结束，就关闭它。",
        "lint.peer_not_reading": "描述符 {fd} 对面的 {peer} 已有 {time} 没有收走任何数据，还有 {waiting} 在等它。",
        "lint.peer_not_reading.fix": "先停止为它产生数据（反压），再给它一个“没有进展”的期限。",
    },
}
