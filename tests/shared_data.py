"""The independent request data of ``../shared/data``: bytes that others wrote, with what they expect of them.

The files lie beside the repository and not in it. Where they are absent, a test says so and is skipped.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = ("http11probe", "gunicorn-requests", "llhttp-requests")


@dataclass(frozen=True, slots=True)
class Record:
    """One byte stream for one fresh connection.

    ``verdict`` is ``valid``, ``invalid``, ``open`` (left to a table by hand) or ``unfinished`` (a message cut
    off on purpose). ``status`` and ``close_ok`` are http11probe's machine verdict: what may be answered,
    where "2xx" stands for all of them, and whether to close without an answer is right as well.
    """

    id: str
    raw: bytes
    verdict: str
    expected: str
    status: tuple[int | str, ...] = ()
    close_ok: bool = False
    config: tuple[str, ...] = ()


def load_records(name: str) -> list[Record]:
    """The records of ``../shared/data/{name}.jsonl`` under unique ids; none when the file is absent."""
    path = FOLDER / f"{name}.jsonl"
    if not path.is_file():
        return []
    seen: Counter[str] = Counter()
    records = []
    for line in path.read_text("utf-8").splitlines():
        source = json.loads(line)
        seen[source["id"]] += 1
        again = f" ({seen[source['id']]})" if seen[source["id"]] > 1 else ""
        records.append(_record(source, source["id"] + again))
    return records


def parameters(names: Iterable[str], *verdicts: str) -> list[Any]:
    """Records with one of ``verdicts`` as pytest parameters; an absent file gives one skipped test that names
    it."""
    found: list[Any] = []
    for name in names:
        records = load_records(name)
        found += [pytest.param(each, id=each.id) for each in records if each.verdict in verdicts]
        if not records:
            mark = pytest.mark.skip(reason=f"../shared/data/{name}.jsonl is absent")
            found.append(pytest.param(None, id=name, marks=mark))
    return found


def table(name: str) -> list[Any]:
    """The cases of ``../shared/data/{name}.json`` as pytest parameters; an absent file gives one skipped test."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return [
            pytest.param(
                None, id=name, marks=pytest.mark.skip(reason=f"../shared/data/{name}.json is absent")
            )
        ]
    return json.loads(path.read_text("utf-8"))["cases"]  # type: ignore[no-any-return]  # as JSON has it


def with_host(raw: bytes) -> bytes:
    """``raw`` with a Host behind the request line when it begins with an HTTP/1.1 head that has none."""
    end = raw.find(b"\r\n", 2)
    head = raw[: raw.find(b"\r\n\r\n") + 4]
    if not raw[:end].endswith(b" HTTP/1.1") or b"\nhost:" in head.lower():
        return raw
    return raw[: end + 2] + b"Host: example.com\r\n" + raw[end + 2 :]


def _record(source: dict[str, Any], name: str) -> Record:
    accept = source.get("accept") or {}
    return Record(
        id=name,
        raw=base64.b64decode(source["raw_b64"]),
        verdict=_verdict(source),
        expected=source["expected_text"],
        status=tuple(accept.get("status", ())),
        close_ok=accept.get("close_ok", False),
        config=tuple(source.get("config", ())),
    )


def _verdict(source: dict[str, Any]) -> str:
    if "suite" in source:  # http11probe
        if not source.get("accept"):
            return "open"
        return "valid" if "2xx" in source["accept"]["status"] else "invalid"
    if "kind" in source:  # gunicorn
        return str(source["kind"])
    if source["mode"] == "request-finish":
        return "unfinished"
    if source["mode"] != "request":  # llhttp: lenient modes are valid for a lenient parser only
        return "invalid"
    # llhttp stops at CONNECT and Upgrade to hand the connection over, which is not a fault of the request.
    whole = source["expected_text"].startswith(("parse ok", "error 22 Pause"))
    return "valid" if whole else "invalid"
