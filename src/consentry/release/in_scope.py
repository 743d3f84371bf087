"""Which items an order can hit: those of whom it cannot be said that its rule does not match.

Asked about items that are in sealed releases, without deciding anything anew: three look-ups an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.classes import PersonClasses
from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import Sidecar
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Rule
from consentry.policy.jurisdictions import contains
from consentry.policy.matrix import ItemClass, PersonClass
from consentry.policy.vocabulary import Category, Visibility

Mask = npt.NDArray[np.bool_]


class ScopeTables(NamedTuple):
    """A rule laid out: which person classes and which item classes it may match; `codes` is the class of each seat."""

    rule: Rule
    codes: npt.NDArray[np.generic]
    people: Mask
    items: Mask


def lay_out(rule: Rule, classes: PersonClasses, *, items: Sequence[ItemClass], at: Seconds) -> ScopeTables:
    """Work out which classes a rule may match; only its places, kinds of items and dates are looked at.

    Args:
        rule: the rule of an order.
        classes: what is known of people.
        items: the item classes of the corpus, in code order.
        at: the time as of which groups of places are asked.
    """
    return ScopeTables(
        rule=rule,
        codes=classes.codes,
        people=np.array([_may_live_there(member, rule, at) for member in classes.members], dtype=np.bool_),
        items=np.array([_may_be_such(item, rule) for item in items], dtype=np.bool_),
    )


def rows_in_scope(sidecar: Sidecar, look: ScopeTables) -> Mask:
    """Return for each item of a file whether the rule may match it, because of its owner or of somebody it involves."""
    found: Mask = look.people[look.codes[sidecar.person]]
    involved = look.people[look.codes[sidecar.involved_person]]
    found[sidecar.involved_row[involved]] = True
    found &= look.items[sidecar.klass]
    rule = look.rule
    if rule.created_from is not None or rule.created_before is not None:
        found &= _may_be_of_then(sidecar, rule)
    return found


def people_in_scope(look: ScopeTables) -> int:
    """Return how many people the rule may match."""
    return int(look.people[look.codes].sum())


def _may_be_of_then(sidecar: Sidecar, rule: Rule) -> Mask:
    if sidecar.created is None:
        return np.ones(sidecar.rows, dtype=np.bool_)
    within = np.ones(sidecar.rows, dtype=np.bool_)
    if rule.created_from is not None:
        within &= sidecar.created >= rule.created_from
    if rule.created_before is not None:
        within &= sidecar.created < rule.created_before
    within |= sidecar.created == UNKNOWN_DATE
    return within


def _may_live_there(member: PersonClass | None, rule: Rule, at: Seconds) -> bool:
    if member is None:
        return False
    if not rule.inside or not member.places:
        return True
    return any(contains(area, place, at=at) is not False for area in rule.inside for place in member.places)


def _may_be_such(item: ItemClass, rule: Rule) -> bool:
    category = not rule.categories or item.category is Category.UNKNOWN or item.category in rule.categories
    unseen = item.visibility is Visibility.UNKNOWN
    return category and (not rule.visibilities or unseen or item.visibility in rule.visibilities)
