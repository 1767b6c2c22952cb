"""Requests that others wrote (``../shared/data``), each on a fresh connection to the real program.

A message marked invalid gets no 2xx and no second reply, and its connection closes: because of the fault, since the
idle timeout is longer than the test's patience. A valid one is understood: whatever a folder of files says to it, it is
no complaint about syntax. What we decide otherwise is listed in tests/wire/deviations.py.

A folder takes no POST and says so (405, and closes) before it reads the body, so a POST whose fault is in its body is sent
a second time as a GET, whose body is read.

All records are sent at once; the tests look at what came back.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.head import parse_head
from tests.http11probe_table import OUTCOMES
from tests.shared_data import FILES, Record, load_records, parameters, with_host
from tests.support.client import Outcome, answers, exchange, exchange_all, never
from tests.support.program import serving
from tests.wire.deviations import DEVIATIONS, FIRST
from tests.wire.test_conformance import limits_of

pytestmark = [pytest.mark.live, pytest.mark.slow]

SYNTAX = frozenset({400, 408, 414, 417, 431, 501, 505})
"""What says that a request was not understood, or never became whole."""

DEADLINE = "1"  # seconds that a request has to become whole
PATIENCE = 5.0  # seconds; more than the deadline, less than the idle timeout


def stream_of(record: Record) -> bytes:
    from_server = bool(record.status) or record.verdict == "open"
    return record.raw if from_server else with_host(record.raw)


def as_get(record: Record) -> bytes:
    """The same stream as a request whose body is read; the empty one when that is how it is."""
    raw = stream_of(record)
    return b"GET " + raw[5:] if raw.startswith(b"POST ") else b""


def hosts(records: list[Record]) -> set[str]:
    """Every name under which a record asks: a server on loopback answers only to those it was told."""
    found = set()
    for record in records:
        raw = stream_of(record)
        try:
            head = parse_head(raw[: raw.find(b"\r\n\r\n") + 4].lstrip(b"\r\n"), HttpLimits())
        except RequestError:
            continue
        found.add(head.host or "")
    return found - {""}


def must_end(record: Record) -> bool:
    if record.verdict == "open":
        return OUTCOMES[record.id].closes
    return record.verdict == "invalid"


def answered(data: bytearray) -> bool:
    """A whole reply has come."""
    found = answers(bytes(data), strict=False)
    return any(each.status >= 200 and each.whole and each.delimited for each in found)


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What came back for each record's id."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_bytes(b"a page")
    records = [record for name in FILES for record in load_records(name)]
    names = [f"--allow-host={name}" for name in sorted(hosts(records))]
    limits = ["--head-timeout", DEADLINE, "--body-timeout", DEADLINE, "--keep-alive-timeout", "60"]
    found: dict[str, Outcome] = {}
    with serving(folder, *limits, *names) as served:
        good = {record.id: stream_of(record) for record in records if record.verdict == "valid"}
        faulty = {record.id: stream_of(record) for record in records if must_end(record)}
        faulty |= {
            f"GET {record.id}": as_get(record) for record in records if must_end(record) and as_get(record)
        }
        open_ended = {record.id: stream_of(record) for record in records if record.id not in good | faulty}
        # A faulty stream is followed to its end; of a good one the first reply is what counts.
        for streams, enough in ((good | open_ended, answered), (faulty, never)):
            outcomes = exchange_all(served.port, list(streams.values()), patience=PATIENCE, enough=enough)
            found.update(zip(streams, outcomes, strict=True))
    # Some are invalid only under a limit that their own project was told in an option.
    for record in records:
        own = limits_of(record)
        if record.verdict == "invalid" and own != HttpLimits():
            options = ["--max-fields", str(own.fields), "--max-request-line", str(own.request_line)]
            with serving(folder, *limits, *options) as served:
                found[record.id] = exchange(served.port, stream_of(record), patience=PATIENCE)
    return found


def finals(outcome: Outcome) -> list[int]:
    return [each.status for each in outcome.answers if each.status >= 200]


@pytest.mark.parametrize("record", parameters(FILES, "valid"))
def test_valid(record: Record, replies: dict[str, Outcome]) -> None:
    outcome = replies[record.id]
    understood = bool(finals(outcome)) and finals(outcome)[0] not in SYNTAX
    assert understood is (record.id not in DEVIATIONS), (finals(outcome), record.expected)


@pytest.mark.parametrize("record", parameters(FILES, "invalid"))
def test_invalid(record: Record, replies: dict[str, Outcome]) -> None:
    outcome = replies[record.id]
    statuses = finals(outcome)
    if DEVIATIONS.get(record.id) == FIRST:
        # The fault lies behind a first request that is whole and right.
        assert len(statuses) <= 2
        assert all(status in SYNTAX for status in statuses[1:]), statuses
        return
    assert len(statuses) <= 1, f"a second reply: {statuses}"
    if record.id not in DEVIATIONS:
        assert not any(200 <= status < 300 for status in statuses), statuses
        assert outcome.ended, "the connection is still open"
        if record.status and statuses:
            assert statuses[0] in {*record.status, 405}, record.expected
            second = replies.get(f"GET {record.id}", outcome)
            assert second.status in record.status, record.expected
            assert second.ended


@pytest.mark.parametrize("record", parameters(["http11probe"], "open"))
def test_record_without_a_verdict(record: Record, replies: dict[str, Outcome]) -> None:
    """Held against the table written by hand."""
    outcome, ours = replies[record.id], OUTCOMES[record.id]
    statuses = finals(outcome)
    if not statuses:
        assert ours.close_ok, "no answer"
        assert outcome.ended
        return
    assert statuses[0] in ours.status | ({405} if as_get(record) else set()), record.expected
    if f"GET {record.id}" in replies:
        second = replies[f"GET {record.id}"]
        assert second.status in ours.status, record.expected
        assert second.ended
    if ours.closes:
        assert outcome.ended, "the connection is still open"
        assert len(statuses) == 1
    first = next(each for each in outcome.answers if each.status >= 200)
    assert first.fields.keys() >= set(ours.fields)
    assert not first.fields.keys() & set(ours.without)


def test_every_reply_is_dated(replies: dict[str, Outcome]) -> None:
    """RFC 9110 section 6.6.1: a server with a clock sends Date in every final reply."""
    form = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] [A-Z][a-z][a-z] 20[0-9][0-9] [0-9:]{8} GMT")
    for name, outcome in replies.items():
        for answer in outcome.answers:
            if answer.status >= 200:
                assert form.fullmatch(answer.fields.get("date", "")), (name, answer.fields)
