"""``poise check``: what ``poise serve`` would do, and why; every mistake in a file of settings, and what to write instead."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from poise.cli import options, site_options, standard
from poise.cli.absent import absent
from poise.cli.secure import contradictions
from poise.cli.settings import Mistake, Settings
from poise.cli.site_options import FILE_NAME
from poise.errors import MachineFault
from poise.files.fieldrules import FieldRule
from poise.files.locate import Root

DEFAULT, ENVIRONMENT, FILE, TYPED = "default", "environment", "file", "typed"

WIDEST = 48
"""Letters of a value; a longer one goes into the next column rather than pushing it away from the others."""


class Setting(NamedTuple):
    """One option as it counts, and where its value comes from: one place, or several that add up."""

    option: str
    value: Any
    sources: tuple[tuple[str, str], ...]
    """Kind and, for the environment and the file, which variable or place."""

    @property
    def origin(self) -> str:
        return " + ".join(detail or kind for kind, detail in self.sources)


def check(args: argparse.Namespace) -> int:
    """Print what is wrong, else what counts; 1 when there are mistakes."""
    settings: Settings | None = args.settings
    if settings is not None and args.dir == settings.file:
        folder = os.path.dirname(settings.file) if os.path.basename(settings.file) == FILE_NAME else ""
        args.dir = settings.values.get("dir", folder or ".")
        args.typed -= {"dir"}
    mistakes = settings.mistakes if settings is not None else []
    if not mistakes:
        mistakes = list(look(args))
    ends = bool(mistakes)
    if not ends:
        mistakes = list(look_for_pages(args))
    found = list(effective(args))
    left_out = settings.left_out if settings is not None else []
    if args.json:
        import json

        text = json.dumps(as_data(settings, mistakes, found), indent=2) + "\n"
    else:
        shown = [each for each in found if args.all or differs(each)]
        text = as_text(settings, mistakes, left_out, shown, ends=ends)
    standard.report(text)
    return 1 if mistakes else 0


# -- what no line by itself shows ------------------------------------------------------------------------------


def look(args: argparse.Namespace) -> Iterator[Mistake]:
    """What can be seen to be wrong: the folder, or a file that is named, is not there; what contradicts another."""
    try:
        site_options.rules(args)
    except MachineFault as error:
        yield Mistake(args.dir, None, str(error))
        return
    for dest in ("tls_cert", "tls_key"):
        file = getattr(args, dest)
        if file is not None and not os.access(file, os.R_OK):
            yield missing(args, dest, f"the file {file!r} is not there, or cannot be read")
    for dest, why in contradictions(args):
        yield missing(args, dest, why)
    if args.log != "-" and not os.access(
        args.log if os.path.lexists(args.log) else os.path.dirname(args.log) or os.curdir, os.W_OK
    ):
        yield missing(args, "log", f"the log {args.log!r} cannot be written")
    try:
        Root(args.dir).close()
    except MachineFault as error:
        yield missing(args, "dir", str(error))


def look_for_pages(args: argparse.Namespace) -> Iterator[Mistake]:
    """Pages that are named and are not there, which keeps nobody from starting."""
    for each in absent(args, site_options.rules(args)):
        yield missing(args, each.dest, each.text, each.key)


def missing(args: argparse.Namespace, dest: str, text: str, key: str | None = None) -> Mistake:
    """A mistake about the value of an option, where it stands if that is a file."""
    settings: Settings | None = args.settings
    if settings is not None and dest in settings.values and dest not in args.typed:
        return Mistake(settings.file, settings.place_of(dest, key), text)
    return Mistake(args.dir, None, text)


# -- what counts -----------------------------------------------------------------------------------------------


def effective(args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Iterator[Setting]:
    """Every option of ``poise serve``, once for each destination."""
    seen = {"all", "json", "config", "help", "help_all"}
    for action in args.command._actions:
        if action.dest in seen or not hasattr(args, action.dest):
            continue
        seen.add(action.dest)
        name = next((each for each in action.option_strings if each.startswith("--")), action.metavar)
        yield Setting(name, getattr(args, action.dest), tuple(sources(args, action, environment)))


def sources(
    args: argparse.Namespace, action: argparse.Action, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Where the value of an option comes from, the first one first."""
    settings: Settings | None = args.settings
    found = []
    if settings is not None and action.dest in settings.values:
        place = settings.place_of(action.dest)
        found.append((FILE, f"{settings.file}:{place.line}:{place.column}"))
    for each in args.command._actions:
        variable = options.variable(each.option_strings[-1]) if each.option_strings else ""
        if each.dest == action.dest and options.counts(each, environment.get(variable)):
            found.append((ENVIRONMENT, variable))
    if action.dest in args.typed:
        found.append((TYPED, ""))
    if not found:
        found.append((DEFAULT, ""))
    adds_up = isinstance(action, argparse._AppendAction) and not getattr(action, "replaces", False)
    yield from found if adds_up else found[-1:]


