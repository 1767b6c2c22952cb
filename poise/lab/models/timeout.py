"""Blocking with a timeout: one client after the other, but none for ever.

``settimeout(sec)`` gives each call that may block a longest time. When it is over and nothing came, the call raises
TimeoutError and the program goes on. A silent client now costs the others ``timeout`` seconds and not eternity.

Two things to see. Too short a timeout cuts off good clients that are only slow. And it is a limit for *one call*: who
sends one byte shortly before each end of it holds the server for as long as he likes. A deadline for the whole
conversation would need a clock.

    python3 -m poise.lab.models.timeout 8007
"""

from __future__ import annotations

import socket

from poise.lab.models.service import Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes asked for at a time


def serve(listener: socket.socket, service: Service = WebConversation, *, timeout: float = 1.0) -> None:
    while True:
        client, _address = listener.accept()  # the listener has no timeout: waiting for anybody is its task
        client.settimeout(timeout)  # seconds, for each call from here on
        with client:
            try:
                talk_with(client, service)
            except TimeoutError:
                pass  # too slow: the next one, please
            except ConnectionError:
                pass  # the client has gone


def talk_with(client: socket.socket, service: Service) -> None:
    """Until this client has enough, or is silent for too long. Raises TimeoutError."""
    talk = service()
    while not talk.finished:
        talk.received(client.recv(SIZE))  # waits here, but no longer than the timeout
        client.sendall(talk.unsent)  # so does this one, for all of it together
        talk.sent(len(talk.unsent))


if __name__ == "__main__":
    main(serve)
