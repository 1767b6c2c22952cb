"""The words of slow motion: what the kernel does in a call, why it may give an error, and what programs of the runs are called.

Ids are ``lab.does.CALL``, ``lab.why.ERROR`` and ``lab.who.NAME``, as the events of a run name them.
"""

from __future__ import annotations

from collections.abc import Mapping

from poise.lab.text import LANGUAGES, Text

WAIT = Text(
    "Looks at everyone on the list. When nobody is ready, the program sleeps until somebody is.",
    "逐个检查名单上的 IO。没有就绪的，就让程序睡到有为止。",
)
MARK = Text(
    "Nothing yet: poll's list is kept in the program and handed over with the next poll().",
    "还没有事做：poll 的名单在程序里，下次 poll() 才交来。",
)

DOES: Mapping[str, Text] = {
    "accept": Text(
        "Takes the first connection from the listener's queue and gives it a number.",
        "从监听队列取出第一个连接，给它一个编号。",
    ),
    "recv": Text("Hands over bytes that lie in the receive buffer.", "把接收缓冲区里的字节交出来。"),
    "recvfrom": Text("Hands over one datagram, and who sent it.", "交出一个数据报，并说明是谁发的。"),
    "read": Text("Hands over bytes that are there.", "把已有的字节交出来。"),
    "send": Text(
        "Copies what fits into the send buffer, and says how much that was.",
        "能放下多少就拷进发送缓冲区多少，并说出数目。",
    ),
    "sendall": Text(
        "Copies all into the send buffer; waits for room when it is full.",
        "全部拷进发送缓冲区；满了就等它腾出空位。",
    ),
    "sendto": Text("Sends one datagram, whole or not at all.", "发送一个数据报：要么整个发出，要么不发。"),
    "close": Text("Forgets the descriptor; its number is free again.", "忘掉这个描述符，编号可以再用。"),
    "shutdown": Text("Tells the other side that nothing more will come.", "告诉对方：不再发送了。"),
    "fileno": Text("The number by which the kernel knows this socket.", "内核认得这个套接字的编号。"),
    "getpeername": Text("Says who is at the other end.", "说出另一端是谁。"),
    "getsockname": Text("Says which address is at this end.", "说出这一端的地址。"),
    "getsockopt": Text("Says how an option stands now.", "说出一个选项现在的值。"),
    "setsockopt": Text("Sets an option of the socket.", "设置套接字的一个选项。"),
    "setblocking": Text(
        "From now on: never let the program wait for this socket, say EAGAIN instead.",
        "从现在起：这个套接字不再让程序等待，改为报告 EAGAIN。",
    ),
    "settimeout": Text(
        "From now on: let the program wait for this socket so long, and no longer.",
        "从现在起：这个套接字最多让程序等这么久。",
    ),
    "sleep": Text("Wakes the program when the time is over.", "时间到了再叫醒程序。"),
    "select": WAIT,
    "poll.poll": WAIT,
    "poll.register": MARK,
    "poll.modify": MARK,
    "poll.unregister": MARK,
    "epoll.register": Text(
        "Puts it on the list that the kernel keeps, with these bits.", "按这些位把它记进内核保存的名单。"
    ),
    "epoll.modify": Text("Changes the bits that it keeps for it.", "修改内核为它保存的位。"),
    "epoll.unregister": Text("Takes it off its list.", "把它从名单上划掉。"),
    "epoll.poll": Text(
        "Has noted who is ready, and gives only those. When nobody is, the program sleeps.",
        "谁就绪早已记下，只交出这些。没有就绪的，就让程序睡。",
    ),
}

WHY: Mapping[str, Text] = {
    "EAGAIN": Text("not now: nothing there yet, or no room", "现在不行：还没有数据，或没有空位"),
    "TimeoutError": Text("the time that was set is over", "超过了设定的时间"),
    "ECONNRESET": Text("the other side has torn the connection down", "对方强行断开了连接"),
    "EPIPE": Text("nobody reads at the other end any more", "另一端已经没有人读了"),
    "EACCES": Text("not permitted: the option for it is not set", "没有权限：没有设置所需的选项"),
    "EMSGSIZE": Text("too long for one datagram", "一个数据报装不下"),
    "ValueError": Text("select cannot watch a number of 1024 or more", "编号到了 1024，select 就无法监控"),
    "EEXIST": Text("it is on the list already", "它已经在名单上"),
    "ENOENT": Text("it is not on the list", "它不在名单上"),
    "EPERM": Text("files of this kind cannot be watched", "这种文件不能监控"),
    "EBADF": Text("there is no such descriptor any more", "这个描述符已经不存在"),
}

WHO: Mapping[str, Text] = {
    "program": Text("program", "程序"),
    "receiver": Text("receiver", "接收方"),
    "with a worker": Text("with a worker", "交给工作进程"),
    "with marks": Text("with marks", "有水位线"),
    "without marks": Text("without marks", "没有水位线"),
    "names": Text("names", "名字"),
    "bare": Text("bare", "不分界"),
    "lines": Text("lines", "按行"),
    "length": Text("length first", "先写长度"),
    "whole": Text("whole", "完整的请求"),
    "missing": Text("missing page", "没有的页面"),
    "bytes": Text("byte by byte", "逐字节"),
    "cut": Text("cut in two", "切成两段"),
    "pipelined": Text("pipelined", "两个连着"),
    "overlapping": Text("overlapping", "跨界的两段"),
    "dripping": Text("dripping", "慢慢滴"),
    "quiet": Text("quiet", "安静"),
    "data": Text("data", "有数据"),
    "urgent": Text("urgent data", "紧急数据"),
    "full": Text("buffer full", "缓冲区满"),
    "half-close": Text("half-close", "半关闭"),
    "close": Text("close", "关闭"),
    "both": Text("data, then close", "数据后关闭"),
    "reset": Text("reset", "重置"),
    "closed": Text("closed by us", "自己关闭"),
    "level": Text("level", "水平触发"),
    "edge": Text("edge", "边缘触发"),
    "drains": Text("drains", "读到空"),
    "reads once": Text("reads once", "只读一次"),
}

CALLS: Mapping[str, Mapping[str, str]] = {
    language: {
        f"lab.{what}.{name}": text.said(language)
        for what, all_of_them in (("does", DOES), ("why", WHY), ("who", WHO))
        for name, text in all_of_them.items()
    }
    for language in LANGUAGES
}
"""By language and id."""
