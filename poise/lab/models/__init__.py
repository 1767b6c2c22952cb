"""Eight loops around one service. Each is a file to be read; this table says what there is.

A model can be run as it is, or with *one line changed* to see what the line was for, and with ``select`` replaced by a
recorder. For that its source is compiled anew, under its own file name, so that line numbers stay what a reader sees.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from poise.lab.text import Text, same

FOLDER = Path(__file__).parent


class Change(NamedTuple):
    """One line of a model, and what stands there instead. Both without the indentation."""

    before: str
    after: str


class Model(NamedTuple):
    """One of the eight. ``many``: whether it serves several clients at once. ``needs``: what ``select`` must have."""

    name: str
    room: str
    title: Text
    many: bool
    needs: str = "select"

    @property
    def available(self) -> bool:
        return hasattr(select, self.needs)

    def source(self, change: Change | None = None) -> str:
        """The file's text. Raises ValueError when the line to change does not stand there exactly once."""
        text = (FOLDER / f"{self.room}.py").read_text(encoding="utf-8")
        if change is None:
            return text
        lines = text.split("\n")
        found = [number for number, line in enumerate(lines) if line.strip() == change.before]
        if len(found) != 1:
            raise ValueError(f"{change.before!r} stands {len(found)} times in {self.room}.py")
        (number,) = found
        lines[number] = lines[number].replace(change.before, change.after)
        return "\n".join(lines)

    def load(
        self, change: Change | None = None, replaced: Mapping[str, object] | None = None
    ) -> Callable[..., None]:
        """Its ``serve``, with names of its module, such as ``select``, replaced by others."""
        module = ModuleType(f"{__name__}.{self.room}_loaded")
        module.__file__ = str(FOLDER / f"{self.room}.py")
        sys.modules[module.__name__] = module  # typing looks annotations up there
        exec(compile(self.source(change), module.__file__, "exec"), module.__dict__)  # noqa: S102 - our own file
        module.__dict__.update(replaced or {})
        serve: Callable[..., Any] = module.__dict__["serve"]
        return serve


MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model("blocking", "blocking", Text("blocking", "阻塞"), many=False),
        Model("timeout", "timeout", Text("blocking with a timeout", "阻塞 + 超时检测"), many=False),
        Model("polling", "polling", Text("non-blocking, asked in a loop", "非阻塞 + 循环"), many=True),
        Model("threads", "threads", Text("a thread for each client", "每个客户端一个线程"), many=True),
        Model("select", "by_select", same("select"), many=True),
        Model("poll", "by_poll", same("poll"), many=True, needs="poll"),
        Model(
            "epoll", "by_epoll", Text("epoll, level-triggered", "epoll 水平触发"), many=True, needs="epoll"
        ),
        Model(
            "epoll-edge",
            "by_epoll_edge",
            Text("epoll, edge-triggered", "epoll 边缘触发"),
            many=True,
            needs="epoll",
        ),
    )
}
