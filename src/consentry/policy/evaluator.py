"""The meaning of a decision, in plain Python. Everything faster is tested equal to `evaluate`.

| finding | effect |
|---|---|
| no permit matches | deny |
| a forbid or an order matches | deny |
| a forbid or an order is unknown | deny, with the gaps that made it unknown |
| a permit is unknown and none matches | deny, with the gaps |
| the person refused this use | deny |
| somebody objected to this very item | deny |
| the account is closed | deny |
| owner, identity, country, age or category is unknown | deny, with the gap |
| the word for the state of the account is not understood | deny, with the gap |
| several candidate places, or several people | all of them must be allowed |

    >>> from consentry.policy.expressions import Effect, Item, Person, Rule
    >>> from consentry.policy.vocabulary import Age, Category, Purpose
    >>> rules = (Rule(id="all", effect=Effect.PERMIT, why="example"),)
    >>> member = Person(places=frozenset({"US"}), established=True, age=Age.ADULT)
    >>> post = Item(category=Category.POST)
    >>> evaluate(rules, Request(purpose=Purpose.TRAIN_GENAI, item=post, people=(member,), at=0)).allowed
    True
    >>> evaluate(rules, Request(purpose=Purpose.TRAIN_GENAI, item=post, people=(), at=0)).gaps
    (<GapKind.OWNER: 'owner-unknown'>,)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from consentry.policy.choice import Seconds
from consentry.policy.expressions import Case, Effect, GapKind, Item, Person, Rule, Truth, match
from consentry.policy.vocabulary import Account, Age, Category, ChoiceState, Purpose


class ReasonKind(StrEnum):
    """Why a decision is what it is, strongest first: the first that holds is the one an item is counted under."""

    REFUSED = "refused"
    OBJECTED = "objected"
    ACCOUNT_CLOSED = "account-closed"
    SUSPENDED = "suspended"
    FORBIDDEN = "forbidden"
    GAP = "gap"
    NOT_PERMITTED = "not-permitted"
    PERMITTED = "permitted"


class Reason(NamedTuple):
    """A kind and what it refers to: the id of a rule or an order, or a gap."""

    kind: ReasonKind
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.reference}" if self.reference else str(self.kind)


_AGAINST = {Effect.FORBID: ReasonKind.FORBIDDEN, Effect.SUSPEND: ReasonKind.SUSPENDED}
STRENGTH = {kind: strength for strength, kind in enumerate(ReasonKind)}


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow or deny, with every reason (strongest first). A denial never carries a PERMITTED reason."""

    allowed: bool
    reasons: tuple[Reason, ...]

    @property
    def gaps(self) -> tuple[GapKind, ...]:
        """What could not be known."""
        return tuple(GapKind(reason.reference) for reason in self.reasons if reason.kind is ReasonKind.GAP)

    @property
    def primary(self) -> Reason:
        """The reason an item is counted under."""
        return self.reasons[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """May this item, by and about these people, be used for this purpose at this time? The owner comes first."""

    purpose: Purpose
    item: Item
    people: tuple[Person, ...]
    at: Seconds


OWNER_UNKNOWN = Decision(allowed=False, reasons=(Reason(ReasonKind.GAP, GapKind.OWNER),))


def evaluate(rules: Sequence[Rule], request: Request) -> Decision:
    """Decide one item. Pure: the same arguments always give the same decision."""
    if not request.people:
        return OWNER_UNKNOWN
    applicable = tuple(rule for rule in rules if rule.applies_to(request.purpose))
    return combine(evaluate_person(applicable, person, item=request.item, at=request.at) for person in request.people)


def evaluate_person(rules: Sequence[Rule], person: Person, *, item: Item, at: Seconds) -> Decision:
    """Decide for one of the people an item involves; `rules` are those that apply to the purpose."""
    denials: set[Reason] = set()
    if not person.known:
        denials.add(_gap(GapKind.PERSON))
    if not person.places or not person.established:
        denials.add(_gap(GapKind.RESIDENCE))
    if person.age is Age.UNKNOWN:
        denials.add(_gap(GapKind.AGE))
    if item.category is Category.UNKNOWN:
        denials.add(_gap(GapKind.CATEGORY))
    if person.account is Account.UNCLEAR:
        denials.add(_gap(GapKind.ACCOUNT))
    if person.account is Account.CLOSED:
        denials.add(Reason(ReasonKind.ACCOUNT_CLOSED))
    choice, gap = _effective_choice(person, item)
    if gap is not None:
        denials.add(_gap(gap))
    elif choice is ChoiceState.REFUSED:
        denials.add(Reason(ReasonKind.REFUSED))
    if item.objected:
        denials.add(Reason(ReasonKind.OBJECTED))
    places: Iterable[str | None] = sorted(person.places) or (None,)
    at_places = [_at_place(rules, Case(person, place, item, choice, at)) for place in places]
    return combine([*at_places, *([_denied(denials)] if denials else [])])


def combine(decisions: Iterable[Decision]) -> Decision:
    """Return the decision that allows only if all `decisions` (at least one) do, with all their reasons."""
    found = list(decisions)
    if not found:
        raise ValueError("nothing to combine: an empty list must not mean allowed")
    if all(decision.allowed for decision in found):
        return Decision(allowed=True, reasons=_ordered({reason for each in found for reason in each.reasons}))
    return _denied({reason for each in found if not each.allowed for reason in each.reasons})


def _effective_choice(person: Person, item: Item) -> tuple[ChoiceState, GapKind | None]:
    state, since = person.standing
    if state is not ChoiceState.REFUSED or since is None:
        return state, None
    if item.created is None:
        return ChoiceState.REFUSED, GapKind.CREATED
    return (ChoiceState.REFUSED if item.created >= since else ChoiceState.UNSET), None


def _at_place(rules: Sequence[Rule], case: Case) -> Decision:
    permits: set[Reason] = set()
    denials: set[Reason] = set()
    permit_gaps: set[Reason] = set()
    for rule in rules:
        truth, gaps = match(rule, case)
        if truth is Truth.NO:
            continue
        unknown = {_gap(gap) for gap in gaps}
        if rule.effect is not Effect.PERMIT:
            denials |= unknown if truth is Truth.UNKNOWN else {Reason(_AGAINST[rule.effect], rule.id)}
        elif truth is Truth.YES:
            permits.add(Reason(ReasonKind.PERMITTED, rule.id))
        else:
            permit_gaps |= unknown
    if not permits:
        denials |= permit_gaps or {Reason(ReasonKind.NOT_PERMITTED)}
    return _denied(denials) if denials else Decision(allowed=True, reasons=_ordered(permits))


def _gap(kind: GapKind) -> Reason:
    return Reason(ReasonKind.GAP, kind)


def _denied(reasons: set[Reason]) -> Decision:
    return Decision(allowed=False, reasons=_ordered(reasons))


def _ordered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: (STRENGTH[reason.kind], reason.reference)))
