"""poll: the same question with masks and numbers, and without select's wall at 1024.

    p = select.poll()
    p.register(s, POLLIN | POLLERR)       whom to watch, and for what
    events = p.poll()                     [(fileno, event), …]: who is ready, and for what

What we care about is one number, a mask, put together with ``|``; what has happened is one number, too, taken apart with ``&``.
The answer names descriptors, not objects, so the program keeps a table {fileno: object}.

The object ``p`` remembers whom we watch, so a turn only says what has *changed*. The kernel still remembers nothing: each
call hands it the whole list, and it looks at everyone.

    python3 -m poise.lab.models.by_poll 8007
"""

from __future__ import annotations

import select
import socket
from typing import NamedTuple

from poise.lab.models.service import Conversation, Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes taken at a time: the others want their turn, too


class Client(NamedTuple):
    socket: socket.socket
    talk: Conversation


Clients = dict[int, Client]  # {fileno: object}


def serve(listener: socket.socket, service: Service = WebConversation) -> None:
    listener.setblocking(False)
    clients: Clients = {}
    p = select.poll()
    p.register(listener, select.POLLIN)  # 1. mark (the listener, once)
    while True:
        for fd, event in p.poll():  # 2. submit: sleeps here until somebody is ready
            # 3. handle
            if fd == listener.fileno():
                welcome(listener, p, clients, service)
                continue
            # ERR and HUP come unasked. Reading meets them: recv raises the error, or gives b"".
            if event & (select.POLLIN | select.POLLERR | select.POLLHUP) and not clients[fd].talk.over:
                read(clients[fd], p, clients)
            if fd in clients and event & select.POLLOUT:
                write(clients[fd], p, clients)
            if fd in clients:
                p.modify(fd, wanted(clients[fd].talk))  # 1. mark (what has changed)


def wanted(talk: Conversation) -> int:
    """The mask: writing while something is to be sent, else reading.

    A socket with room is always ready to be written to: watched in vain, it lets each call return at once. And who does
    not take his answers is not read from, or they would fill our memory.
    """
    if talk.unsent:
        return select.POLLOUT
    return select.POLLIN


def welcome(listener: socket.socket, p: select.poll, clients: Clients, service: Service) -> None:
    try:
        newcomer, _address = listener.accept()
    except BlockingIOError:
        return  # was ready and has gone again: ready is a hint, not a promise
    newcomer.setblocking(False)
    client = clients[newcomer.fileno()] = Client(newcomer, service())
    p.register(newcomer, wanted(client.talk))  # 1. mark (a newcomer)


def read(client: Client, p: select.poll, clients: Clients) -> None:
    try:
        data = client.socket.recv(SIZE)
    except BlockingIOError:
        return
    except ConnectionError:
        part(client, p, clients)
        return
    client.talk.received(data)
    write(client, p, clients)  # mostly there is room at once: no need to ask first


def write(client: Client, p: select.poll, clients: Clients) -> None:
    try:
        if client.talk.unsent:
            client.talk.sent(client.socket.send(client.talk.unsent))  # takes what fits
    except BlockingIOError:
        pass  # no room: POLLOUT will tell
    except ConnectionError:
        part(client, p, clients)
        return
    if client.talk.finished:
        part(client, p, clients)


def part(client: Client, p: select.poll, clients: Clients) -> None:
    p.unregister(client.socket)  # before the close, while it still has its number
    del clients[client.socket.fileno()]
    client.socket.close()


if __name__ == "__main__":
    main(serve)
