"""A refusal against a seal, through the control plane: what was acknowledged before a seal is not in the release.

Threads refuse while others build and one only looks (which moves the shared present under the builder's feet). The
control does what must not be done, seals what was decided at the cut without asking what was said since, and has to be
caught; otherwise the harness would prove nothing.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyroaring import BitMap64

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane.drafts import Drafts
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.release_events import ReleaseSealed
from consentry.ledger.store import SealingSession
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import Form, RawItem, RawPerson, copy_home, write_corpus, write_people
from ledger.conftest import postgres_url  # noqa: F401 - a fixture

POLICY = "september-2024"
NOW = 1_730_000_000
PEOPLE = 400


@dataclass
class Race:
    """What happened: who had been told "recorded" when each build began, and how each release turned out."""

    acknowledged: set[int] = field(default_factory=set)
    broken_promises: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)


def prepare(folder: Path, deployment: Deployment) -> None:
    items = [RawItem(id=number, author=number % PEOPLE, created=NOW - 1) for number in range(4 * PEOPLE)]
    halves = [items[: 2 * PEOPLE], items[2 * PEOPLE :]]
    deployment.control.statements.register_corpus(write_corpus(folder, halves, Form(ids="int64", rows_per_group=1_000)))
    deployment.control.statements.load_people(
        write_people(folder / "people", [RawPerson(id=number) for number in range(PEOPLE)])
    )
    deployment.control.statements.publish(shipped()[POLICY], POLICY)


def refuse(deployment: Deployment, number: int) -> None:
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
    deployment.control.statements.choose(
        [ChoiceMade(person=deployment.person(str(number)), choice=choice, source=Source.FORM)]
    )


def excluded_people(deployment: Deployment, release: str) -> set[int]:
    """Return the people of whom no item is in a release."""
    opened = deployment.control.releases.open(release)
    included: set[int] = set()
    for index, file in enumerate(opened.manifest.files):
        excluded = BitMap64.deserialize(opened.bitmap(file))
        included |= {(2 * PEOPLE * index + row) % PEOPLE for row in range(file.pin.rows) if row not in excluded}
    return set(range(PEOPLE)) - included


@contextmanager
def at_work(race: Race, jobs: list[Callable[[], None]]) -> Iterator[None]:
    """Run jobs over and over in threads of their own until the block is left."""
    stop = threading.Event()

    def work(job: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                job()
        except StopIteration:
            pass
        except BaseException as error:
            race.failures.append(error)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def run(deployments: list[Deployment], *, seals: int) -> Race:
    """Build `seals` releases in each deployment of one home while people refuse in all of them."""
    race = Race()
    numbers = itertools.count()
    lock = threading.Lock()

    def refuser(deployment: Deployment) -> Callable[[], None]:
        def job() -> None:
            with lock:
                number = next(numbers)
            if number >= PEOPLE:
                raise StopIteration
            refuse(deployment, number)
            with lock:
                race.acknowledged.add(number)
            time.sleep(0.002)

        return job

    def onlooker(deployment: Deployment) -> Callable[[], None]:
        def job() -> None:
            deployment.control.desk.present()
            time.sleep(0.001)

        return job

    def build(deployment: Deployment) -> None:
        for _ in range(seals):
            with lock:
                before = set(race.acknowledged)
            name = deployment.control.releases.build(
                "network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW
            ).manifest.release
            if before - excluded_people(deployment, name):
                race.broken_promises.append(name)
            race.seals.append(name)

    jobs = [job(deployment) for deployment in deployments for job in (refuser, onlooker)]
    with at_work(race, jobs):
        builders = [threading.Thread(target=build, args=(deployment,)) for deployment in deployments[1:]]
        for thread in builders:
            thread.start()
        build(deployments[0])
        for thread in builders:
            thread.join()
    if race.failures:
        raise race.failures[0]
    return race


def contradictions(deployment: Deployment, race: Race) -> list[str]:
    """Return the releases that hold somebody who refused at an earlier position."""
    refused: set[str] = set()
    at_seal: dict[str, set[str]] = {}
    for event in deployment.ledger.read():
        if isinstance(event.body, ChoiceMade):
            refused.add(event.body.person)
        elif isinstance(event.body, ReleaseSealed):
            at_seal[event.body.release] = set(refused)
    numbers = {deployment.person(str(number)): number for number in range(PEOPLE)}
    assert set(race.seals) <= set(at_seal)
    return [
        release
        for release, people in at_seal.items()
        if {numbers[person] for person in people} - excluded_people(deployment, release)
    ]


@contextmanager
def opened(folder: Path, number: int) -> Iterator[list[Deployment]]:
    """Yield deployments of one home, as several processes would have."""
    with ExitStack() as stack:
        found = [open_deployment(folder / "home") for _ in range(number)]
        for each in found:
            stack.callback(each.close)
        prepare(folder, found[0])
        yield found


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("race")
    copy_home(made / "home")
    return made


def check(folder: Path, *, deployments: int, seals: int) -> None:
    with opened(folder, deployments) as found:
        race = run(found, seals=seals)
        assert race.broken_promises == []
        assert contradictions(found[0], race) == []
        # What was brought up to date under way is what deciding from nothing gives.
        for name in race.seals:
            assert [each for each in found[0].control.releases.verify(name, decide=True) if each.problem] == []


def test_no_release_holds_an_acknowledged_refusal(folder: Path) -> None:
    check(folder, deployments=1, seals=12)


def test_no_release_holds_an_acknowledged_refusal_of_another_process(folder: Path) -> None:
    check(folder, deployments=2, seals=6)


@pytest.mark.slow
@pytest.mark.parametrize("deployments", [1, 2, 4])
def test_no_release_holds_an_acknowledged_refusal_campaign(folder: Path, deployments: int) -> None:
    check(folder, deployments=deployments, seals=100)


def test_the_harness_catches_who_seals_without_the_delta(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def naive(self: Drafts, session: SealingSession, *, since: int) -> list[Event]:
        right(self, session, since=since)
        return []  # nothing was said since

    right = Drafts._catch_up
    monkeypatch.setattr(Drafts, "_catch_up", naive)
    with opened(folder, 1) as found:
        race = run(found, seals=12)
        assert contradictions(found[0], race) != []


def test_the_harness_catches_who_reads_the_delta_from_where_the_present_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def naive(self: Drafts, session: SealingSession, *, since: int) -> list[Event]:  # noqa: ARG001
        return right(self, session, since=self.desk.newest.position)

    right = Drafts._catch_up
    monkeypatch.setattr(Drafts, "_catch_up", naive)
    with opened(folder, 1) as found:
        race = run(found, seals=12)
        assert contradictions(found[0], race) != []


def test_no_release_holds_an_acknowledged_refusal_on_postgres(
    folder: Path,
    postgres_url: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from consentry.ledger.postgres import migrate_postgres
    from ledger.conftest import _database, _within

    with _database(postgres_url, template="template0") as name:
        url = _within(postgres_url, name)
        migrate_postgres(url)
        shutil.rmtree(folder / "home")  # it belongs to another ledger
        monkeypatch.setenv("CONSENTRY_LEDGER_URL", url.replace("postgresql://", "postgresql+psycopg://"))
        monkeypatch.setenv("CONSENTRY_LEDGER_REPLICA_REQUIRED", "false")
        check(folder, deployments=2, seals=6)
