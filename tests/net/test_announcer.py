"""Who is answered, with what, how often, and from where."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.limits import DiscoveryLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.net import lan
from poise.net.announcer import Allowance, Announcer
from poise.net.datagram import Datagram
from poise.net.lan import Interface
from poise.readiness.poller import available
from poise.wire import discovery
from poise.wire.discovery import GROUP_IPV4, GROUP_IPV6, Answer, Question, parse, write
from tests.support.datagrams import House, Listener, has_ipv6, housed
from tests.support.discovery import free_port, loopback
from tests.support.scripted import ScriptedPoller

QUERY = b"a query!"
QUESTION = write(Question(QUERY))


IP_RECVTTL = 12  # ip(7), linux/in.h; the socket module does not name it


class Lan:
    """A house whose only link is the loopback."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.reactor = house.reactor
        self.until = house.until
        self.ask_at = free_port()
        self.announcers: list[Announcer] = []

    def announce(
        self, name: str = "here", host: str = "0.0.0.0", port: int = 80, **options: Any
    ) -> Announcer:
        made = Announcer(self.reactor, name, (host, port), ask_at=self.ask_at, **options)
        self.announcers.append(made)
        return made

    def ask(self, to: Any = None, data: bytes = QUESTION, host: str = "127.0.0.1") -> Listener:
        """Send a question from ``host``; the listener hears the answers."""
        transport, heard = self.house.open(local=(host, 0))
        if ":" not in host:
            transport.set_option("broadcast", True)
            transport.set_option("multicast_interface", host)
        transport.sendto(data, to or ("127.255.255.255", self.ask_at))
        return heard


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
        for each in made.announcers:
            each.close()
        assert made.reactor.timers.next_due == float("inf")
        assert house.errors == []


def enough(heard: Listener, count: int) -> bool:
    return len(heard.got) >= count


def said(heard: Listener) -> list[Answer]:
    messages = [parse(data) for data in heard.got]
    assert all(isinstance(each, Answer) for each in messages)
    return [each for each in messages if isinstance(each, Answer)]


def test_two_servers_on_one_port_answer_broadcast_and_multicast(every: Lan) -> None:
    every.announce("one", port=8001)
    every.announce("two", port=8002, scheme="https")
    for to in (
        ("127.255.255.255", every.ask_at),
        ("255.255.255.255", every.ask_at),
        (GROUP_IPV4, every.ask_at),
    ):
        heard = every.ask(to)
        every.until(partial(enough, heard, 2))
        found = sorted((each.name, each.scheme, each.port, each.age) for each in said(heard))
        assert found == [("one", "http", 8001, 0), ("two", "https", 8002, 0)]
        assert {each.query for each in said(heard)} == {QUERY}
        assert len({each.instance for each in said(heard)}) == 2


def test_an_answer_comes_from_the_servers_own_address(here: Lan) -> None:
    here.announce(host="127.0.0.7")
    heard = here.ask()
    here.until(lambda: heard.got)
    assert heard.senders[0][0] == "127.0.0.7"


@pytest.mark.skipif(sys.platform != "linux", reason="the number of the option is Linux's")
def test_an_answer_does_not_pass_a_router(here: Lan) -> None:
    here.announce()
    sock = here.house.far()
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    sock.setblocking(False)
    sock.sendto(QUESTION, ("127.0.0.1", here.ask_at))
    got: list[Any] = []

    def arrived() -> bool:
        try:
            got.append(sock.recvmsg(200, 100))
        except BlockingIOError:
            return False
        return True

    here.until(arrived)
    [(level, kind, ttl)] = got[0][1]
    assert (level, kind, int.from_bytes(ttl, "little")) == (socket.IPPROTO_IP, socket.IP_TTL, 1)
    assert len(got[0][0]) == len(QUESTION)


def test_what_is_no_question_is_not_answered(here: Lan) -> None:
    here.announce()
    answer = write(Answer(QUERY, QUERY, "http", 1, 0, "me"))
    silent = [
        here.ask(data=data) for data in (b"", b"x", QUESTION[:-1], QUESTION + b"\0", answer, bytes(5_000))
    ]
    heard = here.ask()
    here.until(lambda: heard.got)  # and the others came before it
    assert [each.got for each in silent] == [[]] * 6


def test_a_server_on_loopback_answers_nobody_else(here: Lan) -> None:
    """What an outsider asks is heard by the ear, for it is bound to every interface."""
    local = here.announce(host="127.0.0.1")
    assert local.local_only
    assert not local.may_answer("192.0.2.1")
    assert not local.may_answer("fe80::1")
    assert local.may_answer("127.0.0.1")
    assert here.announce().may_answer("192.0.2.1")


