"""The parser against requests that others wrote, with what they expect of them (``../shared/data``)."""

from __future__ import annotations

import re

import pytest

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.connection import ServerConnection
from poise.wire.http.head import RequestHead, parse_head
from poise.wire.http.states import State
from tests.http11probe_table import OUTCOMES
from tests.shared_data import FILES, Record, load_records, parameters, with_host
from tests.wire.deviations import DEVIATIONS
from tests.wire.driver import Transcript, byte_by_byte, drive


def parse_with_host(raw: bytes, limits: HttpLimits) -> RequestHead:
    """Most records of parsers, unlike those of servers, leave out the Host that HTTP/1.1 demands."""
    return parse_head(with_host(raw), limits)


def limits_of(record: Record) -> HttpLimits:
    """Our limits for those options of gunicorn's that have a counterpart here."""
    options = dict(re.findall(r"(limit_request_\w+)['\"], ([0-9]+)", " ".join(record.config)))
    line = int(options.get("limit_request_line", HttpLimits().request_line))
    return HttpLimits(request_line=line, fields=int(options.get("limit_request_fields", 100)))


def run(record: Record, *, cut: bool = False) -> Transcript:
    from_server = record.status or record.verdict == "open"
    pieces = byte_by_byte(record.raw) if cut else [record.raw]
    return drive(pieces, limits_of(record), parse_head if from_server else parse_with_host)


def as_expected(record: Record) -> bool:
    """Whether what comes out is what the record asks for."""
    transcript = run(record)
    if record.verdict == "valid":
        return transcript.error is None and bool(transcript.exchanges)
    if transcript.whole:
        return False
    if record.status and transcript.error:
        return transcript.error.status in record.status
    return not record.status or record.close_ok


ALL = [record for name in FILES for record in load_records(name)]


@pytest.mark.parametrize("record", parameters(FILES, "valid", "invalid"))
def test_record(record: Record) -> None:
    if record.id in DEVIATIONS:
        assert not as_expected(record), "this deviation is no longer needed"
    else:
        transcript = run(record)
        assert as_expected(record), f"{record.expected}: {transcript}"


@pytest.mark.parametrize("record", parameters(FILES, "valid", "invalid", "open", "unfinished"))
def test_cutting_the_stream_changes_nothing(record: Record) -> None:
    assert run(record).facts() == run(record, cut=True).facts()


@pytest.mark.parametrize("record", parameters(FILES, "invalid", "open"))
def test_never_a_second_reply(record: Record) -> None:
    assert len(run(record).whole) <= 1


@pytest.mark.parametrize("record", parameters(FILES, "invalid"))
def test_after_a_fault_the_connection_is_over(record: Record) -> None:
    transcript = run(record)
    assert transcript.error is None or transcript.state is State.CLOSED


@pytest.mark.parametrize("record", parameters(["http11probe"], "open"))
def test_record_without_a_verdict(record: Record) -> None:
    outcome = OUTCOMES[record.id]
    transcript = run(record)
    assert transcript.status == outcome.parser, record.expected
    if outcome.parser == 200:
        assert not transcript.error
    assert outcome.parser in outcome.status or outcome.parser in (None, 200)


@pytest.mark.parametrize("record", parameters(["llhttp-requests"], "unfinished"))
def test_a_message_cut_off_at_the_end_of_input(record: Record) -> None:
    connection = ServerConnection(HttpLimits(), parse_with_host)
    connection.feed(record.raw)
    connection.feed_eof()
    if record.raw.endswith(b"\r\n\r\n"):
        assert isinstance(connection.next_event(), RequestHead)
    else:
        with pytest.raises(RequestError, match="ended inside a request head"):
            connection.next_event()


def test_the_tables_name_only_records_that_exist() -> None:
    if not ALL:
        pytest.skip("../shared/data is absent")
    ids = {record.id for record in ALL}
    assert ids >= DEVIATIONS.keys()
    assert {record.id for record in ALL if record.verdict == "open"} == OUTCOMES.keys()
    assert len(ids) == len(ALL)
