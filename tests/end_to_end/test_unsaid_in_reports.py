"""What a report to an authority does not say: who did something, and what no ledger knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.cli.suspend import drained_words
from consentry.clock import now
from consentry.digests import canonical_json, digest
from consentry.ledger.case_events import ReportDelivered
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.case_report import FORMAT, SECOND_FORMAT, THIRD_FORMAT, markdown
from consentry.oversight.objection_form import FORM
from consentry.oversight.order import Scope
from consentry.policy.choice import SECONDS_PER_DAY
from end_to_end.case_steps import CASE, agree_to_lift, condition, suspend
from end_to_end.suspended_network import PEOPLE, build, place
from end_to_end.test_case_reports import DUE, bytes_of

__all__ = ["place"]


@pytest.fixture
def office(place: tuple[object, Deployment]) -> Deployment:
    _, deployment = place
    suspend(deployment)
    deployment.control.reports.schedule(CASE, "five-months", title="What was done", due=DUE, by="ann")
    return deployment


def made(deployment: Deployment) -> dict[str, Any]:
    return deployment.control.reports.generate(CASE, "five-months")


def said_in(deployment: Deployment) -> str:
    return canonical_json(made(deployment)).decode() + markdown(made(deployment))


def test_nobody_of_the_staff_is_named_until_the_case_is_lifted_and_after(office: Deployment) -> None:
    control = office.control
    control.conditions.add(condition("window"))
    control.conditions.meet(CASE, "window", evidence=b"x", by="anna-smith")
    control.cases.begin_review(CASE, by="anna-smith")
    control.cases.require_notice(CASE, "n-1", days=0, by="anna-smith")
    control.cases.approve(CASE, by="anna-smith")
    assert made(office)["in_the_way"][0] == "1 of 2 approvals missing"
    assert f"| title of window | met | evidence {digest(b'x')} |" in said_in(office)
    assert "anna-smith" not in said_in(office)
    control.cases.approve(CASE, by="bob-jones")
    control.notices.serve("n-1", [office.person(each.id) for each in PEOPLE if isinstance(each.id, str)], at=now())
    assert control.cases.lift(CASE, by="bob-jones", reference="letter 2") == ()
    assert "anna-smith" in control.cases.register_of(CASE)[0].over.found[0]  # type: ignore[union-attr]
    assert made(office)["case"]["standing"] == "lifted"
    assert f"| title of window | met | evidence {digest(b'x')} |" in said_in(office)
    assert "anna-smith" not in said_in(office)
    assert "bob-jones" not in said_in(office)


def test_what_an_authority_sees_names_nobody_of_the_staff_either(office: Deployment) -> None:
    control = office.control
    control.cases.begin_review(CASE, by="anna-smith")
    control.cases.approve(CASE, by="anna-smith")
    view = control.authority_view.case(CASE, frozenset({"UK"}))
    assert "1 of 2 approvals missing" in view["in_the_way"]
    assert "anna-smith" not in canonical_json(view).decode()


def test_of_a_form_that_nobody_can_know_it_says_neither_met_nor_open(office: Deployment) -> None:
    control = office.control
    control.conditions.add(condition("steps", "2", check="objection-steps"))
    control.cases.begin_review(CASE, by="ann")
    control.cases.require_notice(CASE, "n-1", days=30, by="ann")
    (found,) = made(office)["conditions"]
    assert (found["met"], found["found"]) == (
        None, "not known at that position: the ledger does not say which form was served",
    )  # fmt: skip
    assert made(office)["case"]["standing"] == "under-review"
    assert made(office)["in_the_way"] == [
        "2 of 2 approvals missing",
        "notice `n-1` was not served since lifting was approved",
    ]
    text = markdown(made(office))
    assert "| title of steps | not known | not known at that position" in text
    assert "- whether condition `steps` (title of steps) is met: not known at that position" in text


def test_nobody_approves_while_the_form_is_not_so_so_an_approved_case_is_under_way(office: Deployment) -> None:
    control = office.control
    control.conditions.add(condition("steps", "2", check="objection-steps"))
    parts = control.desk.parts
    control.desk.parts = replace(parts, objection_form=lambda: FORM)
    agree_to_lift(office)
    assert made(office)["case"]["standing"] == "approved"
    assert made(office)["conditions"][0]["met"] is None


def test_a_case_that_waits_is_said_to_wait_and_what_is_not_counted_is_said_once(office: Deployment) -> None:
    control = office.control
    agree_to_lift(office)
    control.notices.serve("n-1", [office.person("gb")], at=now())
    assert str(control.cases.register_of(CASE)[1]) == "waiting"
    assert made(office)["case"]["standing"] == "waiting"
    assert made(office)["in_the_way"] == ["30 days left to wait after notice `n-1`"]
    text = markdown(made(office))
    assert "**The case is: waiting.**" in text
    assert text.count("not counted") == 1
    assert "- how many people notice `n-1` did not reach whose content would be used again: it is not counted" in text


def test_each_rank_of_a_job_has_a_lease_and_leases_are_what_is_counted(place: tuple[object, Deployment]) -> None:
    _, office = place
    control, release = office.control, build(office)
    ranks = [control.leases.grant(release, job="job-1", model="drafts") for _ in range(8)]
    order = suspend(office, Scope())
    control.reports.schedule(CASE, "five-months", title="What was done", due=DUE, by="ann")
    for lease, secret in ranks:
        control.leases.end(lease.lease, secret=secret, how=LeaseEnd.STOPPED, step=1)
    control.orders.drain()
    (found,) = made(office)["orders"]
    assert found["drained"]["leases"] == 8
    assert ", 8 leases |" in markdown(made(office))
    assert drained_words(control.orders.get(order)).endswith(", 8 leases")


def test_what_was_delivered_in_the_second_form_stays_what_it_was_and_reads_as_it_did(office: Deployment) -> None:
    control = office.control
    control.conditions.add(condition("window"))
    control.conditions.meet(CASE, "window", evidence=b"x", by="anna-smith")
    position = office.ledger.head()
    body = made(office)
    assert body["format"] == FORMAT
    del body["not_known"]
    body |= {"format": SECOND_FORMAT, "in_the_way": ["1 of 2 approvals missing, given by anna-smith"]}
    body["conditions"][0]["found"] += ", given by anna-smith"
    body["orders"][0]["drained"] = {"position": 9, "after_ms": 1_500, "jobs": 8}
    document = control.desk.parts.objects.put(canonical_json(body))
    said = ReportDelivered(case=CASE, report="five-months", document=document, position=position, by="ann")
    control.reports.book.say(CASE, lambda _: [said], over_too=True)
    assert digest(bytes_of(office, position)) == document
    text = markdown(control.reports.generate(CASE, "five-months", position=position))
    assert "| order | scope | in force from | last job stopped | ended |" in text
    assert "| after 1.5 s, 8 jobs |" in text
    assert f"| title of window | met | evidence {digest(b'x')}, given by anna-smith |" in text
    assert "Not known" not in text
    assert made(office)["format"] == FORMAT


def test_a_report_says_of_what_was_served_before_that_the_case_does_not_wait_for_it(office: Deployment) -> None:
    control = office.control
    control.notices.serve("n-1", [office.person("gb")], at=now())
    agree_to_lift(office)
    ((earlier,),) = (each["servings"] for each in made(office)["notices"])
    assert earlier["waiting_ends"] is None
    text = markdown(made(office))
    assert text.count("| does not count for this case |") == 1
    assert "| n-1 | - | 0 | not for this case yet | 30 days after |" in text
    control.notices.serve("n-1", [office.person("gb")], at=now())
    ((earlier, counted),) = (each["servings"] for each in made(office)["notices"])
    (_, last) = control.desk.parts.ledger.read(office.ledger.head() - 2, office.ledger.head())
    assert (earlier["waiting_ends"], counted["waiting_ends"]) == (None, last.recorded_at + 30 * SECONDS_PER_DAY)
    assert "for this case yet" not in markdown(made(office))


def test_what_was_delivered_in_the_third_form_stays_what_it_was_and_reads_as_it_did(office: Deployment) -> None:
    control = office.control
    control.notices.serve("n-1", [office.person("gb")], at=now())
    agree_to_lift(office)
    position = office.ledger.head()
    body = made(office) | {"format": THIRD_FORMAT}
    body["orders"][0]["drained"] = {"position": 9, "after_ms": 1_500, "leases": 8}
    del body["notices"][0]["servings"][0]["waiting_ends"]
    document = control.desk.parts.objects.put(canonical_json(body))
    said = ReportDelivered(case=CASE, report="five-months", document=document, position=position, by="ann")
    control.reports.book.say(CASE, lambda _: [said], over_too=True)
    assert digest(bytes_of(office, position)) == document
    text = markdown(control.reports.generate(CASE, "five-months", position=position))
    assert "for this case" not in text
    assert "| after 1.5 s, 8 leases |" in text
    assert made(office)["format"] == FORMAT
