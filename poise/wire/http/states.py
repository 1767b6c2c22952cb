"""The states of the server's side of one HTTP/1.1 connection, and every step between them, in one table.

A request and its reply overlap: a reply may begin, and even end, before the request's body has arrived. One
enum says where both of them are. What is not in :data:`STEPS` cannot happen: the connection raises
ProgramFault.

``python3 -m poise.wire.http.states`` prints the page ``docs/http-states.md``.
"""

from __future__ import annotations

import sys
from enum import IntEnum, auto

# IntEnum, because the hash of a plain enum member is a call of a Python function, and each request looks up
# five steps.


class State(IntEnum):
    """Where the current request and its reply are."""

    IDLE = auto()
    HEAD = auto()
    RECEIVING = auto()
    RECEIVED = auto()
    ANSWERING = auto()
    REPLYING = auto()
    DRAINING = auto()
    ERROR = auto()
    REFUSING = auto()
    CLOSED = auto()


class Step(IntEnum):
    """What can happen."""

    HEAD_BEGUN = auto()
    HEAD_READ = auto()
    REQUEST_READ = auto()
    REPLY_BEGUN = auto()
    REPLY_ENDED = auto()
    LAST_REPLY_ENDED = auto()
    FAULT = auto()
    INPUT_ENDED = auto()


MEANING: dict[State, str] = {
    State.IDLE: "between messages: no byte of a request is there",
    State.HEAD: "a part of a head is there",
    State.RECEIVING: "the head was handed out, its body is arriving; no reply yet",
    State.RECEIVED: "the request is whole; no reply yet, and no further request is read",
    State.ANSWERING: "the reply has begun while the body is still arriving",
    State.REPLYING: "the request is whole and its reply has begun",
    State.DRAINING: "the reply has ended before the body: the rest is read away",
    State.ERROR: "the input is meaningless or was given up; one last reply is possible",
    State.REFUSING: "the last reply is being sent; no input is read",
    State.CLOSED: "nothing more is read or sent",
}

STEPS: dict[tuple[State, Step], State] = {
    (State.IDLE, Step.HEAD_BEGUN): State.HEAD,
    (State.IDLE, Step.INPUT_ENDED): State.CLOSED,
    (State.IDLE, Step.FAULT): State.ERROR,
    (State.HEAD, Step.HEAD_READ): State.RECEIVING,
    (State.HEAD, Step.FAULT): State.ERROR,
    (State.RECEIVING, Step.REQUEST_READ): State.RECEIVED,
    (State.RECEIVING, Step.REPLY_BEGUN): State.ANSWERING,
    (State.RECEIVING, Step.FAULT): State.ERROR,
    (State.RECEIVED, Step.REPLY_BEGUN): State.REPLYING,
    (State.RECEIVED, Step.FAULT): State.ERROR,
    (State.ANSWERING, Step.REQUEST_READ): State.REPLYING,
    (State.ANSWERING, Step.REPLY_ENDED): State.DRAINING,
    (State.ANSWERING, Step.LAST_REPLY_ENDED): State.CLOSED,
    (State.ANSWERING, Step.FAULT): State.REFUSING,
    (State.REPLYING, Step.REPLY_ENDED): State.IDLE,
    (State.REPLYING, Step.LAST_REPLY_ENDED): State.CLOSED,
    (State.REPLYING, Step.FAULT): State.REFUSING,
    (State.DRAINING, Step.REQUEST_READ): State.IDLE,
    (State.DRAINING, Step.FAULT): State.CLOSED,
    (State.ERROR, Step.REPLY_BEGUN): State.REFUSING,
    (State.REFUSING, Step.LAST_REPLY_ENDED): State.CLOSED,
}

# What the connection may do in a state. Looking into a set is also the fastest way to ask: in CPython 3.11
# the name of a member is found by a call.
READS_HEAD = frozenset((State.IDLE, State.HEAD))
READS_BODY = frozenset((State.RECEIVING, State.ANSWERING))
OWES_REPLY = frozenset((State.RECEIVING, State.RECEIVED, State.ERROR))
SENDS_REPLY = frozenset((State.ANSWERING, State.REPLYING, State.REFUSING))
READS_NOTHING = frozenset((State.ERROR, State.REFUSING, State.CLOSED))


def diagram() -> str:
    """The table as the text of a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.IDLE.name}"]
    for (before, step), after in STEPS.items():
        lines.append(f"    {before.name} --> {after.name}: {step.name.lower().replace('_', ' ')}")
    lines.append(f"    {State.CLOSED.name} --> [*]")
    return "\n".join(lines)


def page() -> str:
    """The whole of ``docs/http-states.md``."""
    rows = "\n".join(f"| `{state.name}` | {meaning} |" for state, meaning in MEANING.items())
    return (
        "# The states of an HTTP connection\n\n"
        "Generated from `poise/wire/http/states.py` by `python3 -m poise.wire.http.states > docs/http-states.md`; "
        "a test holds the two together.\n\n"
        f"```mermaid\n{diagram()}\n```\n\n"
        f"| state | meaning |\n|---|---|\n{rows}\n"
    )


if __name__ == "__main__":  # pragma: no cover - a test runs it as a program of its own
    sys.stdout.write(page())
