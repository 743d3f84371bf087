"""Whatever takes a no back asks for what is to be read first, and records it: of the use, and of those it turns on."""

from __future__ import annotations

import html
import re

import httpx2

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.test_story import NOW
from service.members import Come, no, one_item, shown
from service.test_member_reach import said_since
from service.visitor import Visitor, words

place = member.place
UNREAD = "Tick that you have read the notice"


def forms(page: httpx2.Response, purpose: str) -> str:
    """Return the first form of a page about a use."""
    found = re.findall(r'(?s)<form [^>]*action="/me/choices".*?</form>', page.text)
    return str(next(each for each in found if f'name="purpose" value="{purpose}"' in each))


def ticked(form: str) -> dict[str, str]:
    """Return what somebody sends who has read what a form shows."""
    found = re.search(r'name="version" value="([^"]*)"', form)
    assert found is not None
    return {"read": "yes", "version": html.unescape(found[1])}


def turns_on(visitor: Visitor, deployment: Deployment, form: str, sent: dict[str, str]) -> ChoiceMade:
    """Send what takes a no back, unread and then read, and return what is recorded."""
    head, sent = deployment.ledger.head(), sent | shown(visitor, sent["purpose"])
    answer = visitor.post("/me/choices", sent)
    assert (answer.status_code, UNREAD in words(answer)) == (422, True)
    assert said_since(deployment, head) == []
    assert visitor.post("/me/choices", sent | ticked(form)).status_code == 303
    (made,) = [each.body for each in deployment.ledger.read(head) if isinstance(each.body, ChoiceMade)]
    return made


def test_taking_back_a_no_to_all_training_asks_for_what_it_turns_on(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    refused = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, at=NOW)
    said = ChoiceMade(person=deployment.person("us"), choice=refused, source=Source.FORM)
    deployment.control.statements.choose([said])
    visitor = come("us")
    form = forms(visitor.get("/me"), "train-ai")
    assert "Read " in form
    made = turns_on(visitor, deployment, form, {"purpose": "train-ai", "answer": "back"})
    assert made.choice.state is ChoiceState.UNSET
    assert made.notice is not None
    assert "On Your content may be used" in words(visitor.get("/me"))


def test_a_yes_to_one_item_asks_for_the_notice(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    assert 'name="version"' not in visitor.get("/me/items").text, "nothing there takes a no back"
    no(visitor, what="items", **one_item("u1", 1, "no"))
    form = forms(visitor.get("/me/items"), "train-genai")
    sent = {"purpose": "train-genai", "what": "items", **one_item("u1", 1, "yes")}
    made = turns_on(visitor, deployment, form, sent)
    assert (made.choice.state, made.notice) == (ChoiceState.UNSET, ticked(form)["version"])


def test_a_notice_of_another_use_is_not_what_a_yes_asks_for(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    text = b"We use posts."
    control.notices.write("genai-2025", text, languages=["en"], channel="mail", audience="all", by="olga")
    control.notices.serve("genai-2025", [deployment.person("us")], at=control.desk.parts.clock())
    for name in ("november-2025", "opt-in-only"):
        control.statements.publish(shipped()[name], name)
    page = come("us").get("/me")
    assert "We use posts" not in forms(page, "train-ai")
    assert "opt-in-only/" in ticked(forms(page, "train-ai"))["version"]
