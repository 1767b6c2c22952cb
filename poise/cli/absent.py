"""Pages that the settings name and that nobody will see: a reason to say so, and none not to serve.

A build may still be under way, and the page is looked for whenever it is needed. Somebody who has mistyped its name
would otherwise see nothing but 404s. Some are there and have no effect all the same (:mod:`poise.cli.granted`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from poise.cli.granted import refused
from poise.cli.site_options import own_files
from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.names import Names
from poise.files.rules import SiteRules, names_below


class Absent(NamedTuple):
    """A page that is not there: ``dest`` is what its option sets, ``key`` which of several pages it is."""

    dest: str
    key: str | None
    text: str


def absent(args: argparse.Namespace, rules: SiteRules) -> Iterator[Absent]:
    """Those of ``args`` in its folder, which may be hidden themselves. Raises MachineFault when there is no folder."""
    out = set()
    for page in refused(args, own_files(args)):
        out.add((page.dest, page.key))
        yield Absent(page.dest, page.key, page.text)
    if rules.spa_names is None and not args.error_page:
        return
    with Root(args.dir, dotfiles=True, symlinks=rules.symlinks) as root:
        if rules.spa_names is not None and not _is_file(root, rules.spa_names):
            yield Absent("spa", None, f"there is no file {rules.spa!r} in the folder that is served")
        for status, file in args.error_page:
            if file and ("error_page", status) not in out and not _is_file(root, names_below(file)):
                yield Absent("error_page", status, f"there is no file {file!r} in the folder that is served")


def _is_file(root: Root, names: Names) -> bool:
    try:
        with root.open(names) as found:
            return not found.is_folder
    except RequestError:
        return False
