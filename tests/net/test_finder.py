"""Who is found, under which URL, and what is made of answers that are not true."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.limits import DiscoveryLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import finder as finder_module
from poise.net import lan
from poise.net.announcer import Announcer
from poise.net.datagram import Datagram
from poise.net.finder import Finder, Found, url_of
from poise.net.lan import Interface
from poise.readiness.poller import available
from poise.wire.discovery import GROUP_IPV4, GROUP_IPV6, SIZE, Answer, Question, parse, write
from tests.support.datagrams import House, has_ipv6, housed
from tests.support.discovery import free_port, loopback
from tests.support.scripted import ScriptedPoller

QUERY, INSTANCE = b"a query!", b"a server"
NEVER = 1_000.0  # seconds: such a search does not end by itself


class Lan:
    """A reactor whose only link is the loopback, and one search at a time."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.reactor = house.reactor
        self.until = house.until
        self.ask_at = free_port()
        self.results: list[list[Found]] = []
        self.opened: list[Announcer | Finder] = []

    def announce(self, name: str, host: str = "0.0.0.0", port: int = 80, **options: Any) -> Announcer:
        made = Announcer(self.reactor, name, (host, port), ask_at=self.ask_at, **options)
        self.opened.append(made)
        return made

    def search(self, timeout: float = NEVER, **limits: Any) -> Finder:
        made = Finder(
            self.reactor,
            self.results.append,
            timeout=timeout,
            ask_at=self.ask_at,
            limits=DiscoveryLimits(**limits),
        )
        self.opened.append(made)
        return made


@pytest.fixture(params=available())
def every(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lan]:
    yield from on_loopback(request.param, tmp_path, monkeypatch)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lan]:
    """On the best poller alone, for what does not concern readiness."""
    yield from on_loopback(None, tmp_path, monkeypatch)


def on_loopback(poller: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lan]:
    link = loopback()
    monkeypatch.setattr(lan, "interfaces", lambda: [link])
    with housed(poller, folder) as house:
        made = Lan(house)
        yield made
        for each in made.opened:
            each.close()
        assert made.reactor.timers.next_due == float("inf")
        assert house.errors == []


def names(found: list[Found]) -> list[str]:
    return [each.name for each in found]


def test_everybody_is_found_once_by_name(every: Lan) -> None:
    every.announce("b", port=8002, scheme="https")
    every.announce("C", port=8003)
    every.announce("a", port=8001, host="127.0.0.1")
    search = every.search()
    every.until(lambda: len(search.found) == 3)
    assert search.found == [
        Found("a", ("http://127.0.0.1:8001/",), 0),
        Found("b", ("https://127.0.0.1:8002/",), 0),
        Found("C", ("http://127.0.0.1:8003/",), 0),
    ]
    assert every.results == []


def test_a_search_ends_by_itself_and_says_who_was_there(here: Lan) -> None:
    here.announce("a")
    here.search(timeout=0.1)
    here.until(lambda: here.results)
    assert [names(found) for found in here.results] == [["a"]]


def test_nobody_is_there(here: Lan) -> None:
    here.search(timeout=0.01)
    here.until(lambda: here.results)
    assert here.results == [[]]


def test_over_ipv6_too(here: Lan) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    here.announce("both", host="::")
    search = here.search()
    both = ("http://127.0.0.1:80/", "http://[::1]:80/")
    here.until(lambda: search.found and len(search.found[0].urls) == 2)
    assert search.found == [Found("both", both, 0)]


def test_two_with_the_same_name_are_two(here: Lan) -> None:
    here.announce("twin")
    here.announce("twin")
    search = here.search()
    here.until(lambda: len(search.found) == 2)
    assert names(search.found) == ["twin", "twin"]


