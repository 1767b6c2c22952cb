"""The attack cases 13, 21 to 24 over every page that is made here: names, words and READMEs that are markup, and what they
could do to a header field, a redirect, a download's name or the log.

Every page is read with a parser: its elements and attributes are among those that we write, its addresses stay here, and the
policy names exactly the style and the scripts that stand in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest

from tests.files.support import put
from tests.live.ways import unzipped
from tests.support.client import Answer, exchange, get
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)<',
    "' onmouseover='alert(1)",
    "</title><script>alert(1)<",
    "</style><script>alert(1)<",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)<",
    "//evil.example",
    "?zip",
    "?q=x&json",
    "#top",
    "&lt;script&gt;",
    "&#x3c;script",
    "a\nb\r\nSet-Cookie: a=b",
    "\x1b[31m",
    "\u202egnp.exe",
    "\u2028line",
    "{0}{words}%s%(x)s${y}",
    "]]><!--",
    'x"; filename="evil.sh',
    "x; filename*=UTF-8''evil.sh",
    "中文 名",
    "\udcff\udcfe",
    "a" * 200,
)
"""As names of folders (without what a name cannot have), as words to search for, and as paths that lead nowhere."""

README = """\
<script>alert(1)</script> <img src=x onerror=alert(1)> <a href="javascript:alert(1)">x</a> <style>*{}</style>
[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](&#x6a;avascript:alert(1)) [d](data:text/html;base64,PHNjcmlwdD4=)
[e](vbscript:x) [f](java&Tab;script:alert(1)) [g](<javascript:alert(1)>) <javascript:alert(1)> ![h](javascript:alert(1))
![i](x" onerror="alert(1)) [j](x 'y" onclick="alert(1)') [k]: javascript:alert(1)

[k] `</code><script>alert(1)</script>`

~~~"><script>alert(1)</script>
</pre></section></main><script>alert(1)</script>
~~~

# <script>alert(1)</script>

| <b> | "><script> |
|:---|---|
| </td><script>alert(1)</script> | x |
"""

ELEMENTS = frozenset(
    re.findall(
        "[a-z0-9]+",
        "html head meta title style body header main nav section div ol ul li h1 h2 h3 h4 h5 h6 p a b bdi span table thead tbody"
        " tr th td time form input button svg symbol path use script pre code em strong blockquote img hr br s",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        "[a-z-]+",
        "lang charset name content viewport href class rel id aria-label aria-hidden aria-current aria-sort scope title datetime"
        " type value placeholder maxlength required role hidden autocomplete download viewbox d src alt start style",
    )
)
VOID = {"meta", "input", "img", "hr", "br", "path", "use"}


class Read(HTMLParser):
    """One page: what it is made of, and whether every element that it opens is closed again."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src", "action", "formaction", "xlink:href"):
                self.addresses.append(value or "")
            if name == "style":
                assert value in (
                    "text-align:left",
                    "text-align:right",
                    "text-align:center",
                )  # of a table in Markdown
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("style", "script"):
            (self.styles if self._open[-1] == "style" else self.scripts).append(data)


def hashes(texts: list[str]) -> set[str]:
    return {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts}


