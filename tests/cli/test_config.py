"""``poise.toml``: what can stand in it, what wins over it, who is believed, and every mistake with its place."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.cli import config, places, site_table
from poise.cli.command import Command
from poise.cli.config import keys
from poise.cli.main import add_serve, main, parser
from poise.cli.places import Place
from poise.cli.settings import Settings
from poise.cli.site_options import ANYBODY, INDEX, SYMLINKS, own_files, rules, with_values
from poise.errors import MachineFault
from poise.files import cors
from poise.files import rules as site
from poise.files.fieldrules import FieldRule
from poise.limits import FileLimits
from tests.support.program import ROOT

NOT_THERE = "a file that nobody has written"


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("POISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "named.toml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def parsed(*words: str) -> argparse.Namespace:
    return parser().parse_args(["serve", *words])


def named(text: str, *words: str) -> argparse.Namespace:
    """The arguments with a file that is named."""
    return parsed("--config", write(text), *words)


def found(text: str, *words: str) -> argparse.Namespace:
    """The arguments with a file that is only there."""
    write(text, "poise.toml")
    return parsed(*words)


def read(text: str, *, named: bool = True) -> Settings:
    command = Command(prog="poise serve")
    add_serve(command)
    return config.read(write(text), command, named=named)


def mistakes(text: str) -> list[tuple[int, int, str]]:
    made = []
    for mistake in read(text).mistakes:
        assert mistake.file == "named.toml"
        assert mistake.place is not None
        made.append((*mistake.place, mistake.text))
    return made


# -- what can be said -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "dest", "value"),
    [
        ("port = 8080", "port", 8080),
        ('host = "::1"', "host", "::1"),
        ("lan = true", "host", ""),
        ("lan = false", "host", None),
        ('allow-host = ["a.example", "b.example"]', "allow_host", ["a.example", "b.example"]),
        ('allow-host = "a.example"', "allow_host", ["a.example"]),
        ('announce = "Photos"', "announce", "Photos"),
        ("announce = true", "announce", True),
        ("announce = false", "announce", None),
        ("qr = true", "qr", True),
        ("qr = false", "qr", False),
        ("open = true", "open", True),
        ("access-log = false", "no_access_log", True),
        ("access-log = true", "no_access_log", False),
        ("access_log = false", "no_access_log", True),
        ('log-format = "json"', "log_format", "json"),
        ('log = "-"', "log", "-"),
        ('tls = "self"', "tls", "self"),
        ('poller = "poll"', "poller", "poll"),
        ("max-head = 8192", "max_head", 8192),
        ('max-head = "8K"', "max_head", 8192),
        ("max_head = 0x1000", "max_head", 4096),
        ("send-timeout = 1.5", "send_timeout", 1.5),
        ("send-timeout = 2", "send_timeout", 2.0),
        ('site.index = ["a.html", "b.html"]', "index", ["a.html", "b.html"]),
        ('site.index = "a.html"', "index", ["a.html"]),
        ("site.index = []", "index", []),
        ("site.listing = false", "no_listing", True),
        ("site.listing = true", "no_listing", False),
        ("site.clean-urls = true", "clean_urls", True),
        ("site.clean_urls = false", "clean_urls", False),
        ('site.clean-urls = "redirect"', "clean_urls", "redirect"),
        ("site.spa = true", "spa", "index.html"),
        ("site.spa = false", "spa", None),
        ('site.spa = "app.html"', "spa", "app.html"),
        ("site.cors = true", "cors", ["*"]),
        ("site.cors = false", "cors", []),
        ('site.cors = "https://A.example"', "cors", ["https://a.example"]),
        ('site.cors = ["https://a.example", "http://b"]', "cors", ["https://a.example", "http://b"]),
        ('site.hide = ["*.bak", "drafts/"]', "hide", ["*.bak", "drafts/"]),
        ("site.dotfiles = true", "dotfiles", True),
        ('site.symlinks = "none"', "symlinks", "none"),
        (
            '[site.error-pages]\n404 = "a.html"\n5xx = "b.html"',
            "error_page",
            [("404", "a.html"), ("5xx", "b.html")],
        ),
        ('[site.cache]\n"*.css" = "1h"', "cache", [FieldRule("*.css", "Cache-Control", "max-age=3600")]),
        ('[[headers]]\nvalues = { X-A = "1" }', "header", [FieldRule("**", "X-A", "1")]),
        (
            '[[headers]]\nfor = "*.js"\nvalues.X-A = ""\nvalues.X-B = "2"',
            "header",
            [
                FieldRule("*.js", "X-A", ""),
                FieldRule("*.js", "X-B", "2"),
            ],
        ),
    ],
)
def test_whatever_can_be_typed_can_be_written(text: str, dest: str, value: object) -> None:
    args = named(text)
    assert getattr(args, dest) == value
    assert args.settings.left_out == []


def test_every_option_of_serve_has_its_place() -> None:
    command = Command(prog="poise serve")
    add_serve(command)
    dests = {action.dest for action in command._actions} - {"help", "help_all", "config"}
    at_the_top = {action.dest for _, actions in keys(command) for action in actions}
    assert at_the_top | site_table.DESTS == dests
    assert not at_the_top & site_table.DESTS
    assert {"port", "lan", "max-head", "access-log", "dir", "qr"} <= {key for key, _ in keys(command)}


def test_paths_are_meant_as_seen_from_the_file() -> None:
    Path("conf").mkdir()
    text = 'dir = "public"\nlog = "a.log"\ntls-cert = "c.pem"\ntls-key = "/k.pem"\nhost = "unix:s"'
    args = parsed("--config", write(text, "conf/x.toml"))
    assert (args.dir, args.log, args.tls_cert) == ("conf/public", "conf/a.log", "conf/c.pem")
    assert (args.tls_key, args.host) == ("/k.pem", "unix:conf/s")
    assert parsed("here", "--config", "conf/x.toml").dir == "here"


def test_the_defaults_are_those_of_the_rules() -> None:
    assert (INDEX, SYMLINKS, ANYBODY) == (site.INDEX, site.SYMLINKS, cors.ANYBODY)
    made = rules(parsed())
    assert made == site.SiteRules(hide=("poise.toml",))


# -- what wins ------------------------------------------------------------------------------------------------


def test_typed_before_environment_before_file_before_default(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'port = 1\nmax-head = "1K"\nsend-timeout = 3\n[site]\nindex = "file.html"\nspa = "file.html"'
    monkeypatch.setenv("POISE_MAX_HEAD", "2K")
    monkeypatch.setenv("POISE_SEND_TIMEOUT", "4")
    monkeypatch.setenv("POISE_INDEX", "environment.html")
    args = named(text, "--send-timeout", "5", "--index", "typed.html", "--index", "two.html")
    assert (args.port, args.max_head, args.send_timeout, args.backlog) == (1, 2048, 5, 1024)
    assert (args.index, args.spa) == (["typed.html", "two.html"], "file.html")
    assert parsed("--config", "named.toml").index == ["environment.html"]
    assert parsed("--config", "named.toml", "--spa=no").spa is None
    monkeypatch.delenv("POISE_INDEX")
    assert parsed("--config", "named.toml").index == ["file.html"]
    assert parsed().index == list(INDEX)


def test_some_lists_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'allow-host = "f"\n[site]\nhide = "f"\ncors = "http://f"\n[site.cache]\nf = "1s"\n[[headers]]\nvalues.F = "f"'
    monkeypatch.setenv("POISE_HIDE", "*.{e,x}\n e2 \n")
    monkeypatch.setenv("POISE_ALLOW_HOST", "e,e2")
    monkeypatch.setenv("POISE_HEADER", "E: a, b")
    monkeypatch.setenv("POISE_CORS", "http://e,http://e2")
    args = named(text, "--hide", "t", "--allow-host", "t", "--header", "T: t", "--cache", "t=2s")
    assert args.hide == ["f", "*.{e,x}", "e2", "t"]
    assert args.allow_host == ["f", "e", "e2", "t"]
    assert [rule.name for rule in args.header] == ["F", "E", "T"]
    assert args.header[1].value == "a, b"
    assert [rule.glob for rule in args.cache] == ["f", "t"]
    assert args.cors == ["http://e", "http://e2"]
    assert parsed("--config", "named.toml", "--cors", "http://t").cors == ["http://t"]


def test_the_last_word_about_an_error_page_counts() -> None:
    args = named('[site.error-pages]\n404 = "file.html"\n500 = "file.html"', "--error-page", "404=typed.html")
    made = rules(args)
    assert made.error_page(404) == (b"typed.html",)
    assert made.error_page(500) == (b"file.html",)
    assert rules(parsed("--error-page", "404=")).error_page(404) is None
    assert rules(parsed("--error-page", "5xx=a.html")).error_page(404) == (b"404.html",)


def test_a_switch_can_be_turned_back(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "lan = true\naccess-log = false\nqr = true\n[site]\ndotfiles = true\nlisting = false"
    args = named(text)
    assert (args.host, args.dotfiles, args.no_listing, args.no_access_log, args.qr) == (
        "",
        True,
        True,
        True,
        True,
    )
    args = named(text, "--no-dotfiles", "--listing", "--access-log", "--no-qr", "--host", "::1")
    assert (args.host, args.dotfiles, args.no_listing, args.no_access_log, args.qr) == (
        "::1",
        False,
        False,
        False,
        False,
    )
    for name in ("LAN", "DOTFILES", "NO_LISTING", "NO_ACCESS_LOG", "QR"):
        monkeypatch.setenv(f"POISE_{name}", "no")
    args = named(text)
    assert (args.host, args.dotfiles, args.no_listing, args.no_access_log, args.qr) == (
        None,
        False,
        False,
        False,
        None,
    )


def test_the_file_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POISE_CONFIG", write("port = 1", "one.toml"))
    assert parsed().port == 1
    assert parsed().settings.named
    assert parsed("--config", write("port = 2")).port == 2
    assert parsed("--no-config").port is None
    monkeypatch.delenv("POISE_CONFIG")
    write("site.spa = true", "poise.toml")
    assert parsed().spa == "index.html"
    monkeypatch.setenv("POISE_NO_CONFIG", "1")
    assert parsed().spa is None
    assert parsed().settings is None
    assert parsed("--config", "named.toml").port == 2


# -- who is believed ------------------------------------------------------------------------------------------


def test_a_file_that_is_found_says_how_the_site_looks() -> None:
    text = """
