"""What a remembered reply may hang on: a memo that leaves the other fields out of its keys relies on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from poise.files.fieldrules import FieldRule
from poise.files.locate import Root
from poise.files.rules import SiteRules
from poise.files.server import LOOKED_AT
from poise.files.site import Site
from poise.http.gist import CHOOSING
from poise.wire.http.head import Fields
from tests.files.support import LATER, put, request
from tests.live.every_reply import ASKS, SITE_ASKS, Ask


class Spied(Fields):
    """Fields that know which of them were asked for."""

    __slots__ = ("asked",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.asked: set[str] = set()
        super().__init__(pairs)

    def get(self, name: str, default: str | None = None) -> str | None:
        self.asked.add(name)
        return super().get(name, default)

    def get_all(self, name: str) -> tuple[str, ...]:
        self.asked.add(name)
        return super().get_all(name)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


@pytest.mark.parametrize("asked", [*ASKS, *SITE_ASKS], ids=lambda asked: asked.name)
@pytest.mark.parametrize(
    "rules",
    [
        SiteRules(),
        SiteRules(cors=("https://a.example",), spa="app.html"),
        SiteRules(cors=("*",), headers=(FieldRule("**", "X-A", "b"),)),
    ],
    ids=["plain", "rules", "for everybody"],
)
def test_a_remembered_reply_hangs_only_on_what_is_said(tmp_path: Path, asked: Ask, rules: SiteRules) -> None:
    """Heads that agree in LOOKED_AT get the same reply, and those that choose differently only where Vary says so."""
    put(tmp_path / "small.txt", b"hello")
    put(tmp_path / "text.txt", b"all work and no play\n" * 500)
    put(tmp_path / "page.html", b"<p>page</p>")
    put(tmp_path / "app.html", b"<p>app</p>")
    put(tmp_path / "style.css", b"a {}")
    put(tmp_path / "style.css.gz", b"packed")
    with Root(tmp_path) as root:
        site = Site(root, wall=lambda: LATER, rules=rules)
        one = request(asked.path)
        fields = Spied(asked.fields)
        one.head = one.head._replace(fields=fields)
        reply = site.reply(one)
        if reply is None or reply.validator is None:
            return
        if reply.covers is not None:
            return  # it is kept under all that its head says, but for the target
        assert fields.asked <= LOOKED_AT
        varies = any(name.lower() == "vary" for name, _ in reply.fields)
        assert varies or not {name.encode() for name in fields.asked} & CHOOSING
        reply.close()
