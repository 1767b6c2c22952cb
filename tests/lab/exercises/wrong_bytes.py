"""Wrong ways to take sticky messages apart, and to treat a client who does not read."""

from __future__ import annotations

from tests.lab.exercises.wrong import Wrong

STICKY = (
    Wrong(
        "one recv() is one message",
        "sticky",
        {"for line in lines:\n        answer(client, line)": "answer(client, data)"},
        "line",
        "wrong-bytes",
        "",
        (
            "b'6 I am A\\n'",
            "b'7 I am A\\n\\n'",
        ),
    ),
    Wrong(
        "what is left over is thrown away",
        "sticky",
        {"(rests[client] + data)": "data"},
        "torn",
        "wrong-bytes",
        "",
        (
            "b'3 two\\n'",
            "b'1 o\\n'",
        ),
    ),
    Wrong(
        "only the first line is answered",
        "sticky",
        {"for line in lines:": "for line in lines[:1]:"},
        "glued",
        "cut-short",
        "waits.ready",
        (
            "b'3 one\\n3 two\\n5 three\\n'",
            "b'3 one\\n'",
        ),
    ),
    Wrong(
        "one buffer for all",
        "sticky",
        {
            "(rests[client] + data)": "(rests.get(0, b'') + data)",
            "rests[client] = rest\n": "rests[0] = rest\n",
        },
        "mixed",
        "wrong-bytes",
        "",
        (
            "b'3 two\\n'",
            "b'6 heltwo\\n'",
        ),
    ),
    Wrong(
        "letters are counted",
        "sticky",
        {"(len(line), line)": "(len(line.decode()), line)"},
        "waited-for",
        "wrong-bytes",
        "",
        ("b'2 \\xe4\\xbd\\xa0\\xe5\\xa5\\xbd\\n'",),
    ),
    Wrong(
        "what is there is answered at once",
        "sticky",
        {
            "    rests[client] = rest\n": "    rests[client] = rest\n    if rest:\n        answer(client, rest)\n        rests[client] = b''\n"
        },
        "torn",
        "wrong-bytes",
        "",
        ("2 tw\\n",),
    ),
    Wrong(
        "empty lines are left out",
        "sticky",
        {
            "for line in lines:\n        answer(client, line)": "for line in lines:\n        if line:\n            answer(client, line)"
        },
        "empty",
        "wrong-bytes",
        "",
        (
            "b'0 \\n0 \\n1 x\\n'",
            "b'1 x\\n'",
        ),
    ),
    Wrong(
        "spaces are stripped",
        "sticky",
        {"answer(client, line)\n    rests": "answer(client, line.strip())\n    rests"},
        "garbage-line",
        "wrong-bytes",
        "",
        ("\\xff\\xfe\\r\\xe4 \\t\\n'",),
    ),
    Wrong(
        "a line without an end is kept for ever",
        "sticky",
        {"return len(rest) <= LONGEST": "return True"},
        "endless",
        "not-cut",
        "",
        ("b'and so on ",),
    ),
    Wrong(
        "half a line is answered at the end",
        "sticky",
        {
            "            data = receive(ready)\n": "            data = receive(ready)\n            if not data and rests[ready]:\n                answer(ready, rests[ready])\n"
        },
        "unfinished",
        "wrong-bytes",
        "",
        (
            "6 not do\\n'",
            "b'done\\nnot do'",
        ),
    ),
    Wrong(
        "the rest of the line is waited for",
        "sticky",
        {
            "    rests[client] = rest\n": "    while rest and not rest.endswith(b'\\n'):\n        rest += client.recv(1)\n    if rest:\n        answer(client, rest[:-1])\n    rests[client] = b''\n"
        },
        "mixed",
        "no-answer",
        "waits.recv",
        ("client.recv(1)",),
    ),
)

SLOW = (
    Wrong(
        "the socket blocks",
        "slow",
        {"self.connection.setblocking(False)": "pass"},
        "held-up",
        "no-answer",
        "waits.send",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "writing is always watched",
        "slow",
        {"[client for client in clients if client.queue]": "list(clients)"},
        "quiet",
        "busy-writable",
        "",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "everything is kept in memory",
        "slow",
        {"not self.finished and len(self.queue) <= MOST": "not self.finished"},
        "bounded",
        "unbounded",
        "",
        ("4,194,304",),
    ),
    Wrong(
        "what send() did not take is lost",
        "slow",
        {"del self.queue[:sent]": "self.queue.clear()"},
        "nothing-lost",
        "lost",
        "",
        ("\\n'",),
    ),
    Wrong(
        "closed with bytes in the queue",
        "slow",
        {"        if self.finished and not self.queue:": "        if self.finished:"},
        "end-in-queue",
        "lost",
        "",
        ("\\n'",),
    ),
    Wrong(
        "a full buffer is taken for an error",
        "slow",
        {
            "        except BlockingIOError:\n            pass\n        except OSError:": "        except OSError:"
        },
        "held-up",
        "dropped",
        "",
        ("slow",),
    ),
    Wrong(
        "a full buffer is tried again at once",
        "slow",
        {
            "        except BlockingIOError:\n            pass\n        except OSError:": "        except BlockingIOError:\n            return self.write()\n        except OSError:"
        },
        "held-up",
        "gone",
        "crashed.RecursionError",
        ("b'0000000\\n", "maximum recursion depth"),
    ),
    Wrong(
        "tried again in a loop",
        "slow",
        {
            "            if self.queue:\n                sent = self.connection.send(self.queue)\n                del self.queue[:sent]\n": "            while self.queue:\n                try:\n                    sent = self.connection.send(self.queue)\n                    del self.queue[:sent]\n                except BlockingIOError:\n                    continue\n"
        },
        "held-up",
        "no-answer",
        "runs",
        ("b'I am B\\n'",),
    ),
    Wrong(
        "watched, but not read, while the queue is full",
        "slow",
        {
            "        return not self.finished and len(self.queue) <= MOST": "        return not self.finished",
            "    def read(self):\n": "    def read(self):\n        if len(self.queue) > MOST:\n            return\n",
        },
        "waiting",
        "busy-readable",
        "",
        ("b'0000000\\n0000001",),
    ),
    Wrong(
        "a crash with a full queue is not caught",
        "slow",
        {
            "            pass\n        except OSError:\n            self.close()\n            return\n        if": "            pass\n        if"
        },
        "crash-in-queue",
        "gone",
        "crashed.ConnectionResetError",
        ("b'I am B\\n'",),
    ),
)
