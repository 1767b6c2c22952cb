"""Options that are made from elsewhere: from the limits, and from the environment.

Every public limit is an option with its unit, default and reason; every option can be given as ``POISE_…``
in the environment. What is typed wins over the environment, and that over the default.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from poise import limits
from poise.limits import Checked, Limit, check

LIMITS = (
    limits.ListenLimits,
    limits.StreamLimits,
    limits.TLSLimits,
    limits.HttpLimits,
    limits.FileLimits,
)
ABOUT_LIMITS = "how much is too much; sizes take the suffixes K, M and G, times are seconds"
L = TypeVar("L", bound=Checked)
SIZES = {"k": 1024, "m": 1024**2, "g": 1024**3}
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"", "0", "false", "no", "off"})
AUTO = "auto"
PREFIX = "POISE_"
"""Of all our variables in the environment."""


def public_limits() -> Iterator[tuple[type[Checked], Limit]]:
    for room in LIMITS:
        for spec in room.LIMITS.values():
            if spec.option:
                yield room, spec


def add_limits(group: argparse._ArgumentGroup) -> None:
    """One option for each public limit."""
    for _, spec in public_limits():
        group.add_argument(
            f"--{spec.option}",
            type=number_of(spec),
            default=spec.default,
            metavar="SECONDS" if spec.unit == "seconds" else "N",
            help=f"{spec.reason} (default: {default_of(spec)} {spec.unit})".replace("%", "%%"),
        )


def number_of(spec: Limit) -> Callable[[str], float]:
    """A parser for the values of one limit, with its range."""

    def parse(text: str) -> float:
        scale = SIZES.get(text[-1:].lower(), 0) if spec.unit == "bytes" else 0
        digits = text[:-1] if scale else text
        try:
            value = (float(digits) if spec.type == "float" else int(digits)) * (scale or 1)
        except ValueError:
            unit = spec.unit
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit}") from None
        try:
            check(spec, value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return parse


def shown(value: Any) -> str:
    """A number as it can be typed: 64K rather than 65536."""
    for suffix, size in (("M", 1024**2), ("K", 1024)):
        if isinstance(value, int) and value >= size and value % size == 0:
            return f"{value // size}{suffix}"
    return f"{value:.12g}"


def port(text: str) -> int:
    """A port as it is typed, 0 included."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def workers(text: str) -> int:
    """A number of worker processes as it is typed; ``auto`` is one for each processor that we may use."""
    most = limits.WorkerLimits().workers
    if text == AUTO:
        from poise.cli.processors import processors  # asked only by those who want to know

        return min(processors(), most)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f"how many workers is a number from 1 to {most}, or {AUTO}, not {text!r}"
        )
    return int(text)


def default_of(spec: Limit) -> str:
    """A limit's default as it can be typed: only bytes take suffixes."""
    return shown(spec.default) if spec.unit == "bytes" else f"{spec.default:.12g}"


def is_number(action: argparse.Action) -> bool:
    """Whether an option's value is a number: a limit, or a port."""
    return action.type in (port, workers) or unit_of(action) is not None


def unit_of(action: argparse.Action) -> str | None:
    """The unit of the limit that an option sets; None for any other option."""
    names = {spec.dest: spec.unit for _, spec in public_limits()}
    return names.get(action.dest)


def chosen(room: type[L], args: argparse.Namespace) -> L:
    """The limits of one room as the arguments have them."""
    values = {spec.name: getattr(args, spec.dest) for owner, spec in public_limits() if owner is room}
    return room(**values)


def variable(option: str) -> str:
    """The environment's name for an option: ``--max-head`` is ``POISE_MAX_HEAD``."""
    return PREFIX + option.removeprefix("--").replace("-", "_").upper()


def read_environment(
    parser: argparse.ArgumentParser,
    environment: Mapping[str, str] = os.environ,
    *,
    plain: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Make what the environment says the default of ``parser``; a value that makes no sense is a usage error.

    ``plain`` has the defaults of what a file has said before, which a switch turned off here comes back to.
    """
    if not any(name.startswith(PREFIX) for name in environment):
        return  # most often, and there are many options
    for action in parser._actions:  # argparse has no public list of them
        names = [name for name in action.option_strings if name.startswith("--")]
        if not names or isinstance(action, argparse._HelpAction):
            continue
        text = environment.get(variable(names[0]))
        if not text:  # set but empty is what a compose file makes of a variable that is not set
            continue
        try:
            if action.nargs != 0:
                parser.set_defaults(**{action.dest: _value(parser, action, text)})
            elif _is_yes(text):
                parser.set_defaults(**{action.dest: action.const})
            elif action.dest in plain and parser.get_default(action.dest) == action.const:
                parser.set_defaults(**{action.dest: plain[action.dest]})
        except (argparse.ArgumentTypeError, argparse.ArgumentError, ValueError) as error:
            parser.error(f"{variable(names[0])}: {error}")


def counts(action: argparse.Action, text: str | None) -> bool:
    """Whether a variable with this text says something to ``action``."""
    return bool(text) and (action.nargs != 0 or str(text).strip().lower() in TRUE)


def unknown_variables(
    parsers: Callable[[], Iterable[argparse.ArgumentParser]], environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Variables that look like ours and are no option of any of ``parsers()``: mistyped, most likely."""
    ours = sorted(name for name in environment if name.startswith(PREFIX))
    if not ours:  # most often, and then no parser is made for it
        return []
    actions = [action for parser in parsers() for action in parser._actions]
    known = {variable(name) for action in actions for name in action.option_strings}
    return [name for name in ours if name not in known]


def _is_yes(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError(f"{text!r} is neither yes nor no")
    return word in TRUE


def _value(parser: argparse.ArgumentParser, action: argparse.Action, text: str) -> object:
    if isinstance(action, argparse._AppendAction):
        words = text.split(getattr(action, "separator", ","))
        values = [parser._get_value(action, word.strip()) for word in words if word.strip()]
        return values if getattr(action, "replaces", False) else [*parser.get_default(action.dest), *values]
    value = parser._get_value(action, text)
    parser._check_value(action, value)
    return value
