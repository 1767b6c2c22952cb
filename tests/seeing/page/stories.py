"""Programs that never ran: a made-up loop whose turns, calls and descriptors tell one story each, the same on every machine.

The page cannot know the difference: what is told here has the shape that ``poise.seeing`` gives to what it saw. Everything is
computed from a seed and a clock that moves only when it is told to.
"""

from __future__ import annotations

import random
from typing import Any

from poise.seeing.figures import duration, since
from poise.seeing.texts import percent

Value = dict[str, Any]
MS = 1_000_000
SECOND = 1_000_000_000
IN, OUT, RDHUP = 0x1, 0x4, 0x2000
KIB, MIB = 1 << 10, 1 << 20
TURN, CALL, TIMER, POSTED, LIFE = range(5)
BY_DESCRIPTOR, BY_TIMER = 0, 1
START = 7_200 * SECOND
RING = 65_536
SLOW = "Shop.respond"
CULPRIT = "Report.render"
SLOW_FILE, SLOW_LINE = "/srv/shop/report.py", 42
STACK = [
    [SLOW_FILE, SLOW_LINE, CULPRIT],
    ["/srv/shop/report.py", 31, "Report.page"],
    ["/srv/shop/site.py", 77, "Shop.respond"],
    ["/srv/shop/__main__.py", 18, "main"],
]
NOTE, WARN, RED = 10 * MS, 50 * MS, 100 * MS


class Descriptor:
    """One life of one descriptor number."""

    def __init__(self, fd: int, kind: str, what: str, peer: str = "", *, page: bool = False) -> None:
        self.fd, self.gen, self.kind, self.what, self.peer, self.page = fd, 1, kind, what, peer, page
        self.state = "waiting"
        self.wanted = IN
        self.returned = 0
        self.inward = self.queue = self.out = 0
        self.rate_in = self.rate_out = 0.0
        self.events = self.held_ns = self.longest_ns = self.last_ns = 0

    def row(self) -> Value:
        return {
            **{name: getattr(self, name) for name in ("fd", "gen", "kind", "what", "peer", "state", "page")},
            **{
                name: getattr(self, name)
                for name in ("wanted", "returned", "queue", "out", "rate_in", "rate_out")
            },
            **{name: getattr(self, name) for name in ("events", "held_ns", "longest_ns", "last_ns")},
            "in": self.inward,
        }

    def seat(self) -> list[Any]:
        return [self.fd, self.gen, self.kind, self.what, self.peer]


