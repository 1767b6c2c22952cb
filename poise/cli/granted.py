"""What a file of settings that was merely found may not open: pages that somebody else keeps hidden.

A page that is named is shown although it is hidden, because whoever named it has said so. The word of a found file
(:mod:`poise.cli.config`) is good for what it hides itself and for nothing else: dot-files, what is hidden by what was typed or
by the environment, and the server's own files stay closed to it. Otherwise a stranger's file could have every 404
answered with a private key.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from poise.files.names import WELL_KNOWN, Names, hidden
from poise.files.rules import index_name, names_below

if TYPE_CHECKING:
    from poise.cli.settings import Settings


class Refused(NamedTuple):
    """A page that has no effect: ``dest`` is what its option sets, ``key`` which of several values it is."""

    dest: str
    key: str | None
    file: str

    @property
    def text(self) -> str:
        """Why, for people."""
        return f"{self.file!r} is hidden, and a file of settings that was only found cannot show it"


def refused(args: argparse.Namespace, own: list[str]) -> Iterator[Refused]:
    """The pages of a found file that are in effect in ``args`` and may not be; ``own`` are patterns of the server's own files."""
    settings: Settings | None = getattr(args, "settings", None)
    if settings is None or settings.named:
        return
    from poise.files.globs import Globs

    said = settings.values
    others = Globs([*args.hide[len(said.get("hide", ())) :], *own])

    def closed(names: Names) -> bool:
        return is_dotted(names, args) or others.cover(names, folder=False)

    if args.index == said.get("index"):
        for name in args.index:  # whether they are hidden by a pattern is asked when they are opened
            if is_dotted((b"", index_name(name)), args):
                yield Refused("index", name, name)
    if args.spa is not None and args.spa == said.get("spa") and closed(names_below(args.spa)):
        yield Refused("spa", None, args.spa)
    in_effect = dict(args.error_page)
    for status, file in said.get("error_page", ()):
        if file and in_effect.get(status) == file and closed(names_below(file)):
            yield Refused("error_page", status, file)


def is_dotted(names: Names, args: argparse.Namespace) -> bool:
    """Whether there is a dot-file on the way that is not served (:mod:`poise.files.names`, rule 4)."""
    first, *others = names
    return not args.dotfiles and any(map(hidden, others if first == WELL_KNOWN else names))
