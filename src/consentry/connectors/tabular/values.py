"""What a cell means in its role, whatever it came from: text from CSV, JSON values, or what a database driver gives.

| role | accepted | becomes |
|---|---|---|
| an id | a text, a whole number, a UUID | a text |
| a text | a text, a whole number | a text |
| a whole number | a whole number, or digits | a number |
| a time | a timestamp, a date, ISO 8601 text, whole seconds since 1970 | a time in UTC |
| involved people | a list, a JSON list, or ids separated by `;` | a list of texts |

Empty means null. A date without a time is the last second of its day in UTC, and a local time that occurs twice is the
later one: whoever refuses from a moment on must not be missed. A null among the involved people is somebody unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

_DIGITS = re.compile(r"[+-]?\d{1,18}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LAST_SECOND = time(23, 59, 59)
_SECOND_TIME = 1


class ValueProblemError(ValueError):
    """A cell that means nothing in its role; the message completes `column ... `."""


def text(value: Any) -> str | None:
    """Read a text."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueProblemError("holds half a character (a lone surrogate)") from error
        return value
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise ValueProblemError(f"holds {_kind(value)} where a text should be")


def whole(value: Any) -> int | None:
    """Read a whole number."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    raise ValueProblemError(f"holds {_kind(value)} where a whole number should be")


def moment(value: Any, *, zone: str | None, days: bool = True) -> datetime | None:
    """Read a time; `zone` is the one of times that carry none, and without it they are refused, as are bare `days`."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = _written_moment(value.strip())
    if isinstance(value, datetime):
        return _in_utc(value, zone)
    if isinstance(value, date):
        if not days:
            raise ValueProblemError(f"holds `{value.isoformat()}`, a day without a time")
        return datetime.combine(value, _LAST_SECOND, tzinfo=UTC)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, tz=UTC)
        except (OverflowError, ValueError, OSError) as error:
            raise ValueProblemError(f"holds `{value}`, which is out of range for whole seconds since 1970") from error
    raise ValueProblemError(f"holds {_kind(value)} where a time should be")


def _written_moment(written: str) -> datetime | date | int:
    if _DIGITS.fullmatch(written):
        return int(written)
    try:
        return date.fromisoformat(written) if _DAY.fullmatch(written) else datetime.fromisoformat(written)
    except ValueError as error:
        raise ValueProblemError(f"holds `{written[:40]}`, which is no time in ISO 8601") from error


def _in_utc(value: datetime, zone: str | None) -> datetime:
    if value.tzinfo is None:
        if zone is None:
            raise ValueProblemError(f"holds `{value.isoformat()}`, a time without a zone")
        value = value.replace(tzinfo=ZoneInfo(zone), fold=_SECOND_TIME)
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueProblemError(f"holds `{value.isoformat()}`, which is out of range") from error


def ids(value: Any, *, path: Sequence[str] = ()) -> list[str | None]:
    """Read the ids of involved people; `path` leads from an element to its id. Null is nobody."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        value = _written_list(value)
    if not isinstance(value, list | tuple):
        return [text(value)]
    return [text(_at(element, path)) for element in value]


def _written_list(written: str) -> list[Any]:
    if not written.lstrip().startswith("["):
        parts = written.split(";")
        for part in parts:
            # An id is never trimmed: with a space it is another one, and nobody can say which is meant.
            if part != part.strip():
                raise ValueProblemError(f"has a space beside `{part.strip()[:40]}`")
        return list(parts)
    try:
        found = json.loads(written)
    except ValueError as error:
        raise ValueProblemError("begins like a JSON list and is none") from error
    return list(found)


def _at(element: Any, path: Sequence[str]) -> Any:
    for name in path:
        if element is None:
            return None
        if not isinstance(element, dict) or name not in element:
            raise ValueProblemError(f"has an element without `{name}`")
        element = element[name]
    return element


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"`{value[:40]}`"
    return f"a value of type `{type(value).__name__}`"
