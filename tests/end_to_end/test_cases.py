"""A case from the concern to its end, at the gate: what is given back, when, and on whose word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Thread

from consentry.bootstrap import Deployment, open_deployment
from consentry.control_plane import newest_word
from consentry.errors import ConsentryError
from consentry.ledger.oversight_events import OrderEnd
from consentry.oversight.case import CaseStanding
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category
from end_to_end.case_steps import CASE, WITHOUT_UK, condition, in_the_way, later, ready, refused, suspend
from end_to_end.suspended_network import EVERYTHING, UK, build
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import eligible


def test_use_goes_on_only_when_everything_is_done_and_every_refusal_says_what_is_not(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment)
    control.conditions.add(condition("window"))
    control.conditions.add(condition("minors", check="no-minors"))
    assert in_the_way(deployment) == ["review", "condition", "approval", "notice"]
    assert [each.kind for each in control.cases.approve(CASE, by="ann")] == ["review", "condition"]
    control.conditions.meet(CASE, "window", evidence=b"thirty days", by="bob")
    ready(deployment)
    assert in_the_way(deployment) == ["waiting"]
    assert control.cases.register_of(CASE)[1] is CaseStanding.WAITING
    later(deployment, days=29)
    assert in_the_way(deployment) == ["waiting"]
    assert eligible(deployment, build(deployment)) == WITHOUT_UK
    later(deployment, days=31)
    assert control.cases.register_of(CASE)[1] is CaseStanding.READY
    assert in_the_way(deployment) == []
    assert eligible(deployment, build(deployment)) == EVERYTHING
    over = control.cases.get(CASE).over
    assert over is not None
    assert over.by == ("ann", "bob")
    assert over.found[1].startswith("minors: august-2024 2024-08.2 lets nothing of it through")
    kinds = [each["kind"] for each in control.cases.timeline(CASE)]
    assert kinds == [
        "case.opened",
        "order.issued",
        "order.drained",
        "condition.added",
        "condition.added",
        "condition.met",
        "case.review-begun",
        "case.notice-required",
        "approval.given",
        "approval.given",
        "notice.served",
        "order.ended",
        "case.ended",
    ]


def test_two_who_lift_at_a_time_lift_once(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    suspend(deployment)
    ready(deployment)
    other = open_deployment(folder / "home")
    results: list[object] = []

    def lift(one: Deployment) -> None:
        try:
            results.append(one.control.cases.lift(CASE, by="ann", reference="x"))
        except ConsentryError as error:
            results.append(error.code)

    later(deployment, days=31)
    later(other, days=31)
    threads = [Thread(target=lift, args=(one,)) for one in (deployment, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(map(str, results)) == ["()", "case-over"]
    ends = [event for event in deployment.ledger.read() if event.kind in ("order.ended", "case.ended")]
    assert len(ends) == 2


def test_what_is_over_stays_over(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment)
    ready(deployment)
    later(deployment, days=31)
    assert in_the_way(deployment) == []
    refused("case-over", lambda: control.cases.lift(CASE, by="ann", reference="x"))
    refused("case-over", lambda: control.cases.approve(CASE, by="cy"))
    refused("case-over", lambda: control.cases.prohibit(CASE, by="cy", reference="x"))
    refused("case-over", lambda: suspend(deployment))
    suspend(deployment, case="another")
    assert eligible(deployment, build(deployment)) == WITHOUT_UK


def test_nothing_leaves_prohibited_and_it_may_still_grow(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    suspend(deployment)
    ready(deployment)
    control.cases.prohibit(CASE, by="ann", reference="decision of 3 May")
    later(deployment, days=31)
    for leave in (
        lambda: control.cases.lift(CASE, by="ann", reference="x"),
        lambda: control.cases.withdraw(CASE, by="ann", reference="x"),
        lambda: control.cases.narrow(CASE, replace(UK, categories=frozenset({Category.POST})), by="ann", reference="x"),
    ):
        refused("case-over", leave)
    suspend(deployment, Scope(areas=frozenset({"BR"})))
    deployment.close()
    again = open_deployment(folder / "home")
    assert eligible(again, build(again)) == {"u1"}
    assert again.control.cases.register_of(CASE)[1] is CaseStanding.PROHIBITED
    again.close()


def test_withdrawing_takes_two_people(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment)
    assert not control.cases.withdraw(CASE, by="ann", reference="x").done
    refused("case-approved-already", lambda: control.cases.withdraw(CASE, by="ann", reference="x"))
    assert eligible(deployment, build(deployment)) == WITHOUT_UK
    suspend(deployment)  # a change: what ann said was about less
    assert not control.cases.withdraw(CASE, by="bob", reference="x").done
    assert control.cases.withdraw(CASE, by="ann", reference="x").done
    assert eligible(deployment, build(deployment)) == EVERYTHING
    assert [order.ended.how for order in control.orders.every() if order.ended] == [OrderEnd.WITHDRAWN] * 2


def test_of_contradictory_orders_the_union_holds_and_each_case_gives_back_only_its_own(
    place: tuple[Path, Deployment],
) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment)
    suspend(deployment, Scope(areas=frozenset({"UK", "BR"})), case="other")
    suspend(deployment, Scope(areas=frozenset({"UK"}), categories=frozenset({Category.IMAGE})), case="images")
    assert eligible(deployment, build(deployment)) == {"u1"}
    for by in ("ann", "bob"):
        control.cases.withdraw("other", by=by, reference="x")
    assert eligible(deployment, build(deployment)) == WITHOUT_UK
    for by in ("ann", "bob"):
        control.cases.withdraw(CASE, by=by, reference="x")
    assert eligible(deployment, build(deployment)) == EVERYTHING


def test_bad_input_is_refused_and_says_why(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    opened = control.cases.open(CASE, title="UK posts", reference="letter", by="ann")
    assert (opened.by, control.cases.register_of(CASE)[1]) == ("ann", CaseStanding.CONCERN_RAISED)
    head = deployment.ledger.head()
    refused("case-known", lambda: control.cases.open(CASE, title="x", reference="x", by="ann"))
    refused("case-name", lambda: control.cases.open("UK posts", title="x", reference="x", by="ann"))
    refused("case-name", lambda: control.cases.open("x" * 101, title="x", reference="x", by="ann"))
    refused("case-handle", lambda: control.cases.open("c", title="x", reference="x", by="ann@example.org"))
    refused("case-handle", lambda: control.cases.open("c", title="x", reference="x", by="x" * 101))
    refused("case-text", lambda: control.cases.open("c", title="", reference="x", by="ann"))
    refused("case-text", lambda: control.cases.open("c", title="x", reference="a\nb", by="ann"))
    refused("case-text", lambda: control.cases.prohibit(CASE, by="ann", reference="x" * 201))
    refused("case-unknown", lambda: control.cases.approve("nobody-knows", by="ann"))
    refused("case-condition-unknown", lambda: control.conditions.meet(CASE, "x", evidence=b"x", by="ann"))
    refused("case-condition-unknown", lambda: control.conditions.reopen(CASE, "x", reason="y", by="ann"))
    refused("case-condition-name", lambda: control.conditions.add(condition("No Minors")))
    refused("case-condition-undated", lambda: control.conditions.add(replace(condition("x"), due=None)))
    refused("case-check-unknown", lambda: control.conditions.add(condition("x", check="no-miners")))
    refused("case-check-policy", lambda: control.conditions.add(condition("x", check="no-minors", policy=None)))
    refused("case-notice", lambda: control.cases.require_notice(CASE, "n-1", days=-1, by="ann"))
    refused("case-nothing-suspended", lambda: control.cases.narrow(CASE, UK, by="ann", reference="x"))
    assert deployment.ledger.head() == head
    control.conditions.add(condition("minors", check="no-minors"))
    refused("case-condition-known", lambda: control.conditions.add(condition("minors")))
    refused("case-condition-checked", lambda: control.conditions.meet(CASE, "minors", evidence=b"x", by="ann"))
    control.conditions.add(condition("window"))
    refused("case-evidence-empty", lambda: control.conditions.meet(CASE, "window", evidence=b"", by="ann"))
    suspend(deployment)
    control.cases.begin_review(CASE, by="ann")
    control.conditions.meet(CASE, "window", evidence=b"x", by="ann")
    assert control.cases.approve(CASE, by="ann") == ()
    refused("case-approved-already", lambda: control.cases.approve(CASE, by="ann"))


def test_the_first_and_the_last_word_about_a_case_are_noted_outside_of_the_ledger(
    place: tuple[Path, Deployment],
) -> None:
    deployment = place[1]
    home = deployment.settings.home
    deployment.control.cases.open("other", title="a concern", reference="letter", by="ann")
    assert newest_word.position(home) == deployment.ledger.head() - 1
    suspend(deployment)
    ready(deployment)
    later(deployment, days=31)
    assert in_the_way(deployment) == []
    assert newest_word.position(home) == deployment.ledger.head() - 1
