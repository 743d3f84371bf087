"""Objections, orders, seals and leases at a time, from many threads of several deployments of one home.

Some of the objections reach everything: the releases that are sealed are amended. Leases are granted, renewed a few
times and given back. What is right is for `oracle_of_races.py` to say, which knows the order of the ledger only.
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

from consentry.bootstrap import Deployment
from consentry.errors import ConflictError, StateError
from consentry.ledger import sql
from consentry.ledger.envelope import Event
from consentry.ledger.events import Body, ChoiceMade, Source
from consentry.ledger.oversight_events import LeaseEnd, OrderEnd, Origin
from consentry.ledger.sql import SqlLedger
from consentry.opening import opened_for_orders
from consentry.oversight.lease import LONGEST_TTL_MS, Lease
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from end_to_end.network import Form, RawItem, RawPerson, write_corpus, write_people
from end_to_end.oracle_of_races import CATEGORIES, ITEMS, PEOPLE, PLACES, Answered, Oracle, Withdrawn, author
from end_to_end.test_story import BEFORE, NOW

POLICY = "august-2024"
THREADS = 32
EVERYTHING = 9
"""One refusal in so many reaches everything: each amends every release that is sealed by then."""
RENEWALS = 3
ALL_OF_IT = (
    *("objections", "objections that reach everything", "orders", "orders with the ledger alone"),
    *("grants", "renewals"),
)
"""What has to happen at least once. Orders may leave leases no time on a slow machine: the race goes on until then."""


@dataclass
class Race:
    """What was done, and what was refused."""

    seals: int = 0
    done: Counter[str] = field(default_factory=Counter)
    answers: list[Answered] = field(default_factory=list)
    withdrawn: list[Withdrawn] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)


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
        reach = Reach.UNTRAINED if number % EVERYTHING else Reach.EVERYTHING
        choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW)
        person = deployment.person(str(number))
        deployment.control.statements.choose([ChoiceMade(person=person, choice=choice, source=Source.FORM)])
        self.count("objections")
        if reach is Reach.EVERYTHING:
            self.race.withdrawn.append(Withdrawn(person=number, after=deployment.ledger.head()))
            self.count("objections that reach everything")

    def order(self, deployment: Deployment) -> None:
        """Suspend something, and lift it after a while, or withdraw it: only that gives back what was sealed before."""
        scope = Scope(
            areas=frozenset({self.rng.choice(PLACES)}),
            categories=frozenset({Category.IMAGE}) if self.rng.random() < 0.3 else frozenset(),
        )
        said: dict[str, Any] = {"case": "race", "origin": Origin.OWN_DECISION, "reference": "a race"}
        if self.rng.random() < 0.5:
            order = deployment.control.orders.suspend(scope, **said)
        else:
            # As the command does it, with nothing open but the ledger.
            with opened_for_orders(deployment.settings.home) as issuing:
                assert issuing is not None
                order = issuing.issue(scope, **said)
            self.count("orders with the ledger alone")
        self.count("orders")
        time.sleep(self.rng.random() * 0.2)
        deployment.control.desk.present()
        # What was lifted leaves nothing of before to be leased, so leases come first.
        may_lift = self.race.done["renewals"] > 0 and self.rng.random() < 0.2
        how = OrderEnd.LIFTED if may_lift else OrderEnd.WITHDRAWN
        deployment.ledger.append(deployment.control.orders.ends([order.order], how))
        self.count(f"orders {how}")
        # What is sealed before an order is not read for long: between two there is time to be granted something.
        time.sleep(self.rng.random() * 0.5)

    def seal(self, deployment: Deployment) -> None:
        """Build a release, and wait a moment: who seals without a pause leaves the others hardly a turn at the head."""
        built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW)
        with self._lock:
            self.race.seals += 1
            self._newest = built.manifest.release
            if self.race.seals >= self.seals and (self.broken or all(self.race.done[each] for each in ALL_OF_IT)):
                self.over.set()
        time.sleep(self.rng.random())

    def hold(self, deployment: Deployment) -> None:
        """Take a lease on a release that was sealed a moment ago, renew it a few times, and give it back."""
        with self._lock:
            release, job = self._newest, f"job-{next(self._numbers)}"
        time.sleep(self.rng.random() * 0.02)
        leases, before = deployment.control.leases, deployment.ledger.head()
        # On a machine with too much to do a thread may be away for a minute: no lease shall run out by that.
        lease, secret = leases.grant(release, job=job, model="drafts", ttl_ms=LONGEST_TTL_MS)
        try:
            self._note(deployment, lease, "grants", before)
            for sequence in range(1, 1 + self.rng.randrange(RENEWALS)):
                time.sleep(self.rng.random() * 0.2)
                before = deployment.ledger.head()
                leases.renew(lease.lease, secret=secret, job=job, fence=lease.fence, sequence=sequence, step=sequence)
                self._note(deployment, lease, "renewals", before)
        finally:
            leases.end(lease.lease, secret=secret, how=LeaseEnd.RELEASED, step=None)

    def _note(self, deployment: Deployment, lease: Lease, what: str, before: int) -> None:
        """Note what the holder of a lease is told, as the interface tells it."""
        after, amendment = deployment.ledger.head(), deployment.control.amendments.newest(lease.release)
        self.race.answers.append(
            Answered(
                what=what, release=lease.release, fence=lease.fence, before=before, after=after, amendment=amendment
            )
        )
        self.count(what)

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
    """Race until so many releases are sealed and all of it happened; on a `broken` ledger, whatever else goes wrong."""
    course = Course(deployments, seals=seals, seed=seed, broken=broken)
    roles = [course.object_] * 8 + [course.order] * 2 + [course.seal] * 8 + [course.hold] * 14
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


def contradictions(deployment: Deployment, race: Race) -> list[str]:
    """Return what of a race contradicts what stands before it in the ledger."""
    return Oracle(deployment).contradictions(deployment.ledger.read(), answers=race.answers, withdrawn=race.withdrawn)


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
    reasons = {
        "release-overtaken",
        "lease-suspended",
        "lease-old-terms",
        "release-suspended",
        "release-old-terms",
        "lease-revoked",
        "amendment-overtaken",
    }
    return {code: count for code, count in race.refused.items() if code not in reasons}
