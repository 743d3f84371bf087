"""Assessments: documents bound to the very policy set that they assess.

Rules:

* An assessment is bound to what the rules say (the digest of the set), not to a name: another version needs another
  one. A set that is laid out differently and says the same keeps it.
* A set that permits on the ground of legitimate interests needs a legitimate-interest assessment. One without it is
  flagged, not refused: an authority asks for the document, not the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from consentry.digests import Digest
from consentry.ledger.case_events import AssessmentBound, AssessmentKind
from consentry.ledger.envelope import Event
from consentry.policy.choice import Seconds
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import LegalBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A document, and what it assesses."""

    body: AssessmentBound
    position: int
    at: Seconds


class Assessments:
    """All assessments, folded from events."""

    def __init__(self) -> None:
        self._found: list[Assessment] = []

    def __iter__(self) -> Iterator[Assessment]:
        return iter(self._found)

    def take(self, event: Event) -> None:
        """Take one event in, if it binds an assessment."""
        if isinstance(event.body, AssessmentBound):
            self._found.append(Assessment(body=event.body, position=event.position, at=event.recorded_at))

    def of(self, policy_set: Digest) -> tuple[Assessment, ...]:
        """Return the assessments of a policy set, oldest first."""
        return tuple(each for each in self if each.body.policy_set == policy_set)

    def missing(self, policy: PolicySet) -> tuple[str, ...]:
        """Return the permits of a set that claim legitimate interests while no assessment of that is bound to it."""
        if any(each.body.assessment is AssessmentKind.LEGITIMATE_INTEREST for each in self.of(policy.digest)):
            return ()
        return tuple(sorted(each.id for each in policy.rules if each.legal_basis is LegalBasis.LEGITIMATE_INTERESTS))
