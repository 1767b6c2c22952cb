"""What each exercise is called and asks for, and the README beside them."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "select.title": "A server with select",
    "select.about": "Every client gets back what it sends, and none waits for another: one thread, `select.select`.",
    "poll.title": "The same with poll",
    "poll.about": "Register descriptors with a mask, get back pairs of descriptor and event, find the socket by its number.",
    "epoll.title": "The same with epoll",
    "epoll.about": "Three words change, and the kernel remembers whom you watch.",
    "sticky.title": "Sticky messages, taken apart",
    "sticky.about": "A message is a line. TCP glues lines together and cuts them anywhere; each still gets its own answer.",
    "slow.title": "The client who does not read",
    "slow.about": "An echo server that holds nobody up and keeps little in memory, although one client sends and never reads.",
    "http.title": "GET, 200 and 404, with a class",
    "http.about": "A class that inherits the server, calls `super().__init__`, and answers HTTP.",
    "clock.title": "A clock on broadcast",
    "clock.about": "Tell everybody the time five times a second, and answer questions in between: UDP, `select` with a timeout.",
    "readme": """\
# Exercises

Seven programs to write. Each file runs as it is, and says in its comments what is asked for; the places are marked TODO.

| file | exercise | what is asked for |
|---|---|---|
{rows}

Write, then let it be checked:

    poise lab check {first}

Your program is started on a free port of this machine, with the port as its argument (`sys.argv[1]`) and in the variable
`PORT`. Clients that follow a script talk to it: one is silent, one sends byte by byte, one crashes, a hundred come at once.
The first thing that goes wrong is explained, with the bytes that were sent. `--all` tries the rest as well.

Run it by hand, too, and talk to it: `python3 {first} 8888` here, `nc 127.0.0.1 8888` in a second window.

The first line of each file tells the checker which exercise it is. Keep it, or say `--exercise NAME`.
""",
}

CHINESE: Mapping[str, str] = {
    "select.title": "用 select 写服务器",
    "select.about": "客户端发什么就收到什么，谁也不用等别人：一个线程，`select.select`。",
    "poll.title": "改用 poll",
    "poll.about": "用掩码注册描述符，得到“描述符，事件”的列表，再按编号找到套接字。",
    "epoll.title": "改用 epoll",
    "epoll.about": "只改三个词，内核就记住了你在关注谁。",
    "sticky.title": "拆开粘包",
    "sticky.about": "一行是一条消息。TCP 会把几行粘在一起，也会在任意处切开；每一行仍要得到自己的回答。",
    "slow.title": "不读数据的客户端",
    "slow.about": "有一个客户端只发不读，回显服务器仍然不耽误别人，占用的内存也很少。",
    "http.title": "用类回答 GET：200 与 404",
    "http.about": "写一个继承服务器的类，调用 `super().__init__`，用 HTTP 回答。",
    "clock.title": "广播时钟",
    "clock.about": "每秒五次向所有人广播时间，其间还要回答提问：UDP，带超时的 `select`。",
    "readme": """\
# 练习

要写七个程序。每个文件现在就能运行，注释里写着要求，要动手的地方标着 TODO。

| 文件 | 练习 | 要求 |
|---|---|---|
{rows}

写好以后，检查：

    poise lab check {first}

检查时，你的程序会在本机的一个空闲端口上启动；端口是它的命令行参数（`sys.argv[1]`），也在环境变量 `PORT` 里。照剧本行事的
客户端会来和它说话：有的不作声，有的一个字节一个字节地发，有的崩溃，还有一百个同时到来。最先出错的那一处会得到解释，并列出
收发的字节。加上 `--all`，其余的也都试一遍。

也请自己运行，亲自和它说话：在这里 `python3 {first} 8888`，在另一个窗口 `nc 127.0.0.1 8888`。

每个文件的第一行告诉检查程序这是哪道练习。请保留它，或者用 `--exercise 名称` 指明。
""",
}

TEXTS = {"en": ENGLISH, "zh": CHINESE}
