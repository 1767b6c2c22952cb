"""The real program with a ``poise.toml``: what it says is what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client import get
from tests.support.program import serving

pytestmark = pytest.mark.slow

SITE = """
port = 1
[site]
index = ["start.html"]
clean-urls = "redirect"
spa = "app.html"
hide = ["*.bak", "drafts/", "lost.html"]
cors = true
[site.error-pages]
404 = "lost.html"
[site.cache]
"*.css" = "1h"
[[headers]]
values = { X-Site = "mine" }
[[headers]]
for = "/sub/**"
values = { X-Site = "", X-Sub = "1" }
"""

BROWSER = "Accept: text/html,*/*;q=0.8\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "start.html",
        "about.html",
        "app.html",
        "lost.html",
        "a.css",
        "a.bak",
        "drafts/x.html",
        "sub/x.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    (tmp_path / "poise.toml").write_text(SITE)
    return tmp_path


def test_a_file_that_is_found_is_followed_as_far_as_it_may_be(folder: Path) -> None:
    with serving(folder) as served:
        port = served.port
        start = get(port, "/")
        assert (start.status, start.body, start.fields["x-site"]) == (200, b"this is start.html", "mine")
        assert get(port, "/about").body == b"this is about.html"
        for path, target in (("/about.html?q=1", "/about?q=1"), ("/start.html", "/")):
            moved = get(port, path)
            assert (moved.status, moved.fields["location"], moved.fields["cache-control"]) == (
                308,
                target,
                "no-store",
            )
        assert get(port, "/a.css").fields["cache-control"] == "max-age=3600"
        assert get(port, "/about").fields["cache-control"] == "no-cache"
        sub = get(port, "/sub/x.txt")
        assert ("x-site" in sub.fields, sub.fields["x-sub"]) == (False, "1")
        assert "access-control-allow-origin" not in start.fields
        assert served.stderr.count("has no effect in a file that was only found") == 2


@pytest.mark.attack(14)
def test_what_is_hidden_is_answered_like_what_is_not_there(folder: Path) -> None:
    with serving(folder) as served:
        missing = get(served.port, "/nothing.txt")
        assert (missing.status, missing.body) == (404, b"this is lost.html")
        missing.fields.pop("date")
        for path in (
            "/a.bak",
            "/A.BAK",
            "/%61.bak",
            "/drafts/",
            "/drafts",
            "/drafts/x.html",
            "/lost.html",
            "/poise.toml",
        ):
            hidden = get(served.port, path)
            hidden.fields.pop("date")
            assert hidden == missing, path
        listing = get(served.port, "/sub/").body
        assert b"x.txt" in listing


def test_the_fallback_is_for_people_who_go_somewhere(folder: Path) -> None:
    with serving(folder) as served:
        page = get(served.port, "/users/42", fields=BROWSER)
        assert (page.status, page.body) == (200, b"this is app.html")
        assert get(served.port, "/users/42", fields=BROWSER, method="HEAD").status == 200
        assert get(served.port, "/drafts", fields=BROWSER).body == b"this is app.html"
        for path, fields in (
            ("/users/42", ""),
            ("/users/42", "Accept: */*\r\n"),
            ("/users/42", f"{BROWSER}Sec-Fetch-Mode: cors\r\n"),
            ("/users/42.js", BROWSER),
        ):
            assert get(served.port, path, fields=fields).status == 404


def test_a_file_that_is_named_may_let_others_read(folder: Path) -> None:
    (folder / "poise.toml").rename(folder / "mine.toml")
    with serving(folder, "--config", str(folder / "mine.toml")) as served:  # --port 0 is typed, and wins
        for path in ("/", "/nothing.txt"):
            assert (
                get(served.port, path, fields="Origin: https://a.example\r\n").fields[
                    "access-control-allow-origin"
                ]
                == "*"
            )
        asked = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n"
        preflight = get(served.port, "/a.bak", fields=asked, method="OPTIONS")
        assert (preflight.status, preflight.fields["access-control-allow-methods"]) == (204, "GET, HEAD")
        assert get(served.port, "/mine.toml").status == 404
        assert served.stderr.count("poise: ") == 0
