"""The formats that say more than common: what is in them, what is escaped, and that nobody else pays for it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from poise.http.log import AccessLog
from poise.http.logformats import CombinedLog, JSONLog
from poise.http.message import Reply, Request
from poise.limits import LogLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from tests.http.web import Client, Web, get, post, web

Kind = type[AccessLog]
WHO = "Referer: http://a.example/x?y\r\nUser-Agent: curl/8.5.0\r\n"


def page(request: Request) -> Reply:
    """An answer that may be remembered."""
    return Reply(200, body=b"page", validator=lambda: True)


def logging(kind: Kind, site: Web) -> None:
    site.server.log = kind(site.reactor, site.log.append)


def written(site: Web) -> list[str]:
    assert site.server.log is not None
    site.server.log.flush()
    return "".join(site.log).splitlines()


def as_json(site: Web) -> list[dict[str, object]]:
    return [json.loads(line) for line in written(site)]


@pytest.fixture
def site() -> Iterator[Web]:
    with web(page) as made:
        yield made


def remembered(site: Web, request: bytes, times: int = 4) -> Client:
    """``request`` asked so often that the last replies come out of the memo."""
    client = site.client()
    before = len(site.server.asked)
    for _ in range(times):
        client.ask(request)
    assert len(site.server.asked) - before < times
    return client


# -- combined -----------------------------------------------------------------------------------------------

COMBINED = re.compile(r'127\.0\.0\.1 - - \[[^]]+\] "GET /a HTTP/1\.1" 200 4 "([^"]*)" "([^"]*)"')


def test_combined_has_referer_and_agent_also_of_remembered_replies(site: Web) -> None:
    logging(CombinedLog, site)
    remembered(site, get("/a", WHO))
    remembered(site, get("/a"))
    found = [COMBINED.fullmatch(line) for line in written(site)]
    assert [each and each.groups() for each in found] == [
        *[("http://a.example/x?y", "curl/8.5.0")] * 4,
        *[("-", "-")] * 4,
    ]


def test_combined_is_common_and_two_fields() -> None:
    made: list[list[str]] = []
    for kind in (AccessLog, CombinedLog):
        with Reactor(clock=ManualClock(100.0, wall=1_800_000_000.5)) as reactor:
            lines: list[str] = []
            log = kind(reactor, lines.append)
            log.add("", 'GET /" HTTP/1.1', 404, 7)
            log.flush()
            made.append(lines)
    assert made[1] == [made[0][0].replace("\n", ' "-" "-"\n')]


# -- JSON ---------------------------------------------------------------------------------------------------


def test_json_has_everything(site: Web) -> None:
    logging(JSONLog, site)
    remembered(site, get("/a?b=%20", WHO))
    for row in as_json(site):
        assert row == {
            "time": "2027-01-15T08:00:00.250Z",
            "client": "127.0.0.1",
            "method": "GET",
            "target": "/a?b=%20",
            "status": 200,
            "bytes": 4,
            "duration": 0.0,
            "referer": "http://a.example/x?y",
            "user_agent": "curl/8.5.0",
        }


def test_json_says_null_where_nothing_is_known(site: Web) -> None:
    logging(JSONLog, site)
    client = site.client()
    client.ask(get("/a"))
    client.send(b"GET /a\x1b\x7f\xff HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.answer().status == 400
    client.end()
    first, refused = as_json(site)
    assert (first["referer"], first["user_agent"]) == (None, None)
    assert "line" not in first
    assert (refused["method"], refused["target"], refused["duration"]) == (None, None, None)
    assert refused["status"] == 400
    assert str(refused["line"]).startswith("GET /a\x1b")


def test_a_client_without_an_address_is_null_in_json() -> None:
    with Reactor(clock=ManualClock()) as reactor:
        lines: list[str] = []
        log = JSONLog(reactor, lines.append)
        log.add("", "GET / HTTP/1.1", 200, 0)
        log.flush()
    assert json.loads(lines[0])["client"] is None


def test_duration_is_from_the_head_to_the_end_of_the_reply() -> None:
    waiting: list[Request] = []

    def later(request: Request) -> None:
        waiting.append(request)

    with web(later) as site:
        logging(JSONLog, site)
        client = site.client()
        client.send(get("/a", WHO))
        site.turns()
        site.wait(1.5)
        waiting[0].answer(Reply(200, body=b"x"))
        client.answer()
        (row,) = as_json(site)
        assert row["duration"] == 1.5
        assert row["time"] == "2027-01-15T08:00:01.750Z"


def test_duration_of_a_remembered_reply_has_the_time_since_the_loop_heard_of_it(site: Web) -> None:
    """Not that of the request which it was remembered from."""
    logging(JSONLog, site)
    client = remembered(site, get("/a"))
    site.wait(0.05)
    client.ask(get("/a"))
    assert [row["duration"] for row in as_json(site)] == [0.0] * 5


def test_a_body_that_comes_slowly_is_in_the_duration(site: Web) -> None:
    logging(JSONLog, site)
    client = site.client()
    whole = post(b"body")
    client.send(whole[:-1])
    site.turns()
    site.wait(2.0)
    client.send(whole[-1:])
    client.answer()
    assert as_json(site)[0]["duration"] == 2.0


# -- for both -----------------------------------------------------------------------------------------------


@pytest.mark.attack(24)
@pytest.mark.parametrize("kind", [CombinedLog, JSONLog])
def test_a_header_cannot_act_on_a_reader(kind: Kind, site: Web) -> None:
    logging(kind, site)
    bad = '" "\\\x80\x9b2J\xa0\xff\t{"a":1}'
    remembered(site, get("/a", f"Referer: {bad}\r\nUser-Agent: {bad}\r\n"))
    text = "\n".join(written(site))
    assert len(text.splitlines()) == 4
    assert all(32 <= ord(letter) < 127 or letter == "\n" for letter in text)
    if kind is JSONLog:
        assert as_json(site)[0]["referer"] == bad
    else:
        assert r'"\" \"\\\x80\x9b2J\xa0\xff\x09{\"a\":1}"' in text


@pytest.mark.attack(24)
def test_what_was_refused_cannot_act_on_a_reader_of_json() -> None:
    with Reactor(clock=ManualClock()) as reactor:
        lines: list[str] = []
        log = JSONLog(reactor, lines.append)
        line = "".join(map(chr, range(256)))
        log.add("a", line, 400, 0)
        log.flush()
        assert lines[0].count("\n") == 1
        assert all(32 <= ord(letter) < 127 or letter == "\n" for letter in lines[0])
        assert json.loads(lines[0])["line"] == line


@pytest.mark.parametrize("kind", [CombinedLog, JSONLog])
def test_what_clients_say_of_themselves_is_in_the_bound_of_what_waits(kind: Kind) -> None:
    with web(page) as site:
        site.server.log = kind(site.reactor, site.log.append, LogLimits(buffer=10_000))
        client = site.client()
        for number in range(20):
            client.ask(get(f"/{number}", f"User-Agent: {'x' * 2000}\r\n"))
        assert len(site.log) >= 4
        assert len(written(site)) == 20


def test_a_log_that_is_given_later_understands_what_was_remembered_without_it(site: Web) -> None:
    client = remembered(site, get("/a", WHO))
    for kind, path in ((JSONLog, "/a"), (CombinedLog, "/a"), (CombinedLog, "/b"), (AccessLog, "/b")):
        logging(kind, site)
        for _ in range(3):
            client.ask(get(path, WHO))
        written(site)
    in_json, other, known, common = [text.splitlines()[-1] for text in site.log]
    assert json.loads(in_json)["target"] == "/a"
    assert other.endswith('"GET /a HTTP/1.1" 200 4 "http://a.example/x?y" "curl/8.5.0"')
    assert known.endswith('"GET /b HTTP/1.1" 200 4 "http://a.example/x?y" "curl/8.5.0"')
    assert common.endswith('"GET /b HTTP/1.1" 200 4')


# -- the price ----------------------------------------------------------------------------------------------


def calls(work: Callable[[], object]) -> list[str]:
    """Every call of Python that ``work`` makes, in order."""
    made: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            made.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return made


def hit(kind: Kind | None) -> list[str]:
    """The calls of Python that one remembered reply costs from the moment that its bytes are there."""
    with web(page) as site:
        if kind is not None:
            logging(kind, site)
        client = remembered(site, get("/a", WHO))
        client.ask(get("/a", WHO))  # the timer that writes the log is there now
        (exchange,) = site.server.exchanges
        made = calls(lambda: exchange.data_received(get("/a", WHO)))
        client.answer()
        return made[1:]


def test_what_other_formats_need_costs_the_common_one_nothing() -> None:
    unlogged = hit(None)
    common = hit(AccessLog)
    assert unlogged[:2] == ["get", "data_received"]
    assert common[: len(unlogged)] == unlogged
    assert common[len(unlogged) :] == ["again"]
    assert hit(CombinedLog) == common
