"""A case is lifted only when everybody was told whose content comes back, but for those who said no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.errors import ConsentryError
from consentry.ledger.events import PolicyPublished
from consentry.ledger.oversight_events import Origin
from consentry.oversight.condition_check import Answer
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.policy_set import OUT_OF_FORCE
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from end_to_end.case_steps import CASE, agree_to_lift, condition, later, suspend
from end_to_end.network import RawItem, RawPerson, populated, write_corpus, write_people
from end_to_end.suspended_network import POLICY, UK
from end_to_end.telling import told_then
from end_to_end.test_story import eligible, say

PEOPLE = (
    RawPerson(id="us"),
    RawPerson(id="gb", country="GB"),
    RawPerson(id="gb-2", country="GB"),
    RawPerson(id="gb-minor", country="GB", age="minor"),
    RawPerson(id="gb-left", country="GB", account="closed"),
    RawPerson(id="br", country="BR"),
)
ITEMS = tuple(RawItem(id=f"{each.id}-1", author=each.id) for each in PEOPLE)
DAYS = 30
WAITS = "november-2025"
"""A set that uses nothing before thirty days after its notice, `genai-2025`."""


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS], PEOPLE) as started:
        yield started


def publish(deployment: Deployment, *names: str) -> None:
    for name in names or (POLICY,):
        deployment.control.statements.publish(shipped()[name], name)


def approved(deployment: Deployment, scope: Scope = UK, *, notice: str = "n-1") -> None:
    suspend(deployment, scope)
    agree_to_lift(deployment, notice=notice, days=DAYS)


def serve(deployment: Deployment, *people: str, notice: str = "n-1") -> None:
    told_then(deployment, notice, [deployment.person(each) for each in people], at=now())


def waited_after_telling(deployment: Deployment, *people: str, scope: Scope = UK) -> None:
    """Bring the case to where its days are over; what it needs beside is that nobody was left out."""
    approved(deployment, scope)
    serve(deployment, *people)
    later(deployment, days=31)


def in_the_way(deployment: Deployment) -> list[str]:
    found = deployment.control.cases.lift(CASE, by="ann", reference="x")
    shown = deployment.control.cases.register_of(CASE)[2]
    if found:
        assert [each.text for each in found] == [each.text for each in shown]
    return [each.text for each in found]


def missed(number: int, *, notice: str = "n-1") -> str:
    people = "person" if number == 1 else "people"
    return f"notice `{notice}` did not reach {number} {people} whose content would be used again"


def test_who_was_not_told_stands_in_the_way_and_the_days_count_from_when_the_last_were(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    publish(deployment)
    approved(deployment)
    serve(deployment, "gb", "us")
    assert in_the_way(deployment) == [missed(1), "30 days left to wait after notice `n-1`"]
    later(deployment, days=31)
    assert in_the_way(deployment) == [missed(1)]
    serve(deployment, "gb-2")
    assert in_the_way(deployment) == []
    assert set(deployment.control.cases.get(CASE).served) == {"n-1"}, "what people were told stays on record"


def test_who_said_no_is_not_asked_again_and_holds_up_nothing(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "gb")
    say(deployment, "gb-2", categories=frozenset({Category.IMAGE}))
    assert in_the_way(deployment) == [missed(1)]  # of a part only: they can still be told about the rest
    say(deployment, "gb-2", reach=Reach.FUTURE)
    assert in_the_way(deployment) == []


def test_who_refused_one_use_of_several_has_to_be_told_about_the_rest(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "gb")
    say(deployment, "gb-2", purpose=Purpose.TRAIN_GENAI_IMAGE)
    assert in_the_way(deployment) == [missed(1)]
    told, _ = deployment.control.notices.audience(["gb", "gb-2"], purpose=Purpose.TRAIN_GENAI)
    assert told == ["gb", "gb-2"]


def test_who_took_a_refusal_back_meanwhile_has_to_be_told(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    say(deployment, "gb-2", at=now() - 10)
    waited_after_telling(deployment, "gb")
    say(deployment, "gb-2", ChoiceState.UNSET, at=now())
    assert in_the_way(deployment) == [missed(1)]


def test_who_joins_while_people_wait_has_to_be_told(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "gb", "gb-2")
    joined = write_people(folder / "more", (*PEOPLE, RawPerson(id="gb-3", country="GB")))
    deployment.control.statements.load_people(joined)
    assert in_the_way(deployment) == [missed(1)]
    deployment.control.statements.erase([deployment.person("gb-3")])
    assert in_the_way(deployment) == []


def test_one_account_that_was_told_is_a_person_that_was_told(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "gb")
    assert in_the_way(deployment) == [missed(1)]
    deployment.control.statements.link(deployment.person("gb"), deployment.person("gb-2"))
    assert in_the_way(deployment) == []


def test_a_policy_that_waits_for_the_notice_itself_leaves_nobody_out(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment, WAITS)
    approved(deployment, notice="genai-2025")
    serve(deployment, "gb", notice="genai-2025")
    later(deployment, days=31)
    assert in_the_way(deployment) == []
    made = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=WAITS)
    assert eligible(deployment, made.manifest.release) == {"us-1", "gb-1", "br-1"}


def test_only_what_comes_back_counts(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "us", scope=replace(UK, categories=frozenset({Category.DIRECT_MESSAGE})))
    assert in_the_way(deployment) == []  # no direct message is let through, whoever wrote it


def test_what_another_order_still_holds_does_not_come_back(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "us")
    assert in_the_way(deployment) == [missed(2)]
    deployment.control.orders.suspend(UK, case="other", origin=Origin.OWN_DECISION, reference="x")
    assert in_the_way(deployment) == []


def test_an_order_about_one_model_concerns_the_same_people(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    deployment.control.models.register("drafts")
    waited_after_telling(deployment, "us", scope=replace(UK, models=frozenset({"drafts"})))
    assert in_the_way(deployment) == [missed(2)]


def test_what_was_served_before_the_approval_told_nobody(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    serve(deployment, "gb", "gb-2")
    approved(deployment)
    later(deployment, days=31)
    assert in_the_way(deployment) == ["notice `n-1` was not served since lifting was approved"]
    serve(deployment, "gb")
    assert in_the_way(deployment) == [missed(1)]


def test_a_text_written_after_the_approval_takes_it_back(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    waited_after_telling(deployment, "gb", "gb-2")
    deployment.control.notices.write("n-1", b"other words", languages=["en"], channel="in-app", audience="all")
    assert in_the_way(deployment) == [
        "2 of 2 approvals missing",
        "notice `n-1` was not served since lifting was approved",
    ]


def test_who_was_told_before_and_only_waits_has_to_be_told_what_was_approved(place: tuple[Path, Deployment]) -> None:
    """The policy waits thirty days after its notice; they are not over when the case is lifted."""
    _, deployment = place
    publish(deployment, WAITS)
    serve(deployment, "gb", "gb-2", notice="genai-2025")
    suspend(deployment)
    agree_to_lift(deployment, notice="genai-2025", days=0)
    serve(deployment, "us", notice="genai-2025")
    assert in_the_way(deployment) == [missed(2, notice="genai-2025")]
    serve(deployment, "gb", "gb-2", notice="genai-2025")
    assert in_the_way(deployment) == []


def test_an_earlier_telling_that_is_recorded_later_told_nobody(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    publish(deployment)
    approved(deployment)
    people = [deployment.person(each) for each in ("gb", "gb-2")]
    told_then(deployment, "n-1", people, at=now() - 400 * 86_400)
    later(deployment, days=31)
    assert in_the_way(deployment) == ["notice `n-1` was not served since lifting was approved"]
    serve(deployment, "us")
    assert in_the_way(deployment) == [missed(2)]


def suspend_until_it_waits(deployment: Deployment, scope: Scope = UK) -> None:
    """Suspend, on the condition that the set which waits thirty days after its notice goes on doing so."""
    suspend(deployment, scope)
    deployment.control.conditions.add(condition("window", "30", check="waiting-days", policy=WAITS))


def test_a_set_that_a_build_could_name_has_to_meet_the_conditions_as_well(place: tuple[Path, Deployment]) -> None:
    """The set that a condition names waits thirty days; the one in force beside it never did."""
    _, deployment = place
    control = deployment.control
    publish(deployment, POLICY, WAITS)
    suspend_until_it_waits(deployment)
    answer = control.cases.register_of(CASE)[3]["window"]
    assert not answer.met
    assert answer.found.startswith(f"{POLICY} 2024-08.2, in force as well, lets ")
    (open_,) = [each for each in control.cases.lift(CASE, by="ann", reference="x") if each.kind == "condition"]
    assert open_.text.endswith("less than 30 days after every notice: replace or withdraw it")
    assert control.statements.withdraw(POLICY)
    assert control.cases.register_of(CASE)[3]["window"].met
    agree_to_lift(deployment, notice="genai-2025", days=DAYS)
    serve(deployment, "gb", notice="genai-2025")
    later(deployment, days=31)
    # Who joins now was never told, and waits for the notice, whichever set a build names.
    joined = (*PEOPLE, RawPerson(id="gb-3", country="GB"))
    control.statements.load_people(write_people(place[0] / "people", joined))
    control.statements.register_corpus(write_corpus(place[0], [(*ITEMS, RawItem(id="gb-3-1", author="gb-3"))]))
    assert in_the_way(deployment) == []
    assert used(deployment, WAITS) == {"us-1", "gb-1", "br-1"}
    assert used(deployment, POLICY) == set()


def used(deployment: Deployment, policy: str) -> set[str]:
    made = deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=policy)
    return eligible(deployment, made.manifest.release)


def test_a_set_can_also_be_replaced_under_its_name_and_on_the_pages_by_two(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    publish(deployment, POLICY, WAITS)
    suspend_until_it_waits(deployment)
    assert not control.cases.register_of(CASE)[3]["window"].met
    waits = shipped()[WAITS].replace(f'name = "{WAITS}"', f'name = "{POLICY}"')
    control.statements.publish(waits, POLICY)
    assert control.cases.register_of(CASE)[3]["window"].found.endswith(f"and neither does {POLICY} 2025-11-03.3")
    publish(deployment)
    assert not control.cases.register_of(CASE)[3]["window"].met
    proposal = control.proposals.propose(OUT_OF_FORCE.format(name=POLICY), reason="no longer used", by="ann").proposal
    control.proposals.approve(proposal, by="ann")
    assert not control.cases.register_of(CASE)[3]["window"].met
    control.proposals.approve(proposal, by="bob")
    assert control.cases.register_of(CASE)[3]["window"].met
    for code, name in (("policy-withdrawn", POLICY), ("policy-not-published", "unheard-of")):
        with pytest.raises(ConsentryError) as caught:
            control.statements.withdraw(name)
        assert caught.value.code == code
    # Pages of members go by the set that still decides.
    assert [each["name"] for each in public_view(deployment)["policies"]] == [WAITS]


def public_view(deployment: Deployment) -> dict[str, Any]:
    return deployment.control.public_view.document()


def test_a_set_about_another_use_or_that_permits_nothing_there_holds_up_nothing(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    publish(deployment, WAITS, "september-2024")
    serving = shipped()[POLICY].partition("[[example]]")[0].replace('["train-genai"]', '["serve"]')
    deployment.control.statements.publish(serving, POLICY)
    suspend_until_it_waits(deployment, replace(UK, purposes=frozenset({Purpose.TRAIN_GENAI})))
    answer = deployment.control.cases.register_of(CASE)[3]["window"]
    assert answer.met, answer.found
    assert answer.found.endswith("and neither does september-2024 2024-09-18.2")


def test_a_set_in_force_that_cannot_be_read_meets_nothing_until_it_is_withdrawn(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    publish(deployment, WAITS)
    suspend_until_it_waits(deployment)
    assert control.cases.register_of(CASE)[3]["window"].met
    document = control.desk.parts.objects.put(b"of another version")
    control.desk.parts.ledger.append([PolicyPublished(name="newer", version="1", digest=document)])
    answer = control.cases.register_of(CASE)[3]["window"]
    assert answer == Answer(met=False, found="newer is in force and cannot be read: replace or withdraw it")
    control.statements.withdraw("newer")
    assert control.cases.register_of(CASE)[3]["window"].met
