"""``poise find``: who serves in the local network, as a table for people or as JSON for scripts."""

from __future__ import annotations

import argparse
import json

from poise.cli import standard
from poise.cli.plain import width
from poise.loop.reactor import Reactor
from poise.net.finder import Finder, Found

NOBODY = (
    'nobody has answered. "poise serve --lan --announce" answers; a firewall may be in the way (UDP port {})'
)
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def find(args: argparse.Namespace) -> int:
    """Ask, wait, print; the exit code is 0 also when nobody is there. Raises MachineFault when nobody can be asked."""
    servers: list[Found] = []
    with Reactor() as reactor:

        def done(found: list[Found]) -> None:
            servers.extend(found)
            reactor.stop()

        finder = Finder(reactor, done, timeout=args.timeout, ask_at=args.discovery_port)
        reactor.at_close.append(finder.close)
        reactor.run()
    standard.report(as_json(servers) if args.json else as_table(servers))
    if not servers:
        standard.say(NOBODY.format(args.discovery_port))
    return 0


def as_json(servers: list[Found]) -> str:
    """One array; letters beyond ASCII are escaped, so that it survives every terminal and locale."""
    rows = [{"name": each.name, "url": each.url, "urls": each.urls, "age": each.age} for each in servers]
    return json.dumps(rows, indent=2) + "\n"


def as_table(servers: list[Found]) -> str:
    """A server's name, URL and age in one line; further URLs beneath. Empty when there is none."""
    if not servers:
        return ""
    rows = [("NAME", "URL", "THERE FOR")]
    for each in servers:
        rows.append((each.name, each.url, ago(each.age)))
        rows += [("", url, "") for url in each.urls[1:]]
    widest = [max(width(row[column]) for row in rows) for column in (0, 1)]
    lines = []
    for name, url, age in rows:
        cells = (name + " " * (widest[0] - width(name)), url + " " * (widest[1] - width(url)), age)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def ago(age: int) -> str:
    """A time in seconds for people, in its largest unit: ``3 minutes``."""
    for seconds, unit in UNITS:
        if age >= seconds:
            count = age // seconds
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "just now"
