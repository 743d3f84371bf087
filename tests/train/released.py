"""A release to train on: of real posts if a Stack Exchange dump is at hand, of a synthetic network if not.

`real_dump.py` says where one is looked for. Each run says which of them it was, and `--real-posts` refuses a run
without a dump (`conftest.py`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import ItemsConsumed, Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Age, ChoiceState, Purpose, Reach
from consentry.release.data_file import excluded_positions
from real_dump import dump
from service.at_work import Caller, in_thread
from training.small_server import SmallPlane

POLICY = "august-2024"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A deployment and the name of a release in it."""

    home: Path
    name: str

    def open(self) -> Deployment:
        """Open the deployment."""
        return open_deployment(self.home)


def trained_on() -> str:
    """Say what jobs are trained on."""
    found = dump()
    return "a synthetic network: no Stack Exchange dump is at hand" if found is None else f"real posts: {found.name}"


def text_column() -> str:
    """Return the name of the column that holds the texts."""
    return "body" if dump() is None else "text"


def make(folder: Path) -> Released:
    """Make a deployment with one release in it."""
    home, content = folder / "home", folder / "content"
    deployment = open_deployment(home)
    found = dump()
    if found is None:
        deployment.generate_network(content, people=400, items=3000, seed=7)
    else:
        deployment.import_stackexchange(found, content, age=Age.ADULT)
    control = deployment.control
    control.statements.load_people(content / "people.toml")
    corpus = control.statements.register_corpus(content / "corpus.toml").corpus.name
    if (content / "choices.csv").exists():
        deployment.import_choices(content / "choices.csv", corpus=corpus)
    control.statements.publish(shipped()[POLICY], POLICY)
    name = control.releases.build(corpus, Purpose.TRAIN_GENAI, policy=POLICY).manifest.release
    deployment.close()
    return Released(home=home, name=name)


class Served:
    """A real server of a copy of a deployment, and what an operator does and sees there."""

    def __init__(self, deployment: Deployment, released: Released, ask: Caller) -> None:
        self._deployment, self.control, self.release = deployment, deployment.control, released.name
        self.url, self.credential = ask.url, ask.token

    def order(self) -> None:
        """Suspend the United Kingdom: people there wrote some of the items."""
        self.control.orders.suspend(
            Scope(areas=frozenset({"UK"})), case="ico-2024", origin=Origin.AUTHORITY_REQUEST, reference="letter"
        )

    def authors(self) -> dict[tuple[int, int], str]:
        """Return the author of every eligible row, as the content itself names them."""
        corpus = self.control.desk.corpus(self.control.releases.open(self.release).manifest.corpus)
        found: dict[tuple[int, int], str] = {}
        for index, file in enumerate(self.control.releases.data_files(self.release)):
            (column,) = pq.read_table(file.path, columns=[corpus.descriptor.columns["author"]]).columns
            out = set(excluded_positions(file).tolist())
            found |= {(index, row): str(each) for row, each in enumerate(column.to_pylist()) if row not in out}
        return found

    def refuse(self, person: str) -> None:
        """Let somebody refuse, for what is sealed as well."""
        at = self.control.desk.parts.clock()
        choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=at)
        self.control.statements.choose(
            [ChoiceMade(person=self._deployment.person(person), choice=choice, source=Source.SETTINGS)]
        )

    def job(self) -> dict[str, Any]:
        """Return how it is with the newest lease."""
        return self.control.leases.jobs()[-1]

    def consumed(self) -> list[ItemsConsumed]:
        """Return what was logged as consumed."""
        overseen = self.control.desk.present().overseen
        return [each.body for lease in overseen.leases for each in overseen.lineage.consumed(lease.lease)]

    def rows(self) -> set[tuple[int, int]]:
        """Return the rows that were logged as consumed."""
        return self._rows(self.consumed())

    def _rows(self, consumed: list[ItemsConsumed]) -> set[tuple[int, int]]:
        ranges = [r for each in consumed for r in json.loads(self.control.desk.parts.objects.get(each.ranges))]
        return {(file, row) for file, first, end in ranges for row in range(first, end)}

    def _of(self, job: str) -> list[ItemsConsumed]:
        overseen = self.control.desk.present().overseen
        (lease,) = [each.lease for each in overseen.leases if each.job == job]
        return [each.body for each in overseen.lineage.consumed(lease)]

    def rows_of(self, job: str) -> set[tuple[int, int]]:
        """Return the rows that one job logged as consumed."""
        return self._rows(self._of(job))

    def steps(self, job: str) -> set[int]:
        """Return the steps of which one job logged what they consumed."""
        return {step for each in self._of(job) for step in range(each.from_step, each.to_step + 1)}

    def excluded(self) -> set[tuple[int, int]]:
        """Return the rows that the release leaves out."""
        files = self.control.releases.data_files(self.release)
        return {(index, row) for index, file in enumerate(files) for row in excluded_positions(file).tolist()}


@contextmanager
def served(released: Released, folder: Path) -> Iterator[Served]:
    """Serve a copy of a deployment, so that an order in one test is none in the next."""
    shutil.copytree(released.home, folder / "home")
    deployment = open_deployment(folder / "home")
    try:
        with in_thread(deployment) as ask:
            yield Served(deployment, released, ask)
    finally:
        deployment.close()


def small_plane(released: Released) -> SmallPlane:
    """Return a small control plane that hands a release out."""
    deployment = released.open()
    files = deployment.control.releases.data_files(released.name)
    deployment.close()
    excluded = {index: excluded_positions(file).tolist() for index, file in enumerate(files)}
    return SmallPlane([file.path for file in files], excluded)
