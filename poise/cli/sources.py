"""Where settings come from: what is typed goes before the environment, that before a file, and that before the default.

Of what can be given more than once some add up (``--hide``, ``--header``, ``--cache``, ``--error-page``,
``--allow-host``: first the file's, then the environment's, then what is typed) and some replace (``--index``, ``--cors``).
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from poise.cli import options, standard
from poise.cli.site_options import FILE_NAME, with_values

if TYPE_CHECKING:
    from poise.cli.command import Command
    from poise.cli.settings import Settings

MOST_SAID = 20
"""Lines about one file: a long one should not push what matters out of sight."""

Parse = Callable[..., tuple[Namespace, list[str]]]
"""Makes arguments of words, with the defaults that a ``namespace`` does not have already."""


def gathered(command: Command, words: Sequence[str], parse: Parse) -> tuple[Namespace, list[str]]:
    """What ``parse`` makes of the words, with defaults from the environment and, where there is ``--config``, a file.

    Then ``settings`` is what the file says, or None without one. Mistakes in it end the program, with 2, unless it is
    the command's task to explain them; for that one ``typed`` has the destinations of what was typed.
    """
    words = list(words)
    if not any(action.dest == "config" for action in command._actions):
        options.read_environment(command)
        return parse(words)
    words = with_values(words)
    typed, _ = parse(words)
    settings = of_file(typed, command)
    plain = {}
    if settings is not None:
        if not command.explains:
            tell(settings)
        plain = {dest: command.get_default(dest) for dest in settings.values}
        command.set_defaults(**settings.values)
    options.read_environment(command, plain=plain)
    known, unknown = parse(words)
    known.settings = settings
    if command.explains:
        known.typed = typed_ones(command, words, parse)
        known.command = command
    return known, unknown


def of_file(typed: Namespace, command: Command) -> Settings | None:
    """What the file says that is named, or else found in the folder."""
    file = typed.config if typed.config is not None else named_outside()
    named = file is not None
    if (
        not named and command.explains and os.path.isfile(typed.dir)
    ):  # one may be shown what is to be explained
        file, named = typed.dir, os.path.basename(typed.dir) != FILE_NAME
    if file is None:
        file = FILE_NAME if typed.dir == os.curdir else os.path.join(typed.dir, FILE_NAME)
        if not os.path.lexists(file):  # most often, and then nothing is imported for it
            return None
    if file is False:
        return None
    from poise.cli.config import read

    return read(str(file), command, named=named)


class Mark(list[object]):
    """Stands where nothing was typed; options that can be given more than once copy it and add to the copy."""


def typed_ones(command: Command, words: Sequence[str], parse: Parse) -> set[str]:
    """The destinations of the options that ``words`` give."""
    marks: dict[str, object] = {action.dest: Mark() for action in command._actions}
    marks["dir"] = command.get_default("dir")  # a folder that is left out is set all the same
    known, _ = parse(words, namespace=Namespace(**marks))
    return {dest for dest, mark in marks.items() if getattr(known, dest) is not mark}


def named_outside(environment: Mapping[str, str] = os.environ) -> str | bool | None:
    """The file that the environment names, False when it wants none, else None."""
    file = environment.get(options.variable("--config"))
    if file:
        return file
    none = environment.get(options.variable("--no-config"), "").strip().lower()
    return False if none in options.TRUE else None


def tell(settings: Settings) -> None:
    """Say what had no effect. Raises SystemExit(2) when there are mistakes, and says each of them."""
    said = settings.mistakes or settings.left_out
    for mistake in said[:MOST_SAID]:
        standard.say(str(mistake))
    if len(said) > MOST_SAID:
        standard.say(f"and {len(said) - MOST_SAID} more of that kind: poise check {settings.file}")
    if settings.mistakes:
        standard.say("nothing was started; --no-config does without the file")
        raise SystemExit(2)
