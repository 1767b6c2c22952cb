"""The three standard descriptors, as a server needs them: always there, and never a reason to end.

A command that was asked for a report is another matter: when that cannot be written, it has failed.

Whoever starts a program may have closed some of them. The kernel gives the lowest free number to whatever is opened
next, so a socket could become number 2, and what is said on stderr would be sent to a client.
"""

from __future__ import annotations

import os

from poise.errors import MachineFault

INPUT, OUTPUT, ERROR = 0, 1, 2


def occupy() -> None:
    """Put ``/dev/null`` where a standard descriptor is missing."""
    for number in (INPUT, OUTPUT, ERROR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def write(number: int, text: str) -> OSError | None:
    """Write all of ``text``: the few words at the start and in trouble. What comes with every request goes by a Sink.

    A reader that has gone must not end the server, so an error is given back and not raised: few are concerned.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(number, data) :]
    except OSError as error:
        return error
    return None


def report(text: str) -> None:
    """Write to stdout what a command was asked for. Raises MachineFault when that cannot be: then the command has failed."""
    written(write(OUTPUT, text))


def written(error: OSError | None) -> None:
    """Raises MachineFault for what could not be written; a reader that has seen enough is no error."""
    if error is not None and not isinstance(error, BrokenPipeError):
        raise MachineFault(error.errno, f"cannot write what there is to say: {error.strerror}")


def say(text: str) -> None:
    """One line for the person who started the program."""
    write(ERROR, f"poise: {text}\n")


def silent(text: str) -> None:
    """For what another process has said already."""
    del text
