"""Where a use that belongs to another is decided apart, the page of a member and the what-if of a set say so."""

from __future__ import annotations

import re

import service.members as member
from consentry.bootstrap import Deployment
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Purpose
from consentry.service.pages.member_words import BESIDES
from consentry.service.policy_effects import effects
from service.at_work import POLICY
from service.members import Come
from service.staff import Office
from service.visitor import Visitor, words

place = member.place
ALL, WIDER = "opt-in-only", shipped()["opt-in-only"]


def headings(visitor: Visitor) -> list[str]:
    return re.findall(r'<h2 id="use-[^"]*">([^<]*)</h2>', visitor.get("/me").text)


def test_the_heading_leaves_out_what_is_decided_apart(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    assert headings(visitor) == ["Training of AI that writes texts and makes pictures"]
    deployment.control.statements.publish(WIDER, ALL)
    assert headings(visitor) == [
        "Training of AI models of any kind, other than those below",
        "Training of AI that writes texts and makes pictures",
    ]
    page = words(visitor.get("/me"))
    assert "Other rules count for those below. But a no that you say here counts there too." in page


def test_every_use_with_others_below_it_has_a_heading() -> None:
    above = {each for each in Purpose if any(each is not other and each.covers(other) for other in Purpose)}
    assert set(BESIDES) == above


def test_the_what_if_says_which_uses_below_stay_as_they_are(own: Office) -> None:
    control = own.deployment.control
    policy = load(WIDER, "test")
    decides = control.desk.document(control.desk.present().state.policies[-1].digest)
    assert effects(control, policy)["stays"] == [("train-genai", f"{POLICY} {decides.version}")]
    assert effects(control, decides)["stays"] == []
    page = own.visitor("olga").post("/console/propose-policy", {"text": WIDER, "step": "check"})
    assert f"train-genai stays as it is, though it belongs to what this is for: {POLICY}" in words(page)
