"""``poise.toml``: every option of ``poise serve`` in a file, and the mistakes in it, all at once and with their places.

At the top stand the options under their own names, ``port = 8080`` for ``--port 8080``; what ``--no-`` says is false.
``[site]`` and ``[[headers]]`` say how the folder is shown (:mod:`poise.cli.site_table`). What is typed goes before the
environment, that before the file, and that before the default.

**Whose file is it?** One that is named with ``--config`` is its owner's word and may say everything. One that is merely
*found* in the folder may have come with somebody else's archive, or have been saved there by a web page. So it decides
only how the site looks to those who can reach it anyway: index files, clean addresses, error pages, what is hidden, header
fields. Who may reach it and what is opened besides (addresses, TLS, logs, limits, dot-files, links that leave, other
origins) it cannot say; it is told what had no effect. A file with mistakes is not heeded in part: nothing is started.
"""

from __future__ import annotations

import argparse
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from poise.cli import options
from poise.cli.places import Path, Place, place
from poise.cli.settings import Mistake, Settings, shown, unknown
from poise.cli.site_table import DESTS, TABLES, SiteTable
from poise.limits import FileLimits

BROKEN = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)
"""What tomllib says of a document that is none."""

HINTS = {
    "Invalid value": 'a text stands in quotes, as "text"; true, false and numbers stand without them',
    "Cannot overwrite a value": "this is said twice; one of them has to go",
    "Cannot declare": "this table is there already; what belongs into it stands together",
    "Expected '=' after a key": "a line is a name, an equals sign and a value: port = 8080",
    "Expected newline or end of document": "the value ends before the line does; a text with spaces stands in quotes",
    "Unterminated string": "the quotes are not closed",
    "Illegal character": "a character that cannot stand here; in a text write \\n for a new line and \\\\ for a backslash",
}
"""Beginnings of tomllib's sentences, and what helps."""

APART = frozenset({"all", "config", "json"})
"""Options that make no sense in a file; two are those of ``poise check``."""

PATHS = frozenset({"dir", "log", "tls_cert", "tls_key"})
"""Files and folders: in a file they are meant as seen from that file."""

UNIX = "unix:"

FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def read(file: str, parser: argparse.ArgumentParser, *, named: bool) -> Settings:
    """What ``file`` says to the options of ``parser``; where it has mistakes, they and nothing else."""
    try:
        raw = contents(file)
    except (OSError, ValueError) as error:
        return hopeless(file, None, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        return hopeless(file, place(before, len(before)), "this is not UTF-8; save the file in that encoding")
    settings = Settings(file, text, named=named)
    try:
        document = parsed(text)
    except Broken as error:
        return hopeless(file, error.place, error.text)
    Reading(settings, parser).run(document)
    settings.mistakes.sort(key=lambda mistake: mistake.place or (0, 0))
    if settings.mistakes:
        settings.values.clear()
    return settings


def hopeless(file: str, where: Place | None, text: str) -> Settings:
    """What a file says of which nothing can be made."""
    settings = Settings(file, "", named=True)
    settings.mistakes.append(Mistake(file, where, text))
    return settings


def contents(file: str) -> bytes:
    """The bytes of a regular file that is not too long. Raises OSError or ValueError; a FIFO is not waited for."""
    most = FileLimits().settings
    fd = os.open(file, FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("it is not a plain file")
        raw = os.read(fd, most + 1)
    finally:
        os.close(fd)
    if len(raw) > most:
        raise ValueError(f"it has more than {most} bytes")
    return raw


class Broken(ValueError):
    """It is no TOML."""

    def __init__(self, where: Place | None, text: str) -> None:
        super().__init__(where, text)
        self.place = where
        self.text = text


def parsed(text: str) -> dict[str, Any]:
    """The document. Raises Broken with the one mistake that keeps it from being one."""
    import tomllib  # only those who have such a file pay for it

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise Broken(None, "brackets stand in brackets too many times over") from None
    except ValueError as error:  # TOMLDecodeError is one, and so is what a number of 5000 digits gives
        match = BROKEN.fullmatch(str(error))
        if match is None:
            raise Broken(None, str(error)) from None
        why, line, column = match.groups()
        hint = next((hint for begin, hint in HINTS.items() if why.startswith(begin)), None)
        where = Place(int(line), int(column)) if line else place(text, len(text))
        raise Broken(where, hint or why[:1].lower() + why[1:]) from None


class Reading:
    """Goes through a document and tells ``settings`` what it says."""

    def __init__(self, settings: Settings, parser: argparse.ArgumentParser) -> None:
        self._settings = settings
        self._parser = parser
        self._actions = dict(keys(parser))

    def run(self, document: dict[str, Any]) -> None:
        table = SiteTable(self._settings, self._actions)
        for written, value in document.items():
            key = written.replace("_", "-")
            path: Path = (written,)
            if key != written and key in document:
                self._settings.mistake(path, f"{written} and {key} are the same; one has to go")
            elif key in TABLES:
                table.read(key, value, path)
            elif key in self._actions:
                self._option(key, value, path)
            elif key in table.keys:
                self._settings.mistake(path, f"{written} belongs into the table [site]")
            else:
                self._settings.mistake(
                    path, unknown(written, [*self._actions, *TABLES, *table.keys], "setting")
                )

    def _option(self, key: str, value: object, path: Path) -> None:
        actions = self._actions[key]
        if not self._settings.named:
            self._settings.leave_out(path, key)
            return
        with self._settings.wrong_at(path, f"{key}: "):
            if actions[0].nargs == 0:
                self._switch(key, actions, value, path)
            else:
                dest = actions[0].dest
                chosen = self._value(actions[0], value, key)
                self._settings.put(dest, self._seen_from_here(dest, chosen), path)

    def _switch(self, key: str, actions: list[argparse.Action], value: object, path: Path) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"write {key} = true or {key} = false, without quotes")
        for action in actions:
            if says_no(action) is not value:
                self._settings.put(action.dest, action.const, path)

    def _value(self, action: argparse.Action, value: object, key: str) -> object:
        if isinstance(action, argparse._AppendAction):
            each = [value] if isinstance(value, str) else value
            if not isinstance(each, list) or not all(isinstance(text, str) for text in each):
                raise TypeError(f'this is a list of texts; write {key} = ["{action.metavar}", "…"]')
            return [self._parser._get_value(action, text) for text in each]
        if isinstance(value, bool) and action.nargs == "?" and action.option_strings:
            return action.const if value else action.default
        if options.is_number(action):
            text = self._number(action, value, key)
        elif isinstance(value, str):
            text = value
        else:
            example = "/".join(action.choices) if action.choices else shown(value)
            raise TypeError(f'this is a text and stands in quotes; write {key} = "{example}"')
        chosen = self._parser._get_value(action, text)
        self._parser._check_value(action, chosen)
        return chosen

    def _number(self, action: argparse.Action, value: object, key: str) -> str:
        in_bytes = options.unit_of(action) == "bytes"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        if (in_bytes and isinstance(value, str)) or (
            action.type is options.workers and value == options.AUTO
        ):
            return str(value)
        example = value if isinstance(value, str) and value.isdigit() else action.default or 8080
        also = f', or a text with K, M or G: {key} = "64K"' if in_bytes else ""
        raise TypeError(f"this is a number and stands without quotes; write {key} = {example}{also}")

    def _seen_from_here(self, dest: str, value: Any) -> Any:
        """A relative path begins at the folder of the file that says it."""
        folder = os.path.dirname(self._settings.file)
        if dest in PATHS and value != "-":
            return os.path.join(folder, value)
        if dest == "host" and value.startswith(UNIX):
            return UNIX + os.path.join(folder, value.removeprefix(UNIX))
        return value


def keys(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[argparse.Action]]]:
    """The name in a file of every option, the folder's too, and what it does; a switch can have two sides."""
    found: dict[str, list[argparse.Action]] = {}
    for action in parser._actions:  # argparse has no public list of them
        if action.dest in APART | DESTS or isinstance(action, argparse._HelpAction):
            continue
        name = action.option_strings[-1].removeprefix("--") if action.option_strings else action.dest
        if action.nargs == 0:
            name = name.removeprefix("no-")
        found.setdefault(name, []).append(action)
    yield from found.items()


def says_no(action: argparse.Action) -> bool:
    """Whether an option without a value denies what it is named after."""
    return action.option_strings[-1].startswith("--no-")
