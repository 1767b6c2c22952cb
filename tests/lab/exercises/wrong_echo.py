"""Wrong servers for the first three exercises: each is the solution with one classic mistake put in."""

from __future__ import annotations

from tests.lab.exercises.wrong import Wrong

RECEIVE = """\
    try:
        return client.recv(4096)
    except OSError:
        return b""
"""

SELECT = (
    Wrong(
        "the new client is not watched",
        "select",
        {"rlist.append(client)": "pass"},
        "echo",
        "no-answer",
        "waits.ready",
        ("b'I am A\\n'",),
    ),
    Wrong(
        "the new client is waited for at once",
        "select",
        {"rlist.append(client)": "rlist.append(client); answer(client, client.recv(4096))"},
        "silent",
        "no-answer",
        "waits.recv",
        ("b'I am B\\n'", "client.recv(4096)"),
    ),
    Wrong(
        "letters are decoded that have not come whole",
        "select",
        {"answer(ready, data)": "answer(ready, data.decode().encode())"},
        "bytes",
        "gone",
        "crashed.UnicodeDecodeError",
        ("b'\\xe4'", "UnicodeDecodeError"),
    ),
    Wrong(
        "the answer goes to whoever came last",
        "select",
        {"answer(ready, data)": "answer(client, data)"},
        "two",
        "wrong-bytes",
        "",
        ("b'from B 0\\n'", "b'from A 0\\n"),
    ),
    Wrong(
        "the end of a client is not noticed",
        "select",
        {"rlist.remove(ready)": "pass", "ready.close()": "pass"},
        "leaving",
        "not-closed",
        "runs",
        ("b'bye\\n'",),
    ),
    Wrong(
        "closed, but still in the list",
        "select",
        {"rlist.remove(ready)": "pass"},
        "leaving",
        "gone",
        "crashed.ValueError",
        ("file descriptor cannot be a negative integer (-1)", "b'bye\\n'"),
    ),
    Wrong(
        "writing is always watched",
        "select",
        {"select.select(rlist, [], [])": "select.select(rlist, rlist[1:], [])"},
        "quiet",
        "busy-writable",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "a timeout of nothing",
        "select",
        {"select.select(rlist, [], [])": "select.select(rlist, [], [], 0)"},
        "quiet",
        "busy-empty",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "a crash is not caught",
        "select",
        {RECEIVE: "    return client.recv(4096)\n"},
        "reset",
        "gone",
        "crashed.ConnectionResetError",
        ("b'I am C\\n'", "ConnectionResetError"),
    ),
    Wrong(
        "spaces are taken off",
        "select",
        {"answer(ready, data)": "answer(ready, data.rstrip(b'\\x00'))"},
        "garbage",
        "cut-short",
        "waits.ready",
        ("b'\\x00\\x01",),
    ),
    Wrong(
        "poll, where select was asked for",
        "select",
        {"while True:\n": "while True:\n    select.poll().poll(0)\n"},
        "select",
        "other-way",
        "",
        ("select.poll",),
    ),
    Wrong(
        "a thread for each client",
        "select",
        {
            "import sys\n": "import sys\nimport _thread as t\n",
            "rlist.append(client)": "t.start_new_thread(lambda c: c.sendall(c.recv(99)), (client,))",
        },
        "imports",
        "imports",
        "",
        ("_thread",),
    ),
    Wrong(
        "everyone in the network may come in",
        "select",
        {'"127.0.0.1"': '"0.0.0.0"'},
        "echo",
        "outside",
        "crashed.other",
        ("0.0.0.0",),
    ),
    Wrong(
        "another port",
        "select",
        {"PORT))": "0))"},
        "echo",
        "other-port",
        "",
        (),
    ),
)
