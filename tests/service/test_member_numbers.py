"""What a no would undo stands beside the answers in numbers, however many releases a platform has built by and by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2

import service.members as member
from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import Purpose
from consentry.service.pages.member_blocks import blocks
from consentry.service.pages.member_items import AFFORDABLE, looks
from end_to_end.network import register_other_bytes
from end_to_end.test_story import NOW
from service.at_work import POLICY, platform_key
from service.members import Come
from service.visitor import words

place = member.place


def test_the_numbers_stay_beside_the_choice_for_a_platform_that_builds_every_week(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    for week in range(1, 16):
        deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW + week)
    visitor = come("us")
    for path in ("/me", "/me/items"):
        assert "16 collections that were already made for training" in words(visitor.get(path)), path


def test_somebody_with_thousands_of_items_is_looked_up_in_fewer_releases(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, _ = place
    (use,) = blocks(deployment.control, deployment.person("us"))
    assert looks(deployment.control, use) == 1
    kinds = [replace(each, items=50_000) for each in use.kinds[:2]]
    assert looks(deployment.control, replace(use, kinds=kinds, never=())) > AFFORDABLE


def test_so_is_somebody_who_appears_in_thousands_of_items_of_others(place: tuple[Deployment, Come, str]) -> None:
    """Those are decided for the numbers alone, also where there is no release yet."""
    deployment, _, _ = place
    (use,) = blocks(deployment.control, deployment.person("us2"))
    assert (use.items, use.beside) == (1, 1)
    assert looks(deployment.control, use) == 1
    assert looks(deployment.control, replace(use, beside=20_000)) > AFFORDABLE


def test_a_platform_foresees_what_its_members_are_shown(place: tuple[Deployment, Come, str]) -> None:
    """Of a whole use, of a kind, and of an item, with the same numbers; nothing is recorded, nor said of others."""
    deployment, come, url = place
    headers, head = {"authorization": f"Bearer {platform_key(deployment)}"}, deployment.ledger.head()

    def foreseen(**more: Any) -> httpx2.Response:
        asked = {"person": "us", "purpose": "train-genai", **more}
        return httpx2.post(f"{url}/v1/choices/preview", json=asked, headers=headers)

    shown = come("us").get("/me/check?purpose=train-genai&format=json").json()["undoes"]
    assert foreseen().json() == shown
    assert (shown["next_release"], sum(shown["leaving"].values())) == (2, 2)
    assert foreseen(categories=["comment"]).json()["leaving"] == {"own": 1, "others": 0}
    one = foreseen(corpus="network", items=["u1"]).json()
    assert (list(one["releases"].values()), one["models"]) == ([1], {"drafts": 1})
    assert foreseen(person="nobody-knows").json()["next_release"] == 0
    assert foreseen(items=["u1"]).json()["code"] == "choice-items-without-corpus"
    assert foreseen(corpus="elsewhere").json()["code"] == "corpus-unknown"
    assert deployment.ledger.head() == head


def test_what_nobody_knows_any_more_is_said_and_is_no_zero(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    control, visitor = deployment.control, come("us")
    folder = control.desk.opened("network").base
    register_other_bytes(folder, deployment, member.ITEMS[:2], kept=False)
    for path in ("/me", "/me/check?purpose=train-genai"):
        text = words(visitor.get(path))
        assert "Of 1 collection that was already made it is not known any more what leaves it" in text, path
        assert "Of 1 AI model it is not known whether it learned from it." in text
        assert "Nothing of it is in a collection that was already made" not in text
        assert "No AI model has learned from it" not in text
    headers = {"authorization": f"Bearer {platform_key(deployment)}"}
    asked = {"person": "us", "purpose": "train-genai"}
    told = httpx2.post(f"{url}/v1/choices/preview", json=asked, headers=headers).json()
    assert (told["leaving"], told["models"]) == ({"own": None, "others": None}, {"drafts": None})
    assert set(told["releases"].values()) == {None}
    (use,) = visitor.get("/me?format=json").json()["uses"]
    assert use["leaving"] == told["leaving"]
    (release,) = visitor.get("/me/uses?format=json").json()["releases"]
    assert (release["items"], release["sealed_with"]) == (None, None)
    assert "nobody can tell any more" in words(visitor.get("/me/uses"))
