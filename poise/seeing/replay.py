"""A recording instead of a program: the page shows it as it shows the past of a living one."""

from __future__ import annotations

from collections.abc import Iterator

from poise.seeing.viewing import Value, pieces

QUIET = 15.0  # seconds between two signs of life


class Replay:
    """A ``Watching`` of what was recorded. Its viewers are told that it is a recording, and ask for it themselves."""

    def __init__(self, records: Value) -> None:
        self._records = records

    def attach(self, *, full: bool = False) -> Recorded:
        """One more who looks. What was not recorded does not come."""
        del full
        return Recorded(self._records)


class Recorded:
    """A viewer of a recording, in which nothing happens any more."""

    def __init__(self, records: Value) -> None:
        self._records = records
        self.every = QUIET

    def hello(self) -> Value:
        return {**self._records["hello"], "replay": True}

    def state(self) -> Value | None:
        return None

    def urgent(self) -> bool:
        return False

    def recording(self, portion: int) -> Iterator[bytes]:
        about = {name: value for name, value in self._records.items() if name != "rows"}
        rows = self._records["rows"]
        return pieces((rows[at : at + portion] for at in range(0, len(rows), portion)), lambda: about)

    def told(self, sent: int) -> None:
        """It costs the recorded program nothing."""

    def close(self) -> None:
        """Nobody has to be told."""
