r"""Choices from a table: Parquet, CSV or JSON lines, one choice a row.

| column | what |
|---|---|
| `person` | the platform's id of the person, member or not; required |
| `purpose` | required |
| `state` | `allowed`, `refused`, or `unset` to take an earlier choice back; required |
| `at` | when, as ISO 8601 with time and zone, or whole seconds since 1970; required |
| `reach` | what a refusal undoes; `untrained` if not said |
| `categories`, `items` | what it is limited to, several separated by `;` or as a JSON list; everything if not said |
| `source` | how it reached the platform; `import` if not said |
| `notice` | the version of the notice seen |

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("person,purpose,state,at\n7,train-genai,refused,2024-09-20T10:00:00Z\n")
    ...     file.flush()
    ...     [row] = read_choices(Path(file.name))
    >>> row.person, row.state, row.at
    ('7', <ChoiceState.REFUSED: 'refused'>, 1726826400)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from consentry.connectors.tabular import values
from consentry.connectors.tabular.rows import CHOICES, SourceRow, read_file
from consentry.errors import InputError
from consentry.ledger.events import Source
from consentry.policy.choice import Seconds
from consentry.policy.policy_table import nearest
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

_REQUIRED = ("person", "purpose", "state", "at")
_COLUMNS = (*_REQUIRED, "reach", "categories", "items", "source", "notice")

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRow:
    """One choice in the platform's own ids; `where` is the file and line."""

    person: str
    purpose: Purpose
    state: ChoiceState
    reach: Reach
    categories: frozenset[Category]
    items: frozenset[str]
    at: Seconds
    source: Source
    notice: str | None
    where: str


def read_choices(path: Path) -> Iterator[ChoiceRow]:
    """Yield the choices of a file in its order, holding one at a time.

    Raises:
        ChoiceError: with the line, at the first row that cannot be used. Rows before it have been given out already:
            whoever must not apply half a file reads it twice, or applies all rows in one append.
    """
    for row in read_file(path, family=CHOICES):
        yield _choice(row)


def _choice(row: SourceRow) -> ChoiceRow:
    for column in row.values:
        if column not in _COLUMNS:
            raise CHOICES.refusal(
                "unknown-column",
                f"`{column}` is no column of choices",
                advice=nearest(column, _COLUMNS),
                where=row.head or row.where,
            )
    for column in _REQUIRED:
        if column not in row.values and row.head is not None:
            raise CHOICES.refusal(
                "missing-value",
                f"there is no column `{column}`",
                advice=f"choices need {', '.join(_REQUIRED)}",
                where=row.head,
            )
        if row.values.get(column) in (None, ""):
            raise _refusal(
                row, "missing-value", message=f"the row has no `{column}`", advice=f"fill in {', '.join(_REQUIRED)}"
            )
    return ChoiceRow(
        person=_text(row, "person") or "",
        purpose=_word(row, "purpose", word=row.values["purpose"], words=Purpose),
        state=_word(row, "state", word=row.values["state"], words=ChoiceState),
        reach=_word(row, "reach", word=row.values.get("reach") or Reach.UNTRAINED, words=Reach),
        categories=frozenset(_word(row, "category", word=word, words=Category) for word in _list(row, "categories")),
        items=frozenset(_list(row, "items")),
        at=_moment(row),
        source=_word(row, "source", word=row.values.get("source") or Source.IMPORT, words=Source),
        notice=_text(row, "notice"),
        where=row.where,
    )


def _word(row: SourceRow, what: str, *, word: Any, words: type[_Word]) -> _Word:
    if not isinstance(word, str) or word not in set(words) or word == Category.UNKNOWN:
        known = [str(each) for each in words if each != Category.UNKNOWN]
        raise _refusal(row, f"unknown-{what}", message=f"unknown {what} `{word}`", advice=nearest(str(word), known))
    return words(word)


def _text(row: SourceRow, column: str) -> str | None:
    try:
        return values.text(row.values.get(column))
    except values.ValueProblemError as error:
        raise _refusal(row, "bad-row", message=f"column `{column}` {error}", advice="correct the row") from error


def _list(row: SourceRow, column: str) -> list[str]:
    try:
        found = values.ids(row.values.get(column))
    except values.ValueProblemError as error:
        advice = "separate several by `;` alone, or write a JSON list: in one an id may hold spaces and semicolons"
        raise _refusal(row, "bad-row", message=f"column `{column}` {error}", advice=advice) from error
    if None in found:
        # An empty element would be dropped, and a choice about nothing in particular is about everything.
        raise _refusal(
            row, "bad-row", message=f"column `{column}` has an empty element", advice="separate several by one `;`"
        )
    return [each for each in found if each is not None]


def _moment(row: SourceRow) -> Seconds:
    try:
        moment = values.moment(row.values["at"], zone=None, days=False)
    except values.ValueProblemError as error:
        advice = "write date and time with their zone, as in `2024-09-20T10:00:00Z`"
        raise _refusal(row, "bad-time", message=f"column `at` {error}", advice=advice) from error
    # INVARIANT: rounded down, as all times are.
    return 0 if moment is None else int(moment.timestamp() // 1)


def _refusal(row: SourceRow, problem: str, *, message: str, advice: str) -> InputError:
    return CHOICES.refusal(problem, message, advice=advice, where=row.where)
