"""The files that a pattern of a descriptor names.

As `glob` finds them, which takes a folder that cannot be opened for an empty one: a corpus would lose the files in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from glob import has_magic
from pathlib import Path, PurePath

from consentry.exhausted import listed

_FOLDER = ""
"""A last part that only folders have."""


def matching(base: Path, pattern: str) -> list[Path]:
    """Return the files that a pattern names in a folder; it may be absolute. What this user may not read is left out.

    Of a folder that it names the Parquet files in and below it, except those beginning with `.` or `_`. One that ends
    with a slash names folders only.

    Raises:
        OSError: a folder cannot be read.
    """
    parts = PurePath(pattern).parts
    if not pattern.endswith(("/", "/.")):
        named = _named(base, parts)
    else:
        # `glob` finds folders below the base by `**/`, and not the base itself.
        named = (each for each in _named(base, (*parts, _FOLDER)) if parts != ("**",) or each != base)
    return [file for each in named for file in ([each] if each.is_file() else _parquet_below(each))]


def _named(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    name, *rest = parts
    if name == _FOLDER:
        if _may_ask(folder.is_dir):
            yield folder
        return
    if not has_magic(name):
        if _may_ask((folder / name).exists):
            yield from _named(folder / name, rest)
        return
    if name == "**" and rest:
        yield from _named(folder, rest)
    for each in _visible(folder, "*" if name == "**" else name):
        is_folder = _may_ask(each.is_dir)
        if not rest or is_folder:
            yield from _named(each, parts if name == "**" and is_folder else rest)


def _may_ask(about: Callable[[], bool]) -> bool:
    """Ask something about a file; no, where this user may not look at it."""
    with suppress(PermissionError):
        return about()
    return False


def _visible(folder: Path, pattern: str) -> list[Path]:
    with suppress(PermissionError):
        return [each for each in listed(folder, pattern) if pattern[0] == "." or each.name[0] != "."]
    return []


def _parquet_below(folder: Path) -> Iterator[Path]:
    # A link that leads to itself, or nowhere, is no folder.
    for each in _visible(folder, "*") if folder.is_dir() else ():
        if each.name[0] == "_":
            continue
        if _may_ask(each.is_dir) and not each.is_symlink():
            yield from _parquet_below(each)
        elif each.suffix == ".parquet" and each.is_file():
            yield each
