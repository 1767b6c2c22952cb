"""``[site]`` and ``[[headers]]`` of ``poise.toml``: how the folder is shown.

The values go through the same gates as those that are typed (:mod:`poise.cli.site_options`), one by one, so that each
mistake has its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from poise.cli import site_options as gates
from poise.cli.places import Path
from poise.cli.settings import Settings, name_of, shown, unknown
from poise.files.fieldrules import CORS, EVERYTHING, FieldRule, cache_rule, field_rule
from poise.files.rules import SYMLINKS

TABLES = ("site", "headers")

DESTS = frozenset(
    (
        "index",
        "spa",
        "clean_urls",
        "error_page",
        "header",
        "cache",
        "cors",
        "hide",
        "symlinks",
        "dotfiles",
        "no_listing",
    )
)
"""Options that have their place in a table and not at the top."""


class SiteTable:
    """Reads the two tables into ``settings``."""

    def __init__(self, settings: Settings, elsewhere: Collection[str]) -> None:
        """``elsewhere`` are the names that stand at the top of the file."""
        self._settings = settings
        self._elsewhere = elsewhere
        self.keys: dict[str, Callable[[str, Any, Path], None]] = {
            "index": self._texts,
            "listing": self._listing,
            "clean-urls": self._choice,
            "spa": self._choice,
            "error-pages": self._error_pages,
            "cache": self._cache,
            "cors": self._cors,
            "hide": self._texts,
            "dotfiles": self._dotfiles,
            "symlinks": self._symlinks,
        }

    def read(self, table: str, value: object, path: Path) -> None:
        """Take one of the tables in."""
        if table == "headers":
            self._headers(value, path)
        elif not isinstance(value, dict):
            self._settings.mistake(path, "this is a table: a line [site], and what belongs into it below")
        else:
            for written, each in value.items():
                self._key(written, each, (*path, written))

    def _key(self, written: str, value: object, path: Path) -> None:
        key = written.replace("_", "-")
        if key in self.keys:
            with self._settings.wrong_at(path):
                self.keys[key](key, value, path)
        elif key in self._elsewhere:
            self._settings.mistake(
                path, f"{written} stands at the top of the file, before [site] and every other table"
            )
        else:
            self._settings.mistake(path, unknown(written, list(self.keys), "setting in [site],"))

    # -- one method for each kind of value ----------------------------------------------------------------------

    def _texts(self, key: str, value: object, path: Path) -> None:
        gate = gates.index if key == "index" else gates.glob
        example = "index.html" if key == "index" else "*.bak"
        self._settings.put(key, self._each(key, value, path, gate, example), path)

    def _each(
        self, key: str, value: object, path: Path, gate: Callable[[str], Any], example: str
    ) -> list[Any]:
        """A list of texts, or one text, each through its gate; those that do not pass are mistakes of their own."""
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list):
            raise TypeError(f'{key} is a list of texts; write {key} = ["{example}"]')
        passed: list[Any] = []
        for number, text in enumerate(texts):
            place = path if isinstance(value, str) else (*path, number)
            with self._settings.wrong_at(place):
                if not isinstance(text, str):
                    raise TypeError(f'{key} is a list of texts, which stand in quotes: ["{example}"]')
                passed.append(gate(text))
        return passed

    def _listing(self, key: str, value: object, path: Path) -> None:
        self._settings.put("no_listing", not yes_or_no(key, value), path)

    def _choice(self, key: str, value: object, path: Path) -> None:
        """Whether at all, or a text that says how."""
        gate, example = (gates.spa, "app.html") if key == "spa" else (gates.clean_urls, gates.REDIRECT)
        if not isinstance(value, (bool, str)):
            raise TypeError(f'{key} is true or false, or a text: {key} = "{example}"')
        text = ("no", "yes")[value] if isinstance(value, bool) else value
        self._settings.put(key.replace("-", "_"), gate(text), path)

    def _error_pages(self, key: str, value: object, path: Path) -> None:
        if not isinstance(value, dict):
            raise TypeError(f'this is a table: [site.{key}], and below it lines such as 404 = "lost.html"')
        pages: list[tuple[str, str]] = []
        for status, file in value.items():
            place = (*path, status)
            with self._settings.wrong_at(place):
                if not isinstance(file, str):
                    raise TypeError('an error page is a file, in quotes: 404 = "lost.html"')
                pages.append(gates.error_page(f"{status}={file}"))
        self._settings.put("error_page", pages, path)

    def _cache(self, key: str, value: object, path: Path) -> None:
        if not isinstance(value, dict):
            raise TypeError(f'this is a table: [site.{key}], and below it lines such as "*.css" = "1h"')
        rules: list[FieldRule] = []
        for pattern, text in value.items():
            place = (*path, pattern)
            with self._settings.wrong_at(place):
                if not isinstance(text, str):
                    raise TypeError('a time is a text, in quotes: "*.css" = "1h"')
                rules.append(cache_rule(text, gates.glob(pattern)))
        self._settings.put(key, rules, path)

    def _cors(self, key: str, value: object, path: Path) -> None:
        if not self._settings.named:
            self._settings.leave_out(path, key)
            return
        if isinstance(value, bool):
            self._settings.put(key, ["*"] if value else [], path)
            return
        self._settings.put(key, self._each(key, value, path, gates.origin, "https://app.example"), path)

    def _dotfiles(self, key: str, value: object, path: Path) -> None:
        if yes_or_no(key, value) and not self._settings.named:
            self._settings.leave_out(path, "dotfiles = true")
        else:
            self._settings.put(key, value, path)

    def _symlinks(self, key: str, value: object, path: Path) -> None:
        if value not in SYMLINKS:
            raise ValueError(f"{key} is one of {', '.join(SYMLINKS)}, in quotes")
        if value == "all" and not self._settings.named:
            self._settings.leave_out(path, 'symlinks = "all"')
        else:
            self._settings.put(key, value, path)

    # -- header fields ------------------------------------------------------------------------------------------

    def _headers(self, value: object, path: Path) -> None:
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self._settings.mistake(path, "this is a list of tables: [[headers]] in brackets of two")
            return
        rules: list[FieldRule] = []
        for number, table in enumerate(value):
            self._block(table, (*path, number), rules)
        self._settings.put("header", rules, path)

    def _block(self, table: dict[str, Any], path: Path, rules: list[FieldRule]) -> None:
        for key in table:
            if key not in ("for", "values"):
                said = unknown(key, ["for", "values"], "setting in [[headers]],")
                if not said.endswith("?"):
                    said = f"{said}; a field stands in values: values.{name_of(key)} = …"
                self._settings.mistake((*path, key), said)
        pattern, values = table.get("for", EVERYTHING), table.get("values")
        with self._settings.wrong_at((*path, "for")):
            if not isinstance(pattern, str):
                raise TypeError('this is a pattern, in quotes: for = "*.html"')
            gates.glob(pattern)
        with self._settings.wrong_at((*path, "values")):
            if not isinstance(values, dict):
                raise TypeError('the fields are missing; write values = { X-Frame-Options = "DENY" }')
            for name, text in values.items():
                self._field(name, text, str(pattern), (*path, "values", name), rules)

    def _field(self, name: str, text: object, pattern: str, path: Path, rules: list[FieldRule]) -> None:
        with self._settings.wrong_at(path):
            if not isinstance(text, str):
                raise TypeError(
                    f'the value of a field is a text, in quotes: {name_of(name)} = "{shown(text)}"'
                )
            rule = field_rule(name, text, pattern)
            if name.lower().startswith(CORS) and not self._settings.named:
                self._settings.leave_out(path, name)
            else:
                rules.append(rule)


def yes_or_no(key: str, value: object) -> bool:
    """A switch. Raises TypeError for anything else."""
    if not isinstance(value, bool):
        raise TypeError(f"write {key} = true or {key} = false, without quotes")
    return value
