"""Who is measured: one :class:`Peer` per server, started as its own documentation says to run it for speed.

All of them listen on 127.0.0.1 with one worker; those of HTTP serve the same folder, without an access log, unless the
conditions say otherwise. To add one, write a function that returns its command line (it may write a configuration file
into ``place.scratch``) and add it to :data:`HTTP_PEERS` or :data:`ECHO_PEERS`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.app import SITE
from bench.place import PYTHON, Peer, Place
from bench.scenarios import ROOT
from bench.web_servers import CACHE, IDLE_TIME, LIGHTTPD_REQUESTS, NGINX_REQUESTS, caddy, lighttpd, nginx

MANY_CONNECTIONS = 12_000  # room for a crowd

# --- Poise ------------------------------------------------------------------------------------------------


def poise(*options: str) -> Callable[[Place], list[str]]:
    """With everything on that is on by default, but for the log."""

    def command(place: Place) -> list[str]:
        asked = place.conditions
        server = [PYTHON, "-m", "poise", "serve", str(place.site), "--port", str(place.port), *options]
        server += ["--log", str(place.log), "--log-format", "combined"] if asked.log else ["--no-access-log"]
        if asked.tls:
            server += ["--tls-cert", str(place.certificate)]
        if asked.deferred:
            server += ["--defer-accept", "1"]
        if asked.two_workers:
            server += ["--workers", "2"]
        if asked.crowd:
            server += ["--max-connections", str(MANY_CONNECTIONS), "--keep-alive-timeout", str(IDLE_TIME)]
        return server

    return command


# --- Python's own, and application servers ----------------------------------------------------------------


def http_server(protocol: str) -> Callable[[Place], list[str]]:
    """Its log has no switch: the lines are written, but nobody keeps them."""

    def command(place: Place) -> list[str]:
        server = [PYTHON, "-u", "-m", "http.server", str(place.port), "--bind", "127.0.0.1"]
        return [*server, "--directory", str(place.site), "--protocol", protocol]

    return command


def application(*server: str) -> Callable[[Place], list[str]]:
    """A module that serves ``bench/app.py``, started as ``python3 -m SERVER``; PORT stands for the port."""

    def command(place: Place) -> list[str]:
        words = [word.replace("PORT", str(place.port)) for word in server]
        return ["env", f"{SITE}={place.site}", sys.executable, "-m", *words]

    return command


UVICORN = application(
    *("uvicorn", "--host", "127.0.0.1", "--port", "PORT", "--workers", "1", "--loop", "uvloop"),
    *("--http", "httptools", "--interface", "asgi3", "--lifespan", "off", "--no-access-log"),
    *("--log-level", "warning", "--timeout-keep-alive", "75", "bench.app:asgi"),
)
GRANIAN_WORDS = (
    *("granian", "--host", "127.0.0.1", "--port", "PORT", "--workers", "1", "--http", "1", "--no-ws"),
    *("--runtime-threads", "1", "--runtime-mode", "st", "--loop", "uvloop", "--log-level", "warning"),
)
GRANIAN = application(*GRANIAN_WORDS, "--interface", "asginl", "bench.app:asgi")
GUNICORN = application(
    *("gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "1", "--worker-class", "gthread"),
    *("--threads", "4", "--keep-alive", "75", "--log-level", "warning", "bench.app:wsgi"),
)


def granian_files(place: Place) -> list[str]:
    """Its own way with files, in Rust; the application is never asked."""
    files = ("--static-path-route", "/", "--static-path-mount", str(place.site))
    return application(*GRANIAN_WORDS, *files, "--interface", "asginl", "bench.app:asgi")(place)


# --- other programs ---------------------------------------------------------------------------------------


def floor(place: Place) -> list[str]:
    """Compiled on the spot; it sends the reference server's own bytes, so both move the same amount, or what it gets."""
    program, reply = place.scratch / "floor", place.scratch / "reply"
    subprocess.run(["cc", "-O2", "-o", str(program), str(ROOT / "bench" / "floor.c")], check=True)
    if not place.reply:
        return [str(program)]
    reply.write_bytes(place.reply)
    return [str(program), str(reply)]


def dufs(place: Place) -> list[str]:
    return ["dufs", "--bind", "127.0.0.1", "--port", str(place.port), "--log-format", "", str(place.site)]


def miniserve(place: Place) -> list[str]:
    return ["miniserve", "--interfaces", "127.0.0.1", "--port", str(place.port), str(place.site)]


def echo(kind: str, checkout: Path = ROOT) -> Callable[[Place], list[str]]:
    program = str(ROOT / "bench" / "echo_server.py")
    return lambda _place: [sys.executable, program, kind, str(checkout)]


def http_before(folder: Path) -> Peer:
    """Another checkout of Poise, to hold a change against what was there before."""
    return replace(POISE, name="poise-before", about=f"the checkout in {folder}", folder=folder)


def echo_before(folder: Path) -> Peer:
    """The same for the echo, whose program is always that of this checkout."""
    return replace(http_before(folder), command=echo("poise", folder))


# --- the tables -------------------------------------------------------------------------------------------

