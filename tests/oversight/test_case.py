"""Cases by themselves: whatever is said in whatever order, a case is lifted only when everything is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consentry.digests import digest
from consentry.errors import ConsentryError
from consentry.ledger.case_events import (
    ApprovalGiven,
    CaseEnd,
    CaseEnded,
    CaseOpened,
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    ConditionReopenedV1,
    NoticeRequired,
    NoticeWritten,
    ReportDelivered,
    ReportScheduled,
    ReviewBegun,
    Step,
)
from consentry.ledger.events import Body, NoticeServed
from consentry.ledger.oversight_events import OrderEnd, OrderEnded, Origin
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight import case as rules
from consentry.oversight.case import (
    Answers,
    Case,
    CaseStanding,
    NotReached,
    Obstacle,
    lifted,
    missing_approvals,
)
from consentry.oversight.case_fold import Cases
from consentry.oversight.condition_check import Answer
from consentry.oversight.order import Scope, issue
from consentry.policy.expressions import SECONDS_PER_DAY
from ledger.sayings import event

DOCUMENT = digest(b"a document")
OPENED = CaseOpened(case="c", title="UK posts", reference="letter", by="ann")
ORDER = issue(Scope(), order="c.1", case="c", origin=Origin.AUTHORITY_REQUEST, reference="letter", at_ms=1)
REVIEW = ReviewBegun(case="c", by="ann")
WINDOW = ConditionAdded(
    case="c", condition="window", title="a longer window", owner="ann", due=99, check=None, policy=None, parameters=(),
    by="ann",
)  # fmt: skip
MINORS = ConditionAdded(
    case="c", condition="minors", title="no minors", owner="bob", due=None, check="no-minors", policy="p",
    parameters=(), by="ann",
)  # fmt: skip
MET = ConditionMet(case="c", condition="window", evidence=DOCUMENT, by="bob")
REOPENED = ConditionReopened(case="c", condition="window", reason="a form was left out", by="bob")
REOPENED_BEFORE = ConditionReopenedV1(case="c", condition="window", by="bob")
NOTICE = NoticeRequired(case="c", notice="n", days=2, by="ann")
SERVED = NoticeServed(notice="n", at=9_999, cohort=DOCUMENT, count=9)
WRITTEN = NoticeWritten(
    notice="n", documents=(DOCUMENT,), languages=("en",), channel="in-app", audience="members", by="ann"
)
ENDED = OrderEnded(order="c.1", case="c", how=OrderEnd.LIFTED)
EVERYBODY_REACHED: dict[str, int] = {}
YES, NO = {"minors": Answer(met=True, found="none")}, {"minors": Answer(met=False, found="a minor in `GB`")}


def standing(case: Case, at: int, *, answers: Answers, not_reached: NotReached = EVERYBODY_REACHED) -> CaseStanding:
    return rules.standing(case, at, answers=answers, not_reached=not_reached)


def what_stands_in_the_way(
    case: Case, at: int, *, answers: Answers, not_reached: NotReached = EVERYBODY_REACHED
) -> tuple[Obstacle, ...]:
    return rules.what_stands_in_the_way(case, at, answers=answers, not_reached=not_reached)


def approves(by: str, step: Step = Step.LIFT, about: str | None = None) -> ApprovalGiven:
    return ApprovalGiven(case="c", step=step, about=about, by=by)


def ended(how: CaseEnd) -> CaseEnded:
    return CaseEnded(case="c", how=how, reference="x", found=(), by=("ann",))


def after(bodies: Sequence[Body]) -> Case:
    cases = Cases()
    for position, body in enumerate(bodies):
        cases.take(event(position, body))
    case = cases.get("c")
    assert case is not None
    return case


# `event` records position p at 1000 + p.
WHOLE = (OPENED, ORDER, REVIEW, WINDOW, MINORS, NOTICE, MET, approves("ann"), approves("bob"), SERVED)
END = 1_000 + len(WHOLE) - 1 + 2 * SECONDS_PER_DAY


def test_the_steps_one_after_the_other() -> None:
    seen = [standing(after(WHOLE[:number]), END, answers=YES) for number in range(1, len(WHOLE) + 1)]
    assert seen == [
        CaseStanding.CONCERN_RAISED,
        CaseStanding.SUSPENDED,
        CaseStanding.CONDITIONS_MET,
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
    before = (OPENED, ORDER, WINDOW, NOTICE, approves("ann"), approves("bob"), SERVED)
    assert not missing_approvals(after(before), Step.LIFT)
    assert after(before).served
    changed = after((*before, change))
    assert missing_approvals(changed, Step.LIFT)[0].text == "2 of 2 approvals missing"
    approved = after((*before, change, approves("ann"), approves("cy")))
    assert not missing_approvals(approved, Step.LIFT)
    assert not approved.served


def test_a_text_for_a_notice_that_the_case_does_not_require_changes_nothing() -> None:
    other = replace(WRITTEN, notice="m")
    assert after((*WHOLE, other)) == after(WHOLE)


@pytest.mark.parametrize("approvals", [(), ("ann",), ("ann", "ann")])
def test_what_is_served_before_two_people_approved_is_not_what_they_approved(approvals: Sequence[str]) -> None:
    said: list[Body] = [*WHOLE[:-3], *map(approves, approvals), SERVED, approves("ann"), approves("bob")]
    assert standing(after(said), 10 * END, answers=YES) is CaseStanding.APPROVED
    assert standing(after([*said, SERVED]), 10 * END, answers=YES) is CaseStanding.READY


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
    assert standing(case, END, answers=YES, not_reached=not_reached) is CaseStanding.APPROVED
    with pytest.raises(ConsentryError, match=r"did not reach") as caught:
        lifted(case, at=END, answers=YES, not_reached=not_reached, reference="x", by="ann")
    assert caught.value.code == "case-not-ready"
    (unknown,) = what_stands_in_the_way(case, END, answers=YES, not_reached=None)
    assert unknown.text == "how many people notice `n` did not reach is not counted here"
    assert standing(case, END, answers=YES, not_reached=None) is CaseStanding.APPROVED
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
    nobody = after((*WHOLE[:-1], NoticeServed(notice="n", at=9_999, cohort=DOCUMENT, count=0)))
    assert "was not served" in what_stands_in_the_way(nobody, END + 9, answers=YES)[0].text
    cases, said = Cases(), list[Body](WHOLE)
    for position, body in enumerate(said):
        cases.take(event(position, body))
    cases.take(replace(event(len(WHOLE), SERVED), recorded_at=1))
    back = cases.get("c")
    assert back is not None
    assert standing(back, END - 1, answers=YES) is CaseStanding.WAITING
    assert standing(back, END, answers=YES) is CaseStanding.READY


def test_the_first_order_opens_a_case_and_the_days_of_a_notice_only_grow() -> None:
    case = after((ORDER, NOTICE, NoticeRequired(case="c", notice="n", days=1, by="ann")))
    assert (case.title, case.by, case.notices) == ("letter", None, {"n": 2})


def test_a_report_is_overdue_until_it_is_delivered() -> None:
    owed = ReportScheduled(case="c", report="r", title="five months", due=5, by="ann")
    given_ = ReportDelivered(case="c", report="r", document=DOCUMENT, position=1, by="ann")
    assert [after((OPENED, owed)).reports["r"].overdue(at) for at in (5, 6)] == [False, True]
    assert not after((OPENED, owed, given_)).reports["r"].overdue(6)


SAID = st.sampled_from(
    [
        *WHOLE,
        WRITTEN,
        REOPENED,
        REOPENED_BEFORE,
        ENDED,
        approves("cy"),
        approves("ann", Step.WITHDRAW),
        *map(ended, CaseEnd),
        CaseOpened(case="d", title="another", reference="x", by=None),
        ReviewBegun(case="nobody-knows", by="ann"),
    ]
)


@given(st.lists(SAID, max_size=14))
def test_whatever_is_said_in_whatever_order_the_fold_holds_and_the_first_end_stays(bodies: list[Body]) -> None:
    case = after([OPENED, *bodies])
    ends = [body for body in bodies if isinstance(body, CaseEnded)]
    assert (case.over is None) == (not ends)
    if ends:
        assert case.over is not None
        assert case.over.how is ends[0].how
        assert case == after([OPENED, *bodies, *WHOLE, ended(CaseEnd.LIFTED)])
        assert standing(case, END, answers=YES) == str(ends[0].how)
    for at in (0, END):
        assert (standing(case, at, answers=YES) is CaseStanding.READY) == (
            not what_stands_in_the_way(case, at, answers=YES)
        )


@given(st.lists(SAID, max_size=14), st.lists(SAID, max_size=3))
def test_other_cases_and_repetitions_of_the_opening_change_nothing(bodies: list[Body], more: list[Body]) -> None:
    strange = [each for each in more if getattr(each, "case", None) in ("d", "nobody-knows")]
    case = after([OPENED, *bodies])
    assert after([OPENED, *bodies, *strange, OPENED]) == case


class Staff(RuleBasedStateMachine):
    """People do what they like. A model that knows only the rules in words says whether the case could be lifted."""

    def __init__(self) -> None:
        super().__init__()
        self.cases, self.position, self.now = Cases(), 0, 1_000
        self.suspended, self.reviewed, self.met, self.days = False, False, dict[str, bool](), dict[str, int]()
        self.approved, self.served, self.over = set[str](), dict[str, int](), ""

    def say(self, body: Body) -> None:
        self.cases.take(event(self.position, body))
        self.now = max(self.now, 1_000 + self.position)
        self.position += 1

    def change(self, body: Body) -> None:
        self.say(body)
        self.approved, self.served = set(), {}

    @property
    def case(self) -> Case:
        case = self.cases.get("c")
        assert case is not None
        return case

    @initialize()
    def open(self) -> None:
        self.say(OPENED)

    @rule()
    def suspend(self) -> None:
        self.change(ORDER)
        self.suspended = True

    @rule()
    def review(self) -> None:
        if not self.reviewed:
            self.change(REVIEW)
        self.reviewed = True

    @rule(name=st.sampled_from(["one", "two"]))
    def add(self, name: str) -> None:
        if name not in self.met:
            self.change(
                ConditionAdded(
                    case="c", condition=name, title=name, owner="ann", due=None, check=None, policy=None,
                    parameters=(), by="ann",
                )
            )  # fmt: skip
            self.met[name] = False

    @rule(name=st.sampled_from(["one", "two"]), by=st.sampled_from(["ann", "bob"]))
    def meet(self, name: str, by: str) -> None:
        said = ConditionMet(case="c", condition=name, evidence=DOCUMENT, by=by)
        if name in self.met:
            self.change(said)
            self.met[name] = True
        else:
            self.say(said)

    @rule(name=st.sampled_from(["one", "two"]))
    def reopen(self, name: str) -> None:
        if name in self.met:
            self.change(ConditionReopened(case="c", condition=name, reason="why", by="ann"))
            self.met[name] = False

    @rule(notice=st.sampled_from(["n", "m"]), days=st.integers(0, 3))
    def require(self, notice: str, days: int) -> None:
        self.change(NoticeRequired(case="c", notice=notice, days=days, by="ann"))
        self.days[notice] = max(days, self.days.get(notice, 0))

    @rule(notice=st.sampled_from(["n", "m"]))
    def serve(self, notice: str) -> None:
        if len(self.approved) >= 2:
            self.served[notice] = 1_000 + self.position
        self.say(NoticeServed(notice=notice, at=1_000 + self.position, cohort=DOCUMENT, count=1))

    @rule(notice=st.sampled_from(["n", "m"]))
    def write(self, notice: str) -> None:
        said = replace(WRITTEN, notice=notice)
        if notice in self.days:
            self.change(said)
        else:
            self.say(said)

    @rule(by=st.sampled_from(["ann", "bob", "cy"]))
    def approve(self, by: str) -> None:
        self.say(approves(by))
        self.approved.add(by)

    @rule(days=st.integers(0, 4))
    def wait(self, days: int) -> None:
        self.now += days * SECONDS_PER_DAY

    @rule()
    def hurry(self) -> None:
        """All that is needed, so that lifting is not for lucky runs only."""
        self.suspend()
        self.review()
        for name in list(self.met):
            self.meet(name, "ann")
        self.require("n", 1)
        self.approve("ann")
        self.approve("bob")
        for notice in self.days:
            self.serve(notice)
        self.wait(3)

    @rule(how=st.sampled_from([CaseEnd.PROHIBITED, CaseEnd.WITHDRAWN]), seldom=st.integers(0, 9))
    def end(self, how: CaseEnd, seldom: int) -> None:
        if not seldom:
            self.say(ended(how))
            self.over = self.over or str(how)

    @rule()
    def lift(self) -> None:
        try:
            body = lifted(self.case, at=self.now, answers={}, not_reached={}, reference="x", by="ann")
        except ConsentryError:
            assert not self.may_lift()
            return
        assert self.may_lift()
        self.say(body)
        self.over = str(CaseEnd.LIFTED)

    def may_lift(self) -> bool:
        waited = all(
            notice in self.served and self.now >= self.served[notice] + days * SECONDS_PER_DAY
            for notice, days in self.days.items()
        )
        done = self.suspended and self.reviewed and all(self.met.values())
        return done and len(self.approved) >= 2 and bool(self.days) and waited and not self.over

    @invariant()
    def it_stands_where_the_rules_say(self) -> None:
        if self.cases.get("c") is None:
            return
        found = standing(self.case, self.now, answers={})
        assert (found is CaseStanding.READY) == self.may_lift()
        assert str(found) == self.over if self.over else found not in (CaseStanding.LIFTED, CaseStanding.PROHIBITED)


TestStaff = Staff.TestCase
TestStaff.settings = settings(max_examples=60, stateful_step_count=40)


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
