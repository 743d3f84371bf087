"""What is owed in a case, and how it stands: the register of its conditions, and its reports.

Every page, list, answer and report that speaks of the conditions of a case has them from `register`. Those of a case
that is over stand as they were found when it ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from consentry.digests import Digest
from consentry.oversight.case import Answers, Case, Condition, Report
from consentry.policy.choice import Seconds


class ConditionState(StrEnum):
    """How a condition stands."""

    OPEN = "open"
    OVERDUE = "overdue"
    MET = "met"


class ReportState(StrEnum):
    """How far a report is."""

    DUE = "due"
    OVERDUE = "overdue"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A condition, whether it is met, and what shows it."""

    condition: Condition
    met: bool
    found: str

    @property
    def evidence(self) -> Digest | None:
        """The document that was given to show it, if one was."""
        return None if self.condition.met is None else self.condition.met.evidence

    def state(self, at: Seconds) -> ConditionState:
        """Return how it stands at a time."""
        due = self.condition.due
        if self.met:
            return ConditionState.MET
        return ConditionState.OVERDUE if due is not None and at > due else ConditionState.OPEN


def register(case: Case, answers: Answers) -> list[Registered]:
    """Return the conditions of a case, in the order in which they were set; `answers` are what its checks find now."""
    at_the_end = dict(each.split(": ", 1) for each in case.over.found) if case.over is not None else {}
    found = []
    for each in case.conditions.values():
        answer, ended = each.answer(answers), at_the_end.get(each.condition)
        found.append(
            Registered(
                condition=each,
                met=answer.met or ended is not None,
                found=answer.found if ended is None else ended,
            )
        )
    return found


def report_state(report: Report, at: Seconds) -> ReportState:
    """Return how far a report is at a time."""
    if report.delivered is not None:
        return ReportState.DELIVERED
    return ReportState.OVERDUE if report.overdue(at) else ReportState.DUE
