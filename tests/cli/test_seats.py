"""Places for workers: who fails, who is late, and who does not go. Real processes, of which each does very little."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from poise.cli import seats
from poise.cli.loads import ABSENT, Share
from poise.cli.seats import Seat, Team, ending
from poise.limits import WorkerLimits
from poise.loop import signals
from poise.loop.reactor import Reactor
from tests.support.loops import turn_until

Died = tuple[Seat, str, int | None]


def ready(status: int) -> None:
    """As a worker says it: signals come through, and it serves."""
    signals.let_through()
    os.write(status, b"\n")


def stays(_share: Share, _first: bool, status: int) -> int:
    ready(status)
    signal.pause()
    return 0


def fails(_share: Share, _first: bool, _status: int) -> int:
    return 5


def serves_and_ends(_share: Share, _first: bool, status: int) -> int:
    ready(status)
    return 0


def never_serves(_share: Share, _first: bool, _status: int) -> int:
    signal.pause()
    return 0


def stubborn(_share: Share, _first: bool, status: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready(status)
    signal.pause()
    return 0


class Boss:
    """Keeps what is reported; ``again`` is what it does about a death."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.completed = 0
        self.deaths: list[Died] = []
        self.gone: list[Seat] = []
        self.again: Callable[[Seat], object] = lambda seat: None

    def complete(self, team: Team) -> None:
        assert all(seat.ready for seat in team.seats)
        self.completed += 1

    def died(self, team: Team, seat: Seat, what: str, code: int | None) -> None:
        assert seat in team.seats
        self.deaths.append((seat, what, code))
        self.again(seat)

    def left(self, seat: Seat) -> None:
        self.gone.append(seat)

    def team(self, count: int, work: seats.Work, *pass_fds: int, **limits: float) -> Team:
        made = Team(
            self.reactor,
            self,
            count,
            work,
            pass_fds=pass_fds,
            drain_time=1.0,
            limits=WorkerLimits(**limits),  # type: ignore[arg-type]  # whichever they are
        )
        made.start()
        return made


@pytest.fixture
def boss() -> Iterator[Boss]:
    with Reactor() as reactor:
        yield Boss(reactor)


def test_the_first_is_alone_until_it_serves(boss: Boss) -> None:
    reader, writer = os.pipe()

    def work(_share: Share, first: bool, status: int) -> int:
        if first:
            os.read(reader, 1)
        ready(status)
        signal.pause()
        return 0

    team = boss.team(3, work, reader)
    boss.reactor.turn(0)
    assert len(team.pids) == 1
    assert not team.begun
    os.write(writer, b"1")
    turn_until(boss.reactor, lambda: boss.completed)
    assert len(set(team.pids)) == 3
    assert boss.completed == 1
    for fd in (reader, writer):
        os.close(fd)


def test_one_that_fails_is_tried_again_ever_more_seldom(boss: Boss) -> None:
    delays: list[float] = []
    boss.again = lambda seat: delays.append(seat.start_again())
    team = boss.team(1, fails, first_delay=0.01, longest_delay=0.05)
    turn_until(boss.reactor, lambda: len(boss.deaths) == 5)
    assert delays == [0.01, 0.02, 0.04, 0.05, 0.05]
    (seat,) = team.seats
    assert seat.failures == 5
    assert boss.deaths[0][1].startswith("worker ")
    assert {(what.partition(" has ")[2], code) for _, what, code in boss.deaths} == {
        ("ended with exit code 5", 5)
    }
    seat.give_up()


def test_one_that_ends_soon_after_it_served_has_failed_too(boss: Boss) -> None:
    boss.again = Seat.start_again
    team = boss.team(1, serves_and_ends, soon=30, first_delay=0.001)
    turn_until(boss.reactor, lambda: len(boss.deaths) == 3)
    assert team.seats[0].failures == 3
    team.seats[0].give_up()


