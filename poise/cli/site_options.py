"""The options of ``poise serve`` that say how the folder is shown as a site, and the rules that come of them.

An option whose value may be left out, ``--spa [FILE]``, takes the next word only when that looks like such a value:
``poise serve --spa build`` serves the folder ``build``.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from poise.cli.options import FALSE, TRUE
from poise.errors import MachineFault
from poise.wire.pattern import pattern

if TYPE_CHECKING:
    from poise.files.fieldrules import FieldRule
    from poise.files.rules import SiteRules

FILE_NAME = "poise.toml"

# As SiteRules has them, whose room would make every command start more slowly.
INDEX = ("index.html", "index.htm")
SYMLINKS = ("inside", "all", "none")
ANYBODY = "*"

FALLBACK = "index.html"

REDIRECT = "redirect"

PAGE = pattern(r".+\.x?html?", re.IGNORECASE | re.DOTALL)

VALUES = {
    "--spa": PAGE,
    "--clean-urls": pattern(REDIRECT),
    "--cors": pattern(r"\*|.+://.*", re.DOTALL),
}
"""What a word has to look like to be the value of an option that can do without one."""

GLOB_SIGN = pattern(r"[*?\[{/.]")
"""What no name of a header field has, and most patterns do."""

SITE = """\
GLOB is a pattern as in .gitignore: '*.css' at any depth, '/*.css' at the top only, 'assets/**' for all that is below, \
'*.{js,css}' for both; capitals are small letters. All of this can stand in a file poise.toml in the folder, too: \
poise check explains it"""

Text = str | Sequence[Any] | None


class Adding(argparse._AppendAction):
    """May be given more than once; in the environment one a line, since a value can hold a comma."""

    separator = "\n"


class Replacing(argparse._AppendAction):
    """May be given more than once; what is typed replaces what the environment says, and that what the file says."""

    replaces = True

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Text,
        option_string: str | None = None,
    ) -> None:
        """As argparse has it, but the first one begins anew."""
        if getattr(namespace, self.dest) is self.default:
            setattr(namespace, self.dest, [])
        super().__call__(parser, namespace, values, option_string)


def add_site(serve: argparse.ArgumentParser) -> None:
    """Everything that a site may be told, but ``--dotfiles`` and ``--no-listing``; ``--config`` and ``--no-config``."""
    site = serve.add_argument_group("as a site", SITE)
    add_addresses(site.add_argument)
    add_rules(site.add_argument)
    settings = serve.add_argument_group("settings")
    settings.add_argument(
        "--config",
        metavar="FILE",
        help=f"settings from this file, any of them (default: {FILE_NAME} in the folder, of which only those count that say "
        "how the site looks)",
    )
    settings.add_argument(
        "--no-config",
        action="store_const",
        dest="config",
        const=False,
        help=f"take no settings from a file, not even from {FILE_NAME}",
    )


def add_addresses(add: Callable[..., object]) -> None:
    """What is at which address."""
    add(
        "--index",
        action=Replacing,
        type=index,
        default=list(INDEX),
        metavar="NAME",
        help="the file shown for a folder; the first that is there, when given more than once (default: "
        f"{', '.join(INDEX)})",
    )
    add(
        "--spa",
        nargs="?",
        const=FALLBACK,
        type=spa,
        metavar="FILE",
        help=f"for an app that makes its pages in the browser: answer with this page (default: {FALLBACK}) where somebody "
        "goes to an address at which nothing is; what scripts and pages ask for and do not find stays 404",
    )
    add(
        "--clean-urls",
        nargs="?",
        const=True,
        default=False,
        type=clean_urls,
        metavar=REDIRECT,
        help='/about is about.html; with "redirect" /about.html leads to /about, and /index.html to /',
    )
    add(
        "--error-page",
        action=Adding,
        type=error_page,
        default=[],
        metavar="STATUS=FILE",
        help="the page for an error, as 404=lost.html or 5xx=sorry.html; the status stays (default: 404=404.html, if it is "
        "there)",
    )


def add_rules(add: Callable[..., object]) -> None:
    """What is said with it, to whom, and what is not there at all."""
    add(
        "--header",
        action=Adding,
        type=header,
        default=[],
        metavar="'[GLOB: ]NAME: VALUE'",
        help="a header field of every answer, or of what GLOB matches; without a value it is taken away. The last one counts",
    )
    add(
        "--cache",
        action=Adding,
        type=cache,
        default=[],
        metavar="GLOB=TIME",
        help="how long what GLOB matches may be kept without asking: 1h, 30d, forever (its name changes when it does), "
        "no-store, or any Cache-Control (default: always ask, which is cheap)",
    )
    add(
        "--cors",
        action=Replacing,
        nargs="?",
        const=ANYBODY,
        type=origin,
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin (https://app.example) read what is served; without one those of every site that you "
        "visit, even from a server on this machine only",
    )
    add(
        "--hide",
        action=Adding,
        type=glob,
        default=[],
        metavar="GLOB",
        help="answer as if it were not there, and show it nowhere",
    )
    add(
        "--symlinks",
        choices=SYMLINKS,
        default=SYMLINKS[0],
        help="which links are followed: those that stay inside the folder, all, or none (default: %(default)s)",
    )


def add_opposites(group: argparse._ArgumentGroup) -> None:
    """What a file or the environment has switched one way can be switched the other way by typing."""
    for name, dest, what in (
        ("--no-dotfiles", "dotfiles", "serve no files whose names begin with a dot"),
        ("--listing", "no_listing", "list folders"),
        ("--access-log", "no_access_log", "write a line for each request"),
        ("--compress", "no_compress", "compress while serving"),
        ("--no-live", "live", "no page loads itself again"),
    ):
        text = f"{what}, whatever the environment or a file of settings says"
        group.add_argument(name, action="store_const", dest=dest, const=False, help=text)


def with_values(words: Sequence[str]) -> list[str]:
    """What was typed, with an empty value for each option that can do without one and was given none."""
    settled = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "--":
            break
        pattern = VALUES.get(word)
        settled.append(f"{word}=" if pattern and not pattern.fullmatch(following) else word)
    return [*settled, *words[len(settled) :]]


def rules(args: argparse.Namespace, **others: Any) -> SiteRules:
    """What the arguments come to; ``others`` are further values of SiteRules. Raises MachineFault in words for people."""
    from poise.files.rules import ERROR_PAGES, SiteRules

    own = own_files(args)
    out = set()
    try:
        if getattr(args, "settings", None) is not None:
            from poise.cli.granted import refused

            out = {(page.dest, page.key) for page in refused(args, own)}
        return SiteRules(
            index=tuple(name for name in args.index if ("index", name) not in out),
            listing=not args.no_listing,
            clean_urls=args.clean_urls,
            spa=None if ("spa", None) in out else args.spa,
            error_pages={
                **ERROR_PAGES,
                **{each: file for each, file in args.error_page if ("error_page", each) not in out},
            },
            headers=tuple(args.header),
            cache=tuple(args.cache),
            cors=tuple(each for each in args.cors if each),
            hide=(*args.hide, *own),
            dotfiles=args.dotfiles,
            symlinks=args.symlinks,
            **others,
        )
    except ValueError as error:
        raise MachineFault(str(error)) from error


def own_files(args: argparse.Namespace) -> list[str]:
    """Patterns for what is the server's and nobody else's: its settings, and the key of its certificate.

    Where these are links, that is hidden which they are called and that which they lead to.
    """
    hidden = [FILE_NAME]
    folder = os.path.realpath(args.dir)
    for path in (args.config, args.tls_key, args.tls_cert):
        if not path:
            continue
        above, name = os.path.split(path)
        for real in (os.path.join(os.path.realpath(above), name), os.path.realpath(path)):
            inside = os.path.relpath(real, folder)
            if inside.split(os.sep)[0] != os.pardir:
                hidden.append("/" + re.sub(r"([*?\[\]{}\\])", r"\\\1", inside))
    return list(dict.fromkeys(hidden))


# -- the values, one by one; each raises ValueError in words for people ------------------------------------------


def spoken(function: Any) -> Any:
    """Argparse keeps a ValueError's words to itself; an ArgumentTypeError's it says."""

    def parse(text: str) -> Any:
        try:
            return function(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


@spoken
def index(text: str) -> str:
    """The name of an index file."""
    from poise.files.rules import index_name

    index_name(text)
    return text


@spoken
def spa(text: str) -> str | None:
    """The fallback's file; yes and no are understood, too."""
    from poise.files.rules import names_below

    if text.lower() in TRUE | {""}:
        return FALLBACK
    if text.lower() in FALSE:
        return None
    if not PAGE.fullmatch(text):
        raise ValueError(
            f"{text!r} is no HTML file; what is served instead of nothing is a page, as {FALLBACK}"
        )
    names_below(text)
    return text


