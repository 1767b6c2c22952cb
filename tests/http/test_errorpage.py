"""Pages of the server's own."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from poise.http.errorpage import error_reply
from poise.http.page import escape, page
from poise.http.style import BRIEF_HASH, BRIEF_STYLE, STYLE, STYLE_HASH
from poise.limits import HttpLimits
from poise.wire.http.statuses import REASONS


def text_of(body: object) -> str:
    assert isinstance(body, bytes)
    return body.decode("utf-8")


@pytest.mark.parametrize("status", [status for status in REASONS if status >= 400])
def test_every_error_has_a_page(status: int) -> None:
    reply = error_reply(status, "what happened")
    text = text_of(reply.body)
    assert reply.status == status
    assert f"{status} {escape(REASONS[status])}</p>" in text
    assert "<h1>What happened.</h1>" in text
    assert reply.validator is None
    fields = dict(reply.fields)
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert ("Retry-After" in fields) is (status == 503)


def test_a_status_without_a_name_or_a_detail_has_one_too() -> None:
    assert "<h1>Error.</h1>" in text_of(error_reply(499).body)
    assert "<h1>Not Found.</h1>" in text_of(error_reply(404).body)
    assert "<h1>Why?</h1>" in text_of(error_reply(400, "why?").body)


def test_a_reply_takes_fields_besides_its_own() -> None:
    reply = error_reply(405, "no", [("Allow", "GET")])
    assert reply.fields[-1] == ("Allow", "GET")


def test_when_to_come_again_is_a_limit() -> None:
    reply = error_reply(503, "busy", limits=HttpLimits(retry_after=7))
    assert dict(reply.fields)["Retry-After"] == "7"


def test_a_line_of_text_for_those_who_read_no_pages() -> None:
    reply = error_reply(503, "too much at once", [("X", "y")], plain=True)
    assert text_of(reply.body) == "503 Service Unavailable: Too much at once.\n"
    assert reply.fields == (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("Retry-After", "1"),
        ("X", "y"),
    )


@pytest.mark.attack(23)
def test_a_detail_is_text() -> None:
    text = text_of(error_reply(400, "</h1><script>'\"&\udcff").body)
    assert "<h1>&lt;/h1&gt;&lt;script&gt;&#39;&quot;&amp;?.</h1>" in text
    assert "<title>&lt;b&gt;</title>" in text_of(page("<b>", "{title}"))


def test_the_policy_allows_the_style_and_nothing_else() -> None:
    for style, said in ((STYLE, STYLE_HASH), (BRIEF_STYLE, BRIEF_HASH)):
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"sha256-{digest}" == said, "the style has changed: this is its hash"
        assert "</" not in style
    reply = error_reply(404, "no")
    policy = dict(reply.fields)["Content-Security-Policy"]
    assert f"style-src '{BRIEF_HASH}'" in policy
    assert "default-src 'none'" in policy
    assert f"<style>{BRIEF_STYLE}</style>" in text_of(reply.body)


def test_a_flood_of_errors_is_short() -> None:
    """Whoever asks for what is not there is not sent the look of a table, too."""
    reply = error_reply(404, "There is nothing at this address.")
    assert len(text_of(reply.body)) < 2048 < len(STYLE)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1])
def test_every_text_can_be_read_in_both_themes(theme: int) -> None:
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", re.findall(r":root \{[^}]*\}", STYLE)[theme]))
    for text in ("ink", "quiet", "accent"):
        for ground in ("paper", "hover"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
