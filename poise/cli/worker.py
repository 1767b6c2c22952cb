"""One worker of ``poise serve --workers N``: what it does between the fork and its end.

It is told what to do by signals: SIGTERM to stop after the replies in flight, SIGQUIT to stop at once, SIGUSR2 to make way for
another, SIGUSR1 to open its log anew. A pipe whose other end only the supervisor has tells when that one is no more.
"""

from __future__ import annotations

import os
import signal
from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from poise.cli.loads import Share
from poise.cli.main import CANNOT_START
from poise.cli.serve import Serving, offer_control, open_to, scheme_of, serving
from poise.cli.standard import say, silent
from poise.cli.welcome import open_page
from poise.errors import MachineFault
from poise.loop import signals
from poise.net.bound import Bound
from poise.readiness.interest import READ

if TYPE_CHECKING:
    from poise.net.certificates import ServerTLS

STOP, CUT, MAKE_WAY, REOPEN = signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR2, signal.SIGUSR1
NOT_FOR_US = (signal.SIGINT, signal.SIGHUP)
"""A terminal sends them to every process in it; the supervisor hears them, and tells the workers what to do."""


class Plan(NamedTuple):
    """What a worker is to do."""

    args: Namespace
    tls: ServerTLS | None
    anew: bool
    """Whether the server is only beginning: then its page may be opened in a browser."""


def work(plan: Plan, bound: Bound, lifeline: int, share: Share, first: bool, status: int) -> int:
    """Serve what comes to ``bound`` until told to end; returns the exit code.

    ``share`` is its share of the connections; ``first`` says what there is to say for all; ``status`` is written to when it serves; ``lifeline`` becomes readable when
    the supervisor is no more.
    """
    try:
        with serving(plan.args, say if first else silent, shared=True) as served:
            reactor, server, log = served
            listener = server.listen(bound.socket, tls=plan.tls)
            listener.balance = share
            share.tell(0)
            open_to(server, listener, plan.args)
            _heed(served, lifeline)
            if first and plan.anew:
                open_page(reactor, listener, scheme_of(plan.tls), plan.args)
            os.write(status, b"\n")
            os.close(status)
            offer_control(reactor, plan.args, say if first else silent)
            reactor.run()
            log.finish()
    except MachineFault as error:
        say(str(error))
        return CANNOT_START
    return 0


def _heed(served: Serving, lifeline: int) -> None:
    reactor, server, log = served

    def stop() -> None:
        server.drain(reactor.stop)

    def cut() -> None:
        stop()
        server.close()

    def make_way() -> None:
        if not server.draining:
            server.drain(reactor.stop, patient=True)

    def orphaned(_mask: int) -> None:
        reactor.unregister(lifeline)
        say(f"worker {os.getpid()}: the supervisor is gone; ending after the replies in flight")
        stop()

    for number, callback in ((STOP, stop), (CUT, cut), (MAKE_WAY, make_way), (REOPEN, log.reopen)):
        reactor.signals.add(number, callback)
    for number in NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    signals.let_through()  # what has come since the fork
    reactor.register(lifeline, READ, orphaned)
    reactor.at_close.append(partial(os.close, lifeline))
