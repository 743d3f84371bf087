"""Policy sets: which are in force, in words and as they were published."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from consentry.accounts.access import Action
from consentry.control_plane.plane import ControlPlane
from consentry.policy.expressions import Effect
from consentry.policy.vocabulary import LegalBasis, Purpose
from consentry.service.api.shape import After, Answer, Limit, Named, Position, part, problems
from consentry.service.gate import Control, NeedsAll

ROUTER = APIRouter(prefix="/v1", tags=["policy sets"], dependencies=[Depends(NeedsAll(Action.POLICY_READ))])


class PolicySet(Answer):
    """A policy set in force, from its position on. `title_in` is its title in other languages than English."""

    name: str
    version: str
    title: str
    title_in: dict[str, str]
    digest: str
    document: str
    position: Position
    purposes: list[Purpose]
    notices: list[str]


class Rule(Answer):
    """A rule: what it does, and why. `why_in` says it in other languages than English."""

    id: str
    effect: Effect
    why: str
    why_in: dict[str, str]
    purposes: list[Purpose]
    legal_basis: LegalBasis | None


class WholePolicySet(PolicySet):
    """A policy set with its rules and its text (TOML)."""

    rules: list[Rule]
    text: str


class PolicySets(Answer):
    """Policy sets in force."""

    policy_sets: list[PolicySet]
    next: str | None


@ROUTER.get("/policy-sets", responses=problems({422: "list-cursor"}))
def every(*, control: Control, limit: Limit = 100, after: After = None) -> PolicySets:
    """Return the policy sets in force; for a name that was withdrawn, the set in its place, which names no purpose."""
    names = list(dict.fromkeys(each.name for each in control.desk.present().state.policies))
    found = part(names, str, limit=limit, after=after)
    return PolicySets(policy_sets=[_described(control, name) for name in found.rows], next=found.next)


@ROUTER.get("/policy-sets/{name}", responses=problems({404: "policy-not-published"}))
def one(name: Named, control: Control) -> WholePolicySet:
    """Return a policy set with its rules and its text."""
    found, document = control.desk.policy(name)
    rules = [
        Rule(
            id=each.id,
            effect=each.effect,
            why=each.why,
            why_in=dict(each.why_in),
            purposes=sorted(each.purposes),
            legal_basis=each.legal_basis,
        )
        for each in found.rules
    ]
    text = control.desk.parts.objects.get(document).decode()
    return WholePolicySet(**dict(_described(control, name)), rules=rules, text=text)


def _described(control: ControlPlane, name: str) -> PolicySet:
    found, document = control.desk.policy(name)
    published = control.desk.present().state.policy(name)
    return PolicySet(
        name=found.name,
        version=found.version,
        title=found.title,
        title_in=dict(found.title_in),
        digest=found.digest,
        document=document,
        position=0 if published is None else published.position,
        purposes=sorted(found.purposes),
        notices=sorted(found.notices),
    )
