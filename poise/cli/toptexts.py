"""The words of ``poise top`` that are its own, in both languages; sentences about the loop are those of the page."""

from __future__ import annotations

import os
from collections.abc import Mapping

Texts = Mapping[str, str]

WORDS: Mapping[str, Texts] = {
    "en": {
        "longest": "longest hold",
        "busy": "busy",
        "lag": "timers late (p99)",
        "turns": "turns/s",
        "calls": "calls/s",
        "open": "open",
        "cost": "watching costs",
        "now": "turn {number}: {phase} for {ns}",
        "phase.wait": "waiting",
        "phase.handle": "handling",
        "phase.timers": "timers",
        "phase.posted": "posted calls",
        "fd": "FD",
        "kind": "KIND",
        "what": "WHAT",
        "peer": "PEER",
        "state": "STATE",
        "buffers": "in │queue│out",
        "rate_in": "IN/s",
        "rate_out": "OUT/s",
        "events": "CALLS",
        "held": "HELD",
        "most": "LONGEST",
        "stuck": "{name}: {kind}, {ns}",
        "stall": "{ago} ago, {ns}: {name}, {kind}",
        "holders": "WHO HELD THE LOOP",
        "total": "TOTAL",
        "share": "SHARE",
        "timers": "TIMERS",
        "due": "DUE IN",
        "more": "{count} more",
        "none": "nothing matches",
        "by": "by {sort}",
        "sort.held": "time held",
        "sort.last": "last used",
        "sort.rate": "bytes per second",
        "sort.fd": "number",
        "help": "q quit  p pause  s sort  f filter  d {other}",
        "other.rows": "descriptors",
        "other.holders": "holders",
        "other.timers": "timers",
        "paused": "paused: p goes on",
        "filter": "show only: {text}_  (Enter keeps it, Esc drops it)",
        "fix": "→",
        "lost": "Nothing new for {ns}: the program does not get to answer.",
    },
    "zh": {
        "longest": "最长占用",
        "busy": "忙",
        "lag": "定时器迟到 (p99)",
        "turns": "轮/秒",
        "calls": "回调/秒",
        "open": "已打开",
        "cost": "观察开销",
        "now": "第 {number} 轮：{phase}，已 {ns}",
        "phase.wait": "等待就绪",
        "phase.handle": "处理事件",
        "phase.timers": "定时器",
        "phase.posted": "投递的调用",
        "fd": "FD",
        "kind": "种类",
        "what": "是什么",
        "peer": "对端",
        "state": "状态",
        "buffers": "收  │ 队列│发",
        "rate_in": "收/秒",
        "rate_out": "发/秒",
        "events": "回调",
        "held": "占用",
        "most": "最长",
        "stuck": "{name}：{kind}，{ns}",
        "stall": "{ago} 前，{ns}：{name}，{kind}",
        "holders": "谁占用了循环",
        "total": "合计",
        "share": "占比",
        "timers": "定时器",
        "due": "还有",
        "more": "另有 {count} 个",
        "none": "没有符合的",
        "by": "按{sort}排序",
        "sort.held": "占用时间",
        "sort.last": "最近使用",
        "sort.rate": "每秒字节",
        "sort.fd": "编号",
        "help": "q 退出  p 暂停  s 排序  f 筛选  d {other}",
        "other.rows": "描述符",
        "other.holders": "占用者",
        "other.timers": "定时器",
        "paused": "已暂停：按 p 继续",
        "filter": "只显示：{text}_ （回车保留，Esc 取消）",
        "fix": "→",
        "lost": "已有 {ns} 没有新消息：程序腾不出手来回答。",
    },
}

LANGUAGES = tuple(WORDS)
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def language(environment: Mapping[str, str] = os.environ) -> str:
    """The language that the terminal is set to, English where it is one that is not spoken here."""
    for name in VARIABLES:
        value = environment.get(name)
        if value:
            return value[:2].lower() if value[:2].lower() in WORDS else "en"
    return "en"