class Program:
    """A small shop over HTTP with a dozen customers: the calm story. The others change what it does."""

    def __init__(self, seed: int = 6, warm: float = 30) -> None:
        self.warm = warm  # seconds before the story begins
        self.random = random.Random(seed)
        self.now = START
        self.n = 18_000
        self.everyone: list[Descriptor] = [
            Descriptor(3, "wakeup", "Reactor._drain"),
            Descriptor(5, "listener", "accept", "0.0.0.0:8000"),
            Descriptor(6, "pipe", "Tail.data_received", "access.log"),
            *(
                Descriptor(8 + i, "connection", "Shop.respond", f"192.0.2.{10 + i}:{51_000 + 37 * i}")
                for i in range(9)
            ),
            Descriptor(17, "tls", "Feed.data_received", "198.51.100.7:443"),
            Descriptor(19, "connection", "page", "127.0.0.1:40112", page=True),
        ]
        self.seats = list(self.everyone)  # those who have gone as well
        self.gone: list[list[int]] = []
        self.rows: list[list[Any]] = []
        self.turns: list[list[Any]] = []
        self.told_turn = -1
        self.told_second = 0
        self.seconds: dict[int, Value] = {}
        self.stalls: list[Value] = []
        self.told_stalls = 0
        self.lints: list[Value] = []
        self.stuck: Value | None = None
        self.spins: int | None = None
        self.turn_time = 16 * MS

    def named(self, fd: int) -> Descriptor:
        return next(each for each in self.everyone if each.fd == fd)

    # -- what happens ----------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Turn the loop for so long."""
        end = self.now + int(seconds * SECOND)
        while self.now < end:
            self.turn(self.batch())

    def batch(self) -> list[tuple[Descriptor, int]]:
        """Who is ready next, and how long each will take, in ns."""
        busy = [
            each for each in self.everyone if each.kind in ("connection", "tls", "pipe") and not each.page
        ]
        chosen = self.random.sample(busy, self.random.choice((1, 1, 1, 2, 2, 3)))
        return [(each, self.random.randint(40_000, 400_000)) for each in chosen]

    def turn(self, batch: list[tuple[Descriptor, int]]) -> None:
        """One turn: wait, handle ``batch``, and now and then a timer."""
        began, self.n = self.now, self.n + 1
        wait = self.random.randint(self.turn_time // 2, self.turn_time * 3 // 2)
        at, longest, holder = began + wait, 0, None
        for each, took in batch:
            each.returned = IN
            self.called(each, at, took)
            at += took
            if took > longest:
                longest, holder = took, each.fd
        handle, timers = at - began - wait, 0
        if self.n % 6 == 0:
            timers = self.random.randint(5_000, 60_000)
            self.rows.append([TIMER, at, timers, "Deadlines.expire", self.random.randint(20_000, 700_000)])
        self.now = at + timers
        why = BY_DESCRIPTOR if batch else BY_TIMER
        self.rows.append(
            [TURN, began, self.n, 100 * MS, wait, handle, timers, 0, len(batch), -1, why, longest, None]
        )
        self.turns.append([self.n, began, wait, handle, timers, 0, len(batch), holder, longest])
        self.count(handle + timers, len(batch))

    def count(self, work: int, calls: int) -> None:
        """Into the second that it is now."""
        mine = self.seconds.setdefault((self.now - START) // SECOND, {"work": 0, "calls": 0, "lag": None})
        mine["work"] += work
        mine["calls"] += calls
        if self.rows and self.n % 6 == 0:
            mine["lag"] = max(mine["lag"] or 0, self.rows[-2][4])

    def called(self, each: Descriptor, at: int, took: int) -> None:
        self.rows.append([CALL, at, took, self.seats.index(each), each.returned, each.wanted])
        each.events += 1
        each.held_ns += took
        each.longest_ns = max(each.longest_ns, took)
        each.last_ns = at

    def hold(self, fd: int, ns: int, kind: str = "computing") -> None:
        """One call takes far too long, and is over."""
        each = self.named(fd)
        each.returned = IN
        self.turn([(each, ns)])
        cpu = ns * 97 // 100 if kind == "computing" else ns // 50
        where = {"file": SLOW_FILE, "line": SLOW_LINE, "stack": STACK}
        whom = {"fd": fd, "gen": each.gen, "peer": each.peer, "name": SLOW}
        at = self.now - ns
        self.stalls.append(
            {"id": len(self.stalls) + 1, "at": at, "ns": ns, "cpu_ns": cpu, "runq_ns": 0, "kind": kind}
            | whom
            | where
        )

    def stick(self, fd: int, ns: int) -> None:
        """One call takes too long and is not over: ``ns`` so far."""
        each = self.named(fd)
        for other in self.everyone[3:9]:
            other.state, other.inward = "held", 80
        each.state, each.inward = "busy", 0
        if self.stuck is None:
            self.n += 1
        began = self.now - (self.stuck["ns"] if self.stuck else 0)
        self.now = began + ns
        whom = {"name": SLOW, "fd": fd, "gen": each.gen, "peer": each.peer}
        where = {"file": SLOW_FILE, "line": SLOW_LINE, "stack": STACK}
        self.stuck = {"ns": ns, "cpu_ns": ns * 97 // 100, "kind": "computing"} | whom | where

    def find(self, lint: str, fd: int, **args: str) -> None:
        each = self.named(fd)
        known = {"fd": f"{fd}.{each.gen}", "name": each.what, "peer": each.peer or each.kind}
        whose = {"fd": fd, "gen": each.gen, "peer": each.peer}
        self.lints.append({"id": lint, "args": known | args, "since": self.now - 9 * SECOND} | whose)

    def open(self, fd: int) -> None:
        new = Descriptor(fd, "connection", "Shop.respond", f"203.0.113.{fd % 250}:40{fd:03}")
        self.everyone.append(new)
        self.seats.append(new)

    def close(self, fd: int) -> None:
        each = self.named(fd)
        self.gone.append([each.fd, each.gen])
        self.everyone.remove(each)

    # -- what is told ----------------------------------------------------------------------------

    @property
    def wall(self) -> float:
        return 1_767_225_600.0 + (self.now - START) / SECOND

    def hello(self) -> Value:
        return {
            "version": "0.1.0",
            "pid": 4242,
            "program": "shop",
            "poller": "epoll",
            "python": "3.12.4",
            "system": "Linux 6.8",
            "cores": 4,
            "started_wall": 1_767_222_000.0,
            "clock_ns": START,
            "wall": 1_767_225_600.0,
            "thresholds": {"note_ns": NOTE, "warn_ns": WARN, "red_ns": RED},
            "ring_size": RING,
            "loop": "poise",
        }

    def state(self) -> Value:
        """What is new since the last one was told."""
        fresh = [turn for turn in self.turns if turn[0] > self.told_turn][-300:]
        self.told_turn = fresh[-1][0] if fresh else self.told_turn
        stalls, self.told_stalls = self.stalls[self.told_stalls :], len(self.stalls)
        gone, self.gone = self.gone, []
        numbers = self.numbers()
        return {
            "at": self.now,
            "wall": self.wall,
            "level": "recorder",
            "verdict": self.judged(numbers),
            "numbers": numbers,
            "cost": {
                "cpu": 0.0042,
                "bytes_per_s": 18_400,
                "viewers": 1,
                "records_per_s": numbers["callbacks_per_s"],
            },
            "turn": self.present(),
            "strip": {"first": fresh[0][0] if fresh else self.n, "turns": fresh},
            "series": self.series(),
            "rows": [each.row() for each in self.everyone],
            "gone": gone,
            "rows_total": len(self.everyone),
            "holders": self.holders(),
            "stalls": stalls,
            "timers": [
                {"name": "Deadlines.expire", "due_in_ns": 62 * MS, "every": 0.1},
                {"name": "Shop.refresh", "due_in_ns": 4_200 * MS, "every": 60.0},
            ],
            "timers_total": 3,
            "lags": self.lags(),
            "lints": self.lints,
            "recorder": {"held": len(self.rows), "overwritten": 0, "span_ns": self.now - START},
        }

    def records(self) -> Value:
        rows = self.rows[-6_000:]
        seats = [each.seat() for each in self.seats]
        hello = self.hello()
        return {
            "format": "poise-records-1",
            "hello": hello,
            "seats": seats,
            "rows": rows,
            "stalls": self.stalls,
        }

    def present(self) -> Value:
        if self.stuck is None:
            return {"n": self.n, "phase": "wait", "phase_ns": 3 * MS, "stuck": None}
        return {"n": self.n, "phase": "handle", "phase_ns": self.stuck["ns"], "stuck": self.stuck}

    def recent(self, seconds: int) -> list[list[Any]]:
        return [turn for turn in self.turns if turn[1] > self.now - seconds * SECOND]

    def numbers(self) -> Value:
        turns = self.recent(10)
        work = sum(turn[3] + turn[4] for turn in turns) + (self.stuck["ns"] if self.stuck else 0)
        span = max(min(10 * SECOND, self.now - START), 1)
        calls = [row for row in self.rows if row[0] == CALL and row[1] > self.now - 60 * SECOND]
        worst = max(calls, key=lambda row: row[2], default=None)
        longest = None
        if self.stuck is not None:
            longest = {name: self.stuck[name] for name in ("ns", "name", "fd", "gen", "kind")} | {"ago_ns": 0}
        elif worst is not None:
            each = self.seats[worst[3]]
            name = each.what
            ago = self.now - worst[1] - worst[2]
            longest = {
                "ns": worst[2],
                "name": name,
                "fd": each.fd,
                "gen": each.gen,
                "ago_ns": ago,
                "kind": "computing",
            }
        seconds = span / SECOND
        return {
            "busy": min(1.0, work / span),
            "longest": longest,
            "lag_p99_ns": self.lags()["p99"],
            "turns_per_s": round(len(turns) / seconds),
            "callbacks_per_s": round(sum(turn[6] for turn in turns) / seconds),
            "open": len(self.everyone),
        }

    def judged(self, numbers: Value) -> Value:
        longest = numbers["longest"]
        if self.stuck is not None:
            return verdict("stuck", name=self.stuck["name"], longest=duration(self.stuck["ns"]))
        if self.spins is not None:
            return verdict("spinning", fd=str(self.spins), rate=f"{numbers['turns_per_s']:,}")
        if longest and longest["ns"] >= RED:
            ago = since(longest["ago_ns"])
            return verdict("held", name=longest["name"], longest=duration(longest["ns"]), ago=ago)
        return verdict(
            "free", free=percent(1 - numbers["busy"]), longest=duration(longest["ns"] if longest else 0)
        )

    def lags(self) -> Value:
        lags = sorted(row[4] for row in self.rows if row[0] == TIMER)
        if not lags:
            return {"p50": None, "p99": None, "max": None}
        return {"p50": lags[len(lags) // 2], "p99": lags[len(lags) * 99 // 100], "max": lags[-1]}

    def series(self) -> Value:
        """The seconds that are over and were not told before."""
        first, last = self.told_second, (self.now - START) // SECOND
        self.told_second = last
        found: Value = {"at": [], "busy": [], "lag": [], "calls": []}
        for second in range(first, last):
            mine = self.seconds.get(second, {"work": SECOND if self.stuck else 0, "calls": 0, "lag": None})
            found["at"].append(START + (second + 1) * SECOND)
            found["busy"].append(min(1.0, mine["work"] / SECOND))
            found["lag"].append(mine["lag"])
            found["calls"].append(mine["calls"])
        return found

    def holders(self) -> list[Value]:
        found: dict[str, Value] = {}
        for row in self.rows:
            if row[0] != CALL or row[1] <= self.now - 60 * SECOND:
                continue
            name = self.seats[row[3]].what
            mine = found.setdefault(
                name, {"name": name, "calls": 0, "total_ns": 0, "longest_ns": 0, "worst": None}
            )
            mine["calls"] += 1
            mine["total_ns"] += row[2]
            mine["longest_ns"] = max(mine["longest_ns"], row[2])
        total = sum(mine["total_ns"] for mine in found.values()) or 1
        for mine in found.values():
            mine["share"] = mine["total_ns"] / total
            mine["worst"] = max(
                (stall for stall in self.stalls if stall["name"] == mine["name"]),
                key=lambda stall: stall["ns"],
                default=None,
            )
        return sorted(found.values(), key=lambda mine: -mine["total_ns"])


def verdict(which: str, **args: str) -> Value:
    return {"id": which, "args": args}


# -- the stories -------------------------------------------------------------------------------------------


def traffic(program: Program) -> None:
    """Levels and rates as a working server has them."""
    for each in program.everyone:
        if each.kind in ("connection", "tls") and not each.page:
            each.rate_in = float(200 + 90 * (each.fd % 5))
            each.rate_out = float((each.fd % 4) * 9_000 + 1_200)
            each.state = ("reading", "waiting", "waiting")[each.fd % 3]
    program.named(19).rate_out = 18_400.0
    program.named(19).state = "writing"
    program.named(11).inward = 412


def calm(program: Program) -> None:
    """The loop waits nearly all of the time, and everybody is served."""
    program.run(program.warm)
    traffic(program)


def slow(program: Program) -> None:
    """One handler computes for a fifth of a second, now and then, and everybody waits for it."""
    program.run(program.warm)
    for ns in (148 * MS, 212 * MS, 173 * MS):
        program.hold(12, ns)
        program.run(4)
    traffic(program)
    program.find("hog", 12, times="3", longest="212 ms")


def spinning(program: Program) -> None:
    """A descriptor is ready in every turn, and its handler does nothing about it."""
    program.run(program.warm)
    each = program.named(6)
    program.turn_time = 4_000
    for _ in range(12_000):
        each.returned = IN
        program.turn([(each, 900_000)])
    traffic(program)
    each.state, each.inward = "busy", 118
    program.spins = 6
    program.find("unused", 6, rate="1,100")


def unread(program: Program) -> None:
    """A client asks for much and takes nothing: what is for it piles up, in the kernel first and then in our queue."""
    program.run(program.warm)
    traffic(program)
    each = program.named(14)
    each.state, each.wanted, each.returned = "writing", IN | OUT, IN
    each.out, each.queue, each.rate_out = 2_600 * KIB, 11 * MIB, 0.0
    program.find("peer_not_reading", 14, waiting="13.5 MiB", time="9.0 s")


def stuck(program: Program) -> None:
    """A handler does not come back."""
    program.run(program.warm)
    traffic(program)
    program.stick(12, 2_300 * MS)


STORIES = {"calm": calm, "slow": slow, "spinning": spinning, "unread": unread, "stuck": stuck}


def told(name: str, warm: float = 30) -> Program:
    """The program of that story, at the moment where it becomes interesting, after ``warm`` seconds of work."""
    program = Program(warm=warm)
    STORIES[name](program)
    return program
