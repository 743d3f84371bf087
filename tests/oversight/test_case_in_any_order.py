"""Whatever is said in a case in whatever order: it stands and is lifted as the rules say, and its end stays."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from case_sayings import (
    DOCUMENT,
    END,
    ENDED,
    NARROWED,
    NARROWING,
    OPENED,
    ORDER,
    REOPENED,
    REOPENED_BEFORE,
    REVIEW,
    WHOLE,
    WRITTEN,
    YES,
    after,
    approves,
    ended,
    standing,
    what_stands_in_the_way,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consentry.errors import ConsentryError
from consentry.ledger.case_events import (
    CaseEnd,
    CaseEnded,
    CaseOpened,
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    NoticeRequired,
    ReviewBegun,
    Step,
)
from consentry.ledger.events import Body, NoticeServed
from consentry.oversight.case import Case, CaseStanding, NotReached
from consentry.oversight.case_fold import Cases
from consentry.oversight.case_lift import lifted
from consentry.policy.choice import SECONDS_PER_DAY
from ledger.sayings import event

STEPS = (
    CaseStanding.CONCERN_RAISED,
    CaseStanding.SUSPENDED,
    CaseStanding.UNDER_REVIEW,
    CaseStanding.CONDITIONS_MET,
    CaseStanding.APPROVED,
    CaseStanding.NOTICES_SERVED,
    CaseStanding.WAITING,
    CaseStanding.READY,
)
SAID = st.sampled_from(
    [
        *WHOLE,
        WRITTEN,
        REOPENED,
        REOPENED_BEFORE,
        ENDED,
        NARROWED,
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
        self.narrowed = False
        self.not_reached: NotReached = {}

    def say(self, body: Body) -> None:
        self.cases.take(event(self.position, body))
        self.now = max(self.now, 1_000 + self.position)
        self.position += 1

    def change(self, body: Body) -> None:
        self.say(body)
        self.approved, self.served, self.narrowed = set(), {}, False

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
                    case="c", condition=name, title=name, owner="ann", due=4_000_000_000, check=None, policy=None,
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

    @rule(not_reached=st.sampled_from([{}, {"n": 0, "m": 2}, {"n": 1}, None]))
    def count(self, not_reached: NotReached) -> None:
        self.not_reached = not_reached

    @rule()
    def narrow(self) -> None:
        if self.suspended and self.reviewed and all(self.met.values()):
            for body in NARROWING:
                self.change(body)
            self.narrowed = True

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
        self.count({})
        self.wait(3)

    @rule(how=st.sampled_from([CaseEnd.PROHIBITED, CaseEnd.WITHDRAWN]), seldom=st.integers(0, 9))
    def end(self, how: CaseEnd, seldom: int) -> None:
        if not seldom:
            self.say(ended(how))
            self.over = self.over or str(how)

    @rule()
    def lift(self) -> None:
        try:
            body = lifted(self.case, at=self.now, answers={}, not_reached=self.not_reached, reference="x", by="ann")
        except ConsentryError:
            assert not self.may_lift()
            return
        assert self.may_lift()
        self.say(body)
        self.over = str(CaseEnd.LIFTED)

    def may_lift(self) -> bool:
        return not self.over and self.step() is CaseStanding.READY

    def step(self) -> CaseStanding:
        """Return the last step to which every one before it was done."""
        reached = self.not_reached is not None and not any(self.not_reached.get(each) for each in self.days)
        done = [
            True,
            self.suspended,
            self.reviewed,
            all(self.met.values()),
            len(self.approved) >= 2,
            bool(self.days) and set(self.days) <= set(self.served),
            reached,
            all(self.now >= self.served.get(each, 0) + days * SECONDS_PER_DAY for each, days in self.days.items()),
        ]
        return STEPS[len(list(takewhile(bool, done))) - 1]

    @invariant()
    def it_stands_where_the_rules_say(self) -> None:
        if self.cases.get("c") is None:
            return
        found, step = standing(self.case, self.now, answers={}, not_reached=self.not_reached), self.step()
        if self.over:
            assert str(found) == self.over
        elif step not in (CaseStanding.UNDER_REVIEW, CaseStanding.CONDITIONS_MET):
            assert found is step
        elif self.narrowed:
            assert found is CaseStanding.NARROWED
        else:
            assert found is (step if self.met else CaseStanding.UNDER_REVIEW)


TestStaff = Staff.TestCase
TestStaff.settings = settings(max_examples=60, stateful_step_count=40)
