"""select: ask the kernel about all of them at once, and sleep until somebody is ready (就绪).

    rs, ws, xs = select(rlist, wlist, xlist[, timeout])

Three lists go in: whom we want to read from, whom we want to write to, whom we watch for trouble. Three lists come back
with those who are ready. Each turn has three steps:

    1. mark     put everybody we care about into a list
    2. submit   hand the lists to the kernel, and sleep
    3. handle   serve those who came back, none of them for long

Good to know: the kernel keeps nothing between two calls, so the whole lists travel there and back every turn, and a
descriptor whose *number* is 1024 or more is refused.

    python3 -m poise.lab.models.by_select 8007
"""

from __future__ import annotations

import select
import socket

from poise.lab.models.service import Conversation, Service, WebConversation
from poise.lab.models.standalone import main

SIZE = 4096  # bytes taken at a time: the others want their turn, too

Clients = dict[socket.socket, Conversation]


def serve(listener: socket.socket, service: Service = WebConversation) -> None:
    listener.setblocking(False)  # select is the only place where this program waits
    clients: Clients = {}
    while True:
        # 1. mark: for writing only those who have something to get. A socket with room in its buffer is
        #    always ready to be written to: watched in vain, it lets select return at once. The others for
        #    reading: who does not take his answers is not read from, or they would fill our memory.
        rlist = [listener, *(client for client, talk in clients.items() if not talk.unsent)]
        wlist = [client for client, talk in clients.items() if talk.unsent]
        # 2. submit: the program sleeps here until the kernel has somebody who is ready
        rs, ws, _xs = select.select(rlist, wlist, [])
        # 3. handle: one bounded step for each, then ask again
        for ready in rs:
            if ready is listener:
                welcome(listener, clients, service)
            else:
                read(ready, clients)
        for ready in ws:
            if ready in clients:  # it may have left a moment ago, among the readers
                write(ready, clients)


def welcome(listener: socket.socket, clients: Clients, service: Service) -> None:
    try:
        client, _address = listener.accept()
    except BlockingIOError:
        return  # was ready and has gone again: ready is a hint, not a promise
    client.setblocking(False)
    clients[client] = service()


def read(client: socket.socket, clients: Clients) -> None:
    try:
        data = client.recv(SIZE)
    except BlockingIOError:
        return
    except ConnectionError:
        part(client, clients)
        return
    clients[client].received(data)
    write(client, clients)  # mostly there is room at once: no need to ask first


def write(client: socket.socket, clients: Clients) -> None:
    talk = clients[client]
    try:
        if talk.unsent:
            talk.sent(client.send(talk.unsent))  # takes what fits; the rest waits for its turn
    except BlockingIOError:
        pass  # no room: the next turn watches it for writing
    except ConnectionError:
        part(client, clients)
        return
    if talk.finished:
        part(client, clients)


def part(client: socket.socket, clients: Clients) -> None:
    del clients[client]  # out of the table first: a closed socket in rlist would be an error
    client.close()


if __name__ == "__main__":
    main(serve)
