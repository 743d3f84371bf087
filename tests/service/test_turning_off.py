"""Turning off is one step by every way there is: never refused for being frequent, never asked why, never asked twice.

The ways: the settings page, the signed link with which a platform sends a member, the form for objections, the
interface for programs, and the signal of a browser. Each test says no by one request, and looks at what came of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import httpx2
import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade
from consentry.oversight.objection import ObjectionState
from consentry.oversight.objection_form import FORM, REASON
from consentry.policy.vocabulary import ChoiceState
from service.at_work import POLICY, platform_key
from service.members import NEW_POST, Come, no, one_item, read, token_for
from service.visitor import Visitor, words

place = member.place
OFTEN = 60
"""So many within seconds. No limit of any use is as high, and none is as low as one person changing their mind."""
ASKS = re.compile(r"\b(why do you|tell us why|your reason|are you sure|confirm|really want)\b", re.IGNORECASE)


class Fields(NamedTuple):
    """What a form asks for: the names of all fields, and of those that have to be filled in."""

    every: set[str]
    required: set[str]


def fields_of(form: str) -> Fields:
    tags = re.findall(r"<(?:input|textarea|select|button)\b[^>]*>", form)
    named = {tag: re.search(r'\bname="([^"]+)"', tag) for tag in tags}
    found = {tag: match[1] for tag, match in named.items() if match}
    return Fields(set(found.values()), {name for tag, name in found.items() if re.search(r"\brequired\b", tag)})


def forms_of(page: httpx2.Response, action: str) -> Iterator[Fields]:
    for form in re.findall(rf'(?s)<form[^>]*action="{action}"[^>]*>.*?</form>', page.text):
        yield fields_of(form)


def is_off(deployment: Deployment, person: str) -> bool:
    return not deployment.control.people.may(person, NEW_POST, policy=POLICY)["allowed"]


@pytest.mark.parametrize(
    "said",
    [
        {"answer": "no"},
        {"what": "kinds", "kind-post": "no"},
        {"what": "items", **one_item("u1", 1, "no")},
    ],
    ids=["all", "kinds", "items"],
)
def test_on_the_page_one_press_of_save_is_all(place: tuple[Deployment, Come, str], said: dict[str, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    head = deployment.control.desk.parts.ledger.head()
    answer = visitor.post("/me/choices", {"purpose": "train-genai", **said})
    assert answer.status_code == 303
    ledger = deployment.control.desk.parts.ledger
    (made,) = [each.body for each in ledger.read(head, ledger.head()) if isinstance(each.body, ChoiceMade)]
    assert made.choice.state is ChoiceState.REFUSED, "it is in the ledger with this request"
    page = visitor.follow(answer)
    assert "Saved: you said no" in words(page)
    assert not ASKS.search(words(page))


def test_no_form_of_the_page_asks_why_or_needs_anything_but_the_answer(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    known = re.compile(
        r"purpose|answer(-\d+)?|reach|what|whose|shown|category|number|read|version|kind-[a-z-]+|(item|corpus)-\d+"
    )
    pages = ["/me", "/me/items", "/me/check?purpose=train-genai", "/me/check?purpose=train-genai&category=post"]
    for path in pages:
        page = visitor.get(path)
        forms = list(forms_of(page, "/me/choices"))
        assert forms, path
        for form in forms:
            assert form.required == set(), path
            assert all(known.fullmatch(name) for name in form.every), (path, form.every)
        assert not ASKS.search(words(page)), path


def test_by_the_link_of_the_platform_it_is_a_click_and_a_press(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    visitor = Visitor(url)
    page = visitor.follow(visitor.get(f"/me/enter?token={token_for(deployment, 'us')}"))
    assert next(forms_of(page, "/me/choices")).required == set()
    assert 'type="password"' not in page.text
    no(visitor)
    assert is_off(deployment, "us")


def test_by_the_objection_form_a_name_and_an_address_are_enough(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    visitor = Visitor(url)
    (form,) = forms_of(visitor.get("/object"), "/object")
    assert form.required == {field.name for field in FORM.fields if field.required}
    assert REASON.name not in form.required
    answer = visitor.post("/object", {"find": "u1", "answer_to": "me@example.org"})
    assert answer.status_code == 303, "it is taken with this request"
    queue = deployment.control.objection_queue
    assert queue.list(frozenset(ObjectionState)).total == 1
    assert not ASKS.search(words(visitor.follow(answer)))


def test_by_the_interface_it_is_one_request_without_a_reason(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    headers = {"authorization": f"Bearer {platform_key(deployment)}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as program:
        said = {"person": "us", "purpose": "train-genai", "state": "refused"}
        answer = program.post("/v1/choices", json={"choices": [said]})
        assert answer.status_code == 201
        assert is_off(deployment, "us")
        for _ in range(OFTEN):
            answer = program.post("/v1/choices", json={"choices": [said]})
            assert answer.status_code == 201, answer.text
            assert not {
                name for name in answer.headers if "ratelimit" in name.replace("-", "") or name == "retry-after"
            }


def test_by_the_signal_of_a_browser_it_is_not_even_a_press(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    come("us").get("/me", **{"sec-gpc": "1"})
    assert is_off(deployment, "us")


def test_changing_ones_mind_is_never_too_often(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    for _ in range(OFTEN):
        for answer in ("no", "yes"):
            form = {"purpose": "train-genai", "answer": answer, "reach": "untrained", **read(visitor)}
            said = visitor.post("/me/choices", form)
            assert said.status_code == 303, words(said)
            assert "retry-after" not in said.headers
    no(visitor)
    assert is_off(deployment, "us"), "whoever said yes sixty times is believed at the next no"


def test_objecting_is_never_too_often(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    visitor = Visitor(url)
    for _ in range(OFTEN):
        answer = visitor.post("/object", {"find": "u1", "answer_to": "me@example.org"})
        assert answer.status_code == 303
        assert "retry-after" not in answer.headers
    assert deployment.control.objection_queue.list(frozenset(ObjectionState)).total == OFTEN


def test_coming_in_by_a_link_is_never_too_often(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    visitor = Visitor(url)
    for _ in range(OFTEN):
        assert visitor.get(f"/me/enter?token={token_for(deployment, 'us')}").status_code == 303


def test_a_yes_that_lacks_something_holds_no_no_up(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    deployment.control.notices.write("what-we-use", b"We use posts.", languages=["en"], channel="mail", audience="all")
    visitor = come("us", notice="what-we-use")
    no(visitor)
    assert is_off(deployment, "us"), "no notice has to be read for a no"
    head = deployment.control.desk.parts.ledger.head()
    assert visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no"}).status_code == 303
    assert deployment.control.desk.parts.ledger.head() == head
