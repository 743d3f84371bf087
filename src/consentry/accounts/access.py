"""What each role may do: a table of role, action and scope. What it does not say is refused.

Every address of the service names the action it needs (`service/gate.py`). A test asks every address for every role:
one that names none fails it, and so does an answer that the table does not allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is to a deployment."""

    MEMBER = "member"
    """A person with an account of the platform, sent by it. Never given to an account of ours."""
    SUPPORT = "support"
    PRIVACY_OFFICER = "privacy-officer"
    POLICY_APPROVER = "policy-approver"
    ML_ENGINEER = "ml-engineer"
    AUTHORITY = "authority"
    """Of one or more jurisdictions: sees and does what concerns these, and nothing else."""
    AUDITOR = "auditor"
    """Reads everything that names no person, and changes nothing."""
    WORKLOAD = "workload"
    """A training job, or whatever serves a model. It decides nothing."""
    PLATFORM = "platform"
    """The platform's own server: it passes on what people said, and asks about them."""
    ADMINISTRATOR = "administrator"
    """Keeps accounts and keys. Sees no person and no case: that is for others."""


class Scope(StrEnum):
    """Of what somebody may do something."""

    ALL = "all"
    """Everything in this deployment."""
    AREAS = "areas"
    """What concerns the jurisdictions of the account."""
    OWN = "own"
    """What is about the person who is signed in."""


class Action(StrEnum):
    """What there is to do. `anyone` needs no account; `holder` needs the secret that the address itself asks for."""

    ANYONE = "anyone"
    HOLDER = "holder"

    OWN_READ = "own:read"
    OWN_CHOOSE = "own:choose"

    OVERVIEW_READ = "overview:read"
    POLICY_READ = "policy:read"
    POLICY_PROPOSE = "policy:propose"
    POLICY_APPROVE = "policy:approve"
    CASE_READ = "case:read"
    CASE_WORK = "case:work"
    CASE_APPROVE = "case:approve"
    AUTHORITY_READ = "authority:read"
    """The pages of an authority: what concerns its jurisdictions, and nothing else."""
    CONCERN_FILE = "concern:file"
    ORDER_READ = "order:read"
    ORDER_ISSUE = "order:issue"
    NOTICE_READ = "notice:read"
    NOTICE_WRITE = "notice:write"
    RELEASE_READ = "release:read"
    RELEASE_BUILD = "release:build"
    RELEASE_WITHDRAW = "release:withdraw"
    LEASE_READ = "lease:read"
    LEASE_ASK = "lease:ask"
    MODEL_READ = "model:read"
    MODEL_REGISTER = "model:register"
    MODEL_REMEDY = "model:remedy"
    OBJECTION_FILE = "objection:file"
    """For somebody who wrote to the platform. Who objects themselves needs no account and nobody's permission."""
    OBJECTION_READ = "objection:read"
    OBJECTION_ANSWER = "objection:answer"
    PERSON_LOOK_UP = "person:look-up"
    CHOICE_RECORD = "choice:record"
    CHOICE_READ = "choice:read"
    RECEIPT_READ = "receipt:read"
    DECISION_ASK = "decision:ask"
    REPORT_READ = "report:read"
    REPORT_DELIVER = "report:deliver"
    ACCOUNT_MANAGE = "account:manage"
    ACTS_READ = "acts:read"
    """Who did what, from the ledger. It names nobody but staff and authorities."""
    WEBHOOK_MANAGE = "webhook:manage"
    METRICS_READ = "metrics:read"


_STAFF = (Role.SUPPORT, Role.PRIVACY_OFFICER, Role.POLICY_APPROVER, Role.ML_ENGINEER, Role.AUDITOR)
_OVERSEERS = (Role.PRIVACY_OFFICER, Role.POLICY_APPROVER, Role.AUDITOR)


def _all(*roles: Role) -> dict[Role, Scope]:
    return dict.fromkeys(roles, Scope.ALL)


