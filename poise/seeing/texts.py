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
    "verdict.unanswered": "The loop has not come to its next turn for {longest}: {name} holds it.",
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
    "verdict.unanswered": "循环已有 {longest} 没有转到下一圈：{name} 占着它。",
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


def duration(ns: float) -> str:
    """``0.4 ms``, ``212 ms``, ``3.1 s``."""
    if ns >= 10_000_000_000:
        return f"{ns / 1e9:.0f} s"
    if ns >= 1_000_000_000:
        return f"{ns / 1e9:.1f} s"
    if ns >= 10_000_000:
        return f"{ns / 1e6:.0f} ms"
    return f"{ns / 1e6:.1f} ms" if ns >= 100_000 else f"{ns / 1e3:.0f} µs"


def size(count: float) -> str:
    """``512 B``, ``64 KiB``, ``3.9 MiB``."""
    for unit, width in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= width:
            return f"{count / width:.3g} {unit}"
    return f"{count:.0f} B"


def percent(part: float) -> str:
    """``97 %``; a little is not nothing, and not quite all is not all."""
    if 0 < part < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < part < 1 else f"{part * 100:.0f} %"
