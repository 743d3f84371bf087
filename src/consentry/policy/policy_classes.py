"""Enough people, items and places to tell rules apart, one condition at a time.

A rule looks at one thing at a time and joins what it finds. So whatever a list of rules can tell apart it tells apart
on the *representatives* of each dimension: every word; every place that some group treats by itself, at every time at
which a group changes; the instants around every date and every waiting period. `truths` tabulates a rule over them.

What is denied whatever the rules say (a refusal, a closed account, an unknown place, age or category) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import combinations, product

from consentry.policy.choice import SECONDS_PER_DAY, Seconds
from consentry.policy.expressions import Case, Item, Person, Rule, Truth, match
from consentry.policy.jurisdictions import REST, boundaries, country_of, known_place
from consentry.policy.memberships import COUNTRIES, MEMBERSHIPS
from consentry.policy.vocabulary import AGES, KNOWN_CATEGORIES, VISIBILITIES, Age, Category, ChoiceState


class Dimension(StrEnum):
    """What a condition looks at; the value is the key it is written under."""

    CATEGORY = "category"
    VISIBILITY = "visibility"
    AGE = "age"
    CHOICE = "choice"
    CREATED = "created"
    NOTICE = "notice"
    WHERE = "where"


Representatives = dict[Dimension, tuple[Case, ...]]
Truths = dict[Dimension, tuple[Truth, ...]]

_FIELDS: dict[Dimension, tuple[str, ...]] = {
    Dimension.CATEGORY: ("categories",),
    Dimension.VISIBILITY: ("visibilities",),
    Dimension.AGE: ("ages",),
    Dimension.CHOICE: ("choices",),
    Dimension.CREATED: ("created_from", "created_before"),
    Dimension.NOTICE: ("notice",),
    Dimension.WHERE: ("inside", "outside"),
}


def representatives(rules: Sequence[Rule], *, at: Seconds, later: bool = False) -> Representatives:
    """Return the cases that tell `rules` apart as of `at`, or with `later` at any time from `at` on."""
    areas = {area for rule in rules for area in rule.inside | rule.outside}
    times = (at, *(edge for edge in boundaries(areas) if later and edge > at))
    return {
        Dimension.CATEGORY: tuple(_case(at, category=word) for word in KNOWN_CATEGORIES),
        Dimension.VISIBILITY: tuple(_case(at, item=Item(category=Category.POST, visibility=v)) for v in VISIBILITIES),
        Dimension.AGE: tuple(_case(at, person=Person(age=age)) for age in AGES if age is not Age.UNKNOWN),
        Dimension.CHOICE: tuple(_case(at, choice=word) for word in ChoiceState if word is not ChoiceState.REFUSED),
        Dimension.CREATED: tuple(
            _case(at, item=Item(category=Category.POST, created=created)) for created in (*instants(rules), None)
        ),
        Dimension.NOTICE: tuple(_case(at, person=Person(notices=served)) for served in _notices(rules, at)),
        Dimension.WHERE: tuple(_case(time, place=place) for time in times for place in known_places(areas)),
    }


def truths(rule: Rule, cases: Representatives) -> Truths:
    """Return the truth of each of the rule's conditions, alone, on the representatives of its dimension."""
    alone = {dimension: _only(rule, dimension) for dimension in cases}
    return {
        dimension: tuple(match(alone[dimension], case)[0] for case in members) for dimension, members in cases.items()
    }


def instants(rules: Iterable[Rule]) -> tuple[Seconds, ...]:
    """Return the creation dates that tell `rules` apart: one before every bound, and each bound, in order."""
    bounds = {bound for rule in rules for bound in (rule.created_from, rule.created_before) if bound is not None}
    return (min(bounds, default=0) - 1, *sorted(bounds))


def _notices(rules: Sequence[Rule], at: Seconds) -> list[dict[str, Seconds]]:
    """Return people who were served no notice, one, or two, each just now or as long ago as some rule waits.

    Two are enough: a rule waits for one notice at most, so two rules compared never look at a third.
    """
    waits: dict[str, set[int]] = {}
    for rule in rules:
        if rule.notice is not None:
            waits.setdefault(rule.notice.notice, {0}).add(rule.notice.days)
    served = [[(notice, at - days * SECONDS_PER_DAY) for days in sorted(waits[notice])] for notice in sorted(waits)]
    pairs = (pair for one, other in combinations(served, 2) for pair in product(one, other))
    return [{}, *({notice: when} for each in served for notice, when in each), *map(dict, pairs)]


def known_places(areas: Iterable[str]) -> list[str]:
    """Return every place that some group or one of `areas` may treat by itself, and the rest of divided countries."""
    parts = {*(row.place for row in MEMBERSHIPS), *filter(known_place, areas)} - COUNTRIES
    return sorted({*COUNTRIES, *parts, *(country_of(part) + REST for part in parts)})


def _only(rule: Rule, dimension: Dimension) -> Rule:
    conditions = {name: getattr(rule, name) for name in _FIELDS[dimension]}
    return Rule(id=rule.id, effect=rule.effect, why=rule.why, **conditions)


def _case(
    at: Seconds,
    *,
    person: Person | None = None,
    place: str | None = None,
    item: Item | None = None,
    category: Category = Category.POST,
    choice: ChoiceState = ChoiceState.UNSET,
) -> Case:
    return Case(person or Person(), place, item or Item(category=category), choice, at)
