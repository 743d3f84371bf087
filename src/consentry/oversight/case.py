"""Cases: an authority's matter, from the concern to its end.

Rules:

* A case is opened by a concern, or by the first order that names it. It is over once it is lifted, withdrawn or
  prohibited, and stays over. What is said about it afterwards changes nothing, but for reports: they are often due
  long after.
* Where a case stands is never typed in: it follows from what was said. The steps are: concern raised, suspended, under
  review, conditions met, approved, notices served, waiting, ready, lifted. A step is reached only if all steps before
  it are; a case without conditions goes from the review to being approved.
* The notices are served once each required one was, since the approval. It waits only if they reached everybody as
  well: while somebody was left out, or nobody counted how many, it stands at notices served.
* It stands at narrowed, in place of under review or conditions met, while narrowing is the last change: a smaller order
  took the place of those that held, and what is left is not approved for lifting yet. The next change ends that.
* It can be lifted if all of this holds at that moment, and every refusal says what does not:
  1. something is suspended, and the review has begun;
  2. every condition is met: by evidence, or if it names a check, by what the check finds now. A check that cannot be
     run is open;
  3. two different people approved, both after the last change;
  4. people were told what was approved: at least one notice is required, and each was served after the approval, by
     when it is recorded and by when it is said to have been;
  5. nobody was left out: each notice reached everybody whose content would be used again, but for those who said no;
  6. the days that were promised have passed since each notice was last served, counted from when that was recorded;
  7. every authority whose own order is in force signed that it may be lifted.
* A change is whatever alters what people approve: an order issued or ended, the beginning of the review, a condition
  added, met, reopened or taken back, a notice required, corrected or taken back, a text written for a notice that is
  required. It makes all earlier approvals count for nothing, and what was served on them.
* Narrowing and withdrawing give something back as well. Each takes two different people who say the same after the last
  change; for narrowing, the very same scope.
* What a narrowing gives back needs what a lift of it would need: 1, 2 and 4 to 7 hold for it as well, with those two
  in place of the two who approve a lift. Counted are people whose content would be used again under the smaller order.
* Prohibiting takes one person: it is the safe direction. The orders of a prohibited case hold for good.
* An order that an authority issued itself, by a signed statement, ends in no way before the same account signed a
  statement that names it and says that it may. Where narrowing put a smaller one in its place, that holds for the
  smaller one too: everybody who issued one of the case has to sign.
* Lifting and withdrawing end all orders of the case. Narrowing issues a smaller one, and then ends those that held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from consentry.digests import Digest
from consentry.errors import StateError
from consentry.ledger.case_events import CaseEnd, Handle, ReportDelivered, Step
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight.condition_check import Answer
from consentry.policy.choice import SECONDS_PER_DAY, Seconds

APPROVALS = 2
"""How many different people a step takes that gives something back."""

Answers = Mapping[str, Answer]
"""What the checks of conditions find now, by the id of the condition."""

NotReached = Mapping[str, int] | None
"""How many people each notice did not reach whose content would be used again; None: nobody counted."""


class CaseStanding(StrEnum):
    """How far a case is."""

    CONCERN_RAISED = "concern-raised"
    SUSPENDED = "suspended"
    UNDER_REVIEW = "under-review"
    CONDITIONS_MET = "conditions-met"
    APPROVED = "approved"
    NOTICES_SERVED = "notices-served"
    """They were, but not to everybody who has to be told, or nobody counted."""
    WAITING = "waiting"
    """The notices reached everybody, and their time has not run out."""
    READY = "ready"
    """Nothing stands in the way of lifting it."""
    NARROWED = "narrowed"
    """A smaller order took the place of those that held; nothing has changed since, and the rest is not approved."""
    LIFTED = "lifted"
    WITHDRAWN = "withdrawn"
    PROHIBITED = "prohibited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """By what document a condition was met, and who said so."""

    evidence: Digest
    by: Handle
    at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What has to be so before a case is lifted."""

    condition: str
    title: str
    owner: Handle
    due: Seconds | None
    check: str | None
    policy: str | None
    parameters: tuple[str, ...]
    met: Met | None = None

    def answer(self, answers: Answers) -> Answer:
        """Return whether it is met, and by what."""
        if self.check is not None:
            return answers.get(self.condition, Answer(met=False, found=f"the check `{self.check}` was not run"))
        if self.met is None:
            return Answer(met=False, found="no evidence yet")
        return Answer(met=True, found=f"evidence {self.met.evidence}, given by {self.met.by}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who agreed to what, and when."""

    by: Handle
    step: Step
    about: Digest | None
    position: int
    at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that is owed to the authority."""

    report: str
    title: str
    due: Seconds
    delivered: ReportDelivered | None = None
    delivered_at: Seconds | None = None
    earlier: tuple[tuple[ReportDelivered, Seconds], ...] = ()
    """What was delivered under this name before that, oldest first, each with when."""

    def overdue(self, at: Seconds) -> bool:
        """Say whether it should have been delivered by now."""
        return self.delivered is None and at > self.due

    def deliveries(self) -> tuple[tuple[ReportDelivered, Seconds], ...]:
        """Return everything that was delivered under this name, oldest first, each with when."""
        if self.delivered is None or self.delivered_at is None:
            return ()
        return (*self.earlier, (self.delivered, self.delivered_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """How a case ended."""

    how: CaseEnd
    reference: str
    found: tuple[str, ...]
    by: tuple[Handle, ...]
    position: int
    at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an authority filed, and when."""

    body: StatementFiled
    position: int
    at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as the ledger knows it. `changed` is the position of the last change."""

    case: str
    title: str
    reference: str
    by: Handle | None
    position: int
    at: Seconds
    changed: int
    orders: frozenset[str] = frozenset()
    """Those in force."""
    review: Seconds | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    notices: Mapping[str, int] = field(default_factory=dict)
    """The days that have to pass after each notice."""
    dropped: frozenset[str] = frozenset()
    """Notices that were required once, and are not any more."""
    served: Mapping[str, Seconds] = field(default_factory=dict)
    """When it was last recorded that a notice was served on the approval that holds."""
    served_on: Mapping[Digest, Mapping[str, Seconds]] = field(default_factory=dict)
    """The same for narrowings, by what was approved."""
    counting: Mapping[int, Seconds] = field(default_factory=dict)
    """The positions of the servings that these are of, each with when it was recorded."""
    reports: Mapping[str, Report] = field(default_factory=dict)
    narrowed: int = 0
    last_narrowed: int | None = None
    """The position of the last change by which it was narrowed: while that is `changed`, nothing has changed since."""
    over: Over | None = None
    of_authority: frozenset[str] = frozenset()
    """Orders, in force or not, that an authority issued itself."""
    statements: tuple[Statement, ...] = ()
    """What authorities filed about it, oldest first."""

    def unsigned(self) -> dict[str, tuple[Handle, ...]]:
        """Return the orders in force of authorities, each with whoever has not signed yet that it may be lifted."""
        said = [each.body for each in self.statements]
        issued = {order: each.by for each in said if each.says is Says.SUSPEND for order in each.orders}
        freed = {(order, each.by) for each in said if each.says is Says.MAY_BE_LIFTED for order in each.orders}
        everybody = tuple(dict.fromkeys(issued.values()))
        found = {}
        for order in sorted(self.of_authority & self.orders):
            # Whose an order is that nobody filed is not known: nobody can sign for it.
            owners = (issued[order],) if order in issued else everybody or ("nobody",)
            if missing := tuple(by for by in owners if (order, by) not in freed):
                found[order] = missing
        return found

    def require_signed(self) -> None:
        """Refuse to end the orders of an authority that has not signed that they may be lifted.

        Raises:
            StateError: it has not.
        """
        for order, missing in self.unsigned().items():
            raise StateError(
                "case-authority-unsigned",
                f"order `{order}` is of `{missing[0]}`, who has not signed that it may be lifted",
                help="the authority files a signed statement that names the order: docs/authority.md",
            )

    def approved_by(self, step: Step, about: Digest | None = None) -> tuple[Handle, ...]:
        """Return the different people whose approval of a step counts, in order."""
        return tuple(self._approvals(step, about))

    @property
    def approval(self) -> Approval | None:
        """The approval with which lifting was approved; None if it is not."""
        return self.approval_of(Step.LIFT)

    def approval_of(self, step: Step, about: Digest | None = None) -> Approval | None:
        """Return the approval with which a step was approved; None if it is not."""
        counting = list(self._approvals(step, about).values())
        return counting[APPROVALS - 1] if len(counting) >= APPROVALS else None

    def _approvals(self, step: Step, about: Digest | None) -> dict[Handle, Approval]:
        """Return the people whose approval counts, each with the first of theirs, in order."""
        found: dict[Handle, Approval] = {}
        for each in self.approvals:
            if (each.step, each.about) == (step, about) and each.position > self.changed:
                found.setdefault(each.by, each)
        return found

    def require_open(self) -> None:
        """Refuse a case that is over.

        Raises:
            StateError: it was lifted, withdrawn or prohibited.
        """
        if self.over is not None:
            raise StateError(
                "case-over",
                f"case `{self.case}` is over: it was {self.over.how}",
                help="a case ends once: open another one, or suspend under another name",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that stands in the way of lifting a case: what kind, about what, in words."""

    kind: str
    about: str
    text: str
    unnamed: str = ""
    """The same without the handles, if there are any in it."""


def what_stands_in_the_way(
    case: Case, at: Seconds, *, answers: Answers, not_reached: NotReached, narrowing: Digest | None = None
) -> tuple[Obstacle, ...]:
    """Return everything that keeps a case from being lifted at `at`, in the order of the steps.

    `narrowing`: or from being narrowed, by what people agreed to.
    """
    step, verb = (Step.LIFT, "lifting") if narrowing is None else (Step.NARROW, "narrowing")
    if case.over is not None:
        return (Obstacle(kind="over", about=case.case, text=f"the case is over: it was {case.over.how}"),)
    found: list[Obstacle] = []
    if not case.orders:
        found.append(
            Obstacle(kind="suspension", about=case.case, text="nothing is suspended: there is nothing to lift")
        )
    if case.review is None:
        found.append(Obstacle(kind="review", about=case.case, text="the review has not begun"))
    found += open_conditions(case, answers)
    found += missing_approvals(case, step, about=narrowing)
    for order, missing in case.unsigned().items():
        text = f"has not signed that order `{order}` may be lifted"
        named, unnamed = f"{', '.join(missing)} {text}", f"the authority {text}"
        found.append(Obstacle(kind="authority", about=order, text=named, unnamed=unnamed))
    served = case.served if narrowing is None else case.served_on.get(narrowing, {})
    found += _unserved(case, served, verb=verb)
    found += _left_out(case, served, not_reached)
    found += _days_left(case, served, at)
    return tuple(found)


def _unserved(case: Case, served: Mapping[str, Seconds], *, verb: str) -> list[Obstacle]:
    if not case.notices:
        return [Obstacle(kind="notice", about=case.case, text="no notice is required yet: people have to be told")]
    return [
        Obstacle(kind="notice", about=notice, text=f"notice `{notice}` was not served since {verb} was approved")
        for notice in case.notices
        if notice not in served
    ]


def _left_out(case: Case, served: Mapping[str, Seconds], not_reached: NotReached) -> list[Obstacle]:
    found = []
    for notice in (each for each in case.notices if each in served):
        if not_reached is None:
            text = f"how many people notice `{notice}` did not reach is not counted here"
            found.append(Obstacle(kind="reach", about=notice, text=text))
        elif missed := not_reached.get(notice):
            people = "person" if missed == 1 else "people"
            text = f"notice `{notice}` did not reach {missed:,} {people} whose content would be used again"
            found.append(Obstacle(kind="reach", about=notice, text=text))
    return found


def _days_left(case: Case, served: Mapping[str, Seconds], at: Seconds) -> list[Obstacle]:
    found = []
    for notice, days in case.notices.items():
        if notice in served and (left := served[notice] + days * SECONDS_PER_DAY - at) > 0:
            text = f"{_days(-(-left // SECONDS_PER_DAY))} left to wait after notice `{notice}`"
            found.append(Obstacle(kind="waiting", about=notice, text=text))
    return found


def open_conditions(case: Case, answers: Answers) -> list[Obstacle]:
    """Return the conditions that are not met."""
    open_ = ((each, answer) for each in case.conditions.values() if not (answer := each.answer(answers)).met)
    return [
        Obstacle(
            kind="condition",
            about=each.condition,
            text=f"condition `{each.condition}` ({each.title}) is open: {answer.found}",
        )
        for each, answer in open_
    ]


def missing_approvals(case: Case, step: Step, *, about: Digest | None = None) -> list[Obstacle]:
    """Return, if it is not approved, how many people still have to approve."""
    approved = case.approved_by(step, about)
    if len(approved) >= APPROVALS:
        return []
    missing = APPROVALS - len(approved)
    text = f"{missing} of {APPROVALS} approvals missing"
    named = text + (f", given by {', '.join(approved)}" if approved else "")
    return [Obstacle(kind="approval", about=case.case, text=named, unnamed=text)]


_BEFORE = {
    "suspension": CaseStanding.CONCERN_RAISED,
    "review": CaseStanding.SUSPENDED,
    "condition": CaseStanding.UNDER_REVIEW,
    "approval": CaseStanding.CONDITIONS_MET,
    "authority": CaseStanding.APPROVED,
    "notice": CaseStanding.APPROVED,
    "reach": CaseStanding.NOTICES_SERVED,
    "waiting": CaseStanding.WAITING,
}
"""How far a case is of which an obstacle of this kind is the first."""


def standing(case: Case, at: Seconds, *, answers: Answers, not_reached: NotReached) -> CaseStanding:
    """Return how far a case is at `at`."""
    if case.over is not None:
        return CaseStanding(case.over.how)
    step = step_reached(case, what_stands_in_the_way(case, at, answers=answers, not_reached=not_reached))
    in_review = step in (CaseStanding.UNDER_REVIEW, CaseStanding.CONDITIONS_MET)
    return CaseStanding.NARROWED if in_review and case.last_narrowed == case.changed else step


def step_reached(case: Case, obstacles: Sequence[Obstacle]) -> CaseStanding:
    """Return the last step that a case has reached which is not over; `obstacles` keep it from being lifted."""
    step = _BEFORE[obstacles[0].kind] if obstacles else CaseStanding.READY
    # Of conditions that nobody wrote down none is met.
    return CaseStanding.UNDER_REVIEW if step is CaseStanding.CONDITIONS_MET and not case.conditions else step


def _days(number: int) -> str:
    return f"{number} day{'s' * (number != 1)}"
