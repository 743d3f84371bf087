"""Bodies of events that are nothing but words and numbers: written and read by their fields.

A field is a `str`, `int`, `bool`, a word of an enumeration, a tuple of these, or None where the annotation says so. A
body read back has exactly the types its class declares: a word that no enumeration has is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints


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
        return cls(**{name: _read(kind, body[name]) for name, kind in _types(this).items()})


@cache
def _types(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in fields(cls)}


def _read(kind: Any, value: Any) -> Any:
    if get_origin(kind) is UnionType:
        (inner,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else _read(inner, value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise TypeError("a list was expected")
        return tuple(_read(get_args(kind)[0], each) for each in value)
    if issubclass(kind, StrEnum):
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"`{kind.__name__}` was expected")
    return value
