"""The lecture notes, row by row: what in the lab shows each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from poise.lab.text import Text


class Row(NamedTuple):
    """``experiments`` and ``exercises`` by their names; at least one of them for each row."""

    text: Text
    experiments: tuple[str, ...] = ()
    exercises: tuple[str, ...] = ()


ROWS: Mapping[int, Row] = {
    1: Row(Text("TCP: buffers", "TCP 缓冲区：协调数据收发速度"), ("backpressure", "send")),
    2: Row(Text("TCP: messages stick together", "TCP 粘包"), ("stream",), ("sticky",)),
    3: Row(Text("UDP, and UDP against TCP", "UDP 套接字，UDP 与 TCP 的区别"), ("udp",)),
    4: Row(Text("socket attributes", "套接字属性 fileno() getpeername() setsockopt()"), ("attributes",)),
    5: Row(Text("broadcast", "广播"), ("broadcast",), ("clock",)),
    6: Row(Text("HTTP: GET, 200, 404", "HTTP 协议：GET，200，404"), ("http",), ("http",)),
    7: Row(Text("what I/O is: terminal, disk, network", "IO：终端、磁盘、网络"), ("sources",)),
    8: Row(Text("I/O-bound and CPU-bound", "IO 密集型与计算密集型程序"), ("bound", "hold")),
    9: Row(Text("blocking I/O", "阻塞 IO"), ("silent",)),
    10: Row(Text("non-blocking I/O with a loop", "非阻塞 IO 与循环判断"), ("polling", "send")),
    11: Row(Text("timeouts", "超时检测 settimeout(sec)"), ("timeout",)),
    12: Row(Text("I/O multiplexing, the three steps", "IO 多路复用及其三个步骤"), ("steps", "silent")),
    13: Row(Text("select", "select"), ("wall", "scaling"), ("select",)),
    14: Row(Text("poll and its bits", "poll 与事件位"), ("bits",), ("poll",)),
    15: Row(Text("epoll", "epoll"), ("scaling", "edge"), ("epoll",)),
    16: Row(Text("a watched writable socket", "注意 1：wlist 中的 IO 使 select 立即返回"), ("writable",)),
    17: Row(
        Text("never let one client hold the server", "注意 2：不要让一个客户端长期占有服务端"),
        ("hold",),
        ("slow",),
    ),
    18: Row(Text("few resources, high efficiency", "注意 3：占用资源少，效率高"), ("footprint", "threads")),
    19: Row(Text("bit operations, 11 and 14", "位运算，11 与 14"), ("masks", "bits")),
    20: Row(
        Text("homework: select, the principle, HTTP, classes", "作业：select，原理，HTTP，类"),
        ("steps", "http"),
        ("select", "poll", "epoll", "sticky", "slow", "http", "clock"),
    ),
}
