"""The runtime folder: where the control sockets of running programs are, each called by its process number.

It is ``$XDG_RUNTIME_DIR/poise``, or ``/tmp/poise-UID`` where there is no such variable or what it says cannot be used. A
server and who looks for it may have different environments, so whoever looks does so in both places.

Nobody else may put anything there, or have us put something elsewhere: the folder is a real one, no link, it is ours, and
nobody else may enter it; a folder above it in which everybody may write must let nobody remove what is another's. Then what
was looked at stays what it was.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping

from poise.errors import MachineFault

COMMON = "/tmp"  # noqa: S108 - below it is a folder of ours, and it is looked at before it is used
NAME = "poise"
SOCKET = ".sock"
OURS_ALONE = 0o700
OTHERS = 0o077
OTHERS_WRITE = 0o022
VARIABLE = "XDG_RUNTIME_DIR"


def places(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The paths at which the folder may be, the better one first."""
    given = environment.get(VARIABLE, "")
    if os.path.isabs(given):
        yield os.path.join(given, NAME)
    yield os.path.join(COMMON, f"{NAME}-{os.geteuid()}")


def make(environment: Mapping[str, str] = os.environ) -> str:
    """The folder, made if it is not there. Raises MachineFault, in words for people, when no place can be used."""
    first: MachineFault | None = None
    for path in places(environment):
        try:
            _make(path)
        except MachineFault as fault:
            first = first or fault
        else:
            return path
    raise first or MachineFault(errno.ENOENT, "no runtime folder")


def _make(path: str) -> None:
    try:
        os.mkdir(path, OURS_ALONE)
    except FileExistsError:
        pass
    except OSError as error:
        raise MachineFault(error.errno, f"{path}: {error.strerror}") from error
    check(path)


def check(path: str) -> None:
    """Raises MachineFault unless ``path`` is a folder that is ours alone, where nobody else can exchange it."""
    try:
        found, above = os.lstat(path), os.stat(os.path.dirname(path))
    except OSError as error:
        raise MachineFault(error.errno, f"{path}: {error.strerror}") from error
    if stat.S_ISLNK(found.st_mode):
        why = "is a link, which may lead anywhere; remove it"
    elif not stat.S_ISDIR(found.st_mode):
        why = "is no folder; remove it"
    elif found.st_uid != os.geteuid():
        why = "belongs to another user; its owner, or root, can remove it"
    elif found.st_mode & OTHERS:
        why = f"is open to others; look what is in it, then: chmod 700 {path}"
    elif above.st_mode & OTHERS_WRITE and not above.st_mode & stat.S_ISVTX:
        why = "is in a folder where others may put another in its place"
    else:
        return
    raise MachineFault(errno.EPERM, f"{path} {why}")
