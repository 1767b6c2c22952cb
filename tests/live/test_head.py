"""HEAD is GET without its body, in every field of every reply (RFC 9110, 9.3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.every_reply import ASKS, PARTS, SITE, SITE_ASKS, Ask, Heard, ask, filled, make_tree
from tests.support.client import connected
from tests.support.clients import POLLERS
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module", params=POLLERS)
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    with serving(folder, "--poller", request.param) as running:
        yield running


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Served]:
    with serving(folder, *SITE) as running:
        yield running


def said(heard: Heard) -> tuple[str, list[tuple[str, str]]]:
    """All of the head but the time."""
    return heard.line, [field for field in heard.fields if field[0] != "Date"]


def body_is_none(heard: Heard) -> bool:
    return heard.answer.body == b""


def same_but_for_the_body(port: int, asked: Ask) -> None:
    with connected(port) as sock:
        fields = filled(sock, asked)
        get, head = (ask(sock, method, asked.path, fields) for method in ("GET", "HEAD"))
        assert get.answer.status == asked.status
        assert said(head) == said(get)
        assert body_is_none(head)
        # Once more, since the first two may have been remembered, and the other way round.
        head, get = (ask(sock, method, asked.path, fields) for method in ("HEAD", "GET"))
        assert said(head) == said(get)


@pytest.mark.parametrize("asked", ASKS, ids=lambda asked: asked.name)
def test_head_is_get_without_its_body(served: Served, asked: Ask) -> None:
    same_but_for_the_body(served.port, asked)


@pytest.mark.parametrize("asked", SITE_ASKS, ids=lambda asked: asked.name)
def test_the_same_with_rules(site: Served, asked: Ask) -> None:
    same_but_for_the_body(site.port, asked)


@pytest.mark.parametrize("asked", PARTS, ids=lambda asked: asked.name)
def test_head_has_no_parts(served: Served, asked: Ask) -> None:
    with connected(served.port) as sock:
        fields = filled(sock, asked)
        whole = tuple(field for field in fields if field[0] not in ("Range", "If-Range"))
        assert ask(sock, "GET", asked.path, fields).answer.status == asked.status
        head = ask(sock, "HEAD", asked.path, fields)
        # A part of a file is never compressed now; without the Range it would be.
        assert said(head) == said(ask(sock, "HEAD", asked.path, whole))
        assert body_is_none(head)
