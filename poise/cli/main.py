"""The command ``poise``: its parser and its exit codes.

0 all went well; 2 what was typed makes no sense; 3 it makes sense but cannot be started here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import poise
from poise.cli import discovery, options, standard
from poise.errors import MachineFault

CANNOT_START = 3

DESCRIPTION = """\
Put a folder on the web, safely and fast, from one readiness loop.

  poise serve              this folder, for this machine only
  poise serve DIR --lan    another folder, for everyone in the local network
  poise find               who serves in the local network and can be found (serve --announce)
"""

SERVE = """\
Serve a folder over HTTP. Without options: the current folder, for this machine only, on port 8000 or the
next one that is free. Every option can also be given in the environment: --max-head as POISE_MAX_HEAD.
Ctrl-C stops it after the replies in flight are finished.
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="poise", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"poise {poise.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Command)
    serve = commands.add_parser(
        "serve",
        help="serve a folder over HTTP",
        description=SERVE,
        usage="poise serve [options] [DIR]",  # in one line: a mistake should not disappear below forty options
    )
    add_serve(serve)
    serve.set_defaults(run=_serve)
    find = commands.add_parser(
        "find",
        help="show who serves in the local network",
        description=discovery.FIND,
        usage="poise find [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    discovery.add_find(find)
    find.set_defaults(run=_find)
    serve.commands = find.commands = (serve, find)
    return top


class Command(argparse.ArgumentParser):
    """The parser of one command, whose options can be given in the environment, too."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, with defaults from the environment; help is given whatever that says."""
        if {"-h", "--help"} & set(args or ()):
            return super().parse_known_args(args, namespace)
        options.read_environment(self)
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:  # told here, by the command that they were given to, and not by the program above it
            self.error(f"unknown: {' '.join(unknown)}; {self.prog} --help lists what there is")
        for name in options.unknown_variables(self.commands):
            standard.say(f"{name} in the environment is no option of any command, and has no effect")
        return known, unknown

    commands: Sequence[argparse.ArgumentParser] = ()


def add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "dir", nargs="?", default=".", metavar="DIR", help="the folder (default: the current one)"
    )
    where = serve.add_argument_group("where")
    where.add_argument(
        "--host",
        metavar="HOST",
        help='the address to listen on, or "unix:/path" for a unix socket (default: 127.0.0.1, this machine only)',
    )
    where.add_argument(
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
    add_tls(serve)
    what = serve.add_argument_group("what")
    what.add_argument("--dotfiles", action="store_true", help="serve files whose names begin with a dot, too")
    what.add_argument("--no-listing", action="store_true", help="answer 404 for a folder without index.html")
    how = serve.add_argument_group("how")
    how.add_argument(
        "--poller",
        choices=("epoll", "kqueue", "poll", "select"),
        help="the system call to wait with (default: the best)",
    )
    how.add_argument("--no-access-log", action="store_true", help="no line per request on stderr")
    options.add_limits(serve)


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
        help="serve https with a throw-away certificate (needs the extra poise[tls])",
    )


def _serve(args: argparse.Namespace) -> int:
    from poise.cli.serve import serve  # only this command needs the server

    return serve(args)


def _find(args: argparse.Namespace) -> int:
    from poise.cli.find import find

    return find(args)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Raises SystemExit(2) for what makes no sense."""
    standard.occupy()
    args = parser().parse_args(argv)
    try:
        return int(args.run(args))
    except MachineFault as error:
        standard.say(str(error))
        return CANNOT_START
    except KeyboardInterrupt:
        return 130