TABLE: Mapping[Action, Mapping[Role, Scope]] = MappingProxyType(
    {
        Action.OWN_READ: {Role.MEMBER: Scope.OWN},
        Action.OWN_CHOOSE: {Role.MEMBER: Scope.OWN},
        Action.OVERVIEW_READ: _all(*_STAFF),
        Action.POLICY_READ: _all(*_STAFF),
        Action.POLICY_PROPOSE: _all(Role.PRIVACY_OFFICER),
        Action.POLICY_APPROVE: _all(Role.PRIVACY_OFFICER, Role.POLICY_APPROVER),
        Action.CASE_READ: _all(*_OVERSEERS, Role.ML_ENGINEER),
        Action.CASE_WORK: _all(Role.PRIVACY_OFFICER),
        Action.CASE_APPROVE: _all(Role.PRIVACY_OFFICER, Role.POLICY_APPROVER),
        Action.AUTHORITY_READ: {Role.AUTHORITY: Scope.AREAS},
        Action.CONCERN_FILE: {Role.AUTHORITY: Scope.AREAS},
        Action.ORDER_READ: _all(*_STAFF),
        Action.ORDER_ISSUE: _all(Role.PRIVACY_OFFICER) | {Role.AUTHORITY: Scope.AREAS},
        Action.NOTICE_READ: _all(*_STAFF),
        Action.NOTICE_WRITE: _all(Role.PRIVACY_OFFICER),
        Action.RELEASE_READ: _all(*_OVERSEERS, Role.ML_ENGINEER),
        Action.RELEASE_BUILD: _all(Role.ML_ENGINEER),
        Action.RELEASE_WITHDRAW: _all(Role.PRIVACY_OFFICER),
        Action.LEASE_READ: _all(*_OVERSEERS, Role.ML_ENGINEER, Role.WORKLOAD),
        Action.LEASE_ASK: _all(Role.WORKLOAD),
        Action.MODEL_READ: _all(*_OVERSEERS, Role.ML_ENGINEER, Role.WORKLOAD),
        Action.MODEL_REGISTER: _all(Role.ML_ENGINEER, Role.WORKLOAD),
        Action.MODEL_REMEDY: _all(Role.PRIVACY_OFFICER),
        Action.OBJECTION_FILE: _all(Role.SUPPORT, Role.PRIVACY_OFFICER, Role.PLATFORM),
        Action.OBJECTION_READ: _all(Role.SUPPORT, Role.PRIVACY_OFFICER),
        Action.OBJECTION_ANSWER: _all(Role.SUPPORT, Role.PRIVACY_OFFICER),
        Action.PERSON_LOOK_UP: _all(Role.SUPPORT, Role.PRIVACY_OFFICER),
        Action.CHOICE_RECORD: _all(Role.PLATFORM),
        Action.CHOICE_READ: _all(Role.PLATFORM),
        Action.RECEIPT_READ: _all(Role.SUPPORT, Role.PRIVACY_OFFICER, Role.PLATFORM),
        Action.DECISION_ASK: _all(Role.PLATFORM, Role.WORKLOAD),
        Action.REPORT_READ: _all(*_OVERSEERS),
        Action.REPORT_DELIVER: _all(Role.PRIVACY_OFFICER),
        Action.ACCOUNT_MANAGE: _all(Role.ADMINISTRATOR),
        Action.ACTS_READ: _all(Role.PRIVACY_OFFICER, Role.AUDITOR),
        Action.WEBHOOK_MANAGE: _all(Role.ADMINISTRATOR),
        Action.METRICS_READ: _all(Role.ADMINISTRATOR, Role.ML_ENGINEER, Role.WORKLOAD, Role.PLATFORM),
    }
)


@cache
def scope_of(action: Action, roles: frozenset[Role]) -> Scope | None:
    """Return the widest scope in which these roles may do something; None: not at all."""
    found = {TABLE.get(action, {}).get(role) for role in roles}
    return next((scope for scope in Scope if scope in found), None)
