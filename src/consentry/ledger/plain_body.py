"""Bodies of events that are nothing but words and numbers: written and read by their fields.

A field is a `str`, `int`, `bool`, a word of an enumeration, a tuple of these, or None where the annotation says so. A
body read back has exactly the types its class declares: a word that no enumeration has is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache, partial
from types import UnionType
from typing import Any, ClassVar, Self, cast, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainBody:
    """An open event whose body is its fields."""

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1
    PERSONAL: ClassVar[bool] = False

    def to_json(self) -> dict[str, Any]:
        """Return the body in the words of the log."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """Read a body written by `to_json`.

        Raises:
            TypeError, ValueError: a value of another type, or a word that is none.
        """
        this: Any = cls  # classes can be hashed, which mypy does not see here
        return cls(**{name: read(body[name]) for name, read in _readers(this)})


_Reader = Callable[[Any], Any]


@cache
def _readers(cls: Any) -> tuple[tuple[str, _Reader], ...]:
    hints = get_type_hints(cls)
    return tuple((each.name, _reader(hints[each.name])) for each in fields(cls))


def _reader(kind: Any) -> _Reader:
    if get_origin(kind) is UnionType:
        (inner,) = (each for each in get_args(kind) if each is not type(None))
        read_inner = _reader(inner)
        return lambda value: None if value is None else read_inner(value)
    if get_origin(kind) is tuple:
        return partial(_read_all, _reader(get_args(kind)[0]))
    if issubclass(kind, StrEnum):
        return cast("_Reader", kind)
    return partial(_read_plain, kind)


def _read_all(read: _Reader, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return tuple(map(read, value))


def _read_plain(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"`{kind.__name__}` was expected")
    return value
