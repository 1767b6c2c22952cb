"""Runs a learner's program, and tells from inside what no client can see from outside. Started by its path, in a process of its own.

``inside.py FILE PORT EVENTS TALLY STACKS LIFELINE BUFFER ALARM CPU MEMORY DESCRIPTORS OUTPUT``: the four after the port are
inherited descriptors, the rest the limits, in seconds and bytes.

- It counts the calls that ask the kernel who is ready, in memory that the checker shares: a counter can be read at any
  moment, also of a program that hangs.
- It tells of what happens seldom (listening, a thread, an exception) as lines of JSON in a pipe.
- It keeps the program on this machine: what would reach or be reached from elsewhere is refused. That protects from a
  slip; a program that wants to escape can.
- It dies with the checker: the kernel sends SIGIO, which ends a process, when the other end of LIFELINE is closed
  (fcntl(2), O_ASYNC); where it does not, an alarm ends it.

Only the standard library: the program that is checked should find the machine as it is without Poise.
"""

from __future__ import annotations

import _thread
import ast
import errno
import faulthandler
import fcntl
import json
import mmap
import os
import re
import select
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

COUNTERS = (
    "select",  # calls of each way to wait
    "poll",
    "epoll",
    "empty",  # waits that came back with nothing
    "writable",  # with nothing but sockets that could be written to
    "readable",  # with something to read
    "fault",  # with ERR, HUP or NVAL somewhere
    "watched",  # the most that one call watched
)
EVENTS: dict[str, frozenset[str]] = {
    "begin": frozenset(),
    "listen": frozenset({"address", "line", "made"}),
    "edge": frozenset({"line"}),
    "oneshot": frozenset({"line"}),
    "outside": frozenset({"call", "host", "line"}),
    "thread": frozenset({"line"}),
    "process": frozenset({"call", "line"}),
    "error": frozenset({"kind", "kinds", "text", "name", "line"}),
}
"""What is told, and what belongs to it."""
SLOT = 8  # bytes of one counter
READ = select.POLLIN | select.POLLPRI if hasattr(select, "POLLIN") else 1
WRITE = select.POLLOUT if hasattr(select, "POLLOUT") else 4
FAULT = select.POLLERR | select.POLLHUP | select.POLLNVAL if hasattr(select, "POLLERR") else 0
EDGE = {"edge": getattr(select, "EPOLLET", 0), "oneshot": getattr(select, "EPOLLONESHOT", 0)}
MOST_EVENTS = 200  # a pipe holds them; a program that starts threads without end tells no more than this
NAMES = ("getaddrinfo", "gethostbyname", "gethostbyaddr")
CALLS = ("bind", "connect", "connect_ex", "sendto")
ADDRESSES = {
    "socket.sendmsg": 1,
    **{f"socket.{name}": 1 for name in CALLS},
    **{f"socket.{name}": 0 for name in NAMES},
}
"""Audit events, and which of their arguments is the address or the name."""
THREADS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
LOOPBACK = re.compile(r"localhost|::1|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
PROCESSES = frozenset(
    {"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.exec", "subprocess.Popen"}
)


def is_here(host: str) -> bool:
    """Whether this is a name or number of the machine's own loopback."""
    return LOOPBACK.fullmatch(host) is not None


class Observer:
    """What is told to the checker."""

    def __init__(self, events: int, tally: mmap.mmap, path: str) -> None:
        self.events = events
        self.counts = memoryview(tally).cast("Q")
        self.path = path
        self.told = 0
        self.made: list[dict[str, Any]] = []
        os.set_blocking(events, False)

    def tell(self, event: str, **about: Any) -> None:
        """One line into the pipe; what has no place there is left out, for the program must not wait for it."""
        self.told += 1
        if self.told <= MOST_EVENTS:
            try:
                os.write(self.events, json.dumps({"event": event, **about}).encode() + b"\n")
            except OSError:
                pass

    def count(self, name: str) -> None:
        self.counts[COUNTERS.index(name)] += 1

    def waited(self, kind: str, watched: int, *, readable: bool, writable: bool, fault: bool) -> None:
        """A wait has come back."""
        if fault:
            self.count("fault")
        elif readable:
            self.count("readable")
        else:
            self.count("writable" if writable else "empty")
        most = COUNTERS.index("watched")
        self.counts[most] = max(self.counts[most], watched)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook (sys.addaudithook). Raises PermissionError for what reaches beyond loopback, and for processes."""
        if event in ADDRESSES:
            self.permit(event.partition(".")[2], arguments[ADDRESSES[event]])
        elif event in THREADS:
            self.tell("thread", line=self.line())
        elif event in PROCESSES:
            self.tell("process", call=event, line=self.line())
            raise PermissionError(f"{event} would start another process")

    def permit(self, call: str, address: object) -> None:
        """Raises PermissionError for an address, or a name, that is not on loopback; other kinds of addresses are local."""
        host = address[0] if isinstance(address, tuple) else address if call in NAMES else "localhost"
        if host is not None and not is_here(str(host)):
            self.tell("outside", call=call, host=str(host) or "''", line=self.line())
            raise PermissionError(f"{host!r} is not on this machine's loopback")

    def line(self) -> int:
        """The line of the learner's file that is being run; 0 for none."""
        frame: types.FrameType | None = sys._getframe()
        while frame is not None and frame.f_code.co_filename != self.path:
            frame = frame.f_back
        return frame.f_lineno if frame is not None else 0

    def profile(self, frame: types.FrameType, event: str, _argument: Any) -> None:
        """A profile function (sys.setprofile), until the program listens: which ``__init__`` was called by which."""
        code = frame.f_code
        if event != "call" or code.co_name != "__init__" or code.co_filename != self.path:
            return
        caller = frame.f_back
        by = caller.f_code.co_qualname if caller and caller.f_code.co_filename == self.path else ""
        own = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        if len(self.made) < MOST_EVENTS:
            called = bool(by) and "super" in caller.f_code.co_names  # type: ignore[union-attr] # by is of its code
            kind = type(own)
            self.made.append(
                {
                    "class": kind.__qualname__,
                    "inherits": len(kind.__mro__) > len((kind, object)),
                    "init": code.co_qualname,
                    "by": by,
                    "super": called,
                }
            )

    def failed(self, error: BaseException) -> None:
        """The program has ended with an exception."""
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == self.path]
        last = frames[-1] if frames else None
        line = last.lineno if last else None
        if isinstance(error, SyntaxError) and error.filename == self.path:
            line = error.lineno
        self.tell(
            "error",
            kind=type(error).__name__,
            kinds=[each.__name__ for each in type(error).__mro__],
            text=str(error)[:300],
            name=errno.errorcode.get(getattr(error, "errno", None) or 0, ""),
            line=line or 0,
        )


