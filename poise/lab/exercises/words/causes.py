"""What the program was seen to do when a client did not get what it should."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "crashed": "The program has ended with an exception in line {line}:\n\n    {line} | {code}\n    {error}",
    "ended": "The program has come to its end (exit code {exit}). A server never does by itself.",
    "killed": "The program was ended by signal {signal}.",
    "cpu": "The program has used all the processor time that it may ({cpu} s) and was ended: a loop without end that waits for nobody.",
    "life": "The program was ended after {life} s, the longest that it may run.",
    "broke": "The Python interpreter itself has crashed (a fault in memory).",
    "output": "The program has printed, or written into a file, more than it may ({output:,} bytes); it was in line {line}.",
    "runs": "The program is not waiting: it runs all the time, just now in line {line}:\n\n    {line} | {code}",
    "waits": "The program waits in line {line}, in {call}():\n\n    {line} | {code}",
}

CHINESE: Mapping[str, str] = {
    "crashed": "程序在第 {line} 行因异常而结束：\n\n    {line} | {code}\n    {error}",
    "ended": "程序已经运行结束（退出码 {exit}）。服务器不应当自己结束。",
    "killed": "程序被信号 {signal} 终止。",
    "cpu": "程序用完了允许的全部处理器时间（{cpu} 秒），被终止：有一个什么也不等的死循环。",
    "life": "程序运行了 {life} 秒，到了上限，被终止。",
    "broke": "Python 解释器本身崩溃了（内存访问错误）。",
    "output": "程序打印（或写入文件）的内容超过了上限（{output:,} 字节），当时在第 {line} 行。",
    "runs": "程序没有在等待，而是一直在运行，此刻在第 {line} 行：\n\n    {line} | {code}",
    "waits": "程序停在第 {line} 行的 {call}() 里等待：\n\n    {line} | {code}",
}

TEXTS = {"en": ENGLISH, "zh": CHINESE}
