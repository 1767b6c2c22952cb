"""Options of ``poise serve`` for the person in front of it: what is shown at the start, and what is logged."""

from __future__ import annotations

import argparse

FORMATS = ("common", "combined", "json")


def add_start(serve: argparse.ArgumentParser) -> None:
    """``--qr``, ``--no-qr`` and ``--open``."""
    start = serve.add_argument_group("at the start")
    start.add_argument(
        "--qr",
        action="store_const",
        dest="qr",
        const=True,
        help="show the address as a QR code for a telephone; with --lan in a terminal that is the default "
        "(needs the package segno)",
    )
    start.add_argument("--no-qr", action="store_const", dest="qr", const=False, help="show no QR code")
    start.add_argument("--open", action="store_true", help="open it in the browser")


def add_log(serve: argparse.ArgumentParser) -> None:
    """``--log``, ``--log-format`` and ``--no-access-log``."""
    log = serve.add_argument_group("log")
    log.add_argument(
        "--log",
        default="-",
        metavar="FILE",
        help='append a line for each request to this file, reopened on SIGUSR1; "-" is stderr (default: %(default)s)',
    )
    log.add_argument(
        "--log-format",
        choices=FORMATS,
        default="common",
        help="one line for each request: common, combined (Referer and User-Agent, too), or a JSON object "
        "(duration, too) (default: %(default)s)",
    )
    log.add_argument("--no-access-log", action="store_true", help="no line for a request")
