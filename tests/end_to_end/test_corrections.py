"""A requirement that was mistyped does not hold a case up for ever, and nobody makes one less by themselves unseen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consentry.bootstrap import Deployment
from consentry.clock import now
from consentry.ledger.case_events import ConditionTakenBack, NoticeCorrected, NoticeRequired
from consentry.ledger.oversight_events import Origin
from consentry.oversight.case import CaseStanding
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category
from end_to_end.case_steps import CASE, condition, in_the_way, narrow, refused, suspend
from end_to_end.case_steps import ready as told
from end_to_end.network import fresh, write_people
from end_to_end.suspended_network import PEOPLE, UK
from end_to_end.terminal import Terminal, ready, terminal
from end_to_end.test_case_commands import BY, REFERENCE, suspended

__all__ = ["ready", "suspended", "terminal"]
WHY = ["--reason", "a slip of the pen"]


@pytest.fixture
def place() -> Iterator[Deployment]:
    with fresh() as (folder, deployment):
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        suspend(deployment)
        yield deployment


def said(deployment: Deployment, kind: type[NoticeCorrected | ConditionTakenBack]) -> list[tuple[str, ...]]:
    return [each.body.by for each in deployment.ledger.read() if isinstance(each.body, kind)]


def test_a_mistyped_notice_is_taken_back_before_anybody_approved(place: Deployment) -> None:
    control = place.control
    control.cases.require_notice(CASE, "wrnog", days=30, by="ann")
    refused("case-text", lambda: control.corrections.notice(CASE, "wrnog", days=None, reason="", by="ann"))
    refused("case-handle", lambda: control.corrections.notice(CASE, "wrnog", days=None, reason="x", by="A. Nn"))
    assert control.corrections.notice(CASE, "wrnog", days=None, reason="mistyped", by="ann").done
    refused("case-notice-unknown", lambda: control.corrections.notice(CASE, "wrnog", days=None, reason="x", by="ann"))
    told(place)
    assert control.cases.register_of(CASE)[1] is CaseStanding.WAITING
    assert said(place, NoticeCorrected) == [("ann",)]


def test_a_number_of_days_that_nobody_lives_to_see_is_refused_and_an_old_one_corrected(place: Deployment) -> None:
    control = place.control
    refused("case-notice-days", lambda: control.cases.require_notice(CASE, "n-1", days=367, by="ann"))
    # As it was said before there was an upper bound.
    place.ledger.append([NoticeRequired(case=CASE, notice="n-1", days=36_500, by="ann")])
    told(place)
    (way,) = [each for each in control.cases.register_of(CASE)[2] if each.kind == "waiting"]
    assert "36500 days left" in way.text
    first = control.corrections.notice(CASE, "n-1", days=0, reason="mistyped", by="ann")
    assert (first.by, first.done) == (("ann",), False)
    assert control.cases.get(CASE).notices == {"n-1": 36_500}, "what one person says alone changes nothing"
    refused(
        "case-approved-already",
        lambda: control.corrections.notice(CASE, "n-1", days=0, reason="mistyped", by="ann"),
    )
    for days, reason in ((1, "mistyped"), (0, "another reason"), (None, "mistyped")):
        assert not control.corrections.notice(CASE, "n-1", days=days, reason=reason, by="bob").done
    assert control.corrections.notice(CASE, "n-1", days=0, reason="mistyped", by="bob").done
    assert said(place, NoticeCorrected) == [("ann", "bob")]
    assert set(in_the_way(place)) == {"approval", "notice"}, "a correction is a change: approved and told again"
    for by in ("ann", "bob"):
        control.cases.approve(CASE, by=by)
    control.notices.serve("n-1", [place.person("gb")], at=now())
    assert in_the_way(place) == []
    kinds = [each["kind"] for each in control.cases.timeline(CASE)]
    assert kinds.count("notice.served") == 2


def test_once_somebody_approved_no_change_leaves_one_person_alone_with_it(place: Deployment) -> None:
    control = place.control
    told(place)
    control.conditions.add(condition("window"))
    control.cases.require_notice(CASE, "n-1", days=31, by="ann")
    assert not control.corrections.notice(CASE, "n-1", days=0, reason="x", by="ann").done
    assert not control.corrections.condition(CASE, "window", reason="x", by="ann").done
    control.cases.require_notice(CASE, "n-1", days=32, by="ann")
    assert not control.corrections.notice(CASE, "n-1", days=0, reason="x", by="bob").done, "it changed in between"
    assert control.cases.get(CASE).notices == {"n-1": 32}


def test_a_condition_that_was_a_mistake_goes_and_its_name_can_be_given_again(place: Deployment) -> None:
    control = place.control
    control.conditions.add(condition("window", "from=2204-05-07", "before=2204-08-02", check="date-window"))
    assert control.corrections.condition(CASE, "window", reason="the wrong century", by="ann").done
    refused("case-condition-unknown", lambda: control.corrections.condition(CASE, "window", reason="x", by="ann"))
    control.conditions.add(condition("window", "from=2024-05-07", "before=2024-08-02", check="date-window"))
    assert control.cases.get(CASE).conditions["window"].parameters == ("from=2024-05-07", "before=2024-08-02")
    assert said(place, ConditionTakenBack) == [("ann",)]


def test_what_a_binding_order_may_demand_stays(place: Deployment) -> None:
    control = place.control
    control.conditions.add(condition("window"))
    control.cases.require_notice(CASE, "wrnog", days=30, by="ann")
    control.orders.suspend(UK, case=CASE, origin=Origin.BINDING_ORDER, reference="decision", by="ann")
    head = place.ledger.head()
    for days in (None, 3):
        refused(
            "case-binding", lambda days=days: control.corrections.notice(CASE, "wrnog", days=days, reason="x", by="a")
        )
    refused("case-binding", lambda: control.corrections.condition(CASE, "window", reason="x", by="ann"))
    assert place.ledger.head() == head
    control.cases.require_notice(CASE, "right", days=30, by="ann")
    assert control.corrections.notice(CASE, "wrnog", days=None, reason="mistyped", by="ann").done
    control.notices.write("right", b"x", languages=["en"], channel="mail", audience="all", by="ann")
    control.cases.require_notice(CASE, "other", days=30, by="ann")
    refused("case-binding", lambda: control.corrections.notice(CASE, "right", days=None, reason="x", by="ann"))


def test_a_notice_that_a_policy_set_waits_for_is_not_mistyped(place: Deployment) -> None:
    control = place.control
    control.statements.publish(shipped()["november-2025"], "november-2025")
    control.orders.suspend(UK, case=CASE, origin=Origin.BINDING_ORDER, reference="decision", by="ann")
    for notice in ("genai-2025", "nobody-reads-this"):
        control.cases.require_notice(CASE, notice, days=30, by="ann")
    refused("case-binding", lambda: control.corrections.notice(CASE, "genai-2025", days=None, reason="x", by="ann"))
    assert control.corrections.notice(CASE, "nobody-reads-this", days=None, reason="mistyped", by="ann").done


def test_what_a_binding_order_may_demand_stays_when_it_is_narrowed(place: Deployment) -> None:
    control = place.control
    control.orders.suspend(UK, case=CASE, origin=Origin.BINDING_ORDER, reference="decision", by="ann")
    posts = Scope(areas=frozenset({"UK"}), categories=frozenset({Category.POST}))
    assert narrow(place, posts, told=["gb"]).done
    assert [each.origin for each in control.orders.every() if each.ended is None] == [Origin.BINDING_ORDER]


def test_what_is_over_is_not_corrected(place: Deployment) -> None:
    control = place.control
    control.cases.require_notice(CASE, "n-1", days=30, by="ann")
    control.cases.prohibit(CASE, by="ann", reference="x")
    said = place.ledger.head()
    refused("case-over", lambda: control.corrections.notice(CASE, "n-1", days=None, reason="x", by="ann"))
    assert place.ledger.head() == said


def test_the_commands(suspended: Terminal) -> None:
    suspended.run("case", "notice", "ico", "wrnog", "--days", 30, *BY)
    suspended.fails("case-notice-days", "case", "notice", "ico", "wrnog", "--days", 36_500, *BY)
    text = suspended.run("case", "correct-notice", "ico", "wrnog", "--days", 3, *WHY, *BY, as_json=False)
    assert text.strip() == "Notice wrnog: case ico waits 3 days after it."
    assert suspended.run("case", "correct-notice", "ico", "wrnog", "--take-back", *WHY, *BY)["done"]
    suspended.run("case", "condition", "take-back", "ico", "window", *WHY, *BY)
    shown = suspended.run("case", "show", "ico")
    assert ([each["notice"] for each in shown["notices"]], shown["conditions"]) == (["n-1"], [])
    assert "a slip of the pen" in suspended.run("case", "timeline", "ico", as_json=False)
    suspended.run("case", "review", "ico", *BY)
    suspended.run("case", "approve", "ico", *BY)
    again = ("case", "correct-notice", "ico", "n-1", "--take-back", *WHY)
    assert "until another person says the same" in suspended.run(*again, *BY, status=3, as_json=False)
    assert suspended.run(*again, "--by", "ben")["by"] == ["ann", "ben"]
    assert suspended.run("case", "lift", "ico", *REFERENCE, *BY, status=3)["in_the_way"][-1]["kind"] == "notice"
