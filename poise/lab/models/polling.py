"""Non-blocking with a loop: ask everybody, again and again.

``setblocking(False)`` makes ``accept``, ``recv`` and ``send`` return at once. When there is nothing to do yet, they raise BlockingIOError
(the kernel calls it EAGAIN: try again). So one program can serve many: it asks each in turn, and nobody holds it up.

The price is the asking. Nearly every call says "nothing yet", and a processor is busy with that around the clock. A pause
between two rounds lowers the cost and adds the same time to every answer. What is missing is a way to *wait for all of
them at once*, and that is what select, poll and epoll are.

    python3 -m poise.lab.models.polling 8007
"""

from __future__ import annotations

import socket
import time

from poise.lab.models.service import Conversation, Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes asked for at a time


def serve(listener: socket.socket, service: Service = WebConversation, *, pause: float = 0.0) -> None:
    listener.setblocking(False)
    clients: dict[socket.socket, Conversation] = {}
    while True:
        try:
            client, _address = listener.accept()  # does anybody come?
            client.setblocking(False)
            clients[client] = service()
        except BlockingIOError:
            pass  # nobody
        for client in list(clients):  # a copy: those who leave are taken out on the way
            listen_to(client, clients[client])
            answer(client, clients[client])  # at once: mostly there is room
            if clients[client].finished:
                del clients[client]
                client.close()
        if pause:
            time.sleep(pause)  # seconds during which nobody is served


def listen_to(client: socket.socket, talk: Conversation) -> None:
    try:
        if not talk.unsent:  # who does not take his answers is not read from
            talk.received(client.recv(SIZE))  # does this one speak?
    except BlockingIOError:
        pass  # not yet
    except ConnectionError:
        give_up(talk)


def answer(client: socket.socket, talk: Conversation) -> None:
    try:
        if talk.unsent:
            talk.sent(client.send(talk.unsent))  # as much as the kernel has room for
    except BlockingIOError:
        pass  # no room: the next round tries again
    except ConnectionError:
        give_up(talk)


def give_up(talk: Conversation) -> None:
    """The client has gone: nothing more will come, and nothing can be sent."""
    talk.over = True
    talk.unsent.clear()


if __name__ == "__main__":
    main(serve)
