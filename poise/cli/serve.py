"""``poise serve``: a folder on the web until somebody stops it."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from dataclasses import replace

from poise.cli import standard
from poise.cli.options import chosen
from poise.cli.standard import say
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
from poise.readiness.by_select import BySelect

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 100  # after the default one
RESERVED = 64  # descriptors for the poller, listeners, logs and what Python itself holds
EVERY_INTERFACE = frozenset({"::", "0.0.0.0"})  # as a bound socket says it


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises MachineFault when it cannot start."""
    if sys.platform == "win32":
        raise MachineFault("serving folders is not supported on Windows; the toolkit itself is, with select")
    listen_limits = _fit_descriptors(chosen(ListenLimits, args), args.poller)
    file_limits = chosen(FileLimits, args)
    with (
        Root(args.dir, dotfiles=args.dotfiles, limits=file_limits) as root,
        Reactor(args.poller) as reactor,
    ):
        log_limits = LogLimits()
        stderr = Sink(reactor, standard.ERROR, log_limits)
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
        if _every_interface(listener):
            say("listening on all interfaces: everyone in the network can read this folder")
        _stop_on_signals(reactor, server)  # before anybody is told that we are here
        standard.write(standard.OUTPUT, "".join(f"{url}\n" for url in urls(listener)))
        reactor.run()
        if server.log is not None:
            server.log.flush()
        stderr.finish(log_limits.finish)
    return 0


def _listen(server: FileServer, args: argparse.Namespace) -> Listener:
    host = DEFAULT_HOST if args.host is None else args.host
    if host.startswith(addresses.UNIX):
        return _listen_on(server, host)
    if args.port is not None:
        return _listen_on(server, (host, args.port))
    for port in (*range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED), 0):
        try:
            listener = _listen_on(server, (host, port))
        except PortBusy:
            continue
        if port != DEFAULT_PORT:
            say(f"port {DEFAULT_PORT} is busy; taking {listener.address[1]}")
        return listener
    raise PortBusy("this machine has no free port")


class PortBusy(MachineFault):
    """Somebody else listens there."""


def _listen_on(server: FileServer, address: tuple[str, int] | str) -> Listener:
    try:
        return server.listen(address)
    except MachineFault:
        raise
    except OSError as error:
        shown = address if isinstance(address, str) else addresses.show((address[0] or "*", address[1]))
        what = f"cannot listen on {shown}: {error.strerror}"
        if error.errno == errno.EADDRINUSE and not isinstance(address, str):
            raise PortBusy(f"{what}; choose another with --port") from error
        raise MachineFault(what) from error


def _every_interface(listener: Listener) -> bool:
    return listener.address[0] in EVERY_INTERFACE


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
    hosts = [host]
    if host in EVERY_INTERFACE:
        others = [each for each in addresses.own_addresses() if host == "::" or ":" not in each]
        hosts = [DEFAULT_HOST, *others]
    return [f"http://{addresses.show((each, port))}/" for each in hosts]


def _stop_on_signals(reactor: Reactor, server: FileServer) -> None:
    def stop() -> None:
        if server.draining:
            server.close()  # asked twice: now
        else:
            server.drain(reactor.stop)

    reactor.signals.add(signal.SIGINT, stop)
    reactor.signals.add(signal.SIGTERM, stop)


def _fit_descriptors(wanted: ListenLimits, poller: str | None) -> ListenLimits:
    """Raise this process's limit of descriptors as far as it may, and never accept more than it can hold.

    A connection can have a file open besides, so a fifth of the descriptors is kept for files. select(2) cannot
    watch a descriptor beyond its set, so with it there must be none.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard
    if poller == BySelect.name and not 0 <= hard <= BySelect.set_size:  # RLIM_INFINITY is negative here
        most = BySelect.set_size
    if soft != most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
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
