"""What is asked for: one entry per question that a measurement answers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

KIB = 1024


@dataclass(frozen=True, slots=True)
class Scenario:
    """GET of one file, again and again, over connections that are kept open."""

    name: str
    about: str
    size: int  # bytes of the file
    connections: int = 64

    @property
    def file(self) -> str:
        return f"{self.name}.bin"

    @property
    def path(self) -> str:
        return f"/{self.file}"

    def content(self) -> bytes:
        """The same bytes in every run, and not compressible."""
        return random.Random(self.name).randbytes(self.size)

    def prepare(self, folder: Path) -> bytes:
        """Write the file and return what is in it."""
        content = self.content()
        (folder / self.file).write_bytes(content)
        return content


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (Scenario("small", "GET of a 1 KiB file, keep-alive, 64 connections", size=1 * KIB),)
}
