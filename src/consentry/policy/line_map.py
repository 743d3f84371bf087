r"""Where in a TOML text each value stands: the line of every table, key and array member.

The standard parser gives values without places. This scanner gives places without values, so that a message can name
the line a lawyer has to look at. A path is what one would write to reach the value in the parsed text:

    >>> lines = line_map('[[permit]]\nid = "a"\nage = [\n  "adult",\n]\n')
    >>> lines[("permit", 0, "id")], lines[("permit", 0, "age", 0)]
    (2, 4)

The text must be one that `toml_file` has accepted: the scanner relies on that and checks nothing itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from consentry.toml_file import STRING, parse

KeyPath = tuple[str | int, ...]
LineMap = dict[KeyPath, int]

_BLANK = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_STRING = re.compile(STRING, re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\n#]*")


def line_map(text: str) -> LineMap:
    """Return the line (from 1) of every table, key and array member in `text`."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


def line_at(lines: LineMap, path: KeyPath) -> int:
    """Return the line of `path`, or of the nearest thing around it that has one."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


class _Scanner:
    """A position in the text, moving forward; `lines` is what has been seen."""

    def __init__(self, text: str) -> None:
        self.lines: LineMap = {(): 1}
        self._text = text
        self._at = 0
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._tables: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_FILLER) and self._at < len(self._text):
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        start, many = self._at, self._peek("[[")
        self._at += 2 if many else 1
        path: KeyPath = ()
        *parents, last = self._keys()
        for key in parents:
            path = self._newest((*path, key))
            self._mark(path, start)
        path = (*path, last)
        if many:
            self._tables[path] = self._tables.get(path, -1) + 1
            self._mark(path, start)
            path = self._newest(path)
        self._at += 2 if many else 1
        self._mark(path, start)
        return path

    def _newest(self, path: KeyPath) -> KeyPath:
        """Point at the newest member if `path` is an array of tables."""
        return (*path, self._tables[path]) if path in self._tables else path

    def _pair(self, table: KeyPath) -> None:
        start, path = self._at, table
        for key in self._keys():
            path = (*path, key)
            self._mark(path, start)
        self._at += len("=")
        self._skip(_BLANK)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self._peek("."):
            self._at += len(".")
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        self._skip(_BLANK)
        raw = self._take(_STRING if self._text[self._at] in "\"'" else _BARE_KEY)
        self._skip(_BLANK)
        return str(parse(f"key = {raw}")["key"]) if raw[0] in "\"'" else raw

    def _value(self, path: KeyPath) -> None:
        if self._peek("["):
            self._members("]", path)
        elif self._peek("{"):
            self._members("}", path)
        else:
            self._skip(_STRING if self._text[self._at] in "\"'" else _BARE_VALUE)

    def _members(self, closing: str, path: KeyPath) -> None:
        self._at += 1
        count = 0
        while self._skip(_FILLER) and not self._peek(closing):
            if self._peek(","):
                self._at += 1
            elif closing == "}":
                self._pair(path)
            else:
                self._mark((*path, count), self._at)
                self._value((*path, count))
                count += 1
        self._at += 1

    def _mark(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, bisect_left(self._breaks, at) + 1)

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        start = self._at
        self._skip(pattern)
        return self._text[start : self._at]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Move past what matches here, if anything does. Always true, so that it can stand in a loop's condition."""
        if found := pattern.match(self._text, self._at):
            self._at = found.end()
        return True
