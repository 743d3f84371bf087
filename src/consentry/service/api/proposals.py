"""Changes of policy sets: checked, proposed, and in force once two different people have approved them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, Field

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.control_plane.proposals import problems_of
from consentry.errors import NotFoundError
from consentry.ledger.proposal_events import ProposalEnd
from consentry.ledger.state import Published
from consentry.oversight import policy_proposal
from consentry.oversight.policy_proposal import APPROVALS
from consentry.policy.policy_diff import diff
from consentry.policy.policy_parser import load
from consentry.policy.policy_prose import describe_diff
from consentry.policy.policy_set import run_examples
from consentry.policy.vocabulary import Purpose
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import After, Answer, Body, Limit, Line, Named, Position, part, problems, utf8
from consentry.service.gate import Control, NeedsAll
from consentry.service.policy_effects import effects
from consentry.service.request_words import form

ROUTER = APIRouter(prefix="/v1", tags=["policy sets"], route_class=Once)
Reader = Annotated[Principal, Depends(NeedsAll(Action.POLICY_READ))]
Proposer = Annotated[Principal, Depends(NeedsAll(Action.POLICY_PROPOSE))]
Approver = Annotated[Principal, Depends(NeedsAll(Action.POLICY_APPROVE))]
Called = Annotated[
    str,
    Path(
        pattern=form(r"^[a-z0-9]+(-[a-z0-9]+)*\.[0-9]{1,9}$", "must be the name of a policy set, a dot and a number"),
        max_length=120,
    ),
]
Toml = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500_000,
        pattern=form(r"^[^\x00]*[!-~][^\x00]*$", "must be text without NUL, not only spaces"),
    ),
    AfterValidator(utf8),
]
At = Annotated[int, Query(ge=0, description="Where a set of this name came into force.")]


class PolicyVersion(Answer):
    """A policy set that is or was in force under a name, from its position on."""

    version: str
    digest: str
    position: Position


class PolicyVersions(Answer):
    """What was in force under a name, oldest first. The last one is."""

    versions: list[PolicyVersion]


class Differences(Answer):
    """What changes from one policy set to another, in words: rules, and answers."""

    differences: list[str]


class BeforeAndAfter(Answer):
    """How many items, and how many afterwards."""

    before: int
    after: int


class PolicyEffect(Answer):
    """What would change of what is used for a purpose, counted from the census.

    What decides about the purpose now is compared with what would if the set were published. `release` is the newest,
    if there is one. Numbers by place, category and reason are changes. `undecided` items depend on when they were
    created; those `involving_several` people may be denied because of them.
    `problem` says why nothing could be counted, and then there are no numbers.
    """

    corpus: str
    purpose: Purpose
    release: str | None
    problem: str
    undecided: int | None = None
    involving_several: int | None = None
    eligible: BeforeAndAfter | None = None
    by_place: Mapping[str, int] = {}
    by_category: Mapping[str, int] = {}
    by_reason: Mapping[str, int] = {}


class Proposal(Answer):
    """A proposed policy set. It comes into force with the approval of as many different people as are `needed`."""

    proposal: str
    name: str
    version: str
    document: str
    reason: str
    by: str
    position: Position
    at: int
    approved: list[str]
    needed: int
    overtaken: bool
    ended: ProposalEnd | None
    ended_by: list[str]
    ended_at: int | None


class Proposals(Answer):
    """Proposals, oldest first."""

    proposals: list[Proposal]
    next: str | None


class WholeProposal(Proposal):
    """A proposal with its text (TOML), and while it is open what it would change.

    `against` names what `differences` are to: the set in force under its name, and those that decide now about what it
    is for. They are null where there is none.
    """

    text: str
    against: list[str]
    differences: list[str] | None
    effects: list[PolicyEffect]


class Text(Body):
    """A policy set (TOML)."""

    text: Toml


class Proposed(Text):
    """A policy set, and why it should be in force."""

    reason: Line


class Wrong(Answer):
    """Something that is wrong with a text."""

    code: str
    line: int | None
    message: str
    help: str


class Failing(Answer):
    """An example of a policy set that does not hold."""

    title: str
    line: int
    failure: str


class Checked(Answer):
    """What is wrong with a text; nothing in both lists: it can be proposed. Then `differences` and `effects` count."""

    problems: list[Wrong]
    failing: list[Failing]
    name: str | None = None
    version: str | None = None
    against: tuple[str, ...] = ()
    differences: list[str] | None = None
    effects: tuple[PolicyEffect, ...] = ()


@ROUTER.get("/policy-sets/{name}/versions", responses=problems({404: "policy-not-published"}))
def versions(*, name: Named, _: Reader, control: Control) -> PolicyVersions:
    """Return what was in force under a name."""
    found = _published(control, name).values()
    return PolicyVersions(
        versions=[PolicyVersion(version=e.version, digest=e.digest, position=e.position) for e in found]
    )


@ROUTER.get("/policy-sets/{name}/differences", responses=problems({404: "policy-not-published"}))
def differences(*, name: Named, before: At, after: At, _: Reader, control: Control) -> Differences:
    """Return what changed between two policy sets of a name, by the positions from which they were in force."""
    known = _published(control, name)
    if before not in known or after not in known:
        raise NotFoundError(
            "policy-not-published",
            f"no policy set of the name `{name}` came into force at one of the positions",
            help=f"GET /v1/policy-sets/{name}/versions lists them",
        )
    sets = [control.desk.document(known[each].digest) for each in (before, after)]
    return Differences(differences=list(describe_diff(diff(*sets, at=control.desk.parts.clock()))))


@ROUTER.post("/policy-sets/check")
def checked(*, body: Text, _: Proposer, control: Control) -> Checked:
    """Say what is wrong with a policy set, or what it would change if it were in force. Nothing is recorded."""
    wrong = [_wrong(each.code, each.where, message=each.message, advice=each.help) for each in problems_of(body.text)]
    if wrong:
        return Checked(problems=wrong, failing=[])
    policy = load(body.text, "line")
    failing = [
        Failing(title=each.example.title, line=each.example.line, failure=each.failure)
        for each in run_examples(policy)
        if not each.holds
    ]
    return Checked(
        problems=[],
        failing=failing,
        name=policy.name,
        version=policy.version,
        **_effects(control, policy.name, body.text),
    )


@ROUTER.get("/policy-proposals", responses=problems({422: "list-cursor"}))
def every(*, _: Reader, control: Control, limit: Limit = 100, after: After = None) -> Proposals:
    """Return the proposals, oldest first."""
    found = part(control.proposals.all(), lambda each: each.proposal, limit=limit, after=after)
    return Proposals(proposals=[Proposal(**_described(each)) for each in found.rows], next=found.next)


@ROUTER.get("/policy-proposals/{proposal}", responses=problems({404: "proposal-unknown"}))
def one(*, proposal: Called, _: Reader, control: Control) -> WholeProposal:
    """Return a proposal with its text, and what it would change."""
    found = control.proposals.get(proposal)
    text = control.desk.parts.objects.get(found.document).decode()
    changed = (
        {"against": [], "differences": None, "effects": []} if found.ended else _effects(control, found.name, text)
    )
    return WholeProposal(**_described(found), text=text, **changed)


@ROUTER.post(
    "/policy-proposals",
    status_code=201,
    dependencies=[KEY],
    responses=problems({409: "proposal-same idempotency-running", 422: "policy-example-fails policy-syntax"}),
)
def propose(*, body: Proposed, who: Proposer, control: Control) -> Proposal:
    """Propose a policy set whose examples hold. Who proposes may be one of those who approve."""
    return Proposal(**_described(control.proposals.propose(body.text, reason=body.reason, by=who.handle)))


@ROUTER.post(
    "/policy-proposals/{proposal}/approvals",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "proposal-unknown", 409: "proposal-approved-already proposal-over idempotency-running"}),
)
def approve(*, proposal: Called, who: Approver, control: Control) -> Proposal:
    """Agree to a proposal; the second person to do so puts it in force."""
    return Proposal(**_described(control.proposals.approve(proposal, by=who.handle)))


@ROUTER.post(
    "/policy-proposals/{proposal}/withdrawal",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "proposal-unknown", 409: "proposal-over idempotency-running"}),
)
def withdraw(*, proposal: Called, who: Approver, control: Control) -> Proposal:
    """Take a proposal back, or say no to it."""
    return Proposal(**_described(control.proposals.withdraw(proposal, by=who.handle)))


def _published(control: ControlPlane, name: str) -> dict[int, Published]:
    """Return what was in force under a name, by position.

    Raises:
        NotFoundError: nothing ever was.
    """
    found = {each.position: each for each in control.desk.present().state.policies if each.name == name}
    if not found:
        raise NotFoundError("policy-not-published", f"no policy set `{name}`", help="GET /v1/policy-sets lists them")
    return found


def _effects(control: ControlPlane, name: str, text: str) -> dict[str, Any]:
    found = effects(control, load(text, name, accepted=True))
    changes = [PolicyEffect.model_validate(each) for each in found["changes"]]
    return {"against": found["against"], "differences": found["lines"], "effects": changes}


def _described(found: policy_proposal.Proposal) -> dict[str, Any]:
    names = [name for name in Proposal.model_fields if name != "needed"]
    return {**{name: getattr(found, name) for name in names}, "needed": APPROVALS}


def _wrong(code: str, where: str, *, message: str, advice: str) -> Wrong:
    line = where.rpartition(":")[2]
    return Wrong(code=code, line=int(line) if line.isdecimal() else None, message=message, help=advice)