[site]
index = "start.html"
listing = false
clean-urls = "redirect"
spa = "app.html"
hide = ["*.bak"]
dotfiles = false
symlinks = "none"
error-pages.404 = "lost.html"
cache."*.css" = "1h"
[[headers]]
values = { X-Frame-Options = "DENY" }
"""
    made = rules(found(text))
    assert (made.index, made.listing, made.clean_urls, made.spa) == (
        ("start.html",),
        False,
        "redirect",
        "app.html",
    )
    assert made.hide == ("*.bak", "poise.toml")
    assert (made.dotfiles, made.symlinks, made.error_page(404)) == (False, "none", (b"lost.html",))
    assert len(made.cache) == len(made.headers) == 1


STRANGE = {
    "port = 1": "port",
    'host = "0.0.0.0"': "host",
    "lan = true": "lan",
    'allow-host = ["evil.example"]': "allow-host",
    'announce = "me"': "announce",
    'log = "/tmp/x"': "log",
    "access-log = false": "access-log",
    'tls-key = "/etc/ssl/private/key.pem"': "tls-key",
    'dir = "/"': "dir",
    "max-head = 1048576": "max-head",
    "freshness = 99999": "freshness",
    "open = true": "open",
    "site.cors = true": "cors",
    "site.dotfiles = true": "dotfiles = true",
    'site.symlinks = "all"': 'symlinks = "all"',
    '[[headers]]\nvalues.Access-Control-Allow-Origin = "*"': "Access-Control-Allow-Origin",
    '[[headers]]\nvalues.access-control-allow-private-network = "true"': "access-control-allow-private-network",
}


@pytest.mark.parametrize("text", STRANGE)
def test_a_file_that_is_found_opens_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It may have come with a stranger's archive, or have been put there by a web page's download."""
    plain = vars(parsed())
    plain["settings"] = None
    args = vars(found(text))
    assert (args.pop("settings").left_out != []) is True
    plain.pop("settings")
    assert args == plain


