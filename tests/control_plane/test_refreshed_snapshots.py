"""A snapshot that is refreshed from the ledger: the one before is asked meanwhile, and what it takes is bounded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.slot_table import SlotTable
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.release.snapshot import Snapshot
from end_to_end.network import RawPerson, populated, write_people

POLICY, PURPOSE = "september-2024", Purpose.TRAIN_GENAI
PEOPLE = 3_000
PATIENCE_S = 30.0
CATEGORIES = (Category.POST, Category.COMMENT)
WANTED_BYTES = 200_000_000
"""For five million people."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Deployment]]:
    people = [RawPerson(id=f"u{number}") for number in range(PEOPLE)]
    with populated([[]], people, POLICY) as (folder, deployment):
        yield folder, deployment


def refuse_elsewhere(folder: Path, person: str) -> None:
    """Record a refusal as another process would: it has to be read from the ledger."""
    with closing(open_deployment(folder / "home")) as other:
        refused = Choice(purpose=PURPOSE, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=1_725_000_000)
        said = ChoiceMade(person=other.person(person), choice=refused, source=Source.FORM)
        other.control.statements.choose([said])


@dataclass(slots=True)
class Steps:
    """Asks whenever the thread that refreshes calls a function of ours. That thread stands still until the answer."""

    ask: Callable[[], object]
    patience_s: float
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    answers: list[object] = field(default_factory=list)
    waited: list[str] = field(default_factory=list)

    def refresh(self, take: Callable[[], Snapshot]) -> Snapshot:
        """Take a snapshot, and ask at each step of it."""
        sys.settrace(self._step)
        try:
            return take()
        finally:
            sys.settrace(None)
            self.pool.shutdown()

    def _step(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not frame.f_globals.get("__name__", "").startswith("consentry.") or self.waited:
            return
        try:
            self.answers.append(self.pool.submit(self.ask).result(self.patience_s))
        except NotInTimeError:
            self.waited.append(frame.f_code.co_qualname)


def answers(snapshot: Snapshot, people: list[str]) -> list[bool]:
    return [snapshot.may(each, purpose=PURPOSE, category=kind).allowed for each in people for kind in CATEGORIES]


def test_asking_goes_on_at_every_step_of_a_refresh(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    first = deployment.control.people.snapshot(POLICY, [PURPOSE])
    people = ["u1", "u2", "somebody else"]
    before = answers(first, people)
    assert before == [True, True, True, True, False, False]
    refuse_elsewhere(folder, "u1")
    steps = Steps(lambda: answers(first, people), PATIENCE_S)
    following = steps.refresh(lambda: deployment.control.people.snapshot(POLICY, [PURPOSE], like=first))
    assert steps.waited == []
    assert len(steps.answers) > 100
    assert all(each == before for each in steps.answers), "what is asked never changes"
    assert following.position > first.position
    assert answers(following, people) == [False, False, True, True, False, False]
    anew = deployment.control.people.snapshot(POLICY, [PURPOSE])
    everybody = [f"u{number}" for number in range(PEOPLE)]
    assert answers(following, everybody) == answers(anew, everybody)


def test_control_whoever_waits_for_the_refresh_is_noticed(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    first = deployment.control.people.snapshot(POLICY, [PURPOSE])

    def ask() -> list[bool]:
        with deployment.control.desk.lock:
            return answers(first, ["u2"])

    refuse_elsewhere(folder, "u3")
    steps = Steps(ask, patience_s=0.2)
    steps.refresh(lambda: deployment.control.people.snapshot(POLICY, [PURPOSE], like=first))
    assert len(steps.waited) == 1


def test_a_snapshot_takes_some_forty_bytes_a_person(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    sizes: dict[int, int] = {}
    for number in (PEOPLE, 2 * PEOPLE, 6 * PEOPLE):
        people = [RawPerson(id=f"u{each}") for each in range(number)]
        deployment.control.statements.load_people(write_people(folder / f"people-{number}", people))
        sizes[number] = deployment.control.people.snapshot(POLICY, [PURPOSE]).nbytes
    # Keys of 16 bytes and slots of 4 at a load of 0.2 at least, both with room for a quarter more; two of a class.
    assert all(size <= 47 * number + 10_000 for number, size in sizes.items()), sizes


@pytest.mark.parametrize("room", [1, 1.25], ids=["as loaded", "with the room that a table has that grew"])
def test_five_million_people_take_less_than_is_promised(room: float) -> None:
    """The arrays themselves: nothing is written to them, so no memory is taken for them here."""
    people = 5_000_000
    assert SlotTable(seats=int(people * room)).nbytes + 2 * people < WANTED_BYTES
