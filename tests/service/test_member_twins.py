"""What the pages of a member say is there for programs too: with `?format=json`, or for whoever accepts JSON."""

from __future__ import annotations

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from service.members import Come, no, one_item
from service.visitor import Visitor

place = member.place
JSON = "application/json"


@pytest.mark.parametrize(
    "path",
    ["/me", "/me/items", "/me/history", "/me/uses", "/me/look-ups", "/me/check?purpose=train-genai"],
)
def test_every_page_is_a_document_for_whoever_accepts_one(place: tuple[Deployment, Come, str], path: str) -> None:
    deployment, come, _ = place
    visitor = come("us")
    deployment.control.look_ups.look_up("us", reason="asked by mail", by="sam")
    named = visitor.get(f"{path}{'&' if '?' in path else '?'}format=json")
    accepted = visitor.get(path, accept=JSON)
    assert accepted.headers["content-type"] == named.headers["content-type"] == JSON
    assert accepted.json() == named.json()
    page = visitor.get(path, accept=f"text/html, {JSON}")
    assert page.headers["content-type"].startswith("text/html"), "a browser accepts both"
    assert f'rel="alternate" type="{JSON}"' in page.text
    answer = Visitor(visitor.url).get(path, accept=JSON)
    assert (answer.status_code, answer.json()["code"]) == (401, "access-unknown")


def test_what_a_no_would_do_in_numbers(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    head = deployment.ledger.head()
    found = visitor.get("/me/check?purpose=train-genai&category=comment", accept=JSON).json()
    (release,) = found["undoes"].pop("releases").items()
    assert release[1] == 1
    assert found == {
        "purpose": "train-genai",
        "can_choose": True,
        "categories": ["comment"],
        "items": 0,
        "undoes": {
            "next_release": 1,
            "next_others": 0,
            "undated": 0,
            "due": 0,
            "due_undated": 0,
            "asked_for": 0,
            "leaving": {"own": 1, "others": 0},
            "left": {},
            "models": {"drafts": 1},
        },
    }
    form = {"purpose": "train-genai", "what": "items"} | one_item("u1", 1, "no")
    chosen = visitor.post("/me/check", form, accept=JSON).json()
    assert (chosen["items"], chosen["undoes"]["next_release"]) == (1, 1)
    nothing = visitor.post("/me/check", form | {"answer-1": "yes"}, accept=JSON).json()
    assert (nothing["items"], nothing["undoes"]) == (0, None)
    answer = visitor.get("/me/check?purpose=nonsense", accept=JSON)
    assert (answer.status_code, answer.json()["code"]) == (409, "choice-no-such-use")
    assert deployment.ledger.head() == head, "nothing is recorded by looking"


def test_papers_are_documents_as_well(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    deployment.control.notices.write(
        "n-1", b"We use posts.\n\nSay no.", languages=["en"], channel="mail", audience="all"
    )
    visitor = come("us", notice="n-1")
    (use,) = visitor.get("/me", accept=JSON).json()["uses"]
    assert use["to_read"] == {
        "what": "notice",
        "name": "n-1",
        "at": use["notice"]["at"],
        "language": "en",
        "paragraphs": ["We use posts.", "Say no."],
    }
    (rules,) = come("us2").get("/me", accept=JSON).json()["uses"]
    assert (rules["notice"], rules["to_read"]["what"]) == (None, "rules")
    assert rules["to_read"]["paragraphs"]
    position = no(visitor).partition("=")[2]
    receipt = visitor.get(f"/me/receipts/{position}", accept=JSON)
    assert receipt.headers["content-type"] == JSON
    assert receipt.json() == visitor.get(f"/me/receipts/{position}").json()
    assert visitor.get("/me/receipts/0", accept=JSON).json()["code"] == "choice-no-receipt"
