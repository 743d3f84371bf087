"""Proposed changes of policy: who proposed what, who agreed, and whether that still counts.

Rules:

* A proposal is the whole text of a policy set. Its name says whose place it takes.
* It comes into force when two different people approve it. Who proposed it may be one of them: so at least two people
  stand for every change.
* An approval is of the difference to what is in force. If another set comes into force under the name, all approvals
  from before count for nothing.
* A proposal that was published or withdrawn is over, and stays over.
* An operator on the machine itself can still publish without a proposal (`consentry policy publish`). That is in the
  ledger as well, as a publication that no proposal led to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from consentry.digests import Digest
from consentry.errors import StateError
from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import Event
from consentry.ledger.events import PolicyPublished
from consentry.ledger.proposal_events import PolicyApproved, PolicyProposed, ProposalEnd, ProposalEnded
from consentry.policy.choice import Seconds

APPROVALS = 2
"""How many different people it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed policy set. `approved` are those whose approval counts now, in order."""

    proposal: str
    name: str
    version: str
    document: Digest
    reason: str
    by: Handle
    position: int
    at: Seconds
    approved: tuple[Handle, ...] = ()
    overtaken: bool = False
    """Another set came into force under the name since somebody approved."""
    ended: ProposalEnd | None = None
    ended_by: tuple[Handle, ...] = ()
    ended_at: Seconds | None = None

    def require_open(self) -> None:
        """Refuse a proposal that is over.

        Raises:
            StateError: it was published or withdrawn.
        """
        if self.ended is not None:
            raise StateError(
                "proposal-over",
                f"proposal `{self.proposal}` is over: it was {self.ended}",
                help="propose the set again, if it still is what you want",
            )


class Proposals:
    """All proposals, folded from events."""

    def __init__(self) -> None:
        self._proposals: dict[str, Proposal] = {}
        self._agreed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By the name of a set, the open proposals that somebody approved: only those can be overtaken."""

    def __iter__(self) -> Iterator[Proposal]:
        return iter(tuple(self._proposals.values()))

    def get(self, proposal: str) -> Proposal | None:
        """Return a proposal."""
        return self._proposals.get(proposal)

    def of(self, name: str) -> tuple[Proposal, ...]:
        """Return the proposals for a policy set, oldest first."""
        return tuple(each for each in self if each.name == name)

    def take(self, event: Event) -> None:
        """Take one event in, if it is about proposals."""
        body = event.body
        if isinstance(body, PolicyProposed):
            self._keep(
                Proposal(
                    proposal=body.proposal,
                    name=body.name,
                    version=body.version,
                    document=body.document,
                    reason=body.reason,
                    by=body.by,
                    position=event.position,
                    at=event.recorded_at,
                )
            )
        elif isinstance(body, PolicyPublished):
            for each in [self._proposals[name] for name in self._agreed[body.name]]:
                self._keep(replace(each, approved=(), overtaken=True))
        elif isinstance(body, PolicyApproved | ProposalEnded):
            known = self._proposals.get(body.proposal)
            if known is not None and known.ended is None:
                self._keep(_after(known, body, at=event.recorded_at))

    def _keep(self, proposal: Proposal) -> None:
        self._proposals[proposal.proposal] = proposal
        if proposal.ended is None and proposal.approved:
            self._agreed[proposal.name][proposal.proposal] = None
        else:
            self._agreed[proposal.name].pop(proposal.proposal, None)


def _after(known: Proposal, body: PolicyApproved | ProposalEnded, *, at: Seconds) -> Proposal:
    if isinstance(body, PolicyApproved):
        return replace(known, approved=tuple(dict.fromkeys((*known.approved, body.by))), overtaken=False)
    return replace(known, ended=body.how, ended_by=body.by, ended_at=at)