def test_one_that_has_served_is_followed_at_once_and_nothing_counts(boss: Boss) -> None:
    delays: list[float] = []
    boss.again = lambda seat: delays.append(seat.start_again())
    team = boss.team(1, stays, soon=0)
    for number in range(3):
        turn_until(boss.reactor, lambda: team.seats[0].ready)
        boss.reactor.turn(0.001)  # time passes: it has served
        os.kill(team.pids[0], signal.SIGKILL)
        turn_until(boss.reactor, lambda: len(boss.deaths) > number)  # noqa: B023 - it is asked at once
    assert delays == [0.0] * 3
    assert boss.deaths[0][1].endswith("was ended by SIGKILL")
    assert boss.completed == 1
    turn_until(boss.reactor, lambda: team.seats[0].ready)


def test_the_load_of_the_dead_weighs_nothing(boss: Boss) -> None:
    def work(share: Share, _first: bool, status: int) -> int:
        share.tell(7)
        return stays(share, _first, status)

    team = boss.team(2, work)
    turn_until(boss.reactor, lambda: boss.completed)
    least = team.seats[0]._share.least
    assert least() == 7
    for seat in team.seats:
        assert seat.process is not None
        seat.process.kill()
    turn_until(boss.reactor, lambda: len(boss.deaths) == 2)
    assert least() == ABSENT


def test_one_that_never_serves_is_killed(boss: Boss, capfd: pytest.CaptureFixture[str]) -> None:
    team = boss.team(1, never_serves, start_time=0.05)
    pid = team.pids[0]
    turn_until(boss.reactor, lambda: boss.deaths)
    assert boss.deaths[0][2] == -signal.SIGKILL
    assert capfd.readouterr().err == f"poise: worker {pid} does not serve after 0.05 s, and is killed\n"


def test_one_that_does_not_go_is_killed(boss: Boss, capfd: pytest.CaptureFixture[str]) -> None:
    team = boss.team(2, stubborn)
    turn_until(boss.reactor, lambda: boss.completed)
    seat, other = team.seats
    pid = team.pids[0]
    seat.leave(signal.SIGTERM, 0.05)
    turn_until(boss.reactor, lambda: boss.gone)
    assert boss.deaths == []
    assert capfd.readouterr().err == f"poise: worker {pid} did not end in time, and is killed\n"
    other.leave(signal.SIGTERM, 60)
    other.leave(signal.SIGKILL, 60)  # told again: that counts
    turn_until(boss.reactor, lambda: len(boss.gone) == 2)
    seat.leave(signal.SIGTERM, 60)
    seat.tell(signal.SIGUSR1)
    assert boss.reactor.timers.next_due == float("inf")


def test_one_that_says_that_it_serves_when_it_was_told_to_go_does_not_count(boss: Boss) -> None:
    team = boss.team(1, stays)
    team.seats[0].give_up()
    team.seats[0].pipe_data_received(1, b"\n")
    assert not boss.completed
    team.seats[0].leave(signal.SIGKILL, 60)
    turn_until(boss.reactor, lambda: boss.gone)
    team.seats[0].pipe_data_received(1, b"\n")


def test_no_process_can_be_had(boss: Boss, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", refused)
        team = boss.team(1, stays)
        team.seats[0].tell(signal.SIGUSR1)
    assert boss.deaths == [
        (team.seats[0], "a worker cannot be started: Resource temporarily unavailable", None)
    ]
    assert team.seats[0].failures == 1
    assert team.pids == []
    team.seats[0].start_again()
    turn_until(boss.reactor, lambda: boss.completed)


def test_a_descriptor_that_wakes_the_dead_kills_nobody(boss: Boss) -> None:
    """The watchdog of a worker that has ended in the same turn."""
    team = boss.team(1, fails)
    seat = team.seats[0]
    turn_until(boss.reactor, lambda: boss.deaths)
    seat._too_slow()
    seat._overdue()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "has ended with exit code 0"),
        (-9, "was ended by SIGKILL"),
        (-11, "was ended by SIGSEGV"),
        (-40, "was ended by signal 40"),
    ],
)
def test_how_one_has_ended(code: int, words: str) -> None:
    assert ending(code) == words
