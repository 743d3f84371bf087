"""A corpus that is registered under another descriptor: what was sealed before is told as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.corpus.registration import forget_earlier
from consentry.errors import IntegrityError
from end_to_end.network import populated
from end_to_end.test_story import ITEMS, PEOPLE, POLICY, build


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:4], ITEMS[4:]], PEOPLE, POLICY) as started:
        yield started


def say_that_posts_are_private(folder: Path, deployment: Deployment) -> None:
    descriptor = folder / "corpus.toml"
    descriptor.write_text(descriptor.read_text() + 'post = "direct-message"\n')  # its last table is [categories]
    deployment.control.statements.register_corpus(descriptor)


def problems(deployment: Deployment, release: str) -> list[str]:
    return [found.code for found in deployment.control.releases.verify(release, decide=True) if found.problem]


def test_a_release_is_explained_and_decided_again_by_what_it_was_sealed_under(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    releases = deployment.control.releases
    release = build(deployment)
    explained = {item: releases.explain(release, item) for item in ("a1", "a2", "g1")}
    assert explained["a1"].allowed
    say_that_posts_are_private(folder, deployment)
    assert {item: releases.explain(release, item) for item in explained} == explained
    assert problems(deployment, release) == []


def test_what_is_built_afterwards_goes_by_the_new_one_and_the_difference_says_why(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    releases = deployment.control.releases
    before = build(deployment)
    say_that_posts_are_private(folder, deployment)
    after = build(deployment)
    assert releases.explain(after, "a1").body["item"]["category"] == "direct-message"
    found = releases.compare(before, after)
    assert found["reproduced"]
    assert {move["to"] for move in found["moves"]} == {"forbidden:never"}
    assert found["causes"]["corpus"]


def test_nothing_false_is_said_of_a_release_when_what_it_was_sealed_under_is_not_kept(
    place: tuple[Path, Deployment],
) -> None:
    folder, deployment = place
    release = build(deployment)
    say_that_posts_are_private(folder, deployment)
    forget_earlier(deployment.control.desk.corpora, "network", wanted=())
    with pytest.raises(IntegrityError, match="release-descriptor-changed"):
        deployment.control.releases.explain(release, "a1")
    assert problems(deployment, release) == ["release-descriptor-changed"]