POISE_VERSION = (PYTHON, "-m", "poise", "--version")
PYTHON_VERSION = (PYTHON, "--version")
UVLOOP_VERSION = (sys.executable, "-c", "import uvloop; print('uvloop', uvloop.__version__)")
FOR_EVER = "as many as it is asked for"
EXTRA = "pip install poise[bench]"


def installed(*modules: str) -> tuple[str, ...]:
    words = ", ".join(f"'{module}', version('{module}')" for module in modules)
    return (sys.executable, "-c", f"from importlib.metadata import version; print({words})")


POISE = Peer(
    "poise", "this checkout", poise(), POISE_VERSION, keeps=FOR_EVER,
    can=frozenset({"log", "tls", "two_workers", "deferred", "crowd"}),
)  # fmt: skip
FLOOR = Peer(
    "floor", "C: epoll, recv, send of the same bytes", floor, ("cc", "--version"), ("cc",),
    get="apt-get install gcc", keeps=FOR_EVER,
)  # fmt: skip
NGINX = Peer(
    "nginx", "nginx as it is shipped, sendfile on", nginx(), ("nginx", "-v"), ("nginx",),
    get="apt-get install nginx", keeps=f"{NGINX_REQUESTS:,} (1,000 by default)",
    can=frozenset({"log", "tls", "two_workers", "deferred", "crowd"}), announces=False,
)  # fmt: skip
LIGHTTPD = Peer(
    "lighttpd", "lighttpd", lighttpd, ("lighttpd", "-v"), ("lighttpd",),
    get="apt-get install lighttpd", keeps=f"{LIGHTTPD_REQUESTS:,} (1,000 by default)",
    can=frozenset({"log", "deferred"}), announces=False,
)  # fmt: skip
PROGRAM = Peer("", "", caddy, (), keeps=FOR_EVER, announces=False)  # what the rest have in common

HTTP_PEERS = (
    POISE,
    FLOOR,
    LIGHTTPD,
    replace(NGINX, name="nginx-cache", about="nginx with open_file_cache", command=nginx(CACHE)),
    NGINX,
    replace(
        PROGRAM, name="caddy", about="Caddy, file_server", command=caddy, version=("caddy", "version"),
        needs=("caddy",), get="apt-get install caddy",
    ),
    replace(
        PROGRAM, name="granian-files", about="granian, its own static files", command=granian_files,
        version=installed("granian"), modules=("granian", "uvloop"), get=EXTRA,
    ),
    replace(
        PROGRAM, name="granian", about="granian, ASGI, the files in memory", command=GRANIAN,
        version=installed("granian", "uvloop"), modules=("granian", "uvloop"), get=EXTRA,
    ),
    replace(
        PROGRAM, name="uvicorn", about="uvicorn, uvloop, httptools, the files in memory", command=UVICORN,
        version=installed("uvicorn", "uvloop", "httptools"), modules=("uvicorn", "uvloop", "httptools"), get=EXTRA,
    ),
    replace(
        PROGRAM, name="gunicorn", about="gunicorn, threads, the files in memory", command=GUNICORN,
        version=installed("gunicorn"), modules=("gunicorn",), get=EXTRA,
    ),
    Peer(
        "http.server", "python3 -m http.server as it comes (HTTP/1.0)", http_server("HTTP/1.0"), PYTHON_VERSION,
        keeps="one", logs=True,
    ),
    Peer(
        "http.server-1.1", "python3 -m http.server, kept alive", http_server("HTTP/1.1"), PYTHON_VERSION,
        keeps=FOR_EVER, logs=True,
    ),
    replace(
        PROGRAM, name="dufs", about="dufs", command=dufs, version=("dufs", "--version"), needs=("dufs",),
        get="its project has binaries",
    ),
    replace(
        PROGRAM, name="miniserve", about="miniserve", command=miniserve, version=("miniserve", "--version"),
        needs=("miniserve",), get="its project has binaries",
    ),
)  # fmt: skip

# The same in another way, for scenarios that ask for them.
VARIANTS = (
    replace(POISE, name="poise-poll", about="this checkout, waiting with poll", command=poise("--poller", "poll")),
    replace(
        POISE, name="poise-select", about="this checkout, waiting with select", command=poise("--poller", "select")
    ),
    replace(
        POISE, name="poise-bare", about="this checkout, without a control socket", command=poise("--no-control")
    ),
    replace(
        POISE, name="poise-watched", about="this checkout, with its live page open", command=poise("--watch"), watched=True
    ),
    replace(POISE, name="poise-alone", about="this checkout, without the idle connections", alone=True),
    replace(NGINX, name="nginx-alone", about="nginx as it is shipped, without the idle connections", alone=True),
)  # fmt: skip

ECHO_PEERS = (
    Peer("poise", "this checkout, Protocol", echo("poise"), POISE_VERSION),
    FLOOR,
    Peer("uvloop", "uvloop, Protocol", echo("uvloop"), UVLOOP_VERSION, modules=("uvloop",), get=EXTRA),
    Peer("asyncio", "asyncio, Protocol", echo("asyncio"), PYTHON_VERSION),
    Peer("asyncio-buffered", "asyncio, BufferedProtocol", echo("asyncio-buffered"), PYTHON_VERSION),
    Peer(
        "asyncio-streams", "asyncio, StreamReader and StreamWriter", echo("asyncio-streams"), PYTHON_VERSION
    ),
)
