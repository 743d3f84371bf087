"""Counts of a release: how many items of each kind have each outcome, and what people read from that.

A tally row is (place, category, visibility, licence, outcome, items). Everything shown of a release is a sum over
rows: by reason, by country, by category, by licence, by gap. The rows are stored with the release, so that two
releases can be compared long after the corpus moved on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from consentry.corpus.classes import PersonClasses
from consentry.policy.evaluator import Decision, Reason, ReasonKind
from consentry.policy.jurisdictions import country_of
from consentry.policy.matrix import ItemClass, PersonClass
from consentry.release.kernel import Tables, Tally, add_up

NOBODY_PLACE = "nobody"
UNRESOLVED_PLACE = "unresolved"
SEVERAL_PLACES = "several"
"""People with several candidate countries, in summaries; the rows themselves name the countries."""
_JOINT = "|"


class TallyRow(NamedTuple):
    """So many items of one kind with one outcome. `involved`: the reasons are those of a further person."""

    place: str
    category: str
    visibility: str
    licence: str
    allowed: bool
    involved: bool
    reasons: tuple[str, ...]
    items: int

    @property
    def primary(self) -> str:
        """The reason the items are counted under."""
        return f"involved:{self.reasons[0]}" if self.involved else self.reasons[0]


def place_label(person: PersonClass | None) -> str:
    """Return how a person's whereabouts are shown: a country, several joined by `|`, `unresolved` or `nobody`."""
    if person is None:
        return NOBODY_PLACE
    if not person.places or not person.established:
        return UNRESOLVED_PLACE
    return _JOINT.join(sorted({country_of(place) for place in person.places}))


def rows(tallies: Iterable[Tally], look: Tables, places: Sequence[str], items: Sequence[ItemClass]) -> list[TallyRow]:
    """Return the tally rows of all files together, in a fixed order."""
    found = list(tallies)
    total = add_up(
        np.concatenate([each.keys for each in found] or [np.empty(0, np.int64)]),
        np.concatenate([each.counts for each in found] or [np.empty(0, np.int64)]),
    )
    return grouped(total, look, places, items)


def grouped(total: Tally, look: Tables, places: Sequence[str], items: Sequence[ItemClass]) -> list[TallyRow]:
    """Return one tally as rows, merging person classes that are at the same place."""
    sums: Counter[tuple[str, ItemClass, int]] = Counter()
    for key, count in zip(total.keys.tolist(), total.counts.tolist(), strict=True):
        cell, outcome = divmod(key, 2 * look.involved_offset)
        person, item = divmod(cell, look.width)
        sums[places[person], items[item], outcome] += count
    merged: Counter[TallyRow] = Counter()
    for (place, item_class, outcome), count in sums.items():
        involved, index = divmod(outcome, look.involved_offset)
        decision = look.outcomes[index]
        kind = TallyRow(
            place=place,
            category=str(item_class.category),
            visibility=str(item_class.visibility),
            licence=item_class.licence,
            allowed=decision.allowed and not involved,
            involved=bool(involved),
            reasons=tuple(str(reason) for reason in decision.reasons),
            items=0,
        )
        merged[kind] += count
    return sorted(kind._replace(items=count) for kind, count in merged.items() if count)


def people_by_place(classes: PersonClasses) -> dict[str, int]:
    """Return how many known people there are at each place; see `place_label`."""
    counts: Counter[str] = Counter()
    for member, count in zip(classes.members, np.bincount(classes.codes, minlength=len(classes.members)), strict=True):
        if member is not None and member.known:
            label = place_label(member)
            counts[SEVERAL_PLACES if _JOINT in label else label] += int(count)
    return dict(counts.most_common())


def summary(tally: Sequence[TallyRow]) -> dict[str, Any]:
    """Return the counts that a manifest carries."""
    denied = [row for row in tally if not row.allowed]
    return {
        "items": sum(row.items for row in tally),
        "eligible": sum(row.items for row in tally if row.allowed),
        "denied": sum(row.items for row in denied),
        "by_reason": _sum(denied, lambda row: row.primary),
        "by_permit": _sum((row for row in tally if row.allowed), lambda row: "+".join(row.reasons)),
        "by_gap": _gaps(denied),
        "by_place": _split(tally, lambda row: SEVERAL_PLACES if _JOINT in row.place else row.place),
        "by_category": _split(tally, lambda row: row.category),
        "by_licence": _split(tally, lambda row: row.licence),
    }


def _sum(tally: Iterable[TallyRow], label: Callable[[TallyRow], str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in tally:
        counts[label(row)] += row.items
    return dict(counts.most_common())


def _gaps(denied: Iterable[TallyRow]) -> dict[str, int]:
    """Return how many items have each gap; an item with two gaps counts under both."""
    counts: Counter[str] = Counter()
    prefix = f"{ReasonKind.GAP}:"
    for row in denied:
        for reason in row.reasons:
            if reason.startswith(prefix):
                counts[reason.removeprefix(prefix)] += row.items
    return dict(counts.most_common())


def _split(tally: Iterable[TallyRow], label: Callable[[TallyRow], str]) -> dict[str, dict[str, int]]:
    eligible: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    for row in tally:
        (eligible if row.allowed else denied)[label(row)] += row.items
    names = sorted(eligible.keys() | denied.keys(), key=lambda name: (-eligible[name] - denied[name], name))
    return {name: {"eligible": eligible[name], "denied": denied[name]} for name in names}


def to_json(tally: Sequence[TallyRow]) -> list[list[Any]]:
    """Return the rows as plain lists."""
    return [[*row[:6], list(row.reasons), row.items] for row in tally]


def from_json(body: Iterable[Sequence[Any]]) -> list[TallyRow]:
    """Read rows written by `to_json`."""
    return [TallyRow._make([*row[:6], tuple(row[6]), row[7]]) for row in body]


def reason_counts(tally: Iterable[TallyRow]) -> Mapping[str, int]:
    """Return the number of items under each primary reason, those of eligible items included."""
    return _sum(tally, lambda row: "eligible" if row.allowed else row.primary)


def primary_label(decision: Decision, *, involved: bool) -> str:
    """Return the label under which an outcome is counted."""
    reason: Reason = decision.primary
    return f"involved:{reason}" if involved else "eligible" if decision.allowed else str(reason)
