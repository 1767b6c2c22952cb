"""epoll, level-triggered: the kernel keeps the list.

    ep = select.epoll()                   a list in the kernel; itself a descriptor
    ep.register(s, EPOLLIN)               once for each client, not once for each turn
    events = ep.poll()                    [(fileno, event), …], only those who are ready

With select and poll the whole list goes to the kernel each turn, and the kernel looks at everyone on it. Here it is told
of changes only, and it notes by itself who becomes ready. A turn costs what the *ready* cost, however many are watched.

*Level-triggered* means: as long as there is something to read, each call says so. Who reads only a part is reminded. That is
the forgiving way; the other one is in by_epoll_edge.py.

    python3 -m poise.lab.models.by_epoll 8007
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
    with select.epoll() as ep:
        ep.register(listener, select.EPOLLIN)  # 1. mark (the listener, once)
        while True:
            for fd, event in ep.poll():  # 2. submit: sleeps here until somebody is ready
                # 3. handle
                if fd == listener.fileno():
                    welcome(listener, ep, clients, service)
                    continue
                before = wanted(clients[fd].talk)
                # ERR and HUP come unasked. Reading meets them: recv raises the error, or gives b"".
                if event & (select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP) and not clients[fd].talk.over:
                    read(clients[fd], ep, clients)
                if fd in clients and event & select.EPOLLOUT:
                    write(clients[fd], ep, clients)
                # 1. mark: only what has changed, for here each change is a call into the kernel
                if fd in clients and wanted(clients[fd].talk) != before:
                    ep.modify(fd, wanted(clients[fd].talk))


def wanted(talk: Conversation) -> int:
    """The mask: writing while something is to be sent, else reading.

    A socket with room is always ready to be written to: watched in vain, it lets each call return at once. And who does
    not take his answers is not read from, or they would fill our memory.
    """
    if talk.unsent:
        return select.EPOLLOUT
    return select.EPOLLIN


def welcome(listener: socket.socket, ep: select.epoll, clients: Clients, service: Service) -> None:
    try:
        newcomer, _address = listener.accept()
    except BlockingIOError:
        return  # was ready and has gone again: ready is a hint, not a promise
    newcomer.setblocking(False)
    client = clients[newcomer.fileno()] = Client(newcomer, service())
    ep.register(newcomer, wanted(client.talk))  # 1. mark (a newcomer)


def read(client: Client, ep: select.epoll, clients: Clients) -> None:
    try:
        data = client.socket.recv(SIZE)
    except BlockingIOError:
        return
    except ConnectionError:
        part(client, ep, clients)
        return
    client.talk.received(data)
    write(client, ep, clients)  # mostly there is room at once: no need to ask first


def write(client: Client, ep: select.epoll, clients: Clients) -> None:
    try:
        if client.talk.unsent:
            client.talk.sent(client.socket.send(client.talk.unsent))  # takes what fits
    except BlockingIOError:
        pass  # no room: EPOLLOUT will tell
    except ConnectionError:
        part(client, ep, clients)
        return
    if client.talk.finished:
        part(client, ep, clients)


def part(client: Client, ep: select.epoll, clients: Clients) -> None:
    ep.unregister(client.socket)  # before the close, while it still has its number
    del clients[client.socket.fileno()]
    client.socket.close()


if __name__ == "__main__":
    main(serve)
