"""Cases over the interface, with the Python client: every step of staff in their own name, against a server."""

from __future__ import annotations

import time

import httpx2

from consentry.digests import digest
from consentry.ledger.case_events import ApprovalGiven, CaseEnded, ConditionMet, ReportDelivered
from consentry.service.gate import COOKIE
from service.at_work import PEOPLE
from service.clients import as_, program, refused, there
from service.staff import Office

DUE = 4_000_000_000


def test_a_case_is_raised_met_approved_by_two_and_lifted(own: Office) -> None:
    with as_(own, "olga", "paul", "mel") as (olga, paul, mel):
        olga.open_case("ico", title="a concern", reference="letter 1")
        assert olga.what_if({"areas": ["UK"]})["releases"] == {own.release: 1}
        order = olga.suspend(case="ico", scope={"areas": ["UK"]}, reference="letter 2")["order"]
        assert olga.order(order)["scope"]["areas"] == ["UK"]
        assert [each["order"] for each in olga.orders()] == [order]
        with refused("access-denied"):
            mel.begin_review("ico")
        olga.begin_review("ico")
        olga.set_condition("ico", "clearer", title="a clearer form", owner="olga", due=DUE)
        with refused("case-condition-known"):
            olga.set_condition("ico", "clearer", title="a clearer form", owner="olga", due=DUE)
        with refused("case-check-unknown"):
            olga.set_condition("ico", "asks", title="asks little", owner="olga", due=DUE, check="asks-little")
        with refused("case-not-ready"):
            olga.approve_lifting("ico")
        assert olga.meet_condition("ico", "clearer", document=b"%PDF-1.7 \xff")["conditions"][0]["met"]
        assert not olga.reopen_condition("ico", "clearer", reason="one place was missed")["conditions"][0]["met"]
        assert olga.meet_condition("ico", "clearer", text="minutes of 3 May")["standing"] == "conditions-met"
        olga.write_notice("told", text="We use what you write.", languages=["en"], channel="e-mail", audience="all")
        olga.require_notice("ico", "told", days=0)
        olga.approve_lifting("ico")
        with refused("case-approved-already"):
            olga.approve_lifting("ico")
        with refused("case-not-ready"):
            olga.lift("ico", reference="letter 3")
        olga.serve_notice("told", ["gb"], at=int(time.time()))
        not_served = "notice `told` was not served since lifting was approved"
        assert [each["text"] for each in paul.case("ico")["obstacles"]] == [
            "1 of 2 approvals missing, given by olga",
            not_served,
        ]
        assert paul.approve_lifting("ico")["standing"] == "approved"
        assert [each["text"] for each in paul.case("ico")["obstacles"]] == [not_served]
        olga.serve_notice("told", ["fr"], at=int(time.time()))
        left_out = paul.case("ico")
        assert (left_out["standing"], [each["kind"] for each in left_out["obstacles"]]) == ("notices-served", ["reach"])
        olga.serve_notice("told", ["gb"], at=int(time.time()))
        assert paul.case("ico")["standing"] == "ready"
        assert paul.lift("ico", reference="letter 3")["standing"] == "lifted"
        assert there(olga.order(order)["ended"])["how"] == "lifted"
        with refused("case-over"):
            olga.begin_review("ico")
        assert [each["case"] for each in olga.cases()] == ["ico"]
        assert [(each["case"], each["condition"], each["state"]) for each in olga.conditions(state="met")] == [
            ("ico", "clearer", "met")
        ]
        assert list(olga.conditions(case="ico", state="open")) == []
        assert list(olga.reports()) == []
        assert "case.ended" in [each["kind"] for each in olga.timeline("ico")]
    documents = [own.deployment.control.desk.parts.objects.get(each.evidence) for each in _met(own)]
    assert documents == [b"%PDF-1.7 \xff", b"minutes of 3 May"]
    assert [each.by for each in own.events(ApprovalGiven) if isinstance(each, ApprovalGiven)] == ["olga", "paul"]


def test_everything_is_suspended_if_that_is_what_is_said(own: Office) -> None:
    with as_(own, "olga") as (olga,):
        with refused("order-scope"):
            olga.suspend(case="all", scope={}, reference="letter")
        told = olga.what_if({}, everywhere=True)
        assert told["releases"].keys() == {own.release}
        assert all(each["items"] == each["of"] for each in told["corpora"].values())
        order = olga.suspend(case="all", scope={}, reference="letter", everywhere=True)
        assert not any(order["scope"].values())


