"""Calls that hold the loop: which, for whom, at which line, and what the time went to.

Two tiers, because there are two ways to hold a loop:

* **The interpreter runs** (a loop in Python, a sleep, a wait for a disk or a lock): the watching thread looks at the turn every few
  milliseconds, and when a call has lasted long it looks into the frames of the loop's thread, while the stall is still there.
* **C code keeps the interpreter** (a regular expression that backtracks, a sum over a large range): no thread of Python runs until
  it is over. Then ``deadman.py`` has written the stacks meanwhile, and the records say whose call it was.

Long is not the same as computing. What the kernel says of the thread (``threadtime.py``) tells three kinds apart: ``computing``,
``waiting`` (asleep, or for something) and ``preempted`` (ready, but the machine ran somebody else: not the program's fault);
``held`` where the kernel does not tell.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from poise.loop.probe import Probe
from poise.loop.seat import CALL, POSTED, TIMER, Phase, Seat
from poise.seeing import stacks
from poise.seeing.deadman import Deadman
from poise.seeing.naming import NOTHING, About, about_seat, short
from poise.seeing.recorder import turns_since
from poise.seeing.stacks import Place, Running, Stack
from poise.seeing.threadtime import Spent, ThreadTime

CALLS: Final = frozenset({CALL, TIMER, POSTED})
LOOKS: Final = 8  # at one call in the first moments; then one for each interval of the red threshold


class Stall(NamedTuple):
    """A call that held the loop. Times in nanoseconds of the probe's clock."""

    id: int
    at: int
    ns: int
    cpu_ns: int | None
    runq_ns: int | None
    kind: str
    name: str
    fd: int | None
    gen: int | None
    peer: str
    file: str | None
    line: int | None
    stack: Stack

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self._asdict(), "stack": [list(place) for place in self.stack]}


class Held:
    """A call that has lasted for some time, and may go on."""

    __slots__ = ("about", "base", "began", "lasted", "looks", "most", "places", "running", "spent", "warn")

    def __init__(self, running: Running, about: About, base: Spent | None, warn: int) -> None:
        self.running = running
        self.warn = warn
        self.began = running.began
        self.about = about
        self.base = base
        self.spent = base
        self.most: int | None = None
        """Processor time of the whole turn, once it is over: closer than readings that a busy machine has put apart."""
        self.lasted = 0
        self.looks = 0
        self.places: dict[Place | None, tuple[int, Stack]] = {}

    def seen(self, stack: Stack) -> None:
        """Another look. What is told in the end is where it was seen most often."""
        place = stacks.culprit(stack)
        times, _ = self.places.get(place, (0, stack))
        self.places[place] = times + 1, stack
        self.looks += 1

    @property
    def called(self) -> str:
        """What is called, as the sums of calls have it."""
        return self.running.name or self.about.what

    def as_stall(self, number: int, ns: int) -> Stall:
        """What there is to say of it after ``ns`` nanoseconds."""
        place, stack = None, []
        if self.places:
            place = max(self.places, key=lambda each: self.places[each][0])
            stack = self.places[place][1]
        cpu = runq = None
        if self.base is not None and self.spent is not None:
            cpu = min(ns, self.spent.cpu - self.base.cpu, ns if self.most is None else self.most)
            runq = min(ns, self.spent.queued - self.base.queued)
        seat = self.running.seat
        # A task's step is called by what runs it; the program's own function that it leads to is what people look for.
        entry = stacks.entry(stack) if seat is None else None
        return Stall(
            id=number,
            at=self.began,
            ns=ns,
            cpu_ns=cpu,
            runq_ns=runq,
            kind=kind(ns, cpu, runq, self.warn),
            name=self.called if entry is None else short(entry[2]),
            fd=None if seat is None else seat.fd,
            gen=None if seat is None else seat.gen,
            peer=self.about.peer,
            file=None if place is None else place[0],
            line=None if place is None else place[1],
            stack=stack,
        )


def kind(ns: int, cpu: int | None, runq: int | None, warn: int) -> str:
    """What the time went to. A machine that ran somebody else excuses only what would have been no stall without that."""
    if cpu is None or runq is None:
        return "held"
    asleep = max(0, ns - cpu - runq)
    if runq and ns - runq < warn <= ns:
        return "preempted"
    return "computing" if cpu >= asleep else "waiting"