HIDDEN = """
[site]
index = ["a.html", ".env"]
spa = ".app.html"
hide = ["lost.html"]
[site.error-pages]
404 = ".ssh/id_rsa"
403 = "private/x.html"
400 = "key.pem"
405 = "poise.toml"
410 = "lost.html"
411 = ".well-known/x.html"
412 = "plain.html"
"""


def test_a_file_that_is_found_shows_nothing_that_others_hide() -> None:
    """Else a stranger's file could have every 404 answered with a key."""

    def pages(made: site.SiteRules) -> list[int]:
        return [status for status in (400, 403, 404, 405, 410, 411, 412) if made.error_page(status)]

    words = ("--hide", "private/", "--tls-cert", "key.pem")
    made = rules(found(HIDDEN, *words))
    assert (made.index, made.spa) == (("a.html",), None)
    assert pages(made) == [404, 410, 411, 412]
    assert made.error_page(404) == (b"404.html",)
    dotted = rules(found(HIDDEN, *words, "--dotfiles"))
    assert (dotted.index, dotted.spa) == (("a.html", ".env"), ".app.html")
    assert pages(dotted) == [404, 410, 411, 412]
    typed = rules(
        found(HIDDEN, *words, "--spa=.my.html", "--index", ".mine", "--error-page", "404=.lost.html")
    )
    assert (typed.index, typed.spa, typed.error_page(404)) == ((".mine",), ".my.html", (b".lost.html",))
    sure = rules(parsed("--config", write(HIDDEN), *words))
    assert sure.spa == ".app.html"
    assert pages(sure) == [400, 403, 404, 405, 410, 411, 412]