def test_a_requirement_is_corrected_by_one_before_an_approval_and_by_two_after_it(own: Office) -> None:
    with as_(own, "olga", "paul", "mel") as (olga, paul, mel):
        olga.suspend(case="ico", scope={"areas": ["UK"]}, reference="letter 2")
        olga.begin_review("ico")
        with refused("serve-malformed"):
            olga.require_notice("ico", "wrnog", days=36_500)
        olga.require_notice("ico", "wrnog", days=300)
        with refused("access-denied"):
            mel.correct_notice("ico", "wrnog", days=None, reason="mistyped")
        with refused("case-notice-not-fewer"):
            olga.correct_notice("ico", "wrnog", days=300, reason="mistyped")
        with refused("case-notice-unknown"):
            olga.correct_notice("ico", "wrong", days=30, reason="mistyped")
        assert olga.correct_notice("ico", "wrnog", days=30, reason="mistyped")["done"]
        assert olga.case("ico")["notices"] == {"wrnog": 30}
        olga.set_condition("ico", "clearer", title="a clearer form", owner="olga", due=DUE)
        assert olga.take_back_condition("ico", "clearer", reason="of another case")["by"] == ["olga"]
        paul.approve_lifting("ico")
        assert not olga.correct_notice("ico", "wrnog", days=None, reason="mistyped")["done"]
        agreed = paul.correct_notice("ico", "wrnog", days=None, reason="mistyped")
        assert (agreed["done"], agreed["by"]) == (True, ["olga", "paul"])
        assert olga.case("ico")["notices"] == {}
        olga.suspend(case="ico", scope={"areas": ["UK"]}, reference="decision", origin="binding-order")
        olga.require_notice("ico", "told", days=30)
        with refused("case-binding"):
            olga.correct_notice("ico", "told", days=3, reason="shorter")


def _met(place: Office) -> list[ConditionMet]:
    return [each for each in place.events(ConditionMet) if isinstance(each, ConditionMet)]


def test_narrowing_and_withdrawing_take_two_and_prohibiting_one(own: Office) -> None:
    with as_(own, "olga", "petra") as (olga, petra):
        olga.suspend(case="wide", scope={"areas": ["UK", "FR"]}, reference="letter")
        smaller = {"areas": ["UK"]}
        with refused("case-not-smaller"):
            olga.narrow("wide", scope={"areas": ["UK", "DE"]}, reference="letter 2")
        with refused("case-not-ready"):
            olga.narrow("wide", scope=smaller, reference="letter 2")
        olga.begin_review("wide")
        olga.require_notice("wide", "n-1", days=0)
        noted = {"by": ["olga"], "done": False, "orders": [], "in_the_way": []}
        assert olga.narrow("wide", scope=smaller, reference="letter 2") == noted
        with refused("case-approved-already"):
            olga.narrow("wide", scope=smaller, reference="letter 2")
        agreed = {**noted, "by": ["olga", "petra"]}
        assert petra.narrow("wide", scope=smaller, reference="letter 2") == {
            **agreed,
            "in_the_way": ["notice `n-1` was not served since narrowing was approved"],
        }
        people = [own.deployment.person(str(each.id)) for each in PEOPLE]
        own.deployment.control.notices.serve("n-1", people, at=int(time.time()))
        done = {**agreed, "done": True, "orders": ["wide.2"]}
        assert petra.narrow("wide", scope=smaller, reference="letter 2") == done
        assert {each["standing"] for each in (olga.case("wide"), *olga.cases())} == {"narrowed"}
        assert not olga.withdraw_case("wide", reference="letter 3")["done"]
        assert petra.withdraw_case("wide", reference="letter 3")["done"]
        olga.suspend(case="ended", scope={"areas": ["DE"]}, reference="letter")
        olga.schedule_report("ended", "monthly", title="what happened", due=int(time.time()) + 86_400)
        assert olga.prohibit("ended", reference="decision")["standing"] == "prohibited"
        assert [(each["report"], each["state"]) for each in olga.reports(case="ended")] == [("monthly", "due")]
        olga.deliver_report("ended", "monthly")
        (report,) = olga.reports(state="delivered")
        assert report["document"] == digest(olga.report("ended", "monthly"))
        with refused("case-report-unknown"):
            olga.deliver_report("ended", "weekly")
    assert len(own.events(ReportDelivered)) == 1
    assert [each.how for each in own.events(CaseEnded) if isinstance(each, CaseEnded)] == ["withdrawn", "prohibited"]


def test_a_step_that_is_sent_again_is_done_once(own: Office) -> None:
    own.deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    body = {"condition": "clearer", "title": "a clearer form", "owner": "olga", "due": DUE}
    olga, answers = own.visitor("olga"), []
    for key in ("k-1", "k-1", "k-2"):
        cookie = {"cookie": f"{COOKIE}={olga.cookies[COOKIE]}", "sec-fetch-site": "none", "idempotency-key": key}
        answers.append(httpx2.post(f"{own.ask.url}/v1/cases/ico/conditions", json=body, headers=cookie))
    assert [each.status_code for each in answers] == [201, 201, 409]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].content == answers[1].content


def test_a_key_of_a_program_approves_nothing(own: Office) -> None:
    own.deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    with program(own.deployment, own.ask.url) as consentry, refused("access-denied"):
        consentry.approve_lifting("ico")
