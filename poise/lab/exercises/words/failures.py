"""What a client did not get, or what was seen of the program that it should not do."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "not-listening": "Nobody can connect: {seconds:g} s after its start the program does not listen on port {port}.",
    "other-port": "The program listens on port {other}, but was asked to listen on port {port}, which is its argument.",
    "outside": "The program wants {call} with the address {host}, which is not on this machine's loopback.",
    "no-connection": "{client} cannot connect any more.",
    "no-answer": "{client} expected {wanted} and got nothing in {seconds:g} s.",
    "cut-short": "{client} expected {wanted} and got only {got}; then nothing came for {seconds:g} s.",
    "wrong-bytes": "{client} expected {wanted} and got {got}.",
    "too-much": "{client} expected the end of the connection, and got {got} before it.",
    "too-soon": "{client} got {got} before the program could know what to say: the message was not complete yet.",
    "closed-early": "The program closed {client}'s connection. Expected was {wanted}; what came is {got}.",
    "gone": "The program is gone, and {client}'s connection with it. {client} expected {wanted} and got {got}.",
    "dropped": "The program closed {client}'s connection, which {client} was still using.",
    "not-closed": "{client} has nothing more to say and waits for the program to close the connection too. In {seconds:g} s it did not.",
    "not-taken": "{client} cannot get rid of {wanted}: the program reads nothing for {seconds:g} s.",
    "busy-writable": "Nobody said anything for {seconds:g} s, yet the program asked the kernel {waits:,} times who is ready. Each time it was told of sockets that can be written to.",
    "busy-readable": "Nobody said anything for {seconds:g} s, yet the program asked the kernel {waits:,} times who is ready. Each time it was told that something can be read.",
    "busy-fault": "Nobody said anything for {seconds:g} s, yet the program asked the kernel {waits:,} times who is ready. Each time it was told of an error, a hang-up or a descriptor that is not open.",
    "busy-empty": "Nobody said anything for {seconds:g} s, yet the program asked the kernel {waits:,} times who is ready. Each time the answer was: nobody.",
    "busy-loop": "Nobody said anything for {seconds:g} s, yet the program used the processor for {share} % of that time.",
    "threads": "The program starts a thread, in line {line}. This exercise is done in one.",
    "processes": "The program starts another process, in line {line}. This exercise is done in one.",
    "imports": "Line {line} imports {module}. This exercise is about doing without.",
    "no-wait": "The client was served, but the program has never asked the kernel who is ready: {names} was not called.",
    "other-way": "The program waits with {used}. This exercise is about {names} alone.",
}

CHINESE: Mapping[str, str] = {
    "not-listening": "谁也连不上：程序启动 {seconds:g} 秒后，仍然没有在端口 {port} 上监听。",
    "other-port": "程序监听的是端口 {other}，而要求它监听的是端口 {port}，也就是它的命令行参数。",
    "outside": "程序要 {call} 的地址是 {host}，它不在本机回环（loopback）上。",
    "no-connection": "{client} 已经连不上了。",
    "no-answer": "{client} 应当收到 {wanted}，等了 {seconds:g} 秒，什么也没收到。",
    "cut-short": "{client} 应当收到 {wanted}，却只收到 {got}，此后 {seconds:g} 秒再没有数据。",
    "wrong-bytes": "{client} 应当收到 {wanted}，实际收到 {got}。",
    "too-much": "{client} 等的是连接结束，在此之前却收到了 {got}。",
    "too-soon": "{client} 收到了 {got}，可这时消息还不完整，程序不可能知道该回答什么。",
    "closed-early": "程序关闭了 {client} 的连接。应当收到 {wanted}，实际收到 {got}。",
    "gone": "程序已经不在了，{client} 的连接也随之断开。应当收到 {wanted}，实际收到 {got}。",
    "dropped": "{client} 还在用的连接，程序把它关闭了。",
    "not-closed": "{client} 已经说完，正等程序也关闭连接，等了 {seconds:g} 秒还没有等到。",
    "not-taken": "{client} 发不出 {wanted}：程序已经 {seconds:g} 秒什么也没有读。",
    "busy-writable": "{seconds:g} 秒之内没有任何人说话，程序却向内核问了 {waits:,} 次“谁就绪了”，每次得到的都是可以写的套接字。",
    "busy-readable": "{seconds:g} 秒之内没有任何人说话，程序却向内核问了 {waits:,} 次“谁就绪了”，每次都说有东西可读。",
    "busy-fault": "{seconds:g} 秒之内没有任何人说话，程序却向内核问了 {waits:,} 次“谁就绪了”，每次得到的都是出错、挂断或无效的描述符。",
    "busy-empty": "{seconds:g} 秒之内没有任何人说话，程序却向内核问了 {waits:,} 次“谁就绪了”，每次的回答都是：没有。",
    "busy-loop": "{seconds:g} 秒之内没有任何人说话，程序却有 {share} % 的时间占着处理器。",
    "threads": "程序在第 {line} 行启动了线程。这道练习只用一个线程。",
    "processes": "程序在第 {line} 行启动了另一个进程。这道练习只用一个进程。",
    "imports": "第 {line} 行导入了 {module}。这道练习正是要不靠它来做。",
    "no-wait": "客户端得到了服务，但程序从来没有问过内核谁就绪了：没有调用 {names}。",
    "other-way": "程序用的是 {used}。这道练习只用 {names}。",
}

TEXTS = {"en": ENGLISH, "zh": CHINESE}
