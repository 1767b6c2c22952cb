"""What an experiment is: a question, guesses, something that runs, and what may be said of it afterwards.

``run`` uses the stage and returns records. ``claim`` and ``figure`` are pure: the same records give the same verdict and the same
picture, so both can be made again from a file that was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from poise.lab.figure import Figure
from poise.lab.text import Text

if TYPE_CHECKING:
    from poise.lab.models import Change
    from poise.lab.stage import Stage

Records = Mapping[str, Any]


class Cannot(Exception):
    """This machine cannot show it, and ``text`` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Choice(NamedTuple):
    """One guess. Exactly one of an experiment's is right."""

    id: str
    text: Text
    right: bool = False


class Reading(NamedTuple):
    """Where to read on."""

    title: Text
    url: str


class Check(NamedTuple):
    """One measured number against a bound, with room for noise. ``relation`` is ">=", "<=" or "=="."""

    text: Text
    measured: float
    relation: str
    bound: float

    @property
    def holds(self) -> bool:
        if self.relation == ">=":
            return self.measured >= self.bound
        if self.relation == "<=":
            return self.measured <= self.bound
        return self.measured == self.bound


class Variant(NamedTuple):
    """A model with one line changed: what a page shows under "what changed when I changed this line".

    ``who``: the name under which its events are told.
    """

    model: str
    who: str
    change: Change
    text: Text


class Experiment(NamedTuple):
    """One file of ``experiments/``.

    ``rows``: which rows of the notes it shows; ``seconds``: about how long it takes; ``models``: those that can be chosen, all of
    which run otherwise; ``sources``: further ones that it runs and whose source is worth a look; ``about``: the one of ``models`` that
    the question is about, "" when there is nothing to choose. Without it a run says nothing of the question; ``opens``: whose events
    slow motion begins with, by the name under which they are told.
    """

    id: str
    rows: Sequence[int]
    title: Text
    question: Text
    choices: Sequence[Choice]
    runs: Text
    watch: Text
    mistake: Text
    takeaway: Text
    reading: Sequence[Reading]
    run: Callable[[Stage], dict[str, Any]]
    claim: Callable[[Records], list[Check]]
    figure: Callable[[Records], Figure]
    seconds: float = 1.0
    models: Sequence[str] = ()
    sources: Sequence[str] = ()
    variants: Sequence[Variant] = ()
    about: str = ""
    opens: str = ""

    @property
    def right(self) -> Choice:
        """The guess that is right."""
        (right,) = [choice for choice in self.choices if choice.right]
        return right

    def answered(self, models: Sequence[str]) -> bool:
        """Whether a run of these models says something of the question."""
        return not self.about or self.about in models
