"""epoll, edge-triggered: told once, when something becomes ready.

``EPOLLET`` changes one thing. Level-triggered epoll answers "is there something to read?". Edge-triggered epoll answers "has
something *come* since I was told?". Who then reads only a part is not told again: the rest lies in the kernel's buffer, and
both sides wait for each other until the client sends more, if it ever does.

So there is a rule: after each event go on until the kernel says EAGAIN. Then nothing is left, and the next event is
certain. In return each client is registered once, for everything, and never modified.

The rule has a danger of its own: a client that sends faster than we read never lets us come to EAGAIN, and holds the server.
Real programs stop after a budget and put the client on a list of their own, to go on with it in the next turn.

    python3 -m poise.lab.models.by_epoll_edge 8007
"""

from __future__ import annotations

import select
import socket
from typing import NamedTuple

from poise.lab.models.service import Conversation, Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes taken at a time


class Client(NamedTuple):
    socket: socket.socket
    talk: Conversation


Clients = dict[int, Client]  # {fileno: object}


def serve(listener: socket.socket, service: Service = WebConversation) -> None:
    listener.setblocking(False)
    clients: Clients = {}
    with select.epoll() as ep:
        ep.register(listener, select.EPOLLIN | select.EPOLLET)  # 1. mark
        while True:
            for fd, _event in ep.poll():  # 2. submit: sleeps here until something comes
                # 3. handle
                if fd == listener.fileno():
                    welcome_all(listener, ep, clients, service)
                    continue
                write_all(clients[fd])  # an edge of any kind: go on with both
                read_all(clients[fd])
                if clients[fd].talk.finished:
                    part(clients[fd], ep, clients)


def welcome_all(listener: socket.socket, ep: select.epoll, clients: Clients, service: Service) -> None:
    """Several may have come, and there is one event for all of them."""
    try:
        while True:
            newcomer, _address = listener.accept()
            newcomer.setblocking(False)
            clients[newcomer.fileno()] = Client(newcomer, service())
            # 1. mark: once and for all. That it can be written to is told now, and again whenever room returns.
            ep.register(newcomer, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    except BlockingIOError:
        pass  # nobody is left: the next one makes an event


def read_all(client: Client) -> None:
    talk = client.talk
    try:
        while not talk.over and not talk.unsent:  # who does not take his answers is not read from
            talk.received(client.socket.recv(SIZE))
            write_all(client)
    except BlockingIOError:
        pass  # nothing is left: what comes next makes an event
    except ConnectionError:
        give_up(talk)


def write_all(client: Client) -> None:
    talk = client.talk
    try:
        while talk.unsent:
            talk.sent(client.socket.send(talk.unsent))
    except BlockingIOError:
        pass  # no room is left: when there is some, it makes an event
    except ConnectionError:
        give_up(talk)


def give_up(talk: Conversation) -> None:
    """The client has gone: nothing more will come, and nothing can be sent."""
    talk.over = True
    talk.unsent.clear()


def part(client: Client, ep: select.epoll, clients: Clients) -> None:
    ep.unregister(client.socket)
    del clients[client.socket.fileno()]
    client.socket.close()


if __name__ == "__main__":
    main(serve)
