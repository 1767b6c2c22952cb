"""The one who looks at the page of a server that is measured."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.peers import VARIANTS
from bench.run import look_at
from bench.viewer import NoPage, Viewer
from tests.bench.test_crowd import started
from tests.support.program import PATIENCE

pytestmark = [pytest.mark.live, pytest.mark.slow]

PEERS = {peer.name: peer for peer in VARIANTS}


def test_the_page_is_open_until_its_viewer_leaves_or_the_server_ends(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, PEERS["poise-watched"])
        first, second = look_at(stack, server), Viewer(server.said)
        assert first is not None
        second.leave()
        assert (first.looks, second.looks) == (True, False)
        server.stop()
        end = time.monotonic() + PATIENCE
        while first.looks:
            assert time.monotonic() < end


def test_nobody_looks_where_there_is_no_page(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, PEERS["poise-bare"])
        assert look_at(stack, server) is None
        with pytest.raises(NoPage, match="no address"):
            Viewer(server.said)
        said = tmp_path / "said"
        said.write_text(f"http://127.0.0.1:{server.port}/#0123456789abcdef")
        with pytest.raises(NoPage, match="refused"):
            Viewer(said)
