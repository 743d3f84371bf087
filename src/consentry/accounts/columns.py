"""Columns of text that take whatever somebody sends: PostgreSQL refuses a NUL, and SQLite does not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.types import TypeDecorator

_NUL, _REPLACED = "\0", "�"


class _Given(TypeDecorator[str]):
    """Text in which a NUL stands as U+FFFD, so that it is found in neither store rather than an error in one.

    No handle and no id holds either.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Return what is stored, or looked for."""
        del dialect
        return None if value is None else value.replace(_NUL, _REPLACED)


class GivenString(_Given):
    """Text of at most some characters."""

    cache_ok = True


class GivenText(_Given):
    """Text of any length."""

    impl = Text
    cache_ok = True
