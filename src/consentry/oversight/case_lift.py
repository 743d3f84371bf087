"""Lifting a case, and agreeing to narrow it: what is recorded, or why that is refused.

What has to be so is said in `consentry.oversight.case`.
"""

from __future__ import annotations

from consentry.errors import StateError
from consentry.ledger.case_events import CaseEnd, CaseEnded, Handle, Step
from consentry.oversight.case import Answers, Case, NotReached, Obstacle, what_stands_in_the_way
from consentry.policy.choice import Seconds


def lifted(
    case: Case, *, at: Seconds, answers: Answers, not_reached: NotReached, reference: str, by: Handle
) -> CaseEnded:
    """Return the event that lifts a case.

    Raises:
        StateError: it is over, or something stands in the way.
    """
    case.require_open()
    obstacles = what_stands_in_the_way(case, at, answers=answers, not_reached=not_reached)
    if obstacles:
        raise StateError(
            "case-not-ready",
            f"case `{case.case}` cannot be lifted: {'; '.join(each.text for each in obstacles)}",
            help="do what is missing; `consentry case show` has the whole register",
        )
    found = tuple(f"{each.condition}: {each.answer(answers).found}" for each in case.conditions.values())
    people = tuple(dict.fromkeys((*case.approved_by(Step.LIFT), by)))
    return CaseEnded(case=case.case, how=CaseEnd.LIFTED, reference=reference, found=found, by=people)


def require_ready_to_narrow(case: Case, obstacles: tuple[Obstacle, ...]) -> None:
    """Refuse to agree to a narrowing before the review has begun and every condition is met.

    Raises:
        StateError: one of these stands in the way.
    """
    missing = [each.text for each in obstacles if each.kind in ("review", "condition")]
    if missing:
        raise StateError(
            "case-not-ready",
            f"case `{case.case}` cannot be narrowed: {'; '.join(missing)}",
            help="do what is missing: what a narrowing gives back needs what lifting it would need",
        )
