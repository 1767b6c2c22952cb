"""``poise serve``: a folder on the web until somebody stops it."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from dataclasses import replace

from poise.cli.options import chosen
from poise.errors import MachineFault
from poise.files.locate import Root
from poise.files.server import FileServer
from poise.files.site import Site
from poise.http.hosts import local_or
from poise.http.log import AccessLog
from poise.limits import FileLimits, HttpLimits, ListenLimits, LogLimits, StreamLimits
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net.listener import Listener
from poise.net.sink import Sink

STDERR = 2
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 100  # after the default one
RESERVED = 64  # descriptors for the poller, listeners, logs and what Python itself holds
EVERY_INTERFACE = frozenset({"", "::", "0.0.0.0"})


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises MachineFault when it cannot start."""
    if sys.platform == "win32":
        raise MachineFault("serving folders is not supported on Windows; the toolkit itself is, with select")
    listen_limits = _fit_descriptors(chosen(ListenLimits, args))
    file_limits = chosen(FileLimits, args)
    root = Root(args.dir, dotfiles=args.dotfiles, limits=file_limits)
    with Reactor(args.poller) as reactor:
        log_limits = LogLimits()
        stderr = Sink(reactor, STDERR, log_limits)
        site = Site(root, wall=reactor.clock.wall, limits=file_limits, listing=not args.no_listing)
        server = FileServer(
            reactor,
            site,
            limits=chosen(HttpLimits, args),
            listen_limits=listen_limits,
            stream_limits=chosen(StreamLimits, args),
            log=None if args.no_access_log else AccessLog(reactor, stderr.write, log_limits),
        )
        listener = _listen(server, args)
        listener.on_exhausted = _say_exhausted
        if _loopback_only(listener):
            server.allows_host = local_or(args.allow_host)
        for url in urls(listener):
            print(url, flush=True)
        _stop_on_signals(reactor, server)
        reactor.run()
        if server.log is not None:
            server.log.flush()
        stderr.finish(log_limits.finish)
    root.close()
    return 0


def _listen(server: FileServer, args: argparse.Namespace) -> Listener:
    host = args.host if args.host is not None else ("" if args.lan else DEFAULT_HOST)
    if host.startswith(addresses.UNIX):
        return server.listen(host)
    if args.port is not None:
        return _listen_on(server, host, args.port, "choose another with --port")
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        try:
            listener = server.listen((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _explained(error, host, port, "choose another with --port") from error
            continue
        if port != DEFAULT_PORT:
            say(f"port {DEFAULT_PORT} is busy; taking {port}")
        return listener
    return _listen_on(server, host, 0, "")


def _listen_on(server: FileServer, host: str, port: int, advice: str) -> Listener:
    try:
        return server.listen((host, port))
    except OSError as error:
        raise _explained(error, host, port, advice) from error


def _explained(error: OSError, host: str, port: int, advice: str) -> MachineFault:
    if isinstance(error, MachineFault):
        return error
    return MachineFault(f"cannot listen on {addresses.show((host or '*', port))}: {error.strerror}; {advice}")


def _loopback_only(listener: Listener) -> bool:
    bound = listener.address
    if isinstance(bound, str):
        return False
    host = addresses.plain_host(bound[0])
    return host.startswith("127.") or host == "::1"


def urls(listener: Listener) -> list[str]:
    """What to type into a browser, the nearest first."""
    bound = listener.address
    if isinstance(bound, str):
        return [f"http+{bound}"]
    host, port = bound
    hosts = [DEFAULT_HOST, *addresses.own_addresses()] if host in EVERY_INTERFACE else [host]
    return [f"http://{addresses.show((each, port))}/" for each in hosts]


def _stop_on_signals(reactor: Reactor, server: FileServer) -> None:
    def stop() -> None:
        if server.draining:
            server.close()  # asked twice: now
        else:
            server.drain(reactor.stop)

    reactor.signals.add(signal.SIGINT, stop)
    reactor.signals.add(signal.SIGTERM, stop)


def _fit_descriptors(wanted: ListenLimits) -> ListenLimits:
    """Raise this process's limit of descriptors as far as it may, and never accept more than it can hold.

    A connection can have a file open besides, so a fifth of the descriptors is kept for files.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # some systems name a hard limit that they do not grant
            pass
    if soft == resource.RLIM_INFINITY:
        return wanted
    fits = max(1, (soft - RESERVED) * 4 // 5)
    if fits >= wanted.connections:
        return wanted
    say(f"this process may open {soft} files: taking at most {fits} connections (raise it with ulimit -n)")
    return replace(wanted, connections=fits)


def _say_exhausted(error: OSError, delay: float) -> None:
    say(f"cannot accept a connection: {error.strerror}; trying again in {delay:g} s")


def say(text: str) -> None:
    write_stderr(f"poise: {text}\n")


def write_stderr(text: str) -> None:
    """For the few words at the start and in trouble; what comes with every request goes through a Sink."""
    try:
        os.write(STDERR, text.encode("utf-8", "backslashreplace"))
    except OSError:  # nobody can read it any more, which is no reason to stop serving
        pass
