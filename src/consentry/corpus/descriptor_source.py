"""The text of a descriptor, read value by value: every refusal names the line it is about.

What is wrong is noted, and what it stands for left out, so that all mistakes are told at once (`require_sound`).
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from consentry.errors import DescriptorError, raise_all
from consentry.exhausted import require_room
from consentry.policy.line_map import KeyPath, LineMap, line_at, line_map
from consentry.policy.policy_table import nearest
from consentry.toml_file import NotUtf8Error, TomlError, parse, read

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_ABSENT: Mapping[str, Any] = {}
_KINDS: Mapping[str, tuple[str, str]] = {
    "corpus": ("a corpus descriptor", "consentry corpus register"),
    "people": ("a people descriptor", "consentry people load"),
    "policy_set": ("a policy set", "consentry policy publish"),
}
"""What a file is that has a table of this name, and which command takes it."""

_ROWS = frozenset({".parquet", ".csv", ".tsv", ".jsonl", ".ndjson"})
"""Ends of names of files that hold rows."""

_Word = TypeVar("_Word", bound=StrEnum)


def read_text(path: Path, *, like: str) -> str:
    """Return the text of a descriptor; `like` is the path of one, as an example.

    Raises:
        DescriptorError: there is no such file, or it is no text, or too long, or holds the rows themselves.
    """
    if path.suffix.lower() in _ROWS and path.is_file():
        advice = f"give the TOML file that says what its columns are, for example `{like}`: see docs/descriptors.md"
        raise DescriptorError("descriptor-unreadable", f"`{path}` holds rows, and describes none", help=advice)
    try:
        return read(path)
    except OSError as error:
        require_room(error)
        advice = f"give the path of a descriptor, for example `{like}`"
        raise DescriptorError("descriptor-unreadable", f"`{path}` cannot be read", help=advice) from error
    except NotUtf8Error as error:
        raise DescriptorError(
            "descriptor-unreadable", error.message, help=error.help, where=f"{path}:{error.line}"
        ) from None
    except TomlError as error:
        raise _syntax(error, str(path)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorSource:
    """Parsed TOML, and the lines to point at."""

    values: Mapping[str, Any]
    lines: LineMap
    filename: str
    mistakes: list[DescriptorError] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str, filename: str) -> DescriptorSource:
        """Read the TOML; DescriptorError if it is none."""
        try:
            values = parse(text)
        except TomlError as error:
            raise _syntax(error, filename) from None
        return cls(values=values, lines=line_map(text), filename=filename)

    def error(self, path: KeyPath, code: str, *, message: str, advice: str) -> DescriptorError:
        """Return an error that points at the line of `path`."""
        return DescriptorError(code, message, help=advice, where=f"{self.filename}:{line_at(self.lines, path)}")

    def note(self, mistake: DescriptorError) -> None:
        """Remember a mistake; said twice it is one."""
        if (mistake.where, mistake.message) not in [(each.where, each.message) for each in self.mistakes]:
            self.mistakes.append(mistake)

    def require_sound(self) -> None:
        """Refuse a descriptor in which there was a mistake.

        Raises:
            DescriptorError: the first; `more` are the others.
        """
        raise_all(self.mistakes)

    def require_kind(self, kind: str) -> None:
        """Refuse a file of another kind, by the table that only that kind has; `kind` is one of `_KINDS`."""
        other = next((each for each in _KINDS if each in self.values), kind)
        if kind in self.values or other == kind:
            return
        found, command = _KINDS[other]
        message = f"this looks like {found}, and not like {_KINDS[kind][0]}"
        raise self.error(
            (other,), "descriptor-other-kind", message=message, advice=f"the command for it is `{command}`"
        )

    def missing(self, path: KeyPath, key: str, *, advice: str) -> DescriptorError:
        """Return the error for a key that is not there."""
        table = f"[{'.'.join(map(str, path))}]"
        return self.error(path, "descriptor-missing-key", message=f"{table} has no `{key}`", advice=advice)

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a table, empty if it is not there."""
        found = self.values.get(name, _ABSENT)
        if not isinstance(found, Mapping):
            self.note(
                self._wrong((name,), f"`{name}` is not a table", f"write a line `[{name}]` and its keys below it")
            )
            return _ABSENT
        return found

    def only(self, table: str | None, known: Collection[str]) -> None:
        """Note any key that means nothing, in a table or (None) at the top."""
        for key in self.values if table is None else self.table(table):
            if key not in known:
                path: KeyPath = (key,) if table is None else (table, key)
                place = "here" if table is None else f"in [{table}]"
                self.note(
                    self.error(
                        path,
                        "descriptor-unknown-key",
                        message=f"`{key}` means nothing {place}",
                        advice=nearest(key, known),
                    )
                )

    def columns(self, roles: Collection[str], *, required: Collection[str]) -> dict[str, str]:
        """Return the column of each role."""
        self.only("columns", roles)
        given = self.table("columns")
        meant = {nearest(role, roles) for role in given if role not in roles}
        for role in required:
            # One that is spelled wrong is told already, with what was meant.
            if role not in given and f"did you mean `{role}`?" not in meant:
                self.note(self.missing(("columns",), role, advice=f'say which column is the {role}: `{role} = "..."`'))
        found: dict[str, str] = {}
        taken: dict[str, str] = {}
        for role in given:
            with self._noting():
                column = found[role] = self._text(("columns", role), given[role])
                self._check_column(role, column, taken=taken.get(column))
                taken[column] = role
        return found

    def _check_column(self, role: str, column: str, *, taken: str | None) -> None:
        if taken is not None:
            raise self.error(
                ("columns", role),
                "descriptor-column-twice",
                message=f"column `{column}` is both the {taken} and the {role}",
                advice="give every role a column of its own, or leave one of the roles out",
            )
        if "." in column and role != "involves":
            raise self.error(
                ("columns", role),
                "descriptor-nested-column",
                message=f"`{column}` is a path, which only `involves` can be",
                advice="write the value into a column of its own",
            )

    def constants(
        self, read: Mapping[str, Callable[[str, KeyPath], str]], *, columns: Collection[str]
    ) -> dict[str, str]:
        """Return what is the same for every row; `read` turns a role's word into ours."""
        self.only("constants", read)
        constants = {}
        for role, value in self.table("constants").items():
            path = ("constants", role)
            if role not in read:
                continue
            with self._noting():
                constants[role] = value
                if role in columns:
                    raise self.error(
                        path,
                        "descriptor-column-twice",
                        message=f"the {role} is both a column and a constant",
                        advice="keep one of the two",
                    )
                constants[role] = read[role](self._text(path, value), path)
        return constants

    def mapping(self, table: str, words: type[_Word]) -> dict[str, _Word]:
        """Return a table from the platform's words to ours."""
        found = {}
        for word, value in self.table(table).items():
            with self._noting():
                found[word] = next(iter(words))  # for what else names this word, which is right
                found[word] = self.word((table, word), value, words=words)
        return found

    def word(self, path: KeyPath, value: Any, *, words: type[_Word]) -> _Word:
        """Return a word of ours.

        Raises:
            DescriptorError: it is none.
        """
        text = self._text(path, value)
        if text not in set(words):
            raise self.error(
                path,
                "descriptor-unknown-word",
                message=f"unknown {words.__name__.lower()} `{text}`",
                advice=nearest(text, [str(word) for word in words]),
            )
        return words(text)

    def files(self, table: str, *, queried: bool) -> tuple[str, ...]:
        """Return the file patterns; there may be none if the rows come from a query."""
        path: KeyPath = (table, "files")
        patterns = self.table(table).get("files")
        with self._noting():
            if patterns is None and queried:
                return ()
            if patterns is None:
                raise self.missing((table,), "files", advice='say which files: `files = ["items/*.parquet"]`')
            if not isinstance(patterns, list) or not patterns:
                raise self._wrong(path, "`files` is not a list of patterns", '`files = ["items/*.parquet"]`')
            return tuple(self._text(path, pattern) for pattern in patterns)
        return ()

    def name(self, table: str) -> str:
        """Return the corpus's name, which is also a folder's."""
        path: KeyPath = (table, "name")
        with self._noting():
            if "name" not in self.table(table):
                raise self.missing((table,), "name", advice='give the corpus a name: `name = "network"`')
            name = self._text(path, self.table(table)["name"])
            if not _NAME.fullmatch(name):
                raise self._wrong(path, f"`{name}` is no name for a corpus", "use a-z, 0-9, dot, dash and underscore")
            return name
        return ""

    def zone(self, table: str) -> str | None:
        """Return the time zone, None if none is named."""
        if "zone" not in self.table(table):
            return None
        path: KeyPath = (table, "zone")
        with self._noting():
            zone = self._text(path, self.table(table)["zone"])
            if zone != "UTC" and zone not in (known := _zones()):
                raise self.error(
                    path, "descriptor-unknown-word", message=f"unknown time zone `{zone}`", advice=nearest(zone, known)
                )
            return zone
        return None

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Note a mistake that is raised in the block, and go on behind it."""
        try:
            yield
        except DescriptorError as mistake:
            self.note(mistake)

    def _text(self, path: KeyPath, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(path, f"`{path[-1]}` is not a text", f'write it in quotes: `{path[-1]} = "..."`')
        return value

    def _wrong(self, path: KeyPath, message: str, advice: str) -> DescriptorError:
        return self.error(path, "descriptor-wrong-value", message=message, advice=advice)


@cache
def _zones() -> frozenset[str]:
    """Return the names of all time zones; to list them reads the head of each of their files."""
    return frozenset(zoneinfo.available_timezones())


def _syntax(error: TomlError, filename: str) -> DescriptorError:
    return DescriptorError(
        "descriptor-syntax",
        error.message,
        help=error.help or 'a line is `[table]`, `key = "text"` or `key = ["text", "text"]`',
        where=f"{filename}:{error.line}",
    )
