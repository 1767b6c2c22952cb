"""The access log: one line per request, and nothing in it that acts on its reader."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from poise.http import log as log_module
from poise.http.log import AccessLog, escape, local_stamp
from poise.limits import LogLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from tests.http.web import get, web


class Logged:
    def __init__(self, limits: LogLimits | None = None) -> None:
        self.clock = ManualClock(100.0, wall=1_800_000_000.5)
        self.reactor = Reactor(clock=self.clock)
        self.written: list[str] = []
        self.log = AccessLog(self.reactor, self.written.append, limits)


@pytest.fixture
def logged() -> Iterator[Logged]:
    made = Logged(LogLimits(delay=1.0))
    yield made
    made.reactor.close()


LINE = re.compile(r'(\S+) - - \[(\d\d/[A-Z][a-z][a-z]/\d{4}(?::\d\d){3} [+-]\d{4})\] "([^"]*)" (\d+) (\d+)\n')


def test_a_line_is_in_the_common_log_format(logged: Logged) -> None:
    logged.log.add("192.0.2.1", "GET /a?b HTTP/1.1", 200, 1234)
    logged.log.flush()
    (text,) = logged.written
    match = LINE.fullmatch(text)
    assert match, text
    assert match.groups() == ("192.0.2.1", local_stamp(1_800_000_000), "GET /a?b HTTP/1.1", "200", "1234")


def test_a_client_without_an_address(logged: Logged) -> None:
    logged.log.add("", "-", 400, 0)
    logged.log.flush()
    assert re.fullmatch(r'- - - \[.*\] "-" 400 0\n', logged.written[0])


def test_a_line_has_the_time_of_its_request_not_of_its_writing(logged: Logged) -> None:
    logged.log.add("a", "one", 200, 0)
    logged.reactor.turn(0)
    logged.clock.advance(0.9)
    logged.reactor.turn(0)
    logged.log.add("a", "two", 200, 0)
    logged.log.flush()
    stamps = [line.split("[")[1].split("]")[0] for line in logged.written[0].splitlines()]
    assert stamps == [local_stamp(1_800_000_000), local_stamp(1_800_000_001)]


def test_the_stamp_is_in_english_whatever_the_locale() -> None:
    for month, name in enumerate(log_module.MONTHS, 1):
        assert f"/{name}/" in local_stamp(1_768_478_400 + (month - 1) * 30 * 86_400 + 43_200)


@pytest.mark.attack(24)
def test_everything_that_would_act_on_a_reader_is_escaped() -> None:
    assert escape("a\x1b[31mb") == "a\\x1b[31mb"
    assert escape('\r\n"\\\x00\x7f\x9b\x85') == '\\x0d\\x0a\\"\\\\\\x00\\x7f\\x9b\\x85'
    assert escape("GET /a?a=b~ HTTP/1.1") == "GET /a?a=b~ HTTP/1.1"
    for code in (*range(32), *range(127, 256)):
        assert escape(chr(code)) == f"\\x{code:02x}"


@pytest.mark.attack(24)
def test_a_request_cannot_forge_a_line(logged: Logged) -> None:
    logged.log.add("a", 'GET /" 200 1\n9.9.9.9 - - [] "GET /b\x1b]0;x\x07', 404, 0)
    logged.log.flush()
    assert logged.written[0].count("\n") == 1
    assert '\\" 200 1\\x0a9.9.9.9' in logged.written[0]
    assert "\x1b" not in logged.written[0]


@pytest.mark.attack(24)
def test_a_target_with_control_bytes_is_refused_and_not_shown() -> None:
    with web(logged=True) as site:
        for bad in (b"\x1b[2J", b"\x7f", b"\x9b", b"a\nb"):
            client = site.client()
            client.send(b"GET /" + bad + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.answer().status == 400
            client.end()
        assert [line.split('"')[0][:9] for line in site.lines()] == [
            "GET /\\x1b",
            "GET /\\x7f",
            "GET /\\x9b",
            "GET /a",
        ]
        text = "".join(site.log)
        assert all(32 <= ord(char) < 127 or char == "\n" for char in text)


def test_lines_wait_for_each_other_and_then_go_together(logged: Logged) -> None:
    for number in range(10):
        logged.log.add("a", f"GET /{number} HTTP/1.1", 200, 0)
        logged.reactor.turn(0)
    assert logged.written == []
    logged.clock.advance(0.99)
    logged.reactor.turn(0)
    assert logged.written == []
    logged.clock.advance(0.02)
    logged.reactor.turn(0)
    assert [text.count("\n") for text in logged.written] == [10]
    logged.clock.advance(5)
    logged.reactor.turn(0)
    assert len(logged.written) == 1
    logged.log.add("a", "x", 200, 0)  # and the time begins anew
    logged.clock.advance(1.01)
    logged.reactor.turn(0)
    assert len(logged.written) == 2


def test_who_watches_sees_a_line_at_once() -> None:
    made = Logged()
    with made.reactor:
        made.log.add("a", "x", 200, 0)
        made.clock.advance(0.1)
        made.reactor.turn(0)
        assert len(made.written) == 1


def test_what_waits_is_bounded_in_bytes() -> None:
    made = Logged(LogLimits(buffer=10_000))
    with made.reactor:
        for _ in range(100):
            made.log.add("a", "x" * 1000, 200, 0)
        assert len(made.written) == 100 // 9
        assert all(len(text) < 11_000 for text in made.written)
        made.log.flush()
        assert sum(text.count("\n") for text in made.written) == 100


def test_flushing_nothing_writes_nothing(logged: Logged) -> None:
    logged.log.flush()
    logged.log.add("a", "x", 200, 0)
    logged.log.flush()
    logged.log.flush()
    assert len(logged.written) == 1


def test_no_log_means_no_line() -> None:
    with web() as site:
        assert site.client().ask(get()).status == 200
        assert site.server.log is None
