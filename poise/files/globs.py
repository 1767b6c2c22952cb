"""Patterns for paths, as ``.gitignore`` has them, matched in one pass however many there are.

The rules, all of them:

* A pattern is held against the path below the root, name by name, decoded: ``docs/a.html``. What it matches it
  matches in full.
* ``*`` is any run of characters of one name, none included; ``?`` is one character; ``[a-z]`` is one of them and
  ``[!a-z]`` or ``[^a-z]`` one of the others. None of them is ever a slash. A leading dot is nothing special.
* ``**`` as a whole name is any number of folders, none included: ``**/a``, ``a/**/b``. At the end, ``a/**`` is
  everything below ``a`` and not ``a`` itself; alone it is everything. Elsewhere two stars are one.
* ``{a,b}`` is a choice; its members may hold stars and slashes, but no further choice.
* A pattern without a slash matches a name at any depth, one with a slash (at its beginning or inside) a path from
  the root on. A slash at its end means folders only.
* ``\\`` takes the special meaning from the character after it.
* Capitals are small letters, and spellings that Unicode calls equal are one: a rule that hides must not be weaker
  than a file system that takes ``SECRET.TXT`` for ``secret.txt``. ``ß`` is ``ss``, as it is there. A name that is
  no UTF-8 is matched byte by byte where it is not.

All patterns of a list become one automaton without backtracking: a bit for each place in each pattern, all moved at
once, one step for each character of the path. How long that takes depends on the path alone, whatever the patterns
are and whoever wrote the path. A star is a bit that stays; a choice is written out, which the limit ``globs`` bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

from poise.files.names import Names
from poise.limits import FileLimits
from poise.limits.record import Record
from poise.wire.pattern import pattern

IGNORABLE = pattern(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point of Unicode: file systems that ignore case ignore these, too."""


class GlobError(ValueError):
    """A pattern that breaks a rule; the sentence says what to write instead."""


class Some(Record):
    """One character out of ranges, or out of all others."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def has(self, char: str) -> bool:
        """Whether ``char``, a folded one, is meant."""
        spellings = {char, char.lower(), char.upper()}
        found = any(low <= each <= high for low, high in self.ranges for each in spellings if len(each) == 1)
        return found is not self.negated


class Sign(Record):
    """``?``, ``*`` or ``/``: nothing but itself."""

    sign: str


ONE, STAR, SLASH = Sign(sign="?"), Sign(sign="*"), Sign(sign="/")
SIGNS = {each.sign: each for each in (ONE, STAR, SLASH)}

Token = str | Some | Sign
"""A run of literal characters is a text of any length."""

DEEP: list[Token] = [STAR, STAR]


def folded(text: str) -> str:
    """``text`` in the one spelling of all that a file system may take for the same (Unicode, D145)."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    return normalize("NFC", normalize("NFD", IGNORABLE.sub("", text)).casefold())


class Globs:
    """Patterns, asked all at once. Names are bytes, as the kernel has them."""

    def __init__(self, patterns: Sequence[str], limits: FileLimits | None = None) -> None:
        """Raises :class:`GlobError` for a pattern that breaks a rule, and for more of them than the limit ``globs``."""
        most = (limits or FileLimits()).globs
        self._automaton = automaton = Automaton(most)
        self._ends: list[tuple[int, int]] = []
        """For each pattern the places where it ends: those that end for a folder, and those that do for a file."""
        for each in patterns:
            folders = files = 0
            for tokens in alternatives(each, most):
                end, only_folders = automaton.add(tokens)
                folders |= end
                files |= 0 if only_folders else end
            self._ends.append((folders, files))
        automaton.finish()
        self._folders = self._files = 0
        for folders, files in self._ends:
            self._folders |= folders
            self._files |= files

    def __bool__(self) -> bool:
        return bool(self._ends)

    def matching(self, names: Names, *, folder: bool = False) -> Iterator[int]:
        """The numbers of the patterns that match the path ``names``, in their order."""
        state = self._walk(self._automaton.start, names or (b"",))
        return (number for number, ends in enumerate(self._ends) if state & ends[not folder])

    def cover(self, names: Names, *, folder: bool) -> bool:
        """Whether a pattern matches the path ``names`` or a folder on the way to it. The root itself is never covered."""
        state = self._automaton.start
        for name in names[:-1]:
            state = self._walk(state, (name,))
            if state & self._folders:
                return True
        return bool(names) and self._covers_last(state, names[-1], folder)

    def covering(self, names: Names, *, granted: bool = False) -> Callable[[bytes, bool], bool]:
        """:meth:`cover` for what is in the folder ``names``: called with a name, and whether that is a folder.

        With ``granted`` neither that folder itself counts nor those on the way to it.
        """
        if not granted and self.cover(names, folder=True):
            return lambda _name, _folder: True
        state = self._walk(self._automaton.start, names)
        return lambda name, folder: self._covers_last(state, name, folder)

    def _covers_last(self, state: int, name: bytes, folder: bool) -> bool:
        return bool(self._walk(state, (name,)) & (self._folders if folder else self._files))

    def _walk(self, state: int, names: Iterable[bytes]) -> int:
        for name in names:
            state = self._automaton.moved(state, f"/{folded(name.decode('utf-8', 'surrogateescape'))}")
        return state