@pytest.mark.parametrize("text", STRANGE)
def test_what_has_no_effect_is_said_with_its_place(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    found(f"# a line\n{text}\n")
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"poise: poise.toml:{3 if 'headers' in text else 2}:")
    assert line.endswith(
        f": {STRANGE[text]} has no effect in a file that was only found; it counts in one that is named: --config poise.toml"
    )


@pytest.mark.parametrize("text", STRANGE)
def test_a_file_that_is_named_may_say_it(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    args = vars(named(text))
    assert args.pop("settings").left_out == []
    plain = vars(parsed())
    plain.pop("settings")
    assert args != plain
    assert capfd.readouterr().err == ""


def test_a_strangers_file_does_not_flood_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    block = '[[headers]]\nvalues.Access-Control-Allow-Origin = "*"\n'
    found(block * 50)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "poise: and 30 more of that kind: poise check poise.toml"


@pytest.mark.attack(24)
def test_nothing_in_a_strangers_file_reaches_the_terminal_raw(capfd: pytest.CaptureFixture[str]) -> None:
    """Not even what stands in keys, values, or where no document can have it."""
    evil = r"\u001b[2J\u0007\n\u202e"
    for text in (
        f'"{evil}" = 1',
        f'port = "{evil}"',
        f'site."{evil}" = 1',
        f'site.hide = ["[{evil}"]',
        f'site.spa = "{evil}"',
        f'site.symlinks = "{evil}"',
        f'site.error-pages."{evil}" = "{evil}"',
        f'site.error-pages.404 = "../{evil}"',
        f'site.cache."*" = "{evil}"',
        f'[[headers]]\nvalues."{evil}" = "1"',
        f'[[headers]]\nvalues.X-A = "{evil}"',
        f'[[headers]]\n"{evil}" = "1"',
        f'[[headers]]\nvalues."{evil}" = 1',
        "x = \x1b[2J",
        'x = "\x1b[2J"',
        "\x1b = 1",
        "\u202e = 1",
    ):
        with suppress(SystemExit):
            found(text)
        said = capfd.readouterr().err
        assert said
        assert all(line.isprintable() for line in said.splitlines()), said


def test_the_settings_and_the_key_are_never_served() -> None:
    Path("root/sub").mkdir(parents=True)
    for name in ("[a]{b}*.toml", "key.pem", "cert.pem"):
        Path("root", name).touch()
    Path("outside.pem").touch()
    Path("root/link.pem").symlink_to("../outside.pem")
    made = rules(parsed("root", "--no-config"))
    assert made.hides((b"poise.toml",))
    assert made.hides((b"sub", b"POISE.TOML"))
    words = (
        "--config",
        "root/[a]{b}*.toml",
        "--tls-key",
        "root/key.pem",
        "--tls-cert",
        "./root/sub/../cert.pem",
    )
    made = rules(parsed("root", *words))
    for hidden in (b"[a]{b}*.toml", b"key.pem", b"cert.pem"):
        assert made.hides((hidden,)), hidden
        assert not made.hides((b"sub", hidden)), hidden
    assert not made.hides((b"a.toml",))
    assert own_files(parsed("root", "--no-config", "--tls-key", "outside.pem")) == ["poise.toml"]
    assert "/link.pem" in own_files(parsed("root", "--no-config", "--tls-key", "root/link.pem"))


# -- mistakes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        # names
        ("prot = 1", (1, 1), "there is no setting prot; did you mean port?"),
        ("\n  max_hed = 1", (2, 3), "there is no setting max_hed; did you mean max-head?"),
        ("zzz = 1", (1, 1), "there is no setting zzz; poise serve --help-all lists what there is"),
        ('"a b" = 1', (1, 1), "there is no setting 'a b'; "),
        ("config = 1", (1, 1), "there is no setting config; "),
        ("json = true", (1, 1), "there is no setting json; "),
        ("spa = true", (1, 1), "spa belongs into the table [site]"),
        ("[sites]", (1, 1), "there is no setting sites; did you mean site?"),
        ("[site]\nlistng = 1", (2, 1), "there is no setting in [site], listng; did you mean listing?"),
        (
            "[site]\nzzz = 1",
            (2, 1),
            "there is no setting in [site], zzz; there are index, listing, clean-urls, spa, ",
        ),
        ("[site]\nport = 1", (2, 1), "port stands at the top of the file, before [site]"),
        ("max-head = 128\nmax_head = 129", (2, 1), "max_head and max-head are the same; one has to go"),
        ('lan = true\nhost = "a"', (2, 1), "host and lan exclude each other; one has to go"),
        # types
        ('port = "8080"', (1, 1), "port: this is a number and stands without quotes; write port = 8080"),
        ('port = "http"', (1, 1), "write port = 8080"),
        ("port = true", (1, 1), "this is a number"),
        ("max-head = []", (1, 1), 'write max-head = 32768, or a text with K, M or G: max-head = "64K"'),
        (
            'send-timeout = "1s"',
            (1, 1),
            "this is a number and stands without quotes; write send-timeout = 60",
        ),
        ("host = 127", (1, 1), 'host: this is a text and stands in quotes; write host = "127"'),
        ("host = [1, 2]", (1, 1), 'write host = "[1, 2]"'),
        ('host = ["' + "x" * 99 + '"]', (1, 1), 'write host = "…"'),
        ("poller = 1", (1, 1), 'write poller = "epoll/kqueue/poll/select"'),
        ("lan = 1", (1, 1), "lan: write lan = true or lan = false, without quotes"),
        ('access-log = "no"', (1, 1), "write access-log = true or access-log = false"),
        ("allow-host = 1", (1, 1), 'allow-host: this is a list of texts; write allow-host = ["NAME", "…"]'),
        ('allow-host = ["a", 1]', (1, 1), "this is a list of texts"),
        ("site = 1", (1, 1), "this is a table: a line [site]"),
        ("site.listing = 1", (1, 6), "write listing = true or listing = false"),
        ("site.index = 1", (1, 6), 'index is a list of texts; write index = ["index.html"]'),
        ('site.index = ["a", 1]', (1, 20), 'index is a list of texts, which stand in quotes: ["index.html"]'),
        ("site.hide = {}", (1, 6), 'write hide = ["*.bak"]'),
        ("site.spa = 1", (1, 6), 'spa is true or false, or a text: spa = "app.html"'),
        ("site.clean-urls = 1", (1, 6), 'a text: clean-urls = "redirect"'),
        ("site.cors = 1", (1, 6), 'cors is a list of texts; write cors = ["https://app.example"]'),
        ("site.dotfiles = 0", (1, 6), "write dotfiles = true or dotfiles = false"),
        ("site.error-pages = 1", (1, 6), "this is a table: [site.error-pages]"),
        ("[site.error-pages]\n404 = 1", (2, 1), "an error page is a file, in quotes"),
        ("site.cache = true", (1, 6), "this is a table: [site.cache]"),
        ('[site.cache]\n"*.css" = 3600', (2, 1), "a time is a text, in quotes"),
        ("headers = 1", (1, 1), "this is a list of tables: [[headers]]"),
        ("[headers]", (1, 1), "this is a list of tables: [[headers]]"),
        ('[[headers]]\nfor = "*"', (1, 1), "the fields are missing; write values = {"),
        ("[[headers]]\nvalues = 1", (2, 1), "the fields are missing"),
        ("[[headers]]\nfor = 1\nvalues = {}", (2, 1), "this is a pattern, in quotes"),
        ("[[headers]]\nvalues.X-A = 1", (2, 8), 'the value of a field is a text, in quotes: X-A = "1"'),
        ('[[headers]]\nX-A = "1"\nvalues = {}', (2, 1), "a field stands in values: values.X-A = …"),
        # ranges, and everything that the options check
        ("port = 65536", (1, 1), "port: a port is a number from 0 to 65535, not '65536'"),
        ("port = 1.5", (1, 1), "a port is a number"),
        ("max-head = 1", (1, 1), "max-head: head must be at least 128 (bytes), not 1"),
        ('max-head = "8KB"', (1, 1), "'8KB' is not a number of bytes"),
        ("max-head = 1.5", (1, 1), "'1.5' is not a number of bytes"),
        ("send-timeout = nan", (1, 1), "must be at least"),
        ('poller = "fastest"', (1, 1), "poller: invalid choice: 'fastest'"),
        ('announce = "a/b"', (1, 1), "looks like a folder"),
        ('site.index = ["a", "b/c"]', (1, 20), "an index file is a name without a slash"),
        ('site.spa = "app"', (1, 6), "is no HTML file"),
        ('site.spa = "../app.html"', (1, 6), "leads out of the folder"),
        ('site.clean-urls = "maybe"', (1, 6), "clean URLs are there or not"),
        ('site.cors = "a.example"', (1, 6), "is no origin"),
        ('site.cors = ["*", "null"]', (1, 19), "is no origin"),
        ('site.symlinks = "some"', (1, 6), "symlinks is one of inside, all, none"),
        ('site.hide = [\n  "a",\n  "b[",\n]', (3, 3), "'[' without its ']'"),
        ('[site.error-pages]\n404 = "a"\n200 = "b"', (3, 1), "no status of an error"),
        ('[site.error-pages]\n404 = "/../b"', (2, 1), "leads out of the folder"),
        ('[site.cache]\n"a[" = "1h"', (2, 1), "'[' without"),
        ('[site.cache]\n"a" = "soon"', (2, 1), "'soon' is no lifetime"),
        ('[[headers]]\nfor = "a["\nvalues = {}', (2, 1), "'[' without"),
        ('[[headers]]\nvalues = { X-A = "1", Content-Length = "1" }', (2, 23), "belongs to the connection"),
        ('[[headers]]\nvalues = {}\n[[headers]]\nvalues."X A" = "1"', (4, 8), "is no name of a header field"),
    ],
)
def test_a_mistake_has_its_place_and_says_what_to_write(text: str, place: tuple[int, int], said: str) -> None:
    [(line, column, sentence)] = mistakes(text)
    assert said in sentence
    assert (line, column) == place


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("port 8080", (1, 6), "a line is a name, an equals sign and a value: port = 8080"),
        ("host = localhost", (1, 8), 'a text stands in quotes, as "text"'),
        ("lan = True", (1, 7), "true, false and numbers stand without them"),
        ('host = "a', (1, 10), "Illegal|illegal|unterminated|the quotes|a character that cannot"),
        ("a = 1\n\na = 2", (3, 6), "this is said twice; one of them has to go"),
        ("[site]\n[site]", (2, 6), "this table is there already"),
        ("host = 1 2", (1, 10), "the value ends before the line does"),
        ("x = [1", (1, 7), "unclosed array"),
        ("x = " + "9" * 5000, None, "digits"),
        ("x = " + "[" * 100_000, None, "too many times over|expected|maximum"),
    ],
)
def test_what_is_no_toml_is_one_mistake(text: str, place: tuple[int, int] | None, said: str) -> None:
    [mistake] = read(text).mistakes
    assert any(part in mistake.text for part in said.split("|")), mistake.text
    if place is not None:
        assert mistake.place == place


