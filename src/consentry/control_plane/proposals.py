"""Changing a policy set: somebody proposes it, two different people approve it, and then it is in force.

The second approval and the publication are one append while the head is held: the COMMIT POINT of a change of policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle, require_texts
from consentry.corpus.areas import places_named
from consentry.errors import ConflictError, NotFoundError, PolicyError
from consentry.ledger.case_events import Handle
from consentry.ledger.events import Body, PolicyPublished
from consentry.ledger.proposal_events import PolicyApproved, PolicyProposed, ProposalEnd, ProposalEnded
from consentry.oversight.policy_proposal import APPROVALS, Proposal
from consentry.policy.policy_parser import check, load
from consentry.policy.policy_set import PolicySet, run_examples
from consentry.policy.policy_table import Problem


class ProposalVerbs:
    """Verbs about proposed policy sets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> list[Proposal]:
        """Return all proposals, oldest first."""
        return list(self._desk.present().overseen.proposals)

    def get(self, name: str) -> Proposal:
        """Return a proposal.

        Raises:
            NotFoundError: there is none of this name.
        """
        self._desk.present()
        return self._known(name)

    def propose(self, text: str, *, reason: str, by: Handle) -> Proposal:
        """Propose a policy set, whose examples hold.

        Raises:
            PolicyError: something is wrong with the text, or an example does not hold.
            ConflictError: it is what is in force, or an open proposal says the very same.
        """
        require_handle(by)
        require_texts(reason=reason)
        policy = read_whole(text)
        desk = self._desk
        document = desk.parts.objects.put(text.encode())
        desk.present()
        with desk.at_head() as session:
            in_force = desk.newest.state.policy(policy.name)
            known = desk.newest.overseen.proposals.of(policy.name)
            same = next((each.proposal for each in known if each.ended is None and each.document == document), None)
            if same is not None or (in_force is not None and in_force.digest == document):
                raise ConflictError(
                    "proposal-same",
                    f"proposal `{same}` says the very same" if same else f"this is what is in force as `{policy.name}`",
                    help="approve that one" if same else "change something in it",
                )
            body = PolicyProposed(
                proposal=f"{policy.name}.{len(known) + 1}",
                name=policy.name,
                version=policy.version,
                document=document,
                reason=reason,
                by=by,
            )
            (position,) = session.append([body])
        desk.write_down(position)
        with once_recorded():
            return self.get(body.proposal)

    def approve(self, name: str, *, by: Handle) -> Proposal:
        """Agree to a proposal; the second person to do so puts the set in force.

        Raises:
            ConflictError: this person approved it already, and nothing else came into force since.
            StateError: the proposal is over.
        """
        require_handle(by)

        def approve(proposal: Proposal) -> list[Body]:
            if by in proposal.approved:
                raise ConflictError(
                    "proposal-approved-already",
                    f"`{by}` approved this already",
                    help=f"it takes {APPROVALS} different people",
                )
            people = (*proposal.approved, by)
            said: list[Body] = [PolicyApproved(proposal=name, by=by)]
            if len(people) < APPROVALS:
                return said
            policy = self._desk.document(proposal.document)
            return [
                *said,
                ProposalEnded(proposal=name, how=ProposalEnd.PUBLISHED, by=people),
                PolicyPublished(name=policy.name, version=policy.version, digest=proposal.document),
            ]

        return self._in(name, approve)

    def withdraw(self, name: str, *, by: Handle) -> Proposal:
        """Take a proposal back, or say no to it: one person is enough, as nothing changes by that.

        Raises:
            StateError: the proposal is over.
        """
        require_handle(by)
        return self._in(name, lambda _: [ProposalEnded(proposal=name, how=ProposalEnd.WITHDRAWN, by=(by,))])

    def _known(self, name: str) -> Proposal:
        found = self._desk.newest.overseen.proposals.get(name)
        if found is None:
            raise NotFoundError("proposal-unknown", f"no proposal `{name}`", help="see /console/proposals")
        return found

    def _in(self, name: str, say: Callable[[Proposal], Sequence[Body]]) -> Proposal:
        """Say something about a proposal that is not over, while nobody else can say anything."""
        desk = self._desk
        desk.present()
        with desk.at_head() as session:
            proposal = self._known(name)
            proposal.require_open()
            positions = session.append(say(proposal))
        desk.write_down(positions[-1])
        with once_recorded():
            return self.get(name)


def problems_of(text: str) -> list[Problem]:
    """Return everything that is wrong with the text of a policy set."""
    return check(text, "line", places_named=places_named)


def read_whole(text: str) -> PolicySet:
    """Return the policy set in a text whose examples hold.

    Raises:
        PolicyError: something is wrong with it, or an example does not hold.
    """
    policy = load(text, "proposal", places_named=places_named)
    failed = [result for result in run_examples(policy) if not result.holds]
    if failed:
        raise PolicyError(
            "policy-example-fails",
            f"{len(failed)} {'example does' if len(failed) == 1 else 'examples do'} not hold, first:"
            f" {failed[0].example.title}",
            help="mend the rules or the example",
            where=f"proposal:{failed[0].example.line}",
        )
    return policy
