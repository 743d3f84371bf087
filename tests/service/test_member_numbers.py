"""What a no would undo stands beside the answers in numbers, however many releases a platform has built by and by."""

from __future__ import annotations

from dataclasses import replace

import service.members as member
from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import Purpose
from consentry.service.pages.member_blocks import blocks
from consentry.service.pages.member_items import AFFORDABLE, looks
from end_to_end.test_story import NOW
from service.at_work import POLICY
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