def test_a_file_with_mistakes_says_nothing_else() -> None:
    settings = read('port = 1\nmax-head = "x"\n[site]\nhide = ["a["]\n[[headers]]\nvalues.Date = "now"')
    assert settings.values == {}
    assert [mistake.place and mistake.place.line for mistake in settings.mistakes] == [2, 4, 6]


def test_mistakes_end_the_program_before_anything_is_started(capfd: pytest.CaptureFixture[str]) -> None:
    write("prot = 1\nmax-head = 1\n", "poise.toml")
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0"])
    assert ended.value.code == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "poise: poise.toml:1:1: there is no setting prot; did you mean port?",
        "poise: nothing was started; --no-config does without the file",
    ]


def test_without_utf_8_the_place_is_that_of_the_first_wrong_byte() -> None:
    Path("x.toml").write_bytes("# ü\n# ".encode() + b"caf\xe9\n")
    settings = config.read("x.toml", parser(), named=True)
    [mistake] = settings.mistakes
    assert str(mistake) == "x.toml:2:6: this is not UTF-8; save the file in that encoding"


def test_a_mark_at_the_beginning_is_no_mistake() -> None:
    Path("x.toml").write_bytes(b"\xef\xbb\xbfport = 1\r\n[site]\r\nspa = true\r\n")
    assert parsed("--config", "x.toml").port == 1


