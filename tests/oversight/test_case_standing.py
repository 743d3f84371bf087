"""How far a case is: every step only after all before it, in every combination, and where a narrowing leaves it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from case_sayings import (
    DOCUMENT,
    END,
    MET,
    MINORS,
    NARROWING,
    NO,
    NOTICE,
    OPENED,
    ORDER,
    REOPENED,
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

from consentry.ledger.case_events import ApprovalGiven, NoticeCorrected, ReportScheduled, Step
from consentry.ledger.events import Body, NoticeServed
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight.case import CaseStanding
from consentry.policy.choice import SECONDS_PER_DAY

LATER = 1_000_000
"""When the days of nothing that was said are left to wait, but for what waits for hundreds."""
KINDS = ["suspension", "review", "condition", "approval", "authority", "notice", "reach", "waiting"]
CONCERN = StatementFiled(
    case="c", says=Says.CONCERN, orders=(), areas=("UK",), reference="letter 2", statement=DOCUMENT, document=DOCUMENT,
    key=DOCUMENT, by="ico",
)  # fmt: skip
NOTICES = ("not served", "left out", "waiting", "done")
"""What can be so of a notice, from what keeps a case back most to what does not."""


def told(states: tuple[str, ...]) -> tuple[list[Body], list[Body], dict[str, int]]:
    """Return what is said of notices in these states, before the approval and after it, and whom they did not reach."""
    required: list[Body] = []
    served: list[Body] = []
    for name, state in zip("nm", states, strict=False):
        required.append(replace(NOTICE, notice=name, days=300 if state == "waiting" else 0))
        if state != "not served":
            served.append(NoticeServed(notice=name, at=2_000, cohort=DOCUMENT, count=9))
    return required, served, {name: int(state == "left out") for name, state in zip("nm", states, strict=False)}


@pytest.mark.parametrize("narrowed", [False, True])
@pytest.mark.parametrize("counted", [True, False])
def test_a_step_is_reached_only_if_all_before_it_are(counted: bool, narrowed: bool) -> None:
    conditions: dict[str, list[Body]] = {"none": [], "open": [WINDOW], "met": [WINDOW, MET]}
    notices = [(), *((each,) for each in NOTICES), *product(NOTICES, NOTICES)]
    seen = set()
    for suspended, reviewed, condition, people, states in product(
        (False, True), (False, True), conditions, range(3), notices
    ):
        required, served, missed = told(states)
        said: list[Body] = [OPENED, *[ORDER] * suspended, *[REVIEW] * reviewed, *conditions[condition], *required]
        said += NARROWING if narrowed and suspended else ()
        said += [*map(approves, ("ann", "bob")[:people]), *served]
        reached = missed if counted else None
        case = after(said)
        found = standing(case, LATER, answers={}, not_reached=reached)
        seen.add(found)
        worst = min(map(NOTICES.index, states), default=0)
        worst = min(worst, NOTICES.index("left out")) if not counted else worst
        steps = [
            (suspended, CaseStanding.CONCERN_RAISED),
            (reviewed, CaseStanding.SUSPENDED),
            (condition != "open", CaseStanding.UNDER_REVIEW),
            (people == 2, CaseStanding.UNDER_REVIEW if condition == "none" else CaseStanding.CONDITIONS_MET),
            (worst > 0, CaseStanding.APPROVED),
            (worst > 1, CaseStanding.NOTICES_SERVED),
            (worst > 2, CaseStanding.WAITING),
        ]
        expected = next((where for done, where in steps if not done), CaseStanding.READY)
        if narrowed and expected in (CaseStanding.UNDER_REVIEW, CaseStanding.CONDITIONS_MET):
            expected = CaseStanding.NARROWED
        assert found is expected, (suspended, reviewed, condition, people, states)
        kinds = [each.kind for each in what_stands_in_the_way(case, LATER, answers={}, not_reached=reached)]
        assert kinds == sorted(kinds, key=KINDS.index), "they are said in the order of the steps"
    ends = {CaseStanding.LIFTED, CaseStanding.WITHDRAWN, CaseStanding.PROHIBITED}
    in_review = {CaseStanding.UNDER_REVIEW, CaseStanding.CONDITIONS_MET}
    never = ends | (in_review if narrowed else {CaseStanding.NARROWED})
    assert seen == set(CaseStanding) - never - (set() if counted else {CaseStanding.WAITING, CaseStanding.READY})


def test_a_notice_that_was_not_served_keeps_a_case_back_more_than_one_that_left_somebody_out() -> None:
    other = replace(NOTICE, notice="m")
    case = after((OPENED, ORDER, REVIEW, NOTICE, other, approves("ann"), approves("bob"), SERVED))
    found = what_stands_in_the_way(case, 1_010, answers={}, not_reached={"n": 3})
    assert [(each.kind, each.text) for each in found] == [
        ("notice", "notice `m` was not served since lifting was approved"),
        ("reach", "notice `n` did not reach 3 people whose content would be used again"),
        ("waiting", "2 days left to wait after notice `n`"),
    ]
    assert standing(case, LATER, answers={}, not_reached={"n": 3}) is CaseStanding.APPROVED
    both = after(
        (OPENED, ORDER, REVIEW, NOTICE, other, approves("ann"), approves("bob"), SERVED, replace(SERVED, notice="m"))
    )
    for not_reached, stands in (
        ({"n": 3}, CaseStanding.NOTICES_SERVED),
        ({"m": 1}, CaseStanding.NOTICES_SERVED),
        (None, CaseStanding.NOTICES_SERVED),
        ({"n": 0}, CaseStanding.WAITING),
    ):
        assert standing(both, 1_010, answers={}, not_reached=not_reached) is stands
    assert standing(both, 1_010 + 2 * SECONDS_PER_DAY, answers={}, not_reached={}) is CaseStanding.READY


@pytest.mark.parametrize("before", [(), (WINDOW, MET)], ids=["no conditions", "all met"])
def test_a_narrowed_case_stands_so_until_two_approve_lifting_the_rest(before: tuple[Body, ...]) -> None:
    said: list[Body] = [OPENED, ORDER, REVIEW, *before, NOTICE, *NARROWING]
    assert standing(after(said), LATER, answers={}) is CaseStanding.NARROWED
    assert after(said).orders == {"c.2"}
    nothing: list[Body] = [
        approves("ann"),
        approves("ann", Step.WITHDRAW),
        approves("cy", Step.NARROW, "one"),
        SERVED,
        replace(WRITTEN, notice="another"),
        ReportScheduled(case="c", report="r", title="five months", due=5, by="ann"),
    ]
    assert standing(after([*said, *nothing]), LATER, answers={}) is CaseStanding.NARROWED
    approved = [*said, approves("ann"), approves("bob")]
    assert standing(after(approved), LATER, answers={}) is CaseStanding.APPROVED
    served = replace(SERVED, at=2_000)
    assert standing(after([*approved, served]), LATER, answers={}, not_reached=None) is CaseStanding.NOTICES_SERVED
    assert standing(after([*approved, served]), LATER, answers={}) is CaseStanding.READY


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        (MINORS, CaseStanding.UNDER_REVIEW),
        (REOPENED, CaseStanding.UNDER_REVIEW),
        (MET, CaseStanding.CONDITIONS_MET),
        (NOTICE, CaseStanding.CONDITIONS_MET),
        (NoticeCorrected(case="c", notice="n", days=1, reason="too long", by=("ann",)), CaseStanding.CONDITIONS_MET),
        (WRITTEN, CaseStanding.CONDITIONS_MET),
        (replace(ORDER, order="c.3"), CaseStanding.CONDITIONS_MET),
        (CONCERN, CaseStanding.CONDITIONS_MET),
    ],
)
def test_the_next_change_ends_that_and_another_narrowing_begins_it_again(change: Body, stands: CaseStanding) -> None:
    said: list[Body] = [OPENED, ORDER, REVIEW, WINDOW, MET, NOTICE, *NARROWING]
    assert standing(after([*said, change]), LATER, answers=NO) is stands
    assert standing(after([*said, change, *NARROWING]), LATER, answers=NO) is CaseStanding.NARROWED


def test_a_narrowed_case_stands_so_whatever_a_check_finds_by_now() -> None:
    said: list[Body] = [OPENED, ORDER, REVIEW, MINORS, NOTICE, *NARROWING]
    for answers in (YES, NO, {}):
        assert standing(after(said), LATER, answers=answers) is CaseStanding.NARROWED
    (open_,) = [each for each in what_stands_in_the_way(after(said), LATER, answers=NO) if each.kind == "condition"]
    assert open_.about == "minors"


def test_whoever_agreed_to_a_narrowing_changed_nothing_yet() -> None:
    said: tuple[Body, ...] = (*WHOLE[:7], *(ApprovalGiven(case="c", step=Step.NARROW, about="x", by=by) for by in "ab"))
    assert standing(after(said), END, answers=YES) is CaseStanding.CONDITIONS_MET
