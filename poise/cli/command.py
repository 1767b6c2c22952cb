"""One command's parser: options from the environment, and help that is short unless everything is asked for.

Who types ``--help`` wants to get on, so what is rare, the groups that ``rare_group`` makes, stands in ``--help-all``.
Text is fitted to the window, paragraph by paragraph; lines that begin with a space, such as examples, stay as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from poise.cli import options, sources, standard

HELP = frozenset({"-h", "--help", "--help-all"})


def as_it_is(text: str | None) -> str | None:
    """In place of a translation."""
    return text


argparse._ = as_it_is  # type: ignore[attr-defined]
"""Its own few words have no translation in any system, but it looks for one in the file system, each time it says one."""

MARGIN = 2  # columns, as argparse leaves free
USUAL_WIDTH = 80  # columns, where there is no window


def window_width() -> int:
    """The width of the window in columns: what COLUMNS says, else what the terminal does."""
    try:
        width = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        width = 0
    if width <= 0:
        try:
            width = os.get_terminal_size(standard.OUTPUT).columns
        except OSError:
            pass
    return width if width > 0 else USUAL_WIDTH


class Formatter(argparse.HelpFormatter):
    """Fits text to the window, but not what is laid out by hand."""

    def __init__(self, prog: str) -> None:
        """Made for every option that is added, to check it; argparse loads a library each time to find out the width."""
        super().__init__(prog, width=window_width() - MARGIN)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fitted = []
        for paragraph in text.rstrip("\n").split("\n\n"):
            first, newline, rest = paragraph.partition("\n")
            if rest.startswith(" "):  # a heading, and what belongs to it
                fitted.append(first + newline + rest)
            else:
                fitted.append(
                    paragraph if first.startswith(" ") else super()._fill_text(paragraph, width, indent)
                )
        return "\n\n".join(fitted)


class Command(argparse.ArgumentParser):
    """The parser of one command, whose options can be given in the environment, too."""

    commands: Callable[[], Iterable[argparse.ArgumentParser]] = tuple
    """Gives all that there are: a variable in the environment may be meant for another."""

    late: Callable[[Command], None] | None = None
    """Adds options that only parsing needs, when it does: half the start of a program goes into making parsers."""

    explains = False
    """Whether it is the command's task to explain mistakes in a file of settings, which end any other one."""

    def __init__(self, **given: Any) -> None:
        super().__init__(add_help=False, formatter_class=Formatter, **given)
        self.rare: list[argparse._ArgumentGroup] = []
        self.last = self.add_argument_group("help")
        self.last.add_argument("-h", "--help", action="help", help="show this and end")

    def rare_group(self, title: str, description: str | None = None) -> argparse._ArgumentGroup:
        """A group of options that only ``--help-all`` shows."""
        if not self.rare:
            self.last.add_argument("--help-all", action=HelpAll, help="show every option there is, and end")
        group = self.add_argument_group(title, description)
        self.rare.append(group)
        return group

    def format_help(self, *, everything: bool = False) -> str:
        """``--help``, or ``--help-all``."""
        groups = self._action_groups  # argparse knows no other way to leave one out
        left_out = [self.last] if everything else [self.last, *self.rare]
        self._action_groups = [*(group for group in groups if group not in left_out), self.last]
        try:
            return super().format_help()
        finally:
            self._action_groups = groups

    def add_late(self) -> None:
        """Add the options that were put off; may be repeated."""
        late, self.late = self.late, None
        if late is not None:
            late(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, with defaults from the environment and a file; help is given whatever they say."""
        if HELP & set(args or ()):
            return super().parse_known_args(args, namespace)
        self.add_late()
        known, unknown = sources.gathered(
            self, args or (), partial(super().parse_known_args, namespace=namespace)
        )
        if unknown:  # told here, by the command that they were given to, and not by the program above it
            from poise.cli import meant  # only mistakes pay for it

            most = "--help-all" if self.rare else "--help"
            hint = meant.option(self, unknown, f"{self.prog} {most} lists what there is")
            self.error(f"unknown: {' '.join(unknown)}; {hint}")
        for name in options.unknown_variables(self.commands):
            standard.say(f"{name} in the environment is no option of any command, and has no effect")
        return known, unknown


class HelpAll(argparse._HelpAction):
    """``--help-all``."""

    def __call__(self, parser: argparse.ArgumentParser, *_args: object) -> None:
        """Print it and end."""
        parser._print_message(cast("Command", parser).format_help(everything=True), sys.stdout)
        parser.exit()
