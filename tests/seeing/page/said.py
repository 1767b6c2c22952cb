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
        "state.busy": "busy",
        "state.held": "held",
        "state.closed": "closed",
        "lint.hog": "{name} takes {share} of all the loop's work, for descriptor {fd}.",
        "lint.hog.fix": "Give long computations to a thread or process with offload(), or do them in slices.",
        "lint.ready_unused": "Descriptor {fd} ({what}) was ready {count} times in a row, and nothing was read.",
        "lint.ready_unused.fix": "Read until nothing is left, or stop asking for IN.",
        "lint.peer_not_reading": "Client {peer} (descriptor {fd}) does not read: {queue} wait in our queue and {out} in the kernel.",
        "lint.peer_not_reading.fix": "Stop writing in pause_writing(), go on in resume_writing(), and give it a deadline.",
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
        "state.busy": "忙",
        "state.held": "占用",
        "state.closed": "已关闭",
        "lint.hog": "{name} 占了循环全部工作的 {share}，服务于描述符 {fd}。",
        "lint.hog.fix": "用 offload() 把长计算交给线程或进程，或者切成小段来做。",
        "lint.ready_unused": "描述符 {fd}（{what}）连续 {count} 次就绪，却什么也没读。",
        "lint.ready_unused.fix": "一直读到读空，或者不再关心 IN。",
        "lint.peer_not_reading": "客户端 {peer}（描述符 {fd}）不读：我们的队列里积压 {queue}，内核里积压 {out}。",
        "lint.peer_not_reading.fix": "在 pause_writing() 里停写，在 resume_writing() 里继续，并给它一个期限。",
    },
}
