"""The same request gets the same answer: whatever was asked before, remembered, or is asked on the same connection.

A site that remembers replies is held against one that forgets everything, over thousands of requests in any order: a
reply for another coding, range, condition, method or language than was asked for would show (attack cases 34, 37 and 38).
Wherever two answers from one address differ, Vary says why.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poise.files.fieldrules import field_rule
from poise.files.locate import Root
from poise.files.rules import SiteRules
from poise.files.site import Site
from poise.limits import FileLimits
from tests.files.support import LATER, put
from tests.http.web import Web, get, web
from tests.live.ways import DECODE, TEXT, content, without
from tests.support.client import Answer

pytestmark = [pytest.mark.live, pytest.mark.slow]

FILES = {
    "/app.js": TEXT,
    "/text.txt": TEXT[:2000],
    "/long.txt": TEXT * 100,
    "/small.bin": bytes(range(256)),
    "/large.bin": bytes(range(256)) * 1000,
    "/page.html": b"<!doctype html>\n<title>A page</title>\n",
    "/empty.txt": b"",
    "/folder/inner.txt": b"inner",
    "/site/index.html": b"<!doctype html>\n" + TEXT,
    "/site/shell.html": b"<!doctype html>\n<title>The app</title>\n",
}
PATHS = (
    *(
        "/app.js",
        "/app.js.gz",
        "/text.txt",
        "/long.txt",
        "/small.bin",
        "/large.bin",
        "/page.html",
        "/page",
        "/empty.txt",
    ),
    *("/site/", "/folder/", "/folder/?json", "/folder/?q=inner", "/folder", "/nothing", "/nothing.txt"),
)
FIELDS = {
    "Accept-Encoding": (
        "gzip",
        "br",
        "zstd",
        "gzip;q=0",
        "br;q=0.1, gzip",
        "*;q=0",
        "identity;q=0, gzip",
        "*",
    ),
    "Range": (
        "bytes=0-3",
        "bytes=-5",
        "bytes=0-1,3-4",
        "bytes=1-2,1-2",
        "bytes=999999-",
        "bytes=4-1",
        "lines=0-1",
    ),
    "If-Range": ('W/"x"', "Tue, 14 Nov 2023 22:13:20 GMT"),
    "If-None-Match": ("*", '"x"'),
    "If-Match": ("*", '"x"'),
    "If-Modified-Since": ("Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2000 22:13:20 GMT", "yesterday"),
    "Accept": ("application/json", "text/html", "*/*;q=0.1, application/json"),
    "Accept-Language": ("zh", "en", "de, zh;q=0.5"),
    "Sec-Fetch-Mode": ("navigate", "cors"),
    "Origin": ("https://a.example", "https://b.example"),
    "Authorization": ("Basic eA==",),
    "Connection": ("keep-alive",),
}
BOUNDARY = re.compile(rb"[0-9a-f]{32}")


@contextmanager
def served(folder: Path, *, memory: int) -> Iterator[Web]:
    limits = FileLimits(memo_bytes=memory, looks=4, rows=2)
    rules = SiteRules(
        spa="site/shell.html",
        clean_urls=True,
        cors=("https://a.example", "https://b.example"),
        headers=(field_rule("X-Frame-Options", "DENY", "*.html"),),
    )
    with Root(folder, limits=limits) as root, web(memo_limits=limits) as made:
        site = Site(root, wall=lambda: LATER, rules=rules, limits=limits, reactor=made.reactor)
        made.server.answer = site.reply
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same") / "root"
    for path, data in FILES.items():
        put(folder / path[1:], data)
    put(folder / "app.js.gz", gzip.compress(TEXT))
    put(
        folder / "page.html.gz",
        b"\x1f\x8b not as long as the page, and of the same time"[: len(FILES["/page.html"])],
    )
    for number in range(9):
        put(folder / "folder" / f"{number}.txt", b"x" * number)
    return folder


def asked(made: Web, raw: bytes) -> Answer:
    """One request alone on a connection that is kept."""
    client = made.clients[0] if made.clients else made.client()
    client.send(raw)
    return client.answer(raw.split(b" ", 1)[0].decode())


def told(answer: Answer) -> tuple[object, ...]:
    """All of an answer but the date and a boundary."""
    fields = {name: BOUNDARY.sub(b"", value.encode()) for name, value in without(answer).items()}
    return answer.status, fields, BOUNDARY.sub(b"", answer.body)


def tags(made: Web) -> list[str]:
    """Every entity tag of every representation that there is."""
    found = {
        asked(made, get(path, f"Accept-Encoding: {coding}\r\n")).fields.get("etag")
        for path in PATHS
        for coding in ("identity", "gzip", "br", "zstd")
    }
    return sorted(tag for tag in found if tag)


def some_request(chance: random.Random, etags: list[str]) -> bytes:
    fields = []
    for name in chance.sample(sorted(FIELDS), chance.choice((0, 1, 1, 2, 2, 3))):
        values = FIELDS[name]
        if name in ("If-Range", "If-None-Match", "If-Match"):
            values = (*values, *etags, ", ".join(chance.sample(etags, 3)))
        fields.append(f"{name}: {chance.choice(values)}\r\n")
    method = chance.choice(("GET", "GET", "GET", "HEAD"))
    return get(chance.choice(PATHS), "".join(fields), method=method)


@pytest.mark.attack(34)
@pytest.mark.attack(37)
@pytest.mark.attack(38)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_remembered_is_what_would_be_said_anew(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    with served(folder, memory=64 << 20) as remembering, served(folder, memory=0) as forgetting:
        etags = tags(forgetting)
        assert len(etags) == len(set(etags)) > 15, "a tag for each"
        requests = [some_request(chance, etags) for _ in range(300)]
        right = {raw: told(asked(forgetting, raw)) for raw in requests}
        order = requests * 4
        chance.shuffle(order)
        for raw in order:
            assert told(asked(remembering, raw)) == right[raw], raw.decode()
        reached = len(remembering.server.asked)
        assert reached < 0.9 * len(order), "many were remembered"
        assert len(remembering.server.memo.young) > 50


@pytest.mark.attack(34)
@pytest.mark.attack(37)
@pytest.mark.attack(38)
def test_an_answer_is_what_was_asked_for(folder: Path) -> None:
    """By what a plain GET in the same coding brings: parts are parts of it, and a 304 is for its tag and no other."""
    chance = random.Random(7)
    with served(folder, memory=64 << 20) as made:
        etags = tags(made)
        for _ in range(1500):
            raw = some_request(chance, etags)
            answer = asked(made, raw)
            fields = dict(re.findall(r"([A-Za-z-]+): ([^\r]*)\r\n", raw.decode()))
            plain = asked(made, get(raw.split(b" ")[1].decode(), kept(fields)))
            if answer.status == 206:  # never of what is compressed while it is sent
                plain = (
                    asked(
                        made, get(raw.split(b" ")[1].decode(), kept(fields, "Accept-Encoding: identity\r\n"))
                    )
                    if ("content-encoding" not in answer.fields)
                    else plain
                )
                assert answer.fields["etag"] == plain.fields["etag"]
                if "content-range" in answer.fields:
                    first, last, size = map(int, re.findall("[0-9]+", answer.fields["content-range"]))
                    assert size == len(plain.body)
                    assert answer.body == (plain.body[first : last + 1] if raw.startswith(b"GET") else b"")
            if answer.status == 304:
                tag, wanted = answer.fields.get("etag"), fields.get("If-None-Match")
                assert wanted in (None, "*") or str(tag).removeprefix("W/") in wanted.replace("W/", "")
                assert tag == plain.fields.get("etag")
            if answer.status == 200 and raw.startswith(b"GET"):
                coding = answer.fields.get("content-encoding")
                data = FILES.get(raw.split(b" ")[1].decode())
                if data is not None and not (coding == "gzip" and data == FILES["/page.html"]):
                    assert (DECODE[coding](answer.body) if coding else answer.body) == data
                assert (
                    coding is None or coding in fields["Accept-Encoding"] or "*" in fields["Accept-Encoding"]
                )


def kept(fields: dict[str, str], *more: str) -> str:
    names = ("Accept-Encoding", "Accept", "Accept-Language", "Sec-Fetch-Mode")
    return "".join((*more, *(f"{name}: {fields[name]}\r\n" for name in names if name in fields and not more)))


@pytest.mark.attack(38)
@pytest.mark.parametrize(
    "path", [*PATHS, "/folder/?q=nothing-at-all", "/folder/?sort=size", "/site/index.html"]
)
def test_where_answers_differ_vary_says_why(folder: Path, path: str) -> None:
    names = (
        "Accept-Encoding",
        "Accept",
        "Accept-Language",
        "Sec-Fetch-Mode",
        "Origin",
        "User-Agent",
        "Cookie",
    )
    with served(folder, memory=0) as made:
        for method in ("GET", "HEAD"):
            for base in ("", "Accept: text/html\r\n", "Accept-Encoding: gzip\r\n"):
                one = asked(made, get(path, base, method=method))
                for name in names:
                    for value in FIELDS.get(name, ("x", "y")):
                        if f"{name}:" in base:
                            continue
                        other = asked(made, get(path, f"{base}{name}: {value}\r\n", method=method))
                        if other.status in (206, 416):
                            continue  # a cache tells these apart by their status (RFC 9111, 3.3)
                        if told(one) != told(other):
                            for each in (one, other):
                                vary = re.split(", *", each.fields.get("vary", "").lower())
                                assert name.lower() in vary, (name, value, base, each.fields)


def test_one_connection_after_another_or_all_at_once(folder: Path) -> None:
    """Pipelined, produced bodies among them, no answer runs into the next."""
    chance = random.Random(3)
    with served(folder, memory=64 << 20) as made:
        etags = tags(made)
        requests = [some_request(chance, etags) for _ in range(60)]
        requests += [
            get(f"/{form}", method=method)
            for form in ("?zip", "?tar.gz", "?q=*")
            for method in ("GET", "HEAD")
        ]
        requests += [
            get("/large.bin", "Range: bytes=0-70000,80000-90000\r\n"),
            get("/long.txt", "Accept-Encoding: gzip\r\n"),
        ]
        for _ in range(4):
            chance.shuffle(requests)
            right = [asked(made, raw) for raw in requests]
            client = made.client()
            client.send(b"".join(requests))
            methods = [raw.split(b" ", 1)[0].decode() for raw in requests]
            for raw, one, other in zip(requests, right, client.answers(len(requests), *methods), strict=True):
                assert (one.status, content(one) if b"gz HTTP" in raw else told(one)) == (
                    other.status,
                    content(other) if b"gz HTTP" in raw else told(other),
                ), raw
            client.close()
