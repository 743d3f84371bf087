"""The files that a pattern of a descriptor names.

As `glob` finds them, which takes a folder that cannot be opened for an empty one: a corpus would lose the files in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from glob import has_magic
from pathlib import Path, PurePath

from consentry.exhausted import listed


def matching(base: Path, pattern: str) -> list[Path]:
    """Return the files that a pattern names in a folder; it may be absolute. What this user may not read is left out.

    Of a folder that it names the Parquet files in and below it, except those beginning with `.` or `_`.

    Raises:
        OSError: a folder cannot be read.
    """
    named = _named(base, PurePath(pattern).parts)
    return [file for each in named for file in ([each] if each.is_file() else _parquet_below(each))]


def _named(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    name, *rest = parts
    if not has_magic(name):
        if (folder / name).exists():
            yield from _named(folder / name, rest)
        return
    if name == "**" and rest:
        yield from _named(folder, rest)
    for each in _visible(folder, "*" if name == "**" else name):
        if not rest or each.is_dir():
            yield from _named(each, parts if name == "**" and each.is_dir() else rest)


def _visible(folder: Path, pattern: str) -> list[Path]:
    with suppress(PermissionError):
        return [each for each in listed(folder, pattern) if pattern[0] == "." or each.name[0] != "."]
    return []


def _parquet_below(folder: Path) -> Iterator[Path]:
    for each in _visible(folder, "*"):
        if each.name[0] == "_":
            continue
        if each.is_dir() and not each.is_symlink():
            yield from _parquet_below(each)
        elif each.suffix == ".parquet" and each.is_file():
            yield each