def watch_waits(observer: Observer) -> None:
    """Put counting ones in the place of ``select.select``, ``poll`` and ``epoll``; what they do stays the same."""
    plain = select.select

    def counting(
        rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None
    ) -> Any:
        rlist, wlist, xlist = (list(each) for each in (rlist, wlist, xlist))
        observer.count("select")
        found = plain(rlist, wlist, xlist, timeout)
        total = len(rlist) + len(wlist)
        observer.waited(
            "select", total, readable=bool(found[0]), writable=bool(found[1]), fault=bool(found[2])
        )
        return found

    names = vars(select)
    names["select"] = counting
    if "poll" in names:
        made_poll = names["poll"]
        names["poll"] = lambda: Waiting(observer, "poll", made_poll())
    if "epoll" in names:
        Epoll.observer, Epoll.made = observer, names["epoll"]
        names["epoll"] = Epoll


class Waiting:
    """A poll or epoll object that is counted."""

    def __init__(self, observer: Observer, kind: str, real: Any) -> None:
        self._observer, self._kind, self._real = observer, kind, real
        self._watched: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def register(self, fd: Any, *mask: int, **named: int) -> None:
        self._real.register(fd, *mask, **named)
        self._watched.add(fd if isinstance(fd, int) else fd.fileno())
        for name, bit in EDGE.items():
            if self._kind == "epoll" and sum(mask) & bit:
                self._observer.tell(name, line=self._observer.line())

    def unregister(self, fd: Any) -> None:
        self._real.unregister(fd)
        self._watched.discard(fd if isinstance(fd, int) else fd.fileno())

    def poll(self, *given: Any, **named: Any) -> list[tuple[int, int]]:
        self._observer.count(self._kind)
        found: list[tuple[int, int]] = self._real.poll(*given, **named)
        masks = 0
        for _, mask in found:
            masks |= mask
        self._observer.waited(
            self._kind,
            len(self._watched),
            readable=bool(masks & READ),
            writable=bool(masks & WRITE),
            fault=bool(masks & FAULT),
        )
        return found


