"""Rows go in many to a statement: in order, each as it was given, whatever their number."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from consentry.ledger.events import Body, PersonLinked
from consentry.ledger.insertion import _SIZES, insert_rows
from consentry.ledger.schema import EVENTS
from consentry.ledger.sql import SqlLedger
from ledger.conftest import Place
from ledger.sayings import chose, person, published


def said(count: int) -> list[Body]:
    """Return as many events, about one person, two, or none."""
    linked = PersonLinked(person=person(1), same_as=person(2))
    kinds: tuple[Body, ...] = (chose(1), linked, published("1"), chose(2))
    return [kinds[number % len(kinds)] for number in range(count)]


def insertions_of(ledger: SqlLedger) -> list[str]:
    """Return a list that grows by the text of every statement that inserts."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT"):
            seen.append(statement)

    event.listen(ledger._engine, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 64 + 8 + 1, 3 * 64 + 7])
def test_events_come_back_as_they_were_given(place: Place, count: int) -> None:
    ledger = place.open()
    assert ledger.append(said(count)) == range(count)
    assert [each.body for each in place.open().read()] == said(count)


def test_a_hundred_choices_take_a_few_statements(place: Place) -> None:
    ledger = place.open()
    insertions = insertions_of(ledger)
    ledger.append([chose(number) for number in range(100)])
    # 64 + 4 * 8 + 4 * 1, in two tables.
    assert len(insertions) == 2 * (1 + 4 + 4)
    ledger.append([chose(number) for number in range(1000)])
    assert len(set(insertions)) <= 2 * len(_SIZES), "few enough to be prepared once and for ever"


def test_the_sizes_make_up_every_number() -> None:
    assert _SIZES[-1] == 1
    assert all(larger > smaller for larger, smaller in pairwise(_SIZES))


def test_one_that_does_not_go_in_takes_all_of_them_back(place: Place) -> None:
    rows = [(position, "choice.made", 1, 7, b"c", None) for position in (*range(20), 3)]
    with pytest.raises(DBAPIError), place.engine.begin() as connection:
        insert_rows(connection, EVENTS, rows)
    with place.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one() == 0
