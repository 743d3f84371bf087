"""One table of a policy text, read key by key: what is wrong is noted with its line, and reading goes on.

Reading never raises, so that one run finds every mistake. A value that is missing or wrong is noted once, and a
harmless stand-in (an empty text, no words) is returned; whoever reads the table must not use it if anything was noted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from consentry.errors import PolicyError
from consentry.policy import language_codes
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Translated
from consentry.policy.line_map import KeyPath, LineMap, line_at

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LISTED_AT_MOST = 30
LONGEST_NAME, LONGEST_TITLE, LONGEST_WHY = 100, 200, 1_000
"""Characters of a name or version, of a title, and of a sentence: they stand in lines of pages and of reports."""
_NO_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Breaks of a line, control characters, and those that turn around what is written after them."""

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a policy text."""

    code: str
    message: str
    help: str
    where: str

    def error(self) -> PolicyError:
        """Return the problem as an error to raise."""
        return PolicyError(self.code, self.message, help=self.help, where=self.where)


PlacesNamed = Callable[[str], Mapping[str, str]]
"""Returns the codes that a word which is no area may stand for, each with the place's name."""


def no_names(_word: str) -> Mapping[str, str]:
    """Know no place by its name: what is asked if nobody is there who does."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What was found wrong in one text so far, and the lines to point at. Every text must be in all of `languages`.

    What is `accepted` was read before, and has to be read for ever: how its texts are written is not looked at again.
    """

    filename: str
    lines: LineMap
    languages: tuple[str, ...] = ()
    accepted: bool = False
    places_named: PlacesNamed = no_names
    found: list[tuple[int, Problem]] = field(default_factory=list)

    def add(self, path: KeyPath, code: str, *, message: str, advice: str) -> None:
        """Note a problem at the line of `path`."""
        line = line_at(self.lines, path)
        self.found.append((line, Problem(code=code, message=message, help=advice, where=f"{self.filename}:{line}")))

    def sorted(self) -> list[Problem]:
        """Return all problems in the order of their lines."""
        return [problem for _, problem in sorted(self.found, key=lambda noted: noted[0])]


