"""The parsers as plain data: what completions and the manual page are made from, so that neither can be out of date."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass

from poise.cli.command import Command

BRIEF = 72  # letters of a description beside a completion; a menu has one line for each
PATHS = {"FILE": "file", "DIR": "folder"}  # what a metavar says that its value is


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or a positional argument, whose ``names`` are empty.

    ``metavar`` stands for its value, None when it takes none; ``kind`` says what can be offered for it: ``choice``,
    ``file``, ``folder``, or ``text``, for which nothing can.
    """

    names: tuple[str, ...]
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    kind: str = "text"
    optional: bool = False  # the value may be left out
    again: bool = False  # it may be given more than once

    @property
    def brief(self) -> str:
        """The help's first clause, without the default, in one short line."""
        text = re.split(r"; | \(default|\. ", self.help, maxsplit=1)[0]
        if text.count("(") > text.count(")"):
            text = text.rpartition("(")[0].rstrip()
        if len(text) > BRIEF:
            text = text[:BRIEF].rsplit(" ", 1)[0].rstrip(" ,:(") + "…"
        return text


@dataclass(frozen=True, slots=True)
class Group:
    """Arguments that belong together."""

    title: str
    about: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A program or one of its commands."""

    name: str
    brief: str
    usage: str
    about: str
    after: str  # the text behind the options
    groups: tuple[Group, ...]
    commands: tuple[Outline, ...] = ()

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """All of them, in their order."""
        return tuple(argument for group in self.groups for argument in group.arguments)

    @property
    def every(self) -> tuple[Outline, ...]:
        """The commands that do something: besides one that has commands of its own, or in its place, those."""
        return tuple(
            one for each in self.commands for one in (*([each] if each.acts else ()), *each.commands)
        )

    @property
    def acts(self) -> bool:
        """Whether it does something by itself: it has no commands of its own, or options besides that for help."""
        return not self.commands or any(group.title != "help" for group in self.groups)


def outline(
    parser: argparse.ArgumentParser, name: str = "", brief: str = "", *, late: bool = False
) -> Outline:
    """What ``parser`` understands, and its commands; with ``late`` also what they take of one another."""
    return Outline(
        name=name or parser.prog,
        brief=brief,
        usage=parser.format_usage().removeprefix("usage: ").strip(),
        about=parser.description or "",
        after=parser.epilog or "",
        groups=tuple(_groups(parser)),
        commands=tuple(_commands(parser, late)),
    )


def _groups(parser: argparse.ArgumentParser) -> Iterator[Group]:
    formatter = parser._get_formatter()  # argparse has no public way to any of this
    last = getattr(parser, "last", None)  # how to get help: first in the parser, last for a reader
    for group in sorted(parser._action_groups, key=lambda group: group is last):
        arguments = [
            _argument(action, formatter._expand_help(action))
            for action in group._group_actions
            if not isinstance(action, argparse._SubParsersAction) and action.help is not argparse.SUPPRESS
        ]
        if arguments:
            yield Group(group.title or "arguments", group.description or "", tuple(arguments))


def _commands(parser: argparse.ArgumentParser, late: bool) -> Iterator[Outline]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            briefs = {each.dest: each.help or "" for each in action._choices_actions}
            for name, command in action.choices.items():
                if late and isinstance(command, Command):
                    command.add_late()
                yield outline(command, name, briefs.get(name, ""))


def _argument(action: argparse.Action, text: str) -> Argument:
    choices = tuple(map(str, action.choices or ()))
    metavar = None if action.nargs == 0 else _metavar(action)
    return Argument(
        names=tuple(action.option_strings),
        help=text,
        metavar=metavar,
        choices=choices,
        kind="choice" if choices else PATHS.get(metavar or "", "text"),
        optional=action.nargs == "?",
        again=isinstance(action, argparse._AppendAction),
    )


def _metavar(action: argparse.Action) -> str:
    """What stands for the value, or for each of several."""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    times = action.nargs if isinstance(action.nargs, int) else 1
    return " ".join([action.metavar or action.dest.upper()] * times)
