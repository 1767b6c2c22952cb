"""What makes a shell complete ``poise``: a script for bash, zsh or fish, made from the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from poise.cli.outline import Argument, Outline, outline

BASH = """\
# Completes poise in bash. Made by: poise completions bash

_poise() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word offered=
    COMPREPLY=()
    # Where "=" breaks words, it is one of its own: --port = 80.
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
        @COMMANDS@) command=$word; break ;;
        esac
    done
    case $command in
@CASES@
    esac
    COMPREPLY=($(compgen -W "$offered" -- "$cur"))
}

if type compopt >/dev/null 2>&1; then
    complete -F _poise poise
else # a bash older than 4 cannot say for each value whether it is a file
    complete -o default -F _poise poise
fi
"""

ZSH = """\
#compdef poise
# Completes poise in zsh. Made by: poise completions zsh

_poise() {
    local curcontext=$curcontext state line ret=1
    typeset -A opt_args
    _arguments -C \\
@OPTIONS@
        '1:command:->command' \\
        '*::argument:->argument' && ret=0
    case $state in
    command)
        local -a commands
        commands=(
@COMMANDS@
        )
        _describe -t commands command commands && ret=0
        ;;
    argument)
        curcontext="${curcontext%:*:*}:poise-$line[1]:"
        case $line[1] in
@CASES@
        esac
        ;;
    esac
    return ret
}

if [[ $funcstack[1] == _poise ]]; then
    _poise "$@"
else
    compdef _poise poise
fi
"""


def completions(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for ``shell``: ``bash``, ``zsh`` or ``fish``."""
    program = outline(parser, late=True)
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](program)


def _arguments(command: Outline) -> tuple[Argument, ...]:
    """What may follow a command: its arguments; for one that has commands of its own, these and all their options."""
    if not command.commands:
        return command.arguments
    own = Argument((), "", "COMMAND", tuple(each.name for each in command.commands), "choice")
    options = {each.names: each for one in command.commands for each in one.arguments if each.names}
    return (own, *options.values())


def _names(arguments: Iterable[Argument]) -> list[str]:
    return [name for argument in arguments for name in argument.names]


# -- bash ---------------------------------------------------------------------------------------------------


def _bash(program: Outline) -> str:
    commands = [command.name for command in program.commands]
    cases = [line for command in program.commands for line in _bash_case(command)]
    cases += [
        "    *)",
        f"        offered='{' '.join([*commands, *_names(program.arguments)])}'",
        "        ;;",
    ]
    return BASH.replace("@COMMANDS@", "|".join(commands)).replace("@CASES@", "\n".join(cases))


def _bash_case(command: Outline) -> Iterator[str]:
    values: dict[str, list[str]] = {}  # what to offer, for which options
    for argument in _arguments(command):
        if argument.names and argument.metavar and not argument.optional:
            values.setdefault(_bash_value(argument), []).extend(argument.names)
    yield f"    {command.name})"
    if values:
        yield "        case $prev in"
        for value, names in values.items():
            yield f"        {'|'.join(names)}) {value} ;;"
        yield "        esac"
    yield f"        offered='{' '.join(_names(_arguments(command)))}'"
    for argument in _arguments(command):
        if not argument.names:
            yield f"        [[ $cur == -* ]] || {{ {_bash_value(argument)}; }}"
    yield "        ;;"


def _bash_value(argument: Argument) -> str:
    """What bash itself completes best, it is asked to: quotes, spaces and ~ are its own business."""
    if argument.choices:
        return f"COMPREPLY=($(compgen -W '{' '.join(argument.choices)}' -- \"$cur\")); return"
    option = {"file": "default", "folder": "dirnames"}.get(argument.kind)
    return "return" if option is None else f"compopt -o {option} 2>/dev/null; return"


# -- zsh ----------------------------------------------------------------------------------------------------


def _zsh(program: Outline) -> str:
    options = [f"        {_zsh_spec(each)} \\" for each in program.arguments]
    commands = [f"            {_quoted(_colons(each.name) + ':' + each.brief)}" for each in program.commands]
    cases = [line for command in program.commands for line in _zsh_case(command)]
    return (
        ZSH.replace("@OPTIONS@", "\n".join(options))
        .replace("@COMMANDS@", "\n".join(commands))
        .replace("@CASES@", "\n".join(cases))
    )


def _zsh_case(command: Outline) -> Iterator[str]:
    yield f"        {command.name})"
    yield "            _arguments -s \\"
    specs = [_zsh_spec(argument) for argument in _arguments(command)]
    yield " \\\n".join(f"                {spec}" for spec in specs) + " && ret=0"
    yield "            ;;"


def _zsh_spec(argument: Argument) -> str:
    """One argument in the language of _arguments (zshcompsys(1))."""
    value = ""
    if argument.metavar:
        action = {"choice": f"({' '.join(argument.choices)})", "file": "_files", "folder": "_directories"}
        offered = action.get(argument.kind, " ")
        value = "".join(f":{_colons(word)}:{offered}" for word in argument.metavar.split(" "))
    if not argument.names:
        return _quoted(f"1{value}")
    if argument.optional:
        value = f":{value}"
    about = _colons(argument.brief).replace("[", "\\[").replace("]", "\\]")
    again = (
        "*"
        if argument.again
        else "(- *)"
        if {"--help", "--help-all", "--version"} & {*argument.names}
        else ""
    )
    specs = []
    for name in argument.names:
        joined = "=" if argument.metavar and name.startswith("--") else ""
        specs.append(_quoted(f"{again}{name}{joined}[{about}]{value}"))
    return " ".join(specs)


def _colons(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# -- fish ---------------------------------------------------------------------------------------------------


def _fish(program: Outline) -> str:
    lines = ["# Completes poise in fish. Made by: poise completions fish", "", "complete -c poise -f"]
    lines += [
        f"complete -c poise -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.brief)}"
        for command in program.commands
    ]
    lines += [_fish_line("__fish_use_subcommand", argument) for argument in program.arguments]
    for command in program.commands:
        condition = f"'__fish_seen_subcommand_from {command.name}'"
        lines += ["", *(_fish_line(condition, argument) for argument in _arguments(command))]
    return "\n".join(lines) + "\n"


def _fish_line(condition: str, argument: Argument) -> str:
    names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in argument.names]
    words = ["complete -c poise -n", condition, *names]
    if argument.metavar and argument.names and not argument.optional:
        words.append("-r -F" if argument.kind == "file" else "-x")
    if argument.kind == "folder":
        words.append("-a '(__fish_complete_directories (commandline -ct))'")
    elif argument.choices:
        words.append(f"-a {_fish_quoted(' '.join(argument.choices))}")
    if argument.names:
        words.append(f"-d {_fish_quoted(argument.brief)}")
    return " ".join(words)


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
