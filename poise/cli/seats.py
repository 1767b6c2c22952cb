"""Places for workers: whoever dies in one is followed by another.

A **seat** has one worker at a time, and counts its failures. A **team** is all seats that were filled from one reading of the
settings; its first worker is started alone, and the others when that one serves. Both only notice and do; what is to be
done about it, the supervisor decides.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from poise.cli.loads import Loads, Share
from poise.cli.standard import say
from poise.limits import WorkerLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net.forked import fork
from poise.net.process import Process, ProcessProtocol

Work = Callable[[Share, bool, int], int]
"""What a worker does. It is told its share of the connections, whether it is the first of its team, and a descriptor to
write to when it serves."""


class Boss(Protocol):
    """Who decides."""

    def complete(self, team: Team) -> None:
        """Every worker of ``team`` serves, for the first time."""

    def died(self, team: Team, seat: Seat, what: str, code: int | None) -> None:
        """A worker has ended that nobody told to. ``what`` says how, ``code`` is its exit code or minus a signal."""

    def left(self, seat: Seat) -> None:
        """A worker has ended that was told to."""


class Team:
    """``count`` workers that do ``work``; they inherit ``pass_fds``, and finish their replies in ``drain_time`` seconds."""

    def __init__(
        self,
        reactor: Reactor,
        boss: Boss,
        count: int,
        work: Work,
        *,
        pass_fds: Sequence[int],
        drain_time: float,
        limits: WorkerLimits,
    ) -> None:
        self.reactor = reactor
        self.boss = boss
        self.work = work
        self.pass_fds = pass_fds
        self.drain_time = drain_time
        self.limits = limits
        self.begun = False
        self.complete = False
        loads = Loads(count)
        self.seats = [Seat(self, loads.share(number)) for number in range(count)]

    @property
    def pids(self) -> list[int]:
        return [seat.process.pid for seat in self.seats if seat.process is not None]

    def start(self) -> None:
        """Start the first worker."""
        self.seats[0].start()

    def serves(self) -> None:
        """One more worker serves."""
        if not self.begun:
            self.begun = True
            for seat in self.seats[1:]:
                seat.start()
        if not self.complete and all(seat.ready for seat in self.seats):
            self.complete = True
            self.boss.complete(self)


class Seat(ProcessProtocol):
    """A place for one worker of ``team``."""

    def __init__(self, team: Team, share: Share) -> None:
        self.process: Process | None = None
        self.ready = False
        """Whether the worker serves."""
        self.failures = 0
        """How many workers here have failed, one after the other."""
        self.team = team
        self._share = share
        self._since = 0.0
        self._leaves = False
        self._timer: TimerHandle | None = None  # until it is tried again, should serve, or should have ended

    # -- what it is told -------------------------------------------------------------------------

    def start(self) -> None:
        """Start a worker."""
        team = self.team
        try:
            self.process = fork(
                team.reactor, partial(team.work, self._share, not team.begun), self, pass_fds=team.pass_fds
            )
        except OSError as error:  # EAGAIN, ENOMEM, EMFILE
            self._ended(f"a worker cannot be started: {error.strerror}", None)
        else:
            self._in(team.limits.start_time, self._too_slow)

    def start_again(self) -> float:
        """Start another one after a pause, whose length in seconds is returned: 0 when the last one had served."""
        limits = self.team.limits
        delay = 0.0
        if self.failures:
            delay = min(limits.first_delay * 2.0 ** (self.failures - 1), limits.longest_delay)
        self._in(delay, self.start)
        return delay

    def give_up(self) -> None:
        """Whoever dies here from now on is followed by nobody."""
        self._leaves = True
        self._cancel()

    def leave(self, number: int, patience: float) -> None:
        """Tell the worker to end, by signal, and kill it when it has not within ``patience`` seconds. May be repeated."""
        self.give_up()
        if self.process is not None:
            self.process.send_signal(number)
            self._in(patience, self._overdue)

    def tell(self, number: int) -> None:
        """Send a signal that does not end it."""
        if self.process is not None:
            self.process.send_signal(number)

    # -- what happens ----------------------------------------------------------------------------

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """The worker serves."""
        del fd, data  # it has only one thing to say
        if self.process is None or self._leaves:  # it said so with its last breath
            return
        self._cancel()
        self.ready = True
        self._since = self.team.reactor.now
        self.team.serves()

    def process_exited(self) -> None:
        process, self.process = self.process, None
        self._share.leave()
        if process is not None and process.returncode is not None:
            self._cancel()
            self._ended(f"worker {process.pid} {ending(process.returncode)}", process.returncode)

    def _ended(self, what: str, code: int | None) -> None:
        team = self.team
        if self._leaves:
            team.boss.left(self)
            return
        served = self.ready and team.reactor.now - self._since > team.limits.soon
        self.failures = 0 if served else self.failures + 1
        self.ready = False
        team.boss.died(team, self, what, code)

    def _too_slow(self) -> None:
        self._kill(f"does not serve after {self.team.limits.start_time:g} s")

    def _overdue(self) -> None:
        self._kill("did not end in time")

    def _kill(self, why: str) -> None:
        self._timer = None
        if self.process is not None:
            say(f"worker {self.process.pid} {why}, and is killed")
            self.process.kill()

    def _in(self, delay: float, callback: Callable[[], None]) -> None:
        self._timer = self.team.reactor.call_later(delay, callback)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def ending(code: int) -> str:
    """How a process has ended, in words."""
    if code >= 0:
        return f"has ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was ended by signal {-code}"
