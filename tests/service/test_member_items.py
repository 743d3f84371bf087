"""The list of a member's own items: narrowed, turned round, exported as it is shown, and kept as it was on saving."""

from __future__ import annotations

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from service.members import HOSTILE, Come, form_of, one_item
from service.visitor import Visitor, words

place = member.place


def ids(visitor: Visitor, query: str = "") -> list[str]:
    found: list[str] = [each["id"] for each in visitor.get(f"/me/items?format=json{query}").json()["items"]]
    return found


def test_the_newest_come_first_or_the_oldest(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    us = come("us")
    assert ids(us) == [HOSTILE, "u2", "u1"]
    assert ids(us, "&sort=oldest") == ["u1", "u2", HOSTILE]
    shown = us.get("/me/items?sort=oldest").text
    assert shown.index("u1</") < shown.index("u2</")
    assert '<option value="oldest" selected>' in shown
    assert 'href="?purpose=train-genai&amp;sort=oldest&amp;format=csv"' in shown


def test_those_that_are_used_or_the_others(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    us = come("us")
    every = us.get("/me/items?format=json").json()["items"]
    for word, used in (("used", True), ("left-out", False)):
        wanted = [each["id"] for each in every if each["used"] is used]
        assert wanted
        assert ids(us, f"&which={word}") == wanted
        assert f"{len(wanted)} item" in words(us.get(f"/me/items?which={word}"))
    assert ids(us, "&which=used&category=direct-message") == []
    assert "Nothing fits." in words(us.get("/me/items?which=used&category=direct-message"))


@pytest.mark.parametrize("query", ["which=no", "sort=-created", "which=%3Cscript%3E&sort=%00", "category=nothing"])
def test_words_that_mean_nothing_ask_for_all(place: tuple[Deployment, Come, str], query: str) -> None:
    _, come, _ = place
    us = come("us")
    assert ids(us, f"&{query}") == ids(us)
    page = us.get(f"/me/items?{query}").text
    assert "<script" not in page
    assert 'name="which" value' not in page


def test_the_list_stays_as_it_was_when_something_is_saved(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    us = come("us")
    page = us.get("/me/items?which=used&sort=oldest")
    answer = us.post("/me/choices", form_of(page) | one_item("u1", 1, "no"))
    assert "which=used&sort=oldest" in answer.headers["location"]
    assert "Saved: you said no" in words(us.follow(answer))
