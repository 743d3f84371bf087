"""What staff and programs do over the interface, with the Python client: each in their own name, against a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2

from consentry.bootstrap import published_key
from consentry.client.staff_answers import Objection
from consentry.ledger.objection_events import ObjectionReceived
from consentry.ledger.release_events import ReleaseWithdrawn
from consentry.service.api.builds import BUILDING
from consentry.service.gate import COOKIE
from consentry.transparency.receipt import check_receipt
from service.at_work import CHANGED, POLICY
from service.clients import as_, program, refused, there
from service.staff import Office


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


def test_all_that_say_the_same_are_answered_at_once(own: Office) -> None:
    with program(own.deployment, own.ask.url) as consentry, as_(own, "olga") as (olga,):
        verbs: dict[str, Callable[[str], Objection]] = {
            "declined": lambda name: olga.decline_objection(name, ground="manifestly-unfounded", text="no", alike=True),
            "not-found": lambda name: olga.objection_not_found(name, text="we looked", alike=True),
            "matched": lambda name: olga.match_items(name, ["g1"], corpus="network", alike=True),
        }
        for state, answer in verbs.items():
            names = [consentry.file_objection(find=state, answer_to="a")["objection"] for _ in range(3)]
            assert answer(names[1])["state"] == state
            assert {olga.objection(name)["state"] for name in names} == {state}
        names = [consentry.file_objection(find="me", answer_to="a")["objection"] for _ in range(2)]
        olga.match_person(names[0], "gb", alike=True)
        assert olga.objection(names[1])["people"] == 1


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
