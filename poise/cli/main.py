"""The command ``poise``: its parser and its exit codes.

0 all went well; 2 what was typed makes no sense; 3 it makes sense but cannot be started here, or its report cannot be written.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import poise
from poise.cli import discovery, looking, options, people, site_options, standard
from poise.cli.command import Command, Formatter
from poise.errors import MachineFault

MAKES_NO_SENSE = 2
CANNOT_START = 3

DESCRIPTION = """\
Put a folder on the web, safely and fast, from one readiness loop.

  poise serve              this folder, for this machine only
  poise serve DIR --lan    another folder, for everyone in the local network
  poise find               who serves in the local network and can be found (serve --announce)
  poise check [DIR]        which settings count there, from where, and what is wrong with its poise.toml
  poise lab                experiments that show how a server waits for many
  poise top [PID]          what the loop of a running server does, in the terminal
"""

SERVE = """\
Serve a folder over HTTP. Without options: the current folder, for this machine only, on port 8000 or the
next one that is free. Ctrl-C stops it after the replies in flight are finished.
"""

SERVE_EXAMPLES = """\
examples:
  poise serve                                this folder, for this machine only
  poise serve --open                         and shown in the browser at once
  poise serve ~/Photos --lan                 for everyone in the local network
  poise serve --lan --tls self               encrypted, with a throw-away certificate
  poise serve --port 80 --host 192.0.2.7     at this address and port, and no other
  poise serve --log access.log --log-format combined

Every option can also be given in the environment: --max-head 8K as POISE_MAX_HEAD=8K; and in a file: poise check --help.
"""

COMPLETIONS = """\
Print what makes a shell complete the commands and options of poise when Tab is pressed. Where it goes:

  poise completions bash > ~/.local/share/bash-completion/completions/poise
  poise completions zsh > ~/.zfunc/_poise      with fpath=(~/.zfunc $fpath) before compinit in ~/.zshrc
  poise completions fish > ~/.config/fish/completions/poise.fish

To try it in this shell only: eval "$(poise completions bash)", zsh likewise; in fish: poise completions fish | source
"""

MAN = """\
Print the manual page poise(1), which says everything that the help of all commands says. To read it, and to install it:

  poise man | man -l -
  poise man > ~/.local/share/man/man1/poise.1