def judged(answer: Answer) -> Read:
    """A page of ours, after what each of them must show."""
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert answer.fields["x-content-type-options"] == "nosniff"
    page = answer.body.decode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", page)
    read = Read(page)
    assert read.elements <= ELEMENTS, read.elements - ELEMENTS
    others = {name for name in read.attributes if not name.startswith("data-")}
    assert others <= ATTRIBUTES, others - ATTRIBUTES
    for address in read.addresses:
        assert not re.match(r"[\x00-\x20]*(?:[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2})", address), address
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.fields["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert set(policy["style-src"].split()) == hashes(read.styles)
    assert set(policy.get("script-src", "").split()) == hashes(read.scripts)
    assert policy.keys() <= {
        "default-src", "base-uri", "frame-ancestors", "style-src", "script-src", "form-action", "img-src", "media-src",
        "connect-src",
    }  # fmt: skip
    assert all(
        policy.get(name, "'self'") in ("'self'", "'none'")
        for name in ("form-action", "img-src", "connect-src")
    )
    return read


def as_name(text: str) -> str:
    return text.replace("/", "∕")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "root"
    for text in HOSTILE:
        put(folder / as_name(text) / as_name(text), b"x")
        put(folder / as_name(text) / "seen" / "seen.txt", b"x")
    put(folder / "told" / "README.md", README.encode())
    put(folder / "told-plainly" / "README", README.encode())
    put(folder / "told-by-its-name" / "readme.txt", b"</pre><script>alert(1)</script>")
    return folder


@pytest.fixture(scope="module", params=["listing", "live", "app"])
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    options = {"listing": (), "live": ("--live",), "app": ("--clean-urls", "redirect", "--cors", "*")}
    with serving(folder, *options[request.param]) as running:
        yield running


def paths_of(text: str) -> list[str]:
    return [
        f"/{quote(as_name(text).encode('utf-8', 'surrogateescape'), safe='')}",
        f"/{quote(text, safe='', errors='replace')}",
    ]


@pytest.mark.attack(23)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_becomes_markup(served: Served, text: str) -> None:
    below, nowhere = paths_of(text)
    words = quote(text.encode("utf-8", "surrogateescape"), safe="")
    for target in (
        "/",
        f"{below}/",
        below,
        f"{below}/seen/",
        f"{nowhere}/nothing",
        f"/?q={words}",
        f"{below}/?q={words}",
        f"{below}/?q=seen",
        f"/?q=no-such-{words}",
        f"/?sort={words}&order={words}&page={words}&{words}={words}",
        f"{below}?{words}",
    ):
        for language in ("en", "zh"):
            answer = get(served.port, target, fields=f"Accept-Language: {language}\r\n")
            judged(answer)
            location = answer.fields.get("location")
            if location is not None:
                assert re.fullmatch(r"/(?!/)[!-\[\]-~]*", location)


@pytest.mark.attack(23)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_json_is_json_and_nothing_else(served: Served, text: str) -> None:
    below, _ = paths_of(text)
    words = quote(text.encode("utf-8", "surrogateescape"), safe="")
    for target in (f"{below}/?json", f"/?q={words}&json", "/?json"):
        answer = get(served.port, target)
        assert answer.fields["content-type"] == "application/json"
        assert answer.fields["x-content-type-options"] == "nosniff"
        found = json.loads(answer.body)
        for entry in found["entries"]:
            assert re.fullmatch(r"\./[A-Za-z0-9._~%/-]+", entry["href"])


@pytest.mark.attack(23)
@pytest.mark.parametrize("path", ["/told/", "/told-plainly/", "/told-by-its-name/"])
def test_a_readme_is_shown_and_not_obeyed(served: Served, path: str) -> None:
    read = judged(get(served.port, path))
    assert len(read.scripts) in (1, 2), "ours"
    assert not any("alert" in script for script in read.scripts)


@pytest.mark.attack(21)
@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/index.html", "/%5cevil.example/index.html", "/\\evil.example/index.html", "//evil.example/..%2f.html",
        "///evil.example/%2e%2e/evil.example.html", "/%2f%2fevil.example/index.html", "/.//evil.example/index.html",
        "//%E2%88%95%E2%88%95evil.example", "//%E2%88%95%E2%88%95evil.example?zip", "/told?//evil.example", "/told?\\\\evil",
        "/told?%0d%0aSet-Cookie:%20a=b", "/told?q=\u0085", "//told?json", "/told/..//evil.example/",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "fields", ["", "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n", "Accept: application/json\r\n"]
)
def test_no_redirect_leads_elsewhere(served: Served, target: str, fields: str) -> None:
    raw = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}Connection: close\r\n\r\n".encode(
        "latin-1", "replace"
    )
    (answer,) = exchange(served.port, raw).answers
    location = answer.fields.get("location")
    assert (answer.status in (301, 308)) is (location is not None)
    assert "set-cookie" not in answer.fields
    if location is not None:
        assert re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", location)


@pytest.mark.attack(22)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_download_has_a_plain_name(served: Served, text: str, kind: str) -> None:
    path = paths_of(text)[0]
    answer = get(served.port, f"{path}/?{kind}")
    assert answer.status == 200
    assert answer.fields["x-content-type-options"] == "nosniff"
    said = answer.fields["content-disposition"]
    assert said.isascii()
    assert said.isprintable()
    message = Message()
    message["Content-Disposition"] = said
    assert message.get_content_disposition() == "attachment"
    names = {str(message.get_filename())}
    names.add(re.findall('filename="([^"]*)"', said)[0])
    for name in names:
        assert name.endswith(f".{kind}")
        assert not re.search(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029\u202a-\u202e]', name), name
        assert name.strip(". ") == name
    if kind == "zip":
        for name in unzipped(answer.body):
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            assert not re.match("[A-Za-z]:", name)


@pytest.mark.attack(24)
@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_words_forge_no_line_of_the_log(folder: Path, form: str) -> None:
    wicked = [
        '/?q="%20200%200',
        "/?q=\x1b[31m",
        "/?q=%0d%0aforged",
        "/?q=\x7f&zip",
        "/?zip&\u0085",
        '/?q="\\"',
    ]
    with serving(folder, "--log-format", form) as running:
        for target in wicked:
            agent = 'User-Agent: \x1b[31m"\\\r\nReferer: \x9b31m"\r\n'
            raw = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{agent}Connection: close\r\n\r\n".encode(
                "latin-1"
            )
            exchange(running.port, raw)
        assert running.stop() == 0
        lines = running.stderr.splitlines()
    assert len(lines) == len(wicked), lines
    for line in lines:
        assert line.isprintable()
        assert line.isascii() or form != "json"
        if form == "json":
            assert json.loads(line)
        else:
            assert re.match(r'127\.0\.0\.1 - - \[[^]]*\] "(?:[^"\\]|\\.)*" [0-9]{3} [0-9]+', line), line


def test_what_addresses_decode_to() -> None:
    assert unquote_to_bytes(paths_of("\udcff")[0]) == b"/\xff"
