"""Whatever two ends do to each other, every byte is accounted for: over TCP, unix sockets and TLS, on every poller."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from poise.net.certificates import ServerTLS
from poise.readiness.poller import available
from tests.property.ends import CONTENT
from tests.property.house import Secrets, play
from tests.property.steps import Script, scripts
from tests.support.certificates import Authority

Way = tuple[str, str, Secrets | None]


@pytest.fixture(scope="module")
def secrets(authority: Authority) -> Secrets:
    return ServerTLS(authority.local()), authority.client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "file").write_bytes(CONTENT)
    return folder


@pytest.fixture(scope="module", params=["plain", "tls"])
def security(request: pytest.FixtureRequest, secrets: Secrets) -> Secrets | None:
    return secrets if request.param == "tls" else None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("poller", available())
@settings(max_examples=100)
@given(script=scripts)
def test_every_byte_is_accounted_for(
    poller: str, kind: str, security: Secrets | None, folder: Path, script: Script
) -> None:
    play(poller, kind, security, script, folder)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("poller", available())
@settings(max_examples=3000)
@given(script=scripts)
def test_every_byte_is_accounted_for_at_length(
    poller: str, kind: str, security: Secrets | None, folder: Path, script: Script
) -> None:
    play(poller, kind, security, script, folder)
