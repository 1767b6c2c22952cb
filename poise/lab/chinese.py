"""The models for a Chinese reader: the same programs, line by line, with their comments and docstrings in Chinese.

The files themselves are in English. Nothing but comments and docstrings is replaced here, each by as many lines as it had, so the
code cannot differ and a line keeps its number. A test holds that nothing of them was left out.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping

COMMENTS: Mapping[str, str] = {
    "bytes asked for at a time": "每次要多少字节",
    "bytes taken at a time": "每次取多少字节",
    "bytes taken at a time: the others want their turn, too": "每次取多少字节：别的客户端也要轮到",
    "waits here until somebody comes": "在这里等，直到有人来",
    "the client has gone: its own affair, and no reason to end": "客户端走了：那是它的事，程序不必结束",
    "waits here until this one speaks": "在这里等，直到这一个说话",
    "and here until the kernel has room for all of it": "在这里等，直到内核把全部数据放下",
    "the listener has no timeout: waiting for anybody is its task": "监听套接字没有超时：等人来就是它的任务",
    "seconds, for each call from here on": "秒，从这里起每次调用都算",
    "too slow: the next one, please": "太慢了：下一个",
    "the client has gone": "客户端走了",
    "waits here, but no longer than the timeout": "在这里等，但不超过设定的时间",
    "so does this one, for all of it together": "这里也一样，全部数据合起来算",
    "does anybody come?": "有人来吗？",
    "nobody": "没有",
    "a copy: those who leave are taken out on the way": "用副本：途中会删去离开的客户端",
    "at once: mostly there is room": "马上就发：缓冲区多半有空位",
    "seconds during which nobody is served": "秒，这段时间谁也得不到服务",
    "who does not take his answers is not read from": "不收回答的客户端，就不再读它",
    "does this one speak?": "这一个说话了吗？",
    "not yet": "还没有",
    "as much as the kernel has room for": "内核能放下多少就发多少",
    "no room: the next round tries again": "没有空位：下一圈再试",
    "this thread does nothing but wait for newcomers": "这个线程只负责等新来的",
    "only this thread waits here": "只有这个线程在这里等",
    "select is the only place where this program waits": "整个程序只在 select 那里等",
    "1. mark: for writing only those who have something to get. A socket with room in its buffer is": (
        "1. 关注：有数据要发给谁，才关注谁的写。发送缓冲区有空位的套接字随时可写，"
    ),
    "always ready to be written to: watched in vain, it lets select return at once. The others for": (
        "没有数据要发却去关注，select 就会立即返回。其余的关注读：不收回答的客户端"
    ),
    "reading: who does not take his answers is not read from, or they would fill our memory.": (
        "不再读它，否则回答会堆满内存。"
    ),
    "2. submit: the program sleeps here until the kernel has somebody who is ready": (
        "2. 提交：程序在这里睡下，直到内核发现有 IO 就绪"
    ),
    "3. handle: one bounded step for each, then ask again": "3. 处理：每个只做有限的一步，然后再去问内核",
    "it may have left a moment ago, among the readers": "它可能刚才在读的时候已经离开",
    "was ready and has gone again: ready is a hint, not a promise": "刚就绪又走了：就绪是提示，不是保证",
    "mostly there is room at once: no need to ask first": "缓冲区多半有空位：不必先问",
    "takes what fits; the rest waits for its turn": "能放下多少就发多少；剩下的等下一轮",
    "no room: the next turn watches it for writing": "没有空位：下一轮关注它的写",
    "out of the table first: a closed socket in rlist would be an error": (
        "先从表里删去：rlist 里有已关闭的套接字会出错"
    ),
    "{fileno: object}": "{fileno: 对象}",
    "1. mark": "1. 关注",
    "1. mark (the listener, once)": "1. 关注（监听套接字，只此一次）",
    "1. mark (what has changed)": "1. 关注（有变化的）",
    "1. mark (a newcomer)": "1. 关注（新来的）",
    "1. mark: only what has changed, for here each change is a call into the kernel": (
        "1. 关注：只改有变化的，因为在这里每次修改都是一次系统调用"
    ),
    "1. mark: once and for all. That it can be written to is told now, and again whenever room returns.": (
        "1. 关注：一次就够。可写会立即报告一次，以后每次腾出空位再报告。"
    ),
    "2. submit: sleeps here until somebody is ready": "2. 提交：在这里睡下，直到有 IO 就绪",
    "2. submit: sleeps here until something comes": "2. 提交：在这里睡下，直到有新情况",
    "3. handle": "3. 处理",
    'ERR and HUP come unasked. Reading meets them: recv raises the error, or gives b"".': (
        'ERR 和 HUP 不请自来。读一下就知道：recv 抛出那个错误，或返回 b""。'
    ),
    "takes what fits": "能放下多少就发多少",
    "no room: POLLOUT will tell": "没有空位：有了 POLLOUT 会报告",
    "no room: EPOLLOUT will tell": "没有空位：有了 EPOLLOUT 会报告",
    "before the close, while it still has its number": "在关闭之前，趁它还有编号",
    "an edge of any kind: go on with both": "不管哪种边缘：读和写都继续做",
    "nobody is left: the next one makes an event": "没有人了：再有人来会有新事件",
    "nothing is left: what comes next makes an event": "读空了：再有数据会有新事件",
    "no room is left: when there is some, it makes an event": "没有空位了：腾出空位会有新事件",
}
"""Comment → the same in Chinese, both without the sign before them."""

SHORT: Mapping[str, str] = {
    "Until this client has enough. Nobody else is served before that.": (
        "直到这个客户端满意为止。在那之前谁也得不到服务。"
    ),
    "Until this client has enough, or is silent for too long. Raises TimeoutError.": (
        "直到这个客户端满意，或沉默太久。后者抛出 TimeoutError。"
    ),
    "The client has gone: nothing more will come, and nothing can be sent.": (
        "客户端走了：不会再有数据来，也发不出去。"
    ),
    "Runs in a thread of its own, and ends with its client.": "在自己的线程里运行，随客户端一起结束。",
    "Several may have come, and there is one event for all of them.": "可能来了好几个，事件却只有一个。",
}
LONG = (
    """\
