"""The checks of a case are run anew at every attempt, by the policy set and the form that are there then."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from consentry.accounts.account import Principal
from consentry.bootstrap import Deployment
from consentry.oversight.condition_check import Answer, System, run
from consentry.policy.library import shipped
from consentry.service.api.cases import every, whole
from consentry.service.server import serving
from end_to_end.case_steps import CASE, condition, in_the_way, later, ready, suspend
from end_to_end.suspended_network import POLICY
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture


def test_checks_of_a_register_run_while_others_hold_the_desk_and_again_if_a_set_was_published_meanwhile(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    control, ran, free = deployment.control, list[str](), list[bool]()
    suspend(deployment)
    control.conditions.add(condition("minors", check="no-minors"))
    plain = run

    def hold() -> None:
        free.append(control.desk.lock.acquire(timeout=5))
        if not ran:
            control.statements.publish(shipped()["november-2025"], POLICY)
        control.desk.lock.release()

    def watched(check: str, parameters: tuple[str, ...], *, system: System) -> Answer:
        other = Thread(target=hold)
        other.start()
        other.join()
        ran.append(check)
        return plain(check, parameters, system=system)

    monkeypatch.setattr("consentry.control_plane.conditions.run", watched)
    control.cases.register_of(CASE)
    assert (free, ran) == ([True, True], ["no-minors"] * 2)


def test_a_check_is_run_again_at_every_attempt(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    suspend(deployment)
    deployment.control.conditions.add(condition("minors", check="no-minors"))
    ready(deployment)
    later(deployment, days=31)
    # As laid out in the file, the rule about minors is the one before the first example.
    lax = shipped()[POLICY].replace('age = ["minor"]', 'age = ["minor"]\ncategory = ["image"]')
    lax = lax.replace('age = ["adult"]', 'age = ["adult", "minor"]').partition("[[example]]")[0]
    deployment.control.statements.publish(lax, "lax")
    found = deployment.control.cases.lift(CASE, by="ann", reference="x")
    assert [each.about for each in found] == ["minors"]
    assert "of `minor` in `GB`" in found[0].text
    deployment.control.statements.publish(shipped()[POLICY], POLICY)
    assert in_the_way(deployment) == []


def test_a_policy_published_while_the_checks_run_is_looked_at(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    suspend(deployment)
    deployment.control.conditions.add(condition("objections", check="objections-kept"))
    ready(deployment)
    later(deployment, days=31)
    asked, plain = 0, run

    def slow(check: str, parameters: tuple[str, ...], *, system: System) -> Answer:
        nonlocal asked
        asked += 1
        if asked == 1:
            deployment.control.statements.publish(shipped()[POLICY], POLICY)
        return plain(check, parameters, system=system)

    monkeypatch.setattr("consentry.control_plane.conditions.run", slow)
    assert in_the_way(deployment) == []
    assert asked == 2


def test_the_form_that_is_served_meets_the_condition_about_its_steps(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    suspend(deployment)
    control = deployment.control
    control.conditions.add(condition("steps", "2", check="objection-steps"))
    control.cases.begin_review(CASE, by="ann")
    nothing = "no form for objections is served: start the server"
    (found,) = control.cases.approve(CASE, by="ann")
    assert (found.kind, found.about) == ("condition", "steps")
    assert control.cases.register_of(CASE)[3]["steps"].found == nothing
    with serving(deployment):
        assert control.cases.register_of(CASE)[3]["steps"].met, "the form that is served has one step"
        ready(deployment)
    later(deployment, days=31)
    (found,) = control.cases.lift(CASE, by="ann", reference="x")
    assert found.about == "steps", "the form is not served any more"
    with serving(deployment):
        assert control.cases.lift(CASE, by="ann", reference="x") == ()


def test_a_case_is_asked_for_once_and_of_one_that_is_over_nothing_is_in_a_list(
    place: tuple[Path, Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment = place
    control, asked = deployment.control, list[str]()
    suspend(deployment)
    plain = control.cases.register_of

    def watched(name: str) -> Any:
        asked.append(name)
        return plain(name)

    monkeypatch.setattr(control.cases, "register_of", watched)
    nobody = cast("Principal", None)
    assert whole(control, CASE).standing == "suspended"
    assert [each.standing for each in every(_=nobody, control=control).cases] == ["suspended"]
    assert asked == [CASE] * 2
    control.cases.prohibit(CASE, by="ann", reference="x")
    assert [each.standing for each in every(_=nobody, control=control).cases] == ["prohibited"]
    assert asked == [CASE] * 2