def test_a_server_on_loopback_joins_on_loopback_only(here: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    link = loopback()
    joined: list[tuple[str, Any]] = []
    monkeypatch.setattr(Datagram, "join_group", lambda self, group, index: joined.append((group, index)))
    monkeypatch.setattr(lan, "interfaces", lambda: [link, Interface(77, "eth7", "192.0.2.7")])
    here.announce(host="127.0.0.1")
    assert joined == [(GROUP_IPV4, link.index)]
    joined.clear()
    here.announce()
    assert sorted(joined) == sorted([(GROUP_IPV4, link.index), (GROUP_IPV4, 77)])


def test_over_ipv6(here: Lan) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    here.announce("both", host="::")
    heard = here.ask(("::1", here.ask_at), host="::1")
    here.until(lambda: heard.got)
    assert [(each.name, sender[0]) for each, sender in zip(said(heard), heard.senders, strict=True)] == [
        ("both", "::1")
    ]
    heard = here.ask()
    here.until(lambda: heard.got)
    assert [each.name for each in said(heard)] == ["both"]
    only = here.announce("six", host="::1")
    assert len(only._voices) == 1
    linked = here.announce("link", host="fe80::1")  # cannot be bound without its link
    assert linked._voices[0]._mouth is not None
    assert linked._voices[0]._mouth.address[0] == "::"


def test_interfaces_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses here what it refuses there: too many groups, or an interface that went meanwhile."""
    changes: list[tuple[str, int]] = []
    links = [1, 2, 3]

    def change(verb: str) -> Any:
        def changed(_self: Datagram, _group: str, index: int) -> None:
            changes.append((verb, index))
            if index == 3 or verb == "leave":
                raise MachineFault(errno.ENOBUFS, "no more")

        return changed

    monkeypatch.setattr(Datagram, "join_group", change("join"))
    monkeypatch.setattr(Datagram, "leave_group", change("leave"))
    monkeypatch.setattr(lan, "interfaces", lambda: [Interface(index, f"eth{index}") for index in links])
    clock = ManualClock()
    with Reactor(ScriptedPoller(clock=clock), clock=clock) as reactor:
        announcer = Announcer(reactor, "here", ("0.0.0.0", 80), ask_at=free_port())
        assert sorted(changes) == [("join", 1), ("join", 2), ("join", 3)]
        for present, expected in (
            ([1, 2, 3], [("join", 3)]),
            ([1, 4], [("leave", 2), ("join", 4)]),
            ([1, 4], []),
        ):
            links[:] = present
            changes.clear()
            clock.advance(announcer.limits.look)
            reactor.turn(0)
            assert changes == expected
        announcer.close()
        announcer.close()
        clock.advance(announcer.limits.look)
        reactor.turn(0)
        assert reactor.timers.next_due == float("inf")


def test_how_old_it_is() -> None:
    clock = ManualClock()
    with Reactor(ScriptedPoller(clock=clock), clock=clock) as reactor:
        announcer = Announcer(reactor, "here", ("127.0.0.1", 80), ask_at=free_port())
        clock.advance(3_600.9)
        answer = parse(announcer.answer(Question(QUERY)))
        assert isinstance(answer, Answer)
        assert answer.age == 3_600
        announcer.close()


def test_a_host_that_asks_too_often_is_not_answered(here: Lan) -> None:
    clock = here.reactor.clock
    announcer = here.announce(limits=DiscoveryLimits(answers_per_source=2))
    announcer._allowance.take("", clock.monotonic() + 1_000)  # this second lasts as long as the test
    heard = [here.ask() for _ in range(5)]
    other = here.ask(host="127.0.0.2")
    here.until(lambda: other.got)
    assert sum(len(each.got) for each in heard) == 2


def test_allowances() -> None:
    allowance = Allowance(DiscoveryLimits(answers_per_source=2, answers=5))
    assert [allowance.take("a", 10.0) for _ in range(3)] == [True, True, False]
    assert [allowance.take(source, 10.9) for source in "bcde"] == [True, True, True, False]
    assert len(allowance._counts) == 4  # never more than answers: memory is bounded, whoever asks
    assert [allowance.take("a", 11.0) for _ in range(3)] == [True, True, False]


def test_what_cannot_be_announced(here: Lan) -> None:
    with pytest.raises(ValueError, match="a name"):
        here.announce("a\nb")
    with pytest.raises(ValueError, match="a scheme"):
        here.announce(scheme="gopher")


def test_a_port_that_somebody_does_not_share(here: Lan) -> None:
    here.house.far(("0.0.0.0", here.ask_at))
    with pytest.raises(MachineFault, match=f"questions on UDP port {here.ask_at}: Address already in use"):
        here.announce()
    if has_ipv6():  # the IPv6 half of it was open already
        with pytest.raises(MachineFault, match="Address already in use"):
            here.announce(host="::")


def test_an_address_that_is_not_ours(here: Lan) -> None:
    with pytest.raises(MachineFault, match="cannot listen for questions"):
        here.announce(host="192.0.2.99")


def test_after_the_end_nobody_is_answered(here: Lan) -> None:
    ended = here.announce("ended")
    here.announce("lives")
    ended.close()
    heard = here.ask()
    here.until(lambda: heard.got)
    assert [each.name for each in said(heard)] == ["lives"]


def test_the_groups_are_of_the_ranges_that_stay_in_the_network() -> None:
    assert GROUP_IPV4.startswith("239.255.")
    scope = socket.inet_pton(socket.AF_INET6, GROUP_IPV6)[:2]
    assert scope == b"\xff\x12"  # transient, link-local
    assert discovery.PORT > 60_999  # where Linux's own choice of ports ends
