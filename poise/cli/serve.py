"""``poise serve``: a folder on the web until somebody stops it."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from poise.cli import standard, where
from poise.cli.announce import announce, chosen_name
from poise.cli.options import chosen
from poise.cli.secure import server_tls
from poise.cli.standard import say
from poise.errors import MachineFault
from poise.files.locate import Root
from poise.files.server import FileServer
from poise.files.site import Site
from poise.http.hosts import local_or
from poise.http.log import AccessLog
from poise.limits import FileLimits, HttpLimits, ListenLimits, LogLimits, StreamLimits, TLSLimits
from poise.loop.reactor import Reactor
from poise.net.sink import Sink
from poise.readiness.by_select import BySelect

if TYPE_CHECKING:
    from poise.net.announcer import Announcer
    from poise.net.certificates import ServerTLS

RESERVED = 64  # descriptors for the poller, listeners, logs and what Python itself holds


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises MachineFault when it cannot start."""
    if sys.platform == "win32":
        raise MachineFault("serving folders is not supported on Windows; the toolkit itself is, with select")
    listen_limits = _fit_descriptors(chosen(ListenLimits, args), args.poller)
    file_limits = chosen(FileLimits, args)
    name = chosen_name(args)
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
            tls_limits=chosen(TLSLimits, args),
            log=None if args.no_access_log else AccessLog(reactor, stderr.write, log_limits),
        )
        tls = server_tls(args)
        listener = where.listen(server, args.host, args.port, tls)
        listener.on_exhausted = _say_exhausted
        if where.loopback_only(listener):
            server.allows_host = local_or(args.allow_host)
        elif args.allow_host:
            say("--allow-host has no effect here: only a server on loopback looks at the Host")
        if where.every_interface(listener):
            say("listening on all interfaces: everyone in the network can read this folder")
        scheme = "http" if tls is None else "https"
        announcer = None
        if name is not None:
            announcer = announce(reactor, name, listener, scheme, args.discovery_port)
        _heed_signals(reactor, server, tls, announcer)  # before anybody is told that we are here
        urls = where.urls(listener, scheme)
        standard.write(standard.OUTPUT, "".join(f"{url}\n" for url in urls))
        reactor.run()
        if server.log is not None:
            server.log.flush()
        stderr.finish(log_limits.finish)
    return 0


def _heed_signals(
    reactor: Reactor, server: FileServer, tls: ServerTLS | None, announcer: Announcer | None
) -> None:
    def stop() -> None:
        if announcer is not None:
            announcer.close()  # nobody should be sent to a server that is going
        if server.draining:
            server.close()  # asked twice: now
            return
        server.drain(reactor.stop)
        if server.in_flight:
            many = "a reply" if server.in_flight == 1 else f"{server.in_flight} replies"
            say(f"finishing {many}; Ctrl-C again stops at once")

    reactor.signals.add(signal.SIGINT, stop)
    reactor.signals.add(signal.SIGTERM, stop)
    if tls is not None:
        reactor.signals.add(signal.SIGHUP, partial(_reload, tls))


def _reload(tls: ServerTLS) -> None:
    try:
        tls.reload()
    except MachineFault as error:
        say(f"{error}; the old certificate stays")
    else:
        say("the certificate was read again; new connections use it")


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