def test_when_is_asked_and_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is the same datagram, sent everywhere; all of them in the first half of the time."""
    link = loopback()
    sent: list[tuple[float, Any, bytes]] = []
    clock = ManualClock()
    monkeypatch.setattr(lan, "interfaces", lambda: [link, Interface(7, "down")])

    def sendto(_self: Datagram, data: bytes, addr: Any) -> bool:
        sent.append((clock.monotonic(), addr, data))
        return True

    monkeypatch.setattr(Datagram, "sendto", sendto)
    done: list[list[Found]] = []
    with Reactor(ScriptedPoller(clock=clock), clock=clock) as reactor:
        Finder(reactor, done.append, timeout=6.0, ask_at=5)
        while not done:
            reactor.turn()
        assert clock.monotonic() == pytest.approx(6.0)
    assert sorted({at for at, _, _ in sent}) == pytest.approx([0.0, 1.0, 2.0])
    [question] = {data for _, _, data in sent}
    assert isinstance(parse(question), Question)
    assert len(question) == SIZE
    everywhere: set[Any] = {("255.255.255.255", 5), (GROUP_IPV4, 5)}
    if has_ipv6():
        everywhere |= {("::1", 5), (GROUP_IPV6, 5, 0, link.index), (GROUP_IPV6, 5, 0, 7)}
    assert {addr for _, addr, _ in sent} == everywhere
    assert len(sent) == 3 * len(everywhere)


def forged(search: Finder, addr: Any = ("192.0.2.1", 9), **changes: Any) -> None:
    """Hand ``search`` an answer as if it had come from ``addr``."""
    honest: dict[str, Any] = {
        "query": search._query,
        "instance": INSTANCE,
        "scheme": "http",
        "port": 80,
        "age": 5,
        "name": "a",
    }
    search.datagram_received(write(Answer(**honest | changes)), addr)


def test_what_is_no_answer_to_this_question_is_ignored(here: Lan) -> None:
    search = here.search()
    forged(search, query=QUERY)
    search.datagram_received(b"", ("192.0.2.1", 9))
    search.datagram_received(write(Question(search._query)), ("192.0.2.1", 9))
    assert search.found == []
    forged(search)
    assert search.found == [Found("a", ("http://192.0.2.1:80/",), 5)]


def test_no_two_searches_ask_the_same_question(here: Lan) -> None:
    assert here.search()._query != here.search()._query


def test_one_server_with_several_addresses_is_one_and_every_url_is_shown(here: Lan) -> None:
    """The best first: IPv4, IPv6, a link, this machine; an address is never hidden by another one."""
    search = here.search()
    lo = loopback().index
    for addr, age in (
        (("127.0.0.1", 9), 8),
        (("fe80::1", 9, 0, lo), 7),
        (("2001:db8::1", 9, 0, 0), 7),
        (("192.0.2.1", 9), 6),
        (("192.0.2.1", 9), 9),
    ):
        forged(search, addr, age=age)
    assert search.found == [
        Found(
            "a",
            (
                "http://192.0.2.1:80/",
                "http://[2001:db8::1]:80/",
                "http://[fe80::1%25lo]:80/",
                "http://127.0.0.1:80/",
            ),
            6,
        )
    ]
    assert search.found[0].url == "http://192.0.2.1:80/"


@pytest.mark.parametrize(
    "change", [{"name": "b"}, {"port": 81}, {"scheme": "https"}, {"instance": b"another!"}]
)
def test_whoever_says_something_else_stands_apart(here: Lan, change: dict[str, Any]) -> None:
    search = here.search()
    forged(search)
    forged(search, ("192.0.2.66", 9), **change)
    assert len(search.found) == 2
    assert [len(each.urls) for each in search.found] == [1, 1]


def test_a_flood_of_answers_fills_no_memory(here: Lan) -> None:
    search = here.search(found=3)
    for number in range(10):
        forged(search, name=f"name {number}")
    assert names(search.found) == ["name 0", "name 1", "name 2"]


def test_the_url_of_a_link_that_has_gone() -> None:
    answer = Answer(QUERY, INSTANCE, "https", 443, 0, "a")
    assert url_of(answer, ("fe80::1", 9, 0, 99_999)) == "https://[fe80::1%2599999]:443/"
    assert url_of(answer, ("fe80::1", 9, 0, 0)) == "https://[fe80::1]:443/"


def test_an_address_that_has_gone_is_not_asked(here: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    link = loopback()
    monkeypatch.setattr(lan, "interfaces", lambda: [Interface(99, "gone", "192.0.2.99"), link])
    here.announce("a")
    search = here.search()
    here.until(lambda: search.found)


def test_without_any_network_it_says_so(here: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: Any, **_options: Any) -> Datagram:
        raise OSError(errno.EAFNOSUPPORT, "no such family")

    monkeypatch.setattr(finder_module, "open_datagram", refused)
    with pytest.raises(MachineFault, match="no network to ask in"):
        here.search()


def test_a_closed_search_hears_nothing(here: Lan) -> None:
    search = here.search(timeout=0.01)
    search.close()
    search.close()
    here.reactor.turn(0.02)
    assert here.results == []
