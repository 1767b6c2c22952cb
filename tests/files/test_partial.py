"""Parts of files, over real HTTP: which bytes come, how they are framed, and who closes the file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.files.entity import Entity
from poise.files.locate import Root
from poise.files.partial import Parts, if_range_holds, partial_reply
from poise.limits import FileLimits
from poise.net.outgoing import Truncated
from poise.readiness.poller import available
from poise.wire.http.dates import http_date
from poise.wire.http.head import Fields
from poise.wire.http.ranges import Span
from tests.files.support import answered, body_of, fields_of, put, request, site_of
from tests.http.web import SMALL_QUEUE, Web, get, web
from tests.shared_data import table
from tests.support.client import Answer

TEN = b"0123456789"
ELEVEN = b"0123456789\n"
NOW = 1_800_000_000.25
MODIFIED = 1_700_000_000
ENTITY = Entity('"tag"', MODIFIED)
TAG = f'"{MODIFIED * 10**9:x}-a"'
"""Of ten bytes."""

LATE = http_date(MODIFIED)

Part = tuple[Span, bytes]


@contextmanager
def shelf(folder: Path, content: bytes, **options: Any) -> Iterator[Web]:
    """A site with one file, and a server before it."""
    put(folder / "file.txt", content)
    with Root(folder) as root, web(site_of(root, NOW).reply, **options) as made:
        yield made


@pytest.fixture
def ten(tmp_path: Path) -> Iterator[Web]:
    with shelf(tmp_path, TEN) as made:
        yield made


def ask(web: Web, fields: str, method: str = "GET") -> Answer:
    """The answer on a connection of its own."""
    client = web.client()
    client.send(get("/file.txt", fields, method=method))
    answer = client.answer(method)
    client.close()
    return answer


def parts_of(answer: Answer, content: bytes) -> list[Part]:
    """The parts of a 206, each with the span that it says it is; checked to the last byte."""
    assert answer.status == 206
    kind = answer.fields["content-type"]
    boundary = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-f]{32})", kind)
    if boundary is None:
        assert kind == "text/plain; charset=utf-8"
        return [(span_of(answer.fields["content-range"], len(content)), answer.body)]
    assert "content-range" not in answer.fields, "it would make one part of them"
    parts, at, body = [], 0, answer.body
    delimiter = b"--" + boundary[1].encode()
    while not body.startswith(delimiter + b"--", at):
        assert body.startswith(delimiter + b"\r\n", at)
        start = body.index(b"\r\n\r\n", at) + 4
        lines = body[at:start].decode().split("\r\n")
        assert lines[1] == "Content-Type: text/plain; charset=utf-8"
        span = span_of(lines[2].removeprefix("Content-Range: "), len(content))
        at = start + span[1]
        parts.append((span, body[start:at]))
        assert body.startswith(b"\r\n", at)
        at += 2
    assert body[at:] == delimiter + b"--\r\n"
    return parts


def span_of(value: str, size: int) -> Span:
    match = re.fullmatch(rf"bytes ([0-9]+)-([0-9]+)/{size}", value)
    assert match is not None, value
    return int(match[1]), int(match[2]) - int(match[1]) + 1


def spans_of(answer: Answer, content: bytes) -> list[Span] | int:
    """What was sent: the spans of a 206, else the status. The bytes are compared."""
    if answer.status != 206:
        assert "content-range" not in answer.fields or answer.status == 416
        return answer.status
    parts = parts_of(answer, content)
    assert all(part == content[first : first + length] for (first, length), part in parts)
    return [span for span, _ in parts]


@pytest.mark.parametrize("case", table("go-range-table"))
def test_every_request_of_the_go_table(tmp_path: Path, case: dict[str, Any]) -> None:
    expected = [(first, end - first) for first, end in case["ranges"]] or case["status"]
    with shelf(tmp_path, ELEVEN) as made:
        answer = ask(made, f"Range: {case['range']}\r\n")
        assert answer.status == case["status"]
        assert spans_of(answer, ELEVEN) == expected
        assert answer.body == ELEVEN or answer.status != 200
        assert answer.fields["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(value, expected, marks=pytest.mark.attack(case), id=f"{case}-{value[:40]}")
        for case, value, expected in [
            (34, "bytes=0-18446744073709551615", [(0, 10)]),
            (34, "bytes=-5,-9223372036854774591", 200),
            (34, "bytes=-9223372036854775808,-9223372036854775808", 200),
            (34, "bytes=-0", 416),
            (34, "bytes=10-1", 200),
            (34, "bytes=10-", 416),
            (34, "bytes= 0 - 5", [(0, 6)]),
            (34, "bytes=abc", 200),
            (34, "items=0-1", 200),
            (34, f"bytes={'9' * 9000}-", 416),
            (34, f"bytes=1-{'9' * 9000}", [(1, 9)]),
            (35, "bytes=" + "0-," * 10_000, 200),
            (35, "bytes=" + ",".join(["0-0"] * 64), 200),
            (35, "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4_000, 2)), 200),
            (35, "bytes=0-0,2-2,4-4,6-6,8-8", [(0, 1), (2, 1), (4, 1), (6, 1), (8, 1)]),
            (35, "bytes=8-8,6-6,4-4,2-2,0-0", [(8, 1), (6, 1), (4, 1), (2, 1), (0, 1)]),
            (35, "bytes=1-1,0-0,2-2", [(0, 3)]),
            (36, "bytes=-10", [(0, 10)]),
            (36, "bytes=-11", [(0, 10)]),
            (36, "bytes=-9999999999999999999999", [(0, 10)]),
            (36, "bytes=11-20", 416),
            (36, "bytes=11-20,12-,-0", 416),
            (36, "bytes=11-20,0-0", [(0, 1)]),
        ]
    ],
)
def test_an_attack_gets_its_bytes_once_or_the_whole(ten: Web, value: str, expected: list[Span] | int) -> None:
    answer = ask(ten, f"Range: {value}\r\n")
    assert spans_of(answer, TEN) == expected
    assert answer.body == {200: TEN, 416: b""}.get(answer.status, answer.body)


@pytest.mark.attack(34)
@pytest.mark.parametrize("value", ["bytes=-5", "bytes=0-", "bytes=0-0", "bytes=1-", "bytes=-0"])
def test_nothing_is_cut_from_an_empty_file(tmp_path: Path, value: str) -> None:
    """RFC 9110, 14.2: Range may be ignored then. A 416 would break clients that always ask for a range."""
    with shelf(tmp_path, b"") as made:
        answer = ask(made, f"Range: {value}\r\n")
        assert (answer.status, answer.fields["content-length"], answer.body) == (200, "0", b"")


@pytest.mark.attack(36)
def test_what_cannot_be_satisfied_is_said_without_a_body(ten: Web) -> None:
    answer = ask(ten, "Range: bytes=10-\r\n")
    assert answer.status == 416
    assert answer.fields["content-range"] == "bytes */10"
    assert answer.fields["accept-ranges"] == "bytes"
    assert answer.fields["content-length"] == "0"
    assert answer.body == b""


@pytest.mark.parametrize(("value", "expected"), [("bytes=2-4", [(2, 3)]), ("bytes=0-1,5-", [(0, 2), (5, 5)])])
def test_a_part_has_the_fields_of_the_whole(ten: Web, value: str, expected: list[Span]) -> None:
    whole, part = ask(ten, ""), ask(ten, f"Range: {value}\r\n")
    assert whole.status == 200
    assert whole.body == TEN
    assert spans_of(part, TEN) == expected
    for name in ("accept-ranges", "last-modified", "etag", "cache-control", "x-content-type-options", "vary"):
        assert part.fields[name] == whole.fields[name]
    assert whole.fields["accept-ranges"] == "bytes"
    assert whole.fields["last-modified"] == LATE
    assert whole.fields["etag"] == TAG
    assert "content-range" not in whole.fields
    assert part.fields["content-length"] == str(len(part.body))
    assert "transfer-encoding" not in part.fields


def test_a_file_without_validators_has_parts_too(tmp_path: Path) -> None:
    with shelf(tmp_path, TEN) as made:
        put(tmp_path / "file.txt", TEN, modified=0)
        answer = ask(made, "Range: bytes=2-4\r\n")
        assert spans_of(answer, TEN) == [(2, 3)]
        assert not {"etag", "last-modified"} & answer.fields.keys()
        assert ask(made, f"Range: bytes=2-4\r\nIf-Range: {http_date(0)}\r\n").status == 200


@pytest.mark.parametrize(
    "fields",
    [
        "Range: bytes=2-4\r\n",
        "Range: bytes=0-1,5-\r\n",
        "Range: bytes=10-\r\n",
        f"Range: bytes=2-4\r\nIf-Range: {TAG}\r\n",
    ],
)
def test_head_is_the_get_without_its_range(ten: Web, fields: str) -> None:
    """RFC 9110, 14.2: a Range MUST be ignored with a method for which it is not defined; it is for GET."""
    assert ask(ten, fields, "HEAD").fields == ask(ten, "").fields
    assert ask(ten, fields, "HEAD").status == 200


def test_two_range_fields_are_no_range(ten: Web) -> None:
    assert ask(ten, "Range: bytes=0-1\r\nRange: bytes=3-4\r\n").status == 200


@pytest.mark.parametrize("minor", [0, 1])
def test_several_parts_leave_the_connection_open(ten: Web, minor: int) -> None:
    """Their length is known, so that nothing else has to end them, in HTTP/1.0 either."""
    client = ten.client()
    for _ in range(3):
        client.send(get("/file.txt", "Range: bytes=0-1,5-\r\nConnection: keep-alive\r\n", minor=minor))
        assert spans_of(client.answer(), TEN) == [(0, 2), (5, 5)]


def test_an_independent_reader_finds_the_parts(ten: Web) -> None:
    answer = ask(ten, "Range: bytes=8-,0-1,4-4\r\n")
    mime = f"Content-Type: {answer.fields['content-type']}\r\n\r\n".encode() + answer.body
    message = message_from_bytes(mime)
    assert not message.defects
    parts: Any = message.get_payload()
    assert [part.get_payload() for part in parts] == ["89", "01", "4"]
    assert [part["Content-Range"] for part in parts] == ["bytes 8-9/10", "bytes 0-1/10", "bytes 4-4/10"]
    assert {part.get_content_type() for part in parts} == {"text/plain"}


def test_no_two_replies_have_the_same_boundary(ten: Web) -> None:
    kinds = {ask(ten, "Range: bytes=0-0,5-5\r\n").fields["content-type"] for _ in range(20)}
    assert len(kinds) == 20


# --- If-Range ---------------------------------------------------------------------------------------------


@pytest.mark.attack(37)
@pytest.mark.parametrize(
    ("value", "entity", "holds"),
    [
        ('"tag"', ENTITY, True),
        ('"TAG"', ENTITY, False),
        ('"tag', ENTITY, False),
        ("tag", ENTITY, False),
        ('"tag", "tag"', ENTITY, False),
        ('W/"tag"', ENTITY, False),
        ('"tag"', Entity('W/"tag"', MODIFIED), False),
        ('W/"tag"', Entity('W/"tag"', MODIFIED), False),
        ('"tag"', Entity(None, MODIFIED), False),
        ("*", ENTITY, False),
        ("", ENTITY, False),
        (LATE, ENTITY, True),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", ENTITY, True),
        ("Tue Nov 14 22:13:20 2023", ENTITY, True),
        (http_date(MODIFIED + 1), ENTITY, False),  # exactly, not "not since"
        (http_date(MODIFIED - 1), ENTITY, False),
        ("Mon, 14 Nov 2023 22:13:20 GMT", ENTITY, False),  # it was a Tuesday
        ("yesterday", ENTITY, False),
        ("Mon, 01 Jan 0001 00:00:00 GMT", ENTITY, False),
        (f"{LATE}, {LATE}", ENTITY, False),
        (LATE, Entity('"tag"', None), False),
        (LATE, Entity(None, MODIFIED), True),
        (http_date(NOW - 1), Entity('"tag"', int(NOW) - 1), True),
        (http_date(NOW), Entity('W/"tag"', int(NOW)), False),  # weak: it may change again in this second
        (http_date(NOW + 9), Entity('"tag"', int(NOW) + 9), False),
    ],
)
def test_a_range_counts_only_for_what_the_client_has(value: str, entity: Entity, holds: bool) -> None:
    assert if_range_holds(Fields([("If-Range", value)]), entity, NOW) is holds


def test_without_if_range_every_range_counts() -> None:
    assert if_range_holds(Fields(), Entity(None, None), NOW)


@pytest.mark.attack(37)
@pytest.mark.parametrize(
    ("value", "status"), [(TAG, 206), ('"old"', 200), (f"W/{TAG}", 200), (LATE, 206), ("junk", 200)]
)
@pytest.mark.parametrize("asked", ["bytes=2-4", "bytes=0-1,5-", "bytes=99-"])
def test_a_stale_range_gets_the_whole(ten: Web, asked: str, value: str, status: int) -> None:
    answer = ask(ten, f"Range: {asked}\r\nIf-Range: {value}\r\n")
    if status == 200:
        assert (answer.status, answer.body) == (200, TEN)
    else:
        assert answer.status == (416 if asked == "bytes=99-" else 206)


def test_if_range_without_a_range_means_nothing(ten: Web) -> None:
    assert ask(ten, 'If-Range: "old"\r\n').fields == ask(ten, "").fields


# --- long ones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("poller", available())
def test_long_parts_are_sent_piece_by_piece(tmp_path: Path, poller: str) -> None:
    content = os.urandom(3_000_000)
    with shelf(tmp_path, content, poller=poller, stream_limits=SMALL_QUEUE, logged=True) as made:
        client = made.client(receive_buffer=4096)
        client.send(get("/file.txt", "Range: bytes=2000000-2999999,5-5,100-1000099\r\n"))
        made.turns(200)
        (stream,) = made.listener.streams
        assert stream.get_write_buffer_size() < 4 * stream.limits.high_water
        answer = client.answer()
        assert spans_of(answer, content) == [(2_000_000, 1_000_000), (5, 1), (100, 1_000_000)]
        assert made.lines() == [f'GET /file.txt HTTP/1.1" 206 {len(answer.body)}']


def test_a_client_that_leaves_in_the_middle_leaves_no_file_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with shelf(tmp_path, bytes(3_000_000), stream_limits=SMALL_QUEUE) as made:
        client = made.client(receive_buffer=4096)
        client.send(get("/file.txt", "Range: bytes=0-999999,2000000-\r\n"))
        client.wait(1000)
        opened = len(os.listdir("/proc/self/fd"))
        client.close()
        made.gone()
        assert opened - len(os.listdir("/proc/self/fd")) == 3, "the file and both ends of the connection"
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.attack(39)
def test_a_file_that_shrinks_while_its_parts_are_sent_cuts_the_connection(tmp_path: Path) -> None:
    with shelf(tmp_path, bytes(3_000_000), stream_limits=SMALL_QUEUE) as made:
        client = made.client(receive_buffer=4096)
        client.send(get("/file.txt", "Range: bytes=0-999999,2000000-\r\n"))
        client.wait(1000)
        os.truncate(tmp_path / "file.txt", 2_500_000)
        data = client.end()
        declared = re.search(rb"Content-Length: ([0-9]+)\r\n", data)
        assert declared is not None
        assert len(data) < int(declared[1])
        assert client.reset
        made.gone()


@pytest.mark.attack(39)
def test_a_file_that_grows_is_sent_as_it_was_promised(tmp_path: Path) -> None:
    with shelf(tmp_path, bytes(3_000_000), stream_limits=SMALL_QUEUE) as made:
        client = made.client(receive_buffer=4096)
        client.send(get("/file.txt", "Range: bytes=0-999999,2000000-\r\n"))
        client.wait(1000)
        os.truncate(tmp_path / "file.txt", 4_000_000)
        assert spans_of(client.answer(), bytes(3_000_000)) == [(0, 1_000_000), (2_000_000, 1_000_000)]


# --- bodies by themselves ---------------------------------------------------------------------------------


def parts(path: Path, content: bytes, spans: Sequence[Span], **limits: int) -> Parts:
    fd = os.open(put(path / "file", content), os.O_RDONLY)
    return Parts(fd, spans, len(content), "a/b", FileLimits(**limits))


def test_small_parts_leave_in_one_piece(tmp_path: Path) -> None:
    body = parts(tmp_path, bytes(1000), [(n, 1) for n in range(0, 128, 2)])
    pieces = list(body)
    body.close()
    assert len(pieces) == 1
    assert len(pieces[0]) == body.length


@pytest.mark.parametrize("part", [1, 7, 100, 1000])
def test_no_piece_is_much_longer_than_the_limit(tmp_path: Path, part: int) -> None:
    content = os.urandom(5000)
    spans = [(4000, 1000), (0, 1), (7, 2000)]
    with_one = parts(tmp_path, content, spans, part=10**6)
    whole = b"".join(with_one)
    body = parts(tmp_path, content, spans, part=part)
    pieces = list(body)
    overhead = (
        len(b"Content-Type: a/b\r\nContent-Range: bytes 4000-4999/5000\r\n\r\n\r\n") + 2 * len("--\r\n") + 64
    )
    assert max(len(piece) for piece in pieces) <= part + overhead
    assert b"".join(pieces).replace(body.boundary.encode(), with_one.boundary.encode()) == whole
    assert len(whole) == body.length == with_one.length
    body.close()
    with_one.close()


def test_a_file_that_was_cut_before_the_first_piece(tmp_path: Path) -> None:
    body = parts(tmp_path, TEN, [(0, 2), (5, 5)])
    os.truncate(tmp_path / "file", 6)
    with pytest.raises(Truncated):
        list(body)
    body.close()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    body = Parts(os.open(tmp_path, os.O_RDONLY), [(0, 1), (2, 1)], 10, "a/b", FileLimits())
    with pytest.raises(OSError, match=os.strerror(errno.EISDIR)):
        list(body)
    body.close()


@pytest.mark.parametrize("spans", [[], [(2, 3)], [(0, 1), (2, 1)]])
def test_an_unsent_reply_closes_its_file(tmp_path: Path, spans: list[Span]) -> None:
    """And so does every other test here: one that leaves a descriptor open fails."""
    fd = os.open(put(tmp_path / "file", TEN), os.O_RDONLY)
    reply = partial_reply(fd, spans, size=10, media_type="a/b", entity=ENTITY)
    assert reply.status == (206 if spans else 416)
    reply.close()
    reply.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_media_type_that_breaks_out_of_its_line_closes_the_file(tmp_path: Path) -> None:
    fd = os.open(put(tmp_path / "file", TEN), os.O_RDONLY)
    with pytest.raises(ValueError, match="breaks the grammar"):
        partial_reply(fd, [(0, 1), (2, 1)], size=10, media_type="a\r\nb", entity=ENTITY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_the_number_of_ranges_is_a_limit(tmp_path: Path) -> None:
    put(tmp_path / "file.txt", bytes(1000))
    for count, most, status in ((64, None, 206), (65, None, 200), (2, 2, 206), (3, 2, 200)):
        asked = "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(count))
        limits = FileLimits() if most is None else FileLimits(ranges=most)
        with Root(tmp_path, limits=limits) as root:
            reply = answered(site_of(root), request("/file.txt", fields={"Range": asked}))
            assert reply.status == status
            reply.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(min_size=1, max_size=60),
    asked=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), min_size=1, max_size=6),
    part=st.integers(1, 200),
)
def test_whatever_is_asked_for_is_what_comes(
    tmp_path: Path, content: bytes, asked: list[Span], part: int
) -> None:
    put(tmp_path / "file.txt", content)
    value = "bytes=" + ",".join(f"{first}-{first + length}" for first, length in asked)
    with Root(tmp_path, limits=FileLimits(part=part)) as root:
        reply = answered(site_of(root), request("/file.txt", fields={"Range": value}))
    declared = reply.length
    answer = Answer(reply.status, fields_of(reply), body_of(reply))
    assert len(answer.body) == declared
    wanted = {byte for first, length in asked for byte in range(first, first + length + 1)} & set(
        range(len(content))
    )
    if answer.status == 206:
        sent = [byte for first, length in spans_of(answer, content) for byte in range(first, first + length)]  # type: ignore[union-attr]  # spans, of a 206
        assert sorted(sent) == sorted(wanted)
    elif answer.status == 416:
        assert not wanted
    else:
        assert sum(
            min(length + 1, len(content) - first) for first, length in asked if first < len(content)
        ) > len(content)
