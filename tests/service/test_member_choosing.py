"""A member says no and yes: to everything, kind by kind and item by item, with a receipt and what it will do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade
from consentry.policy.vocabulary import Category, Reach
from service.at_work import POLICY, said
from service.members import HOSTILE, NEW_POST, VERSION, Come, no, one_item, read, shown
from service.visitor import words

place = member.place


def test_saying_no_is_one_step_and_holds_at_once(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    visitor = come("us")
    location = no(visitor)
    assert not deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    assert deployment.control.people.may("us2", NEW_POST, policy=POLICY)["allowed"]
    position = int(location.partition("=")[2])
    (event,) = deployment.control.desk.parts.ledger.read(position, position + 1)
    assert isinstance(event.body, ChoiceMade)
    assert event.body.person == deployment.person("us")
    assert event.body.choice.reach is Reach.EVERYTHING
    page = words(visitor.get(location))
    assert "Saved: you said no" in page
    assert f"Number of this choice {position}" in page
    assert "Your items have left 1 collection" in page
    assert "1 AI model learned from it and is marked" in page
    assert 'role="status"' in visitor.get(location).text
    assert "Off You said no" in page
    assert no(visitor) == "/me?unchanged=train-genai", "said again, it says nothing new"


def test_a_receipt_to_keep(place: tuple[Deployment, Come, str], tmp_path: Path) -> None:
    deployment, come, _ = place
    visitor = come("us")
    location = no(visitor)
    position = location.partition("=")[2]
    assert f"/me/receipts/{position}" in visitor.get(location).text
    assert f"/me/receipts/{position}" in visitor.get("/me/history").text
    answer = visitor.get(f"/me/receipts/{position}")
    assert answer.headers["content-disposition"] == f'attachment; filename="receipt-{position}.json"'
    (tmp_path / "receipt.json").write_bytes(answer.content)
    said(deployment.settings.home, "receipt", "verify", str(tmp_path / "receipt.json"))
    text = visitor.get(f"/me/receipts/{position}?form=text").text
    assert "What you said: You said no" in text
    assert visitor.get("/me/receipts/0").status_code == 404


def test_a_no_says_before_what_it_will_do(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    page = words(visitor.get("/me/check?purpose=train-genai"))
    assert "2 items that may be used now are left out" in page
    assert "2 items leave 1 collection" in page
    assert "1 AI model learned from it" in page
    page = words(visitor.get("/me/check?purpose=train-genai&category=comment"))
    assert "1 item that may be used now is left out" in page or "1 items that may be used" in page
    assert "Say no" in page
    assert visitor.get("/me/check?purpose=nonsense").status_code == 409
    no(visitor, reach="future")
    page = words(visitor.get("/me"))
    assert "It holds for what you create from then on" in page


def test_what_somebody_else_in_it_said_stays_theirs(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    no(come("us2"))
    page = words(come("us").get("/me"))
    assert "1 of 3 items may be used" in page
    assert "Somebody else appears in it whose content may not be used" in page
    items = words(come("us").get("/me/items"))
    assert "You said no" not in items


def test_saying_yes_asks_for_the_notice(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    text = f"We use posts.\n\nYou can say no. {HOSTILE}".encode()
    control.notices.write("what-we-use", text, languages=["en"], channel="mail", audience="members")
    visitor = come("us", notice="what-we-use")
    no(visitor)
    page = visitor.get("/me")
    assert "We use posts." in words(page)
    assert page.text.count("<script") == page.text.count('<script src="/static/me.js" defer></script>') == 1
    form = {"purpose": "train-genai", "answer": "yes", "version": VERSION, **shown(visitor)}
    answer = visitor.post("/me/choices", form)
    assert answer.status_code == 422
    assert "<title>Error: " in answer.text
    assert "Tick that you have read the notice" in words(answer)
    assert 'value="yes" checked' in answer.text.replace("\n", " "), "what was chosen is kept"
    assert not control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    control.notices.write("what-we-use", b"We use more now.", languages=["en"], channel="mail", audience="all")
    answer = visitor.post("/me/choices", {**form, "read": "yes"})
    assert answer.status_code == 422
    assert "The notice has changed" in words(answer)
    page = visitor.follow(visitor.post("/me/choices", {**form, "read": "yes", "version": VERSION[:-1] + "2"}))
    assert "Saved: you said yes" in words(page)
    assert "Notice you read version 2 of" in words(page)
    assert control.people.may("us", NEW_POST, policy=POLICY)["allowed"]


def test_the_notice_is_read_in_the_language_of_the_page(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    told = {"channel": "mail", "audience": "all"}
    others = {"cy": b"Defnyddiwn negeseuon."}
    deployment.control.notices.write("what-we-use", b"We use posts.", languages=["en"], others=others, **told)
    visitor = come("us", notice="what-we-use")
    no(visitor)
    page = visitor.get("/me?lang=cy")
    assert '<div class="prose" lang="cy" dir="auto"><p>Defnyddiwn negeseuon.</p>' in page.text
    assert "Does dim testun ohono yn eich iaith chi" not in words(page)
    page = visitor.get("/me?lang=de")
    assert '<div class="prose" lang="en" dir="auto"><p>We use posts.</p>' in page.text
    assert "Davon gibt es keinen Text in Ihrer Sprache. Er erscheint in dieser: Englisch" in words(page)
    page = visitor.get("/me?lang=en")
    assert "We use posts." in words(page)
    assert "no text of it in your language" not in words(page)
    (use,) = visitor.get("/me?format=json&lang=de").json()["uses"]
    assert use["notice"]["language"] == "en"


def test_without_an_answer_nothing_is_saved(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    for form in ({"purpose": "train-genai"}, {"purpose": "train-genai", "answer": "perhaps"}):
        answer = come("us").post("/me/choices", form)
        assert answer.status_code == 422
        assert "Choose yes or no" in words(answer)
    assert come("us").post("/me/choices", {"purpose": "nonsense", "answer": "no"}).status_code == 409
    assert deployment.control.desk.parts.ledger.head() == head


def test_kind_by_kind(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = {"purpose": "train-genai", "what": "kinds", "kind-comment": "no", "kind-post": "yes"}
    page = visitor.follow(visitor.post("/me/choices", form))
    assert "Saved: you said no" in words(page)
    assert "Comments" in words(page)
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    comment = NEW_POST._replace(category=Category.COMMENT)
    assert not deployment.control.people.may("us", comment, policy=POLICY)["allowed"]
    visitor.post("/me/choices", {**form, "kind-comment": "yes", **read(visitor)})
    assert deployment.control.people.may("us", comment, policy=POLICY)["allowed"]
    # What no rule permits cannot be switched on.
    answer = visitor.post("/me/choices", {**form, "kind-comment": "yes", "kind-direct-message": "yes"})
    assert answer.headers["location"] == "/me?unchanged=train-genai"


def test_item_by_item(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    page = visitor.get("/me/items")
    assert HOSTILE not in page.text
    assert "u1" in words(page)
    assert "v1" not in words(page)
    assert page.text.index("u2") < page.text.index("u1"), "newest first"
    assert page.text.count('value="yes" checked') == 2, "what may be used, and nothing else, has an answer"
    form = {"purpose": "train-genai", "what": "items"} | one_item("u1", 1, "no") | one_item("u2", 2, "yes")
    page = visitor.follow(visitor.post("/me/choices", form))
    assert "Saved: you said no" in words(page)
    assert "Training of AI that writes texts and makes pictures: 1 item" in words(page)
    assert "Keep your receipt" in words(page)
    assert page.text.count('value="no" checked') == 1
    assert "1 of 3 items may be used" in words(visitor.get("/me"))
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"], "it is about one item"
    head = deployment.control.desk.parts.ledger.head()
    assert "Nothing to save" in words(visitor.follow(visitor.post("/me/choices", form)))
    assert deployment.control.desk.parts.ledger.head() == head, "said again, it says nothing new"
    turned = {**form, "answer-1": "yes", "answer-2": "no", **read(visitor)}
    page = visitor.follow(visitor.post("/me/choices", turned))
    assert words(page).index("Saved: you said no") < words(page).index("Saved: taken back"), "both are told"
    assert len(set(re.findall(r'"/me/receipts/(\d+)"', page.text))) == 2
    assert visitor.follow(visitor.post("/me/choices", {**form, "answer-2": "yes", **read(visitor)})).status_code == 200
    assert "1 of 3 items may be used" in words(visitor.get("/me"))
    visitor.post("/me/choices", {**form, "answer-1": "yes", **read(visitor)})
    assert "2 of 3 items may be used" in words(visitor.get("/me"))
    listed = words(visitor.get("/me/items?category=comment")).partition("Item May AI learn from it?")[2]
    assert "Comments" in listed
    assert "Posts" not in listed


@pytest.mark.parametrize("item", ["v1", "nonsense", "", "u1\x00"])
def test_an_item_of_somebody_else_cannot_be_chosen(place: tuple[Deployment, Come, str], item: str) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    form = {"purpose": "train-genai", "what": "items"} | one_item("u1", 1, "no") | one_item(item, 2, "no")
    assert come("us").post("/me/choices", form).status_code == 404
    assert come("us").post("/me/choices", {**form, "corpus-2": "other"}).status_code == 404
    assert deployment.control.desk.parts.ledger.head() == head
