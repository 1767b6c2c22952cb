"""A text in the languages of the lab: written in each, never translated on the way."""

from __future__ import annotations

from typing import NamedTuple

LANGUAGES = ("en", "zh")


class Text(NamedTuple):
    """One meaning in two languages."""

    en: str
    zh: str

    def said(self, language: str, **values: object) -> str:
        """In ``language``, with {names} filled in. Raises KeyError for a language that there is none of."""
        text: str = self._asdict()[language]
        return text.format(**values) if values else text

    def filled(self, **values: object) -> Text:
        """The same with {names} filled in, in each language."""
        return Text(*(each.format(**values) for each in self))


def same(text: str) -> Text:
    """A name that is the same in each language: ``epoll``."""
    return Text(text, text)
