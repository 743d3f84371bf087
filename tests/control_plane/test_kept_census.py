"""A census that is kept and carried on counts what one taken anew counts, whatever changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.corpus import census
from consentry.policy.vocabulary import ChoiceState, Reach
from end_to_end.network import RawPerson, populated, write_corpus, write_people
from end_to_end.test_story import GENAI, ITEMS, NOW, PEOPLE, POLICY, say

OTHER = "november-2025"
Place = tuple[Path, Deployment]


@pytest.fixture
def place() -> Iterator[Place]:
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY, OTHER) as started:
        yield started


def load_others(folder: Path, deployment: Deployment) -> None:
    people = (RawPerson(id="ada", country="DE"), RawPerson(id="new"), *PEOPLE[1:])
    deployment.control.statements.load_people(write_people(folder / "people", people))


def move_on(_: Path, deployment: Deployment) -> None:
    """Let time pass: nothing is said, and the draft of another time is of no use."""
    deployment.control.releases.drafts._drafts.clear()


CHANGES: dict[str, Callable[[Path, Deployment], object]] = {
    "time": move_on,
    "people": load_others,
    "choices": lambda _, deployment: say(deployment, "ada"),
    "later": lambda _, deployment: say(deployment, "bo", reach=Reach.FUTURE, at=NOW - 50_000),
    "taken back": lambda _, deployment: say(deployment, "ada", ChoiceState.UNSET, at=NOW + 1),
    "erasure": lambda _, deployment: deployment.control.statements.erase([deployment.person("cy")]),
    "came back": load_others,
}


def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note every census that is taken of all items, and carry on however many people moved."""
    found: list[int] = []
    take = census.take

    def noted(*arguments: object, **named: object) -> census.Census:
        found.append(1)
        return take(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(census, "take", noted)
    monkeypatch.setattr(census, "_FEW", 0)
    return found


def test_releases_count_alike_whatever_changed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, deployment = place
    found = taken(monkeypatch)
    control = deployment.control
    for name, change in CHANGES.items():
        change(folder, deployment)
        for policy in (POLICY, OTHER):
            for at in (NOW, NOW + 40_000_000):
                control.releases.drafts._drafts.clear()
                before = len(found)
                built = control.releases.build("network", GENAI, policy=policy, at=at).manifest
                assert len(found) == before or name == "time", f"a census was taken though only {name} changed"
                assert [each for each in control.releases.verify(built.release, decide=True) if each.problem] == [], (
                    name
                )


def test_a_census_is_taken_anew_when_many_people_moved(place: Place) -> None:
    folder, deployment = place
    control = deployment.control
    control.releases.build("network", GENAI, policy=POLICY, at=NOW)
    counted = control.releases.drafts._counted
    control.releases.drafts._drafts.clear()
    control.releases.build("network", GENAI, policy=OTHER, at=NOW)
    assert counted is not None
    assert control.releases.drafts._counted is not None
    assert (control.releases.drafts._counted[1].counts == counted[1].counts).all()
    load_others(folder, deployment)
    control.releases.build("network", GENAI, policy=POLICY, at=NOW)
    assert control.releases.drafts._counted[1].counts.sum() == len(ITEMS)


def test_another_corpus_is_counted_by_itself(place: Place) -> None:
    folder, deployment = place
    control = deployment.control
    control.releases.build("network", GENAI, policy=POLICY, at=NOW)
    assert control.releases.drafts._counted is not None
    first = control.releases.drafts._counted[0]
    write_corpus(folder, [ITEMS[:2], ITEMS[2:], ITEMS[:0]])
    control.statements.register_corpus(folder / "corpus.toml")
    built = control.releases.build("network", GENAI, policy=POLICY, at=NOW).manifest
    assert control.releases.drafts._counted[0] != first
    assert [each for each in control.releases.verify(built.release, decide=True) if each.problem] == []