@spoken
def clean_urls(text: str) -> bool | str:
    """``redirect``, or whether at all."""
    if text.lower() in TRUE | {""}:
        return True
    if text.lower() in FALSE:
        return False
    if text != REDIRECT:
        raise ValueError(f'clean URLs are there or not, or "{REDIRECT}"; not {text!r}')
    return text


@spoken
def error_page(text: str) -> tuple[str, str]:
    """``404=lost.html``; without a file there is no page of one's own."""
    from poise.files.rules import check_status, names_below

    status, sign, file = text.partition("=")
    if not sign:
        raise ValueError(f"an error page is a status and a file, as 404=lost.html; not {text!r}")
    status = check_status(status.strip())
    if file:
        names_below(file)
    return status, file


@spoken
def header(text: str) -> FieldRule:
    """``Name: value``, with ``GLOB: `` before it or not."""
    from poise.files.fieldrules import field_rule
    from poise.files.globs import Globs

    first, sign, rest = text.partition(":")
    if not sign:
        raise ValueError(f"a header is a name and a value, as 'X-Frame-Options: DENY'; not {text!r}")
    if not GLOB_SIGN.search(first):
        return field_rule(first.strip(), rest)
    name, sign, value = rest.partition(":")
    if not sign:
        raise ValueError(
            f"after a pattern come a name and a value, as '*.html: X-Frame-Options: DENY'; not {text!r}"
        )
    Globs([first.strip()])
    return field_rule(name.strip(), value, first.strip())


@spoken
def cache(text: str) -> FieldRule:
    """``GLOB=1h``."""
    from poise.files.fieldrules import cache_rule
    from poise.files.globs import Globs

    pattern, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"a pattern and a time are needed, as '*.css=1h' or '**=no-store'; not {text!r}")
    Globs([pattern])
    return cache_rule(value, pattern)


@spoken
def origin(text: str) -> str | None:
    """An origin or ``*``; yes and no are understood, too."""
    from poise.files import cors

    if text.lower() in TRUE | {""}:
        return ANYBODY
    return None if text.lower() in FALSE else cors.origin(text)


@spoken
def glob(text: str) -> str:
    """A pattern."""
    from poise.files.globs import Globs

    Globs([text])
    return text