阻塞：一个客户端接一个客户端。

``accept`` 等到有人来，``recv`` 等到有人说话，``sendall`` 等到内核把数据全部收下。每个套接字一开始都是
这样，程序也最短。代价是：等这一个客户端时，就*只*等这一个。其他客户端已经连上，
排在内核的队列里，却没有人去看它们。

    python3 -m poise.lab.models.blocking 8007""",
    """\
阻塞加超时检测：还是一个接一个，但不会永远等下去。

``settimeout(sec)`` 给每个会阻塞的调用一个最长时间。时间到了还没有动静，调用就抛出 TimeoutError，
程序继续往下走。一个沉默的客户端现在只耽误别人 ``timeout`` 秒，而不是永远。

有两点要看。超时太短，只是慢一点的好客户端也会被断开。而且它限制的是*一次调用*：
每次快到时间就发一个字节的客户端，想占住服务器多久就占多久。要给整个会话一个期限，
就得自己看钟。

    python3 -m poise.lab.models.timeout 8007""",
    """\
非阻塞加循环：一遍又一遍，挨个去问。

``setblocking(False)`` 让 ``accept``、``recv``、``send`` 立即返回。还没有事可做时，它们抛出 BlockingIOError
（内核称之为 EAGAIN：请再试）。于是一个程序能服务许多客户端：轮流去问，谁也挡不住它。

代价就是问。几乎每次调用的回答都是“还没有”，一个处理器为此昼夜不停地忙。
每圈停一停，开销小了，每个回答却要晚那么久。缺的是一种办法：*同时等待所有客户端*。
这就是 select、poll 和 epoll。

    python3 -m poise.lab.models.polling 8007""",
    """\
每个客户端一个线程：谁都可以阻塞，因为那个线程里没有别人。

服务一个客户端的代码和阻塞式服务器一字不差，变的只是谁来调用它。一个线程在 ``recv`` 里等，
内核就让另一个线程运行。简单，客户端几百个时很好用。

代价：每个线程都有自己的栈，都要内核调度；线程之间共享数据要加锁。
CPython 同一时刻只有一个线程在计算（GIL），所以线程帮得了等待的，帮不了计算的。

    python3 -m poise.lab.models.threads 8007""",
    """\
select：一次向内核问所有的 IO，睡到有谁准备就绪为止。

    rs, ws, xs = select(rlist, wlist, xlist[, timeout])

交进去三个列表：要读谁，要写谁，关注谁的异常。返回的也是三个列表：
其中准备就绪的那些。每一轮三个步骤：

    1. 关注     把关注的 IO 放进列表
    2. 提交     把列表交给内核监测，睡下
    3. 处理     处理就绪的 IO，每个都不要太久