class Epoll(Waiting):
    """In the place of ``select.epoll``, whose own class cannot be inherited from."""

    observer: Observer
    made: Callable[..., Any]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(self.observer, "epoll", type(self).made(*given, **named))

    def __enter__(self) -> Epoll:
        return self

    def __exit__(self, *_about: object) -> None:
        self._real.close()

    @classmethod
    def fromfd(cls, fd: int) -> Any:
        return cls.made.fromfd(fd)  # type: ignore[attr-defined]


def watch_sockets(observer: Observer, buffer: int) -> None:
    """Tell of ``listen``, after giving the kernel's buffers of TCP a size that does not depend on the machine."""
    listen = socket.socket.listen

    def listening(self: socket.socket, *backlog: int) -> None:
        if buffer and self.family != socket.AF_UNIX:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)  # those accepted inherit it
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        listen(self, *backlog)
        sys.setprofile(None)
        observer.tell("listen", address=self.getsockname(), line=observer.line(), made=observer.made)

    socket.socket.listen = listening  # type: ignore[method-assign, assignment]
    for name in CALLS:
        setattr(socket.socket, name, permitted(observer, name))


def permitted(observer: Observer, name: str) -> Callable[..., Any]:
    """The method of a socket, after a look at the address: the audit event comes only when a name was looked up already."""
    method = getattr(socket.socket, name)

    def call(self: socket.socket, *given: Any) -> Any:
        if given:
            observer.permit(name, given[-1])
        return method(self, *given)

    return call


def watch_threads(observer: Observer) -> None:
    """Tell of threads, where there is no audit event for that (it is new in Python 3.12)."""
    if sys.version_info >= (3, 12):
        return
    start = _thread.start_new_thread

    def starting(*given: Any) -> int:
        observer.audit("_thread.start_new_thread", given)
        return start(*given)

    names = {"start_new_thread": starting, "start_new": starting}
    vars(_thread).update(names)
    vars(threading).update(_start_new_thread=starting)


def restrain(  # pragma: no cover - in the learner's process
    alarm: int, cpu: int, memory: int, descriptors: int, output: int, lifeline: int
) -> None:
    """Limits that the kernel enforces, whatever the program does."""
    import resource  # not on Windows, where the checker does not come so far

    signal.alarm(alarm)
    if hasattr(os, "O_ASYNC"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgid(0))
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)
    for number, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(number)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(number, (most, most))
        except (OSError, ValueError):  # macOS has some of the names, and not what they stand for
            pass
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))  # first SIGXCPU, which tells why, then SIGKILL


def run(observer: Observer, path: str) -> int:
    """The program, as ``python3 FILE PORT`` would run it; its exit code."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    sys.path.insert(0, os.path.dirname(path))
    try:
        with open(path, "rb") as file:
            code = compile(ast.parse(file.read(), path), path, "exec", dont_inherit=True)
        sys.setprofile(observer.profile)
        exec(code, module.__dict__)  # noqa: S102 - to run the learner's program is what this is for
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the program's, and is told
        sys.setprofile(None)
        observer.failed(error)
        traceback.print_exc()
        return 1
    finally:
        sys.setprofile(None)
    return 0


def main(arguments: Sequence[str]) -> int:  # pragma: no cover - in the learner's process
    path, port, *numbers = arguments
    events, tally, stacks, lifeline, buffer, *limits = map(int, numbers)
    restrain(*limits, lifeline=lifeline)  # type: ignore[misc] # five numbers, as the checker gives them
    faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=False)
    observer = Observer(events, mmap.mmap(tally, SLOT * len(COUNTERS)), path)
    watch_waits(observer)
    watch_sockets(observer, buffer)
    watch_threads(observer)
    sys.argv = [path, port]
    sys.addaudithook(observer.audit)
    observer.tell("begin")
    return run(observer, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
