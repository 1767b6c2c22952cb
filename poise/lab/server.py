"""The lab's page: its files, what there is to try, and one run at a time.

The page is served as the live view's is (:mod:`poise.seeing.server`), to this machine only. What the experiments are, texts and
sources, is no secret; a run is started by a POST, for which a page needs the token and an Origin that is ours.

* The reply to that POST is the run: its messages as server-sent events, then the result and the files to keep.
* The thread of that one connection starts the run and lives until it has ended. When the other side goes, because the page
  was closed or somebody pressed Stop, the connection becomes readable and the run ends with all its processes.
* Two runs at once would spoil each other's numbers, so a second one is refused while one goes on.

Nothing is kept here, and nothing is written to disk: the page has it all.
"""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple, cast

from poise.errors import MachineFault, RequestError
from poise.lab import plot, trace
from poise.lab.describe import describe
from poise.lab.experiment import Experiment
from poise.lab.experiments import EXPERIMENTS
from poise.lab.machine import machine
from poise.lab.page_texts import TEXTS
from poise.lab.rows import ROWS
from poise.lab.running import Message, check, running
from poise.lab.text import LANGUAGES
from poise.limits.lab import LabLimits
from poise.limits.seeing import DoorLimits
from poise.seeing import assets
from poise.seeing.gate import Refusal
from poise.seeing.server import JSON, LOOPBACK, Doorway, Exchange
from poise.seeing.viewing import encoded
from poise.wire.http.events import MEDIA_TYPE, event
from poise.wire.http.head import RequestHead

OWN, SHARED = "/lab/page/", "/seeing/page/"
"""Where the two rooms' files are. Beside each other as in the source, so that one finds the other by the same relative path."""
RUN, ABOUT = "/run", "/lab.json"
FOLDER = assets.FOLDER.replace("seeing", "lab")
NO_FORK = 501
TURN = 1.0  # seconds for a run that was stopped to be over


class Job(NamedTuple):
    """What is to be run."""

    experiment: Experiment
    models: tuple[str, ...]
    seed: int
    prediction: str | None


class LabServer(Doorway):
    """Serves the lab's page at ``address`` until ``close``. Raises as :class:`~poise.seeing.server.Doorway` does."""

    def __init__(
        self,
        address: tuple[str, int] = (LOOPBACK, 0),
        *,
        experiments: Mapping[str, Experiment] = EXPERIMENTS,
        limits: LabLimits | None = None,
        doors: DoorLimits | None = None,
    ) -> None:
        self._lab_limits = limits if limits is not None else LabLimits()
        self._experiments = experiments
        self._about = encoded(about(experiments.values()))
        self._runs = threading.BoundedSemaphore(self._lab_limits.runs)
        super().__init__(files(), TEXTS, address, acting=(RUN,), limits=doors)

    def answer(self, exchange: Exchange, head: RequestHead) -> bool:
        if head.path == ABOUT:
            exchange.reply(200, JSON, (self._about,), len(self._about))
        elif head.path == RUN:
            self._run(exchange)
        else:
            return False
        return True

    def _run(self, exchange: Exchange) -> None:
        wanted = job(exchange.body(self._lab_limits.posted), self._experiments)
        if not self._runs.acquire(timeout=TURN):
            raise RequestError(503, "another run is going on: two at once would spoil each other's numbers")
        try:
            check(wanted.experiment, wanted.models, wanted.prediction)
            exchange.reply(200, MEDIA_TYPE, messages(wanted, exchange.fileno()), None)
        except ValueError as error:
            exchange.refuse(Refusal(422, str(error)))
        except MachineFault as error:
            exchange.refuse(Refusal(NO_FORK, str(error)))
        finally:
            self._runs.release()


def files() -> dict[str, assets.Asset]:
    """The page's own files, and those that it shares with the live view."""
    return {**assets.read(below=SHARED), **assets.read(FOLDER, OWN)}


def about(experiments: Iterable[Experiment]) -> dict[str, Any]:
    """What does not change: the experiments in teaching order, the rows of the notes, this machine."""
    return {
        "experiments": [{**describe(each), "program": program(each)} for each in experiments],
        "rows": [
            {"number": number, "text": row.text._asdict(), "exercises": list(row.exercises)}
            for number, row in ROWS.items()
        ],
        "machine": machine(),
    }


def program(experiment: Experiment) -> dict[str, str]:
    """The experiment's own file, for what it does itself and not through a model."""
    module = sys.modules[experiment.run.__module__]
    return {"file": module.__name__.replace(".", "/") + ".py", "source": inspect.getsource(module)}


def job(posted: bytes, experiments: Mapping[str, Experiment]) -> Job:
    """What was posted, held against what there is. Raises RequestError."""
    try:
        asked = json.loads(posted)
        return Job(
            experiments[asked["experiment"]],
            tuple(map(_word, asked.get("models", ()))),
            int(asked.get("seed", 1)),
            None if asked.get("prediction") is None else _word(asked["prediction"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise RequestError(422, "this is no run of an experiment that there is") from None


def _word(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given


def messages(wanted: Job, halt: int) -> Iterator[bytes]:
    """A run as server-sent events. Of its events only the number is told on the way: the result has them all."""
    run = running(
        wanted.experiment,
        models=wanted.models,
        seed=wanted.seed,
        prediction=wanted.prediction,
        halt=halt,
    )
    with closing(cast("Any", run)):
        for message in run:
            if message["kind"] == "result":
                yield told(message)
                yield told({"kind": "files", "files": kept(message["result"])})
            elif message["kind"] == "events":
                yield told({"kind": "events", "count": len(message["events"])})
            elif message["kind"] != "records":
                yield told(message)


def told(message: Message) -> bytes:
    return event(encoded(message).decode())


def kept(result: dict[str, Any]) -> dict[str, Any]:
    """What can be kept besides the result itself: the picture in each language, and the trace."""
    figure = result["figure"]
    pictures = {
        language: plot.svg(figure, language, result["machine"], result["reference"])
        for language in LANGUAGES
        if figure is not None
    }
    return {"svg": pictures, "trace": trace.trace(result)}
