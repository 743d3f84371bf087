"""Where a process may open no more files, no table goes on showing what has left its release, unless it is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.errors import UnavailableError
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Reach
from end_to_end.network import populated, register_other_bytes
from end_to_end.still_given import in_table
from end_to_end.test_open_files import said
from end_to_end.test_story import GENAI, ITEMS, NOW, PEOPLE, POLICY, build
from open_files import open_files_left


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as started:
        yield started


def refuse(deployment: Deployment, person: str) -> None:
    """Record a no, of which nothing follows yet."""
    no = Choice(purpose=GENAI, state=ChoiceState.REFUSED, reach=Reach.EVERYTHING, at=NOW)
    deployment.ledger.append([ChoiceMade(person=deployment.person(person), choice=no, source=Source.FORM)])


@pytest.mark.parametrize("left", range(9))
def test_a_table_shows_nothing_that_left(place: tuple[Path, Deployment], left: int) -> None:
    _, deployment = place
    release, amendments = build(deployment), deployment.control.amendments
    amendments.handouts.write(release, 3)
    before = in_table(deployment, release, 3)
    refuse(deployment, "bo")
    code = said(amendments.amend_recorded, left=left)
    assert code in ("", "ledger-outcome-unknown")
    try:
        shown = in_table(deployment, release, 3)
    except FileNotFoundError:
        shown = 0
    assert code or shown < before
    amendments.amend_recorded()
    amendments.handouts.write(release, 3)
    assert in_table(deployment, release, 3) < before


def test_other_bytes_are_not_overlooked(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release, amendments = build(deployment), deployment.control.amendments
    refuse(deployment, "bo")
    amendments.amend_recorded()
    register_other_bytes(folder, deployment, ITEMS[:3])
    with open_files_left(0), pytest.raises(UnavailableError):
        amendments.other_bytes.look([release])
    assert amendments.other_bytes.look([release]) == {release}
