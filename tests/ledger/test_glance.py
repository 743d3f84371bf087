"""A look at the head that waits for nothing: never behind what was acknowledged, silent where it would have to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
