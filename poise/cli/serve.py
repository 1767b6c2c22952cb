"""``poise serve``: a folder on the web until somebody stops it."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from poise.cli import site_options, standard, where
from poise.cli.absent import absent
from poise.cli.announce import announce, chosen_name
from poise.cli.log import Log
from poise.cli.options import chosen
from poise.cli.secure import server_tls
from poise.cli.standard import say
from poise.cli.welcome import welcome
from poise.errors import MachineFault
from poise.files.locate import Root
from poise.files.server import FileServer
from poise.files.site import Site
from poise.http.hosts import local_or
from poise.limits import FileLimits, HttpLimits, ListenLimits, LoopLimits, StreamLimits, TLSLimits
from poise.loop.reactor import Reactor
from poise.net.listener import Listener
from poise.readiness.by_select import BySelect

if TYPE_CHECKING:
    from poise.files.rules import SiteRules
    from poise.net.announcer import Announcer
    from poise.net.certificates import ServerTLS

Tell = Callable[[str], None]

ONE_LOOP = (
    "--watch shows one loop, and each worker has its own: leave --workers out, or look at them with poise top"
)
RESERVED = 64  # descriptors for the poller, listeners, logs and what Python itself holds


def serve(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises MachineFault when it cannot start."""
    if sys.platform == "win32":
        raise MachineFault("serving folders is not supported on Windows; the toolkit itself is, with select")
    sys.setswitchinterval(LoopLimits().switch)
    if args.workers > 1:
        if args.watch is not None:
            raise MachineFault(errno.EINVAL, ONE_LOOP)
        from poise.cli.workers import supervise  # only those who want several pay for it

        return supervise(args)
    name = chosen_name(args)
    with serving(args) as (reactor, server, log):
        tls = server_tls(args)
        pages = [] if args.watch is args.watch_host is None else show(reactor, args)
        listener = where.listen(partial(server.listen, tls=tls), args.host, args.port)
        open_to(server, listener, args)
        tell_who_can_read(listener, args)
        scheme = scheme_of(tls)
        announcer = None
        if name is not None:
            announcer = announce(reactor, name, listener, scheme, args.discovery_port)
        _heed_signals(reactor, server, tls, announcer)  # before anybody is told that we are here
        reactor.signals.add(signal.SIGUSR1, log.reopen)
        welcome(reactor, listener, scheme, args)
        standard.write(standard.OUTPUT, "".join(f"{page}\n" for page in pages))
        offer_control(reactor, args)
        reactor.run()
        log.finish()
    return 0


class Serving(NamedTuple):
    """What one process serves with. It listens nowhere yet."""

    reactor: Reactor
    server: FileServer
    log: Log


@contextmanager
def serving(args: argparse.Namespace, tell: Tell = say, *, shared: bool = False) -> Iterator[Serving]:
    """A folder, its site and its log as the arguments have them, on a reactor of this process. Raises MachineFault.

    ``tell`` is for what is worth saying at the start; ``shared`` says that other processes write the same log.
    """
    listen_limits = _fit_descriptors(chosen(ListenLimits, args), args.poller, tell)
    file_limits = chosen(FileLimits, args)
    rules = site_options.rules(args, limits=file_limits)
    for page in absent(args, rules):
        tell(f"--{page.dest.replace('_', '-')}: {page.text}")
    with (
        Root(
            args.dir, dotfiles=rules.dotfiles, symlinks=rules.symlinks, hides=rules.hides, limits=file_limits
        ) as root,
        Reactor(args.poller) as reactor,
    ):
        log = Log(reactor, args, tell, shared=shared)
        server = FileServer(
            reactor,
            _site(args, root, rules, reactor, tell),
            limits=chosen(HttpLimits, args),
            listen_limits=listen_limits,
            stream_limits=chosen(StreamLimits, args),
            tls_limits=chosen(TLSLimits, args),
            log=log.access,
        )
        yield Serving(reactor, server, log)


def show(reactor: Reactor, args: argparse.Namespace) -> list[str]:
    """Open the page on which the loop is seen; its addresses."""
    from poise.cli import seen  # only those who look pay for it

    return seen.show(reactor, args)


def offer_control(reactor: Reactor, args: argparse.Namespace, tell: Tell = say) -> None:
    """Offer the control socket from the first turn on: whoever is here already is served first."""

    def offer() -> None:
        from poise.cli import seen  # what nobody waits for

        seen.offer(reactor, tell)

    if not args.no_control:
        reactor.call_soon(offer)


def open_to(server: FileServer, listener: Listener, args: argparse.Namespace) -> None:
    """Decide by where it listens to whom the server answers."""
    listener.on_exhausted = _say_exhausted
    if where.loopback_only(listener):
        server.allows_host = local_or(args.allow_host)


def tell_who_can_read(listener: where.Listening, args: argparse.Namespace) -> None:
    """Say what a person should know of who can reach us."""
    if args.allow_host and not where.loopback_only(listener):
        say("--allow-host has no effect here: only a server on loopback looks at the Host")
    if where.every_interface(listener):
        say("listening on all interfaces: everyone in the network can read this folder")


def scheme_of(tls: ServerTLS | None) -> str:
    """``http`` or ``https``."""
    return "http" if tls is None else "https"


def _site(args: argparse.Namespace, root: Root, rules: SiteRules, reactor: Reactor, tell: Tell) -> Site:
    live = None
    if args.live:
        from poise.files.live import Live

        live = Live(reactor, args.dir, root.limits)
    if live is not None and live.by == "polling":
        tell(f"changes are looked for every {root.limits.look:g} s: this system does not tell them")
    return Site(
        root,
        wall=reactor.clock.wall,
        rules=rules,
        limits=root.limits,
        reactor=reactor,
        live=live,
        compress=not args.no_compress,
        name=os.path.basename(os.path.realpath(args.dir)) or "files",
    )


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


def _fit_descriptors(wanted: ListenLimits, poller: str | None, tell: Tell = say) -> ListenLimits:
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
    tell(f"this process may open {soft} files: taking at most {fits} connections (raise it with ulimit -n)")
    return wanted.but(connections=fits)


def _say_exhausted(error: OSError, delay: float) -> None:
    say(f"cannot accept a connection: {error.strerror}; trying again in {delay:g} s")
