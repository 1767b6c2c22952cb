"""What a site may be told, and what follows from it; all of it without a file or a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.files.cors import origin
from poise.files.fieldrules import FOREVER, Field, FieldRule, cache_rule, field_rule, varying
from poise.files.names import Names
from poise.files.rules import FALLBACK_VARY, Shorter, SiteRules
from poise.limits import FileLimits
from poise.wire.http.head import Fields
from poise.wire.http.reply import reply_head

A = (b"a.html",)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def names(path: str) -> Names:
    return tuple(part.encode() for part in path.split("/") if part)


def header(name: str, value: str = "", glob: str = "**") -> FieldRule:
    return field_rule(name, value, glob)


# -- the object -----------------------------------------------------------------------------------------------


def test_without_a_word_a_site_is_what_people_expect() -> None:
    rules = SiteRules()
    assert rules.index_names == (b"index.html", b"index.htm")
    assert (rules.listing, rules.clean_urls, rules.dotfiles, rules.symlinks) == (True, False, False, "inside")
    assert rules.spa_names is None
    assert rules.error_page(404) == (b"404.html",)
    assert rules.error_page(500) is None
    assert not rules.hides(names("a/b"))
    assert rules.hider(()) is None
    fields = [("Content-Type", "text/html"), ("Cache-Control", "no-cache")]
    assert rules.fields_for(fields, A, origin="https://a.example") == fields
    assert (
        rules.preflight(Fields([("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]))
        is None
    )
    assert rules.content_type(A) is None


def test_rules_cannot_be_changed_and_are_equal_by_value() -> None:
    rules = SiteRules(hide=("a",))
    with pytest.raises(AttributeError):
        rules.listing = False  # type: ignore[misc]
    assert rules == SiteRules(hide=("a",))
    assert rules != SiteRules(hide=("b",))
    assert rules.but(hide=("b",)).hides(names("b"))
    assert "limits" not in repr(rules)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"index": ("a/b",)}, "a name without a slash"),
        ({"index": ("",)}, "no path of a file"),
        ({"index": ("..",)}, "leads out"),
        ({"spa": "../x.html"}, "leads out"),
        ({"spa": "a/"}, "no path of a file"),
        ({"spa": "a\\b"}, "a character that no name here can have"),
        ({"spa": "a\0b"}, "a character that no name here can have"),
        ({"error_pages": {"404": "a/../../b"}}, "leads out"),
        ({"error_pages": {"200": "a"}}, "no status of an error"),
        ({"error_pages": {"6xx": "a"}}, "no status of an error"),
        ({"error_pages": {"٤٠٤": "a"}}, "no status of an error"),
        ({"symlinks": "some"}, "inside, all, none; not 'some'"),
        ({"hide": ("a[",)}, "without its"),
        ({"headers": (FieldRule("[", "X-A", "b"),)}, "without its"),
        ({"headers": (FieldRule("**", "X-A", "a\r\nSet-Cookie: b"),)}, "one line of ASCII"),
        ({"cache": (FieldRule("**", "Cache-Control", "a\nb"),)}, "one line of ASCII"),
        ({"cors": ("null",)}, "no origin"),
        ({"hide": ("a" * 30, "b" * 30), "limits": FileLimits(globs=50)}, "more than 50"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        SiteRules(**given)  # type: ignore[arg-type]


# -- hidden ---------------------------------------------------------------------------------------------------


@pytest.mark.attack(3, 5)
def test_hidden_is_what_is_opened_whatever_the_address_looked_like() -> None:
    rules = SiteRules(hide=("private/", "*.bak", "/notes/*.txt"))
    for path in ("private/x", "PRIVATE/x", "a/Private/b/c", "x.BAK", "a/x.bak", "notes/a.txt", "NOTES/A.TXT"):
        assert rules.hides(names(path), folder=False), path
    for path in ("privates/x", "a/private", "x.bak.txt", "notes/a/b.txt", "a/notes/a.txt"):
        assert not rules.hides(names(path), folder=False), path
    assert rules.hides(names("a/private"))  # whoever does not know whether it is a folder hides too much
    assert not rules.hides(())


def test_entries_of_a_folder_are_judged_one_by_one() -> None:
    rules = SiteRules(hide=("drafts/", "/a/*.tmp"))
    at_top, in_a, in_drafts = rules.hider(()), rules.hider(names("a")), rules.hider(names("drafts"))
    assert at_top is not None
    assert in_a is not None
    assert in_drafts is not None
    assert [at_top(b"drafts", True), at_top(b"drafts", False), at_top(b"x.tmp", False)] == [
        True,
        False,
        False,
    ]
    assert [in_a(b"x.tmp", False), in_a(b"drafts", True), in_a(b"x", False)] == [True, True, False]
    assert in_drafts(b"anything", False)


@given(st.lists(st.sampled_from(["a", "B", "a/", "/a/b", "*b*", "**/c", "a/**"]), max_size=4), st.data())
def test_both_ways_to_ask_agree(hide: list[str], data: st.DataObject) -> None:
    rules = SiteRules(hide=tuple(hide))
    path = tuple(data.draw(st.lists(st.sampled_from([b"a", b"b", b"ab", b"c"]), min_size=1, max_size=4)))
    folder = data.draw(st.booleans())
    hider = rules.hider(path[:-1])
    assert rules.hides(path, folder=folder) is (hider is not None and hider(path[-1], folder))
    assert rules.hides(path, folder=folder) <= rules.hides(path)
    assert rules.hides(path) <= rules.hides((*path, b"z"))


# -- other addresses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clean_urls", [True, "redirect"])
def test_clean_urls(clean_urls: bool) -> None:
    rules = SiteRules(clean_urls=clean_urls)
    assert rules.longer(names("docs/about"), slash=False) == names("docs/about.html")
    assert rules.longer(names("v1.2"), slash=False) == names("v1.2.html")
    assert rules.longer(names("about"), slash=True) is None
    assert rules.longer(names("about.html"), slash=False) is None
    assert rules.longer((), slash=True) is None
    assert SiteRules().longer(names("about"), slash=False) is None


def test_the_long_spelling_leads_to_the_short_one_only_when_asked() -> None:
    rules = SiteRules(clean_urls="redirect", index=("start.html", "index.html"))
    assert rules.shorter(names("d/about.html")) == Shorter(
        names=names("d/about"), folder=False, unless=(names("d/about"),)
    )
    assert rules.shorter(names("d/start.html")) == Shorter(names=names("d"), folder=True, unless=())
    assert rules.shorter(names("d/index.html")) == Shorter(
        names=names("d"), folder=True, unless=(names("d/start.html"),)
    )
    assert rules.shorter(names("index.html")) == Shorter(names=(), folder=True, unless=(names("start.html"),))
    for path in ("about", "a.txt", "x/.html", "a.HTML"):
        assert rules.shorter(names(path)) is None, path
    assert rules.shorter(()) is None
    assert SiteRules(clean_urls=True).shorter(names("about.html")) is None
    assert SiteRules().shorter(names("about.html")) is None


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        ("users/42", {"Accept": BROWSER}, True),
        ("users/42", {"Accept": BROWSER, "Sec-Fetch-Mode": "navigate"}, True),
        ("", {"Accept": "text/html"}, True),
        ("v1.2/users", {"Accept": BROWSER}, True),
        ("users", {"Accept": "text/html, */*"}, True),
        ("users", {"Accept": "text/*;q=0.1"}, True),
        # what is missing stays missing
        ("app.js", {"Accept": BROWSER}, False),
        ("users/j.doe", {"Accept": BROWSER}, False),
        (".git", {"Accept": BROWSER}, False),
        # and so does what a script asks for
        ("api/users", {"Accept": "*/*"}, False),
        ("api/users", {"Accept": "application/json"}, False),
        ("api/users", {"Accept": "application/json, text/html"}, False),
        ("api/users", {"Accept": "text/html;q=0"}, False),
        ("api/users", {"Accept": BROWSER, "Sec-Fetch-Mode": "cors"}, False),
        ("api/users", {"Accept": BROWSER, "Sec-Fetch-Mode": "no-cors"}, False),
        ("users", {}, False),
        ("users", {"Accept": ", , ,"}, False),
    ],
)
def test_the_fallback_is_for_people_who_go_somewhere(
    path: str, fields: dict[str, str], expected: bool
) -> None:
    asked = Fields(fields.items())
    assert SiteRules(spa="app.html").falls_back(names(path), asked) is expected
    assert SiteRules().falls_back(names(path), asked) is False


def test_the_fallback_is_a_file_below_the_root() -> None:
    assert SiteRules(spa="/app/start.html").spa_names == names("app/start.html")
    assert FALLBACK_VARY == ("Vary", "Accept, Sec-Fetch-Mode")


def test_error_pages_by_status_and_by_kind() -> None:
    rules = SiteRules(
        error_pages={"404": "lost.html", "4xx": "no.html", "5XX": "errors/sorry.html", "410": ""}
    )
    assert rules.error_page(404) == names("lost.html")
    assert rules.error_page(403) == rules.error_page(410) == names("no.html")
    assert rules.error_page(503) == names("errors/sorry.html")
    assert SiteRules(error_pages={"404": ""}).error_page(404) is None


# -- header fields --------------------------------------------------------------------------------------------


def test_of_several_rules_for_one_field_the_last_one_counts() -> None:
    rules = SiteRules(
        headers=(header("X-A", "1"), header("X-B", "1", "*.html"), header("x-a", "2", "a*"), header("X-C"))
    )
    assert rules.fields_for([("X-C", "there")], A) == [("x-a", "2"), ("X-B", "1")]
    assert rules.fields_for([("x-a", "own")], names("b.txt")) == [("X-A", "1")]


def test_a_folder_has_rules_of_its_own() -> None:
    rules = SiteRules(headers=(header("X-A", "1", "docs/"),))
    assert rules.fields_for([], names("docs"), folder=True) == [("X-A", "1")]
    assert rules.fields_for([], names("docs")) == []
    assert SiteRules(headers=(header("X-A", "1", "/"),)).fields_for([], (), folder=True) == [("X-A", "1")]


def test_an_empty_value_takes_a_field_away_whoever_made_it() -> None:
    rules = SiteRules(headers=(header("ETag"), header("last-modified"), header("X-Content-Type-Options")))
    made: list[Field] = [("ETag", '"1"'), ("Last-Modified", "then"), ("X-Content-Type-Options", "nosniff")]
    assert rules.fields_for([*made, ("Content-Type", "text/html")], A) == [("Content-Type", "text/html")]


def test_vary_only_grows() -> None:
    rules = SiteRules(headers=(header("Vary", "Cookie, accept-encoding"),), cors=("https://a.example",))
    assert rules.fields_for([("Vary", "Accept-Encoding"), ("X", "1")], A) == [
        ("X", "1"),
        ("Vary", "Accept-Encoding, Origin, Cookie"),
    ]
    assert varying([("Vary", "a"), ("vary", "*")], "b") == [("Vary", "*")]


def test_the_content_type_is_asked_for_by_whoever_chooses_it() -> None:
    rules = SiteRules(
        headers=(header("Content-Type", "text/plain"), header("content-type", "image/x-own", "*.own"))
    )
    assert rules.content_type(names("a.own")) == "image/x-own"
    assert rules.content_type(names("a")) == "text/plain"
    own = [("Content-Type", "multipart/byteranges; boundary=x")]
    assert rules.fields_for(own, names("a.own"), status=206) == own


def test_pages_of_the_servers_own_keep_their_policy() -> None:
    rules = SiteRules(
        headers=(
            header("Content-Security-Policy", "default-src *"),
            header("Cache-Control", "public"),
            header("X-A", "1"),
        ),
        cache=(cache_rule("1h"),),
    )
    own = [("Content-Security-Policy", "default-src 'none'"), ("Cache-Control", "no-cache")]
    assert rules.fields_for(own, (), folder=True, own=True) == [*own, ("X-A", "1")]
    assert dict(rules.fields_for(own, A)) == {
        "Content-Security-Policy": "default-src *",
        "Cache-Control": "public",
        "X-A": "1",
    }


def test_how_long_something_is_fresh_says_nothing_about_its_absence() -> None:
    rules = SiteRules(headers=(header("Cache-Control", "public"),), cache=(cache_rule("1h"),))
    for status in (404, 416, 500):
        assert rules.fields_for([("Cache-Control", "no-cache")], A, status=status) == [
            ("Cache-Control", "no-cache")
        ]
    for status in (200, 206, 304):
        assert rules.fields_for([("Cache-Control", "no-cache")], A, status=status) == [
            ("Cache-Control", "public")
        ]


def test_a_304_does_not_describe_the_content_again() -> None:
    rules = SiteRules(
        headers=(
            header("Content-Language", "en"),
            header("Content-Disposition", "attachment"),
            header("Content-Security-Policy", "default-src 'self'"),
            header("X-A", "1"),
        )
    )
    assert [name for name, _ in rules.fields_for([], A, status=304)] == ["Content-Security-Policy", "X-A"]
    assert len(rules.fields_for([], A)) == 4


def test_cache_rules_come_before_headers_and_the_last_one_counts() -> None:
    rules = SiteRules(cache=(cache_rule("1h", "*.css"), cache_rule("no-store", "a.*")))
    assert rules.fields_for([("Cache-Control", "no-cache")], names("b.css")) == [
        ("Cache-Control", "max-age=3600")
    ]
    assert rules.fields_for([("Cache-Control", "no-cache")], names("a.css")) == [
        ("Cache-Control", "no-store")
    ]
    assert rules.fields_for([("Cache-Control", "no-cache")], names("b.js")) == [("Cache-Control", "no-cache")]
    both = rules.but(headers=(header("Cache-Control", "public", "*.css"),))
    assert both.fields_for([], names("a.css")) == [("Cache-Control", "public")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", "max-age=30"),
        ("5m", "max-age=300"),
        ("1h", "max-age=3600"),
        ("2d", "max-age=172800"),
        ("1w", "max-age=604800"),
        ("1y", "max-age=31536000"),
        ("forever", FOREVER),
        ("no-store", "no-store"),
        (" public, MAX-AGE=60 ,immutable ", "public, MAX-AGE=60 ,immutable"),
        ("private=set-cookie", "private=set-cookie"),
        ("max-age=0, stale-while-revalidate=30", "max-age=0, stale-while-revalidate=30"),
    ],
)
def test_how_a_lifetime_is_written(text: str, value: str) -> None:
    assert cache_rule(text) == FieldRule("**", "Cache-Control", value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1h, 30d, forever"),
        ("3600", "1h, 30d, forever"),
        ("1 h", "'1 h' is no lifetime"),
        ("max_age=3600", "'max_age=3600' is no lifetime and no directive"),
        ("public, maxage=1", "'maxage=1' is no lifetime"),
        ("public\r\nX: 1", "no lifetime"),
        ("max-age", "needs its seconds: max-age=3600"),
        ("s-maxage=1h", "needs its seconds"),
        ("9999999y", "no lifetime"),
    ],
)
def test_what_is_no_lifetime(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cache_rule(text)


FORBIDDEN = [
    *("Connection", "content-length", "Date", "Keep-Alive", "Proxy-Connection", "TE", "Trailer"),
    *("Transfer-Encoding", "Upgrade", "Allow", "Content-Encoding", "Content-Range", "LOCATION"),
]


@pytest.mark.attack(22)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "1") for name in FORBIDDEN),
        *((name, "") for name in FORBIDDEN),
        ("ETag", '"1"'),
        ("Last-Modified", "now"),
        ("Accept-Ranges", "bytes"),
        ("Content-Type", ""),
        ("Vary", " "),
        ("", "1"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("X-A\r\nX-B", "1"),
        ("X-Ä", "1"),
        ("X-A", "a\r\nSet-Cookie: b"),
        ("X-A", "a\nb"),
        ("X-A", "a\0b"),
        ("X-A", "a\x7fb"),
        ("X-A", "a\x1b[31m"),
        ("X-A", "é"),
        ("X-A", "\u560a"),
    ],
)
def test_what_no_rule_may_set(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        field_rule(name, value)


@pytest.mark.attack(22)
@given(st.text(max_size=8), st.text(max_size=8))
def test_whatever_passes_can_be_sent(name: str, value: str) -> None:
    try:
        rule = field_rule(name, value)
    except ValueError:
        return
    fields = SiteRules(headers=(rule,)).fields_for([], A)
    head = reply_head(200, fields, date="now")
    assert head.count(b"\r\n") == 3 + len(fields)


# -- CORS -----------------------------------------------------------------------------------------------------


def preflight(*, origin: str | None, method: str | None = "GET") -> Fields:
    pairs = [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "range"),
    ]
    return Fields([(name, value) for name, value in pairs if value is not None])


def test_everybody_may_read() -> None:
    rules = SiteRules(cors=("*",))
    for asking in (None, "https://a.example", "null"):
        assert rules.fields_for([], A, origin=asking) == [
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Expose-Headers", "*"),
        ]
    assert rules.preflight(preflight(origin="https://a.example")) == [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET, HEAD"),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", "600"),
    ]


def test_some_may_read_and_caches_are_told_that_it_depends() -> None:
    rules = SiteRules(cors=("https://A.example:443", "http://localhost:3000"))
    assert rules.cors == ("https://a.example", "http://localhost:3000")
    assert rules.fields_for([("Vary", "Accept")], A, origin="https://a.example", status=404, own=True) == [
        ("Vary", "Accept, Origin"),
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("Access-Control-Expose-Headers", "*"),
    ]
    for asking in (
        None,
        "https://b.example",
        "null",
        "http://a.example",
        "https://a.example.evil",
        "https://a.example:444",
    ):
        assert rules.fields_for([], A, origin=asking) == [("Vary", "Origin")]
    allowed = rules.preflight(preflight(origin="http://localhost:3000"))
    assert allowed is not None
    assert allowed[:2] == [("Vary", "Origin"), ("Access-Control-Allow-Origin", "http://localhost:3000")]
    assert rules.preflight(preflight(origin="https://b.example")) == [("Vary", "Origin")]


@pytest.mark.attack(46)
def test_other_options_requests_are_none_of_its_business() -> None:
    rules = SiteRules(cors=("*",))
    assert rules.preflight(preflight(origin=None)) is None
    assert rules.preflight(preflight(origin="https://a.example", method=None)) is None


def test_credentials_are_never_allowed() -> None:
    for cors in (("*",), ("https://a.example",)):
        rules = SiteRules(cors=cors)
        fields = [*rules.fields_for([], A, origin="https://a.example")]
        fields += rules.preflight(preflight(origin="https://a.example")) or []
        assert "access-control-allow-credentials" not in {name.lower() for name, _ in fields}


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("*", "*"),
        ("https://a.example", "https://a.example"),
        ("HTTPS://A.Example:443", "https://a.example"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, same: str) -> None:
    assert origin(text) == same


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "null",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://*.a.example",
            "https://",
        ),
        *("https://ä.de", "**", "https://a.example https://b.example", "https://a.example\r\nX: 1"),
        *("https://u@a.example", "http://a:123456"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        origin(text)
