"""Where no rule forbids a use and none permits it, a member reads which condition keeps it from them."""

from __future__ import annotations

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from service.members import Come
from service.visitor import words

place = member.place
SET = """
[policy_set]
name = "permit-only"
version = "1"
title = "Posts of adults outside of Germany"
purposes = ["train-genai"]

[[permit]]
id = "adults"
why = "People said what they want."
legal_basis = "legitimate-interests"
category = ["post"]
visibility = ["public"]
age = ["adult"]
where.outside = ["DE"]
"""
AGE, PLACE = "The rules do not permit this use at your age.", "The rules do not permit this use where you live."
NOTHING = "Nothing permits this use."


@pytest.mark.parametrize(("person", "said", "not_said"), [("kid", AGE, PLACE), ("de", PLACE, AGE)])
def test_a_set_of_permits_alone_says_why_it_does_not_permit(
    place: tuple[Deployment, Come, str], person: str, said: str, not_said: str
) -> None:
    deployment, come, _ = place
    deployment.control.statements.publish(SET, "permit-only")
    for path in ("/me", "/me/items", "/me/uses"):
        page = words(come(person).get(path))
        assert said in page, path
        assert not_said not in page
        assert NOTHING not in page
    assert "Nothing of yours is used, because of your age." in words(come("kid").get("/me"))
    assert "because of your age" not in words(come("de").get("/me"))
    (use,) = come(person).get("/me?format=json").json()["uses"]
    assert [each["why"] for each in use["obstacles"]] == [said]


def test_of_single_items_it_is_who_could_see_them_or_what_they_are(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    hidden = SET.replace('"public"', '"connections"')
    deployment.control.statements.publish(hidden, "permit-only")
    page = words(come("us").get("/me/items"))
    assert "The rules do not permit this use, because of who could see it." in page
    assert "The rules leave this out." in page
    dated = SET + "created = { before = 2020-01-01 }\n"
    deployment.control.statements.publish(dated, "permit-only")
    assert "The rules do not permit this use, because of when it was created." in words(come("us").get("/me"))
