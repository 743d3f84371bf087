"""How far back a no to a kind or an item goes: it can be made to go further, and does not do so by itself."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import Any

import httpx2
import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from end_to_end.test_story import NOW
from service.members import Come, one_item
from service.visitor import Visitor, words

place = member.place
ITEMS = {"purpose": "train-genai", "what": "items"}
KINDS = {"purpose": "train-genai", "what": "kinds"}
NO_TO_U1 = ITEMS | one_item("u1", 1, "no")
FURTHER = [("untrained", "everything"), ("future", "everything"), ("future", "untrained")]
NOTHING_NEW = [("everything", "everything"), ("everything", "untrained"), ("untrained", "future")]


def said_since(deployment: Deployment, head: int) -> list[Choice]:
    return [each.body.choice for each in deployment.ledger.read(head) if isinstance(each.body, ChoiceMade)]


def as_shown(page: httpx2.Response, what: str) -> dict[str, str]:
    """Return what a browser sends of the form about items or kinds if nobody touches it."""
    forms = re.findall(r'(?s)<form method="post" action="/me/choices".*?</form>', page.text)
    (form,) = [each for each in forms if f'name="what" value="{what}"' in each]
    found = {}
    for tag in re.findall(r"<input [^>]+>", form):
        of = {name: unescape(value) for name, value in re.findall(r'([a-z]+)="([^"]*)"', tag)}
        if of["type"] == "hidden" or " checked" in tag:
            found[of["name"]] = of["value"]
    return found


def row_of(page: httpx2.Response, item: str) -> str:
    (row,) = [each for each in re.split("</?tr>", page.text) if f'value="{item}"' in each]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row))


def leaves(deployment: Deployment, item: str) -> int:
    """Return how many sealed releases an item has left."""
    aim = Aim(purpose=Purpose.TRAIN_GENAI, items=frozenset({deployment.item("network", item)}))
    return len(deployment.control.own_content.effect(deployment.person("us"), aim).left)


def who_said_no(place: tuple[Deployment, Come, str], *, reach: str) -> tuple[Visitor, int]:
    """Return a visitor who said no to an item, and the position of the ledger after that."""
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", NO_TO_U1 | {"reach": reach})
    return visitor, deployment.ledger.head()


@pytest.mark.parametrize(("first", "then"), FURTHER)
def test_a_no_to_an_item_can_be_made_to_reach_further(
    place: tuple[Deployment, Come, str], first: str, then: str
) -> None:
    deployment, _, _ = place
    visitor, head = who_said_no(place, reach=first)
    looked = visitor.post("/me/check", NO_TO_U1 | {"reach": then})
    assert "There is no new no" not in words(looked)
    assert "1 item leaves 1 collection that was already made for training" in words(looked)
    assert deployment.ledger.head() == head
    page = visitor.follow(visitor.post("/me/choices", NO_TO_U1 | {"reach": then}))
    assert "Nothing to save" not in words(page)
    assert "Saved: you said no" in words(page)
    (said,) = said_since(deployment, head)
    assert (str(said.reach), said.items) == (then, frozenset({deployment.item("network", "u1")}))
    assert leaves(deployment, "u1") == (then == "everything")


@pytest.mark.parametrize(("first", "then"), NOTHING_NEW)
def test_what_reaches_as_far_already_is_nothing_to_save(
    place: tuple[Deployment, Come, str], first: str, then: str
) -> None:
    deployment, _, _ = place
    visitor, head = who_said_no(place, reach=first)
    assert "There is no new no" in words(visitor.post("/me/check", NO_TO_U1 | {"reach": then}))
    assert "Nothing to save" in words(visitor.follow(visitor.post("/me/choices", NO_TO_U1 | {"reach": then})))
    assert deployment.ledger.head() == head


@pytest.mark.parametrize(
    ("form", "stands", "new"),
    [
        (ITEMS, one_item("u1", 1, "no"), one_item("u2", 2, "no")),
        (KINDS, {"kind-post": "no"}, {"kind-comment": "no"}),
    ],
    ids=["items", "kinds"],
)
def test_what_is_chosen_after_a_first_look_is_for_what_it_is_about(
    place: tuple[Deployment, Come, str], form: dict[str, str], stands: dict[str, str], new: dict[str, str]
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", form | stands | {"reach": "untrained"})
    page = visitor.post("/me/check", form | stands | new)
    assert "1 item leaves 1 collection" in words(page)
    assert 'name="reach" value="everything" checked' in page.text
    head = deployment.ledger.head()
    visitor.post("/me/choices", as_shown(page, form["what"]))
    (said,) = said_since(deployment, head)
    assert said.reach is Reach.EVERYTHING
    assert said.items <= {deployment.item("network", "u2")}
    assert set(said.categories) <= {Category.COMMENT}
    page = visitor.post("/me/check", form | stands | new | {"reach": "everything"})
    head = deployment.ledger.head()
    visitor.post("/me/choices", as_shown(page, form["what"]))
    (said,) = said_since(deployment, head)
    assert said.items <= {deployment.item("network", "u1")}
    assert set(said.categories) <= {Category.POST}


def test_a_no_to_another_item_leaves_the_one_that_stands_as_far_as_it_was(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", NO_TO_U1 | {"reach": "untrained"})
    page = visitor.get("/me/items")
    form = as_shown(page, "items")
    (other,) = [name.removeprefix("item-") for name, value in form.items() if value == "u2"]
    head = deployment.ledger.head()
    assert visitor.post("/me/choices", form).headers["location"].endswith("unchanged=train-genai")
    visitor.post("/me/choices", form | {f"answer-{other}": "no"})
    (said,) = said_since(deployment, head)
    assert (said.reach, said.items) == (Reach.EVERYTHING, frozenset({deployment.item("network", "u2")}))
    assert leaves(deployment, "u1") == 0


def test_a_no_to_another_kind_leaves_the_one_that_stands_as_far_as_it_was(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", KINDS | {"kind-post": "no", "reach": "future"})
    form = as_shown(visitor.get("/me"), "kinds")
    assert form["kind-post"] == "no"
    head = deployment.ledger.head()
    visitor.post("/me/choices", form | {"kind-comment": "no"})
    (said,) = said_since(deployment, head)
    assert (said.reach, said.categories) == (Reach.EVERYTHING, frozenset({Category.COMMENT}))


def test_how_far_back_a_no_goes_stands_beside_it(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", NO_TO_U1 | {"reach": "untrained"})
    visitor.post("/me/choices", KINDS | {"kind-article": "no", "reach": "future"})
    page = visitor.get("/me/items")
    assert "How far back: Everything that is not yet in a collection for training" in row_of(page, "u1")
    assert "How far back:" not in row_of(page, "u2")
    again = "A no from before stays as it is, unless you choose further back here."
    assert again in words(page)
    assert "How far back: Only what you create from now on" in words(visitor.get("/me"))
    assert again in words(visitor.get("/me"))
    assert again not in words(come("us2").get("/me")), "where nothing stands, nothing stays"
    items = {each["id"]: each["how_far"] for each in visitor.get("/me/items?format=json").json()["items"]}
    assert (items["u1"], items["u2"]) == ("untrained", None)
    rows = {each["id"]: each for each in csv.DictReader(io.StringIO(visitor.get("/me/items?format=csv").text))}
    assert (rows["u1"]["how_far"], rows["u2"]["how_far"]) == ("untrained", "")
    (use,) = visitor.get("/me?format=json").json()["uses"]
    kinds = {each["category"]: each["reach"] for each in use["kinds"]}
    assert (kinds["article"], kinds["comment"]) == ("future", None)


def test_a_no_of_the_whole_use_is_not_that_of_an_item(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no", "reach": "future"})
    head = deployment.ledger.head()
    visitor.post("/me/choices", NO_TO_U1 | {"reach": "everything"})
    (said,) = said_since(deployment, head)
    assert (said.reach, said.items) == (Reach.EVERYTHING, frozenset({deployment.item("network", "u1")}))
    assert leaves(deployment, "u1") == 1


def test_what_a_platform_passes_on_reaches_further_as_well(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place

    def pass_on(reach: Reach) -> None:
        items = frozenset({deployment.item("network", "u1")})
        choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=reach, at=NOW, items=items)
        made: Any = ChoiceMade(person=deployment.person("us"), choice=choice, source=Source.IMPORT)
        deployment.control.statements.choose([made])

    visitor = come("us")
    pass_on(Reach.UNTRAINED)
    assert leaves(deployment, "u1") == 0
    pass_on(Reach.EVERYTHING)
    assert leaves(deployment, "u1") == 1
    history = visitor.get("/me/history?format=json").json()["choices"]
    assert [each["how_far"] for each in history] == ["everything", "untrained"]
    assert "How far back: Everything: what you have" in row_of(visitor.get("/me/items"), "u1")
    form = NO_TO_U1 | {"reach": "everything"}
    assert visitor.post("/me/choices", form).headers["location"].endswith("unchanged=train-genai")


def test_another_account_keeps_its_own_reach(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor: Visitor = come("us")
    visitor.post("/me/choices", NO_TO_U1 | {"reach": "future"})
    head = deployment.ledger.head()
    assert come("us2").post("/me/choices", NO_TO_U1).status_code == 404
    assert deployment.ledger.head() == head


def test_a_row_that_nobody_touched_takes_no_no_back(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = {"purpose": "train-genai", "what": "items", "reach": "future"}
    visitor.post("/me/choices", form | one_item("u1", 1, "no"))
    page = visitor.get("/me/items?purpose=train-genai").text
    (row,) = [each for each in page.split("<tr>") if 'value="u1"' in each]
    assert 'value="no" checked' in row, "an item from before is used all the same, and the no to it stands"
    head = deployment.ledger.head()
    shown = page.partition('action="/me/choices"')[2].partition("</form>")[0]
    sent = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown))
    sent |= dict(re.findall(r'name="((?:answer|reach)[^"]*)" value="([^"]*)"[^>]* checked', shown))
    (other,) = [name.partition("-")[2] for name, value in sent.items() if name.startswith("item-") and value == "u2"]
    visitor.post("/me/choices", sent | {f"answer-{other}": "no", "reach": "future"})
    said = [each.body.choice for each in deployment.ledger.read(head) if isinstance(each.body, ChoiceMade)]
    assert [(each.state, len(each.items)) for each in said] == [(ChoiceState.REFUSED, 1)]
