"""A function of somebody else's, hidden by one of ours for a while, and given back.

Others do that, too. So ours calls whatever it has found there, and only what is still ours is taken back: where somebody has put
another in front of it meanwhile, that one stays, and ours, which lies below it, only calls on from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

ABSENT: Final = object()  # the function was found further up, in a base class

Function = Callable[..., Any]
Make = Callable[[Function, list[bool]], Function]


class Swap:
    """``make(before, alive)`` stands in place of ``before``, the attribute ``name`` of ``owner``, from ``put()`` to ``take_back()``.

    It calls on, and does more only while ``alive`` is not empty.
    """

    def __init__(self, owner: Any, name: str, make: Make) -> None:
        self._owner = owner
        self._name = name
        self._make = make
        self._before: Any = ABSENT
        self._ours: Any = ABSENT
        self._alive: list[bool] = []

    def put(self) -> None:
        """Put it there. Twice is no error."""
        if self._ours is not ABSENT and self._found() is self._ours:
            return
        self._alive.clear()
        self._alive = [True]
        self._before = self._found()
        before = getattr(self._owner, self._name)
        self._ours = wraps(before)(self._make(before, self._alive))  # it is known by its name
        setattr(self._owner, self._name, self._ours)

    def take_back(self) -> None:
        """Give back what was there, unless somebody else's hides it now. Twice is no error."""
        self._alive.clear()
        if self._ours is ABSENT or self._found() is not self._ours:
            return
        if self._before is ABSENT:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._before)
        self._ours = ABSENT

    def _found(self) -> Any:
        return vars(self._owner).get(self._name, ABSENT)
