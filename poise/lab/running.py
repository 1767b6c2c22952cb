"""Starts a run in processes of its own, hands on what they tell, and ends them, whatever happens.

``running()`` is a generator of messages; the last one is the result. Closing it, or ending the program that uses it, by SIGKILL
too, ends every process of the run (:mod:`poise.lab.lifeline`). Nothing is written to disk.

A message is a dict with a ``kind``: ``started`` (pid), ``progress`` (done 0 to 1, what), ``events`` (see
:mod:`poise.lab.events`), ``records``, ``cannot`` (text), ``failed`` (text), ``result`` (see :mod:`poise.lab.result`).
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

from poise.errors import MachineFault
from poise.lab.experiment import Experiment
from poise.lab.result import result
from poise.lab.text import Text
from poise.limits.lab import LabLimits

SIZE = 65536  # bytes read at a time
START = "import json, sys; job = json.loads(sys.argv[1]); sys.path[:] = job['path']; from poise.lab.acting import main; main(job)"

UNSUPPORTED = (
    "the lab makes processes by fork, which this system does not have. It runs on Linux, macOS and the BSDs; "
    "on Windows use WSL"
)
TOO_LONG = Text("It took longer than {seconds:g} s and was ended.", "运行超过 {seconds:g} 秒，已被终止。")
BROKE = Text("The run broke off: ", "运行中断：")

Message = dict[str, Any]


def running(
    experiment: Experiment,
    *,
    models: Sequence[str] = (),
    seed: int = 1,
    prediction: str | None = None,
    seconds: float | None = None,
    halt: int | None = None,
) -> Iterator[Message]:
    """Run it: messages as they come, the result last.

    ``models``: those to run, of those that it offers; all when empty. ``seconds``: the bound, at most that of
    :class:`~poise.limits.LabLimits`. ``halt``: a descriptor; once it is readable the run ends, without a result. Raises
    ValueError for a model or a prediction that it does not offer, MachineFault when this system cannot run it.
    """
    check(experiment, models, prediction)
    bound = min(seconds or LabLimits().run_time, LabLimits().run_time)
    job = {
        "experiment": experiment.id,
        "models": list(models or experiment.models),
        "seed": seed,
        "path": sys.path,
        "parent": os.getpid(),
        "seconds": bound,
    }
    return _messages(experiment, job, prediction, bound, halt)


def check(experiment: Experiment, models: Sequence[str], prediction: str | None) -> None:
    """Raises as ``running`` does."""
    for model in models:
        if model not in experiment.models:
            offered = ", ".join(experiment.models) or "none"
            raise ValueError(f"{experiment.id} has no model {model!r}; it has: {offered}")
    choices = [choice.id for choice in experiment.choices]
    if prediction is not None and prediction not in choices:
        raise ValueError(f"{experiment.id} has no prediction {prediction!r}; it has: {', '.join(choices)}")
    supported()


def supported() -> None:
    """Raises MachineFault where there can be no run."""
    if not hasattr(os, "fork"):
        raise MachineFault(UNSUPPORTED)


def _messages(
    experiment: Experiment, job: dict[str, Any], prediction: str | None, bound: float, halt: int | None
) -> Iterator[Message]:
    began = time.time()
    clock = time.monotonic()
    kept: dict[str, Any] = {"events": [], "left_out": 0, "records": None, "text": None}
    failed: Text | None = None
    said = bytearray()
    process, held = _started(job)
    try:
        for message in _lines(process, clock + bound, said, halt):
            if message["kind"] == "events":
                kept["events"] += message["events"]
                kept["left_out"] += message["left_out"]
            else:
                kept.update({name: message[name] for name in ("records", "text") if name in message})
            yield message
    except InterruptedError:
        return
    except TimeoutError:
        failed = TOO_LONG.filled(seconds=bound)
    finally:
        end(process)
        os.close(held)
    if failed is None and kept["records"] is None and kept["text"] is None:
        last = (said.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        failed = Text(*(text + last for text in BROKE))
    if failed is not None:
        yield {"kind": "failed", "text": failed._asdict(), "said": said.decode(errors="replace")}
    yield {
        "kind": "result",
        "result": result(
            experiment,
            job,
            kept,
            prediction=prediction,
            failed=failed,
            began=began,
            seconds=time.monotonic() - clock,
        ),
    }


def _started(job: dict[str, Any]) -> tuple[subprocess.Popen[bytes], int]:
    """The first process of the run, and the end of its lifeline that is to be closed after it. Raises OSError."""
    lifeline, held = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - Python itself, with a job of ours
            [sys.executable, "-c", START, json.dumps(job)],
            stdin=lifeline,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except OSError:
        os.close(held)
        raise
    finally:
        os.close(lifeline)
    return process, held


def _lines(
    process: subprocess.Popen[bytes], deadline: float, said: bytearray, halt: int | None
) -> Iterator[Message]:
    """Messages until the process closes its output. Raises TimeoutError at the deadline, InterruptedError when halted."""
    limits = LabLimits()
    rest = b""
    stdout, stderr = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr)
    with selectors.DefaultSelector() as selector:
        pipes = {stdout.fileno(), stderr.fileno()}
        for fd in (*pipes, *(() if halt is None else (halt,))):
            selector.register(fd, selectors.EVENT_READ)
        while pipes:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready or time.monotonic() > deadline:
                if stdout.fileno() not in pipes:
                    return  # all was told, and somebody still holds stderr: the caller ends them
                raise TimeoutError
            for key, _mask in ready:
                if key.fd not in pipes:
                    raise InterruptedError
                data = os.read(key.fd, SIZE)
                if not data:
                    selector.unregister(key.fd)
                    pipes.discard(key.fd)
                    if key.fd == stdout.fileno():
                        deadline = min(deadline, time.monotonic() + limits.ending)
                elif key.fd == stderr.fileno():
                    said += data[: max(0, limits.said - len(said))]
                else:
                    *lines, rest = (rest + data).split(b"\n")
                    if max(map(len, (*lines, rest))) > limits.message:
                        return
                    yield from map(json.loads, lines)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the run's process group, and wait for its first process."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # all have ended; macOS says it is not permitted when only a zombie is left
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
