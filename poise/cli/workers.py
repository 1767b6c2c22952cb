"""``poise serve --workers N``: processes that serve, and one that sees to it that they do.

This process, the supervisor, binds the socket, forks the workers and never serves: it accepts nothing, and holds no
client's descriptor. All workers accept from the one queue behind that socket, so a connection that nobody has accepted yet
outlives the worker that is killed or replaced.

* **A worker that dies** is followed by another in its place: at once when it has served, after growing pauses when it
  failed soon; when that happens again and again, the server says so and ends as a whole, with exit code 3.
* **SIGHUP** reads settings and certificate again. Workers that have them start beside the old ones, the first of them
  alone, in case something is wrong with what it was given. Only when all of them serve do the old ones make way: they
  accept no more, answer each connection's next request with ``Connection: close``, and end when nobody is left. When
  one of the new ones fails, the old ones stay.
* **SIGTERM and SIGINT** stop everything after the replies in flight; a second one does not wait. **SIGUSR1** is passed on.
* **Nobody is left behind.** A worker that does not end in time is killed; workers whose supervisor has died, which they
  notice by a pipe that ends, finish their replies and go.

The certificate is loaded here, before the fork: all workers share the keys of its session tickets, so a client may resume with
any of them.
"""

from __future__ import annotations

import os
import signal
from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING

from poise.cli import where
from poise.cli.announce import announce, chosen_name
from poise.cli.main import CANNOT_START
from poise.cli.options import chosen
from poise.cli.seats import Seat, Team
from poise.cli.secure import server_tls
from poise.cli.serve import scheme_of, tell_who_can_read
from poise.cli.standard import say
from poise.cli.welcome import greet
from poise.cli.worker import CUT, MAKE_WAY, REOPEN, STOP, Plan, work
from poise.errors import MachineFault
from poise.limits import HttpLimits, ListenLimits, WorkerLimits
from poise.loop.reactor import Reactor
from poise.net.bound import Bound

if TYPE_CHECKING:
    from poise.net.announcer import Announcer

AT_THE_START = ("host", "port", "announce", "discovery_port")
"""Settings that a reload leaves as they are: the socket is bound, and told to others."""


def supervise(args: Namespace) -> int:
    """Serve with ``args.workers`` processes until SIGINT or SIGTERM; returns the exit code. Raises MachineFault."""
    name = chosen_name(args)
    plan = Plan(args, server_tls(args), anew=True)
    backlog = chosen(ListenLimits, args).backlog
    bound = where.listen(partial(Bound, backlog=backlog), args.host, args.port)
    try:
        tell_who_can_read(bound, args)
        with Reactor() as reactor:
            supervisor = Supervisor(reactor, bound, plan)
            if name is not None:
                supervisor.announcer = announce(
                    reactor, name, bound, scheme_of(plan.tls), args.discovery_port
                )
            supervisor.start()
            reactor.run()
        return supervisor.code
    finally:
        bound.close()