class Automaton:
    """A set of places in patterns as the bits of one number. Each place knows which character leads to the next one,
    and whether it stays where it is."""

    def __init__(self, most: int) -> None:
        self.start = 0
        self._most = most
        self._size = 0
        self._literal: dict[str, int] = {}
        """Character → the places that it leads on from."""
        self._any = 0
        """The places that every character but a slash leads on from."""
        self._some: list[tuple[int, Some]] = []
        self._stay = 0
        """The places that stay at any character but a slash."""
        self._stay_deep = 0
        """And those that stay at a slash, too."""
        self._skip = 0
        """Places whose next one is reached together with them."""
        self._masks: dict[str, int] = {}

    def add(self, tokens: list[Token]) -> tuple[int, bool]:
        """Take in one pattern without choices: the place where it ends, and whether only folders end there."""
        names = split(tokens)
        only_folders = len(names) > 1 and not names[-1]
        if only_folders:
            names.pop()
        if len(names) > 1 and not names[0]:
            names = names[1:]  # from the root on
        elif len(names) == 1 and names[0] not in ([], DEEP):
            names.insert(0, DEEP)  # at any depth
        self.start |= 1 << self._size
        for number, name in enumerate(names):
            if number == 0 or names[number - 1] != DEEP:
                self._leads("/")
            if name == DEEP:
                self._stays(deep=True)
                if number < len(names) - 1:
                    self._skip |= 1 << self._size
                    self._leads("/")
            else:
                self._add_name(name)
        self._size += 1
        if self._size > self._most:
            raise too_many(self._most)
        return 1 << (self._size - 1), only_folders

    def _add_name(self, name: list[Token]) -> None:
        for token in name:
            if isinstance(token, str):
                for char in folded(token):
                    self._leads(char)
            elif isinstance(token, Some):
                self._some.append((1 << self._size, token))
                self._size += 1
            elif token is STAR:
                self._stays()
            else:
                self._any |= 1 << self._size
                self._size += 1

    def _leads(self, char: str) -> None:
        self._literal[char] = self._literal.get(char, 0) | 1 << self._size
        self._size += 1

    def _stays(self, *, deep: bool = False) -> None:
        self._stay |= 1 << self._size
        if deep:
            self._stay_deep |= 1 << self._size

    def finish(self) -> None:
        """All patterns are in: work out beforehand what most characters do."""
        if self._size:
            self._masks = {char: self._mask(char) for char in map(chr, range(128))}

    def _mask(self, char: str) -> int:
        mask = self._literal.get(char, 0)
        if char != "/":
            mask |= self._any
            for bit, some in self._some:
                if some.has(char):
                    mask |= bit
        return mask

    def moved(self, state: int, text: str) -> int:
        """The places reached from those of ``state`` by ``text``."""
        for char in text:
            mask = self._masks.get(char)
            reached = (state & (self._mask(char) if mask is None else mask)) << 1
            stay = self._stay_deep if char == "/" else self._stay
            state = reached | (reached & self._skip) << 1 | state & stay
        return state


