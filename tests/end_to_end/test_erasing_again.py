"""Somebody who was erased, comes back in a people table and is erased again takes their other accounts along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import Purpose
from end_to_end.network import RawItem, RawPerson, populated, write_people
from end_to_end.test_story import eligible

POLICY = "september-2024"
NAMES = ("ada", "bo", "cy", "dan")
ITEMS = tuple(RawItem(id=f"{person}-1", author=person) for person in NAMES)
Place = tuple[Path, Deployment]


@pytest.fixture
def place() -> Iterator[Place]:
    with populated([ITEMS], tuple(RawPerson(id=person) for person in NAMES), POLICY) as started:
        yield started


def load(place: Place, *, same: str | None = None) -> None:
    """Load everybody anew; `cy` is another account of `same`."""
    folder, deployment = place
    people = [RawPerson(id=person, same_as=same if person == "cy" else None) for person in NAMES]
    deployment.control.statements.load_people(write_people(folder / "people", people))


def left(deployment: Deployment) -> set[str]:
    built = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    return eligible(deployment, built.manifest.release)


def test_whoever_else_is_erased_in_between(place: Place) -> None:
    statements, person = place[1].control.statements, place[1].person
    statements.erase([person("ada")])
    load(place, same="ada")
    assert left(place[1]) == {"bo-1", "dan-1"}, "another account of somebody who was erased"
    statements.erase([person("bo")])
    assert statements.erase([person("ada")]) == 2
    load(place)
    assert left(place[1]) == {"dan-1"}


def test_control_an_account_that_is_no_longer_theirs_before_that_is_its_own(place: Place) -> None:
    statements, person = place[1].control.statements, place[1].person
    statements.erase([person("ada")])
    load(place, same="ada")
    load(place)
    assert statements.erase([person("ada")]) == 1
    assert left(place[1]) == {"bo-1", "cy-1", "dan-1"}
