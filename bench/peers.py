"""Who is measured: one :class:`Peer` per server, started as its own documentation says to run it for speed.

All of them listen on 127.0.0.1 with one worker; those of HTTP serve the same folder, without an access log. To add one,
write a function that returns its command line (it may write a configuration file into ``place.scratch``) and add it to
:data:`HTTP_PEERS` or :data:`ECHO_PEERS`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from bench.scenarios import ROOT

# nginx closes a connection after 1,000 requests by default, which none of the others does.
KEEPALIVE_REQUESTS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where one peer runs."""

    site: Path  # the folder to serve
    scratch: Path  # a folder of its own, empty at the start
    port: int  # free a moment ago; for peers that cannot choose and announce one
    reply: bytes  # what the reference server answers, head and body; empty when each answers on its own


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    about: str
    command: Callable[[Place], list[str]]
    version: tuple[str, ...]  # the command that prints it
    needs: tuple[str, ...] = ()  # programs that must be on the PATH
    modules: tuple[str, ...] = ()  # Python modules that this interpreter must have
    announces: bool = True  # prints http://127.0.0.1:PORT/ (or tcp:) when it is listening
    logs: bool = False  # has a log on stderr that cannot be switched off; it must not fill the disk
    folder: Path = ROOT  # the working folder

    def missing(self) -> str | None:
        """Why this peer cannot run here, or None."""
        absent = [program for program in self.needs if shutil.which(program) is None]
        absent += [module for module in self.modules if find_spec(module) is None]
        return f"{', '.join(absent)} not installed" if absent else None


def poise(place: Place) -> list[str]:
    return [sys.executable, "-m", "poise", "serve", str(place.site), "--port", "0", "--no-access-log"]


def http_server(protocol: str) -> Callable[[Place], list[str]]:
    """Its log has no switch: the lines are written, but nobody keeps them."""

    def command(place: Place) -> list[str]:
        server = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
        return [*server, "--directory", str(place.site), "--protocol", protocol]

    return command


def floor(place: Place) -> list[str]:
    """Compiled on the spot; it sends the reference server's own bytes, so both move the same amount, or what it gets."""
    program, reply = place.scratch / "floor", place.scratch / "reply"
    subprocess.run(["cc", "-O2", "-o", str(program), str(ROOT / "bench" / "floor.c")], check=True)
    if not place.reply:
        return [str(program)]
    reply.write_bytes(place.reply)
    return [str(program), str(reply)]


NGINX = """\
daemon off;
worker_processes 1;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 8192; }}
http {{
    types {{ application/octet-stream bin; }}
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests {keepalive};
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    {extra}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {site};
    }}
}}
"""


def nginx(extra: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        configuration = place.scratch / "nginx.conf"
        configuration.write_text(
            NGINX.format(
                scratch=place.scratch,
                site=place.site,
                port=place.port,
                keepalive=KEEPALIVE_REQUESTS,
                extra=extra,
            )
        )
        errors = str(place.scratch / "error.log")
        return ["nginx", "-p", str(place.scratch), "-c", str(configuration), "-e", errors]

    return command


LIGHTTPD = """\
server.document-root = "{site}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{scratch}/error.log"
server.max-keep-alive-requests = {keepalive}
server.max-connections = 8192
server.max-fds = 16384
mimetype.assign = ( ".bin" => "application/octet-stream" )
"""


def lighttpd(place: Place) -> list[str]:
    configuration = place.scratch / "lighttpd.conf"
    configuration.write_text(
        LIGHTTPD.format(scratch=place.scratch, site=place.site, port=place.port, keepalive=65535)
    )
    return ["lighttpd", "-D", "-f", str(configuration)]


def echo(kind: str, checkout: Path = ROOT) -> Callable[[Place], list[str]]:
    program = str(ROOT / "bench" / "echo_server.py")
    return lambda _place: [sys.executable, program, kind, str(checkout)]


def http_before(folder: Path) -> Peer:
    """Another checkout of Poise, to hold a change against what was there before."""
    return Peer("poise-before", f"the checkout in {folder}", poise, POISE_VERSION, folder=folder)


def echo_before(folder: Path) -> Peer:
    """The same for the echo, whose program is always that of this checkout."""
    return replace(http_before(folder), command=echo("poise", folder))


POISE_VERSION = (sys.executable, "-m", "poise", "--version")
PYTHON_VERSION = (sys.executable, "--version")
UVLOOP_VERSION = (sys.executable, "-c", "import uvloop; print('uvloop', uvloop.__version__)")
NGINX_VERSION = ("nginx", "-v")
CACHE = "open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s; open_file_cache_errors on;"
FLOOR = Peer("floor", "C: epoll, recv, send of the same bytes", floor, ("cc", "--version"), ("cc",))

HTTP_PEERS = (
    Peer("poise", "this checkout", poise, POISE_VERSION),
    FLOOR,
    Peer("nginx", "nginx, sendfile on", nginx(""), NGINX_VERSION, ("nginx",), announces=False),
    Peer(
        "nginx-cache", "nginx with open_file_cache", nginx(CACHE), NGINX_VERSION, ("nginx",), announces=False
    ),
    Peer("lighttpd", "lighttpd", lighttpd, ("lighttpd", "-v"), ("lighttpd",), announces=False),
    Peer(
        "http.server", "Python's own, as it comes (1.0)", http_server("HTTP/1.0"), PYTHON_VERSION, logs=True
    ),
    Peer("http.server-1.1", "Python's own, kept alive", http_server("HTTP/1.1"), PYTHON_VERSION, logs=True),
)

ECHO_PEERS = (
    Peer("poise", "this checkout, Protocol", echo("poise"), POISE_VERSION),
    FLOOR,
    Peer("uvloop", "uvloop, Protocol", echo("uvloop"), UVLOOP_VERSION, modules=("uvloop",)),
    Peer("asyncio", "asyncio, Protocol", echo("asyncio"), PYTHON_VERSION),
    Peer("asyncio-buffered", "asyncio, BufferedProtocol", echo("asyncio-buffered"), PYTHON_VERSION),
    Peer(
        "asyncio-streams", "asyncio, StreamReader and StreamWriter", echo("asyncio-streams"), PYTHON_VERSION
    ),
)
