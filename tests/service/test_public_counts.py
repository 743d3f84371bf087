"""How much is used, as anybody may know it: of each use its newest collections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.test_story import BEFORE, POLICY, say
from service.at_work import in_thread
from service.visitor import Visitor, words

ITEMS = tuple(
    RawItem(id=f"{author}{number}", author=author, created=BEFORE) for author in ("us", "br") for number in range(12)
)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    people = (RawPerson(id="us"), RawPerson(id="br", country="BR"))
    with populated([ITEMS], people, POLICY, "opt-in-only") as (_, made):
        yield made


def test_a_new_collection_for_one_use_hides_no_other_use(deployment: Deployment) -> None:
    control = deployment.control
    control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    genai = {"purpose": "train-genai", "items_by_category": {"post": {"count": 24}}}
    assert control.public_view.document()["counts"]["newest"] == [genai]
    say(deployment, "us", ChoiceState.ALLOWED, purpose=Purpose.TRAIN_AI)
    control.releases.build("network", Purpose.TRAIN_AI, policy="opt-in-only")
    other = {"purpose": "train-ai", "items_by_category": {"post": {"count": 12}}}
    assert control.public_view.document()["counts"]["newest"] == [other, genai]
    with in_thread(deployment) as ask:
        said = words(Visitor(ask.url).get("/transparency"))
    assert "In the newest collections for this use: training generative AI posts 24" in said
    assert "An item that is used for several of these uses is counted for each." in said
