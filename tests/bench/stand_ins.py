"""Small servers of the tests' own, which the harness starts like any other."""

from __future__ import annotations

import os
import sys

from bench.place import Peer, Place

SERVER = """\
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with open(sys.argv[1] + self.path, "rb") as file:
            body = file.read() + {more!r}
        self.send_response({status})
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
with http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler) as server:
    print(f"http://127.0.0.1:{{server.server_port}}/", flush=True)
    server.serve_forever()
"""

# Reads a head and sends REPLY, over as many connections at once as there are; ENDS closes each afterwards.
ALWAYS = """\
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            while (line := self.rfile.readline()) not in (b"\\r\\n", b""):
                pass
            if not line:
                return
            self.wfile.write({reply!r})
            if {ends}:
                return
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
with Server(("127.0.0.1", int(sys.argv[2])), Handler) as server:
    print(f"http://127.0.0.1:{{server.server_address[1]}}/", flush=True)
    server.serve_forever()
"""

WRONG_ECHO = """\
import socket
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(f"tcp://127.0.0.1:{{listening.getsockname()[1]}}/", flush=True)
    while True:
        connection, _ = listening.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall({reply})
"""


def stand_in(name: str, source: str = SERVER.format(more=b"", status=200)) -> Peer:
    def command(place: Place) -> list[str]:
        return [sys.executable, "-c", source, str(place.site), str(place.port)]

    return Peer(name, "a server of the tests", command, (sys.executable, "--version"))


def always(reply: bytes, *, ends: bool = False) -> Peer:
    """Sends the same bytes whatever is asked."""
    return stand_in("always", ALWAYS.format(reply=reply, ends=ends))


def core() -> set[int]:
    return {min(os.sched_getaffinity(0))}
