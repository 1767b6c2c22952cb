"""What can be typed: every public limit, every variable, and what makes no sense."""

from __future__ import annotations

import argparse
import re
from typing import Any

import pytest

from poise import limits
from poise.cli import options, processors
from poise.cli.main import parser
from poise.cli.options import chosen, default_of, number_of, shown, variable
from poise.limits import Checked, Limit

PUBLIC = [
    spec
    for room in vars(limits).values()
    if isinstance(room, type) and issubclass(room, Checked) and room is not Checked
    for spec in room.LIMITS.values()
    if spec.option
]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options.read_environment, "__defaults__", (ENVIRONMENT,))
    ENVIRONMENT.clear()


ENVIRONMENT: dict[str, str] = {}


def parsed(*words: str, **environment: str) -> argparse.Namespace:
    ENVIRONMENT.update(environment)
    return parser().parse_args(["serve", *words])


def refused(capsys: pytest.CaptureFixture[str], *words: str, **environment: str) -> str:
    """The last line that a usage error prints."""
    with pytest.raises(SystemExit) as caught:
        parsed(*words, **environment)
    assert caught.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("usage: poise")
    return text.splitlines()[-1]


def helped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str = "--help-all"
) -> str:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["serve", option])
    assert caught.value.code == 0
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_every_public_limit_is_an_option_with_its_unit_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = helped(capsys, monkeypatch)
    assert len(PUBLIC) > 10
    for spec in PUBLIC:
        assert f"--{spec.option} " in text
        assert f"{spec.reason} (default: {default_of(spec)} {spec.unit})" in text


