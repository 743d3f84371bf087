"""Rows go in many to a statement: in order, each as it was given, whatever their number."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError

from consentry.errors import UnavailableError
from consentry.ledger.events import Body, PersonLinked
from consentry.ledger.insertion import _SIZES, insertion
from consentry.ledger.postgres import _WORTH_A_COPY
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


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8, 9, 63, 64, 65, 64 + 8 + 1, 3 * 64 + 7])
def test_events_come_back_as_they_were_given(place: Place, count: int) -> None:
    ledger = place.open()
    assert ledger.append(said(count)) == range(count)
    assert [each.body for each in place.open().read()] == said(count)


def test_in_sqlite_a_hundred_choices_take_a_few_statements(sqlite_place: Place) -> None:
    ledger = sqlite_place.open()
    insertions = insertions_of(ledger)
    ledger.append([chose(number) for number in range(100)])
    # 64 + 4 * 8 + 4 * 1, in two tables.
    assert len(insertions) == 2 * (1 + 4 + 4)
    ledger.append([chose(number) for number in range(1000)])
    assert len(set(insertions)) <= 2 * len(_SIZES), "few enough to be prepared once and for ever"


def test_the_sizes_make_up_every_number() -> None:
    assert _SIZES[-1] == 1
    assert all(larger > smaller for larger, smaller in pairwise(_SIZES))


@pytest.mark.parametrize(("count", "how"), [(_WORTH_A_COPY, "COPY events"), (_WORTH_A_COPY - 1, "")])
def test_in_postgres_many_are_copied_and_one_that_does_not_go_in_takes_all_back(
    postgres_place: Place, count: int, how: str
) -> None:
    ledger = postgres_place.open()
    behind_its_back = insertion(EVENTS, place="%s")
    with postgres_place.engine.begin() as connection:
        connection.exec_driver_sql(behind_its_back, (1, "choice.made", 1, 7, b"c", None))
    with pytest.raises(DatabaseError) as caught:
        ledger.append([chose(number) for number in range(count)])
    assert how in str(caught.value.orig)
    assert ("COPY" in str(caught.value.orig)) == bool(how)
    with postgres_place.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one() == 1
    assert ledger.head() == 0


def test_a_connection_that_is_lost_before_the_copy_is_told_as_such(postgres_place: Place) -> None:
    ledger = postgres_place.open()
    others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database()"

    def lose() -> None:
        with ledger.sealing() as session:
            session.append([chose(number) for number in range(100)])
            with postgres_place.engine.begin() as connection:
                connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))

    with pytest.raises(UnavailableError) as caught:
        lose()
    assert caught.value.code == "ledger-unavailable"
    assert ledger.append([chose(number) for number in range(100)]) == range(100), "and it goes on"