要知道：两次调用之间内核什么都不记，所以整个列表每一轮都要往返一次；
描述符的*编号*到了 1024，select 就不收。

    python3 -m poise.lab.models.by_select 8007""",
    """\
poll：同样的问题，用掩码和编号来问，也没有 select 的 1024 这堵墙。

    p = select.poll()
    p.register(s, POLLIN | POLLERR)       关注谁，关注什么
    events = p.poll()                     [(fileno, event), …]：谁就绪了，是什么

关注什么，是一个数，即掩码，用 ``|`` 拼起来；发生了什么，也是一个数，用 ``&`` 拆开。
返回的是描述符编号，不是对象，所以程序要有一张表 {fileno: 对象}。

对象 ``p`` 记得关注了谁，所以每一轮只要说*变了什么*。内核还是什么都不记：
每次调用都把整个名单交给它，它再逐个检查。

    python3 -m poise.lab.models.by_poll 8007""",
    """\
epoll 水平触发：名单由内核保存。

    ep = select.epoll()                   内核里的一份名单；它自己也是一个描述符
    ep.register(s, EPOLLIN)               每个客户端一次，而不是每一轮一次
    events = ep.poll()                    [(fileno, event), …]，只有就绪的

用 select 和 poll，每一轮都把整个名单交给内核，内核逐个检查。这里只告诉它变化，
谁就绪了由它自己记下。一轮的代价只看*就绪*的有多少，不看关注的有多少。

*水平触发*的意思是：只要还有数据可读，每次调用都会报告。只读了一部分，会再提醒你。
这是宽容的方式；另一种见 by_epoll_edge.py。

    python3 -m poise.lab.models.by_epoll 8007""",
    """\
epoll 边缘触发：变为就绪的那一刻，只报告一次。

``EPOLLET`` 只改变一点。水平触发回答的是“有数据可读吗？”，边缘触发回答的是“上次告诉我之后，
又有数据*来过*吗？”。如果只读一部分，就不会再得到通知：剩下的躺在内核的缓冲区里，
双方互相等待，直到客户端再发，如果它还会发的话。

所以有一条规矩：每个事件之后，一直做到内核说 EAGAIN 为止。这时一点不剩，
下一个事件才一定会来。好处是：每个客户端只注册一次，什么都关注，以后不再修改。

这条规矩也有危险：客户端发得比我们读得快，就永远到不了 EAGAIN，它就占住了服务器。
真正的程序做满一定的量就停下，把这个客户端记在自己的名单上，下一轮接着做。

    python3 -m poise.lab.models.by_epoll_edge 8007""",
)
"""The docstrings of the models' files, known by the command in their last line."""

WANTED = """\
掩码：有数据要发就关注写，否则关注读。

缓冲区有空位的套接字随时可写：没有数据要发却去关注，每次调用都会立即返回。
不收回答的客户端就不再读它，否则回答会堆满内存。"""

DOCSTRINGS: Mapping[str, str] = {
    **SHORT,
    **{text.rpartition("\n")[2].strip(): text for text in LONG},
    "not take his answers is not read from, or they would fill our memory.": WANTED,
}
"""The last line of a docstring → all of it in Chinese."""


def in_chinese(source: str) -> str:
    """A model's source with its comments and docstrings in Chinese; what has no translation stays as it is."""
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        words = token.string.lstrip("# ") if token.type == tokenize.COMMENT else ""
        if words in COMMENTS:
            row, column = token.start
            sign = token.string.removesuffix(words)
            lines[row - 1] = lines[row - 1][:column] + sign + COMMENTS[words]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and (
            text := ast.get_docstring(node)
        ):
            _replace(lines, node.body[0], text)
    return "\n".join(lines)


def _replace(lines: list[str], docstring: ast.stmt, text: str) -> None:
    """A docstring by the same in Chinese, in as many lines."""
    said = DOCSTRINGS.get(text.rpartition("\n")[2].strip())
    if said is None:
        return
    first, last = docstring.lineno, docstring.end_lineno or docstring.lineno
    indent = " " * docstring.col_offset
    written = f'"""{said}' + ("\n" if "\n" in said else "") + '"""'
    lines[first - 1 : last] = [indent + line if line else "" for line in written.split("\n")]
