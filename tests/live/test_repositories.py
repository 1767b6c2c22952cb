"""Programs that take a plain folder on the web for what they serve themselves from: git, apt and pip."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from email.utils import formatdate
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.files.support import put
from tests.support.clients import POLLERS, client, run
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(params=POLLERS)
def poller(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- git -----------------------------------------------------------------------------------------------------


def test_git_clones_a_folder(poller: str, tmp_path: Path) -> None:
    """Over the dumb protocol: the server knows nothing of git."""
    git = client("git")
    quiet = {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "a@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    work, served, clone = tmp_path / "work", tmp_path / "served", tmp_path / "clone"
    bare = served / "repo.git"

    def run_git(*words: str, cwd: Path = work) -> bytes:
        return run(git, *words, cwd=cwd, environment=quiet).strip()

    def commit(text: bytes) -> None:
        put(work / "notes.txt", text)
        run_git("add", "notes.txt")
        run_git("commit", "--quiet", "-m", "A note")

    work.mkdir()
    run_git("init", "--quiet", "-b", "main")
    commit(b"first\n" * 1000)
    run_git("clone", "--quiet", "--bare", ".", str(bare))
    run_git("repack", "--quiet", "-a", "-d", cwd=bare)
    run_git("update-server-info", cwd=bare)
    with serving(served, "--poller", poller) as running:
        run_git("clone", "--quiet", f"{running.url}repo.git", str(clone), cwd=tmp_path)
        assert (clone / "notes.txt").read_bytes() == b"first\n" * 1000
        # What comes later is fetched as loose objects.
        commit(b"second\n")
        run_git("push", "--quiet", str(bare), "main")
        run_git("update-server-info", cwd=bare)
        run_git("pull", "--quiet", "--ff-only", cwd=clone)
        assert (clone / "notes.txt").read_bytes() == b"second\n"
        run_git("fsck", "--strict", cwd=clone)
        assert run_git("rev-parse", "HEAD", cwd=clone) == run_git("rev-parse", "HEAD")


# -- apt -----------------------------------------------------------------------------------------------------


def make_repository(folder: Path, scratch: Path) -> bytes:
    """A flat repository with one package; the content of its file."""
    control = (
        "Package: poise-nothing\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\n"
        "Description: nothing\n"
    )
    put(scratch / "tree" / "DEBIAN" / "control", control.encode())
    put(scratch / "tree" / "usr" / "share" / "doc" / "poise-nothing" / "README", b"nothing\n")
    folder.mkdir(parents=True)
    package = folder / "poise-nothing_1.0_all.deb"
    run(client("dpkg-deb"), "--root-owner-group", "--build", scratch / "tree", package)
    data = package.read_bytes()
    index = (
        f"{control}Filename: ./{package.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    ).encode()
    put(folder / "Packages", index)
    release = f"Date: {formatdate(usegmt=True)}\nSHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    put(folder / "Release", release.encode())
    return data


def apt_config(scratch: Path, url: str) -> dict[str, str]:
    """The environment of an apt that touches nothing of the machine's own."""
    for name in ("state/lists/partial", "cache/archives/partial", "etc", "log"):
        (scratch / name).mkdir(parents=True)
    put(scratch / "state" / "status")
    put(scratch / "etc" / "sources.list", f"deb [trusted=yes] {url} ./\n".encode())
    settings = {
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "state" / "status",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc": scratch / "etc",
        "Dir::Log": scratch / "log",
        "Dir::Etc::main": "-",
        "Dir::Etc::parts": "-",
        "Dir::Etc::sourceparts": "-",
        "Acquire::Languages": "none",
        "Acquire::http::Proxy": "DIRECT",
        "Acquire::Retries": "0",
        "APT::Sandbox::User": "root",  # the one who may write here
    }
    lines = "".join(f'{name} "{value}";\n' for name, value in settings.items())
    return {"APT_CONFIG": str(put(scratch / "apt.conf", lines.encode())), "LC_ALL": "C"}


def test_apt_updates_and_downloads(poller: str, tmp_path: Path) -> None:
    apt = client("apt-get")
    data = make_repository(tmp_path / "served" / "debian", tmp_path / "package")
    with serving(tmp_path / "served", "--poller", poller) as running:
        config = apt_config(tmp_path / "apt", f"{running.url}debian")
        run(apt, "update", environment=config)
        assert b"Hit:" in run(apt, "update", environment=config), "an unchanged index is not sent twice"
        run(apt, "download", "poise-nothing", environment=config, cwd=tmp_path)
        assert (tmp_path / "poise-nothing_1.0_all.deb").read_bytes() == data
        assert statuses(running, "/debian/./Release") == [200, 304]


def statuses(served: Served, path: str) -> list[int]:
    """Of the replies to GET ``path``, from the log of a server that is stopped for it."""
    assert served.stop() == 0
    return [int(line.split()[8]) for line in served.stderr.splitlines() if f'"GET {path} ' in line]


# -- pip -----------------------------------------------------------------------------------------------------


def make_wheel(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"poise_nothing-{version}-py3-none-any.whl"
    about = f"poise_nothing-{version}.dist-info"
    files = {
        "poise_nothing.py": f"VERSION = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: poise-nothing\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"]))
    return made


def pip_download(running: Served, out: Path) -> None:
    if find_spec("pip") is None:
        pytest.skip("pip is not installed")
    quiet = {name: "" for name in os.environ if name.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}
    options = [
        "--isolated",
        "--no-input",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-deps",
        "--quiet",
    ]
    index = f"{running.url}simple/"
    run(sys.executable, "-m", "pip", "download", *options, "--index-url", index, "-d", out, "poise-nothing",
        environment=quiet)  # fmt: skip


def test_pip_takes_a_listing_for_an_index(poller: str, tmp_path: Path) -> None:
    """The links of a listing are what PEP 503 asks of an index, and the newest wheel is found among them."""
    folder = tmp_path / "served" / "simple" / "poise-nothing"
    make_wheel(folder, "1.0")
    newest = make_wheel(folder, "1.10")
    make_wheel(folder, "1.9")
    with serving(tmp_path / "served", "--poller", poller) as running:
        pip_download(running, tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir()] == [newest.name]
    assert (tmp_path / "out" / newest.name).read_bytes() == newest.read_bytes()


def test_pip_reads_a_static_index(tmp_path: Path) -> None:
    """With pages of its own, and checksums in their links."""
    wheel = make_wheel(tmp_path / "served" / "files", "2.0")
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = f'<!doctype html><title>Links</title><a href="../../files/{wheel.name}#sha256={checksum}">{wheel.name}</a>'
    put(tmp_path / "served" / "simple" / "poise-nothing" / "index.html", page.encode())
    with serving(tmp_path / "served") as running:
        pip_download(running, tmp_path / "out")
    assert (tmp_path / "out" / wheel.name).read_bytes() == wheel.read_bytes()
