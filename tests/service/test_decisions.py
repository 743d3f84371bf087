"""Decisions over the interface: one or several, by which policy set, and why."""

from __future__ import annotations

import pytest

import service.callers as callers
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.snapshot import Use
from service.at_work import suspend_elsewhere
from service.callers import Place, asked, choose, decide

place = callers.place


def test_a_decision_says_why_and_by_what(place: Place) -> None:
    found = decide(place, asked("br"))
    assert found["decision"] is True
    assert found["context"]["policy"] == "august-2024"
    assert [each["id"] for each in found["context"]["reasons"]] == ["permitted:members-outside-europe"]
    denied = decide(place, asked("nobody-knows"))
    assert denied["decision"] is False
    assert "reason_user" in denied["context"]["reasons"][0]


def test_what_is_not_said_is_unknown_and_denied(place: Place) -> None:
    body = asked("br")
    del body["resource"]["properties"]
    assert decide(place, body)["decision"] is False


def test_a_choice_counts_in_the_next_decision(place: Place) -> None:
    assert decide(place, asked("us"))["decision"] is True
    assert choose(place, "us").status_code == 201
    found = decide(place, asked("us"))
    assert found["decision"] is False
    assert found["context"]["reasons"][0]["id"] == "refused"
    assert choose(place, "us", "unset").status_code == 201
    assert decide(place, asked("us"))["decision"] is True


def test_an_order_from_another_process_counts_at_once(place: Place) -> None:
    assert decide(place, asked("br"))["decision"] is True
    suspend_elsewhere(place.deployment.settings.home, "--area", "BR")
    found = decide(place, asked("br"))
    assert found["decision"] is False
    assert found["context"]["reasons"][0]["id"] == "suspended:ico-2024.1"


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        (None, [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_several_decisions(place: Place, semantic: str | None, expected: list[bool]) -> None:
    top = asked("gb")
    others = [{}, {"subject": {"type": "person", "id": "nobody-knows"}}, {"context": {"time": "now"}}]
    body = {**top, "evaluations": others}
    if semantic is not None:
        body["options"] = {"evaluations_semantic": semantic}
    answer = place.program.post("/access/v1/evaluations", json=body).json()
    assert [each["decision"] for each in answer["evaluations"]] == expected


def test_one_of_several_that_cannot_be_decided_is_denied(place: Place) -> None:
    body = {**asked("gb"), "evaluations": [{"action": {"name": "train-ai", "properties": {"policy": "no-such"}}}, {}]}
    found = place.program.post("/access/v1/evaluations", json=body).json()["evaluations"]
    assert [each["decision"] for each in found] == [False, True]
    assert found[0]["context"]["error"]["code"] == "policy-not-published"


def test_where_several_policy_sets_decide_the_one_published_last_does(place: Place) -> None:
    """Nobody has to name it, and what the page of members goes by is what is answered."""
    text = shipped()["august-2024"].replace('name = "august-2024"', 'name = "newest"', 1)
    strict = text.replace('choice = ["unset", "allowed"]', 'choice = ["allowed"]', 1)
    control = place.deployment.control
    try:
        control.statements.publish(strict.split("[[example]]")[0], "newest.toml")
        alone = decide(place, asked("gb"))
        several = place.program.post("/access/v1/evaluations", json={**asked("gb"), "evaluations": [{}]}).json()
        deciding = control.own_settings.deciding(Purpose.TRAIN_GENAI)
        assert deciding is not None
        for found in (alone, *several["evaluations"]):
            assert found["decision"] is False
            assert found["context"]["policy"] == deciding.name == "newest"
            assert found["context"]["error"] is None
        use = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
        assert control.people.may("gb", use)["policy"]["name"] == "newest"
        named = asked("gb")
        named["action"]["properties"] = {"policy": "august-2024"}
        assert (decide(place, named)["decision"], decide(place, named)["context"]["policy"]) == (True, "august-2024")
    finally:
        control.statements.withdraw("newest")
    assert decide(place, asked("gb"))["context"]["policy"] == "august-2024", "withdrawn, it decides about nothing"


def test_a_use_about_which_no_policy_set_decides_is_not_permitted(place: Place) -> None:
    answer = place.program.post("/access/v1/evaluation", json=asked("gb", "serve"))
    assert (answer.status_code, answer.json()["code"]) == (422, "decision-policy")
    several = {**asked("gb", "serve"), "evaluations": [{}]}
    (found,) = place.program.post("/access/v1/evaluations", json=several).json()["evaluations"]
    assert found["decision"] is False
    assert found["context"]["error"]["code"] == "decision-policy"


def test_without_several_the_top_is_the_one(place: Place) -> None:
    assert place.program.post("/access/v1/evaluations", json=asked("gb")).json()["decision"] is True
    assert place.program.post("/access/v1/evaluations", json={}).status_code == 422


def test_the_id_of_a_request_comes_back(place: Place) -> None:
    answer = place.program.post("/access/v1/evaluation", json=asked("gb"), headers={"x-request-id": "a-17"})
    assert answer.headers["x-request-id"] == "a-17"
