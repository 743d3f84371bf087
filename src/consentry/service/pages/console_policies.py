"""Policy sets: what is in force in plain words, what differs between two, and changes that two people approve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.in_force import Stood, every_one, every_set
from consentry.control_plane.plane import ControlPlane
from consentry.control_plane.proposals import problems_of
from consentry.errors import ConsentryError, NotFoundError
from consentry.ledger.state import Published
from consentry.oversight.policy_proposal import APPROVALS
from consentry.policy.library import shipped
from consentry.policy.policy_diff import diff
from consentry.policy.policy_parser import load
from consentry.policy.policy_prose import describe, describe_diff
from consentry.policy.policy_set import PolicySet, run_examples
from consentry.policy.policy_table import Problem
from consentry.service.gate import Control
from consentry.service.languages import LANGUAGES, N_, Language
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, SEE_OTHER, Staff, said, told, twin
from consentry.service.policy_effects import effects
from consentry.service.site import page

ROUTER = APIRouter()
Reading = Annotated[Principal, Depends(Staff(Action.POLICY_READ))]
Proposing = Annotated[Principal, Depends(Staff(Action.POLICY_PROPOSE))]
Approving = Annotated[Principal, Depends(Staff(Action.POLICY_APPROVE))]
Text = Annotated[str, Form()]
_NO_EFFECTS: Mapping[str, Any] = MappingProxyType({"against": [], "lines": None, "changes": [], "stays": []})
_POLICIES = Listing(
    name="policies",
    columns=(
        Column("name", N_("Policy set"), chosen_from=True),
        Column("version", N_("Version")),
        Column("title", N_("About")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("since", N_("Since"), kind="time"),
        Column("until", N_("Until"), kind="time"),
        Column("rules", N_("Rules"), kind="number"),
        Column("unassessed", N_("Permits without an assessment"), kind="list"),
        Column("position", N_("Position"), kind="number"),
    ),
    sort="-position",
)
_PROPOSALS = Listing(
    name="proposals",
    columns=(
        Column("proposal", N_("Proposal")),
        Column("version", N_("Version")),
        Column("reason", N_("Why")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("by", N_("Proposed by"), chosen_from=True),
        Column("approved", N_("Approved by"), kind="list"),
        Column("at", N_("Proposed"), kind="time"),
    ),
    sort="-at",
)


@ROUTER.get("/console/policies")
def policies(request: Request, control: Control, *, _: Reading) -> Response:
    """List every policy set that is or was in force."""
    rows = [_row(control, each) for each in every_set(control.desk.present().state.policies)]
    return _POLICIES.answer(request, rows, template="console/policies.html")


def _row(control: ControlPlane, stood: Stood) -> dict[str, Any]:
    published, policy = stood.published, control.desk.document(stood.published.digest)
    return {
        "name": published.name,
        "version": published.version,
        "title": policy.title,
        **_standing(control, stood),
        "rules": len(policy.rules),
        "unassessed": list(control.assessments.missing(policy)) if stood.ended is None else [],
        "position": published.position,
        "link": published.position,
    }


def _standing(control: ControlPlane, stood: Stood) -> dict[str, Any]:
    until = None if stood.ended is None else control.desk.recorded_at(stood.ended.position)
    return {"state": stood.state, "since": control.desk.recorded_at(stood.published.position), "until": until}


@ROUTER.get("/console/policies/{position}")
def one(request: Request, control: Control, *, position: int, _: Reading) -> Response:
    """Show what a policy set says, with its examples and its text."""
    known = every_one(control.desk.present().state.policies)
    stood = next((each for each in known if each.published.position == position), None)
    if stood is None:
        raise NotFoundError("policy-not-published", "no policy set came into force there", help="see /console/policies")
    published, policy = stood.published, control.desk.document(stood.published.digest)
    text = control.desk.parts.objects.get(published.digest).decode()
    standing = _standing(control, stood)
    return twin(request, lambda: {**_document(published, policy, text=text), **standing}) or page(
        request,
        "console/policy.html",
        published=published,
        stood=stood,
        standing=standing,
        policy=policy,
        prose=describe(policy),
        examples=run_examples(policy),
        text=text,
        unassessed=control.assessments.missing(policy),
    )


def _document(published: Published, policy: PolicySet, *, text: str) -> dict[str, Any]:
    """Return a policy set, in force or not any more, as a document; `/v1/policy-sets` has those in force."""
    named = {"name": published.name, "version": published.version}
    titles = {"title": policy.title, "title_in": dict(policy.title_in)}
    examples = [{"example": each.example.title, "holds": each.holds} for each in run_examples(policy)]
    rest = {"position": published.position, "document": published.digest, "examples": examples, "text": text}
    return {**named, **titles, **rest}


@ROUTER.get("/console/compare-policies")
def compare(
    request: Request,
    control: Control,
    *,
    _: Reading,
    before: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Say what changes when one policy set takes the place of another: rules, and answers."""
    known = {str(each.position): each for each in control.desk.present().state.policies}
    lines = None
    if before in known and after in known:
        sets = [control.desk.document(known[each].digest) for each in (before, after)]
        lines = describe_diff(diff(*sets, at=control.desk.parts.clock()))
    names = [(position, f"{each.name} {each.version} ({position})") for position, each in reversed(known.items())]
    same = twin(request, lambda: {"before": before, "after": after, "changes": lines})
    return same or page(request, "console/compare_policies.html", names=names, before=before, after=after, lines=lines)


