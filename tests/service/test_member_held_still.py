"""Whoever is left out by what became known later is told what earlier collections still hold, and can take it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Reach
from end_to_end.network import write_people
from service.at_work import POLICY
from service.members import PEOPLE, Come, ended, form_of, no, waiting_on
from service.test_member_reach import said_since
from service.test_member_waiting import CONSENT, decides
from service.visitor import Visitor, words

place = member.place
NEVER = ("Nothing of yours is used", "Your content is not used", "nothing you need to do", "object for the future")
STILL = (
    "1 collection that was made for training before still holds something by you or about you, "
    "and AI may still learn from it."
)
LATER = {"us": {"age": "minor"}, "us2": {"account": "closed"}, "gb": {"country": "DE"}}


def known_later(deployment: Deployment, **changed: dict[str, str]) -> None:
    people = [replace(each, **changed.get(str(each.id), {})) for each in PEOPLE]
    deployment.control.statements.load_people(write_people(deployment.settings.home / "later", people))


def take_out(visitor: Visitor) -> str:
    answer = visitor.post("/me/choices", form_of(visitor.get("/me")))
    assert answer.status_code == 303, words(answer)
    return words(visitor.follow(answer))


def in_it(visitor: Visitor) -> list[int]:
    return [each["sealed_with"] - each["removed"] for each in visitor.get("/me/uses?format=json").json()["releases"]]


def test_what_was_made_before_is_told_and_can_be_left(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    known_later(deployment, **LATER)
    told = {
        "us": "Off Nothing of yours goes into a new collection, because of your age.",
        "us2": "Off Nothing of yours goes into a new collection. " + STILL,
        "gb": "Off Nothing of yours goes into a new collection. " + STILL,
    }
    for person, headline in told.items():
        visitor = come(person)
        page = words(visitor.get("/me"))
        assert headline in page
        assert STILL in page
        assert not [each for each in NEVER if each in page], person
        assert visitor.get("/me?format=json").json()["uses"][0]["leaving"]["own"] == {"us": 2}.get(person, 1)
    head = deployment.ledger.head()
    page = take_out(come("us"))
    (said,) = said_since(deployment, head)
    assert (said.reach, said.categories, said.items) == (Reach.EVERYTHING, frozenset(), frozenset())
    assert "Saved: you said no" in page
    assert "Your items have left 1 collection" in page
    assert "Off Nothing of yours is used, because of your age." in page, "now it is true"
    assert STILL not in page
    assert in_it(come("us")) == [0]
    assert in_it(come("gb")) == [1], "of others nothing is taken out"


def test_of_what_is_suspended_it_is_told_apart(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    scope = Scope(areas=frozenset({"UK"}))
    deployment.control.orders.suspend(scope, case="ico", origin=Origin.AUTHORITY_REQUEST, reference="a letter")
    page = words(come("gb").get("/me"))
    assert "Your content is not used, and there is nothing you need to do." in page
    assert STILL not in page
    known_later(deployment, us={"age": "minor"})
    page = words(come("us").get("/me"))
    assert "Nothing of yours goes into a new collection, because of your age." in page
    assert "1 suspended collection still holds something by you or about you." in page
    assert STILL not in page
    take_out(come("us"))
    assert in_it(come("us")) == [0]


def test_where_a_yes_is_asked_for_from_now_on(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, CONSENT)
    page = words(come("us").get("/me"))
    assert "Off Nothing of yours goes into a new collection unless you say yes. " + STILL in page
    assert not [each for each in NEVER if each in page]
    no(come("us"))
    assert STILL not in words(come("us").get("/me"))


def is_a_minor(deployment: Deployment) -> None:
    known_later(deployment, us={"age": "minor"})


def has_no_rules(deployment: Deployment) -> None:
    deployment.control.statements.withdraw(POLICY)


@pytest.mark.parametrize("begins", [is_a_minor, has_no_rules])
def test_the_no_waits_for_whoever_is_not_signed_in_any_more(
    place: tuple[Deployment, Come, str], begins: Callable[[Deployment], None]
) -> None:
    deployment, come, _ = place
    begins(deployment)
    visitor = come("us")
    form = form_of(visitor.get("/me"))
    assert ended(visitor).post("/me/choices", form).status_code == 401
    page = member.again(deployment, visitor, "us")
    assert waiting_on(page) == [
        "Your no to what was made before is not saved yet. Press its button below once more to save it."
    ]
    take_out(visitor)
    page = visitor.get("/me")
    assert "Not saved yet" not in words(page)
    assert in_it(visitor) == [0]


@pytest.mark.parametrize("form", [{"what": "made"}, {"what": "made", "answer": "yes"}])
def test_it_is_a_no_and_nothing_else(place: tuple[Deployment, Come, str], form: dict[str, str]) -> None:
    deployment, come, _ = place
    head = deployment.ledger.head()
    assert come("us").post("/me/choices", {"purpose": "train-genai", **form}).status_code == 422
    assert said_since(deployment, head) == []
