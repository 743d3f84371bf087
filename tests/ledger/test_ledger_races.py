"""A refusal against a seal: no release may hold somebody whose refusal was acknowledged, or stands, before it.

Every writer and the one who seals have a connection pool of their own, so that only the head row stands between them.
The control does the same without holding the head, and must be caught; otherwise the harness would prove nothing.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade
from consentry.ledger.release_events import ReleaseSealed
from consentry.ledger.sql import SqlLedger
from ledger.conftest import Place
from ledger.sayings import chose, person, published, sealed

WRITERS = 4


@dataclass
class Race:
    """What happened. A seal is the set of those left out of it, and who had been acknowledged when it was made."""

    acknowledged: set[str] = field(default_factory=set)
    seals: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    broken_promises: int = 0
    contradictions: int = 0

    def judge(self, history: list[Event]) -> None:
        """Compare every seal with what stands before it in the ledger."""
        refused: set[str] = set()
        seals = dict(self.seals)
        for event in history:
            if isinstance(event.body, ChoiceMade):
                refused.add(event.body.person)
            elif event.position in seals:
                self.contradictions += bool(refused - seals[event.position])


class Refusers:
    """Threads that refuse, each through a ledger of its own, until the block is left."""

    def __init__(self, place: Place, race: Race, seed: int) -> None:
        self._ledgers = [place.open() for _ in range(WRITERS)]
        self._race = race
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._next = 1_000_000 * seed
        self.failures: list[BaseException] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._refuse, args=(ledger,)) for ledger in self._ledgers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        assert not self.failures

    def let_some_through(self) -> None:
        """Wait for a few more refusals: one who seals without a pause can keep SQLite's writers out."""
        enough = len(self._race.acknowledged) + WRITERS
        while len(self._race.acknowledged) < enough and not self.failures:
            time.sleep(0.001)

    def _refuse(self, ledger: SqlLedger) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    number, pause = self._next, self._rng.random() * 0.004
                    self._next += 1
                ledger.append([chose(number)])
                with self._lock:
                    self._race.acknowledged.add(person(number))
                time.sleep(pause)
        except BaseException as error:
            self.failures.append(error)


def seal_holding_the_head(ledger: SqlLedger, race: Race, number: int, prepared: set[str], since: int) -> None:
    with ledger.sealing() as session:
        left_out = prepared | refusals(session.read_delta(since))
        time.sleep(0.004 * random.random())
        before = set(race.acknowledged)
        session.append([sealed(f"r{number}", session.position)])
        race.seals.append((session.position - 1, frozenset(left_out)))
    race.broken_promises += bool(before - left_out)


def seal_naively(ledger: SqlLedger, race: Race, number: int, prepared: set[str], since: int) -> None:
    left_out = prepared | refusals(ledger.read(since))
    time.sleep(0.004 * random.random())
    before = set(race.acknowledged)
    position = ledger.append([published(f"stands for release {number}")])[0]
    race.seals.append((position, frozenset(left_out)))
    race.broken_promises += bool(before - left_out)


def refusals(events: Iterator[Event]) -> set[str]:
    return {event.body.person for event in events if isinstance(event.body, ChoiceMade)}


def run(place: Place, *, rounds: int, held: bool, seed: int = 1) -> Race:
    race = Race()
    ledger = place.open()
    refusers = Refusers(place, race, seed)
    with refusers.at_work():
        prepared: set[str] = set()
        since = 0
        for number in range(rounds):
            refusers.let_some_through()
            start, since = since, ledger.head()
            prepared |= refusals(ledger.read(start, since))
            seal = seal_holding_the_head if held else seal_naively
            seal(ledger, race, number, prepared, since)
    history = list(ledger.read())
    assert [event.position for event in history] == list(range(len(history)))
    race.judge(history)
    return race


def test_no_seal_misses_a_refusal(place: Place) -> None:
    race = run(place, rounds=30, held=True)
    assert (race.broken_promises, race.contradictions) == (0, 0)
    kept = [event for event in place.open().read() if isinstance(event.body, ReleaseSealed)]
    assert [event.position for event in kept] == [position for position, _ in race.seals]


def test_the_harness_catches_a_seal_that_does_not_hold_the_head(place: Place) -> None:
    race = run(place, rounds=30, held=False)
    assert race.contradictions > 0
    assert race.broken_promises > 0


@pytest.mark.slow
def test_no_seal_misses_a_refusal_campaign(place: Place) -> None:
    for seed in range(4):
        race = run(place, rounds=150, held=True, seed=seed)
        assert (race.broken_promises, race.contradictions) == (0, 0)
