"""Objections, orders, seals and grants of leases at a time, from many threads of several deployments of one home.

The oracle is the order of the ledger, and knows nothing of policies: no sealed release holds an item of somebody who
refused at an earlier position, or one in the scope of an order that is in force at its position; no lease is granted on
a release that holds items in the scope of an order that is in force at its fence.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.bootstrap import Deployment
from consentry.errors import ConflictError, ConsentryError, StateError
from consentry.ledger import sql
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body, ChoiceMade, ReleaseSealed, Source
from consentry.ledger.oversight_events import LeaseEnd, LeaseGranted, OrderEnd, OrderEnded, OrderIssued, Origin
from consentry.ledger.sql import SqlLedger
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose
from end_to_end.network import Form, RawItem, RawPerson, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW

POLICY = "august-2024"
THREADS = 32
PLACES = ("US", "GB", "BR", "IN", "CA")
CATEGORIES = ("post", "image")
PEOPLE = 300
ITEMS = 2 * PEOPLE


@dataclass
class Race:
    """What was done, and what was refused."""

    seals: int = 0
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)


def author(item: int) -> int:
    """Return the person of an item; of each person one item is a post and one an image."""
    return item % PEOPLE


def prepare(folder: Path, deployment: Deployment) -> None:
    """Fill a deployment."""
    items = [
        RawItem(id=item, author=author(item), category=CATEGORIES[item // PEOPLE], created=BEFORE)
        for item in range(ITEMS)
    ]
    halves = [items[: ITEMS // 3], items[ITEMS // 3 :]]
    people = [RawPerson(id=number, country=PLACES[number % len(PLACES)]) for number in range(PEOPLE)]
    deployment.control.statements.register_corpus(write_corpus(folder, halves, Form(ids="int64", rows_per_group=1_000)))
    deployment.control.statements.load_people(write_people(folder / "people", people))
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)


class Course:
    """The threads of a race, and what they share."""

    def __init__(self, deployments: Sequence[Deployment], *, seals: int, seed: int, broken: bool) -> None:
        self.deployments = deployments
        self.seals = seals
        self.broken = broken
        self.race = Race()
        self.over = threading.Event()
        self.rng = random.Random(seed)
        self._people = itertools.count()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._newest = next(reversed(deployments[0].control.releases.sealed()))

    def object_(self, deployment: Deployment) -> None:
        """Let somebody refuse, and wait a moment: there are only so many people."""
        with self._lock:
            number = next(self._people)
        time.sleep(self.rng.random() * 0.05)
        if number >= PEOPLE * 3 // 4:
            time.sleep(0.05)
            return
        choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
        person = deployment.person(str(number))
        deployment.control.statements.choose([ChoiceMade(person=person, choice=choice, source=Source.FORM)])
        self.count("objections")

    def order(self, deployment: Deployment) -> None:
        """Suspend something, and lift it after a while."""
        scope = Scope(
            areas=frozenset({self.rng.choice(PLACES)}),
            categories=frozenset({Category.IMAGE}) if self.rng.random() < 0.3 else frozenset(),
        )
        order = deployment.control.orders.suspend(scope, case="race", origin=Origin.OWN_DECISION, reference="a race")
        self.count("orders")
        time.sleep(self.rng.random() * 0.2)
        deployment.control.desk.present()
        deployment.ledger.append(deployment.control.orders.ends([order.order], OrderEnd.LIFTED))
        time.sleep(self.rng.random() * 0.1)

    def seal(self, deployment: Deployment) -> None:
        """Build a release."""
        built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        with self._lock:
            self.race.seals += 1
            self._newest = built.manifest.release
            if self.race.seals >= self.seals:
                self.over.set()

    def grant(self, deployment: Deployment) -> None:
        """Take a lease on a release that was sealed a moment ago, and give it back."""
        with self._lock:
            release, job = self._newest, f"job-{next(self._numbers)}"
        time.sleep(self.rng.random() * 0.02)
        lease, secret = deployment.control.leases.grant(release, job=job, model="drafts")
        self.count("grants")
        deployment.control.leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=None)

    def count(self, what: str) -> None:
        """Count what was done."""
        with self._lock:
            self.race.done[what] += 1

    def over_and_over(self, job: Callable[[Deployment], None], deployment: Deployment) -> None:
        """Do a job until the race is over; what is refused is refused."""
        while not self.over.is_set():
            try:
                job(deployment)
            except (ConflictError, StateError) as error:
                with self._lock:
                    self.race.refused[error.code] += 1
            except BaseException as error:
                self.race.failures.append(error)
                if not self.broken:
                    self.over.set()


def run(
    deployments: Sequence[Deployment], *, seals: int, seed: int = 1, limit: float = 600, broken: bool = False
) -> Race:
    """Race until so many releases are sealed; on a `broken` ledger, whatever else goes wrong."""
    course = Course(deployments, seals=seals, seed=seed, broken=broken)
    roles = [course.object_] * 8 + [course.order] * 2 + [course.seal] * 8 + [course.grant] * 14
    assert len(roles) == THREADS
    threads = [
        threading.Thread(target=course.over_and_over, args=(role, deployments[number % len(deployments)]))
        for number, role in enumerate(roles)
    ]
    for thread in threads:
        thread.start()
    course.over.wait(limit)
    course.over.set()
    for thread in threads:
        thread.join()
    if course.race.failures and not broken:
        raise course.race.failures[0]
    return course.race


class Oracle:
    """What each item is, by the numbers they were made from."""

    def __init__(self, deployment: Deployment) -> None:
        self._control = deployment.control
        self._people = {deployment.person(str(number)): number for number in range(PEOPLE)}
        items = np.arange(ITEMS)
        self._author = items % PEOPLE
        self._place = self._author % len(PLACES)
        self._image = items >= PEOPLE
        self._included: dict[str, npt.NDArray[np.bool_]] = {}

    def included(self, release: str) -> npt.NDArray[np.bool_]:
        """Return which items are in a release, by its bitmaps."""
        if release not in self._included:
            try:
                opened = self._control.releases.open(release)
            except ConsentryError:
                # Without the head lock one release overwrites another: of what cannot be read nothing is claimed.
                return np.zeros(ITEMS, dtype=np.bool_)
            kept = []
            for file in opened.manifest.files:
                mask = np.ones(file.pin.rows, dtype=np.bool_)
                mask[np.array(BitMap64.deserialize(opened.bitmap(file)), dtype=np.int64)] = False
                kept.append(mask)
            self._included[release] = np.concatenate(kept)
        return self._included[release]

    def contradictions(self, events: Iterator[Event]) -> list[str]:
        """Return the seals and grants that contradict what stands before them."""
        refused = np.zeros(PEOPLE, dtype=np.bool_)
        orders: dict[str, npt.NDArray[np.bool_]] = {}
        found: list[str] = []
        for event in events:
            body = event.body
            if isinstance(body, ChoiceMade):
                refused[self._people[body.person]] = True
            elif isinstance(body, OrderIssued):
                scope = np.isin(self._place, [PLACES.index(area) for area in body.areas])
                orders[body.order] = scope & self._image if body.categories else scope
            elif isinstance(body, OrderEnded):
                orders.pop(body.order, None)
            elif isinstance(body, ReleaseSealed | LeaseGranted):
                # A lease may be granted on a release of before somebody refused: that is what amendments are for.
                against = refused[self._author] if isinstance(body, ReleaseSealed) else np.zeros(ITEMS, dtype=np.bool_)
                for scope in orders.values():
                    against = against | scope
                if (self.included(body.release) & against).any():
                    found.append(f"{event.kind} at {event.position}")
        return found


def contradictions(deployment: Deployment) -> list[str]:
    """Return the seals and grants of a ledger that contradict what stands before them."""
    return Oracle(deployment).contradictions(deployment.ledger.read())


class _Unlocked:
    """A sealing session that does not hold the head."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self.position = ledger.head()
        self.bodies: list[Body] = []

    def read_delta(self, since: int) -> Iterator[Event]:
        return self._ledger.read(since, self.position)

    def append(self, bodies: Sequence[Body]) -> range:
        start = self.position
        self.bodies += bodies
        self.position += len(bodies)
        return range(start, self.position)


@contextmanager
def without_the_head_lock() -> Iterator[None]:
    """Take the head lock out: whoever seals or grants reads, decides, and appends wherever the head is by then."""

    @contextmanager
    def naive(self: SqlLedger) -> Iterator[_Unlocked]:
        session = _Unlocked(self)
        yield session
        time.sleep(0.002)
        if session.bodies:
            self.append(session.bodies)

    def anywhere(self: Any, drafts: Sequence[Any]) -> range:
        start: int = self.position
        self._pending.extend(drafts)
        return range(start, start + len(drafts))

    with patch.object(SqlLedger, "sealing", naive), patch.object(sql._Session, "place", anywhere):
        yield


def unexpected(race: Race) -> dict[str, int]:
    """Return what was refused that had no reason to be."""
    reasons = {"release-overtaken", "lease-suspended", "release-suspended"}
    return {code: count for code, count in race.refused.items() if code not in reasons}
