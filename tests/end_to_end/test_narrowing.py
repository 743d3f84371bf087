"""An order is narrowed on what lifting would need, for what it gives back, and only to something smaller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.errors import ConsentryError
from consentry.oversight.case import CaseStanding
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Visibility
from end_to_end.case_steps import CASE, WITHOUT_UK, condition, in_the_way, later, narrow, refused, suspend
from end_to_end.suspended_network import EVERYTHING, UK, build
from end_to_end.suspended_network import place as place  # noqa: PLC0414 - a fixture
from end_to_end.test_story import eligible


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
    assert control.cases.register_of(CASE)[1] is CaseStanding.NARROWED
    assert eligible(deployment, build(deployment)) == EVERYTHING
    assert in_the_way(deployment) == ["approval", "notice"], "what is left is lifted on approvals of its own"


def test_whom_a_smaller_order_still_covers_need_not_be_told(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    suspend(deployment, Scope(areas=frozenset({"UK", "BR"})))
    assert narrow(deployment, Scope(areas=frozenset({"BR"})), told=["gb"]).done
    assert eligible(deployment, build(deployment)) == {"u1", "g1", "g2"}


def test_a_narrowed_case_stands_so_everywhere_until_the_rest_is_approved(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    suspend(deployment, Scope(areas=frozenset({"UK", "BR"})))
    control.reports.schedule(CASE, "five-months", title="What was done", due=2_000_000_000, by="ann")
    assert narrow(deployment, UK, told=["br"]).done

    def stands() -> set[str]:
        return {
            str(control.cases.register_of(CASE)[1]),
            control.authority_view.case(CASE, frozenset({"UK", "BR"}))["standing"],
            control.reports.generate(CASE, "five-months")["case"]["standing"],
        }

    assert stands() == {"narrowed"}
    for by, then in (("ann", "narrowed"), ("bob", "approved")):
        assert control.cases.approve(CASE, by=by) == ()
        assert stands() == {then}
    control.notices.serve("n-1", [deployment.person("gb")], at=now())
    assert in_the_way(deployment) == []


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
