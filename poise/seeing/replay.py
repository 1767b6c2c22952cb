"""A recording instead of a program: the page shows it as it shows the past of a living one."""

from __future__ import annotations

from poise.seeing.viewing import Value


class Replay:
    """A ``Watching`` of what was recorded. Its viewers are told which recording it is, and ask for it themselves."""

    def __init__(self, records: Value) -> None:
        self._records = records

    def attach(self) -> Recorded:
        return Recorded({**self._records["hello"], "replay": True})

    def records(self) -> Value:
        return self._records


class Recorded:
    """A viewer of a recording, in which nothing happens any more."""

    def __init__(self, hello: Value) -> None:
        self._hello = hello

    def hello(self) -> Value:
        return self._hello

    def state(self) -> Value | None:
        return None

    def close(self) -> None:
        """Nobody has to be told."""
