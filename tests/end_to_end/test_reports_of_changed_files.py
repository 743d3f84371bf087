"""Reports stay what they were when files that they count are registered anew with other bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.registration import forget_earlier
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Reach
from end_to_end.case_steps import CASE, suspend
from end_to_end.network import RawItem, Reading, descriptor, fresh, write_corpus, write_people
from end_to_end.suspended_network import PEOPLE, POLICY, build
from end_to_end.test_case_reports import DATED, WINDOW, bytes_of, counted, owed
from end_to_end.test_story import say

BEFORE = (DATED[:2], DATED[2:])
OTHER_FIRST = (DATED[:1], DATED[2:])
OTHER_SECOND = (DATED[:2], DATED[3:])


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment, str]]:
    with fresh() as (folder, deployment):
        register(folder, deployment, BEFORE)
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        release = build(deployment)
        suspend(deployment, WINDOW)
        owed(deployment)
        yield folder, deployment, release


def register(folder: Path, deployment: Deployment, files: Sequence[Sequence[RawItem]]) -> None:
    """Register files, in a home that does not have what was known of those before: one that was restored in part."""
    deployment.control.statements.register_corpus(write_corpus(folder, files))
    forget_earlier(deployment.control.desk.corpora, "network", wanted=())


def describe(folder: Path, deployment: Deployment, *, dated: bool = True) -> None:
    """Register the same bytes under another descriptor."""
    (folder / "corpus.toml").write_text(descriptor(reading=Reading(dated=dated)))
    deployment.control.statements.register_corpus(folder / "corpus.toml")


def test_the_same_position_gives_the_same_bytes_before_and_after(place: tuple[Path, Deployment, str]) -> None:
    folder, deployment, release = place
    position = deployment.ledger.head()
    said = bytes_of(deployment, position)
    assert counted(deployment, position) == {release: (1, 1, 0, 0, 0, 0)}
    register(folder, deployment, OTHER_FIRST)
    assert bytes_of(deployment, position) == said
    # The poorer count took the place of nothing: asked again, also by a deployment that is opened later.
    assert bytes_of(deployment, position) == said
    deployment.close()
    again = open_deployment(folder / "home")
    assert bytes_of(again, position) == said
    again.close()


def test_it_stays_so_with_an_amendment_and_an_erasure_in_between(place: tuple[Path, Deployment, str]) -> None:
    folder, deployment, release = place
    say(deployment, "gb", reach=Reach.EVERYTHING)
    position = deployment.ledger.head()
    said = bytes_of(deployment, position)
    register(folder, deployment, OTHER_FIRST)
    assert bytes_of(deployment, position) == said
    deployment.control.statements.erase([deployment.person("gb")])
    assert bytes_of(deployment, position) == said
    assert counted(deployment, position) == {release: (1, 0, 1, 0, 0, 0)}


def test_a_release_of_which_only_another_descriptor_is_left_is_not_counted_and_no_report_fails_of_it(
    place: tuple[Path, Deployment, str],
) -> None:
    folder, deployment, release = place
    control, position = deployment.control, deployment.ledger.head()
    describe(folder, deployment, dated=False)
    newer = build(deployment)
    forget_earlier(control.desk.corpora, "network", wanted=())
    assert counted(deployment, position) == {release: (0, 0, 0, 0, 0, 4)}
    said = bytes_of(deployment, position)
    assert counted(deployment) == {release: (0, 0, 0, 0, 0, 4), newer: (3, 0, 0, 0, 0, 0)}, (
        "without dates all may be in it"
    )
    control.reports.deliver(CASE, "five-months", position=None, by="ann")
    deployment.close()
    again = open_deployment(folder / "home")
    assert bytes_of(again, position) == said
    describe(folder, again)
    assert counted(again, position) == {release: (1, 1, 0, 0, 0, 0)}
    again.close()


def test_a_count_without_some_files_gives_way_only_to_one_with_more(place: tuple[Path, Deployment, str]) -> None:
    folder, deployment, release = place
    position = deployment.ledger.head()
    register(folder, deployment, OTHER_FIRST)
    without_first = bytes_of(deployment, position)
    assert counted(deployment, position) == {release: (0, 0, 0, 0, 0, 2)}
    # As many are not counted, but others: what was said first stands.
    register(folder, deployment, OTHER_SECOND)
    assert bytes_of(deployment, position) == without_first
    register(folder, deployment, BEFORE)
    assert counted(deployment, position) == {release: (1, 1, 0, 0, 0, 0)}
    register(folder, deployment, OTHER_SECOND)
    assert counted(deployment, position) == {release: (1, 1, 0, 0, 0, 0)}