def differs(setting: Setting) -> bool:
    return setting.sources[0][0] != DEFAULT


# -- how it is shown -------------------------------------------------------------------------------------------


def as_text(
    settings: Settings | None,
    mistakes: list[Mistake],
    left_out: list[Mistake],
    found: list[Setting],
    *,
    ends: bool,
) -> str:
    """Mistakes, which end everything or not, or else a table of what counts.

    Lines are as other checkers write them, which editors can read.
    """
    lines = [str(each) for each in mistakes] or [str(each) for each in left_out]
    if mistakes:
        many = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines.append(f"{many}; {'nothing would be started' if ends else 'poise serve says so, and starts'}")
        return "\n".join(lines) + "\n"
    file = "no file of settings" if settings is None else f"{settings.file} has no mistakes"
    lines.append(f"{file}; {'what counts:' if found else 'every setting has its default'}")
    cells = [cell for each in found for cell in rows(each)]
    widths = [max((len(row[column]) for row in cells), default=0) for column in (0, 1)]
    widths[1] = min(widths[1], WIDEST)
    lines += [f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in cells]
    return "\n".join(lines) + "\n"


def rows(setting: Setting) -> Iterator[tuple[str, str, str]]:
    """Name, value and origin; of several values each has a line."""
    values = setting.value if isinstance(setting.value, list) and setting.value else [setting.value]
    for number, value in enumerate(values):
        yield ("", as_words(value), "") if number else (setting.option, as_words(value), setting.origin)


def as_words(value: Any) -> str:
    """A value for people, near enough to what is typed; what a terminal might take for a command is shown as a sign."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    if isinstance(value, FieldRule):
        return as_words(f"{value.glob}: {value.name}: {value.value}")
    if isinstance(value, tuple):
        return "=".join(as_words(each) for each in value)
    if value == []:
        return "–"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = str(value)
    return (text if text.isprintable() else ascii(text)) or "(all interfaces)"


def as_data(settings: Settings | None, mistakes: list[Mistake], found: list[Setting]) -> dict[str, Any]:
    """The same for scripts, defaults included."""
    return {
        "file": None if settings is None else settings.file,
        "mistakes": [as_row(each) for each in mistakes],
        "left_out": [as_row(each) for each in (settings.left_out if settings is not None else [])],
        "settings": [
            {
                "option": each.option,
                "value": plain(each.value),
                "sources": [{"kind": kind, "where": where or None} for kind, where in each.sources],
            }
            for each in found
        ],
    }


def as_row(mistake: Mistake) -> dict[str, Any]:
    place = mistake.place
    return {
        "file": mistake.file,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "text": mistake.text,
    }


def plain(value: Any) -> Any:
    """A value as JSON can have it."""
    if isinstance(value, FieldRule):
        return {"for": value.glob, "name": value.name, "value": value.value}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value
