"""asyncio's own tests of its loop, sockets and transports, with one of Poise's selectors under the loop.

    POISE_POLLER=poll python -m unittest tests.readiness.stdlib_asyncio

Run in a process of its own by ``test_selector.py``. The classes carry the names of the mix-ins that they run.
"""

# mypy: disable-error-code="import-not-found,misc"
# (the package `test` has no stubs, so its classes are of no known type)

from __future__ import annotations

import asyncio
import os
import unittest

from test.test_asyncio import test_buffered_proto, test_events, test_sendfile, test_server, test_sock_lowlevel
from test.test_asyncio import utils as test_utils

from poise.readiness.selector import PoiseSelector


class OnPoise:
    """Makes the loop that every test of the mix-ins runs on, by either of the two names that they know."""

    def create_event_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(PoiseSelector(os.environ.get("POISE_POLLER")))

    new_loop = create_event_loop


class EventLoop(
    OnPoise,
    test_events.UnixEventLoopTestsMixin,
    test_events.SubprocessTestsMixin,
    test_utils.TestCase,
):
    pass


class Sock(OnPoise, test_sock_lowlevel.BaseSockTestsMixin, test_utils.TestCase):
    pass


class Sendfile(OnPoise, test_sendfile.SendfileTestsBase, test_utils.TestCase):
    pass


class BufferedProto(OnPoise, test_buffered_proto.BaseTestBufferedProtocol, unittest.TestCase):
    pass


class StartServer(OnPoise, test_server.BaseStartServer, unittest.TestCase):
    pass
