"""Plain values that belong together, made once and never changed.

A subclass names its fields by annotations, as a dataclass does; type checkers take it for a frozen one whose fields are
given by keyword (PEP 681). Unlike one, it costs nothing to define: no code is made for it, and the libraries that make
such code are not loaded, which together were a good part of the time that a server took to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

DERIVED: Any = object()


def derived(*, init: bool) -> Any:
    """A field that nobody gives: ``_begin`` sets it. It is no part of what two records are compared by."""
    del init  # for type checkers, which have it from the call
    return DERIVED


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(derived,))
class Record:
    """The base of such classes. Two are equal when they are of one class and all their fields are."""

    FIELDS: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that are given, in order."""
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [name for name, kind in cls.__annotations__.items() if not str(kind).startswith("ClassVar")]
        defaults = dict(cls.DEFAULTS)
        given = list(cls.FIELDS)
        for name in own:
            default = cls.__dict__.get(name, given)  # the list itself is no default of anybody's
            if default is not given:
                delattr(cls, name)  # what is asked of an instance is found there, or is not there
            if default is not DERIVED:
                given.append(name)
                if default is not given:
                    defaults[name] = default
        cls.FIELDS, cls.DEFAULTS = tuple(given), defaults

    def __init__(self, **values: Any) -> None:
        """Raises TypeError for a field that there is none of, or that is missing; what ``_begin`` raises."""
        put = object.__setattr__
        for name in self.FIELDS:
            if name in values:
                put(self, name, values.pop(name))
            elif name in self.DEFAULTS:
                put(self, name, self.DEFAULTS[name])
            else:
                raise TypeError(f"{type(self).__name__} needs {name}")
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")
        self._begin()

    def _begin(self) -> None:
        """Called when all is there: to check it, and to set what is derived."""

    def _derive(self, **values: Any) -> None:
        """For ``_begin``: set derived fields."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def but(self, **changes: Any) -> Self:
        """The same with some fields changed. Raises as making one does."""
        return type(self)(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Name → value of each field that is given."""
        return {name: getattr(self, name) for name in self.FIELDS}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is not changed: .but({name}=…) gives another one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is not changed")

    def __eq__(self, other: object) -> bool:
        return self.as_dict() == other.as_dict() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *self.as_dict().values()))

    def __repr__(self) -> str:
        """As it was called: what has its default is left out."""
        special = [
            f"{name}={value!r}"
            for name, value in self.as_dict().items()
            if name not in self.DEFAULTS or value != self.DEFAULTS[name]
        ]
        return f"{type(self).__name__}({', '.join(special)})"
