"""Changes of policy that were proposed, and who agreed to them. All of them are open events.

The text of a proposed set is a document in the object store, named by digest. That a set is in force says
`policy.published`, whichever way it came there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from consentry.digests import Digest
from consentry.ledger.case_events import Handle
from consentry.ledger.plain_body import PlainBody


class ProposalEnd(StrEnum):
    """How a proposal ended."""

    PUBLISHED = "published"
    """Two people agreed, and the set is in force."""
    WITHDRAWN = "withdrawn"
    """Somebody took it back, or said no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposed(PlainBody):
    """Somebody proposes that the policy set in `document` takes the place of what is in force under its name."""

    KIND: ClassVar[str] = "policy.proposed"

    proposal: str
    name: str
    version: str
    document: Digest
    reason: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyApproved(PlainBody):
    """Somebody agrees to a proposal."""

    KIND: ClassVar[str] = "policy.approved"

    proposal: str
    by: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalEnded(PlainBody):
    """A proposal is over; `by` are those who agreed to it, or who took it back."""

    KIND: ClassVar[str] = "policy.proposal-ended"

    proposal: str
    how: ProposalEnd
    by: tuple[Handle, ...]


ProposalBody = PolicyProposed | PolicyApproved | ProposalEnded
PROPOSALS = (PolicyProposed, PolicyApproved, ProposalEnded)
"""They concern nobody's choices: what is known of people stays as it is."""
