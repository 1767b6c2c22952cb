"""The sixth exercise: a class that inherits a server, calls ``super().__init__``, and answers GET with 200 or 404."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from poise.lab.exercises.cases import case
from poise.lab.exercises.cases.case import WAYS, Case, Manner
from poise.lab.exercises.child import Program
from poise.lab.exercises.client import Client, Stage, Unmet
from poise.limits import KIB

PAGES: Mapping[str, bytes] = MappingProxyType({"/": "<h1>就绪</h1>\n".encode(), "/about": b"<p>ready</p>\n"})
"""As the skeleton has them."""
MOST = 64 * KIB  # bytes of a reply that is looked at
STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])( [\x20-\x7e]*)?")
GARBAGE = b"\x00\xff\xfe no request \xe4\r\n\r\n"
ENDLESS = (
    b"GET / HTTP/1.1\r\n" + b"X-And-So-On: and so on\r\n" * 2731
)  # eight times what is allowed, without a blank line


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def reply(client: Client, status: int, body: bytes | None = None) -> None:
    """A whole reply with this status, then the end (RFC 9112, 2 and 6.3). Raises Unmet ``http-…``."""
    got = client.until_end(MOST)
    wanted = f"HTTP/1.1 {status} ".encode()

    def unmet(failure: str, **values: object) -> Unmet:
        return Unmet(failure, client.name, wanted, got).having(status=status, **values)

    if not got:
        raise unmet("closed-early")
    head, blank, content = got.partition(b"\r\n\r\n")
    if not blank:
        if b"\n\n" in got:
            raise unmet("http-line-ends")
        raise unmet("http-no-blank")
    first, *fields = head.split(b"\r\n")
    found = STATUS.fullmatch(first)
    if b"\n" in head.replace(b"\r\n", b""):
        raise unmet("http-line-ends")
    if found is None or int(found[1]) != status:
        raise unmet("http-status", first=first.decode("latin-1"))
    lengths = [
        value.strip()
        for name, _, value in (each.partition(b":") for each in fields)
        if name.lower() == b"content-length"
    ]
    if not lengths:
        raise unmet("http-no-length")
    if lengths[0] != b"%d" % len(content):
        raise unmet("http-length", said=lengths[0].decode("latin-1"), length=len(content))
    if body is not None and content != body:
        raise Unmet("http-body", client.name, body, content)


def ask(path: str, status: int) -> Manner:
    """GET ``path``, to be answered with ``status``."""
    return Manner(
        lambda client: client.send(request(path)), lambda client: reply(client, status, PAGES.get(path))
    )


MANNER = ask("/", 200)


def missing(stage: Stage, program: Program) -> None:
    ask("/nothing", 404).talk(stage.connect())
    ask("/abou", 404).talk(stage.connect())
    ask("/about", 200).talk(stage.connect())


def in_pieces(stage: Stage, program: Program) -> None:
    client = stage.connect()
    whole = request("/")
    client.send(whole[:1])
    MANNER.talk(stage.connect())  # when this one was answered, the program has seen the other
    client.expect_nothing()
    for each in whole[1:-1]:
        client.send(bytes([each]))
    MANNER.talk(stage.connect())
    client.expect_nothing()
    client.send(whole[-1:])
    reply(client, 200, PAGES["/"])


def mixed(stage: Stage, program: Program) -> None:
    first, second = stage.connect(), stage.connect()
    first.send(b"GET /about HT")
    second.send(b"GET /noth")
    MANNER.talk(stage.connect())
    first.send(b"TP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    reply(first, 200, PAGES["/about"])
    second.send(b"ing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    reply(second, 404)


def half_closed(stage: Stage, program: Program) -> None:
    client = stage.connect()
    MANNER.talk(stage.connect())
    with program.paused():
        client.send(request("/about"))
        client.half_close()
    reply(client, 200, PAGES["/about"])


def garbage(stage: Stage, program: Program) -> None:
    client = stage.connect()
    client.send(GARBAGE)
    reply(client, 400)
    MANNER.talk(stage.connect())


def endless(stage: Stage, program: Program) -> None:
    client = stage.connect()
    client.flood(ENDLESS)
    client.expect_cut()
    MANNER.talk(stage.connect())


def inherits(stage: Stage, program: Program) -> None:
    """A class that inherits was made, and its ``__init__`` called that of the other by ``super()``. Raises Unmet."""
    MANNER.talk(stage.connect())
    made = next(iter(program.told("listen")))["made"]
    heirs = [each for each in made if each["inherits"]]
    if not heirs:
        raise Unmet("no-class")
    name = heirs[0]["class"]
    if not any(each["init"] == f"{each['class']}.__init__" for each in heirs):
        raise Unmet("no-init").having(name=name)
    above = [each for each in heirs if is_init(each["by"]) and each["by"] != each["init"]]
    if not above:
        raise Unmet("no-super").having(name=name)
    if not any(each["super"] for each in above):
        raise Unmet("base-by-name").having(name=name)


def is_init(name: str) -> bool:
    return name.endswith(".__init__")


CASES = (
    Case("get", case.served(MANNER)),
    Case("inherits", inherits),
    Case("one-thread", case.by(MANNER, *WAYS)),
    Case("missing", missing),
    Case("in-pieces", in_pieces),
    Case("mixed-requests", mixed),
    Case("half-closed", half_closed),
    Case("silent", case.silent(MANNER)),
    Case("garbage-request", garbage),
    Case("endless-head", endless),
    Case("reset", case.reset(MANNER)),
    Case("gone", case.gone(MANNER)),
    Case("quiet", case.at_rest(MANNER)),
    Case("hundred", case.hundred(MANNER)),
)
