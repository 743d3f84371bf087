"""People who were told something a while ago."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.bootstrap import Deployment
from consentry.ledger.events import NoticeServed, Pseudonym
from consentry.policy.choice import Seconds


def told_then(deployment: Deployment, notice: str, people: Sequence[Pseudonym], *, at: Seconds) -> int:
    """Record that people were told at a time, as if nothing of later had been recorded; return the position."""
    cohort = deployment.control.desk.parts.people.store_cohort(people)
    (position,) = deployment.ledger.append([NoticeServed(notice=notice, at=at, cohort=cohort, count=len(people))])
    return position