def split(tokens: list[Token]) -> list[list[Token]]:
    """The names of a pattern, between its slashes."""
    names: list[list[Token]] = [[]]
    for token in tokens:
        if token is SLASH:
            names.append([])
        else:
            names[-1].append(token)
    deep = [STAR, STAR]
    # `**/**` is `**`, and an empty name in the middle is none.
    return [
        name
        for number, name in enumerate(names)
        if not (name == deep and number and names[number - 1] == deep)
        and (name or number in (0, len(names) - 1))
    ]


def too_many(most: int) -> GlobError:
    return GlobError(
        f"the patterns have more than {most} characters together, with their choices written out"
    )


# -- reading a pattern ----------------------------------------------------------------------------------------


def alternatives(pattern: str, most: int) -> Iterator[list[Token]]:
    """The patterns without choices that ``pattern`` stands for, of at most ``most`` characters together."""
    if not pattern:
        raise GlobError("a pattern cannot be empty; ** is everything")
    if pattern.startswith("!"):
        raise GlobError(
            f"{pattern!r}: nothing can be taken back with '!'; for the character itself write \\!"
        )
    if len(pattern) > most:
        raise too_many(most)
    parts = list(Reader(pattern).parts())
    count = 1
    for part in parts:
        count *= len(part)
        if count * len(pattern) > most:  # never too few, and looked at before anything is written out
            raise too_many(most)
    return ([token for tokens in choice for token in tokens] for choice in product(*parts))


class Reader:
    """Takes one pattern apart."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def parts(self) -> Iterator[list[list[Token]]]:
        """Part by part the choices that it offers, most often one: the tokens up to the next choice."""
        while self._at < len(self._pattern):
            if self._pattern[self._at] == "{":
                yield self._choice()
            else:
                yield [self._tokens("{")]

    def _choice(self) -> list[list[Token]]:
        begin = self._at
        members: list[list[Token]] = []
        while self._at < len(self._pattern) and self._pattern[self._at] != "}":
            self._at += 1  # the brace or a comma
            members.append(self._tokens(",}"))
        if self._at == len(self._pattern):
            raise self._error("'{' without its '}'", begin)
        if len(members) < 2:
            raise self._error("'{' begins a choice, as in {a,b}", begin)
        self._at += 1
        return members

    def _tokens(self, end: str) -> list[Token]:
        """The tokens up to one of the characters ``end``."""
        tokens: list[Token] = []
        pattern = self._pattern
        while self._at < len(pattern) and pattern[self._at] not in end:
            char = pattern[self._at]
            token: Token = SIGNS.get(char, char)
            if char == "[":
                token = self._class()
            elif char in "{}":
                raise self._error(
                    "'}' without its '{'" if char == "}" else "a choice within a choice", self._at
                )
            elif char == "\\":
                self._at += 1
                token = pattern[self._at : self._at + 1]
                if token in ("", "/"):
                    raise GlobError(
                        f"{pattern!r}: a backslash belongs before a character that a name can have"
                    )
            self._at += 1
            if tokens and isinstance(token, str) and isinstance(tokens[-1], str):
                tokens[-1] += token
            else:
                tokens.append(token)
        return tokens

    def _class(self) -> Some:
        """The class that begins at the bracket here; at its end the place is that of the closing bracket."""
        begin = self._at
        match = CLASS.match(self._pattern, begin)
        if match is None:
            raise self._error("'[' without its ']'", begin)
        self._at = match.end() - 1
        if "[:" in match[2] or "/" in match[2]:
            raise self._error(
                "only single characters and ranges such as a-z can stand between brackets", begin
            )
        ranges = []
        for low, high in MEMBER.findall(match[2]):
            first, last = low[-1], (high or low)[-1]
            if first > last:
                raise self._error(f"the range {first}-{last} runs backwards", begin)
            ranges.append((first, last))
        return Some(ranges=tuple(ranges), negated=bool(match[1]))

    def _error(self, why: str, at: int) -> GlobError:
        sign = self._pattern[at]
        return GlobError(
            f"{self._pattern!r}: {why} (character {at + 1}); for the character itself write \\{sign}"
        )


CLASS = pattern(r"\[([!^]?+)(\]?+(?:[^\]\\]|\\.)*+)\]", re.DOTALL)
"""A closing bracket that comes first is one of the characters."""

MEMBER = pattern(r"(\\.|[^\\])(?:-(\\.|[^\\]))?+", re.DOTALL)