class Supervisor:
    """Starts workers, replaces those that die, and passes on what it is told."""

    def __init__(
        self, reactor: Reactor, bound: Bound, plan: Plan, limits: WorkerLimits | None = None
    ) -> None:
        self.code = 0
        """The exit code for the whole."""
        self.announcer: Announcer | None = None
        self._reactor = reactor
        self._bound = bound
        self._limits = limits if limits is not None else WorkerLimits()
        self._lifeline, ours = os.pipe()
        for end in (self._lifeline, ours):
            reactor.at_close.append(partial(os.close, end))
        self._plan = plan
        self._next_plan = plan
        self._team: Team | None = None  # those that serve
        self._next: Team | None = None  # those that will
        self._leaving: dict[Seat, None] = {}  # in the order in which they were told to
        self._reload_again = False
        self._stopping = False

    def start(self) -> None:
        """Heed signals, and start the first workers."""
        for number, callback in (
            (signal.SIGINT, self.stop),
            (signal.SIGTERM, self.stop),
            (signal.SIGHUP, self.reload),
            (signal.SIGUSR1, self.reopen),
        ):
            self._reactor.signals.add(number, callback)
        self._begin(self._plan)

    def _begin(self, plan: Plan) -> None:
        self._next_plan = plan
        self._next = Team(
            self._reactor,
            self,
            plan.args.workers,
            partial(work, plan, self._bound, self._lifeline),
            pass_fds=(self._bound.socket.fileno(), self._lifeline),
            drain_time=chosen(HttpLimits, plan.args).drain_time,
            limits=self._limits,
        )
        self._next.start()

    # -- what a person or another program asks for -----------------------------------------------

    def stop(self) -> None:
        """End all workers after their replies in flight; when called again, at once."""
        if self.announcer is not None:
            self.announcer.close()  # nobody should be sent to a server that is going
        self._bound.close()  # the last worker that closes its copy ends the listening
        again, self._stopping = self._stopping, True
        self._dismiss(self._team)
        self._dismiss(self._next)
        self._team = self._next = None
        if self._leaving and not again:
            say(f"{workers(len(self._leaving))} finish their replies; Ctrl-C again stops at once")
        for seat in list(self._leaving):
            self._send_off(seat, CUT if again else STOP)
        self._end_when_alone()

    def reload(self) -> None:
        """Replace all workers by such that have what settings and certificate say now."""
        if self._stopping:
            return
        if self._next is not None:
            self._reload_again = True  # when that is done
            return
        try:
            plan = self._read_again()
        except SystemExit:  # the parser has said what is wrong
            say("nothing has changed: the workers go on as they are")
        except MachineFault as error:
            say(f"{error}; nothing has changed: the workers go on as they are")
        else:
            self._begin(plan)

    def _read_again(self) -> Plan:
        before = self._plan.args
        args: Namespace = before.read_again()
        args.read_again = before.read_again
        for name in AT_THE_START:
            if getattr(args, name) != getattr(before, name):
                say(f"{name.replace('_', '-')} stays as it is until the server is started anew")
        same = args.tls is not None and args.tls == before.tls  # people have compared its fingerprint
        return Plan(args, self._plan.tls if same else server_tls(args), anew=False)

    def reopen(self) -> None:
        """Pass it on that logs have been renamed."""
        for seat in (*self._seats(), *self._leaving):
            seat.tell(REOPEN)

    # -- what workers do -------------------------------------------------------------------------

    def complete(self, team: Team) -> None:
        former, self._team, self._next = self._team, team, None
        self._plan = self._next_plan
        for seat in self._dismiss(former):
            self._send_off(seat, MAKE_WAY)
        for seat in list(self._leaving)[: max(0, len(self._leaving) - self._limits.leaving)]:
            self._send_off(seat, CUT)
        pids = ", ".join(map(str, team.pids))
        if former is None:
            say(f"{workers(len(team.seats))}: {pids}")
            greet(self._bound, scheme_of(self._plan.tls), self._plan.args)
        else:
            say(f"{workers(len(team.seats))} anew: {pids}; those from before finish their replies")
        self._reload_if_asked()

    def died(self, team: Team, seat: Seat, what: str, code: int | None) -> None:
        if team is self._next and self._team is not None:
            say(f"{what} before all were there; nothing has changed: the workers from before go on")
            self._next = None
            for each in self._dismiss(team):
                self._send_off(each, CUT)
            self._reload_if_asked()
        elif code == CANNOT_START and self._team is None:
            self._give_up()  # the worker has said why
        elif seat.failures >= self._limits.failures:
            say(f"{what}, like {seat.failures - 1} before it as soon as they were there; giving up")
            self._give_up()
        else:
            delay = seat.start_again()
            say(f"{what}; " + (f"another one begins in {delay:g} s" if delay else "another one begins"))

    def left(self, seat: Seat) -> None:
        self._leaving.pop(seat, None)
        self._end_when_alone()

    def _seats(self) -> list[Seat]:
        return [seat for team in (self._team, self._next) if team is not None for seat in team.seats]

    def _dismiss(self, team: Team | None) -> list[Seat]:
        """Nobody is started in the seats of ``team`` any more; those that still have a worker, who is to be told."""
        if team is None:
            return []
        for seat in team.seats:
            seat.give_up()
        left = [seat for seat in team.seats if seat.process is not None]
        self._leaving.update(dict.fromkeys(left))
        return left

    def _send_off(self, seat: Seat, number: int) -> None:
        drain_time = 0.0 if number == CUT else seat.team.drain_time
        seat.leave(number, drain_time + self._limits.grace)

    def _reload_if_asked(self) -> None:
        asked, self._reload_again = self._reload_again, False
        if asked:
            self.reload()

    def _give_up(self) -> None:
        self.code = CANNOT_START
        self.stop()

    def _end_when_alone(self) -> None:
        if self._stopping and not self._leaving:
            self._reactor.stop()


def workers(count: int) -> str:
    """``2 workers``."""
    return "1 worker" if count == 1 else f"{count} workers"
