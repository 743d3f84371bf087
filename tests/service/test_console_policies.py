"""The console: policy sets in words, and how a proposal of one comes into force by two approvals."""

from __future__ import annotations

import re

import pytest

import service.staff as staff
from consentry.errors import ConflictError, StateError
from consentry.ledger.events import PolicyPublished
from consentry.ledger.proposal_events import PolicyApproved, PolicyProposed
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from service.at_work import CHANGED, POLICY
from service.staff import HOSTILE, Office
from service.visitor import words

place = staff.place


def test_a_policy_set_is_read_in_words(place: Office) -> None:
    position = place.deployment.control.desk.present().state.policies[0].position
    page = place.visitor("audrey").get(f"/console/policies/{position}")
    said, policy = words(page), load(shipped()[POLICY], POLICY)
    assert "Permitted by" in said
    for text in (dict(policy.title_in)["ar"], dict(policy.rules[0].why_in)["ar"]):
        assert f'(ar): <span lang="ar" dir="auto">{text}</span>' in page.text
    assert "holds" in said
    assert place.visitor("audrey").get("/console/policies/999999").status_code == 404


def test_what_is_wrong_with_a_policy_set_is_told_by_line(place: Office) -> None:
    before = place.deployment.control.desk.parts.ledger.head()
    answer = place.visitor("olga").post("/console/propose-policy", {"text": f'name = "x"\nwhat = "{HOSTILE[:8]}"\n'})
    assert answer.status_code == 422
    assert re.search(r"Line \d+:", words(answer))
    assert "&lt;script&gt;" in answer.text, "what was typed is kept, as text"
    assert place.deployment.control.desk.parts.ledger.head() == before


def test_a_policy_set_is_in_force_when_two_people_approved_it(own: Office) -> None:
    olga, paul = own.visitor("olga"), own.visitor("paul")
    looked = words(olga.post("/console/propose-policy", {"text": CHANGED}))
    assert "items are eligible today" in looked
    assert not own.events(PolicyProposed)
    form = {"text": CHANGED, "step": "propose", "reason": "a newer version"}
    assert olga.post("/console/propose-policy", {**form, "reason": ""}).status_code == 422
    made = olga.post("/console/propose-policy", form)
    assert made.status_code == 303, words(made)
    address = made.headers["location"]
    again = olga.post("/console/propose-policy", form)
    assert again.status_code == 422
    assert "very same" in words(again)
    assert olga.post(f"{address}/approve").status_code == 303
    assert olga.post(f"{address}/approve").status_code == 422
    assert len(own.events(PolicyPublished)) == 1
    assert own.visitor("mel").post(f"{address}/approve").status_code == 403
    assert paul.post(f"{address}/approve").status_code == 303
    assert [each.by for each in own.events(PolicyApproved)] == ["olga", "paul"]  # type: ignore[union-attr]
    assert own.events(PolicyPublished)[-1].version.startswith("new-")  # type: ignore[union-attr]
    assert "published" in words(paul.get(address))
    assert paul.post(f"{address}/withdraw").status_code == 422
    one, other = (each.position for each in own.deployment.control.desk.present().state.policies)
    assert "version:" in words(olga.get(f"/console/compare-policies?before={one}&after={other}"))


def test_what_came_into_force_in_between_makes_an_approval_count_for_nothing(own: Office) -> None:
    control = own.deployment.control
    made = control.proposals.propose(CHANGED, reason="newer", by="olga")
    control.proposals.approve(made.proposal, by="olga")
    control.statements.publish(CHANGED.replace("new-", "other-", 1), "elsewhere")
    assert control.proposals.get(made.proposal).approved == ()
    control.proposals.approve(made.proposal, by="paul")
    assert len(own.events(PolicyPublished)) == 2, "one approval counts, so it is not in force"
    assert control.proposals.approve(made.proposal, by="olga").ended == "published"
    with pytest.raises(StateError, match="is over"):
        control.proposals.approve(made.proposal, by="petra")
    with pytest.raises(ConflictError, match="in force"):
        control.proposals.propose(CHANGED, reason="again", by="olga")


def test_who_proposes_a_set_sees_in_which_languages_it_does_not_say_everything(own: Office) -> None:
    olga, heading = own.visitor("olga"), "Not there in every language of the pages"
    assert heading not in words(olga.post("/console/propose-policy", {"text": CHANGED}))
    half = "\n".join(line for line in CHANGED.splitlines() if not line.startswith(("title.cy", "why.ar")))
    checked = olga.post("/console/propose-policy", {"text": half})
    assert checked.status_code == 200, "it is no mistake"
    proposal = own.deployment.control.proposals.propose(half, reason="newer", by="olga").proposal
    page = olga.get(f"/console/proposals/{proposal}")
    for said in (words(checked), words(page)):
        assert heading in said
        assert "Cymraeg : title" in said
        assert "العربية : members-outside-europe , europe , never , minors" in said
        assert "Français :" not in said


def test_proposals_are_the_same_after_a_restart(own: Office) -> None:
    from consentry.oversight.overseen import Overseen

    control = own.deployment.control
    made = control.proposals.propose(CHANGED, reason="newer", by="olga")
    control.proposals.approve(made.proposal, by="olga")
    record = Overseen()
    record.advance(control.desk.parts.ledger.read())
    assert record.proposals.get(made.proposal) == control.proposals.get(made.proposal)
