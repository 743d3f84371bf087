"""An authority's matter and what is done about it: cases, conditions, approvals, assessments, reports, notices.

All of them are open events. Staff are named by the handle they give (`by`), in words that say nothing about a person;
texts that may be long are documents in the object store, named by digest. No personal data belongs in any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, get_args

from consentry.digests import Digest
from consentry.ledger.plain_body import PlainBody

Handle = str
"""What a member of staff calls themselves."""


class CaseEnd(StrEnum):
    """How a case ended."""

    LIFTED = "lifted"
    """Every condition was met, and the use goes on."""
    WITHDRAWN = "withdrawn"
    """Whoever raised the concern gave it up."""
    PROHIBITED = "prohibited"
    """The suspension stays for good."""


class Step(StrEnum):
    """What takes two people."""

    LIFT = "lift"
    NARROW = "narrow"
    WITHDRAW = "withdraw"
    CORRECT = "correct"
    """To have a case require less than was written down, by mistake, once somebody approved lifting it."""


class AssessmentKind(StrEnum):
    """What an assessment is of."""

    LEGITIMATE_INTEREST = "legitimate-interest"
    DATA_PROTECTION_IMPACT = "data-protection-impact"
    COMPATIBILITY = "compatibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(PlainBody):
    """A concern was raised. `by` is None if a suspension opened the case."""

    KIND: ClassVar[str] = "case.opened"

    case: str
    title: str
    reference: str
    by: Handle | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewBegun(PlainBody):
    """From here on conditions are worked through and approvals count."""

    KIND: ClassVar[str] = "case.review-begun"

    case: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionAdded(PlainBody):
    """What has to be so before the case can be lifted. `check` is a check by name, None if evidence is given instead.

    `policy` is the policy set that the check looks at. `due` is None only in events of before a day had to be named.
    """

    KIND: ClassVar[str] = "condition.added"

    case: str
    condition: str
    title: str
    owner: Handle
    due: int | None
    check: str | None
    policy: str | None
    parameters: tuple[str, ...]
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionMet(PlainBody):
    """A condition is met, as a document shows."""

    KIND: ClassVar[str] = "condition.met"

    case: str
    condition: str
    evidence: Digest
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReopenedV1(PlainBody):
    """What was thought met is not: as it was said before anybody was asked why. Read, and never written any more."""

    KIND: ClassVar[str] = "condition.reopened"

    case: str
    condition: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReopened(PlainBody):
    """What was thought met is not, and why."""

    KIND: ClassVar[str] = "condition.reopened"
    VERSION: ClassVar[int] = 2

    case: str
    condition: str
    reason: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(PlainBody):
    """Somebody agrees to a step of a case; `about` is the digest of what is to be done, where there is a choice."""

    KIND: ClassVar[str] = "approval.given"

    case: str
    step: Step
    about: Digest | None
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequired(PlainBody):
    """People have to be told `notice`, and `days` days have to pass, before a case can be lifted."""

    KIND: ClassVar[str] = "case.notice-required"

    case: str
    notice: str
    days: int
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeCorrected(PlainBody):
    """A notice was required by mistake: fewer `days` are enough after it; None: it is not required any more."""

    KIND: ClassVar[str] = "case.notice-corrected"

    case: str
    notice: str
    days: int | None
    reason: str
    by: tuple[Handle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTakenBack(PlainBody):
    """A condition was added by mistake: the case has it no more."""

    KIND: ClassVar[str] = "condition.taken-back"

    case: str
    condition: str
    reason: str
    by: tuple[Handle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseNarrowed(PlainBody):
    """Smaller orders took the place of those in force, in the same append."""

    KIND: ClassVar[str] = "case.narrowed"

    case: str
    orders: tuple[str, ...]
    by: tuple[Handle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEnded(PlainBody):
    """A case is over. `found` is what the checks found at that moment, a line for each."""

    KIND: ClassVar[str] = "case.ended"

    case: str
    how: CaseEnd
    reference: str
    found: tuple[str, ...]
    by: tuple[Handle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportScheduled(PlainBody):
    """A report is owed to the authority by a day."""

    KIND: ClassVar[str] = "report.scheduled"

    case: str
    report: str
    title: str
    due: int
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDelivered(PlainBody):
    """A report of the events [0, `position`) was handed over: the document with this digest."""

    KIND: ClassVar[str] = "report.delivered"

    case: str
    report: str
    document: Digest
    position: int
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentBound(PlainBody):
    """A document assesses exactly the policy set with this digest."""

    KIND: ClassVar[str] = "assessment.bound"

    assessment: AssessmentKind
    document: Digest
    policy: str
    policy_set: Digest
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWrittenV1(PlainBody):
    """The text of a notice: one for all its languages, as it was before. Read, and never written any more."""

    KIND: ClassVar[str] = "notice.written"

    notice: str
    document: Digest
    languages: tuple[str, ...]
    channel: str
    audience: str
    by: Handle | None

    @property
    def documents(self) -> tuple[Digest, ...]:
        """The text for each language."""
        return (self.document,) * len(self.languages)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWritten(PlainBody):
    """The texts of a notice, or the next version of them: `documents` has one for each of `languages`, in their order.

    A text that holds several languages stands for each of them.
    """

    KIND: ClassVar[str] = "notice.written"
    VERSION: ClassVar[int] = 2

    notice: str
    languages: tuple[str, ...]
    documents: tuple[Digest, ...]
    channel: str
    audience: str
    by: Handle | None

    @property
    def document(self) -> Digest:
        """The text that was written first: what is shown where there is none in somebody's language."""
        return self.documents[0]


CaseBody = (
    CaseOpened
    | ReviewBegun
    | ConditionAdded
    | ConditionMet
    | ConditionReopened
    | ConditionReopenedV1
    | ApprovalGiven
    | NoticeRequired
    | NoticeCorrected
    | ConditionTakenBack
    | CaseNarrowed
    | CaseEnded
    | ReportScheduled
    | ReportDelivered
    | AssessmentBound
    | NoticeWritten
    | NoticeWrittenV1
)
CASES: tuple[type[CaseBody], ...] = get_args(CaseBody)
"""They concern nobody's choices: what is known of people stays as it is."""
