"""``--log-format``, ``--log`` and ``--no-access-log``: the access log of ``poise serve``, in which format and to where."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from poise.cli import standard
from poise.errors import MachineFault
from poise.limits import LogLimits
from poise.loop.reactor import Reactor

if TYPE_CHECKING:
    from poise.cli.logfile import LogFile
    from poise.http.log import AccessLog
    from poise.net.sink import Sink

STDERR = "-"


class Log:
    """The access log as the arguments ask for it. Raises MachineFault when its file cannot be opened.

    ``tell`` is for what is worth saying at the start; ``shared`` says that other processes write the same log.
    """

    def __init__(
        self,
        reactor: Reactor,
        args: argparse.Namespace,
        tell: Callable[[str], None] = standard.say,
        *,
        shared: bool = False,
    ) -> None:
        self.access: AccessLog | None = None
        self._limits = limits = LogLimits()
        if args.no_access_log:
            return
        self._output = _output(reactor, args.log, limits, shared)
        self.access = _format(args.log_format)(reactor, self._output.write, limits)
        if args.log != STDERR and _is_served(args.log, args.dir, args.dotfiles):
            tell(f"the log {args.log} lies in the folder that is served, and can be read like any file")

    def reopen(self) -> None:
        """Somebody has renamed the file: go on in a new one. Whatever else the log goes to stays as it is."""
        if self.access is not None:
            from poise.net.sink import Sink

            if not isinstance(self._output, Sink):
                self._output.reopen()
            self.access.flush()  # after it: what waits should go to the new file

    def finish(self) -> None:
        """Write what waits, within the time that it may take."""
        if self.access is not None:
            self.access.flush()
            self._output.finish(self._limits.finish)


def _format(name: str) -> type[AccessLog]:
    if name == "common":
        from poise.http.log import AccessLog

        return AccessLog
    from poise.http.logformats import CombinedLog, JSONLog

    return JSONLog if name == "json" else CombinedLog


def _output(reactor: Reactor, path: str, limits: LogLimits, shared: bool) -> Sink | LogFile:
    from poise.net.sink import Sink  # only those who want a log pay for it

    if path == STDERR:
        return Sink(reactor, standard.ERROR, limits, shared=shared)
    from poise.cli.logfile import LogFile, open_log  # and for a file

    try:
        fd = open_log(path)
    except OSError as error:
        raise MachineFault(f"cannot open the log {path}: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return LogFile(reactor, fd, path, limits)
    reactor.at_close.append(partial(os.close, fd))
    return Sink(reactor, fd, limits, shared=shared)  # a FIFO, a terminal: it has a reader, who may be slow


def _is_served(path: str, folder: str, dotfiles: bool) -> bool:
    """Whether whoever may read ``folder`` by HTTP may read its log there."""
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    inside = path.removeprefix(os.path.join(folder, ""))
    return inside != path and (dotfiles or not any(name.startswith(".") for name in inside.split(os.sep)))
