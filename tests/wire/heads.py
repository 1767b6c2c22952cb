"""Heads line by line, for the tests of the parser."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from poise.errors import RequestError
from poise.limits import HttpLimits
from poise.wire.http.head import (
    RequestHead,
    parse_head,
)

LIMITS = HttpLimits()


def head(*lines: str, limits: HttpLimits = LIMITS) -> RequestHead:
    return parse_head("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"), limits)


def get(*fields: str) -> RequestHead:
    return head("GET / HTTP/1.1", "Host: a", *fields)


def status_of(call: Callable[[], object]) -> int:
    with pytest.raises(RequestError) as caught:
        call()
    assert str(caught.value) == f"{caught.value.status}: {caught.value.detail}"
    return caught.value.status
