"""A call that was posted to the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Handle:
    """A posted call that can still be taken back."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        """Take the call back; too late or twice is no error. What it held is let go at once."""
        self.callback = None
        self.args = ()

    @property
    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self.callback is None
