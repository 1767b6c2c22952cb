"""What an experiment has at hand: servers and clients in processes of their own, and a place for what happened.

This runs in a process that :mod:`poise.lab.running` has started for one run. It is single-threaded, so it may fork. Servers
and clients listen and connect on the loopback address and nowhere else.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from poise.lab import lifeline
from poise.lab.descriptors import allow
from poise.lab.events import Recorder, now
from poise.lab.experiment import Cannot
from poise.lab.holding import Watch
from poise.lab.models import MODELS, Change
from poise.lab.models.service import Service, WebConversation
from poise.lab.tapped import TappedSocket, replacements
from poise.lab.usage import NO_PROC, PROC, Usage, usage
from poise.limits.lab import LabLimits

LOOPBACK = "127.0.0.1"
SPARE = 64  # descriptors that a server has besides its clients
BACKLOG = 256  # connections that the kernel keeps until they are accepted

Tell = Callable[[dict[str, Any]], None]


class Stopped(BaseException):
    """Raised in a server when its time is over, out of whatever call it is in."""


class Child:
    """A process forked for one function. What the function returns comes back as JSON."""

    def __init__(self, function: Callable[[], Any], close: Sequence[int] = ()) -> None:
        self._results, results = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._results)
            _live(function, results, parent, close)
        os.close(results)

    def result(self) -> Any:
        """Wait for it to end. Raises ChildProcessError when it has ended without a result."""
        with open(self._results, "rb") as pipe:
            data = pipe.read()
        _pid, status = os.waitpid(self.pid, 0)
        self.pid = 0
        if not data:
            raise ChildProcessError(f"a process of the run ended with {os.waitstatus_to_exitcode(status)}")
        return json.loads(data)

    def kill(self) -> None:
        """End it, whatever it does. Nothing when it has ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._results)
            self.pid = 0


def _live(function: Callable[[], Any], results: int, parent: int, close: Sequence[int]) -> NoReturn:
    """The life of a child; it leaves by ``os._exit``, for nothing of its parent's is its to clean up."""
    status = 1
    try:
        lifeline.die_with(parent)
        for number in close:
            os.close(number)
        answer = json.dumps(function()).encode()
        with open(results, "wb") as pipe:
            pipe.write(answer)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and ends this process only
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


class Server:
    """A model that serves, in its own process."""

    def __init__(self, name: str, port: int, child: Child) -> None:
        self.name = name
        self.port = port
        self.child = child
        self.kept: dict[str, Any] = {}

    def usage(self) -> Usage:
        """What it takes of the machine now. Raises Cannot where no other process can be asked."""
        if not PROC.is_dir():
            raise Cannot(NO_PROC)
        return usage(self.child.pid)

    def stop(self) -> dict[str, Any]:
        """End it and return what it kept: counts, errors, moved, usage. May be called again."""
        if not self.kept:
            os.kill(self.child.pid, signal.SIGTERM)
            self.kept = self.child.result()
        return self.kept

    def count(self, *calls: str) -> int:
        """How often it has made these calls; after ``stop``."""
        return sum(int(self.kept["counts"].get(call, 0)) for call in calls)


class Stage:
    """Handed to an experiment's ``run``. ``models`` are the models to run, of those that the experiment offers."""

    def __init__(self, *, seed: int, models: Sequence[str], tell: Tell, private: Sequence[int] = ()) -> None:
        self.seed = seed
        self.models = tuple(name for name in models if MODELS[name].available)
        self.random = random.Random(seed)
        self.began = now()
        self._tell = tell
        self._private = tuple(private)
        self._children: list[Child] = []

    # -- what is told ---------------------------------------------------------------------------------------

    def progress(self, done: float, what: str = "") -> None:
        """How much of the run is done, 0 to 1, and with what it is busy: a model's name, a number."""
        self._tell({"kind": "progress", "done": round(done, 3), "what": what})

    def recorder(self, who: str) -> Recorder:
        """For calls that the experiment makes itself, in this process."""
        return Recorder(who, self.began)

    def tell(self, kept: Mapping[str, Any]) -> None:
        """Hand on what a recorder kept."""
        self._tell({"kind": "events", "events": kept["events"], "left_out": kept["left_out"]})

    # -- processes ------------------------------------------------------------------------------------------

    def fork(self, function: Callable[[], Any]) -> Child:
        """Run ``function`` in a process of its own."""
        child = Child(function, self._private)
        self._children.append(child)
        return child

    def clients(self, function: Callable[..., Any], *arguments: Any) -> Child:
        """Scripted clients in a process of their own: ``function(random, *arguments)``, seeded."""
        chance = random.Random(self.random.random())
        return self.fork(lambda: function(chance, *arguments))

    @contextmanager
    def serving(
        self,
        model: str,
        *,
        service: Service = WebConversation,
        change: Change | None = None,
        name: str = "",
        quiet: bool = False,
        watched: bool = False,
        **options: Any,
    ) -> Iterator[Server]:
        """A model, serving on a free port; its events are told when it has stopped.

        ``quiet`` records nothing, for measurements that a recorder would disturb; ``watched`` looks at who holds its loop and
        keeps that as ``held`` (:mod:`poise.lab.holding`).
        """
        recorder = Recorder(name or model, self.began)
        serve = MODELS[model].load(change, {} if quiet else replacements(recorder))
        with self.serving_by(
            serve, recorder, service=service, quiet=quiet, watched=watched, **options
        ) as server:
            yield server

    @contextmanager
    def serving_by(
        self,
        serve: Callable[..., None],
        recorder: Recorder,
        *,
        service: Service = WebConversation,
        quiet: bool = False,
        watched: bool = False,
        **options: Any,
    ) -> Iterator[Server]:
        """The same with any function that takes a listener and a service, as a model's ``serve`` does."""
        with socket.create_server((LOOPBACK, 0), backlog=BACKLOG) as listener:
            port = int(listener.getsockname()[1])
            # Blocked until the child has its handler, so that a stop that comes at once is not the end of it.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            watch = Watch(self.began) if watched else None
            child = self.fork(lambda: _serve(serve, listener, service, recorder, quiet, watch, options))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        server = Server(recorder.who, port, child)
        try:
            yield server
        finally:
            server.stop()
        if not quiet:
            self.tell(server.kept)

    def close(self) -> None:
        """End every process that is still there."""
        for child in self._children:
            child.kill()


def _serve(
    serve: Callable[..., None],
    listener: socket.socket,
    service: Service,
    recorder: Recorder,
    quiet: bool,
    watch: Watch | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    def stop(_signal: int, _frame: object) -> None:
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    allow(LabLimits().clients + SPARE)
    used: dict[str, Any] = {}
    if not quiet:
        listener = TappedSocket.around(listener, recorder)
    before = usage(os.getpid())
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if watch is None:
            serve(listener, service, **options)
        else:
            watch.run(serve, listener, service, **options)
    except Stopped:
        used = usage(os.getpid()).since(before)._asdict()
    return {**recorder.kept(), "usage": used, "held": watch and watch.longest}