def test_every_option_says_what_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = helped(capsys, monkeypatch)
    for option in ("--host", "--port", "--lan", "--allow-host", "--dotfiles", "--no-listing", "--poller"):
        assert option in text
    assert "--no-access-log" in text
    assert "127.0.0.1" in text
    assert "8000" in text
    assert "everyone in the network" in text
    assert "POISE_MAX_HEAD" in text


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_leaves_out_what_is_rare_and_says_how_to_see_it(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = helped(capsys, monkeypatch, option)
    assert "--help-all show every option" in text
    assert text.index("what: DIR") < text.index("where:") < text.index("help: -h") < text.index("examples:")
    assert "poise serve ~/Photos --lan" in text
    for spec in PUBLIC:
        assert f"--{spec.option} " not in text.partition("examples:")[0]


def test_help_fits_the_window_and_leaves_examples_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        parser().parse_args(["serve", "--help"])
    text, _, examples = capsys.readouterr().out.partition("examples:\n")
    assert max(map(len, text.splitlines())) <= 60
    assert "\n  poise serve --port 80 --host 192.0.2.7     at this address" in examples
    assert "\nEvery option can also be given" in examples


@pytest.mark.parametrize("words", [[], ["lab"], ["serve"]], ids=["poise", "lab", "serve"])
def test_help_says_nothing_where_there_is_nothing_to_say(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([*words, "--help"])
    assert "None" not in capsys.readouterr().out


def test_help_is_given_whatever_the_environment_says(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--help", "--help-all"):
        with pytest.raises(SystemExit) as caught:
            parsed(option, POISE_PORT="nonsense")
        assert caught.value.code == 0
        assert "usage: poise serve" in capsys.readouterr().out


def test_without_options_everything_has_its_default() -> None:
    args = parsed()
    assert (args.dir, args.host, args.port, args.poller, args.allow_host) == (".", None, None, None, [])
    for room in options.LIMITS:
        assert chosen(room, args) == room()


@pytest.mark.parametrize("spec", PUBLIC, ids=lambda spec: str(spec.option))
def test_every_limit_reaches_its_room(spec: Limit) -> None:
    option = spec.option
    typed = parsed(f"--{option}", "777")
    set_before = parsed(**{variable(str(option)): "777"})
    for args in (typed, set_before):
        values: dict[str, Any] = {}
        for room in options.LIMITS:
            values |= chosen(room, args).as_dict()
        assert values[spec.name] == 777


def limit(name: str) -> Limit:
    return next(spec for spec in PUBLIC if spec.option == name)


@pytest.mark.parametrize(
    ("text", "value"),
    [("128", 128), ("1k", 1024), ("1K", 1024), ("3M", 3 * 1024**2), ("2g", 2 * 1024**3), ("0128", 128)],
)
def test_sizes(text: str, value: int) -> None:
    assert number_of(limit("max-head"))(text) == value


@pytest.mark.parametrize("text", ["", "K", "M1", "1.5M", "1KB", "1 K K", "x", "must be", "1T", "9" * 5000])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number of bytes"):
        number_of(limit("max-head"))(text)


@pytest.mark.parametrize("text", ["1", "-1K", "0"])
def test_a_size_that_makes_no_sense(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"head must be at least 128 \(bytes\), not"):
        number_of(limit("max-head"))(text)


def test_times_are_numbers_without_a_suffix() -> None:
    parse = number_of(limit("send-timeout"))
    assert (parse("2.5"), parse("60"), parse("1e3")) == (2.5, 60, 1000)
    for text in ("1M", "1s", "soon", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a number of seconds"):
            parse(text)
    for text in ("nan", "-1", "0"):
        with pytest.raises(argparse.ArgumentTypeError, match="must be at least"):
            parse(text)


def test_a_count_takes_no_suffix(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'1K' is not a number of connections" in refused(capsys, "--max-connections", "1K")
    assert "between 1 and 65535" in refused(capsys, "--backlog", "99999999999999999999")


@pytest.mark.parametrize("value", [1, 1000, 1024, 65536, 3 << 20, 1500, 0.1, 60.0, 0])
def test_what_is_shown_can_be_typed(value: float) -> None:
    text = shown(value)
    scale = options.SIZES.get(text[-1].lower(), 1)
    assert float(text.rstrip("KM")) * scale == value


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "-1"],
        ["--port", "65536"],
        ["--port", "٨"],
        ["--port", "80a"],
        ["--port", ""],
        ["--poller", "fastest"],
        ["--unknown"],
        ["a", "b"],
        ["--max-head", "x"],
    ],
)
def test_usage_errors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert re.match(r"poise( serve)?: error: .", refused(capsys, *words))


# -- the environment ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("POISE_HOST", "::1", "host", "::1"),
        ("POISE_PORT", "9000", "port", 9000),
        ("POISE_LAN", "yes", "host", ""),
        ("POISE_LAN", "0", "host", None),
        ("POISE_DOTFILES", "1", "dotfiles", True),
        ("POISE_DOTFILES", " TRUE ", "dotfiles", True),
        ("POISE_DOTFILES", "off", "dotfiles", False),
        ("POISE_DOTFILES", "", "dotfiles", False),
        ("POISE_NO_LISTING", "on", "no_listing", True),
        ("POISE_NO_ACCESS_LOG", "1", "no_access_log", True),
        ("POISE_LOG", "a.log", "log", "a.log"),
        ("POISE_LOG", "", "log", "-"),
        ("POISE_LOG_FORMAT", "json", "log_format", "json"),
        ("POISE_QR", "1", "qr", True),
        ("POISE_NO_QR", "1", "qr", False),
        ("POISE_NO_QR", "0", "qr", None),
        ("POISE_OPEN", "1", "open", True),
        ("POISE_ALLOW_HOST", "a.example,b.example,", "allow_host", ["a.example", "b.example"]),
        ("POISE_POLLER", "poll", "poller", "poll"),
        ("POISE_MAX_HEAD", "8K", "max_head", 8192),
        ("POISE_SEND_TIMEOUT", "1.5", "send_timeout", 1.5),
        ("POISE_HELP", "1", "dir", "."),
    ],
)
def test_every_option_has_a_variable(name: str, text: str, attribute: str, value: object) -> None:
    assert getattr(parsed(**{name: text}), attribute) == value


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("POISE_PORT", "http", "0 to 65535"),
        ("POISE_MAX_HEAD", "big", "not a number of bytes"),
        ("POISE_MAX_HEAD", "1", "at least 128"),
        ("POISE_DOTFILES", "maybe", "neither yes nor no"),
        ("POISE_LAN", "2", "neither yes nor no"),
        ("POISE_POLLER", "fastest", "invalid choice"),
        ("POISE_LOG_FORMAT", "xml", "invalid choice"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(
    name: str, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, **{name: text})
    assert f"{name}: " in line
    assert why in line


def test_what_is_typed_wins() -> None:
    args = parsed("--port", "1", "--max-head", "1K", POISE_PORT="2", POISE_MAX_HEAD="2K", POISE_HOST="::1")
    assert (args.port, args.max_head, args.host) == (1, 1024, "::1")
    assert parsed("--lan", POISE_HOST="::1").host == ""
    assert parsed("--host", "::1", POISE_LAN="1").host == "::1"
    assert parsed(POISE_LAN="0", POISE_HOST="::1").host == "::1"


def test_hosts_that_are_allowed_add_up() -> None:
    assert parsed("--allow-host", "a", "--allow-host", "b").allow_host == ["a", "b"]
    assert parsed("--allow-host", "a", POISE_ALLOW_HOST="c").allow_host == ["c", "a"]
    assert parsed(POISE_ALLOW_HOST="c").allow_host == ["c"]


# -- workers ------------------------------------------------------------------------------------------------


def test_how_many_workers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(processors, "processors", lambda: 6)
    assert parsed().workers == 1
    assert parsed("--workers", "3").workers == 3
    assert parsed("--workers", "auto").workers == 6
    assert parsed(POISE_WORKERS="auto").workers == 6
    monkeypatch.setattr(processors, "processors", lambda: 1000)
    assert parsed("--workers", "auto").workers == limits.WorkerLimits().workers
    for wrong in ("0", "-1", "257", "x", "2.5", "\u0663"):
        assert "is a number from 1 to 256, or auto" in refused(capsys, f"--workers={wrong}")
