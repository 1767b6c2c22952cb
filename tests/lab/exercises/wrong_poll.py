"""Wrong servers with poll and with epoll."""

from __future__ import annotations

from tests.lab.exercises.wrong import Wrong

POLL = (
    Wrong(
        "bits are compared with ==",
        "poll",
        {
            "elif data := receive(ready):": "elif event != select.POLLIN:\n            pass\n        elif data := receive(ready):"
        },
        "quiet-reset",
        "busy-fault",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "the socket is not kept under its number",
        "poll",
        {"sockets[client.fileno()] = client": "pass"},
        "echo",
        "gone",
        "crashed.KeyError",
        (
            "b'I am A\\n'",
            "KeyError",
        ),
    ),
    Wrong(
        "the new client is not registered",
        "poll",
        {"poller.register(client, select.POLLIN)": "pass"},
        "echo",
        "no-answer",
        "waits.ready",
        ("b'I am A\\n'",),
    ),
    Wrong(
        "closed before it is unregistered",
        "poll",
        {
            "            poller.unregister(ready)\n": "            ready.close()\n            poller.unregister(ready)\n"
        },
        "leaving",
        "gone",
        "crashed.ValueError",
        (
            "file descriptor cannot be a negative integer",
            "b'bye\\n'",
        ),
    ),
    Wrong(
        "closed and never unregistered",
        "poll",
        {"            poller.unregister(ready)\n            del sockets[number]\n": ""},
        "quiet",
        "busy-fault",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "writing is always watched",
        "poll",
        {
            "poller.register(client, select.POLLIN)": "poller.register(client, select.POLLIN | select.POLLOUT)",
            "elif data :=": "elif event == select.POLLOUT:\n            pass\n        elif data :=",
        },
        "quiet",
        "busy-writable",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "milliseconds taken for seconds",
        "poll",
        {"poller.poll()": "poller.poll(1)"},
        "quiet",
        "busy-empty",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "a crash is not caught",
        "poll",
        {
            '    try:\n        return client.recv(4096)\n    except OSError:\n        return b""\n': "    return client.recv(4096)\n"
        },
        "reset",
        "gone",
        "crashed.ConnectionResetError",
        ("ConnectionResetError",),
    ),
    Wrong(
        "a peer that has gone is not expected by send()",
        "poll",
        {"    except OSError:\n        # The next": "    except ZeroDivisionError:\n        # The next"},
        "gone",
        "gone",
        "crashed.ConnectionResetError",
        ("client.sendall(data)",),
    ),
    Wrong(
        "select, where poll was asked for",
        "poll",
        {
            "poller.poll()": "[(each.fileno(), 1) for each in select.select(list(sockets.values()), [], [])[0]]"
        },
        "poll",
        "other-way",
        "",
        ("select.select",),
    ),
)

EPOLL = (
    Wrong(
        "edge-triggered, and not read to the end",
        "epoll",
        {
            "select.EPOLLIN)\n            sockets": "select.EPOLLIN | select.EPOLLET)\n            sockets",
            "recv(4096)": "recv(4)",
        },
        "echo",
        "cut-short",
        "waits.edge",
        (
            "b'I am A\\n'",
            "b'I am'",
        ),
    ),
    Wrong(
        "one shot, never armed again",
        "epoll",
        {
            "select.EPOLLIN)\n            sockets": "select.EPOLLIN | select.EPOLLONESHOT)\n            sockets"
        },
        "bytes",
        "no-answer",
        "waits.oneshot",
        ("b'\\xbd'",),
    ),
    Wrong(
        "registered twice",
        "epoll",
        {
            "            sockets[client.fileno()] = client\n": "            sockets[client.fileno()] = client\n            poller.register(client, select.EPOLLIN)\n"
        },
        "echo",
        "gone",
        "crashed.FileExistsError",
        ("FileExistsError",),
    ),
    Wrong(
        "closed before it is unregistered, by number",
        "epoll",
        {
            "            poller.unregister(ready)\n            del sockets[number]\n            ready.close()\n": "            ready.close()\n            poller.unregister(number)\n            del sockets[number]\n"
        },
        "leaving",
        "gone",
        "crashed.EBADF",
        (
            "Bad file descriptor",
            "b'bye\\n'",
        ),
    ),
    Wrong(
        "the end of a client is not noticed",
        "epoll",
        {
            "            poller.unregister(ready)\n            del sockets[number]\n            ready.close()\n": "            pass\n"
        },
        "leaving",
        "not-closed",
        "runs",
        ("b'bye\\n'",),
    ),
    Wrong(
        "a timeout of a millisecond",
        "epoll",
        {"poller.poll()": "poller.poll(0.001)"},
        "quiet",
        "busy-empty",
        "",
        (),
    ),
    Wrong(
        "bits are compared with ==",
        "epoll",
        {
            "elif data := receive(ready):": "elif event != select.EPOLLIN:\n            pass\n        elif data := receive(ready):"
        },
        "quiet-reset",
        "busy-fault",
        "",
        (),
    ),
    Wrong(
        "only the first that is ready is served, and then a rest is taken",
        "epoll",
        {
            "            client, address = listening.accept()\n": "            client, address = listening.accept()\n            client, address = listening.accept()\n"
        },
        "echo",
        "no-answer",
        "waits.accept",
        (
            "b'I am A\\n'",
            "listening.accept()",
        ),
    ),
    Wrong(
        "the end of a line is looked for",
        "epoll",
        {"answer(ready, data)": "ready.sendall(data) if data.endswith(b'\\n') else None"},
        "bytes",
        "no-answer",
        "waits.ready",
        ("b'\\xe4'",),
    ),
)