def nearest(word: str, known: Collection[str]) -> str:
    """Return a help line: the known word nearest to `word`, else all of them."""
    by_folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    if close:
        return f"did you mean `{by_folded[close[0]]}`?"
    shown = sorted(known)[:_LISTED_AT_MOST]
    return f"use one of: {', '.join(shown)}{', ...' if len(shown) < len(known) else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table and where it stands. `name` is what messages call it."""

    name: str
    values: Mapping[str, Any]
    path: KeyPath
    notes: Notes

    @property
    def line(self) -> int:
        """The line the table begins at."""
        return line_at(self.notes.lines, self.path)

    def note(self, key: str, code: str, *, message: str, advice: str) -> None:
        """Note a problem at the line of `key`, or of the table if the key is not there."""
        self.notes.add((*self.path, key), code, message=message, advice=advice)

    def wrong(self, key: str, message: str, *, advice: str) -> None:
        """Note a value that cannot be used."""
        self.note(key, "policy-wrong-value", message=message, advice=advice)

    def only(self, known: Collection[str], *, misplaced: Mapping[str, str] | None = None) -> None:
        """Note every key that is not in `known`. `misplaced` maps keys that belong elsewhere to the advice for them."""
        for key in self.values:
            if key not in known:
                advice = (misplaced or {}).get(key) or nearest(key, known)
                self.note(key, "policy-unknown-key", message=f"unknown key `{key}` in {self.name}", advice=advice)

    def require(self, key: str) -> bool:
        """Say whether the key is there, and note it if it is not."""
        if key in self.values:
            return True
        self.note(key, "policy-missing-key", message=f"{self.name} has no `{key}`", advice=f"add a line `{key} = ...`")
        return False

    def text(self, key: str) -> str:
        """Return a required, non-empty text."""
        if not self.require(key):
            return ""
        value = self.values[key]
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, str):
            self.wrong(key, f"`{key}` of {self.name} is empty", advice="write at least a word between the quotes")
        else:
            self.wrong(key, f"`{key}` of {self.name} must be a text", advice='put it in quotes: `"..."`')
        return ""

    def sentence(self, key: str, *, longest: int) -> str:
        """Return a required text of one line."""
        value = self.text(key)
        if self.notes.accepted:
            return value
        if _NO_LINE.search(value):
            message = f"`{key}` of {self.name} has a line break or a control character"
            self.wrong(key, message, advice="write it as one line, with spaces between the words")
        elif len(value) > longest:
            message = f"`{key}` of {self.name} has {len(value):,} characters"
            self.wrong(key, message, advice=f"write at most {longest:,}")
        return value

    def translated(self, key: str, *, longest: int) -> tuple[str, Translated]:
        """Return a required line in English, and the same in other languages if it is a table of texts by language."""
        if not isinstance(self.values.get(key), dict):
            english = self.sentence(key, longest=longest)
            self._untranslated(key, {"en"})
            return english, ()
        texts = self.table(key, name=f"`{key}` of {self.name}")
        assert texts is not None  # it is a table
        for code in texts.values:
            if not self.notes.accepted and (advice := language_codes.advice(code)):
                message = f"`{code}` is no language in {texts.name}"
                texts.note(code, "policy-unknown-key", message=message, advice=advice)
        said = {code: texts.sentence(code, longest=longest) for code in sorted({"en", *texts.values})}
        self._untranslated(key, said)
        return said.pop("en"), tuple(said.items())

    def _untranslated(self, key: str, said: Collection[str]) -> None:
        missing = [code for code in self.notes.languages if code not in said]
        if not missing or key not in self.values:
            return
        given = () if isinstance(self.values[key], dict) else ("en",)
        lines = ", ".join(f'`{key}.{code} = "..."`' for code in (*given, *missing))
        named = ", ".join(f"`{code}`" for code in missing)
        message = f"`{key}` of {self.name} is not there in {named}"
        self.note(key, "policy-not-translated", message=message, advice=f"write a line for each language: {lines}")

    def texts(self, key: str) -> list[str]:
        """Return a list of texts; a single text stands for a list of one. A list that is there must not be empty."""
        if key not in self.values:
            return []
        value = self.values[key]
        members = [value] if isinstance(value, str) else value
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            self.wrong(key, f"`{key}` of {self.name} must be a list of texts", advice='write `["...", "..."]`')
            return []
        if not members:
            self.wrong(
                key, f"`{key}` of {self.name} is an empty list", advice="leave the line out if any value will do"
            )
        return members

    def words(self, key: str, kind: type[_Word], *, refused: Mapping[str, str] | None = None) -> frozenset[_Word]:
        """Return the words of a list. `refused` maps words that make no sense here to the advice for them."""
        found: set[_Word] = set()
        known = [word.value for word in kind if word.value not in (refused or {})]
        for index, value in enumerate(self.texts(key)):
            if value in known:
                found.add(kind(value))
            else:
                advice = (refused or {}).get(value) or nearest(value, known)
                self.unknown_word((key, index), value, advice=advice, what=kind.__name__.lower())
        return frozenset(found)

    def word(self, key: str, kind: type[_Word], *, default: _Word) -> _Word:
        """Return one word, or `default` if the key is not there."""
        value = self.values.get(key, default)
        known = [word.value for word in kind]
        if isinstance(value, str) and value in known:
            return kind(value)
        self.unknown_word((key,), str(value), advice=nearest(str(value), known), what=key.replace("_", " "))
        return default

    def unknown_word(self, place: KeyPath, value: str, *, advice: str, what: str | None = None) -> None:
        """Note a word that is in no vocabulary, or cannot be used at this place."""
        message = f"unknown {what or place[0]} `{value}` in {self.name}"
        self.notes.add((*self.path, *place), "policy-unknown-word", message=message, advice=advice)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(
            key, f"`{key}` of {self.name} must be true or false", advice="write `true` or `false`, without quotes"
        )
        return default

    def days(self, key: str) -> int:
        """Return a number of days, 0 if the key is not there."""
        value = self.values.get(key, 0)
        if type(value) is int and 0 <= value <= 36_500:
            return value
        self.wrong(
            key, f"`{key}` of {self.name} must be a whole number of days", advice="write a number from 0 to 36500"
        )
        return 0

    def seconds(self, key: str) -> Seconds | None:
        """Return a time: a date stands for its 00:00 UTC, a time of day needs a zone."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, datetime):
            if value.tzinfo is None:
                advice = "add `Z` for UTC or an offset such as `+02:00`; a date alone means 00:00 UTC"
                self.wrong(key, f"`{key}` of {self.name} has a time of day without a zone", advice=advice)
                return None
            return (value - _EPOCH) // timedelta(seconds=1)
        if isinstance(value, date):
            return (datetime(value.year, value.month, value.day, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
        self.wrong(key, f"`{key}` of {self.name} must be a date", advice="write it without quotes: `2025-11-03`")
        return None

    def table(self, key: str, *, name: str) -> Table | None:
        """Return a table within this one, or None if it is not there."""
        if key not in self.values:
            return None
        value = self.values[key]
        if isinstance(value, dict):
            return Table(name=name, values=value, path=(*self.path, key), notes=self.notes)
        self.wrong(key, f"`{key}` of {self.name} must be a table", advice=f"write `{key} = {{ ... }}`")
        return None

    def tables(self, key: str, *, name: str) -> list[Table]:
        """Return the tables of a list, none if the key is not there. `name` is numbered from 1."""
        value = self.values.get(key, [])
        if isinstance(value, list) and all(isinstance(member, dict) for member in value):
            return [
                Table(name=f"{name} {index + 1}", values=member, path=(*self.path, key, index), notes=self.notes)
                for index, member in enumerate(value)
            ]
        self.wrong(key, f"`{key}` must be a list of tables", advice=f"begin each one with a line `[[{key}]]`")
        return []


def named(table: Table, key: str) -> Table:
    """Return the table called by the text under `key`, if it has one."""
    value = table.values.get(key)
    if not isinstance(value, str) or not value.strip():
        return table
    kind = table.name.split(" ", maxsplit=1)[0]
    return Table(name=f"{kind} `{value.strip()}`", values=table.values, path=table.path, notes=table.notes)


def repeated(values: Iterable[tuple[str, Table]]) -> list[tuple[str, Table, Table]]:
    """Return every value seen before, with the table that has it and the one that had it first."""
    first: dict[str, Table] = {}
    found = []
    for value, table in values:
        if value in first:
            found.append((value, table, first[value]))
        else:
            first[value] = table
    return found
