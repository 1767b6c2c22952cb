"""The sentences of the stories, while the stories are made up: verdicts, states and findings."""

from __future__ import annotations

from collections.abc import Mapping

SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "verdict.free": "The loop is free {free} of the time; the longest hold was {ns}, in {name}, {ago_ns} ago.",
        "verdict.held": "The loop is free {free} of the time, but {name} held it for {ns}, {ago_ns} ago.",
        "verdict.stuck": "The loop has been stuck for {ns} in {name}, for {peer}.",
        "verdict.spinning": "The loop is spinning: it never waits, because a descriptor is ready and nobody does anything about it.",
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
        "verdict.free": "循环有 {free} 的时间空闲；最长的一次占用是 {ago_ns} 前 {name} 的 {ns}。",
        "verdict.held": "循环有 {free} 的时间空闲，但 {ago_ns} 前 {name} 占了它 {ns}。",
        "verdict.stuck": "循环卡在 {name} 已有 {ns}，正服务于 {peer}。",
        "verdict.spinning": "循环在空转：有描述符一直就绪，却没人处理，于是从不等待。",
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
