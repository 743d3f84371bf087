"""A policy set that is withdrawn ends no collection: whose items one still holds reads so, and can take them out."""

from __future__ import annotations

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose, Reach
from end_to_end.still_given import handed_out
from end_to_end.test_story import NOW, say
from service.at_work import POLICY
from service.members import Come, no, yes
from service.test_member_held_still import NEVER, STILL, take_out
from service.test_member_reach import said_since
from service.visitor import words

place = member.place
NOTHING = "Nothing is decided here about training AI, so nothing of yours is used for it."
NO_RULES = "No rules of this platform are about this use."
SAID = "What you said counts for every use below that belongs to it."
ALL_HEAD = "Training of AI models of any kind"
TEXT_HEAD, IMAGE_HEAD = "Training of AI that writes texts", "Training of AI that makes pictures"


def test_what_earlier_collections_hold_is_told_and_can_be_left(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    (release,) = deployment.control.releases.sealed()
    deployment.control.statements.withdraw(POLICY)
    assert {"u1", "u2"} <= set(handed_out(deployment, release))
    page = words(come("us").get("/me"))
    assert f"Off Nothing of yours goes into a new collection. {STILL}" in page
    assert NO_RULES in page
    assert SAID not in page, "they said nothing"
    assert not [each for each in (*NEVER, NOTHING) if each in page]
    assert NOTHING not in words(come("us").get("/me/items"))
    (use,) = come("us").get("/me?format=json").json()["uses"]
    assert (use["purpose"], use["situation"], use["policy"], use["can_choose"]) == (
        "train-genai",
        "stopped",
        None,
        False,
    )
    assert use["leaving"] == {"own": 2, "others": 0}
    assert "Collections that hold your items" in words(come("us").get("/me/check?purpose=train-genai"))
    head = deployment.ledger.head()
    page = take_out(come("us"))
    (said,) = said_since(deployment, head)
    assert (said.purpose, said.reach) == (Purpose.TRAIN_GENAI, Reach.EVERYTHING)
    assert "Off You said no." in page
    assert f"{NO_RULES} {SAID}" in page
    assert STILL not in page
    assert not {"u1", "u2"} & set(handed_out(deployment, release))


def test_whose_items_none_holds_reads_that_nothing_is_used(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    (release,) = deployment.control.releases.sealed()
    deployment.control.statements.withdraw(POLICY)
    assert NOTHING in words(come("de").get("/me"))
    assert come("de").get("/me?format=json").json()["uses"] == []
    no(come("us"), what="made")
    deployment.control.statements.erase([deployment.person("us")])
    assert NOTHING in words(come("us").get("/me"))
    deployment.control.releases.withdraw(release, "no rules are in force", by="olga")
    for path in ("/me", "/me/items"):
        assert NOTHING in words(come("gb").get(path))


def test_a_no_from_before_that_left_them_in_can_be_made_to_go_further(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    (release,) = deployment.control.releases.sealed()
    no(come("us"), reach="untrained")
    deployment.control.statements.withdraw(POLICY)
    page = words(come("us").get("/me"))
    assert f"Off You said no. {STILL}" in page
    assert f"{NO_RULES} {SAID}" in page
    page = take_out(come("us"))
    assert STILL not in page
    assert "Say no, and take it out" not in page
    assert not {"u1", "u2"} & set(handed_out(deployment, release))


def test_whoever_said_yes_to_a_part_is_told_as_well(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor, what="kinds", **{"kind-comment": "no"})
    yes(visitor, what="kinds", **{"kind-comment": "yes"})
    deployment.control.statements.withdraw(POLICY)
    page = words(come("us").get("/me"))
    assert f"Off Nothing of yours goes into a new collection. {STILL}" in page, "a yes turns nothing on"
    take_out(come("us"))
    assert STILL not in words(come("us").get("/me"))


@pytest.mark.parametrize("said", [None, Purpose.TRAIN_AI])
def test_each_use_without_rules_is_told_beside_those_that_have_some(
    place: tuple[Deployment, Come, str], said: Purpose | None
) -> None:
    deployment, come, _ = place
    control = deployment.control
    (first,) = control.releases.sealed()
    text = control.releases.build("network", Purpose.TRAIN_GENAI_TEXT, policy=POLICY, at=NOW).manifest.release
    control.releases.withdraw(first, "made anew", by="olga")
    if said is not None:
        say(deployment, "us", purpose=said)
    images = shipped()[POLICY].replace('"train-genai"', '"train-genai-image"').replace(f'"{POLICY}"', '"images"')
    control.statements.withdraw(POLICY)
    control.statements.publish(images, "images")
    page = words(come("us").get("/me"))
    assert page.index(ALL_HEAD if said else TEXT_HEAD) < page.index(STILL) < page.index(IMAGE_HEAD)
    assert TEXT_HEAD not in words(come("de").get("/me"))
    take_out(come("us"))
    assert not {"u1", "u2"} & set(handed_out(deployment, text))


def test_what_an_order_stops_is_told_of_too(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    scope = Scope(areas=frozenset({"UK"}))
    deployment.control.orders.suspend(scope, case="ico", origin=Origin.AUTHORITY_REQUEST, reference="a letter")
    deployment.control.statements.withdraw(POLICY)
    assert "1 suspended collection still holds something by you or about you." in words(come("gb").get("/me"))


def test_what_rules_in_force_offer_a_choice_about_is_told_there_alone(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    say(deployment, "us", purpose=Purpose.TRAIN_AI)
    page = words(come("us").get("/me"))
    assert page.index(f"{NO_RULES} {SAID}") < page.index("How far back a no goes")
    assert STILL not in page
    assert "Say no, and take it out" not in page
