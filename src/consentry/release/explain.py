"""Why one item is in a release, or is not: every reason, the rule behind it, the choice event and its position.

An explanation is made by the evaluator, not by the kernel, from the same basis. The caller compares it with the sealed
bitmap: they must agree, and if they do not the release is damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.pseudonym import key_of
from consentry.corpus.registration import Corpus
from consentry.corpus.sidecar import Sidecar
from consentry.errors import NotFoundError
from consentry.ledger.events import ChoiceMade, Pseudonym
from consentry.ledger.state import State, Stated
from consentry.policy.evaluator import OWNER_UNKNOWN, Decision, Reason, ReasonKind, combine, evaluate_person
from consentry.policy.expressions import Effect, GapKind, Item, Person, Rule
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import ChoiceState
from consentry.release.amendment import Noted
from consentry.release.basis import Basis, people_of
from consentry.release.compare import Side, outcome_labels
from consentry.release.sealed import SealedRelease
from consentry.release.tallies import INVOLVED

_EXAMPLE_ROWS = 20_000
_Rows = npt.NDArray[np.int64]
_GAPS = {
    GapKind.OWNER: "the item names nobody it is by",
    GapKind.PERSON: "the people table does not have this person",
    GapKind.RESIDENCE: "nothing that counts says where this person lives (a time zone or a locale does not)",
    GapKind.SUBDIVISION: "a rule asks for a part of the country, and only the country is known",
    GapKind.AGE: "this person's age is not known",
    GapKind.CATEGORY: "what kind of content this is is not known",
    GapKind.VISIBILITY: "a rule asks who could see the item, and that is not known",
    GapKind.CREATED: "a date matters here, and when the item was created is not known",
    GapKind.ACCOUNT: "nobody mapped the platform's word for the state of this person's account",
}
_MEANING = {
    ReasonKind.REFUSED: "this person refused this use",
    ReasonKind.OBJECTED: "somebody objected to the use of this item, and staff found that it is meant",
    ReasonKind.ACCOUNT_CLOSED: "the account is closed",
    ReasonKind.NOT_PERMITTED: "no rule permits it",
}
_ORDERED = "an order suspends this use"


ERASED_SINCE: dict[str, Any] = {
    "reason": "erased-since",
    "why": "somebody it is by or about was erased since: the seal says whether, and why can no longer be said",
}
"""Stands for the reasons of an item of a sealed release when what decided about it was erased."""


def amended(body: Mapping[str, Any], noted: Noted) -> dict[str, Any]:
    """Return the explanation of an item that left a release after it was sealed."""
    why = (
        "somebody it is by or about withdrew it with reach `everything` or was erased, or somebody objected to it, "
        f"before position {noted.position}"
    )
    reason = {"reason": f"amended:{noted.number}", "why": why}
    amendment = {"number": noted.number, "position": noted.position, "at": noted.at}
    return {**body, "allowed": False, "reasons": [reason], "amendment": amendment}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where an item is: a file of the corpus and a position in it."""

    sidecar: Sidecar
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision about one item with everything it rests on, as plain values."""

    allowed: bool
    body: dict[str, Any]


def find(corpus: Corpus, item: str, *, key: Pseudonym) -> Found:
    """Find an item by its pseudonym.

    Raises:
        NotFoundError: the corpus has no such item.
    """
    for sidecar in corpus.sidecars:
        for row in sidecar.find(key_of(key)):
            return Found(sidecar=sidecar, row=row)
    raise NotFoundError(
        "item-unknown", f"corpus `{corpus.name}` has no item `{item}`", help="give the id as it stands in the corpus"
    )


def explain(
    found: Found,
    basis: Basis,
    *,
    key: Pseudonym,
    policy: PolicySet,
    state: State,
    people: Sequence[Sequence[Pseudonym]],
    heard: Callable[[int], ChoiceMade | None],
) -> Explanation:
    """Explain one item.

    Args:
        found: where the item is.
        basis: what the release was decided by.
        key: the item's pseudonym.
        policy: the policy set that decided.
        state: the ledger's state at the release's position.
        people: all accounts of everybody the item involves, the owner first, each person's own account first.
        heard: gives the event at a position if it is a choice.
    """
    item, described = _item(found, basis, key=key)
    decisions = []
    shown = []
    rules = basis.compiler.rules
    for index, (_, person) in enumerate(people_of(basis, found.sidecar, row=found.row, item_key=key)):
        decision = OWNER_UNKNOWN if person is None else evaluate_person(rules, person, item=item, at=basis.at)
        decisions.append(decision)
        shown.append(
            {
                "role": "involved" if index else "owner",
                "person": people[index][0] if people[index] else None,
                **_facts(person),
                "choices": [
                    {**_choice(stated, heard(stated.position)), "another_account": another}
                    for another, stated in _said(state, people[index])
                ],
                **worded(decision, policy, rules=rules),
            }
        )
    whole = combine(decisions)
    body = {
        "item": described,
        **worded(whole, policy, rules=rules),
        "people": shown,
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "position": basis.knowledge.position,
        "decided_at": basis.at,
    }
    return Explanation(allowed=whole.allowed, body=body)


def _item(found: Found, basis: Basis, *, key: Pseudonym) -> tuple[Item, dict[str, Any]]:
    """Return an item as the evaluator sees it, and as it is shown."""
    kind = basis.items[int(found.sidecar.klass[found.row])]
    stored = UNKNOWN_DATE if found.sidecar.created is None else int(found.sidecar.created[found.row])
    created = None if stored == UNKNOWN_DATE else stored
    shown = {
        "file": found.sidecar.pin.path,
        "position": found.row,
        "category": str(kind.category),
        "visibility": str(kind.visibility),
        "licence": kind.licence,
        "created": created,
    }
    objected = key in basis.knowledge.excluded
    return Item(category=kind.category, visibility=kind.visibility, created=created, objected=objected), shown


def _said(state: State, accounts: Sequence[Pseudonym]) -> list[tuple[bool, Stated]]:
    """Return the live choices of all accounts of a person, oldest first, and whether each is of another than the first.

    Of those only a no counts for the first.
    """
    said = ((index > 0, each) for index, account in enumerate(accounts) for each in state.choices.get(account, ()))
    return sorted(said, key=lambda found: found[1].position)


def examples(side: Side, corpus: Corpus, *, within: SealedRelease | None = None) -> dict[str, str]:
    """Return for each label that items are counted under the id of one such item, from the first rows of each file.

    Only of items that were sealed into `within`, if that is given.
    """
    found: dict[str, str] = {}
    for index, sidecar in enumerate(side.sidecars):
        first = min(sidecar.rows, _EXAMPLE_ROWS)
        rows = _sealed_in(within, sidecar, rows=np.arange(first, dtype=np.int64))
        labels = outcome_labels(side, index, rows=rows)
        pairs = reversed(list(zip(labels, rows.tolist(), strict=True)))
        new = {label: row for label, row in pairs if label not in found}
        if new:
            column = corpus.descriptor.columns["item"]
            batch = next(pq.ParquetFile(corpus.path(sidecar)).iter_batches(batch_size=first, columns=[column]))
            found |= {label: str(batch.column(0)[row].as_py()) for label, row in new.items() if row < batch.num_rows}
    return found


def _sealed_in(release: SealedRelease | None, sidecar: Sidecar, *, rows: _Rows) -> _Rows:
    """Return those rows of a file that a release was sealed with: none of a file it has not, all without a release."""
    if release is None:
        return rows
    number = next((number for number, file in enumerate(release.manifest.files) if file.pin == sidecar.pin), None)
    return rows[:0] if number is None else rows[~release.left_out({number: rows})[number]]


def _facts(person: Person | None) -> dict[str, Any]:
    if person is None:
        return {}
    return {
        "places": sorted(person.places),
        "established": person.established,
        "age": str(person.age),
        "account": str(person.account),
        "known": person.known,
        "standing": {"state": str(person.standing.state), "since": person.standing.since},
        "notices": dict(person.notices),
    }


def _choice(stated: Stated, made: ChoiceMade | None) -> dict[str, Any]:
    choice = stated.choice
    return {
        "source": None if made is None else str(made.source),
        "notice": None if made is None else made.notice,
        "position": stated.position,
        "purpose": str(choice.key.purpose),
        "category": None if choice.key.category is None else str(choice.key.category),
        "item": choice.key.item,
        "state": str(choice.state),
        "reach": str(choice.reach),
        "at": choice.at,
    }


def said_elsewhere(choice: Mapping[str, Any]) -> str:
    """Say of a choice in an explanation that it is a yes on another account, which counts for nothing here."""
    yes = choice["another_account"] and choice["state"] != ChoiceState.REFUSED
    return ", on another account: only a no counts here" if yes else ""


def worded(decision: Decision, policy: PolicySet, *, rules: Sequence[Rule]) -> dict[str, Any]:
    """Return a decision with its reasons in words, each rule with its place in the policy set that decided.

    `rules` are all that decided: those of the policy set, and those of orders.
    """
    orders = {rule.id: rule.why for rule in rules if rule.effect is Effect.SUSPEND}
    return {"allowed": decision.allowed, "reasons": [_reason(reason, policy, orders) for reason in decision.reasons]}


def _reason(reason: Reason, policy: PolicySet, orders: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {"reason": str(reason)}
    if reason.kind is ReasonKind.SUSPENDED:
        return body | {"order": reason.reference, "why": orders.get(reason.reference, _ORDERED)}
    if reason.kind in (ReasonKind.FORBIDDEN, ReasonKind.PERMITTED):
        rule = policy.rule(reason.reference)
        body |= {"rule": rule.id, "line": rule.line, "why": rule.why}
        if rule.legal_basis is not None:
            body["legal_basis"] = str(rule.legal_basis)
        return body
    if reason.kind is ReasonKind.GAP:
        return body | {"why": f"{_GAPS[GapKind(reason.reference)]}: unknown means no"}
    return body | {"why": _MEANING[reason.kind]}


def meaning(label: str, policy: PolicySet) -> str:
    """Return in words what items are counted under `label` for, such as `involved:gap:age-unknown`; empty if unknown.

    `policy` decided. Rules that it does not have are unknown, and so are orders: what they suspend is said by them.
    """
    own = label.removeprefix(INVOLVED)
    kind, _, reference = own.partition(":")
    why = _in_words(kind, reference, policy)
    return f"because of somebody else it involves: {why}" if why and own != label else why


def _in_words(kind: str, reference: str, policy: PolicySet) -> str:
    match kind:
        case ReasonKind.SUSPENDED:
            return _ORDERED
        case ReasonKind.GAP if reference in set(GapKind):
            return _GAPS[GapKind(reference)]
        case ReasonKind.FORBIDDEN | ReasonKind.PERMITTED:
            return next((rule.why for rule in policy.rules if rule.id == reference), "")
        case ReasonKind.REFUSED | ReasonKind.OBJECTED | ReasonKind.ACCOUNT_CLOSED | ReasonKind.NOT_PERMITTED:
            return _MEANING[ReasonKind(kind)]
    return ""
