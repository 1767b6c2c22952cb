"""Blocking: one client after the other.

``accept`` waits until somebody comes, ``recv`` until somebody speaks, ``sendall`` until the kernel has taken all. This is how
every socket begins, and the shortest program there is. Its price: while it waits for one client, it waits for that one
*only*. The others are in the kernel's queue, connected, and nobody looks at them.

    python3 -m poise.lab.models.blocking 8007
"""

from __future__ import annotations

import socket

from poise.lab.models.service import Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes asked for at a time


def serve(listener: socket.socket, service: Service = WebConversation) -> None:
    while True:
        client, _address = listener.accept()  # waits here until somebody comes
        with client:
            try:
                talk_with(client, service)
            except ConnectionError:
                pass  # the client has gone: its own affair, and no reason to end


def talk_with(client: socket.socket, service: Service) -> None:
    """Until this client has enough. Nobody else is served before that."""
    talk = service()
    while not talk.finished:
        talk.received(client.recv(SIZE))  # waits here until this one speaks
        client.sendall(talk.unsent)  # and here until the kernel has room for all of it
        talk.sent(len(talk.unsent))


if __name__ == "__main__":
    main(serve)
