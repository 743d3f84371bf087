"""A look at the head that waits for nothing: never behind what was acknowledged, silent where it would have to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from consentry.ledger.postgres import _WORTH_A_CONNECTION
from consentry.ledger.sql import SqlLedger
from ledger.conftest import Place
from ledger.sayings import chose

_EACH, _WRITERS = 60, 3


def behind(ledgers: list[SqlLedger], glance: Callable[[], int | None]) -> int:
    """Return how often a look did not know what had been acknowledged before it, while several write."""
    late = 0

    def write(ledger: SqlLedger) -> int:
        found = 0
        for _ in range(_EACH):
            acknowledged = ledger.append([chose(1)]).stop
            seen = glance()
            found += seen is not None and seen < acknowledged
        return found

    with ThreadPoolExecutor(len(ledgers)) as pool:
        late += sum(pool.map(write, ledgers))
    return late


def test_a_look_knows_all_that_was_acknowledged_before_it(place: Place) -> None:
    looking = place.open()
    # Also what the one that looks has written itself, and what others have.
    assert behind([looking, *(place.open() for _ in range(_WRITERS - 1))], looking.glance) == 0
    assert looking.glance() in {None, looking.head()}


def test_the_check_finds_a_look_that_remembers(sqlite_place: Place) -> None:
    looking = sqlite_place.open()
    once = looking.glance()
    assert behind([sqlite_place.open() for _ in range(_WRITERS)], lambda: once) > 0


def test_a_look_waits_for_nobody_who_holds_the_head(sqlite_place: Place) -> None:
    looking, writing = sqlite_place.open(), sqlite_place.open()
    before = writing.append([chose(1)]).stop
    with writing.sealing() as session:
        session.append([chose(2)])
        began = time.perf_counter()
        assert looking.glance() == before, "what is not durable is not there"
        assert time.perf_counter() - began < 1
    assert looking.glance() == before + 1


def test_a_look_notices_an_erasure_and_a_checkpoint(sqlite_place: Place) -> None:
    looking, writing = sqlite_place.open(), sqlite_place.open()
    writing.append([chose(1), chose(2)])
    assert looking.glance() == 2
    writing.erase([chose(1).person])
    assert looking.glance() == writing.head() == 3


def test_a_closed_or_a_distant_ledger_says_nothing(place: Place) -> None:
    ledger = place.open()
    if place.store == "postgres":
        assert ledger.glance() is None
    ledger.close()
    assert ledger.glance() is None


def test_a_ledger_without_a_head_says_nothing(sqlite_place: Place) -> None:
    ledger = sqlite_place.open()
    assert ledger.glance() == 0
    with sqlite_place.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE head")
    assert ledger.glance() is None
    assert ledger.glance() is None, "and goes on saying nothing: `head` tells what is wrong"


def connections_of(place: Place, ledger: SqlLedger) -> list[int]:
    """Return the server's numbers of the connections that look at the head, with the question asked often enough."""
    for _ in range(2 * _WORTH_A_CONNECTION):
        ledger.head()
    with place.engine.connect() as connection:
        looking = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = :asked"
        return list(connection.execute(text(looking), {"asked": "SELECT position FROM head"}).scalars())


def test_the_head_knows_all_that_was_acknowledged_before_it(place: Place) -> None:
    looking = place.open()
    assert behind([looking, *(place.open() for _ in range(_WRITERS - 1))], looking.head) == 0


def test_the_head_is_asked_over_a_connection_of_its_own_once_that_is_worth_it(postgres_place: Place) -> None:
    ledger = postgres_place.open()
    ledger.append([chose(1)])
    assert len(connections_of(postgres_place, ledger)) == 1
    ledger.append([chose(2)])
    assert ledger.head() == 2
    ledger.close()
    assert connections_of(postgres_place, ledger) == [], "a closed one is not opened again"


def test_a_lost_connection_is_replaced(postgres_place: Place) -> None:
    ledger = postgres_place.open()
    (lost,) = connections_of(postgres_place, ledger)
    ledger.append([chose(1)])
    with postgres_place.engine.connect() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend({lost}, 10000)"))
    assert [ledger.head() for _ in range(3)] == [1, 1, 1]
    (found,) = connections_of(postgres_place, ledger)
    assert found != lost


def test_several_who_ask_at_once_wait_for_no_other(postgres_place: Place) -> None:
    ledger = postgres_place.open()
    connections_of(postgres_place, ledger)
    ledger.append([chose(1)])
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: ledger.head(), range(200))) == {1}
