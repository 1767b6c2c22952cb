"""What is said of a loop, in English and Chinese: verdicts, lints and their fixes, states, kinds.

A text has an id and, in braces, places for arguments. Arguments are strings that need no translation: names, numbers with
units, ``file:line``. The page, the terminal and the log say the same sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final = {
    "verdict.idle": "Nothing to do: the loop is waiting.",
    "verdict.free": "The loop is free {free} of the time. Its longest hold was {longest}.",
    "verdict.busy": "The loop is busy {busy} of the time. Its longest hold was {longest}.",
    "verdict.full": "The loop is busy {busy} of the time: it can hardly do more.",
    "verdict.held": "{name} held the loop for {longest}, {ago} ago: everybody else waited.",
    "verdict.stuck": "The loop is stuck: {name} has held it for {longest} and goes on.",
    "verdict.spinning": "The loop spins: {fd} is ready {rate} times a second, and nothing comes of it.",
    "verdict.starting": "The watching begins with the next turn of the loop.",
    "verdict.new": "The watching has just begun: the first figures come in a second.",
    "lint.unused": "Descriptor {fd} ({name}) is ready {rate} times a second, and its handler does nothing about it: the loop spins.",
    "lint.unused.fix": "Read what waits until the call would block, or stop watching it; at the end of a stream, close it.",
    "lint.write_idle": "Descriptor {fd} ({name}) is watched for WRITE although nothing waits to be sent: {rate} events a second for nothing.",
    "lint.write_idle.fix": "Send first; watch for WRITE only while something is left, and stop when the queue is empty.",
    "lint.not_drained": "On descriptor {fd} ({name}) {waiting} wait to be read, and no event comes any more: an edge was missed.",
    "lint.not_drained.fix": "With edge-triggered readiness read until the call would block, every time; or use level-triggered.",
    "lint.short_dropped": "On descriptor {fd} ({name}) send() took {taken} of {asked}, and the rest was forgotten, at {where}.",
    "lint.short_dropped.fix": "Use what send() returns: keep the rest, and send it when the descriptor is ready for WRITE.",
    "lint.hog": "Descriptor {fd} ({name}) took more than half of {times} slow turns, up to {longest}, while others were ready.",
    "lint.hog.fix": "Do less in one call: give each event a budget, post the rest, or compute in another process.",
    "lint.peer_not_reading": "{peer} on descriptor {fd} has taken nothing for {time}; {waiting} wait for it.",
    "lint.peer_not_reading.fix": "Stop producing for it (backpressure), and give it a deadline without progress.",
    "lint.descriptors": "Descriptor {highest} is open, and the limit is {limit}: soon nobody can be accepted.",
    "lint.descriptors.fix": "Raise the limit (ulimit -n), close idle connections sooner, or look for descriptors that are never closed.",
    "lint.select_limit": "Descriptor {highest} is near 1024, beyond which select() cannot see.",
    "lint.select_limit.fix": "Use epoll, kqueue or poll, which have no such limit.",
    "lint.storm": "{rate} connections a second come to descriptor {fd} ({peer}); {open} are open.",
    "lint.storm.fix": "Keep connections alive between requests, limit those of one client, and bound how many are accepted in one event.",
    "kind.computing": "computing",
    "kind.waiting": "waiting inside the call",
    "kind.preempted": "ready, but the machine ran somebody else",
    "kind.held": "holding the loop",
    "state.reading": "reading",
    "state.writing": "writing",
    "state.waiting": "waiting",
    "state.busy": "being served",
    "state.held": "waits for the loop",
    "state.paused": "paused",
    "state.closed": "closed",
}

CHINESE: Final = {
    "verdict.idle": "无事可做：循环正在等待。",
    "verdict.free": "循环有 {free} 的时间是空闲的，最长一次占用 {longest}。",
    "verdict.busy": "循环有 {busy} 的时间在忙，最长一次占用 {longest}。",
    "verdict.full": "循环有 {busy} 的时间在忙，几乎没有余量了。",
    "verdict.held": "{ago} 前，{name} 占住循环 {longest}，其他人只能等。",
    "verdict.stuck": "循环卡住了：{name} 已占住 {longest}，还没有放手。",
    "verdict.spinning": "循环在空转：{fd} 每秒就绪 {rate} 次，却什么也没做成。",
    "verdict.starting": "循环转到下一圈，就开始观察。",
    "verdict.new": "观察刚刚开始，一秒后就有数字。",
    "lint.unused": "描述符 {fd}（{name}）每秒就绪 {rate} 次，处理函数却什么也没做：循环在空转。",
    "lint.unused.fix": "把等着的数据读到读不出为止，或者不再关注它；流已经结束，就关闭它。",
    "lint.write_idle": "描述符 {fd}（{name}）没有数据要发，却一直关注可写：每秒白白唤醒 {rate} 次。",
    "lint.write_idle.fix": "先直接发送；有剩余时才关注可写，缓冲区一空就取消。",
    "lint.not_drained": "描述符 {fd}（{name}）还有 {waiting} 没读，却不再有事件：错过了一次边沿。",
    "lint.not_drained.fix": "用边沿触发，每次都要读到会阻塞为止；或者改用水平触发。",
    "lint.short_dropped": "描述符 {fd}（{name}）上 send() 只收下 {asked} 中的 {taken}，剩下的被丢了，位置 {where}。",
    "lint.short_dropped.fix": "看 send() 的返回值：留下没发完的部分，等可写时再发。",
    "lint.hog": "描述符 {fd}（{name}）在 {times} 圈慢的循环里占了一半以上，最长 {longest}，别人都在等。",
    "lint.hog.fix": "一次少做一点：给每个事件一个限额，剩下的留到下一圈，或者交给别的进程去算。",
    "lint.peer_not_reading": "描述符 {fd} 对面的 {peer} 已有 {time} 没有收走任何数据，还有 {waiting} 在等它。",
    "lint.peer_not_reading.fix": "先停止为它产生数据（反压），再给它一个“没有进展”的期限。",
    "lint.descriptors": "已经打开到描述符 {highest}，上限是 {limit}：很快就接不进新连接了。",
    "lint.descriptors.fix": "提高上限（ulimit -n），早些关闭空闲连接，或者查一查哪里忘了关闭。",
    "lint.select_limit": "描述符 {highest} 快到 1024 了，再大 select() 就看不见。",
    "lint.select_limit.fix": "换用 epoll、kqueue 或 poll，它们没有这个限制。",
    "lint.storm": "描述符 {fd}（{peer}）每秒涌来 {rate} 个连接，现在开着 {open} 个。",
    "lint.storm.fix": "请求之间保持连接，限制单个客户的连接数，并限制一次事件最多接受几个。",
    "kind.computing": "在计算",
    "kind.waiting": "在调用里等待",
    "kind.preempted": "可以运行，但机器先运行了别人",
    "kind.held": "占着循环",
    "state.reading": "在读",
    "state.writing": "在写",
    "state.waiting": "等待",
    "state.busy": "正在处理",
    "state.held": "等循环放手",
    "state.paused": "暂停",
    "state.closed": "已关闭",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "zh": CHINESE}


def say(id: str, args: Mapping[str, str], language: str = "en") -> str:  # noqa: A002 - a text's id is called that
    """The sentence. An argument that is missing is a dash, an unknown id itself: a page must not fail for a word."""
    text = TEXTS.get(language, ENGLISH).get(id, id)
    return text.format_map(_Given(args))


class _Given(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "–"


def percent(part: float) -> str:
    """``97 %``; a little is not nothing, and not quite all is not all."""
    if 0 < part < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < part < 1 else f"{part * 100:.0f} %"
