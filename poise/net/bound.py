"""A listening socket before anybody accepts from it: for processes that are forked later, and share it.

There is **one queue** of connections behind such a socket, however many processes have inherited it. A connection that was
not accepted yet is nobody's: when one of them closes its copy, or is killed, the others find it in the queue. Sockets that
share a port by SO_REUSEPORT have a queue each, and who closes one resets what waits there (pitfall 39).
"""

from __future__ import annotations

import os
from typing import Any

from poise.net import address as addresses


class SocketFile:
    """The file by which a unix socket of ours is found. Another server's new one under its name is never removed."""

    def __init__(self, path: Any) -> None:
        self._path = path
        self._found = self._identify()

    def remove(self) -> None:
        """Remove it if it is still ours. Twice is no error."""
        found, self._found = self._found, None
        if found is not None and found == self._identify():
            try:
                os.unlink(self._path)
            except OSError:  # the folder is not ours any more; the next server replaces the stale file
                pass

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


class Bound:
    """``address`` is where it listens: ``(host, port)`` with the real port, or ``"unix:/path"``.

    Raises what ``listen`` raises: OSError, MachineFault for an unknown host name, ValueError for no address.
    """

    def __init__(self, address: tuple[str, int] | str, backlog: int) -> None:
        self.socket = addresses.bind(address, backlog)
        sockname = self.socket.getsockname()
        self.address = addresses.of(sockname)
        self._file = SocketFile(sockname) if isinstance(address, str) else None

    def close(self) -> None:
        """Let go of this process's copy; the file of a unix socket goes with it. Twice is no error."""
        self.socket.close()
        if self._file is not None:
            self._file.remove()
