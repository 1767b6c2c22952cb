"""Each model is a program, too: ``python3 -m poise.lab.models.by_select 8007``, then ``telnet 127.0.0.1 8007`` elsewhere."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

BACKLOG = 128  # connections that the kernel keeps for us until we accept them


def main(serve: Callable[[socket.socket], None]) -> None:
    """Listen on this machine only, on the port that was typed, and serve until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
        print("serving on {}:{}".format(*listener.getsockname()), flush=True)
        try:
            serve(listener)
        except KeyboardInterrupt:
            pass
