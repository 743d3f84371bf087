"""Damaged sidecars are made up for whatever comes in between: another registration, a release that cannot be read."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.intact import altered
from consentry.errors import UnavailableError
from consentry.policy.vocabulary import Reach
from end_to_end.network import write_items
from end_to_end.still_given import handed_out
from end_to_end.test_damaged_sidecars import (
    FIRST,
    ITEMS,
    again,
    damage,
    digest_anew,
    interrupted,
    place,
    sidecar_of,
)
from end_to_end.test_story import build as built
from end_to_end.test_story import say
from open_files import open_files_left

__all__ = ["place"]


@pytest.mark.parametrize("lost", [False, True])
def test_who_is_not_found_leaves_where_another_registration_ends_after_the_interrupted_one(
    place: tuple[Path, Deployment], lost: bool
) -> None:
    """It removes what nothing names any more, and knows nothing of what was damaged after it began."""
    folder, deployment = place
    release, control = built(deployment), deployment.control
    damage(control.desk.corpora, "posting_person", 200)
    if lost:
        digest_anew(sidecar_of(control.desk.corpora))
    say(deployment, "ada", reach=Reach.EVERYTHING)
    assert "a1" in handed_out(deployment, release)
    hear_of = control.amendments.hear_of

    def another(corpus: str, *, mended: bool = False) -> Any:
        if lost:
            shutil.rmtree(sidecar_of(control.desk.corpora))
        interrupted(folder, deployment)
        return hear_of(corpus, mended=mended)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control.amendments, "hear_of", another)
        # The first one finds nothing to mend.
        patch.setattr("consentry.corpus.registration.altered", once_blind(lost))
        again(folder, deployment)
    assert again(folder, deployment).mended == 1
    assert handed_out(deployment, release) == {"b1", "b3"}


def once_blind(always: bool) -> Any:
    """Return what finds nothing altered when it is asked first: that is damaged after it looked."""
    asked: list[bool] = []

    def found(*args: Any, **named: Any) -> Any:
        asked.append(True)
        return altered(*args, **named) if always or len(asked) > 1 else []

    return found


def test_so_do_they_where_a_release_could_not_be_looked_at_then(place: tuple[Path, Deployment]) -> None:
    """Its bitmaps are put back later: until it was looked at, nothing is made up for."""
    folder, deployment = place
    release, desk = built(deployment), deployment.control.desk
    damage(desk.corpora, "posting_person", 200)
    digest_anew(sidecar_of(desk.corpora))
    say(deployment, "ada", reach=Reach.EVERYTHING)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert "a1" in handed_out(deployment, release)
    shutil.rmtree(sidecar_of(desk.corpora))
    kept = (desk.releases / release).rename(folder / "kept")
    other = open_deployment(folder / "home")
    again(folder, other)
    other.close()
    kept.rename(desk.releases / release)
    other = open_deployment(folder / "home")
    try:
        assert again(folder, other).mended == 1
        assert handed_out(other, release) == set()
        assert again(folder, other).mended == 0
    finally:
        other.close()


@pytest.mark.parametrize("left", range(6))
def test_so_do_they_where_no_more_files_could_be_opened_then(place: tuple[Path, Deployment], left: int) -> None:
    folder, deployment = place
    release, control = built(deployment), deployment.control
    damage(control.desk.corpora, "posting_person", 200)
    digest_anew(sidecar_of(control.desk.corpora))
    say(deployment, "ada", reach=Reach.EVERYTHING)
    assert "a1" in handed_out(deployment, release)
    shutil.rmtree(sidecar_of(control.desk.corpora))
    hear_of = control.amendments.hear_of

    def with_few_left(corpus: str, *, mended: bool = False) -> Any:
        with open_files_left(left):
            return hear_of(corpus, mended=mended)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control.amendments, "hear_of", with_few_left)
        with suppress(UnavailableError):
            again(folder, deployment)
    other = open_deployment(folder / "home")
    try:
        again(folder, other)
        assert handed_out(other, release) == {"b1", "b3"}
    finally:
        other.close()


@pytest.mark.parametrize("value", ["sha256:0", 1.5])
def test_so_do_they_where_the_head_of_a_sidecar_is_damaged_as_well(
    place: tuple[Path, Deployment], value: object
) -> None:
    folder, deployment = place
    release, corpora = built(deployment), deployment.control.desk.corpora
    damage(corpora, "posting_person", 200)
    say(deployment, "ada", reach=Reach.EVERYTHING)
    head = sidecar_of(corpora) / "sidecar.json"
    head.write_text(json.dumps({**json.loads(head.read_bytes()), "descriptor": value}))
    assert "a1" in handed_out(deployment, release)
    assert again(folder, deployment).mended == 1
    assert handed_out(deployment, release) == {"b1", "b3"}
    assert again(folder, deployment).mended == 0


def test_whoever_has_it_open_goes_on_with_nothing_damaged_where_a_file_is_put_back(
    place: tuple[Path, Deployment],
) -> None:
    """Its sidecar was damaged, then nothing named it and it was removed: what is built now has another name."""
    folder, deployment = place
    corpora, first = deployment.control.desk.corpora, folder / FIRST
    damage(corpora, "klass")
    digest_anew(sidecar_of(corpora))
    assert deployment.control.desk.corpus("network").sidecars
    aside = first.rename(folder / "aside")
    other = open_deployment(folder / "home")
    try:
        write_items(first, ITEMS[:1])
        again(folder, other)
        aside.replace(first)
        again(folder, other)
    finally:
        other.close()
    assert handed_out(deployment, built(deployment)) == {"a1", "b1", "b3"}
