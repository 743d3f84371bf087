"""How a use stands for one person: in use, off, waiting for a notice, or out of their hands. Pure.

Every answer comes from the evaluator, asked about a new item of each category under what they said, and under what they
could say. So a page that offers a choice offers one that changes something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from consentry.policy.choice import NO_CHOICE, SECONDS_PER_DAY, LiveChoice, Seconds, Standing, standing
from consentry.policy.evaluator import Decision, Reason, ReasonKind, evaluate_person
from consentry.policy.expressions import Effect, Item, Part, Rule
from consentry.policy.matrix import PersonClass
from consentry.policy.vocabulary import KNOWN_CATEGORIES, Category, ChoiceState, Purpose, Visibility
from consentry.release.unpermitted import unpermitted

_AGREES = Standing(ChoiceState.ALLOWED)
_NOT_PERMITTED = Reason(ReasonKind.NOT_PERMITTED)


class Situation(StrEnum):
    """How a use stands for somebody."""

    ON = "on"
    """Content of at least one category may be used."""
    WAITING = "waiting"
    """It may be used once they were told and had time to say no."""
    ASKS = "asks"
    """It is used only if they say yes, and they have not."""
    OFF = "off"
    """They said no to all of it."""
    STOPPED = "stopped"
    """It may not be used, whatever they say: there is nothing to choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStands:
    """How the use of one category stands.

    Attributes:
        on: whether a new item may be used now.
        refused: whether they said no to this category, or to all.
        can_choose: whether it could be used if they agreed, now or once they were told.
        against: why it could not; empty if it could.
        unmet: what keeps every permit from it, where none matches.
    """

    category: Category
    on: bool
    refused: bool
    can_choose: bool
    against: tuple[Reason, ...] = ()
    unmet: frozenset[Part] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """How a use stands.

    Attributes:
        agreed: whether they said yes themselves.
        whole: the refusals of all categories that count, the earliest first.
        kinds: the categories that the rules permit to anybody, in the order of the vocabulary.
        permits: the rules on which the use rests, or would.
        obstacles: why it cannot be used whatever they say; empty where there is something to choose.
        unmet: what keeps every permit from them, where that is among the obstacles.
        begins: when waiting is over, or was; None if they were not told yet, or there is nothing to wait for.
        unsuspended: how it would stand without the orders that suspend it; None if there are none.
    """

    situation: Situation
    agreed: bool
    whole: tuple[LiveChoice, ...]
    kinds: tuple[KindStands, ...]
    permits: tuple[Rule, ...]
    obstacles: tuple[Reason, ...] = ()
    unmet: frozenset[Part] = frozenset()
    begins: Seconds | None = None
    unsuspended: Situation | None = None

    @property
    def can_choose(self) -> bool:
        """Whether there is a choice to offer."""
        return self.situation is not Situation.STOPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about.

    Attributes:
        rules: of the policy set and of orders.
        facts: what is known of the person.
        said: everything they said that counts, with its times.
        seen_by: who can see their items, by category: a rule may ask.
        at: now.
    """

    purpose: Purpose
    rules: Sequence[Rule]
    facts: PersonClass
    said: Sequence[LiveChoice]
    seen_by: Mapping[Category, Iterable[Visibility]]
    at: Seconds

    def decide(self, category: Category, choice: Standing, *, told: bool = False) -> Decision:
        """Decide about a new item; `told`: as if they had been told everything long ago. The best answer counts."""
        facts = self._told() if told else self.facts
        found = [
            evaluate_person(self.rules, facts.person(choice), item=item, at=self.at) for item in self._new(category)
        ]
        return next((each for each in found if each.allowed), found[0])

    def unmet(self, category: Category) -> frozenset[Part]:
        """Return what keeps every permit from a new item, where none matches."""
        return unpermitted(self.rules, self._told().person(_AGREES), item=self._new(category)[0], at=self.at)

    def _told(self) -> PersonClass:
        return self.facts._replace(notices=told_everything(self.rules))

    def _new(self, category: Category) -> list[Item]:
        """Return what is new in a category, by who can see it; first what everybody can."""
        seen_by = dict.fromkeys((Visibility.PUBLIC, *self.seen_by.get(category, ())))
        return [Item(category=category, visibility=each, created=self.at) for each in seen_by]


def told_everything(rules: Iterable[Rule]) -> tuple[tuple[str, Seconds], ...]:
    """Return every notice that rules wait for, as if it had been served long ago."""
    asked = {rule.notice.notice for rule in rules if rule.notice is not None}
    return tuple((notice, 0) for notice in sorted(asked))


def stands(question: Question) -> Stands:
    """Say how a use stands for a person."""
    ours = replace(question, rules=tuple(rule for rule in question.rules if rule.applies_to(question.purpose)))
    found, lasting = _stands(ours), tuple(rule for rule in ours.rules if rule.effect is not Effect.SUSPEND)
    if len(lasting) == len(ours.rules):
        return found
    return replace(found, unsuspended=_stands(replace(ours, rules=lasting)).situation)


def _stands(ours: Question) -> Stands:
    """Say how a use stands under rules that all apply to it."""
    categories = _categories(ours.rules)
    kinds, could, later = [], {}, {}
    for category in categories:
        could[category] = ours.decide(category, _AGREES)
        later[category] = ours.decide(category, _AGREES, told=True)
        kinds.append(_kind(ours, category, later[category]))
    found = Stands(
        situation=Situation.OFF,
        agreed=any(_agrees(choice, ours.purpose) for choice in ours.said),
        whole=tuple(sorted(_whole(ours.said, ours.purpose), key=lambda choice: choice.at)),
        kinds=tuple(kinds),
        permits=_permits(ours.rules, (could, later)),
    )
    if not any(decision.allowed for decision in later.values()):
        obstacles = _in_common([*later.values()])
        unmet = _shared([each.unmet for each in kinds]) if _NOT_PERMITTED in obstacles else frozenset()
        return replace(found, situation=Situation.STOPPED, obstacles=obstacles, unmet=unmet)
    if found.whole:
        return found
    if any(kind.on for kind in kinds):
        waited = all(rule.notice is not None for rule in found.permits)
        return replace(found, situation=Situation.ON, begins=_begins(ours, found.permits) if waited else None)
    if not any(decision.allowed for decision in could.values()):
        return replace(found, situation=Situation.WAITING, begins=_begins(ours, found.permits))
    unsaid = (ours.decide(category, NO_CHOICE).allowed for category in categories)
    return replace(found, situation=Situation.OFF if any(unsaid) or found.agreed else Situation.ASKS)


def _kind(ours: Question, category: Category, later: Decision) -> KindStands:
    """Say how the use of a category stands; `later` is what is decided if they agreed and were told."""
    meant = standing(ours.said, purpose=ours.purpose, category=category)
    return KindStands(
        category=category,
        on=ours.decide(category, meant).allowed,
        refused=meant.state is ChoiceState.REFUSED,
        can_choose=later.allowed,
        against=() if later.allowed else later.reasons,
        unmet=ours.unmet(category) if _NOT_PERMITTED in later.reasons else frozenset(),
    )


def _shared(unmet: Sequence[frozenset[Part]]) -> frozenset[Part]:
    """Return what every kind lacks, and all that some lack where that is nothing."""
    every: frozenset[Part] = frozenset().union(*unmet)
    return every.intersection(*unmet) or every


def _categories(rules: Sequence[Rule]) -> list[Category]:
    permits = [rule for rule in rules if rule.effect is Effect.PERMIT]
    named = {category for rule in permits for category in rule.categories}
    every = any(not rule.categories for rule in permits)
    return [each for each in KNOWN_CATEGORIES if every or each in named]


def _permits(rules: Sequence[Rule], answers: Iterable[Mapping[Category, Decision]]) -> tuple[Rule, ...]:
    for found in answers:
        ids = {
            reason.reference
            for decision in found.values()
            for reason in decision.reasons
            if reason.kind is ReasonKind.PERMITTED
        }
        if ids:
            return tuple(rule for rule in rules if rule.id in ids)
    return ()


def _in_common(decisions: Sequence[Decision]) -> tuple[Reason, ...]:
    """Return why nothing may be used: what stands against every category, and else against some."""
    if not decisions:
        return (_NOT_PERMITTED,)
    shared = [reason for reason in decisions[0].reasons if all(reason in each.reasons for each in decisions)]
    every = list(dict.fromkeys(reason for each in decisions for reason in each.reasons))
    telling = [reason for reason in shared or every if reason.kind is not ReasonKind.NOT_PERMITTED]
    return tuple(telling or shared or every)


def _begins(question: Question, permits: Sequence[Rule]) -> Seconds | None:
    served = dict(question.facts.notices)
    times = [
        served[rule.notice.notice] + rule.notice.days * SECONDS_PER_DAY
        for rule in permits
        if rule.notice is not None and rule.notice.notice in served
    ]
    return min(times, default=None)


def _whole(said: Iterable[LiveChoice], purpose: Purpose) -> list[LiveChoice]:
    return [
        choice
        for choice in said
        if choice.state is ChoiceState.REFUSED
        and choice.key.category is None
        and choice.key.item is None
        and (choice.key.purpose in purpose.lineage or purpose.covers(choice.key.purpose))
    ]


def _agrees(choice: LiveChoice, purpose: Purpose) -> bool:
    return choice.state is ChoiceState.ALLOWED and choice.key.purpose in purpose.lineage and choice.key.item is None
