"""A mapping carried forward: what changed lies over what was, so that a few changes to millions of entries cost little.

    after = carried(before, {"ada": 1, "bo": None})   # None takes an entry away; `before` stays as it is

Both share the entries that did not change. When the changes have grown to a fair part of the whole, they are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_MERGED_FROM = 16
"""Changes are merged when they are one part in so many of what they lie over: a merge costs what all is worth."""


class Layered(Mapping[_Key, _Value]):
    """Changes (None: taken away) over a mapping that nobody changes any more."""

    __slots__ = ("_below", "_changes", "_size")

    def __init__(self, below: Mapping[_Key, _Value], changes: dict[_Key, _Value | None], *, size: int) -> None:
        self._below = below
        self._changes = changes
        self._size = size

    def __getitem__(self, key: _Key) -> _Value:
        if key in self._changes:
            value = self._changes[key]
            if value is None:
                raise KeyError(key)
            return value
        return self._below[key]

    def __iter__(self) -> Iterator[_Key]:
        for key in self._below:
            if key not in self._changes or self._changes[key] is not None:
                yield key
        for key, value in self._changes.items():
            if value is not None and key not in self._below:
                yield key

    def __len__(self) -> int:
        return self._size

    def over(self, changes: Mapping[_Key, _Value | None]) -> Mapping[_Key, _Value]:
        """Return this mapping with further changes. Only they are counted: earlier ones may be hundred thousands."""
        return _laid(self._below, {**self._changes, **changes}, size=_size_after(self, changes))

    def merged(self) -> dict[_Key, _Value]:
        """Return a dictionary of what there is, with nothing of what was taken away."""
        found: dict[_Key, Any] = merged(self._below)
        found.update(self._changes)
        for key in [key for key, value in self._changes.items() if value is None]:
            del found[key]
        return found


def carried(start: Mapping[_Key, _Value], changes: Mapping[_Key, _Value | None]) -> Mapping[_Key, _Value]:
    """Return `start` with changes (None: taken away). Nobody may change `start` afterwards."""
    if not changes:
        return start
    if isinstance(start, Layered):
        return start.over(changes)
    return _laid(start, dict(changes), size=_size_after(start, changes))


def layers(mapping: Mapping[_Key, _Value]) -> tuple[Mapping[_Key, _Value], Mapping[_Key, _Value | None]]:
    """Return what lies below in a mapping, and what changed since (None: taken away)."""
    return (mapping._below, mapping._changes) if isinstance(mapping, Layered) else (mapping, {})


def merged(mapping: Mapping[_Key, _Value]) -> dict[_Key, _Value]:
    """Return a mapping that was carried forward as one dictionary, for whoever goes through all of it."""
    if isinstance(mapping, Layered):
        return mapping.merged()
    return dict(mapping if isinstance(mapping, dict) else mapping.items())


def _size_after(start: Mapping[_Key, _Value], changes: Mapping[_Key, _Value | None]) -> int:
    more = sum((value is not None) - (key in start) for key, value in changes.items())
    return len(start) + more


def _laid(below: Mapping[_Key, _Value], changes: dict[_Key, _Value | None], *, size: int) -> Mapping[_Key, _Value]:
    layered = Layered(below, changes, size=size)
    return layered if len(changes) * _MERGED_FROM < len(below) else layered.merged()
