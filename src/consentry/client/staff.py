"""What staff ask of a server, beside cases and orders: objections, notices and policy sets.

Most of it is done by somebody: by the account whose session the client shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from consentry.client.answers import Said
from consentry.client.connection import address
from consentry.client.oversight import ForOversight
from consentry.client.staff_answers import (
    Checked,
    Differences,
    Filed,
    Notice,
    NoticeVersion,
    Objection,
    PolicySet,
    PolicyVersion,
    PolicyVersions,
    Proposal,
    VersionText,
    WholeObjection,
    WholePolicySet,
    WholeProposal,
)


class ForStaff(ForOversight):
    """A part of `Consentry`."""

    def file_objection(self, *, find: str, answer_to: str, **more: Any) -> Filed:
        """Pass on what somebody wrote: also `reason`, `purpose`. `link` is None if the answer that had it was lost."""
        return self._write("/v1/objections", Filed, {"find": find, "answer_to": answer_to, **more})

    def objections(self, *states: str, overdue: bool = False, mine: bool = False) -> Iterator[Objection]:
        """Yield objections, oldest first: those in some states, or all that wait for an answer."""
        asked = {"overdue": str(overdue).lower(), "mine": str(mine).lower()}
        return self._rows(
            "/v1/objections",
            "objections",
            Objection,
            query={**asked, **({"state": list(states)} if states else {})},
        )

    def objection(self, name: str) -> WholeObjection:
        """Return an objection with what was written."""
        return self._get(address("/v1/objections/{}", name), WholeObjection)

    def take_objection(self, name: str) -> Objection:
        """Look at an objection, or take it over."""
        return self._write(address("/v1/objections/{}/take", name), Objection, {})

    def ask_objector(self, name: str, *, text: str) -> Objection:
        """Ask the objector for more."""
        return self._write(address("/v1/objections/{}/ask", name), Objection, {"text": text})

    def extend_objection(self, name: str, *, months: int, text: str) -> Objection:
        """Take one or two months longer, and say why."""
        return self._write(address("/v1/objections/{}/extend", name), Objection, {"months": months, "text": text})

    def match_person(self, name: str, person: str, **more: Any) -> Objection:
        """Answer that a person's content is meant: also `categories`, `reach`, `reply`, `alike`."""
        return self._write(address("/v1/objections/{}/match-person", name), Objection, {"person": person, **more})

    def match_items(
        self, name: str, items: Sequence[str], *, corpus: str, reply: str = "", alike: bool = False
    ) -> Objection:
        """Answer that single items are meant; `alike`: to all that wait and say the same."""
        body = {"items": list(items), "corpus": corpus, "reply": reply, "alike": alike}
        return self._write(address("/v1/objections/{}/match-items", name), Objection, body)

    def objection_not_found(self, name: str, *, text: str, alike: bool = False) -> Objection:
        """Answer that nothing was found, and say what was tried; `alike`: to all that wait and say the same."""
        body = {"text": text, "alike": alike}
        return self._write(address("/v1/objections/{}/not-found", name), Objection, body)

    def decline_objection(self, name: str, *, ground: str, text: str, alike: bool = False) -> Objection:
        """Answer that it is not followed, on a lawful ground; `alike`: to all that wait and say the same."""
        body = {"ground": ground, "text": text, "alike": alike}
        return self._write(address("/v1/objections/{}/decline", name), Objection, body)

    def note_objection(self, name: str, *, text: str) -> Objection:
        """Write something down for the others."""
        return self._write(address("/v1/objections/{}/note", name), Objection, {"text": text})

    def notices(self) -> Iterator[Notice]:
        """Yield the notices."""
        return self._rows("/v1/notices", "notices", Notice)

    def notice(self, name: str) -> Notice:
        """Return a notice."""
        return self._get(address("/v1/notices/{}", name), Notice)

    def notice_text(self, name: str, number: int) -> VersionText:
        """Return a version of a notice with its text."""
        return self._get(address("/v1/notices/{}/versions/{}", name, number), VersionText)

    def write_notice(self, name: str, **body: Any) -> NoticeVersion:
        """Store the next version of a notice: `text`, `languages`, `channel`, `audience`, and `others` if there are."""
        return self._write("/v1/notices", NoticeVersion, {"notice": name, **body})

    def serve_notice(self, name: str, people: Sequence[str], *, at: int) -> Said:
        """Record that people were told."""
        return self._write(address("/v1/notices/{}/servings", name), Said, {"people": list(people), "at": at})

    def policy_sets(self) -> Iterator[PolicySet]:
        """Yield the policy sets in force."""
        return self._rows("/v1/policy-sets", "policy_sets", PolicySet)

    def policy_set(self, name: str) -> WholePolicySet:
        """Return a policy set with its rules and its text."""
        return self._get(address("/v1/policy-sets/{}", name), WholePolicySet)

    def policy_versions(self, name: str) -> list[PolicyVersion]:
        """Return what was in force under a name, oldest first."""
        return self._get(address("/v1/policy-sets/{}/versions", name), PolicyVersions)["versions"]

    def policy_differences(self, name: str, *, before: int, after: int) -> list[str]:
        """Say what changed between two versions, by the positions from which they were in force."""
        asked = {"before": str(before), "after": str(after)}
        return self._get(address("/v1/policy-sets/{}/differences", name), Differences, asked)["differences"]

    def check_policy(self, text: str) -> Checked:
        """Say what is wrong with a policy set, or what it would change."""
        return self._post("/v1/policy-sets/check", Checked, {"text": text})

    def policy_proposals(self) -> Iterator[Proposal]:
        """Yield the proposals, oldest first."""
        return self._rows("/v1/policy-proposals", "proposals", Proposal)

    def policy_proposal(self, name: str) -> WholeProposal:
        """Return a proposal with its text and what it would change."""
        return self._get(address("/v1/policy-proposals/{}", name), WholeProposal)

    def propose_policy(self, text: str, *, reason: str) -> Proposal:
        """Propose a policy set."""
        return self._write("/v1/policy-proposals", Proposal, {"text": text, "reason": reason})

    def approve_policy(self, proposal: str) -> Proposal:
        """Agree to a proposal; the second person puts it in force."""
        return self._write(address("/v1/policy-proposals/{}/approvals", proposal), Proposal, {})

    def withdraw_proposal(self, proposal: str) -> Proposal:
        """Take a proposal back, or say no to it."""
        return self._write(address("/v1/policy-proposals/{}/withdrawal", proposal), Proposal, {})
