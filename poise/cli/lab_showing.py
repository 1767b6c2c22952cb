"""The experiments in a terminal, over ssh, or in a script: what is asked, and what is printed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poise.cli import meant, standard
from poise.cli.command import window_width
from poise.errors import MachineFault
from poise.lab.experiment import Experiment
from poise.lab.experiments import EXPERIMENTS
from poise.lab.machine import in_words
from poise.lab.models import MODELS
from poise.lab.result import write
from poise.lab.running import check, running
from poise.lab.scale import columns, short
from poise.lab.text import Text
from poise.lab.textplot import WIDTH, textplot

MAKES_NO_SENSE = 2
INDENT = 14  # columns of the list, for the names
CODES = {"shown": 0, "not shown": 1, "failed": 1, "cannot": 3}

GUESS = Text("Your guess, 1 to {most} (Enter: none): ", "你的预测，1 到 {most}（回车跳过）：")
RIGHT = Text("Your guess was right: {text}", "预测正确：{text}")
WRONG = Text("You guessed: {chosen}\nIt is: {text}", "你的预测：{chosen}\n实际是：{text}")
ANSWER = Text("The answer: {text}", "答案：{text}")
NOT_SHOWN = Text(
    "This run did not show it. A busy machine can do that: run it again.",
    "这次运行没有显示出来。机器太忙时会这样：请再运行一次。",
)
ABSENT = Text(
    "The question is about this server, which did not take part: {model}. This run does not answer it.",
    "题目问的服务器没有参加：{model}。这次运行回答不了。",
)
RUNS = Text("What runs:", "运行什么：")
WATCH = Text("What to watch:", "看什么：")
CLAIM = Text("What was claimed, and measured:", "断言与实测：")
MISTAKE = Text("The mistake:", "常见错误：")
TAKEAWAY = Text("To take away:", "要点：")
READING = Text("To read on:", "延伸阅读：")
KEPT = Text("kept: {paths}", "已保存：{paths}")
SECONDS = Text("about {seconds:g} s", "约 {seconds:g} 秒")
ROW = Text("row {rows} of the notes", "讲义第 {rows} 行")
ROWS = Text("rows {rows} of the notes", "讲义第 {rows} 行")


def list_experiments(args: argparse.Namespace) -> int:
    """``poise lab list``."""
    language = args.lang or spoken(os.environ)
    standard.report(listed_json() if args.json else listed(language))
    return 0


def run_experiment(args: argparse.Namespace) -> int:
    """``poise lab run``. Raises MachineFault when this system cannot, or a file cannot be written."""
    experiment = EXPERIMENTS.get(args.name)
    if experiment is None:
        close = meant.near(args.name, EXPERIMENTS)
        hint = f"did you mean {close[0]}?" if close else "poise lab list shows what there is"
        standard.say(f"there is no experiment {args.name!r}; {hint}")
        return MAKES_NO_SENSE
    try:
        return run(args, experiment, args.lang or spoken(os.environ))
    except ValueError as error:
        standard.say(str(error))
        return MAKES_NO_SENSE


def spoken(environment: Any) -> str:
    """The language of a locale, of those that the lab has."""
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "zh" if locale.startswith("zh") else "en"


def listed(language: str) -> str:
    """A line for each experiment, and the question beneath."""
    lines = []
    for each in EXPERIMENTS.values():
        seconds = SECONDS.said(language, seconds=each.seconds)
        rows = (ROWS if len(each.rows) > 1 else ROW).said(language, rows=", ".join(map(str, each.rows)))
        lines.append(f"{each.id:{INDENT}}{each.title.said(language)}  ({seconds}, {rows})")
        lines += wrapped(each.question.said(language), indent=INDENT)
    return "\n".join(lines) + "\n"


def listed_json() -> str:
    """Name, question and choices of each, in all languages."""
    rows = [
        {
            "id": each.id,
            "rows": list(each.rows),
            "title": each.title._asdict(),
            "question": each.question._asdict(),
            "choices": [{"id": choice.id, "text": choice.text._asdict()} for choice in each.choices],
            "models": list(each.models),
            "seconds": each.seconds,
        }
        for each in EXPERIMENTS.values()
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def run(args: argparse.Namespace, experiment: Experiment, language: str) -> int:
    """Ask, run, show. Raises ValueError for a model or guess that there is none of."""
    prediction = numbered(experiment, args.predict)
    check(experiment, args.model, prediction)
    if not args.json:
        show(introduction(experiment, language))
        if prediction is None and os.isatty(standard.INPUT) and os.isatty(standard.OUTPUT):
            prediction = asked(experiment, language)
    result: dict[str, Any] = {}
    messages = running(experiment, models=args.model, seed=args.seed, prediction=prediction)
    for message in messages:
        if message["kind"] == "progress" and os.isatty(standard.ERROR):
            standard.write(standard.ERROR, f"\r\x1b[K{message['done']:4.0%} {message['what']}")
        elif message["kind"] == "result":
            result = message["result"]
    if os.isatty(standard.ERROR):
        standard.write(standard.ERROR, "\r\x1b[K")
    try:
        if args.json:
            standard.report(json.dumps(result, ensure_ascii=False) + "\n")
        else:
            show(conclusion(experiment, result, language))
    finally:
        if args.out:
            keep(result, Path(args.out), language)
    return CODES[result["outcome"]]


def numbered(experiment: Experiment, given: str | None) -> str | None:
    """A guess by its number is as good as by its name."""
    if given is not None and given.isdecimal() and 1 <= int(given) <= len(experiment.choices):
        return experiment.choices[int(given) - 1].id
    return given


def asked(experiment: Experiment, language: str) -> str | None:
    """What the person at the terminal guesses; None when nothing."""
    choices = [choice.id for choice in experiment.choices]
    while True:
        try:
            answer = input(GUESS.said(language, most=len(choices))).strip()
        except EOFError:
            return None
        guess = numbered(experiment, answer)
        if not answer or guess in choices:
            return guess or None


def keep(result: dict[str, Any], folder: Path, language: str) -> None:
    """Write the files. Raises MachineFault when that cannot be."""
    try:
        paths = write(result, folder, language)
    except OSError as error:
        raise MachineFault(error.errno, f"cannot write to {folder}: {error.strerror}") from None
    standard.say(KEPT.said(language, paths=", ".join(map(str, paths))))


# -- what is printed ----------------------------------------------------------------------------------------


def introduction(experiment: Experiment, language: str) -> Iterator[str]:
    """Title, question, choices, and what will run."""
    yield experiment.title.said(language)
    yield ""
    yield from wrapped(experiment.question.said(language))
    for number, choice in enumerate(experiment.choices, 1):
        yield from wrapped(f"{number}  {choice.text.said(language)}", indent=2)
    yield ""
    yield from section(RUNS, experiment.runs, language)


def conclusion(experiment: Experiment, result: dict[str, Any], language: str) -> Iterator[str]:
    """The guess beside the answer, the figure, the claim, and what to take away."""
    if result["reason"]:
        yield from wrapped(result["reason"][language])
    else:
        yield from guess(experiment, result, language)
        yield ""
        yield textplot(result["figure"], language, min(window_width(), WIDTH))
        yield in_words(result["machine"])
        yield ""
        for note in result["figure"]["notes"]:
            yield from wrapped(note["text"][language])
            yield from (f"  {line}" for line in note["code"])
            yield ""
        yield CLAIM.said(language)
        for each in result["claim"]:
            sign = "✓" if each["holds"] else "✗"
            numbers = f"{short(each['measured'])} {each['relation']} {short(each['bound'])}"
            yield from wrapped(f"{sign} {each['text'][language]}: {numbers}", indent=2)
        if result["outcome"] == "not shown":
            yield from wrapped(NOT_SHOWN.said(language))
        yield ""
    yield from section(WATCH, experiment.watch, language)
    yield from section(MISTAKE, experiment.mistake, language)
    yield from section(TAKEAWAY, experiment.takeaway, language)
    yield READING.said(language)
    for reading in experiment.reading:
        yield f"  {reading.title.said(language)}  {reading.url}"


def guess(experiment: Experiment, result: dict[str, Any], language: str) -> Iterator[str]:
    """What was guessed, and what is so."""
    text = experiment.right.text.said(language)
    prediction = result["prediction"]
    if not experiment.answered(result["models"]):
        said = ABSENT.said(language, model=MODELS[experiment.about].title.said(language))
    elif prediction["correct"] is None:
        said = ANSWER.said(language, text=text)
    elif prediction["correct"]:
        said = RIGHT.said(language, text=text)
    else:
        (chosen,) = [each for each in experiment.choices if each.id == prediction["chosen"]]
        said = WRONG.said(language, chosen=chosen.text.said(language), text=text)
    for line in said.split("\n"):
        yield from wrapped(line)


def section(heading: Text, text: Text, language: str) -> Iterator[str]:
    """A heading, the text beneath, and an empty line."""
    yield heading.said(language)
    yield from wrapped(text.said(language), indent=2)
    yield ""


def wrapped(text: str, indent: int = 0) -> Iterator[str]:
    """Lines that fit the window. Chinese may be broken between any two letters, but not before a full stop or a comma."""
    room = max(min(window_width(), WIDTH + 10) - indent, 20)
    line = ""
    for piece in pieces(text):
        if (
            line
            and columns(line + piece.rstrip()) > room
            and not piece.startswith(tuple("，。；：、！？）”"))
        ):
            yield " " * indent + line.rstrip()
            line = ""
        line += piece
    yield " " * indent + line.rstrip()


def pieces(text: str) -> Iterator[str]:
    """Words with the space after them; Chinese letters one by one."""
    word = ""
    for letter in text:
        if ord(letter) >= 0x2E80:
            if word:
                yield word
            yield letter
            word = ""
        else:
            word += letter
            if letter == " ":
                yield word
                word = ""
    if word:
        yield word


def show(lines: Iterator[str]) -> None:
    """Print them."""
    sys.stdout.flush()
    standard.report("\n".join(lines) + "\n")
