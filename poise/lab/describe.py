"""An experiment as plain data, for a page or a script: every text in all languages, and the source of what runs.

The source of a model is there as its file has it, and with its comments in Chinese; the lines are the same.
"""

from __future__ import annotations

from typing import Any

from poise.lab.chinese import in_chinese
from poise.lab.experiment import Experiment, Variant
from poise.lab.models import MODELS, Model


def describe(experiment: Experiment) -> dict[str, Any]:
    """All that can be known before a run. ``choices`` say which one is right: hide that until somebody has guessed."""
    return {
        "id": experiment.id,
        "rows": list(experiment.rows),
        "title": experiment.title._asdict(),
        "question": experiment.question._asdict(),
        "choices": [
            {"id": choice.id, "text": choice.text._asdict(), "right": choice.right}
            for choice in experiment.choices
        ],
        "runs": experiment.runs._asdict(),
        "watch": experiment.watch._asdict(),
        "mistake": experiment.mistake._asdict(),
        "takeaway": experiment.takeaway._asdict(),
        "reading": [{"title": each.title._asdict(), "url": each.url} for each in experiment.reading],
        "seconds": experiment.seconds,
        "models": list(experiment.models),
        "about": experiment.about,
        "opens": experiment.opens,
        "sources": [
            described(MODELS[name]) for name in dict.fromkeys((*experiment.models, *experiment.sources))
        ],
        "variants": [changed(variant) for variant in experiment.variants],
    }


def described(model: Model) -> dict[str, Any]:
    """A model and its source."""
    return {
        "name": model.name,
        "title": model.title._asdict(),
        "many": model.many,
        "available": model.available,
        "file": f"poise/lab/models/{model.room}.py",
        "source": model.source(),
        "chinese": in_chinese(model.source()),
    }


def changed(variant: Variant) -> dict[str, Any]:
    """A model with one line changed: which line, from one, and what it was and is."""
    model, change = MODELS[variant.model], variant.change
    source = model.source(change)
    pairs = zip(model.source().splitlines(), source.splitlines(), strict=True)
    line = next(number for number, (before, after) in enumerate(pairs, 1) if before != after)
    return {
        "model": variant.model,
        "who": variant.who,
        "text": variant.text._asdict(),
        "before": change.before,
        "after": change.after,
        "line": line,
        "source": source,
        "chinese": in_chinese(source),
        "chinese_before": in_chinese(model.source()).splitlines()[line - 1].strip(),
    }