@ROUTER.get("/console/proposals")
def proposals(request: Request, control: Control, *, _: Reading) -> Response:
    """List all proposed changes."""
    rows = [
        {
            "proposal": each.proposal,
            "version": each.version,
            "reason": each.reason,
            "state": str(each.ended) if each.ended is not None else "open",
            "by": each.by,
            "approved": list(each.approved),
            "at": each.at,
        }
        for each in control.proposals.all()
    ]
    return _PROPOSALS.answer(request, rows, template="console/proposals.html")


@ROUTER.get("/console/propose-policy")
def form(
    request: Request, control: Control, *, _: Proposing, start: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Show the form for a changed policy set, filled with one to start from."""
    published = control.desk.present().state.policy(start)
    text = shipped().get(start, "") if published is None else control.desk.parts.objects.get(published.digest).decode()
    return _form(request, control, text=text)


@ROUTER.post("/console/propose-policy")
def propose(
    *,
    request: Request,
    control: Control,
    who: Proposing,
    file: UploadFile | None = None,
    text: Text = "",
    reason: Text = "",
    step: Text = "check",
) -> Response:
    """Check a policy set and show what it would change; in the step after that, propose it."""
    uploaded = (file.file.read() if file is not None else b"").decode("utf-8", "replace")
    given = (uploaded or text).replace("\r\n", "\n")
    problems = problems_of(given)
    if problems or not given.strip():
        return _form(request, control, text=given, reason=reason, problems=problems)
    if step != "propose" or uploaded:
        return _form(request, control, text=given, reason=reason, policy=load(given, "proposal"))
    try:
        made = control.proposals.propose(given, reason=reason.strip(), by=who.handle)
    except ConsentryError as error:
        policy = load(given, "proposal")
        return _form(request, control, text=given, reason=reason, policy=policy, problem=told(error, field="reason"))
    return RedirectResponse(f"/console/proposals/{quote(made.proposal)}", SEE_OTHER)


@ROUTER.get("/console/proposals/{proposal}")
def proposed(request: Request, control: Control, *, proposal: str, _: Reading) -> Response:
    """Show a proposed change: what it says, what differs, and what it would change of what is used."""
    return _show(request, control, proposal)


@ROUTER.post("/console/proposals/{proposal}/approve")
def approve(request: Request, control: Control, *, proposal: str, who: Approving) -> Response:
    """Agree to a proposal; the second person puts it in force."""
    return _done(request, control, proposal, do=lambda: control.proposals.approve(proposal, by=who.handle))


@ROUTER.post("/console/proposals/{proposal}/withdraw")
def withdraw(request: Request, control: Control, *, proposal: str, who: Approving) -> Response:
    """Take a proposal back, or say no to it."""
    return _done(request, control, proposal, do=lambda: control.proposals.withdraw(proposal, by=who.handle))


def _done(request: Request, control: ControlPlane, proposal: str, *, do: Callable[[], object]) -> Response:
    return said(
        do,
        to=f"/console/proposals/{quote(proposal)}",
        again=lambda problem: _show(request, control, proposal, problem=problem),
    )


def _show(
    request: Request, control: ControlPlane, proposal: str, *, problem: Mapping[str, Any] | None = None
) -> Response:
    found = control.proposals.get(proposal)
    policy = control.desk.document(found.document)
    return page(
        request,
        "console/proposal.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        proposal=found,
        needed=APPROVALS,
        policy=policy,
        prose=describe(policy),
        text=control.desk.parts.objects.get(found.document).decode(),
        examples=run_examples(policy),
        unsaid=_unsaid(policy),
        **(effects(control, policy) if found.ended is None else _NO_EFFECTS),
    )


def _form(
    request: Request,
    control: ControlPlane,
    *,
    text: str,
    reason: str = "",
    problems: Sequence[Problem] = (),
    policy: PolicySet | None = None,
    problem: Mapping[str, Any] | None = None,
) -> Response:
    examples = () if policy is None else run_examples(policy)
    wrong = bool(problems) or problem is not None
    return page(
        request,
        "console/propose_policy.html",
        status=REFUSED if wrong else 200,
        problem=problem,
        problems=[(each.where.rpartition(":")[2], each.message, each.help) for each in problems],
        text=text,
        reason=reason,
        policy=policy,
        failing=[each for each in examples if not each.holds],
        examples=examples,
        unsaid=[] if policy is None else _unsaid(policy),
        starts=sorted({*shipped(), *(each.name for each in control.desk.present().state.policies)}),
        **(_NO_EFFECTS if policy is None else effects(control, policy)),
    )


def _unsaid(policy: PolicySet) -> list[tuple[Language, list[str]]]:
    """Return the languages of the pages in which a set does not say everything, with what is not there in them."""
    found = []
    for code, language in LANGUAGES.items():
        said = [("title", policy.title_for(code)), *((rule.id, rule.why_for(code)) for rule in policy.rules)]
        if missing := [name for name, (_, written) in said if written != code]:
            found.append((language, missing))
    return found
