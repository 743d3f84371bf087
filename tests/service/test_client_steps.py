"""What staff and programs do over the interface, with the Python client: each in their own name, against a server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2
import pytest

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment, published_key
from consentry.client.api import Consentry, RefusedError
from consentry.ledger.case_events import ApprovalGiven, CaseEnded, ConditionMet, ReportDelivered
from consentry.ledger.events import ReleaseWithdrawn
from consentry.ledger.objection_events import ObjectionReceived
from consentry.policy.library import shipped
from consentry.service.api.builds import BUILDING
from consentry.service.gate import COOKIE
from consentry.transparency.receipt import check_receipt
from service.at_work import PEOPLE, POLICY
from service.staff import Office, office

CHANGED = shipped()[POLICY].replace('version = "', 'version = "new-', 1)
_T = TypeVar("_T")
PROGRAMS = frozenset({Role.PLATFORM, Role.ML_ENGINEER})


@pytest.fixture
def own() -> Iterator[Office]:
    with office() as made:
        yield made


def there(found: _T | None) -> _T:
    """Return a part of an answer that may be null, and is not."""
    assert found is not None
    return found


@contextmanager
def as_(place: Office, *handles: str) -> Iterator[list[Consentry]]:
    """Yield a client for each member of staff."""
    found = [Consentry(place.ask.url, session=place.cookies[each]) for each in handles]
    try:
        yield found
    finally:
        for each in found:
            each.close()


def program(deployment: Deployment, url: str) -> Consentry:
    """Return a client with the key of a program."""
    with deployment.admission() as admission:
        _, key = admission.add_key("programs", roles=PROGRAMS, by="ada")
    return Consentry(url, key=key)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(RefusedError) as caught:
        yield
    assert caught.value.code == code, caught.value


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
        olga.set_condition("ico", "clearer", title="a clearer form", owner="olga")
        with refused("case-condition-known"):
            olga.set_condition("ico", "clearer", title="a clearer form", owner="olga")
        with refused("case-check-unknown"):
            olga.set_condition("ico", "asks", title="asks little", owner="olga", check="asks-little")
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
        olga.serve_notice("told", ["gb"], at=int(time.time()))
        assert paul.case("ico")["standing"] == "ready"
        assert paul.lift("ico", reference="letter 3")["standing"] == "lifted"
        assert there(olga.order(order)["ended"])["how"] == "lifted"
        with refused("case-over"):
            olga.begin_review("ico")
        assert [each["case"] for each in olga.cases()] == ["ico"]
        assert "case.ended" in [each["kind"] for each in olga.timeline("ico")]
    documents = [own.deployment.control.desk.parts.objects.get(each.evidence) for each in _met(own)]
    assert documents == [b"%PDF-1.7 \xff", b"minutes of 3 May"]
    assert [each.by for each in own.events(ApprovalGiven) if isinstance(each, ApprovalGiven)] == ["olga", "paul"]


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
        olga.set_condition("ico", "clearer", title="a clearer form", owner="olga")
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
        assert not olga.withdraw_case("wide", reference="letter 3")["done"]
        assert petra.withdraw_case("wide", reference="letter 3")["done"]
        olga.suspend(case="ended", scope={"areas": ["DE"]}, reference="letter")
        olga.schedule_report("ended", "monthly", title="what happened", due=int(time.time()) + 86_400)
        assert olga.prohibit("ended", reference="decision")["standing"] == "prohibited"
        olga.deliver_report("ended", "monthly")
        with refused("case-report-unknown"):
            olga.deliver_report("ended", "weekly")
    assert len(own.events(ReportDelivered)) == 1
    assert [each.how for each in own.events(CaseEnded) if isinstance(each, CaseEnded)] == ["withdrawn", "prohibited"]


def test_a_step_that_is_sent_again_is_done_once(own: Office) -> None:
    own.deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    body = {"condition": "clearer", "title": "a clearer form", "owner": "olga"}
    olga, answers = own.visitor("olga"), []
    for key in ("k-1", "k-1", "k-2"):
        cookie = {"cookie": f"{COOKIE}={olga.cookies[COOKIE]}", "sec-fetch-site": "none", "idempotency-key": key}
        answers.append(httpx2.post(f"{own.ask.url}/v1/cases/ico/conditions", json=body, headers=cookie))
    assert [each.status_code for each in answers] == [201, 201, 409]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].content == answers[1].content


def test_a_cookie_alone_changes_nothing(own: Office) -> None:
    headers = {"cookie": f"{COOKIE}={own.cookies['olga']}"}
    body = {"case": "ico", "title": "a concern", "reference": "letter"}
    answer = httpx2.post(f"{own.ask.url}/v1/cases", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "access-other-site")


def test_the_queue_comes_in_parts(own: Office) -> None:
    with as_(own, "sue") as (sue,), program(own.deployment, own.ask.url) as consentry:
        filed = [consentry.file_objection(find=f"link {n}", answer_to="a")["objection"] for n in range(5)]
        found, after = [], None
        while True:
            asked = {"limit": "2", **({} if after is None else {"after": after})}
            part = sue._get("/v1/objections", dict[str, Any], asked)
            found += [each["objection"] for each in part["objections"]]
            after = part["next"]
            # What is answered meanwhile leaves the queue and moves nothing of it.
            sue.objection_not_found(found[-1], text="We searched.")
            if after is None:
                break
        assert found == filed
        with refused("list-cursor"):
            sue._get("/v1/objections", dict[str, Any], {"after": "first"})


def test_a_key_of_a_program_approves_nothing(own: Office) -> None:
    own.deployment.control.cases.open("ico", title="a concern", reference="letter", by="olga")
    with program(own.deployment, own.ask.url) as consentry, refused("access-denied"):
        consentry.approve_lifting("ico")


def test_an_objection_is_filed_answered_and_its_receipt_read_back(own: Office) -> None:
    with as_(own, "sue", "audrey") as (sue, audrey), program(own.deployment, own.ask.url) as consentry:
        filed = consentry.file_objection(find="https://network.example/us", answer_to="us@example.org", reason="mine")
        (heard,) = own.events(ObjectionReceived)
        assert isinstance(heard, ObjectionReceived)
        assert heard.by is not None
        assert heard.by.startswith("key-")
        name = filed["objection"]
        assert own.visitor().get(f"/object/follow/{filed['link']}").status_code == 200
        assert [each["objection"] for each in sue.objections()] == [name]
        assert list(sue.objections(overdue=True)) == list(sue.objections(mine=True)) == []
        with refused("access-denied"):
            list(audrey.objections())
        whole = sue.objection(name[:8])
        assert whole["course"][0]["words"]["reason"] == "mine"
        assert sue.take_objection(name)["by"] == "sue"
        assert len(list(sue.objections(mine=True))) == 1
        assert sue.ask_objector(name, text="Which account?")["state"] == "asked"
        assert sue.extend_objection(name, months=1, text="There are many.")["extended"] == 1
        sue.note_objection(name, text="It is theirs.")
        with refused("objection-person-unknown"):
            sue.match_person(name, "nobody-at-all")
        assert consentry.may("us", purpose="train-genai", category="post", visibility="public")
        assert sue.match_person(name, "us", reply="Found.")["state"] == "matched"
        assert not consentry.may("us", purpose="train-genai", category="post", visibility="public")
        with refused("objection-answered"):
            sue.objection_not_found(name, text="We looked.")
        assert sue.match_items(name, ["b1"], corpus="network")["items"] == 1
        assert len(list(sue.objections("matched", "declined"))) == 1
        receipt = consentry.receipt_of_objection(name)
        assert json.loads(receipt)["receipt"]["about"]["objection"] == name
        assert consentry.receipt(filed["position"]) == receipt
        assert "your objection was received" in consentry.receipt_text(filed["position"])
        with refused("receipt-nothing"):
            consentry.receipt(0)


def test_objections_are_declined_or_not_found(own: Office) -> None:
    with as_(own, "olga") as (olga,), program(own.deployment, own.ask.url) as consentry:
        names = [consentry.file_objection(find=f"link {n}", answer_to="a")["objection"] for n in range(2)]
        declined = olga.decline_objection(names[0], ground="manifestly-unfounded", text="It is advertising.")
        assert (declined["state"], declined["ground"]) == ("declined", "manifestly-unfounded")
        assert olga.objection_not_found(names[1], text="We searched for it.")["state"] == "not-found"
        assert list(olga.objections()) == []


def test_what_a_person_said_is_read_back_with_its_receipt(own: Office) -> None:
    with program(own.deployment, own.ask.url) as consentry:
        said = {"person": "us", "purpose": "train-genai", "state": "refused", "categories": ["post"]}
        (position,) = consentry.record_choices([said])["positions"]
        found = consentry.choices_of("us")
        assert found["erased"] is False
        (choice,) = found["choices"]
        assert {name: choice[name] for name in ("purpose", "category", "state", "position")} == {
            "purpose": "train-genai",
            "category": "post",
            "state": "refused",
            "position": position,
        }
        assert consentry.choices_of("never-heard-of") == {"choices": [], "erased": False}
        whole, closed = consentry.receipt(position), consentry.receipt(position, opening=False)
        key = published_key(own.deployment.settings.home)
        assert key is not None
        assert check_receipt(whole, public_key=key).about["state"] == "refused"
        assert check_receipt(closed, public_key=key).opening is None
        assert "you refused: train-genai" in consentry.receipt_text(position)


def test_a_policy_set_is_checked_proposed_and_in_force_after_two(own: Office) -> None:
    with as_(own, "olga", "paul", "mel") as (olga, paul, mel):
        wrong = olga.check_policy("name = 1\n")["problems"]
        assert wrong[0]["line"] == 1
        looked = olga.check_policy(CHANGED)
        assert (looked["problems"], looked["failing"], looked["name"]) == ([], [], POLICY)
        eligible = there(looked["effects"][0]["eligible"])
        assert eligible["before"] == eligible["after"]
        first = olga.propose_policy(CHANGED, reason="newer")
        with refused("proposal-same"):
            olga.propose_policy(CHANGED, reason="again")
        name = first["proposal"]
        assert any("version" in line for line in there(olga.policy_proposal(name)["differences"]))
        assert olga.approve_policy(name)["approved"] == ["olga"]
        with refused("proposal-approved-already"):
            olga.approve_policy(name)
        with refused("access-denied"):
            mel.approve_policy(name)
        assert paul.approve_policy(name)["ended"] == "published"
        other = olga.propose_policy(CHANGED.replace("new-", "other-", 1), reason="other")["proposal"]
        assert paul.withdraw_proposal(other)["ended"] == "withdrawn"
        assert [each["ended"] for each in mel.policy_proposals()] == ["published", "withdrawn"]
        before, after = (each["position"] for each in mel.policy_versions(POLICY))
        assert any("version" in line for line in mel.policy_differences(POLICY, before=before, after=after))
        assert mel.policy_set(POLICY)["text"] == CHANGED
        assert [each["name"] for each in mel.policy_sets()] == [POLICY]
        with refused("policy-not-published"):
            mel.policy_differences(POLICY, before=before, after=99_999)


def test_an_affected_model_is_remedied_by_two_or_withdrawn(own: Office) -> None:
    with as_(own, "olga", "petra") as (olga, petra):
        own.deployment.control.models.register("drafts", releases=[own.release])
        with refused("model-not-now"):
            olga.choose_remedy("drafts", "retrain")
        olga.withdraw_release(own.release, reason="a mistake")
        with refused("release-already-withdrawn"):
            olga.withdraw_release(own.release, reason="a mistake")
        assert there(olga.release(own.release)["withdrawn"])["reason"] == "a mistake"
        assert own.events(ReleaseWithdrawn) == [ReleaseWithdrawn(release=own.release, reason="a mistake", by="olga")]
        with refused("model-reason-missing"):
            olga.choose_remedy("drafts", "accept")
        assert there(olga.choose_remedy("drafts", "accept", reason="small")["remedy"])["by"] == "olga"
        olga.approve_remedy("drafts")
        with refused("model-approvals-missing"):
            olga.finish_remedy("drafts")
        assert there(petra.approve_remedy("drafts")["remedy"])["approved"] == ["olga", "petra"]
        assert petra.finish_remedy("drafts")["stage"] == "remedied"
        assert olga.model("drafts")["stage"] == "remedied"
        olga.withdraw_model("drafts", reason="nobody needs it")
        assert not petra.may_serve("drafts")["may"]


def test_a_release_is_planned_built_explained_and_compared(own: Office) -> None:
    with program(own.deployment, own.ask.url) as consentry:
        plan = consentry.plan_release("network", policy=POLICY)
        assert plan["counts"]["items"] == 4
        without = consentry.plan_release("network", policy=POLICY, suspended=["US"])
        assert without["counts"]["eligible"] < plan["counts"]["eligible"]
        consentry.record_choices([{"person": "us", "purpose": "train-genai", "state": "refused"}])
        built = consentry.build_release("network", policy=POLICY)
        assert built["counts"]["items"] == 4
        assert {each["release"] for each in consentry.releases()} == {own.release, built["release"]}
        found = consentry.explain(built["release"], "u1")
        assert (found["allowed"], found["agrees_with_bitmap"]) == (False, True)
        assert found["reasons"][0]["reason"] == "refused"
        moved = consentry.compare_releases(own.release, built["release"])
        assert {"from": "eligible", "to": "refused", "items": 1} in moved["moves"]
        assert moved["counts"]["by_reason"]["refused"] == {"before": 0, "after": 1}
        eligible = [each["after"]["eligible"] for each in moved["counts"]["by_place"].values()]
        assert sum(eligible) == moved["after"]["eligible"]
        with refused("item-unknown"):
            consentry.explain(built["release"], "nothing")
        with refused("corpus-unknown"):
            consentry.build_release("nowhere", policy=POLICY)
        with refused("access-denied"):
            consentry.withdraw_release(built["release"], reason="no")


def test_one_release_is_built_at_a_time(own: Office) -> None:
    with program(own.deployment, own.ask.url) as consentry, BUILDING:
        with refused("release-building"):
            consentry.build_release("network", policy=POLICY)
        assert consentry.ready()["status"] == "ready"


def test_a_notice_is_written_in_versions_and_served(own: Office) -> None:
    with as_(own, "olga") as (olga,):
        told = {"languages": ["en"], "channel": "e-mail", "audience": "all"}
        for text in ("We use…", "We use more…"):
            olga.write_notice("told", text=text, **told)
        assert [olga.notice_text("told", number)["text"] for number in (1, 2)] == ["We use…", "We use more…"]
        position = olga.serve_notice("told", ["us", "gb"], at=int(time.time()))["position"]
        assert [each["people"] for each in olga.notice("told")["servings"]] == [2]
        assert olga.notice("told")["servings"][0]["position"] == position
        assert [each["notice"] for each in olga.notices()] == ["told"]
        with refused("notice-time-to-come"):
            olga.serve_notice("told", ["us"], at=int(time.time()) + 86_400)


def test_uses_are_decided_together(own: Office) -> None:
    with program(own.deployment, own.ask.url) as consentry:
        content = {"category": "post", "visibility": "public"}
        resource = {"type": "content", "id": "new", "properties": content}
        shared = {"action": {"name": "train-genai"}, "resource": resource}
        people = [{"subject": {"type": "person", "id": each}} for each in ("us", "gb", "nobody-knows")]
        found = consentry.evaluate_all({**shared, "evaluations": people})["evaluations"]
        assert [each["decision"] for each in found] == [True, True, False]
        assert consentry.evaluate({**shared, **people[0]})["decision"] is True
        assert consentry.version()["version"]