class Stalls:
    """``look()`` is called every few milliseconds by the watching thread."""

    def __init__(self, probe: Probe, deadman: Deadman | None) -> None:
        self._probe = probe
        self._limits = probe.limits
        self._deadman = deadman
        self._armed_ns = 0
        self._time: ThreadTime | None = None
        self._readings: deque[tuple[int, Spent]] = deque(maxlen=self._limits.readings)
        self.held: Held | None = None
        """The call that has lasted for some time by now."""
        self.found: deque[Stall] = deque(maxlen=self._limits.stalls)
        """Those that are over, the last ones; each has the number after the one before it."""
        self.worst: dict[str, Stall] = {}
        """The longest one of each name that the sums of calls have, from the note threshold on."""
        self._number = 0
        self._told_ns = 0

    def begin(self) -> None:
        """The observing has begun: what the thread has spent until now is what the first stall is measured from."""
        self._read_time(self._probe.nanoseconds())
        if self._deadman is not None:
            self._deadman.arm()

    def close(self) -> None:
        """Let go of what the kernel gave."""
        if self._time is not None:
            self._time.close()
            self._time = None

    def look(self) -> None:
        """Whether a call has lasted long by now."""
        probe = self._probe
        now = probe.nanoseconds()
        self._read_time(now)
        phase_began, phase = probe.phase_began_ns, probe.phase
        if self._deadman is not None:
            self._ask_deadman(self._deadman, now)
        if phase is Phase.WAIT or now - phase_began < self._limits.note:
            self._over()
            self._missed(now)
            return
        frame = sys._current_frames().get(probe.thread_id)
        running = stacks.running(frame)
        if running is None or now - running.began < self._limits.note:
            self._over()
            return
        if self.held is None or self.held.began != running.began:
            self._over()
            self.held = Held(running, self._about(running.seat), self._at(running.began), self._limits.warn)
        held = self.held
        held.lasted = now - held.began
        held.spent = self._readings[-1][1] if self._readings else None
        if held.looks < LOOKS or held.lasted > held.looks * self._limits.red:
            held.seen(stacks.of_frame(frame))

    def look_from_outside(self, since: int) -> None:
        """The same while the loop has not come to its next turn, in which it would begin to be observed, ``since`` then."""
        lasted = self._probe.nanoseconds() - since
        if lasted < self._limits.warn:
            return
        found = stacks.running_unobserved(self._probe.reactor)
        if found is None:
            self.held = None
            return
        frame, running = found
        if self.held is None:
            self.held = Held(
                running._replace(began=since), self._about(running.seat), None, self._limits.warn
            )
        self.held.lasted = lasted
        self.held.seen(stacks.of_frame(frame))

    def stuck(self) -> Stall | None:
        """The call that holds the loop now, from the warn threshold on."""
        held = self.held
        if held is None or held.lasted < self._limits.warn:
            return None
        return held.as_stall(0, self._probe.nanoseconds() - held.began)

    def ready_ns(self) -> int:
        """How long the loop's thread was ready while the machine ran others, ever; 0 where nobody tells."""
        return self._readings[-1][1].queued if self._readings else 0

    # -- when it is over -------------------------------------------------------------------------

    def _over(self) -> None:
        held, self.held = self.held, None
        if held is not None:
            took = self._took(held.began)
            self._keep(held, took if took is not None else held.lasted)

    def _keep(self, held: Held, ns: int) -> None:
        if ns < self._limits.note:
            return
        held.spent = self._at(held.began + ns) if held.base is not None else None
        held.most = self._computed(held.began)
        long = ns >= self._limits.warn
        self._number += long
        stall = held.as_stall(self._number if long else 0, ns)
        if long:
            self.found.append(stall)
        worst = self.worst.get(held.called)
        if worst is None or ns > worst.ns:
            if worst is None and len(self.worst) >= self._limits.names:
                self.worst.clear()
            self.worst[held.called] = stall

    def _missed(self, now: int) -> None:
        """A stall that neither tier has seen, since the machine ran neither: told by the records alone, without a line."""
        ns, ended, holder = self._probe.longest
        if ns < self._limits.warn or ended <= self._told_ns or now - ended < 2 * self._limits.rearm:
            return
        self._told_ns = ended
        if any(stall.at < ended <= stall.at + stall.ns + self._limits.note for stall in self.found):
            return
        seat = holder if isinstance(holder, Seat) else None
        running = Running(ended - ns, seat, short(holder) if isinstance(holder, str) else "")
        self._keep(Held(running, self._about(seat), self._at(running.began), self._limits.warn), ns)

    def _computed(self, when: int) -> int | None:
        """Processor time of the turn that ``when`` belongs to, if it is over and that was read."""
        for turn in turns_since(self._probe, 0, self._limits.turns):
            if turn[1] <= when < turn[1] + sum(turn[4:8]):
                return int(turn[9]) if turn[9] >= 0 else None
        return None

    def _took(self, began: int) -> int | None:
        """How long the call that began then has lasted, when it is over and still recorded."""
        return next((record[2] for record in self._calls_since(began) if record[1] == began), None)

    def _calls_since(self, when: int) -> Iterator[tuple[Any, ...]]:
        """The records of calls that ended after ``when``, the last one first."""
        for record in islice(self._probe.newest(), self._limits.back):
            if record[0] in CALLS:
                if record[1] + record[2] <= when:
                    return  # records are in the order in which calls ended
                yield record

    # -- what the kernel says --------------------------------------------------------------------

    def _read_time(self, now: int) -> None:
        if self._time is None:
            if not self._probe.native_id:
                return
            self._time = ThreadTime(self._probe.native_id)
        spent = self._time.read()
        if spent is not None:
            self._readings.append((now, spent))

    def _at(self, when: int) -> Spent | None:
        """What the thread had spent at ``when``, by the reading that is nearest to it."""
        if not self._readings:
            return None
        return min(self._readings, key=lambda reading: abs(reading[0] - when))[1]

    def _about(self, seat: Seat | None) -> About:
        return NOTHING if seat is None else about_seat(seat, self._probe.reactor)

    # -- the second tier -------------------------------------------------------------------------

    def _ask_deadman(self, deadman: Deadman, now: int) -> None:
        if now - self._armed_ns < self._limits.rearm:
            return
        armed, self._armed_ns = self._armed_ns, now
        deadman.arm()
        text = deadman.taken()
        stack = stacks.of_text(text, self._probe.thread_id) if text else []
        if not stack:
            return
        if self.held is not None:
            self.held.seen(stack)  # the first tier has seen its beginning
            return
        running = stacks.running(sys._current_frames().get(self._probe.thread_id))
        if running is not None and now - running.began >= self._limits.note:
            self.held = Held(running, self._about(running.seat), self._at(running.began), self._limits.warn)
            self.held.seen(stack)
            return
        record = max(self._calls_since(armed), default=None, key=lambda each: int(each[2]))
        if record is not None:
            seat = record[3] if record[0] == CALL else None
            running = Running(record[1], seat, "" if seat is not None else short(record[3]))
            held = Held(running, self._about(seat), self._at(record[1]), self._limits.warn)
            held.seen(stack)
            self._keep(held, record[2])
