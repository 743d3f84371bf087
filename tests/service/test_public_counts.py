"""How much is used, as anybody may know it: of each use its newest collections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.service.gate import COOKIE
from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.test_story import BEFORE, POLICY, say
from service.at_work import in_thread
from service.visitor import Visitor, words

ITEMS = tuple(
    RawItem(id=f"{author}{number}", author=author, created=BEFORE) for author in ("us", "br") for number in range(12)
)

FEW = {"fewer_than": 10}


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    people = (RawPerson(id="us"), RawPerson(id="br", country="BR"))
    with populated([ITEMS], people, POLICY, "opt-in-only") as (_, made):
        yield made


def test_a_new_collection_for_one_use_hides_no_other_use(deployment: Deployment) -> None:
    control = deployment.control
    control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    genai = {"purpose": "train-genai", "items_by_category": {"post": {"count": 24}}, "items_left_since": FEW}
    assert control.public_view.document()["counts"]["newest"] == [genai]
    say(deployment, "us", ChoiceState.ALLOWED, purpose=Purpose.TRAIN_AI)
    control.releases.build("network", Purpose.TRAIN_AI, policy="opt-in-only")
    other = {"purpose": "train-ai", "items_by_category": {"post": {"count": 12}}, "items_left_since": FEW}
    assert control.public_view.document()["counts"]["newest"] == [other, genai]
    with in_thread(deployment) as ask:
        said = words(Visitor(ask.url).get("/transparency"))
    assert "In the newest collections for this use: training generative AI posts 24" in said
    assert "An item that is used for several of these uses is counted for each." in said


def test_what_left_since_is_no_longer_counted_as_used(deployment: Deployment) -> None:
    control = deployment.control
    control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY)
    say(deployment, "us", reach=Reach.EVERYTHING)
    control.amendments.amend()
    (use,) = control.public_view.document()["counts"]["newest"]
    assert use["items_left_since"] == {"count": 12}
    with deployment.admission() as admission, in_thread(deployment) as ask:
        admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password="")
        olga = Visitor(ask.url, {COOKIE: admission.admit("olga", subject="https://idp.example/#olga")})
        assert "posts 24 Of these, taken out again since: 12" in words(Visitor(ask.url).get("/transparency"))
        said = words(olga.get("/console/overview"))
    assert "Used for train-genai: network 12 of 24 items (50.0%) may be used. 12 items left since it was sealed" in said