def test_a_file_that_cannot_be_read(capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("fifo")
    Path("folder").mkdir()
    Path("long").write_bytes(b"#" * (FileLimits().settings + 1))
    for name, why in (
        (NOT_THERE, "No such file"),
        ("fifo", "not a plain file"),
        ("folder", "not a plain file"),
        ("long", "more than 262144 bytes"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(SystemExit) as ended:
            parsed("--config", name)
        assert ended.value.code == 2
        first = capfd.readouterr().err.splitlines()[0]
        assert "cannot be read: " in first
        assert why in first


def test_a_link_that_leads_nowhere_is_not_taken_for_no_file() -> None:
    Path("poise.toml").symlink_to("away")
    with pytest.raises(SystemExit):
        parsed()


def test_a_folder_that_is_none_has_no_file() -> None:
    Path("file").touch()
    assert parsed("file").settings is None
    assert parsed("nowhere").settings is None
    Path("sub").mkdir()
    write("site.spa = true", "sub/poise.toml")
    assert parsed("sub").spa == "index.html"
    assert parsed("sub").settings.file == "sub/poise.toml"


def test_rules_that_only_together_are_too_many() -> None:
    text = "site.hide = [" + ", ".join(f'"{number:05}"' for number in range(2000)) + "]"
    with pytest.raises(MachineFault, match="more than 8192 characters together"):
        rules(named(text))


# -- what is typed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "settled"),
    [
        ("--spa build", "--spa= build"),
        ("build --spa", "build --spa="),
        ("--spa app.html build", "--spa app.html build"),
        ("--spa APP.HTM", "--spa APP.HTM"),
        ("--spa --lan", "--spa= --lan"),
        ("--spa=x", "--spa=x"),
        ("--cors site", "--cors= site"),
        ("--cors * site", "--cors * site"),
        ("--cors https://a.example site", "--cors https://a.example site"),
        ("--clean-urls site", "--clean-urls= site"),
        ("--clean-urls redirect site", "--clean-urls redirect site"),
        ("-- --spa", "-- --spa"),
        ("", ""),
    ],
)
def test_a_value_that_may_be_left_out_is_told_from_the_folder(words: str, settled: str) -> None:
    assert with_values(words.split()) == settled.split()


@pytest.mark.parametrize(
    ("words", "dest", "value"),
    [
        ("--spa", "spa", "index.html"),
        ("--spa build", "dir", "build"),
        ("--spa=app.html", "spa", "app.html"),
        ("--spa=yes", "spa", "index.html"),
        ("--cors", "cors", ["*"]),
        ("--cors --cors http://a", "cors", ["*", "http://a"]),
        ("--clean-urls", "clean_urls", True),
        ("--clean-urls redirect", "clean_urls", "redirect"),
        ("--clean-urls=no", "clean_urls", False),
        ("--index a --index b", "index", ["a", "b"]),
        ("--error-page 404=a.html", "error_page", [("404", "a.html")]),
        ("--error-page=5XX=a=b.html", "error_page", [("5xx", "a=b.html")]),
        ("--header=X-A:b:c", "header", [FieldRule("**", "X-A", "b:c")]),
        ("--header=X-A:", "header", [FieldRule("**", "X-A", "")]),
        ("--header=*.js:X-A:b:c", "header", [FieldRule("*.js", "X-A", "b:c")]),
        ("--header=/README:X-A:b", "header", [FieldRule("/README", "X-A", "b")]),
        ("--cache *.css=max-age=1", "cache", [FieldRule("*.css", "Cache-Control", "max-age=1")]),
        ("--hide *.bak --hide x", "hide", ["*.bak", "x"]),
        ("--symlinks all", "symlinks", "all"),
    ],
)
def test_what_can_be_typed(words: str, dest: str, value: object) -> None:
    assert getattr(parsed(*words.split()), dest) == value


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--spa", "=build", "is no HTML file"),
        ("--spa", "=../a.html", "leads out"),
        ("--clean-urls", "=maybe", "clean URLs are there or not"),
        ("--cors", "=a.example", "is no origin"),
        ("--index", "=a/b", "without a slash"),
        ("--error-page", "=404", "a status and a file, as 404=lost.html"),
        ("--error-page", "=99=a", "no status of an error"),
        ("--error-page", "=404=../a", "leads out"),
        ("--header", "=X-A", "a name and a value"),
        ("--header", "=*.js: X-A", "after a pattern come a name and a value"),
        ("--header", "=a[b: X-A: 1", "without its"),
        ("--header", "=Content-Length: 1", "belongs to the connection"),
        ("--header", "=X-A: a\r\nX-B: c", "one line"),
        ("--cache", "=*.css", "a pattern and a time are needed"),
        ("--cache", "=*.css=soon", "no lifetime"),
        ("--cache", "=[=1h", "without its"),
        ("--hide", "={a", "without its"),
        ("--symlinks", "=some", "invalid choice"),
    ],
)
def test_what_cannot_be_typed(option: str, value: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(f"{option}{value}")
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert option in last
    assert why in last


@pytest.mark.parametrize(
    ("name", "text", "dest", "value"),
    [
        ("POISE_SPA", "yes", "spa", "index.html"),
        ("POISE_SPA", "0", "spa", None),
        ("POISE_SPA", "app.html", "spa", "app.html"),
        ("POISE_CLEAN_URLS", "redirect", "clean_urls", "redirect"),
        ("POISE_INDEX", "a,b", "index", ["a", "b"]),
        ("POISE_ERROR_PAGE", "404=a\n500=b", "error_page", [("404", "a"), ("500", "b")]),
        ("POISE_CORS", "1", "cors", ["*"]),
        ("POISE_SYMLINKS", "none", "symlinks", "none"),
        ("POISE_NO_DOTFILES", "1", "dotfiles", False),
    ],
)
def test_what_the_environment_can_say(
    name: str, text: str, dest: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(parsed(), dest) == value


def test_no_is_an_answer_to_cors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POISE_CORS", "no")
    assert rules(parsed()).cors == ()


# -- what it costs --------------------------------------------------------------------------------------------


def test_nothing_is_imported_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    program = """if True:
        import sys
        there = set(sys.modules)
        from poise.cli.main import parser
        parser().parse_args(['serve'])
        heavy = {'tomllib', 'difflib', 'poise.cli.config', 'poise.files.rules', 'poise.wire.http.grammar'}
        print(*sorted(heavy & set(sys.modules) - there))
    """
    for text, expected in (
        (None, ""),
        ("# nothing", "poise.cli.config poise.files.rules poise.wire.http.grammar"),
    ):
        if text is not None:
            (tmp_path / "poise.toml").write_text(text)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (
            done.stdout.strip().removesuffix(" tomllib") == expected
        )  # some measuring tools have it already


# -- places ---------------------------------------------------------------------------------------------------

DOCUMENT = (
    r'''# a comment [with] = signs
a = 1 # another
"b.\u0041" . 'c d' = "s # [ \" ="
[t . "u"]
x = [1, [2, "]"], {k = 1, l.m = 2},
   # "] not the end
   'z', ]
y = """a " ]" \""" [x]
"" =""""" # after
z = """"""
w = '''
    " "
    """ # still
e = [] # nothing
f = {}
d = 1979-05-27 07:32:00
[[h]]
for = "a"
[[h]]
values.X = +inf
[h.sub]
q = true
[[h.n]]
r = 1
[[h.n]]
r = 2
"""
)


def test_places_of_everything_that_a_document_can_have() -> None:
    found = {path: places.place(DOCUMENT, at) for path, at in places.offsets(DOCUMENT).items()}
    assert found == {
        ("a",): (2, 1),
        ("b.A",): (3, 1),
        ("b.A", "c d"): (3, 14),
        ("t",): (4, 1),
        ("t", "u"): (4, 1),
        ("t", "u", "x"): (5, 1),
        ("t", "u", "x", 0): (5, 6),
        ("t", "u", "x", 1): (5, 9),
        ("t", "u", "x", 1, 0): (5, 10),
        ("t", "u", "x", 1, 1): (5, 13),
        ("t", "u", "x", 2): (5, 19),
        ("t", "u", "x", 2, "k"): (5, 20),
        ("t", "u", "x", 2, "l"): (5, 27),
        ("t", "u", "x", 2, "l", "m"): (5, 29),
        ("t", "u", "x", 3): (7, 4),
        ("t", "u", "y"): (8, 1),
        ("t", "u", "z"): (10, 1),
        ("t", "u", "w"): (11, 1),
        ("t", "u", "e"): (12, 1),
        ("t", "u", "f"): (13, 1),
        ("t", "u", "d"): (14, 1),
        ("h",): (15, 1),
        ("h", 0): (15, 1),
        ("h", 0, "for"): (16, 1),
        ("h", 1): (17, 1),
        ("h", 1, "values"): (18, 1),
        ("h", 1, "values", "X"): (18, 8),
        ("h", 1, "sub"): (19, 1),
        ("h", 1, "sub", "q"): (20, 1),
        ("h", 1, "n"): (21, 1),
        ("h", 1, "n", 0): (21, 1),
        ("h", 1, "n", 0, "r"): (22, 1),
        ("h", 1, "n", 1): (23, 1),
        ("h", 1, "n", 1, "r"): (24, 1),
    }


names = st.one_of(st.text("ab-_9", min_size=1, max_size=3), st.text(max_size=3))
scalars = st.one_of(st.integers(), st.booleans(), st.text(max_size=5))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" if not char.isalnum() else char for char in text) + '"'


def as_toml(value: Any, data: st.DataObject) -> str:
    """A value as it can be written in one line, with blanks here and there."""
    blank = data.draw(st.sampled_from(["", " ", "\t"]))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        between = data.draw(st.sampled_from([",", ", ", ",\n", " , # ,]\n "]))
        return f"[{blank}{between.join(as_toml(each, data) for each in value)}{blank}]"
    if isinstance(value, dict):
        pairs = [f"{quoted(key)}{blank}={blank}{as_toml(each, data)}" for key, each in value.items()]
        return f"{{{blank}{', '.join(pairs)}{blank}}}"
    return str(value)


def paths(value: Any, path: places.Path = ()) -> set[places.Path]:
    """The path of everything in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} | {each for key, member in inside for each in paths(member, (*path, key))}


characters = st.characters(exclude_categories=["Cs"])


@given(st.dictionaries(st.text(characters, max_size=3), values, max_size=5), st.data())
def test_everything_that_tomllib_finds_has_a_place(document: dict[str, Any], data: st.DataObject) -> None:
    import tomllib

    text = "".join(f"{quoted(key)} = {as_toml(value, data)}\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    offsets = places.offsets(text)
    assert set(offsets) == paths(document) - {()}
    for path, at in offsets.items():
        if isinstance(path[-1], str):
            assert text.startswith(quoted(path[-1]), at)


def test_a_column_is_a_character() -> None:
    assert places.place("äö\nüx = 1", 4) == Place(2, 2)
    assert places.place("", 0) == Place(1, 1)
