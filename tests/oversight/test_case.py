"""Cases by themselves: the steps one after the other, and everything that stands in the way of lifting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from case_sayings import (
    DOCUMENT,
    END,
    ENDED,
    MET,
    MINORS,
    NO,
    NOTICE,
    OPENED,
    ORDER,
    REOPENED,
    REOPENED_BEFORE,
    REVIEW,
    SERVED,
    WHOLE,
    WINDOW,
    WRITTEN,
    YES,
    after,
    approves,
    standing,
    what_stands_in_the_way,
)

from consentry.errors import ConsentryError
from consentry.ledger.case_events import NoticeRequired, ReportDelivered, ReportScheduled, Step
from consentry.ledger.events import Body, NoticeServed
from consentry.ledger.oversight_events import OrderEnd, OrderEnded, Origin
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight.case import CaseStanding, missing_approvals
from consentry.oversight.case_fold import Cases
from consentry.oversight.case_lift import lifted
from consentry.oversight.order import Scope, issue
from consentry.policy.choice import SECONDS_PER_DAY
from ledger.sayings import event


def test_the_steps_one_after_the_other() -> None:
    seen = [standing(after(WHOLE[:number]), END, answers=YES) for number in range(1, len(WHOLE) + 1)]
    assert seen == [
        CaseStanding.CONCERN_RAISED,
        CaseStanding.SUSPENDED,
        CaseStanding.UNDER_REVIEW,
        CaseStanding.UNDER_REVIEW,
        CaseStanding.UNDER_REVIEW,
        CaseStanding.UNDER_REVIEW,
        CaseStanding.CONDITIONS_MET,
        CaseStanding.CONDITIONS_MET,
        CaseStanding.APPROVED,
        CaseStanding.READY,
    ]
    assert standing(after(WHOLE), END - 1, answers=YES) is CaseStanding.WAITING
    assert standing(after(WHOLE), END, answers=NO) is CaseStanding.UNDER_REVIEW
    assert standing(after(WHOLE), END, answers={}) is CaseStanding.UNDER_REVIEW  # a check that was not run


def test_where_nobody_wrote_a_condition_none_is_met() -> None:
    said: list[Body] = [OPENED, ORDER, REVIEW]
    assert standing(after(said), END, answers={}) is CaseStanding.UNDER_REVIEW
    approved = [*said, NOTICE, approves("ann"), approves("bob")]
    assert standing(after(approved), END, answers={}) is CaseStanding.APPROVED
    assert standing(after([*approved, SERVED]), 10 * END, answers={}) is CaseStanding.READY
    assert standing(after([*said, WINDOW, MET]), END, answers={}) is CaseStanding.CONDITIONS_MET


def test_a_refusal_to_lift_names_every_reason() -> None:
    case = after((OPENED, ORDER, WINDOW, MINORS, NOTICE, SERVED))
    texts = [each.text for each in what_stands_in_the_way(case, 1_000 + 5 + 1, answers=NO)]
    assert texts == [
        "the review has not begun",
        "condition `window` (a longer window) is open: no evidence yet",
        "condition `minors` (no minors) is open: a minor in `GB`",
        "2 of 2 approvals missing",
        "notice `n` was not served since lifting was approved",
    ]
    with pytest.raises(ConsentryError) as caught:
        lifted(case, at=2_000, answers=NO, not_reached={}, reference="x", by="ann")
    assert caught.value.code == "case-not-ready"
    assert all(text in caught.value.message for text in texts[:4])


def test_what_is_missing_at_the_beginning() -> None:
    kinds = [each.kind for each in what_stands_in_the_way(after((OPENED,)), END, answers={})]
    assert kinds == ["suspension", "review", "approval", "notice"]
    not_served = what_stands_in_the_way(after(WHOLE[:-1]), END, answers=YES)
    assert [each.text for each in not_served] == ["notice `n` was not served since lifting was approved"]


@pytest.mark.parametrize(
    "change",
    [
        MINORS,
        REOPENED,
        REOPENED_BEFORE,
        MET,
        NOTICE,
        ORDER,
        REVIEW,
        OrderEnded(order="x", case="c", how=OrderEnd.NARROWED),
        WRITTEN,
    ],
)
def test_a_change_makes_earlier_approvals_count_for_nothing_and_what_was_served_on_them(change: Body) -> None:
    before = (OPENED, ORDER, WINDOW, NOTICE, approves("ann"), approves("bob"), replace(SERVED, at=1_006))
    assert not missing_approvals(after(before), Step.LIFT)
    assert after(before).served
    assert after(before).counting == {6: 1_006}
    changed = after((*before, change))
    assert missing_approvals(changed, Step.LIFT)[0].text == "2 of 2 approvals missing"
    approved = after((*before, change, approves("ann"), approves("cy")))
    assert not missing_approvals(approved, Step.LIFT)
    assert not approved.served
    assert not approved.counting


def test_a_text_for_a_notice_that_the_case_does_not_require_changes_nothing() -> None:
    other = replace(WRITTEN, notice="m")
    assert after((*WHOLE, other)) == after(WHOLE)


@pytest.mark.parametrize("approvals", [(), ("ann",), ("ann", "ann")])
def test_what_is_served_before_two_people_approved_is_not_what_they_approved(approvals: Sequence[str]) -> None:
    said: list[Body] = [*WHOLE[:-3], *map(approves, approvals), SERVED, approves("ann"), approves("bob")]
    assert standing(after(said), 10 * END, answers=YES) is CaseStanding.APPROVED
    again = replace(SERVED, at=1_000 + len(said))
    assert standing(after([*said, again]), 10 * END, answers=YES) is CaseStanding.READY


def test_a_third_approval_does_not_start_the_days_again() -> None:
    assert standing(after((*WHOLE, approves("cy"))), END, answers=YES) is CaseStanding.READY
    approval = after((*WHOLE, approves("cy"))).approval
    assert approval is not None
    assert (approval.by, approval.position) == ("bob", len(WHOLE) - 2)


def test_what_was_told_before_and_is_recorded_afterwards_is_not_what_was_approved() -> None:
    approved = 1_000 + len(WHOLE) - 2
    for at, standing_then in ((approved - 1, CaseStanding.APPROVED), (approved, CaseStanding.READY)):
        said = (*WHOLE[:-1], replace(SERVED, at=at))
        assert standing(after(said), END, answers=YES) is standing_then


@pytest.mark.parametrize(("missed", "people"), [(1, "1 person"), (12_345, "12,345 people")])
def test_nothing_is_lifted_while_people_were_left_out(missed: int, people: str) -> None:
    case, not_reached = after(WHOLE), {"n": missed}
    (found,) = what_stands_in_the_way(case, END, answers=YES, not_reached=not_reached)
    assert found.text == f"notice `n` did not reach {people} whose content would be used again"
    assert standing(case, END, answers=YES, not_reached=not_reached) is CaseStanding.NOTICES_SERVED
    with pytest.raises(ConsentryError, match=r"did not reach") as caught:
        lifted(case, at=END, answers=YES, not_reached=not_reached, reference="x", by="ann")
    assert caught.value.code == "case-not-ready"
    (unknown,) = what_stands_in_the_way(case, END, answers=YES, not_reached=None)
    assert unknown.text == "how many people notice `n` did not reach is not counted here"
    assert standing(case, END, answers=YES, not_reached=None) is CaseStanding.NOTICES_SERVED
    assert lifted(case, at=END, answers=YES, not_reached={"n": 0}, reference="x", by="ann").by == ("ann", "bob")


def test_one_person_is_one_approval_and_one_step_is_not_another() -> None:
    case = after((OPENED, approves("ann"), approves("ann"), approves("bob", Step.WITHDRAW)))
    assert case.approved_by(Step.LIFT) == ("ann",)
    assert "given by ann" in missing_approvals(case, Step.LIFT)[0].text
    narrow = after((OPENED, approves("ann", Step.NARROW, "one"), approves("bob", Step.NARROW, "other")))
    assert missing_approvals(narrow, Step.NARROW, about="one")


def test_a_notice_of_before_the_case_is_none_and_a_later_serving_starts_the_days_again() -> None:
    early = after((SERVED, *WHOLE[:-1]))
    assert "was not served" in what_stands_in_the_way(early, END, answers=YES)[0].text
    again = after((*WHOLE, SERVED))
    assert standing(again, END, answers=YES) is CaseStanding.WAITING
    assert standing(again, END + 1, answers=YES) is CaseStanding.READY


def test_a_notice_that_nobody_was_served_is_none_and_a_clock_that_goes_back_shortens_nothing() -> None:
    nobody = after((*WHOLE[:-1], NoticeServed(notice="n", at=1_009, cohort=DOCUMENT, count=0)))
    assert "was not served" in what_stands_in_the_way(nobody, END + 9, answers=YES)[0].text
    cases, said = Cases(), list[Body](WHOLE)
    for position, body in enumerate(said):
        cases.take(event(position, body))
    cases.take(replace(event(len(WHOLE), SERVED), recorded_at=1))
    back = cases.get("c")
    assert back is not None
    assert standing(back, END - 1, answers=YES) is CaseStanding.WAITING
    assert standing(back, END, answers=YES) is CaseStanding.READY
    cases.take(replace(event(len(WHOLE) + 1, replace(SERVED, at=1_109)), recorded_at=1))
    behind = cases.get("c")
    assert behind is not None
    assert behind.counting[len(WHOLE) + 1] == 1_109, "what the clock was behind is in the time of the serving"
    assert standing(behind, END + 99, answers=YES) is CaseStanding.WAITING
    assert standing(behind, END + 100, answers=YES) is CaseStanding.READY


def test_the_first_order_opens_a_case_and_the_days_of_a_notice_only_grow() -> None:
    case = after((ORDER, NOTICE, NoticeRequired(case="c", notice="n", days=1, by="ann")))
    assert (case.title, case.by, case.notices) == ("letter", None, {"n": 2})


def test_a_report_is_overdue_until_it_is_delivered() -> None:
    owed = ReportScheduled(case="c", report="r", title="five months", due=5, by="ann")
    given_ = ReportDelivered(case="c", report="r", document=DOCUMENT, position=1, by="ann")
    assert [after((OPENED, owed)).reports["r"].overdue(at) for at in (5, 6)] == [False, True]
    assert not after((OPENED, owed, given_)).reports["r"].overdue(6)


def own_order(order: str) -> Body:
    return issue(Scope(), order=order, case="c", origin=Origin.AUTHORITY, reference="decision", at_ms=1, by="ico")


def filed(says: Says, *orders: str, by: str = "ico") -> StatementFiled:
    return StatementFiled(
        case="c", says=says, orders=orders, areas=("UK",), reference="decision", statement=DOCUMENT, document=DOCUMENT,
        key=DOCUMENT, by=by,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ([ORDER], {}),
        ([own_order("c.1"), filed(Says.SUSPEND, "c.1")], {"c.1": ("ico",)}),
        ([own_order("c.1"), filed(Says.SUSPEND, "c.1"), filed(Says.MAY_BE_LIFTED, "c.1")], {}),
        (
            [own_order("c.1"), filed(Says.SUSPEND, "c.1"), filed(Says.MAY_BE_LIFTED, "c.1", by="cnil")],
            {"c.1": ("ico",)},
        ),
        ([own_order("c.1"), filed(Says.SUSPEND, "c.1"), filed(Says.CONCERN, "c.1")], {"c.1": ("ico",)}),
        ([own_order("c.1")], {"c.1": ("nobody",)}),
        (
            [own_order("c.1"), filed(Says.SUSPEND, "c.1"), filed(Says.MAY_BE_LIFTED, "c.1"), own_order("c.2")],
            {"c.2": ("ico",)},
        ),
        (
            [
                own_order("c.1"),
                filed(Says.SUSPEND, "c.1"),
                own_order("c.2"),
                filed(Says.SUSPEND, "c.2", by="cnil"),
                own_order("c.3"),
                filed(Says.MAY_BE_LIFTED, "c.1", "c.3"),
            ],
            {"c.2": ("cnil",), "c.3": ("cnil",)},
        ),
        ([own_order("c.1"), filed(Says.SUSPEND, "c.1"), ENDED], {}),
    ],
)
def test_an_order_of_an_authority_waits_for_its_signature(
    said: Sequence[Body], missing: dict[str, tuple[str, ...]]
) -> None:
    case = after([OPENED, *said])
    assert case.unsigned() == missing
    kinds = [each.about for each in what_stands_in_the_way(case, 0, answers=YES) if each.kind == "authority"]
    assert kinds == list(missing)


def test_without_the_signature_a_case_is_never_ready() -> None:
    said = [
        OPENED, own_order("c.1"), filed(Says.SUSPEND, "c.1"), REVIEW, NOTICE, approves("ann"), approves("bob"), SERVED,
    ]  # fmt: skip
    later = 10 * SECONDS_PER_DAY
    assert standing(after(said), later, answers=YES) is CaseStanding.APPROVED
    signed = after([*said, filed(Says.MAY_BE_LIFTED, "c.1")])
    assert standing(signed, later, answers=YES) is CaseStanding.READY