"""


Commands: TypeAlias = "argparse._SubParsersAction[Command]"


class Top(argparse.ArgumentParser):
    """The parser of ``poise`` itself."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Called for the command only: nothing else here has choices."""
        if action.choices is not None and value not in action.choices:
            from poise.cli import meant

            raise argparse.ArgumentError(None, meant.command(value, action.choices))


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of the program; with ``only`` it knows no other command than that one, and is made in half the time."""
    top = Top(prog="poise", description=DESCRIPTION, formatter_class=Formatter)
    top.add_argument("--version", action="version", version=f"poise {poise.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Command)
    for name, add in COMMANDS.items():
        if only in (None, name):
            add(commands)
    for command in commands.choices.values():
        command.commands = every_command
    return top


def every_command() -> Iterable[argparse.ArgumentParser]:
    """The parsers of all commands, and of those that they have themselves."""
    waiting: list[argparse.ArgumentParser] = [parser()]
    while waiting:
        inner = [
            each
            for action in waiting.pop()._actions
            if isinstance(action, argparse._SubParsersAction)
            for each in action.choices.values()
        ]
        yield from inner
        waiting += inner


def add_serve_command(commands: Commands) -> None:
    """``poise serve``."""
    serve = commands.add_parser(
        "serve",
        help="serve a folder over HTTP",
        description=SERVE,
        epilog=SERVE_EXAMPLES,
        usage="poise serve [options] [DIR]",  # in one line: a mistake should not disappear below forty options
    )
    add_serve(serve)
    serve.set_defaults(run=_serve)


def add_find_command(commands: Commands) -> None:
    """``poise find``."""
    find = commands.add_parser(
        "find",
        help="show who serves in the local network",
        description=discovery.FIND,
        usage="poise find [options]",
    )
    discovery.add_find(find)
    find.set_defaults(run=_find)


def add_check_command(commands: Commands) -> None:
    """``poise check``."""
    from poise.cli import checking

    check = checking.add_check(commands, add_serve)
    check.set_defaults(run=_check)


def add_top_command(commands: Commands) -> None:
    """``poise top``."""
    looking.add_top(commands).set_defaults(run=_top)


def add_trace_command(commands: Commands) -> None:
    """``poise trace``."""
    looking.add_trace(commands).set_defaults(run=_trace)


def add_replay_command(commands: Commands) -> None:
    """``poise replay``."""
    looking.add_replay(commands).set_defaults(run=_replay)


def add_watch_command(commands: Commands) -> None:
    """``poise watch``."""
    looking.add_program(commands).set_defaults(run=_watch)


def add_lab_command(commands: Commands) -> None:
    """``poise lab``, which has commands of its own."""
    from poise.cli import lab

    for command in lab.add_lab(commands):
        command.commands = every_command


def add_serve(serve: Command) -> None:
    what = serve.add_argument_group("what")
    what.add_argument(
        "dir", nargs="?", default=".", metavar="DIR", help="the folder (default: the current one)"
    )
    what.add_argument("--dotfiles", action="store_true", help="serve files whose names begin with a dot, too")
    what.add_argument("--no-listing", action="store_true", help="answer 404 for a folder without index.html")
    what.add_argument(
        "--live",
        action="store_true",
        help="pages load themselves again when a file changes: for whoever is writing them",
    )
    what.add_argument(
        "--no-compress",
        action="store_true",
        help="compress nothing while serving; files that were compressed beforehand (a.js.br, .zst, .gz) are still sent",
    )
    add_where(serve)
    site_options.add_site(serve)
    people.add_start(serve)
    add_tls(serve)
    people.add_log(serve)
    looking.add_watch(serve)
    how = serve.rare_group("how")
    how.add_argument(
        "--workers",
        type=options.workers,
        default=1,
        metavar="N",
        help="serve from so many processes; auto: one for each processor. SIGHUP reads settings and certificate again "
        "without losing a request. Limits count for each worker (default: 1, this process itself)",
    )
    site_options.add_opposites(how)
    how.add_argument(
        "--poller",
        choices=("epoll", "kqueue", "poll", "select"),
        help="the system call to wait with (default: the best)",
    )
    options.add_limits(serve.rare_group("limits", options.ABOUT_LIMITS))


def add_where(serve: argparse.ArgumentParser) -> None:
    where = serve.add_argument_group("where")
    where.add_argument(
        "--host",
        metavar="HOST",
        help='the address to listen on, or "unix:/path" for a unix socket (default: 127.0.0.1, this machine only)',
    )
    where.add_argument(
        "-p",
        "--port",
        type=options.port,
        metavar="N",
        help="the port; 0 takes any free one; a busy one is an error (default: 8000, or the next free one)",
    )
    where.add_argument(
        "--lan",
        action="store_const",
        dest="host",
        const="",
        help="listen on all interfaces: everyone in the network can read",
    )
    where.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name besides the local ones that a server on loopback answers to; may be given more than once",
    )
    discovery.add_announce(where)


def add_completions_command(commands: Commands) -> None:
    """``poise completions``: what is made of these parsers for a shell to read."""
    completions = commands.add_parser(
        "completions",
        help="print the completions for a shell",
        description=COMPLETIONS,
        usage="poise completions {bash,zsh,fish}",
    )
    completions.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")
    completions.set_defaults(run=_completions)


def add_man_command(commands: Commands) -> None:
    """``poise man``: what is made of them for people to read."""
    man = commands.add_parser("man", help="print the manual page", description=MAN, usage="poise man")
    man.set_defaults(run=_man)


COMMANDS: dict[str, Callable[[Commands], None]] = {
    "serve": add_serve_command,
    "find": add_find_command,
    "check": add_check_command,
    "top": add_top_command,
    "trace": add_trace_command,
    "replay": add_replay_command,
    "watch": add_watch_command,
    "lab": add_lab_command,
    "completions": add_completions_command,
    "man": add_man_command,
}


def add_tls(serve: argparse.ArgumentParser) -> None:
    tls = serve.add_argument_group("TLS")
    tls.add_argument(
        "--tls-cert",
        metavar="FILE",
        help="serve https with this certificate chain (PEM); read again on SIGHUP",
    )
    tls.add_argument(
        "--tls-key", metavar="FILE", help="its private key (PEM), when it is not in the same file"
    )
    tls.add_argument(
        "--tls",
        choices=("self",),
        help="serve https with a throw-away certificate (needs the package cryptography)",
    )


def _serve(args: argparse.Namespace) -> int:
    if args.dir.isdigit():
        from poise.cli import meant

        meant.folder(args.dir)
    from poise.cli.serve import serve  # only this command needs the server

    gc.freeze()  # nor is it looked through when what a server uses up is
    gc.enable()
    return serve(args)


def _find(args: argparse.Namespace) -> int:
    from poise.cli.find import find

    return find(args)


def _check(args: argparse.Namespace) -> int:
    from poise.cli.check import check

    return check(args)


def _top(args: argparse.Namespace) -> int:
    from poise.cli.top import top

    return top(args)


def _trace(args: argparse.Namespace) -> int:
    from poise.cli.tracing import write_trace

    return write_trace(args)


def _replay(args: argparse.Namespace) -> int:
    from poise.cli.tracing import replay

    return replay(args)


def _watch(args: argparse.Namespace) -> int:
    from poise.cli.watched import watch

    return watch(args)


def _completions(args: argparse.Namespace) -> int:
    from poise.cli.completions import completions

    standard.report(completions(args.shell, parser()))
    return 0


def _man(_args: argparse.Namespace) -> int:
    from poise.cli.man import man_page

    standard.report(man_page(parser()))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Raises SystemExit(2) for what makes no sense."""
    gc.disable()  # what is loaded stays: to look through it for what can go is a tenth of the time of a start
    try:
        return run(argv)
    finally:
        gc.enable()


def run(argv: Sequence[str] | None) -> int:
    standard.occupy()
    words = sys.argv[1:] if argv is None else argv
    if not words:
        parser().print_help(sys.stderr)  # who types the name alone wants to know what there is
        return MAKES_NO_SENSE
    only = words[0] if words[0] in COMMANDS else None
    args = parser(only).parse_args(words)
    args.read_again = lambda: parser(only).parse_args(words)
    try:
        return int(args.run(args))
    except MachineFault as error:
        standard.say(str(error))
        return CANNOT_START
    except KeyboardInterrupt:
        return 130
