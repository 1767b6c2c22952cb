"""``--open``: the page in a browser, if there is one."""

from __future__ import annotations

import os
import webbrowser

from poise.cli.standard import say
from poise.errors import MachineFault, ProgramFault
from poise.loop.offload import offload
from poise.loop.reactor import Reactor


def browse(reactor: Reactor, url: str) -> None:
    """Show ``url`` to the person in front of the machine. Starting a browser takes seconds, so a thread does it."""

    def done(opened: bool | None, error: Exception | None) -> None:
        ended = isinstance(error, ProgramFault)  # the server, in the meantime
        if not opened and not ended:
            say(f"no browser could be opened; the address is {url}")

    try:
        offload(reactor, show, url).on_done(done)
    except MachineFault as error:
        done(None, error)


def show(url: str) -> bool:
    """True when a browser shows it, which takes seconds. A browser that would take the terminal for itself is opened only when BROWSER names it."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    takes_the_terminal = type(browser) is webbrowser.GenericBrowser
    if takes_the_terminal and not os.environ.get("BROWSER"):
        return False
    return browser.open(url)
