"""What a peer is, and where it runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.scenarios import PLAIN, ROOT, Conditions

# The interpreter without the packages of a virtual environment: Poise and http.server need none of them.
PYTHON: str = getattr(sys, "_base_executable", "") or sys.executable

ACCESS_LOG = "access.log"  # in the scratch folder of each peer that keeps one


@dataclass(frozen=True, slots=True)
class Place:
    """Where one peer runs."""

    site: Path  # the folder to serve
    scratch: Path  # a folder of its own, empty at the start
    port: int  # free a moment ago, or 0 for those that choose one and announce it
    reply: bytes  # what the reference server answers, head and body; empty when each answers on its own
    conditions: Conditions = PLAIN
    certificate: Path = Path()  # certificate and key in one file, where the conditions ask for TLS

    @property
    def log(self) -> Path:
        return self.scratch / ACCESS_LOG


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    about: str
    command: Callable[[Place], list[str]]
    version: tuple[str, ...]  # the command that prints it
    needs: tuple[str, ...] = ()  # programs that must be on the PATH
    modules: tuple[str, ...] = ()  # Python modules that this interpreter must have
    get: str = ""  # how to come by it
    keeps: str = ""  # how many requests it answers over one connection
    can: frozenset[str] = frozenset()  # the conditions that it can run under, beside the plain ones
    announces: bool = True  # prints http://127.0.0.1:PORT/ (or https:, tcp:) when it is listening
    logs: bool = False  # has a log on stderr that cannot be switched off; it must not fill the disk
    alone: bool = False  # without the crowd, where there is one
    watched: bool = False  # the page that it announces beside its own address is open meanwhile
    folder: Path = ROOT  # the working folder

    def missing(self, conditions: Conditions = PLAIN) -> str | None:
        """Why this peer cannot run here, or under these conditions, or None."""
        absent = [program for program in self.needs if shutil.which(program) is None]
        absent += [module for module in self.modules if find_spec(module) is None]
        if absent:
            how = f" ({self.get})" if self.get else ""
            return f"{', '.join(absent)} not installed{how}"
        unable = [name for name in conditions.named() if name not in self.can]
        return f"not set up here for: {', '.join(unable)}" if unable else None
