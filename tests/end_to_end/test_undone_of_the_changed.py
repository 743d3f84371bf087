"""What a refusal would undo is said where files were registered anew since, or said not to be known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim, Effect
from consentry.policy.vocabulary import Category, Reach
from end_to_end.model_steps import train
from end_to_end.network import Form, RawItem, descriptor, register_other_bytes
from end_to_end.test_story import BEFORE, GENAI, ITEMS, build, say
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

Change = Callable[[Path, Deployment], None]


def other_bytes(folder: Path, deployment: Deployment) -> None:
    register_other_bytes(folder, deployment, ITEMS[1:4])


def another_descriptor(folder: Path, deployment: Deployment) -> None:
    (folder / "corpus.toml").write_text(descriptor(Form(involves="none")))
    deployment.control.statements.register_corpus(folder / "corpus.toml")


def effect_of(deployment: Deployment, person: str = "ada", *categories: Category) -> Effect:
    aim = Aim(purpose=GENAI, categories=frozenset(categories))
    return deployment.control.own_content.effect(deployment.person(person), aim)


@pytest.mark.parametrize("change", [other_bytes, another_descriptor])
def test_what_was_foreseen_is_what_leaves(place: tuple[Path, Deployment], change: Change) -> None:
    folder, deployment = place
    control, release = deployment.control, build(deployment)
    train(deployment, release, "m", None)
    change(folder, deployment)
    foreseen = effect_of(deployment)
    assert (foreseen.own, foreseen.others, foreseen.releases) == (2, 1, {release: 3})
    assert (foreseen.models, foreseen.unknown) == ({"m": 3}, {})
    assert effect_of(deployment, "ada", Category.POST).leaving == 3
    assert effect_of(deployment, "ada", Category.COMMENT).leaving == 0
    say(deployment, "ada", reach=Reach.EVERYTHING)
    (used,) = control.people.uses_of("ada")["releases"]
    assert (used["sealed_with"], used["removed"]) == (3, 3)
    assert effect_of(deployment).left == {release: 3}
    (model,) = control.own_content.models(deployment.person("ada"))
    assert model["items"] == 3
    since = control.models.show("m")["withdrawn_since"]
    assert (since["items"], since["people"], since["items_of_unknown_people"]) == (3, 1, 0)


def test_an_item_in_a_file_that_was_written_again_is_counted_once(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    first = build(deployment)
    register_other_bytes(folder, deployment, [RawItem(id="z1", author="gb", created=BEFORE), *ITEMS[:4]])
    second = build(deployment)
    found = effect_of(deployment)
    assert (found.own, found.others, found.releases) == (2, 1, {first: 3, second: 3})


def test_what_nobody_knows_any_more_is_no_zero(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control, first = deployment.control, build(deployment)
    train(deployment, first, "m", None)
    say(deployment, "bo", reach=Reach.EVERYTHING)
    assert control.amendments.newest(first) is not None
    register_other_bytes(folder, deployment, ITEMS[:3], kept=False)
    found = effect_of(deployment)
    assert found.to_json() | {"next_release": 0} == {
        "next_release": 0,
        "next_others": 0,
        "undated": 0,
        "due_undated": 0,
        "due": 0,
        "asked_for": 0,
        "leaving": {"own": None, "others": None},
        "releases": {first: None},
        "left": {first: None},
        "models": {"m": None},
    }
    second = build(deployment)
    assert effect_of(deployment).releases == {second: 1}, "what is known is said besides"
    (_, used) = control.own_content.releases(deployment.person("ada"))
    assert (used["items"], used["sealed_with"], used["removed"]) == (None, None, None)
    control.releases.withdraw(first, "gone", by="olga")
    assert effect_of(deployment).unknown == {}, "nothing leaves what nobody may read"
    assert effect_of(deployment, "nobody-known").unknown == {}


def test_another_descriptor_does_not_say_what_was_known_before_it(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    release = build(deployment)
    another_descriptor(folder, deployment)
    for kept in (folder / "home" / "corpora" / "network" / "earlier").glob("*.json"):
        kept.unlink()
    foreseen = effect_of(deployment)
    assert list(foreseen.unknown) == [release]
    (used,) = deployment.control.people.uses_of("ada")["releases"]
    assert used["sealed_with"] is None
