"""Which items an order can hit: those of whom it cannot be said that its rule does not match.

Somebody of whom no residence is established may live anywhere: what weak signals say takes nobody out of an order.

Asked about items that are in sealed releases, without deciding anything anew: two look-ups an item. What comes of a
file is a bitmap, like what a release leaves out of it: how many items of how many releases are hit, sets can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap64

from consentry.corpus.classes import Attributes, PersonClasses, Residing
from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.sidecar import NOBODY, U32, Sidecar, gathered
from consentry.policy.choice import Seconds
from consentry.policy.expressions import Rule
from consentry.policy.jurisdictions import contains
from consentry.policy.matrix import ItemClass, PersonClass
from consentry.policy.vocabulary import Category, Visibility
from consentry.release.roaring import serialize

_SPAN_ROWS = 1 << 18
Mask = npt.NDArray[np.bool_]


class ScopeTables(NamedTuple):
    """A rule laid out: the people, by seat, and the item classes that it may match."""

    rule: Rule
    seats: Mask
    items: Mask


def lay_out(rule: Rule, classes: PersonClasses, *, items: Sequence[ItemClass], at: Seconds) -> ScopeTables:
    """Work out which classes a rule may match; only its places, kinds of items and dates are looked at.

    Args:
        rule: the rule of an order.
        classes: what is known of people.
        items: the item classes of the corpus, in code order.
        at: the time as of which groups of places are asked.
    """
    people = classes_in_scope(rule, classes, at=at)
    return ScopeTables(rule=rule, seats=people[classes.codes], items=kinds_in_scope(rule, items))


def classes_in_scope(rule: Rule, classes: PersonClasses, *, at: Seconds) -> Mask:
    """Return which classes of people a rule may match, by where they may live."""
    return np.array([_may_live_there(member, rule, at) for member in classes.members], dtype=np.bool_)


def residences_in_scope(rule: Rule, attributes: Attributes, *, at: Seconds) -> Mask:
    """Return, by seat, whom a rule may match by where they may live, as a people table says."""
    may = np.array([_may_live_there(each, rule, at) for each in attributes.residences], dtype=np.bool_)
    found: Mask = may[attributes.residence]
    found[NOBODY] = False
    return found


def kinds_in_scope(rule: Rule, items: Sequence[ItemClass]) -> Mask:
    """Return which item classes a rule may match."""
    return np.array([_may_be_such(item, rule) for item in items], dtype=np.bool_)


def rows_in_scope(sidecar: Sidecar, look: ScopeTables, *, hit: Mask | None = None) -> BitMap64:
    """Return the positions of the items of a file that the rule may match, for their owner or somebody they involve.

    Args:
        sidecar: the file.
        look: the rule, laid out.
        hit: by seat: is set for the owners of these items and whoever they involve, for nobody else. Several threads
            may share one: nothing is ever taken back.

    Raises:
        IntegrityError: the file names people or item classes that are not there.
    """
    found = np.zeros(sidecar.rows, dtype=np.bool_)
    seats, items = (pa.array(each.view(np.uint8)) for each in (look.seats, look.items))
    spans = [slice(start, min(start + _SPAN_ROWS, sidecar.rows)) for start in range(0, sidecar.rows, _SPAN_ROWS)]
    for rows in spans:
        sidecar.check_range(rows, seats=look.seats.size, classes=look.items.size)
        found[rows] = gathered(seats, sidecar.person[rows])
    involved = look.seats[sidecar.involved_person]
    found[sidecar.involved_row[involved]] = True
    for rows in spans:
        found[rows] &= gathered(items, sidecar.klass[rows]).view(np.bool_)
        found[rows] &= _of_then(sidecar.created, rows, look.rule)
        if hit is not None:
            hit[sidecar.person[rows][found[rows]]] = True
    if hit is not None:
        hit[sidecar.involved_person[found[sidecar.involved_row]]] = True
    sidecar.let_go()
    return BitMap64.deserialize(serialize(np.packbits(found, bitorder="little")))


def rows_in_scope_of(sidecar: Sidecar, look: ScopeTables, *, seats: U32) -> BitMap64:
    """Return the same for some people alone: the items are looked up that are by or involve them."""
    rows = sidecar.rows_of(seats[look.seats[seats]])
    kept = look.items[sidecar.klass[rows]] & _of_then(sidecar.created, rows, look.rule)
    return BitMap64(rows[kept].tolist())


def _of_then(created: U32 | None, rows: slice | U32, rule: Rule) -> Mask | np.bool_:
    """Return which rows were not certainly created out of the window of a rule."""
    if created is None or (rule.created_from is None and rule.created_before is None):
        return np.True_
    when = created[rows]
    within = np.ones(when.size, dtype=np.bool_)
    if rule.created_from is not None:
        within &= when >= rule.created_from
    if rule.created_before is not None:
        within &= when < rule.created_before
    found: Mask = within | (when == UNKNOWN_DATE)
    return found


def _may_live_there(member: PersonClass | Residing | None, rule: Rule, at: Seconds) -> bool:
    if member is None:
        return False
    if not rule.inside or not member.places or not member.established:
        return True
    return any(contains(area, place, at=at) is not False for area in rule.inside for place in member.places)


def _may_be_such(item: ItemClass, rule: Rule) -> bool:
    category = not rule.categories or item.category is Category.UNKNOWN or item.category in rule.categories
    unseen = item.visibility is Visibility.UNKNOWN
    return category and (not rule.visibilities or unseen or item.visibility in rule.visibilities)
