"""What somebody meant who has typed what there is not: a slip of the finger, or the habit of another server.

Nothing is done on a guess. It is said, so that it can be typed.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from poise.errors import MachineFault

HABITS: Mapping[str, str] = MappingProxyType(
    {
        "-b": "--host",
        "--bind": "--host",
        "-i": "--host",
        "--interfaces": "--host",
        "-l": "--port",
        "--listen": "--port",
        "-o": "--open",
        "-q": "--no-access-log",
        "--quiet": "--no-access-log",
        "-s": "--spa",
        "--single": "--spa",
        "-H": "--dotfiles",
        "--hidden": "--dotfiles",
        "-C": "--tls-cert",
        "--cert": "--tls-cert",
        "-K": "--tls-key",
        "--key": "--tls-key",
        "--qrcode": "--qr",
        "--browse": "--listing",
        "--watch": "--live",
        "--reload": "--live",
    }
)
"""How other servers call it: ``python -m http.server``, miniserve, dufs, http-server, serve, Caddy."""

FOLDER = frozenset({"-d", "--directory", "--dir", "--root"})
"""Among them, what comes before the folder."""


def option(parser: ArgumentParser, unknown: Sequence[str], otherwise: str) -> str:
    """What to say to words that ``parser`` does not know; ``otherwise`` when nothing like them is known."""
    known = [name for action in parser._actions for name in action.option_strings]  # there is no public list
    word = next((each for each in unknown if each.startswith("-")), unknown[0]).partition("=")[0]
    if word.isdigit() and "--port" in known:
        return f"a port is given with --port {word}"
    if word in FOLDER and "--port" in known:
        return f"the folder stands by itself: {parser.prog} DIR"
    habit = HABITS.get(word, "")
    close = [habit] if habit in known else near(word, known)
    return f"did you mean {close[0]}?" if close else otherwise


def command(word: str, known: Iterable[str]) -> str:
    """What to say when there is no such command."""
    known = list(known)
    if word == "help":
        meant = "did you mean poise --help?"
    elif word == "version":
        meant = "did you mean poise --version?"
    elif os.path.isdir(word):
        meant = f"to serve that folder: poise serve {word}"
    elif close := near(word, known):
        meant = f"did you mean poise {close[0]}?"
    else:
        meant = f"there are {', '.join(known)}"
    return f"there is no command {word!r}; {meant}"


def folder(path: str) -> None:
    """Raises MachineFault when ``path`` is no folder but the number of a port."""
    if path.isascii() and path.isdigit() and not os.path.exists(path):
        raise MachineFault(f"there is no folder {path!r} here; a port is given with --port {path}")


def near(word: str, known: Iterable[str]) -> list[str]:
    """The one of ``known`` that looks most like ``word``, if any does."""
    from difflib import get_close_matches  # heavy, and for mistakes only

    return get_close_matches(word, list(known), n=1)
