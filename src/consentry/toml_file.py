"""TOML that people write: policy sets, descriptors, settings, lists of platforms. The only place where it is parsed.

The standard parser takes time with the square of the parts of a key (`a.a.a. …`), Python's stack for every list in a
list, and raises an error of its own for a number of thousands of digits. So a text is looked over first, in one pass,
and what nobody means to write is refused with its line.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

LONGEST = 1_000_000
"""Bytes of a file, and of a text as UTF-8."""
MOST_PARTS = 8
"""Parts of a key, with dots between them. No key of ours has more than three."""
DEEPEST = 32
"""Lists and inline tables within each other."""
LONGEST_WORD = 1_000
"""Characters of a key, a number or a date that is not in quotes."""
_MARK = "\ufeff"
"""What some editors write before UTF-8."""

STRING = r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?!"")(?:\\.|[^"\\\n])*"' + r"|'(?!'')[^'\n]*'"
"""The pattern of any text in quotes, for `re.DOTALL`."""
_TOKEN = re.compile(
    rf"(?P<string>{STRING})"
    r"|(?P<word>[A-Za-z0-9_-]+)|(?P<blank>[ \t]+)|(?P<dot>\.)|(?P<open>[\[{])|(?P<close>[\]}])"
    r"|(?P<comment>#[^\n]*)|(?P<unclosed>[\"'])|(?P<other>[^A-Za-z0-9_\-\"'#.\[\]{} \t]+)",
    re.DOTALL,
)
_OF_A_KEY = frozenset({"string", "word", "blank"})
_DATE = re.compile(r"(?<![\w:.-])\d{4}-\d\d-\d\d(?![\w.-]*-)")
_PLACE = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)$")


class TomlError(ValueError):
    """A text is no TOML, or nothing that is read here.

    Attributes:
        message: what is wrong, in lower case.
        line: where, from 1.
        help: what to do about it; empty: mend the line.
    """

    def __init__(self, message: str, *, line: int, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.help = help


class NotUtf8Error(TomlError):
    """A file is no text in UTF-8."""


def read(path: Path, *, longest: int = LONGEST) -> str:
    """Return the text of a file. Of one that is too long no more is read than shows that.

    Raises:
        OSError: it cannot be read.
        NotUtf8Error: it is no text.
        TomlError: it has more than `longest` bytes.
    """
    with path.open("rb") as file:
        content = file.read(longest + 1)
    _require_short(content, longest=longest)
    try:
        return content.decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotUtf8Error("this is not UTF-8", line=line, help="save it as UTF-8") from None


def parse(text: str, *, longest: int | None = LONGEST) -> dict[str, Any]:
    """Return the values of a text.

    Raises:
        TomlError: it is no TOML, has more than `longest` bytes, or a key, a number or a nesting that nobody writes.
    """
    if longest is not None:
        _require_short(text.encode("utf-8", "surrogatepass"), longest=longest)
    text = text.removeprefix(_MARK)
    _look_over(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = _PLACE.search(said)
        line = place[1] if place is not None and place[1] else text.rstrip().count("\n") + 1
        message = _PLACE.sub("", said)
        if (odd := _no_date(text, int(line))) is not None:
            raise TomlError(f"`{odd}` is no date", line=int(line), help="write year-month-day: 2024-09-30") from None
        raise TomlError(f"this is not TOML: {message[:1].lower()}{message[1:]}", line=int(line)) from None


def _no_date(text: str, line: int) -> str | None:
    """Return what looks like a date in a line and is none, outside of quotes: the parser stops somewhere after it."""
    written = text.split("\n")[line - 1]
    if len(written) > LONGEST_WORD:
        return None  # quotes that are never closed take the square of this
    written = re.sub(STRING, '""', written, flags=re.DOTALL)
    for found in _DATE.findall(written.partition("#")[0]):
        try:
            date.fromisoformat(found)
        except ValueError:
            return str(found)
    return None


def _require_short(content: bytes, *, longest: int) -> None:
    if len(content) > longest:
        raise TomlError(
            f"there are more than {longest:,} bytes",
            line=content.count(b"\n", 0, longest) + 1,
            help="is this the right file? No file of this kind needs that much",
        )


def _look_over(text: str) -> None:
    """Refuse what the parser would choke on.

    INVARIANT: up to where the parser stops at an error, what this takes for a string, a comment or a key is what the
    parser takes for one. From a quote that is never closed on it sees nothing more, and so nothing is looked at.
    """
    dots = depth = 0
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "unclosed":
            return
        if kind == "dot":
            dots += 1
        elif kind not in _OF_A_KEY:
            dots = 0
        depth += (kind == "open") - (kind == "close")
        if dots >= MOST_PARTS or depth > DEEPEST or (kind == "word" and found.end() - found.start() > LONGEST_WORD):
            message, advice = _beyond(dots, depth)
            raise TomlError(message, line=text.count("\n", 0, found.start()) + 1, help=advice)


def _beyond(dots: int, depth: int) -> tuple[str, str]:
    if dots >= MOST_PARTS:
        return f"a key has more than {MOST_PARTS} parts", "a dot divides a key, if it does not stand in quotes"
    if depth > DEEPEST:
        return f"lists or tables are nested more than {DEEPEST} deep", "no value of this kind of file is that deep"
    return (
        f"a key or a number has more than {LONGEST_WORD:,} characters",
        'if it is a text, put it in quotes: `"..."`',
    )
