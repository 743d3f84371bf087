"""Assessments: what lawyers wrote about a policy set, bound to what it says.

They are documents in the object store; the ledger names them by digest. They hold no personal data.
"""

from __future__ import annotations

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle
from consentry.errors import InputError
from consentry.ledger.case_events import AssessmentBound, AssessmentKind, Handle
from consentry.oversight.assessment import Assessment
from consentry.policy.policy_set import PolicySet


class AssessmentVerbs:
    """Verbs about assessments."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def bind(self, kind: AssessmentKind, document: bytes, *, policy: str, by: Handle) -> Assessment:
        """Bind a document to what the policy set in force under a name says.

        Raises:
            NotFoundError: no such policy set is in force.
            InputError: an empty document.
        """
        if not document:
            raise InputError("assessment-empty", "the assessment is an empty document", help="give the document itself")
        require_handle(by)
        found, _ = self.desk.policy(policy)
        body = AssessmentBound(
            assessment=kind,
            document=self.desk.parts.objects.put(document),
            policy=policy,
            policy_set=found.digest,
            by=by,
        )
        (position,) = self.desk.parts.ledger.append([body])
        with once_recorded():
            return next(each for each in self.desk.present().overseen.assessments if each.position == position)

    def every(self) -> list[Assessment]:
        """Return all assessments, oldest first."""
        return list(self.desk.present().overseen.assessments)

    def missing(self, policy: PolicySet) -> tuple[str, ...]:
        """Return the permits of a set that claim legitimate interests without a bound assessment."""
        return self.desk.present().overseen.assessments.missing(policy)
