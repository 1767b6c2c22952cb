"""A thread for each client: everybody may block, for nobody else is in that thread.

The code for one client is that of the blocking server, unchanged; only the caller is new. While one thread waits in ``recv``,
the kernel lets another one run. This is simple and good for some hundred clients.

The price: each thread has a stack and is looked after by the scheduler, and who shares something between threads needs locks.
In CPython only one thread computes at a time (the GIL), so threads help those who wait, not those who compute.

    python3 -m poise.lab.models.threads 8007
"""

from __future__ import annotations

import socket
import threading

from poise.lab.models.service import Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes asked for at a time


def serve(listener: socket.socket, service: Service = WebConversation) -> None:
    while True:
        client, _address = listener.accept()  # this thread does nothing but wait for newcomers
        threading.Thread(target=talk_with, args=(client, service), daemon=True).start()


def talk_with(client: socket.socket, service: Service) -> None:
    """Runs in a thread of its own, and ends with its client."""
    talk = service()
    with client:
        try:
            while not talk.finished:
                talk.received(client.recv(SIZE))  # only this thread waits here
                client.sendall(talk.unsent)
                talk.sent(len(talk.unsent))
        except ConnectionError:
            pass  # the client has gone


if __name__ == "__main__":
    main(serve)
