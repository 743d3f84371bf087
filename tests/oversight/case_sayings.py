"""Short ways to say what is said in a case, and the case that comes of it."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.digests import digest
from consentry.ledger.case_events import (
    ApprovalGiven,
    CaseEnd,
    CaseEnded,
    CaseNarrowed,
    CaseOpened,
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    ConditionReopenedV1,
    NoticeRequired,
    NoticeWritten,
    ReviewBegun,
    Step,
)
from consentry.ledger.events import Body, NoticeServed
from consentry.ledger.oversight_events import OrderEnd, OrderEnded, Origin
from consentry.oversight import case as rules
from consentry.oversight.case import Answers, Case, CaseStanding, NotReached, Obstacle
from consentry.oversight.case_fold import Cases
from consentry.oversight.condition_check import Answer
from consentry.oversight.order import Scope, issue
from consentry.policy.choice import SECONDS_PER_DAY
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
    case="c", condition="minors", title="no minors", owner="bob", due=4_000_000_000, check="no-minors", policy="p",
    parameters=(), by="ann",
)  # fmt: skip
MET = ConditionMet(case="c", condition="window", evidence=DOCUMENT, by="bob")
REOPENED = ConditionReopened(case="c", condition="window", reason="a form was left out", by="bob")
REOPENED_BEFORE = ConditionReopenedV1(case="c", condition="window", by="bob")
NOTICE = NoticeRequired(case="c", notice="n", days=2, by="ann")
SERVED = NoticeServed(notice="n", at=1_009, cohort=DOCUMENT, count=9)
WRITTEN = NoticeWritten(
    notice="n", documents=(DOCUMENT,), languages=("en",), channel="in-app", audience="members", by="ann"
)
ENDED = OrderEnded(order="c.1", case="c", how=OrderEnd.LIFTED)
SMALLER = issue(
    Scope(areas=frozenset({"GB"})), order="c.2", case="c", origin=Origin.AUTHORITY_REQUEST, reference="x", at_ms=1
)
NARROWED = CaseNarrowed(case="c", orders=("c.2",), by=("ann", "bob"))
NARROWING: tuple[Body, ...] = (SMALLER, OrderEnded(order="c.1", case="c", how=OrderEnd.NARROWED), NARROWED)
"""What is recorded in one append when a smaller order takes the place of the first."""
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
