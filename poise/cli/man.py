"""The manual page poise(1), made from the parsers; what they do not know of stands here (man(7), groff_man(7))."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

import poise
from poise.cli.options import variable
from poise.cli.outline import Argument, Outline, outline
from poise.loop.clock import RealClock

PLAIN = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})
WIDTH = 78  # of the source; whoever formats it fills the lines anew

ENVIRONMENT = """\
Every option of a command can also be given as a variable, in capitals and with underscores: {examples}. What is typed wins
over the environment. A switch takes 1, yes, true or on, and 0, no, false or off; an option that may be given more than
once takes values with commas between them. Besides those:
"""

VARIABLES = (
    ("BROWSER", "the program that --open starts, instead of the one that the desktop names"),
    ("NO_COLOR", "when it is not empty, the QR code is drawn without colours"),
    (
        "COLORFGBG",
        "then says whether letters are on a light ground; without it they are taken to be on a dark one",
    ),
)

FILES = (
    (
        "poise.toml",
        "in the folder that is served: how its site looks; poise check explains it, and every mistake in it",
    ),
)

SIGNALS = (
    ("SIGINT, SIGTERM", "stop when the replies in flight are finished; a second one stops at once"),
    ("SIGHUP", "with --tls-cert: read the certificate and its key again; new connections use them"),
    ("SIGUSR1", "open the file that --log names again, after it was renamed; no line is lost or cut in two"),
)

STATUSES = (
    ("0", "all went well, also when somebody has stopped the server"),
    ("2", "what was typed, or stands in the environment, makes no sense"),
    ("3", "it makes sense, but cannot be done here: no such folder, a busy port"),
    ("130", "interrupted before the server was there"),
)

ROTATE = """\
Rotate the log of a server that is a unit of systemd(1), with logrotate(8):

  /var/log/poise/access.log {
      daily
      rotate 14
      compress
      delaycompress
      missingok
      postrotate
          systemctl kill --signal=SIGUSR1 poise.service
      endscript
  }
"""


def man_page(parser: argparse.ArgumentParser) -> str:
    """The page as roff source, of today or of SOURCE_DATE_EPOCH (https://reproducible-builds.org)."""
    day = datetime.fromtimestamp(float(os.environ.get("SOURCE_DATE_EPOCH") or RealClock().wall()), UTC)
    program = outline(parser)
    lines = [
        '.\\" Made by: poise man',
        f'.TH POISE 1 "{day:%Y-%m-%d}" "poise {poise.__version__}" "User Commands"',
        ".SH NAME",
        "poise \\- put a folder on the web",
        ".SH SYNOPSIS",
    ]
    for command in program.every:
        lines += [".PP", f".B {_escaped(command.usage)}"]
    lines += [".SH DESCRIPTION", *_text(program.about), ".SH COMMANDS"]
    for command in program.every:
        lines += _command(command)
    lines += [".SH OPTIONS", *_arguments(program.arguments)]
    examples = " ".join(f"{name} is {variable(name)};" for name in ("--max-head", "--no-listing")).rstrip(";")
    lines += [".SH ENVIRONMENT", *_text(ENVIRONMENT.format(examples=examples)), *_terms(VARIABLES)]
    lines += [".SH FILES", *_terms(FILES)]
    lines += [".SH SIGNALS", *_terms(SIGNALS), ".SH EXIT STATUS", *_terms(STATUSES), ".SH EXAMPLES"]
    for command in program.every:
        for paragraph in command.after.split("\n\n"):
            heading, _, examples = paragraph.partition("\n")
            if heading == "examples:":
                lines += _text(examples)
    lines += [*_text(ROTATE), ".SH SEE ALSO"]
    lines += [".BR python3 (1),", ".BR logrotate (8),", ".BR systemd (1)"]
    return "".join(f"{line}\n" for line in _without_idle_breaks(lines))


def _command(command: Outline) -> Iterator[str]:
    yield f".SS {_escaped(command.usage)}"
    yield from _text(command.about)
    for group in command.groups:
        yield ".PP"
        yield f".I {_escaped(group.title[0].upper() + group.title[1:])}"
        if group.about:
            yield from _text(group.about)
        yield from _arguments(group.arguments)


def _arguments(arguments: tuple[Argument, ...]) -> Iterator[str]:
    for argument in arguments:
        value = argument.metavar or ""
        if argument.choices:
            value = "|".join(argument.choices)
        value = f"\\fI{_escaped(value)}\\fR" if value else ""
        if argument.optional and argument.names:
            value = f"[{value}]"
        names = [f"\\fB{_escaped(name)}\\fR{' ' * bool(value)}{value}" for name in argument.names]
        yield ".TP"
        yield ", ".join(names) or value
        yield from _filled(argument.help)


def _terms(terms: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for term, text in terms:
        yield ".TP"
        yield f".B {_escaped(term)}"
        yield from _filled(text)


def _text(text: str) -> Iterator[str]:
    """Paragraphs; one that begins with a space is an example, laid out by hand."""
    for paragraph in text.strip("\n").split("\n\n"):
        if paragraph.startswith(" "):
            yield from (".PP", ".EX", *(_line(line) for line in paragraph.splitlines()), ".EE")
        else:
            yield ".PP"
            yield from _filled(paragraph)


def _filled(text: str) -> Iterator[str]:
    for line in textwrap.wrap(" ".join(text.split()), WIDTH, break_on_hyphens=False):
        yield _line(line)


def _without_idle_breaks(lines: Iterable[str]) -> Iterator[str]:
    """A paragraph that begins a section does so anyway (mandoc calls it a mistake to say so)."""
    for before, line in pairwise(["", *lines]):
        if line != ".PP" or not before.startswith((".SH", ".SS")):
            yield line


def _line(line: str) -> str:
    """A line of text that roff takes for nothing else: one with a dot in front would be a request."""
    return ("\\&" if line.startswith(".") else "") + _escaped(line)


def _escaped(text: str) -> str:
    """Text as it is typed: a bare "-" would be printed as a hyphen, which no shell takes for an option."""
    return text.translate(PLAIN)
