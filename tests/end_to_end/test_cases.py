"""A case from the concern to its end, at the gate: what is given back, when, and on whose word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.clock import now
from consentry.control_plane.agreement import Agreed
from consentry.errors import ConsentryError
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.case import CaseStanding
from consentry.oversight.condition_check import Answer, System, run
from consentry.oversight.objection_form import Form
from consentry.oversight.order import Scope
from consentry.policy.expressions import SECONDS_PER_DAY
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Visibility
from consentry.service.server import serving
from end_to_end.network import fresh, write_corpus, write_people
from end_to_end.test_story import eligible
from end_to_end.test_suspending import EVERYTHING, ITEMS, PEOPLE, POLICY, UK, build

CASE = "ico-2024"
WITHOUT_UK = {"u1", "b1", "n1"}


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:3], ITEMS[3:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def suspend(deployment: Deployment, scope: Scope = UK, *, case: str = CASE) -> str:
    order = deployment.control.orders.suspend(scope, case=case, origin=Origin.AUTHORITY_REQUEST, reference="letter")
    return order.order


def condition(name: str, *parameters: str, check: str | None = None, policy: str | None = POLICY) -> ConditionAdded:
    return ConditionAdded(
        case=CASE,
        condition=name,
        title=f"title of {name}",
        owner="ann",
        due=None,
        check=check,
        policy=policy if check else None,
        parameters=parameters,
        by="ann",
    )


def later(deployment: Deployment, *, days: int) -> None:
    """Let the clock of decisions be ahead; what is recorded is recorded now."""
    clock = now() + days * SECONDS_PER_DAY
    deployment.control.desk.parts = replace(deployment.control.desk.parts, clock=lambda: clock)


def in_the_way(deployment: Deployment) -> list[str]:
    return [each.kind for each in deployment.control.cases.lift(CASE, by="ann", reference="x")]


def ready(deployment: Deployment) -> None:
    """Bring the case to where only the days are missing."""
    control = deployment.control
    control.cases.begin_review(CASE, by="ann")
    control.cases.require_notice(CASE, "n-1", days=30, by="ann")
    assert control.cases.approve(CASE, by="ann") == ()
    assert control.cases.approve(CASE, by="bob") == ()
    control.notices.serve("n-1", [deployment.person("gb")], at=now())


def narrow(
    deployment: Deployment,
    scope: Scope,
    *,
    told: Sequence[str],
    case: str = CASE,
    by: tuple[str, str] = ("ann", "bob"),
    reference: str = "x",
) -> Agreed:
    """Narrow a case by everything that this takes, and return what came of it."""
    cases, (first, second) = deployment.control.cases, by
    cases.begin_review(case, by=first)
    cases.require_notice(case, "n-1", days=0, by=first)
    for handle in (first, second):
        assert not cases.narrow(case, scope, by=handle, reference=reference).done
    deployment.control.notices.serve("n-1", [deployment.person(each) for each in told], at=now())
    return cases.narrow(case, scope, by=second, reference=reference)


def refused(code: str, call: object) -> None:
    with pytest.raises(ConsentryError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.code == code


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
    asked = 0
    answers = deployment.control.conditions.answers

    def slow(case: object, *, form: Form | None) -> object:
        nonlocal asked
        asked += 1
        found = answers(case, form=form)  # type: ignore[arg-type]
        if asked == 1:
            deployment.control.statements.publish(shipped()[POLICY], POLICY)
        return found

    monkeypatch.setattr(deployment.control.conditions, "answers", slow)
    assert in_the_way(deployment) == []
    assert asked == 2


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


def test_narrowing_takes_two_people_who_say_the_same_and_leaves_no_gap(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment, Scope(areas=frozenset({"UK", "BR"})))
    assert eligible(deployment, build(deployment)) == {"u1"}
    only_brazil = Scope(areas=frozenset({"BR"}))
    control.cases.begin_review(CASE, by="ann")
    control.cases.require_notice(CASE, "n-1", days=0, by="ann")
    assert not control.cases.narrow(CASE, UK, by="ann", reference="x").done
    assert control.cases.narrow(CASE, only_brazil, by="bob", reference="x").in_the_way == ()
    agreed = control.cases.narrow(CASE, UK, by="bob", reference="x")
    assert (agreed.done, agreed.by, [each.kind for each in agreed.in_the_way]) == (False, ("ann", "bob"), ["notice"])
    assert eligible(deployment, build(deployment)) == {"u1"}
    control.notices.serve("n-1", [deployment.person("br")], at=now())
    done = control.cases.narrow(CASE, UK, by="ann", reference="x")
    assert (done.done, done.orders, done.by) == (True, (f"{CASE}.2",), ("ann", "bob"))
    assert eligible(deployment, build(deployment)) == WITHOUT_UK
    kinds = [event.kind for event in deployment.ledger.read() if event.kind.startswith(("order.", "case.narrowed"))]
    assert kinds.index("order.ended") == len(kinds) - 1 - kinds[::-1].index("order.issued") + 1
    assert control.cases.get(CASE).narrowed == 1


def test_what_a_narrowing_gives_back_needs_what_lifting_it_would_need(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    next_to_nothing = replace(UK, categories=frozenset({Category.POLL_ANSWER}))
    suspend(deployment, Scope(areas=frozenset({"UK", "BR"})))
    control.conditions.add(condition("window"))

    def say(by: str) -> list[str]:
        return [each.text for each in control.cases.narrow(CASE, next_to_nothing, by=by, reference="x").in_the_way]

    head = deployment.ledger.head()
    for _ in range(2):
        with pytest.raises(ConsentryError) as caught:
            say("ann")
        assert caught.value.code == "case-not-ready"
        missing = "condition `window` (title of window) is open: no evidence yet"
        assert caught.value.message == f"case `{CASE}` cannot be narrowed: the review has not begun; {missing}"
    assert deployment.ledger.head() == head, "nobody has agreed to anything"
    control.conditions.meet(CASE, "window", evidence=b"thirty days", by="bob")
    control.cases.begin_review(CASE, by="ann")
    assert say("ann") == [], "first another person has to say the same"
    refused("case-approved-already", lambda: say("ann"))
    assert say("bob") == ["no notice is required yet: people have to be told"]
    control.cases.require_notice(CASE, "n-1", days=30, by="ann")  # a change: they agreed to something else
    assert say("bob") == []
    assert say("ann") == say("ann") == ["notice `n-1` was not served since narrowing was approved"]
    control.notices.serve("n-1", [deployment.person("gb")], at=now())
    assert say("bob") == [
        "notice `n-1` did not reach 1 person whose content would be used again",
        "30 days left to wait after notice `n-1`",
    ]
    assert eligible(deployment, build(deployment)) == {"u1"}
    control.notices.serve("n-1", [deployment.person("br")], at=now())
    later(deployment, days=29)
    assert say("bob") == ["1 day left to wait after notice `n-1`"]
    assert in_the_way(deployment) == ["approval", "notice"], "nothing of it counts for lifting the case"
    later(deployment, days=31)
    assert say("bob") == []
    assert control.cases.get(CASE).narrowed == 1
    assert eligible(deployment, build(deployment)) == EVERYTHING
    assert in_the_way(deployment) == ["approval", "notice"], "what is left is lifted on approvals of its own"


def test_whom_a_smaller_order_still_covers_need_not_be_told(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    suspend(deployment, Scope(areas=frozenset({"UK", "BR"})))
    assert narrow(deployment, Scope(areas=frozenset({"BR"})), told=["gb"]).done
    assert eligible(deployment, build(deployment)) == {"u1", "g1", "g2"}


@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        UK,
        Scope(areas=frozenset({"UK", "CH"})),
        Scope(areas=frozenset({"IE"})),
        Scope(visibilities=frozenset({Visibility.PUBLIC})),
    ],
)
def test_what_is_not_smaller_narrows_nothing(place: tuple[Path, Deployment], scope: Scope) -> None:
    _, deployment = place
    suspend(deployment)
    head = deployment.ledger.head()
    refused("case-not-smaller", lambda: deployment.control.cases.narrow(CASE, scope, by="ann", reference="x"))
    assert deployment.ledger.head() == head


@pytest.mark.parametrize(
    ("areas", "smaller"),
    [({"EEA"}, {"EU"}), ({"EEA"}, {"DE", "IE"}), ({"UK"}, {"GB-SCT"}), (set(), {"UK"}), ({"EU", "UK"}, {"GB"})],
)
def test_groups_hold_their_members(place: tuple[Path, Deployment], areas: set[str], smaller: set[str]) -> None:
    _, deployment = place
    suspend(deployment, Scope(areas=frozenset(areas)))
    deployment.control.cases.begin_review(CASE, by="ann")
    scope = Scope(areas=frozenset(smaller))
    assert not deployment.control.cases.narrow(CASE, scope, by="ann", reference="x").done


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
